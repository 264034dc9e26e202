//! The exchange with a backend over HTTP/1: the request goes out, the answer comes back.
//!
//! Pingora's engine reads the request and finishes the connection to the client, and has an exchange of its own. That one serves backends
//! that speak HTTP/2. It is not used here for what its client takes from a backend
//! (`upstream::http1`), and for what it costs: two loops that talk over channels, a copy of each head and of each piece, and a task for each
//! unused connection, together about as much as all the rest of a small request. So with the callback that asks whether Pingora is to go to
//! a backend, the way of the request leads here. What happens at each step stands in `phase`, which both ways share.
//!
//! One loop waits for what comes first: bytes from the backend, the next piece of the request, the client going away, or a deadline. A
//! backend may answer before it has read the request; the rest is then still sent, as long as it takes it.

mod deadline;
mod incoming;
mod outgoing;

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Version};
use pingora_core::protocols::http::HttpTask;
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_proxy::Session;
use tokio::time::timeout;

use super::phase::{failed_attempt, upstream_peer};
use super::tunnel::{KEEPALIVE, Tunnel};
use super::{Ctx, Proxy, filters, reply};
use crate::semantics::proxy_protocol::Behalf;
use crate::upstream::http1::{AnswerReader, Connection, Form, Keeps, Purpose, Reached};
use deadline::Deadline;
use outgoing::Outgoing;

/// Makes attempts until one has succeeded or none is left. Whether Pingora is to go on with the attempt that has begun.
///
/// # Errors
/// The failure of the last attempt.
pub(super) async fn serve(proxy: &Proxy, session: &mut Session, ctx: &mut Ctx) -> Result<bool> {
    loop {
        upstream_peer::pick(proxy, session, ctx).await?;
        if !upstream_peer::is_for_exchange(ctx) {
            ctx.is_handed_over = true;
            return Ok(true);
        }
        match attempt(proxy, session, ctx).await {
            Ok(Attempt::Served) => return Ok(false),
            Ok(Attempt::HandedOver) => return Ok(true),
            Err(error) if error.retry() => {}
            Err(error) => return Err(error),
        }
    }
}

enum Attempt {
    Served,
    HandedOver,
}

async fn attempt(proxy: &Proxy, session: &mut Session, ctx: &mut Ctx) -> Result<Attempt> {
    let (Some(upstream), Some(backend), Some(began)) = (
        ctx.upstream.clone(),
        ctx.backend().cloned(),
        ctx.attempt_began(),
    ) else {
        ctx.is_handed_over = true;
        return Ok(Attempt::HandedOver);
    };
    let facts = ctx.connection.clone();
    let behalf = || {
        let facts = facts.as_ref();
        facts.map_or(Behalf::Unknown, |facts| facts.behalf())
    };
    let purpose = match ctx.asks_for_tunnel {
        true => Purpose::Tunnel(KEEPALIVE),
        false => Purpose::Requests,
    };
    let reached = upstream.reach(&backend, &proxy.connector, behalf, purpose, began);
    let (mut connection, is_reused) = match reached.await {
        Ok(Reached::Http1 {
            connection,
            is_reused,
        }) => (connection, is_reused),
        Ok(Reached::Http2) => {
            ctx.is_handed_over = true;
            return Ok(Attempt::HandedOver);
        }
        Err(mut error) => {
            error.as_up();
            return Err(failed_attempt::connecting(proxy, session, ctx, error).into_up());
        }
    };
    match is_reused {
        true => ctx.connected_at_once(),
        false => ctx.connected(proxy.clock.now()),
    }
    let carried = {
        let mut exchange = Exchange::new(proxy, session, ctx, &mut connection);
        exchange.carry().await
    };
    let finished = match carried {
        Ok(carried) => {
            match carried.end {
                End::Kept(keeps) => upstream.keep(connection, keeps.limit, proxy.clock.now()),
                End::Closed => {}
                End::Switched => {
                    let (backend, welcome) = connection.into_parts();
                    ctx.tunnel = Some(Box::new(Tunnel::new(backend, welcome)));
                }
            }
            finish(session, carried.last, carried.has_whole_request).await
        }
        Err(error) => Err(error),
    };
    match finished {
        Ok(()) => Ok(Attempt::Served),
        Err(error) => Err(failed_attempt::exchanging(
            proxy, session, ctx, error, is_reused,
        )),
    }
}

/// Gives the client the last of its answer.
async fn finish(session: &mut Session, last: Vec<HttpTask>, has_whole_request: bool) -> Result<()> {
    if !last.is_empty() {
        session.write_response_tasks(last).await?;
    }
    let finished = session.as_mut().finish_body().await;
    finished.map_err(|error| error.into_down())?;
    if !has_whole_request {
        // The answer has said that it is the last one on this connection.
        session.set_keepalive(None);
        let _ = reply::hear_out(session).await;
    }
    Ok(())
}

