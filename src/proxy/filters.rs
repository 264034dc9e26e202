//! Where a message meets its filters.
//!
//! The order, and what a panic costs, are the chain's business (see `filter::chain`); here are the session, from which a
//! chain gets its heads and facts, and the log. What the filters made of a request travels in [`Filtered`].

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;

use super::failure::Failure;
use super::{Ctx, Proxy, record};
use crate::decision::Words;
use crate::filter::{
    Answer, Attached, Broken, Facts, Passage, RequestBody, RequestHead, ResponseBody, ResponseHead,
    Touched, Verdict, Why,
};

/// What the filters of one request have done and are still to do.
#[derive(Debug, Default)]
pub(super) struct Filtered {
    passage: Passage,
    /// The head as the client sent it, when a filter has changed it; the session then has the changed one.
    sent: Option<Box<RequestHeader>>,
    /// The headers on which filters have the last word.
    pub(super) touched: Touched,
    request_bodies: Vec<Attached<dyn RequestBody>>,
    response_bodies: Vec<Attached<dyn ResponseBody>>,
    /// The answer to a request whose body was refused midway.
    pub(super) refusal: Option<Box<Answer>>,
}

impl Filtered {
    /// The request's head as the client sent it.
    pub(super) fn as_sent<'a>(&'a self, session: &'a Session) -> &'a RequestHeader {
        self.sent.as_deref().unwrap_or_else(|| session.req_header())
    }

    /// Whether a filter has changed the request's head.
    pub(super) fn has_changed_request(&self) -> bool {
        self.sent.is_some()
    }

    /// Whether the answer's body is changed on its way.
    pub(super) fn changes_body(&self) -> bool {
        !self.response_bodies.is_empty()
    }

    /// The answer turned out to have no body.
    pub(super) fn leave_body_alone(&mut self) {
        self.response_bodies.clear();
    }
}

/// Shows the request to its filters; some answer when it ends here.
///
/// # Errors
/// A filter broke, and the request is to be answered with this.
pub(super) async fn request(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
) -> Result<Option<Box<Answer>>, Failure> {
    if ctx.chain(&ctx.snapshot).is_empty() {
        return Ok(None);
    }
    // Boxed, so that a request without filters does not hold the space for it.
    Box::pin(pass(proxy, session, ctx)).await
}

async fn pass(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
) -> Result<Option<Box<Answer>>, Failure> {
    let snapshot = Arc::clone(&ctx.snapshot);
    let chain = ctx.chain(&snapshot);
    let mut passage = Passage::default();
    let (verdict, parts) = {
        let now = proxy.clock.now();
        let request = session.req_header();
        let words = Words::of(request);
        let record = record::of(proxy, session, ctx, now, &words);
        let facts = Facts::new(&record, now);
        let mut head = RequestHead::new(request);
        let verdict = chain.request(&mut head, &facts, &mut passage).await;
        (verdict, head.into_parts())
    };
    let (edited, touched, request_bodies) = parts;
    ctx.filtered.passage = passage;
    ctx.filtered.touched = touched;
    ctx.filtered.request_bodies = request_bodies;
    if let Some(edited) = edited {
        let sent = std::mem::replace(session.req_header_mut(), *edited);
        ctx.filtered.sent = Some(Box::new(sent));
    }
    match verdict {
        Ok(Verdict::Pass) => Ok(None),
        Ok(Verdict::Answer(answer)) => Ok(Some(answer)),
        Err(broken) => Err(report(ctx, &broken)),
    }
}

/// Whether there are filters that [`response`] is for.
pub(super) fn see_answer(ctx: &Ctx) -> bool {
    !ctx.filtered.passage.is_over()
}

/// Shows the answer to the filters that have let the request pass.
///
/// # Errors
/// A filter broke; the request is to be answered with this, and that answer shown to the filters that are left.
pub(super) async fn response(
    proxy: &Proxy,
    session: &Session,
    ctx: &mut Ctx,
    response: &mut ResponseHeader,
) -> Result<(), Failure> {
    if !see_answer(ctx) {
        return Ok(());
    }
    // As above.
    Box::pin(pass_back(proxy, session, ctx, response)).await
}

