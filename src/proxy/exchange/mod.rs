//! The exchange with a backend: the request goes out, the answer comes back.
//!
//! Pingora's engine reads the request and finishes the connection to the client, and has an exchange of its own. That one is not used, for
//! what its clients take from a backend (`upstream::http1`, `upstream::http2`), and for what it costs: two loops that talk over channels, a
//! copy of each head and of each piece, and a task for each unused connection, together about as much as all the rest of a small request.
//! So with the callback that asks whether Pingora is to go to a backend, the way of the request leads here. What happens at each step
//! stands in `phase`.
//!
//! One loop waits for what comes first: something from the backend, the next piece of the request, the client going away, or a deadline. A
//! backend may answer before it has read the request; the rest is then still sent, as long as it takes it.

mod deadline;
mod incoming;
mod outgoing;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Version};
use pingora_core::protocols::Stream as Transport;
use pingora_core::protocols::http::HttpTask;
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_proxy::Session;
use tokio::time::timeout;

use super::phase::{failed_attempt, upstream_peer};
use super::tunnel::{KEEPALIVE, Tunnel};
use super::{Ctx, Proxy, filters, reply};
use crate::semantics::proxy_protocol::Behalf;
use crate::upstream::Upstream;
use crate::upstream::carrier::Carrier;
use crate::upstream::http1::{Connection, Form, Turn};
use crate::upstream::http2::Stream;
use crate::upstream::reach::{Purpose, Reached};
use deadline::Deadline;
use outgoing::Outgoing;

/// Makes attempts until one has succeeded or none is left.
///
/// # Errors
/// The failure of the last attempt.
pub(super) async fn serve(proxy: &Proxy, session: &mut Session, ctx: &mut Ctx) -> Result<()> {
    loop {
        upstream_peer::pick(proxy, session, ctx).await?;
        match attempt(proxy, session, ctx).await {
            Err(error) if error.retry() => {}
            ended => return ended,
        }
    }
}

async fn attempt(proxy: &Proxy, session: &mut Session, ctx: &mut Ctx) -> Result<()> {
    let Some(upstream) = ctx.upstream.clone() else {
        return Error::e_explain(ErrorType::InternalError, "no attempt was begun");
    };
    let (carrier, is_reused) = reach(proxy, session, ctx, &upstream).await?;
    let carried = {
        let mut exchange = Exchange::new(proxy, session, ctx, carrier);
        let carried = exchange.carry().await;
        carried.map(|()| exchange.into_carried())
    };
    let finished = match carried {
        Ok(carried) => {
            match carried.end {
                End::Kept(connection, limit) => {
                    upstream.keep(connection, limit, proxy.clock.now());
                }
                End::Closed => {}
                End::Switched(backend, welcome) => {
                    ctx.tunnel = Some(Box::new(Tunnel::new(backend, welcome)));
                }
            }
            finish(session, carried.last, carried.has_whole_request).await
        }
        Err(error) => Err(error),
    };
    finished.map_err(|error| failed_attempt::exchanging(proxy, session, ctx, error, is_reused))
}