/// The next piece of the request's body, for which the client has until `limit`; or, once that `is_read`, that the client goes away.
///
/// The runtime keeps the time: the first of Pingora's own timers begins a thread that wakes up a hundred times a second for as long as the
/// process lives.
async fn piece_of_body(
    session: &mut Session,
    is_read: bool,
    limit: Option<Duration>,
) -> Result<Option<Bytes>> {
    let piece = session.downstream_session.read_body_or_idle(is_read);
    let Some(limit) = limit.filter(|_| !is_read) else {
        return piece.await;
    };
    timeout(limit, piece).await.unwrap_or_else(|_| {
        let what = format!("nothing of the body within timeouts.body, {limit:?}");
        Error::e_explain(ErrorType::ReadTimedout, what)
    })
}

/// How much must be read of the answer's head. Of one that nobody here looks at, next to nothing.
fn form(proxy: &Proxy, session: &Session, ctx: &Ctx) -> Form {
    match session.req_header().version {
        Version::HTTP_2 => Form::Lowercase,
        Version::HTTP_11 if !filters::see_answer(ctx) && !proxy.access_log.reads_answers() => {
            Form::Framing
        }
        _ => Form::Spelled,
    }
}

/// What is left to be done when the backend's part is over.
struct Carried {
    end: End,
    /// The last of the answer. It goes out when the connection is free again: a client that asks at once finds it so.
    last: Vec<HttpTask>,
    has_whole_request: bool,
}

/// What becomes of the backend's connection.
enum End {
    /// Another request can follow on it.
    Kept(Keeps),
    Closed,
    /// It is the other end of a tunnel.
    Switched,
}

/// One request and its answer on one connection.
struct Exchange<'a> {
    proxy: &'a Proxy,
    session: &'a mut Session,
    ctx: &'a mut Ctx,
    connection: &'a mut Connection,
    outgoing: Outgoing,
    answer: AnswerReader,
    deadline: Deadline,
    last: Vec<HttpTask>,
}

impl<'a> Exchange<'a> {
    fn new(
        proxy: &'a Proxy,
        session: &'a mut Session,
        ctx: &'a mut Ctx,
        connection: &'a mut Connection,
    ) -> Self {
        let answers_head = session.req_header().method == Method::HEAD;
        let form = form(proxy, session, ctx);
        let deadline = Deadline::new(connection.take_alarm());
        Self {
            proxy,
            session,
            ctx,
            connection,
            outgoing: Outgoing::default(),
            answer: AnswerReader::new(answers_head, form),
            deadline,
            last: Vec::new(),
        }
    }

    /// Carries both to their ends.
    ///
    /// # Errors
    /// What ended the exchange before.
    async fn carry(&mut self) -> Result<Carried> {
        // Kept here meanwhile, see `piece_of_body`.
        let limit = self.session.get_read_timeout();
        self.session.set_read_timeout(None);
        let ended = self.run(limit).await;
        self.session.set_read_timeout(limit);
        self.connection.keep_alarm(self.deadline.take_alarm());
        match ended {
            Err(error)
                if *error.esource() == ErrorSource::Upstream
                    && self.session.response_written().is_some() =>
            {
                Err(Box::pin(self.break_off(error)).await)
            }
            ended => Ok(Carried {
                end: ended?,
                last: std::mem::take(&mut self.last),
                has_whole_request: self.outgoing.is_read,
            }),
        }
    }

    /// `limit` is how long the client has for each piece of its request's body.
    async fn run(&mut self, limit: Option<Duration>) -> Result<End> {
        self.begin_request()?;
        while !(self.answer.is_whole() && self.outgoing.is_over(self.connection)) {
            self.set_deadline();
            let expected = self.answer.expected();
            let reads = self.outgoing.wants_more(self.connection);
            tokio::select! {
                biased;
                event = std::future::poll_fn(|context| self.connection.poll_event(context, expected)) => {
                    self.take_event(event).await?;
                }
                piece = piece_of_body(self.session, self.outgoing.is_read, limit), if reads => {
                    self.take_piece(piece.map_err(|error| error.into_down())?)?;
                }
                limit = self.deadline.passed() => self.give_up(limit)?,
            }
        }
        if self.session.was_upgraded() {
            return Ok(End::Switched);
        }
        if !self.connection.unread().is_empty() {
            self.tell_of_more();
            return Ok(End::Closed);
        }
        let keeps = self.answer.keeps().filter(|_| self.outgoing.was_sent());
        Ok(keeps.map_or(End::Closed, End::Kept))
    }

    fn tell_of_more(&self) {
        let (Some(upstream), Some(backend)) = (&self.ctx.upstream, self.ctx.backend()) else {
            return;
        };
        log::warn!(
            "upstream {}: backend {backend} has sent more than its answer; the connection is not used again",
            upstream.name()
        );
    }
}
