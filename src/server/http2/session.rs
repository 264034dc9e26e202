//! [`Stream`], as Pingora's engine drives it.
//!
//! The trait is hidden in Pingora's documentation; its version is pinned in `Cargo.toml`. Messages of other protocols than HTTP, for which
//! it was made, do not exist here.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use pingora_core::protocols::Digest;
use pingora_core::protocols::http::HttpTask;
use pingora_core::protocols::http::custom::CustomMessageWrite;
use pingora_core::protocols::http::custom::server::Session;
use pingora_core::protocols::l4::socket::SocketAddr;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::time::timeout;

use super::stream::Stream;

/// What Pingora calls a reader of such messages.
type Messages = Box<dyn futures::Stream<Item = Result<Bytes>> + Unpin + Send + Sync>;

#[async_trait]
impl Session for Stream {
    fn req_header(&self) -> &RequestHeader {
        &self.request
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        &mut self.request
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        self.read().await
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        self.read_or_wait(no_body_expected).await
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        let limit = self.drain_timeout;
        let drained = async {
            while !self.body_is_done() && self.read().await?.is_some() {}
            Ok(())
        };
        match limit {
            None => drained.await,
            Some(limit) => timeout(limit, drained).await.unwrap_or_else(|_| {
                let what = format!("more than {limit:?} of a body that nobody wants");
                Err(Error::explain(ErrorType::ReadTimedout, what).into_down())
            }),
        }
    }

    async fn write_response_header(&mut self, resp: Box<ResponseHeader>, end: bool) -> Result<()> {
        self.send_head(resp, end)
    }

    async fn write_response_header_ref(&mut self, resp: &ResponseHeader, end: bool) -> Result<()> {
        self.send_head(Box::new(resp.clone()), end)
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.send_body(data, end).await
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.send_trailers(trailers)
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let mut is_whole = false;
        for task in tasks {
            is_whole |= task.is_end();
            match task {
                HttpTask::Header(head, is_all) => self.send_head(head, is_all)?,
                HttpTask::Body(piece, is_last) => {
                    self.send_body(piece.unwrap_or_default(), is_last).await?;
                }
                HttpTask::Trailer(Some(trailers)) => self.send_trailers(*trailers)?,
                HttpTask::Trailer(None) | HttpTask::Done => {}
                HttpTask::UpgradedBody(..) => {
                    let what = "a tunnel that nobody asked for";
                    return Error::e_explain(ErrorType::InternalError, what);
                }
                HttpTask::Failed(error) => return Err(error),
            }
        }
        if is_whole {
            self.end();
        }
        Ok(is_whole)
    }

    async fn finish(&mut self) -> Result<()> {
        self.end();
        Ok(())
    }

    async fn shutdown(&mut self, _code: u32, _ctx: &str) {
        self.break_off();
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.written.as_deref()
    }

    fn is_body_done(&mut self) -> bool {
        self.body_is_done()
    }

    fn is_body_empty(&mut self) -> bool {
        self.body_is_empty()
    }

    fn body_bytes_sent(&self) -> usize {
        self.body_bytes_sent
    }

    fn body_bytes_read(&self) -> usize {
        self.body_bytes_read
    }

    fn enable_retry_buffering(&mut self) {
        self.keep_body();
    }

    fn retry_buffer_truncated(&self) -> bool {
        let kept = self.kept_body.as_ref();
        kept.is_some_and(|kept| kept.is_truncated())
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        let kept = self.kept_body.as_ref();
        kept.filter(|kept| !kept.is_truncated())?.get_buffer()
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.read_timeout = timeout;
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.read_timeout
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.write_timeout = timeout;
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.write_timeout
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.drain_timeout = timeout;
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.drain_timeout
    }

    fn request_summary(&self) -> String {
        format!("{} {}", self.request.method, self.request.uri)
    }

    fn digest(&self) -> Option<&Digest> {
        None
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        None
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        None
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        None
    }

    /// For requests that Pingora makes of this one, which nothing here asks for.
    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        Bytes::new()
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(&mut self) -> Option<Messages> {
        None
    }

    fn restore_custom_message_reader(&mut self, _reader: Messages) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _: Box<dyn CustomMessageWrite>) -> Result<()> {
        Ok(())
    }
}