async fn pass_back(
    proxy: &Proxy,
    session: &Session,
    ctx: &mut Ctx,
    response: &mut ResponseHeader,
) -> Result<(), Failure> {
    let mut passage = ctx.filtered.passage;
    let snapshot = Arc::clone(&ctx.snapshot);
    let chain = ctx.chain(&snapshot);
    let (outcome, bodies) = {
        let now = proxy.clock.now();
        let words = Words::of(ctx.filtered.as_sent(session));
        let mut record = record::of(proxy, session, ctx, now, &words);
        record.status = Some(response.status.as_u16());
        let facts = Facts::new(&record, now);
        let mut head = ResponseHead::new(response);
        let outcome = chain.response(&mut head, &facts, &mut passage).await;
        (outcome, head.into_bodies())
    };
    ctx.filtered.passage = passage;
    match outcome {
        Ok(()) => {
            ctx.filtered.response_bodies.extend(bodies);
            Ok(())
        }
        Err(broken) => {
            ctx.filtered.leave_body_alone();
            Err(report(ctx, &broken))
        }
    }
}

/// Another attempt begins: the request's body is sent from its start.
///
/// # Errors
/// A filter panicked.
pub(super) fn begin_attempt(ctx: &mut Ctx) -> Result<()> {
    let mut bodies = ctx.filtered.request_bodies.iter_mut();
    match bodies.try_for_each(|body| body.call(|body| body.begin())) {
        Ok(()) => Ok(()),
        Err(broken) => break_off(ctx, &broken),
    }
}

/// Shows a piece of the request's body to those who watch it.
///
/// # Errors
/// One of them refuses the request, or panicked.
pub(super) fn request_body(body: Option<&Bytes>, is_last: bool, ctx: &mut Ctx) -> Result<()> {
    if ctx.filtered.request_bodies.is_empty() {
        return Ok(());
    }
    let piece = body.map_or(&[][..], |piece| piece);
    for body in &mut ctx.filtered.request_bodies {
        match body.call(|body| body.piece(piece, is_last)) {
            Ok(Ok(())) => {}
            Ok(Err(answer)) => {
                let status = ErrorType::HTTPStatus(answer.status().as_u16());
                ctx.filtered.refusal = Some(answer);
                return Err(Error::explain(status, "a filter refuses the body").into_down());
            }
            Err(broken) => return break_off(ctx, &broken),
        }
    }
    Ok(())
}

/// Has a piece of the answer's body changed.
///
/// # Errors
/// A filter panicked: the answer breaks off.
pub(super) fn response_body(body: &mut Option<Bytes>, is_last: bool, ctx: &mut Ctx) -> Result<()> {
    if ctx.filtered.response_bodies.is_empty() {
        return Ok(());
    }
    let piece = body.take().unwrap_or_default();
    match transform(&mut ctx.filtered.response_bodies, piece, is_last) {
        Ok(piece) => {
            *body = (!piece.is_empty()).then_some(piece);
            Ok(())
        }
        Err(broken) => break_off(ctx, &broken),
    }
}

/// Has the whole body of an answer of ours changed.
///
/// # Errors
/// A filter panicked.
pub(super) fn whole_body(body: Bytes, ctx: &mut Ctx) -> Result<Bytes, Failure> {
    let mut transforms = std::mem::take(&mut ctx.filtered.response_bodies);
    transform(&mut transforms, body, true).map_err(|broken| report(ctx, &broken))
}

fn transform(
    transforms: &mut [Attached<dyn ResponseBody>],
    piece: Bytes,
    is_last: bool,
) -> Result<Bytes, Broken> {
    let mut transforms = transforms.iter_mut();
    transforms.try_fold(piece, |piece, transform| {
        transform.call(|transform| transform.piece(piece, is_last))
    })
}

fn break_off(ctx: &mut Ctx, broken: &Broken) -> Result<()> {
    ctx.filtered.leave_body_alone();
    ctx.failure = Some(report(ctx, broken));
    Error::e_explain(ErrorType::InternalError, "a filter broke over a body")
}

/// What the client is told, after the log has been.
fn report(ctx: &Ctx, broken: &Broken) -> Failure {
    let request = id(ctx);
    match broken.why {
        Why::Panicked(_) => log::error!("{broken}; request {request}"),
        Why::Late => log::warn!("{broken}; request {request}"),
    }
    Failure::from(broken)
}

fn id(ctx: &Ctx) -> Cow<'_, str> {
    let id = ctx.request_id.as_ref();
    id.map_or("-".into(), |id| String::from_utf8_lossy(id.as_bytes()))
}
