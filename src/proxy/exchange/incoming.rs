//! The answer, on its way to the client.

use http::{Version, header};
use pingora_core::protocols::http::HttpTask;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;

use super::Exchange;
use crate::proxy::filters;
use crate::proxy::phase::{response, upstream_response};
use crate::upstream::http1::{Event, Part, Passed};

impl Exchange<'_> {
    /// Something has happened on the backend's connection.
    pub(super) async fn take_event(&mut self, event: Event) -> Result<()> {
        if self.ctx.has_answer() || matches!(event, Event::Written) {
            self.deadline.goes_on();
        }
        match event {
            Event::Written => Ok(()),
            Event::NotWritten(error) => {
                // It may have answered before it went away.
                let error =
                    Error::because(ErrorType::WriteError, "while the request is sent", error);
                self.outgoing.error = Some(error.into_up());
                self.outgoing.abandon();
                Ok(())
            }
            // It has gone, or goes on behind its answer: either way it is not for the rest of the request.
            Event::Read | Event::Ended | Event::NotRead(_) if self.answer.is_whole() => {
                self.outgoing.abandon();
                Ok(())
            }
            Event::Read => self.pass_on().await,
            Event::Ended => match self.answer.end() {
                Ok(Some(part)) => {
                    self.outgoing.abandon();
                    let task = self.filter(part).await?;
                    self.deliver(vec![task]).await
                }
                Ok(None) => Ok(()),
                Err(error) => Err(self.outgoing.error.take().unwrap_or(error)),
            },
            Event::NotRead(error) => {
                let error = self.answer.broken_off(error);
                Err(self.outgoing.error.take().unwrap_or(error))
            }
        }
    }

    /// Passes on the parts that have come. Of an answer that turns out not to be one, the client gets nothing, if it had nothing before.
    async fn pass_on(&mut self) -> Result<()> {
        let mut tasks = Vec::new();
        let mut failed = None;
        loop {
            match self.answer.next(self.connection.unread()) {
                Ok(Some(part)) => tasks.push(self.filter(part).await?),
                Ok(None) => break,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        match failed {
            // It is nothing yet that the client could make anything of.
            Some(error) if self.session.response_written().is_none() => Err(error),
            Some(error) => {
                self.deliver(tasks).await?;
                Err(error)
            }
            None => self.deliver(tasks).await,
        }
    }

    async fn deliver(&mut self, tasks: Vec<HttpTask>) -> Result<()> {
        let is_last = self.answer.is_whole() && self.outgoing.is_over(self.connection);
        if is_last && !self.ctx.asks_for_tunnel {
            self.last = tasks;
            return Ok(());
        }
        if tasks.is_empty() {
            return Ok(());
        }
        // Boxed, so that a small answer, all of which is the last of it, does not hold the space for it.
        Box::pin(self.session.write_response_tasks(tasks))
            .await
            .map(drop)
    }

    /// The client gets what there is of its answer, before its connection breaks off as the backend's has.
    pub(super) async fn break_off(&mut self, error: Box<Error>) -> Box<Error> {
        let tasks = vec![HttpTask::Body(None, false), HttpTask::Failed(error)];
        match self.session.write_response_tasks(tasks).await {
            Err(error) => error,
            Ok(_) => Error::explain(ErrorType::InternalError, "an error that was lost"),
        }
    }

    async fn filter(&mut self, part: Part) -> Result<HttpTask> {
        let (mut piece, is_last) = match part {
            Part::Interim(head) => return self.filter_head(head, None, false).await,
            Part::Head {
                head,
                passed,
                is_all,
            } => return self.filter_head(head, passed, is_all).await,
            Part::Body { piece, is_last } => (Some(piece), is_last),
            Part::End => (None, true),
        };
        filters::response_body(&mut piece, is_last, self.ctx)?;
        Ok(HttpTask::Body(piece, is_last))
    }

    async fn filter_head(
        &mut self,
        mut head: Box<ResponseHeader>,
        passed: Option<Passed>,
        is_all: bool,
    ) -> Result<HttpTask> {
        upstream_response::note(self.proxy, self.session, &mut head, self.ctx)?;
        if self.answer.ends_with_connection() {
            // The client's connection goes on where the backend's does not.
            head.set_version(Version::HTTP_11);
            head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
        }
        match passed {
            Some(passed) => response::pass(self.session, &mut head, passed, self.ctx)?,
            None => response::prepare(self.proxy, self.session, &mut head, self.ctx).await?,
        }
        Ok(HttpTask::Header(head, is_all))
    }
}
