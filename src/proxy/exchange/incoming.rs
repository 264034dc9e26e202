//! The answer, on its way to the client.

use http::{Version, header};
use pingora_core::protocols::http::HttpTask;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;

use super::Exchange;
use crate::proxy::filters;
use crate::proxy::phase::{response, upstream_response};
use crate::upstream::carrier::{Event, Part};
use crate::upstream::http1::Passed;

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
                self.outgoing.error = error;
                self.outgoing.abandon();
                Ok(())
            }
            // It has gone, or goes on behind its answer: either way it is not for the rest of the request.
            Event::Read | Event::Ended | Event::NotRead(_) if self.carrier.is_answered() => {
                self.outgoing.abandon();
                Ok(())
            }
            Event::Read => self.pass_on().await,
            Event::Ended => match self.carrier.end() {
                Ok(Some(part)) => {
                    self.outgoing.abandon();
                    let mut tasks = Vec::new();
                    self.filter(part, &mut tasks).await?;
                    self.deliver(tasks).await
                }
                Ok(None) => Ok(()),
                Err(error) => Err(self.outgoing.error.take().unwrap_or(error)),
            },
            Event::NotRead(error) => Err(self.outgoing.error.take().unwrap_or(error)),
        }
    }

    /// Passes on the parts that have come. Of an answer that turns out not to be one, the client gets nothing, if it had nothing before.
    async fn pass_on(&mut self) -> Result<()> {
        let mut tasks = Vec::new();
        let mut failed = None;
        loop {
            match self.carrier.next_part() {
                Ok(Some(part)) => self.filter(part, &mut tasks).await?,
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
        let is_last = self.carrier.is_answered() && self.outgoing.is_over(&self.carrier);
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

    /// Shows a part to the filters, and adds what they make of it.
    async fn filter(&mut self, part: Part, tasks: &mut Vec<HttpTask>) -> Result<()> {
        let (mut piece, is_last) = match part {
            Part::Interim(head) => {
                tasks.push(self.filter_head(head, None, false).await?);
                return Ok(());
            }
            Part::Head {
                head,
                passed,
                is_all,
            } => {
                tasks.push(self.filter_head(head, passed, is_all).await?);
                return Ok(());
            }
            Part::Body { piece, is_last } => (Some(piece), is_last),
            Part::End => (None, true),
            Part::Trailers(trailers) => {
                // The filters may have kept some of the body back.
                let mut rest = None;
                filters::response_body(&mut rest, true, self.ctx)?;
                if rest.is_some() {
                    tasks.push(HttpTask::Body(rest, false));
                }
                tasks.push(HttpTask::Trailer(Some(trailers)));
                return Ok(());
            }
        };
        filters::response_body(&mut piece, is_last, self.ctx)?;
        tasks.push(HttpTask::Body(piece, is_last));
        Ok(())
    }

    async fn filter_head(
        &mut self,
        mut head: Box<ResponseHeader>,
        passed: Option<Passed>,
        is_all: bool,
    ) -> Result<HttpTask> {
        upstream_response::note(self.proxy, self.session, &mut head, self.ctx)?;
        let is_http2 = self.session.req_header().version == Version::HTTP_2;
        if !is_http2 && !head.status.is_informational() && self.carrier.lacks_framing() {
            // The client's connection goes on where the backend's, or its stream, does not.
            head.set_version(Version::HTTP_11);
            head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
        }
        match passed {
            Some(passed) => response::pass(self.session, &mut head, passed, self.ctx)?,
            None => {
                response::prepare(self.session, &mut head, self.ctx)?;
                if response::is_seen_by_filters(&head, self.ctx) {
                    // Boxed, so that an answer without filters does not hold the space for it.
                    let filtered = response::filter(self.proxy, self.session, &mut head, self.ctx);
                    Box::pin(filtered).await?;
                }
                response::conclude(self.session, &mut head);
            }
        }
        Ok(HttpTask::Header(head, is_all))
    }
}