/// A way to the backend of the attempt that has begun, and whether it has carried requests before.
///
/// # Errors
/// There is none; whether the request is tried again is decided.
async fn reach(
    proxy: &Proxy,
    session: &Session,
    ctx: &mut Ctx,
    upstream: &Upstream,
) -> Result<(Carrier, bool)> {
    let (Some(backend), Some(began)) = (ctx.backend(), ctx.attempt_began()) else {
        return Error::e_explain(ErrorType::InternalError, "no attempt was begun");
    };
    let behalf = || {
        let facts = ctx.connection.as_ref();
        facts.map_or(Behalf::Unknown, |facts| facts.behalf())
    };
    let purpose = match ctx.asks_for_tunnel {
        true => Purpose::Tunnel(KEEPALIVE),
        false => Purpose::Requests,
    };
    let reached = upstream.reach(backend, &proxy.connector, behalf, purpose, began);
    let reached = match reached.await {
        Ok(reached) => reached,
        Err(mut error) => {
            error.as_up();
            return Err(failed_attempt::connecting(proxy, session, ctx, error).into_up());
        }
    };
    let is_reused = reached.is_reused();
    match is_reused {
        true => ctx.connected_at_once(),
        false => ctx.connected(proxy.clock.now()),
    }
    let answers_head = session.req_header().method == Method::HEAD;
    let carrier = match reached {
        Reached::Http1 { connection, .. } => {
            let form = form(proxy, session, ctx);
            Carrier::Http1(Turn::new(connection, answers_head, form))
        }
        Reached::Http2 { seat, .. } => Carrier::Http2(Box::new(Stream::new(seat, answers_head))),
    };
    Ok((carrier, is_reused))
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
    // Boxed, so that a request without a body does not hold the space for it.
    Box::pin(timeout(limit, piece)).await.unwrap_or_else(|_| {
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
    /// Another request can follow on it, for so long as the backend says.
    Kept(Box<Connection>, Option<Duration>),
    /// Nothing, or over HTTP/2 what it likes.
    Closed,
    /// It is the other end of a tunnel, which has begun with this.
    Switched(Transport, BytesMut),
}

/// One request and its answer on one connection.
struct Exchange<'a> {
    proxy: &'a Proxy,
    session: &'a mut Session,
    ctx: &'a mut Ctx,
    carrier: Carrier,
    outgoing: Outgoing,
    deadline: Deadline,
    last: Vec<HttpTask>,
}

impl<'a> Exchange<'a> {
    fn new(
        proxy: &'a Proxy,
        session: &'a mut Session,
        ctx: &'a mut Ctx,
        mut carrier: Carrier,
    ) -> Self {
        let deadline = Deadline::new(carrier.take_alarm());
        Self {
            proxy,
            session,
            ctx,
            carrier,
            outgoing: Outgoing::default(),
            deadline,
            last: Vec::new(),
        }
    }

    /// Carries both to their ends.
    ///
    /// # Errors
    /// What ended the exchange before.
    async fn carry(&mut self) -> Result<()> {
        // Kept here meanwhile, see `piece_of_body`.
        let limit = self.session.get_read_timeout();
        self.session.set_read_timeout(None);
        let ended = self.run(limit).await;
        self.session.set_read_timeout(limit);
        self.carrier.keep_alarm(self.deadline.take_alarm());
        match ended {
            Err(error)
                if *error.esource() == ErrorSource::Upstream
                    && self.session.response_written().is_some() =>
            {
                Err(Box::pin(self.break_off(error)).await)
            }
            ended => ended,
        }
    }

    /// `limit` is how long the client has for each piece of its request's body.
    async fn run(&mut self, limit: Option<Duration>) -> Result<()> {
        self.begin_request()?;
        while !(self.carrier.is_answered() && self.outgoing.is_over(&self.carrier)) {
            self.set_deadline();
            let reads = self.outgoing.wants_more(&self.carrier);
            tokio::select! {
                biased;
                event = std::future::poll_fn(|context| self.carrier.poll_event(context)) => {
                    self.take_event(event).await?;
                }
                piece = piece_of_body(self.session, self.outgoing.is_read, limit), if reads => {
                    self.take_piece(piece.map_err(|error| error.into_down())?)?;
                }
                limit = self.deadline.passed() => self.give_up(limit)?,
            }
        }
        Ok(())
    }

    /// What is left to be done when both are at their ends.
    fn into_carried(self) -> Carried {
        let has_whole_request = self.outgoing.is_read;
        let is_switched = self.session.was_upgraded();
        let was_sent = self.outgoing.was_sent();
        let has_more = !is_switched && self.carrier.has_more();
        if has_more {
            self.tell_of_more();
        }
        let end = match self.carrier {
            Carrier::Http1(turn) if is_switched => {
                let (backend, welcome) = turn.into_connection().into_parts();
                End::Switched(backend, welcome)
            }
            Carrier::Http1(turn) if was_sent && !has_more => match turn.keeps() {
                Some(keeps) => End::Kept(turn.into_connection(), keeps.limit),
                None => End::Closed,
            },
            _ => End::Closed,
        };
        Carried {
            end,
            last: self.last,
            has_whole_request,
        }
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
