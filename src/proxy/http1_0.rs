//! Answers for clients that speak HTTP/1.0, which knows no chunks: an answer without a length ends with the connection (RFC 9112 §6.1, §6.3).
//!
//! Over HTTP/2 Pingora asks for chunks after the last callback that sees the head (0.9.1, `proxy_h2.rs`); a module of its own kind sees the
//! head later. That the connection is closed is said in the `response` phase, where the session is at hand.

use std::any::Any;

use async_trait::async_trait;
use http::{Version, header};
use pingora_core::Result;
use pingora_core::modules::http::{HttpModule, HttpModuleBuilder, Module};
use pingora_http::ResponseHeader;

/// Makes one for each request.
pub(super) struct Builder;

impl HttpModuleBuilder for Builder {
    fn init(&self) -> Module {
        Box::new(Unchunked)
    }
}

/// Takes the chunks out of an answer.
struct Unchunked;

#[async_trait]
impl HttpModule for Unchunked {
    async fn response_header_filter(
        &mut self,
        response: &mut ResponseHeader,
        _is_last: bool,
    ) -> Result<()> {
        if !response.headers.contains_key(header::CONTENT_LENGTH) {
            response.remove_header(&header::TRANSFER_ENCODING);
            response.set_version(Version::HTTP_10);
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}
