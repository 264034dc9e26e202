//! The request, on its way to the backend.

use bytes::Bytes;
use pingora_core::{Error, ErrorType, Result};

use super::Exchange;
use crate::proxy::filters;
use crate::proxy::phase::upstream_request;
use crate::upstream::carrier::Carrier;
use crate::upstream::http1::RequestBody;

/// How much of the request is out.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// The last of it has come from the client.
    pub(super) is_read: bool,
    /// The backend takes no more of it.
    is_abandoned: bool,
    /// Why it does not.
    pub(super) error: Option<Box<Error>>,
}

impl Outgoing {
    /// Whether there is nothing more to be done.
    pub(super) fn is_over(&self, carrier: &Carrier) -> bool {
        self.is_abandoned || (self.is_read && carrier.has_written())
    }

    /// Whether all of it was sent.
    pub(super) fn was_sent(&self) -> bool {
        self.is_read && !self.is_abandoned
    }

    /// Whether the backend owes an answer: nothing more comes to it.
    pub(super) fn is_due_an_answer(&self) -> bool {
        self.is_read || self.is_abandoned
    }

    /// Whether the client is read from: for the next piece, when the last one is out, or to see whether it is still there.
    pub(super) fn wants_more(&self, carrier: &Carrier) -> bool {
        self.is_read || (!self.is_abandoned && carrier.has_written())
    }

    /// The backend takes no more.
    pub(super) fn abandon(&mut self) {
        self.is_abandoned = true;
    }
}

impl Exchange<'_> {
    /// Sends the head, and of the body what an attempt before has read.
    pub(super) fn begin_request(&mut self) -> Result<()> {
        let is_empty = self.session.as_mut().is_body_empty();
        filters::begin_attempt(self.ctx)?;
        self.send_head(is_empty)?;
        self.session.as_mut().enable_retry_buffering();
        self.outgoing.is_read = self.session.as_mut().is_body_done();
        let kept = self.session.as_ref().get_retry_buffer();
        if kept.is_some() || is_empty {
            self.send(kept, self.outgoing.is_read)?;
        }
        Ok(())
    }

    fn send_head(&mut self, is_empty: bool) -> Result<()> {
        let head = self.session.req_header();
        match &mut self.carrier {
            Carrier::Http1(turn) => {
                let lines = upstream_request::lines(self.session, self.ctx, !is_empty)?;
                let body = RequestBody::of(&lines)?;
                let wire = lines.to_wire(head).ok_or_else(|| {
                    let what = "a target that is none cannot be sent";
                    Error::explain(ErrorType::InternalError, what).into_in()
                })?;
                turn.begin(wire, body);
                Ok(())
            }
            Carrier::Http2(stream) => {
                let request = upstream_request::http2(self.session, self.ctx)?;
                stream.begin(request, is_empty)
            }
        }
    }

    /// The client has sent a piece of the body, or the end of it.
    pub(super) fn take_piece(&mut self, piece: Option<Bytes>) -> Result<()> {
        if self.outgoing.is_read {
            return Ok(());
        }
        let is_last = piece.is_none() || self.session.as_mut().is_body_done();
        self.outgoing.is_read = is_last;
        self.send(piece, is_last)
    }

    fn send(&mut self, piece: Option<Bytes>, is_last: bool) -> Result<()> {
        filters::request_body(piece.as_ref(), is_last, self.ctx)?;
        if self.outgoing.is_abandoned {
            return Ok(());
        }
        self.carrier.write_body(piece, is_last)
    }
}
