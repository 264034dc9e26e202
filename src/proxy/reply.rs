//! The answers that are ours.
//!
//! One line that a person understands, as text or, when the client prefers it, as JSON; the error's name in `Proxy-Status` (RFC 9209); the
//! request id, so that the line in the log can be found. No version and nothing of the inside.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use pingora_core::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::failure::Failure;
use super::{Ctx, Proxy, connection, filters};
use crate::decision::Configured;
use crate::filter::{Answer, Content, ResponseHead};

/// A body that nobody wants is read away up to this size, in bytes, …
const DISCARDED: u64 = 1024 * 1024;
/// … and for this long.
const DISCARD_DEADLINE: Duration = Duration::from_secs(5);

/// Answers the request with `failure`'s status, if no answer was begun.
///
/// # Errors
/// The client is gone.
pub(super) async fn send(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
    failure: Failure,
) -> Result<()> {
    let (header, body) = of_failure(session, ctx, failure, failure.row().status)?;
    deliver(proxy, session, ctx, header, body).await
}

/// The answer to a failure, with its usual status or another.
fn of_failure(
    session: &Session,
    ctx: &Ctx,
    failure: Failure,
    status: StatusCode,
) -> Result<(ResponseHeader, Bytes)> {
    let row = failure.row();
    let json = prefers_json(&session.req_header().headers);
    let id = ctx.identity().map(|(_, id)| id);
    let body = body(status, row.error, row.sentence, id, json);
    let mut header = ResponseHeader::build(status, Some(6))?;
    header.insert_header(header::CONTENT_TYPE, content_type(json))?;
    header.insert_header(header::CONTENT_LENGTH, body.len())?;
    header.insert_header(header::CACHE_CONTROL, "no-store")?;
    header.insert_header("Proxy-Status", format!("evenkeel; error={}", row.error))?;
    identify(&mut header, ctx)?;
    Ok((header, body))
}

/// Answers the request with what a filter says.
///
/// # Errors
/// The client is gone.
pub(super) async fn send_answer(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
    answer: &Answer,
) -> Result<()> {
    let (mut header, body) = match &answer.content {
        Content::Denied(denial) => {
            let failure = Failure::from(*denial);
            ctx.failure = Some(failure);
            of_failure(session, ctx, failure, answer.status)?
        }
        Content::Own(body) => {
            let mut header = ResponseHeader::build(answer.status, Some(answer.headers.len() + 4))?;
            if !is_bodiless(answer.status) {
                header.insert_header(header::CONTENT_LENGTH, body.len())?;
            }
            identify(&mut header, ctx)?;
            (header, body.clone())
        }
    };
    let mut head = ResponseHead::new(&mut header);
    for (name, value) in &answer.headers {
        head.add(name, value.clone());
    }
    deliver(proxy, session, ctx, header, body).await
}

/// Answers the request with what the configuration says.
///
/// # Errors
/// The client is gone.
pub(super) async fn send_configured(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
    answer: Configured,
) -> Result<()> {
    let mut header = ResponseHeader::build(answer.status, Some(answer.headers.len() + 4))?;
    for (_, name, value) in answer.headers {
        header.append_header(name, value)?;
    }
    if !is_bodiless(answer.status) {
        header.insert_header(header::CONTENT_LENGTH, answer.body.len())?;
    }
    identify(&mut header, ctx)?;
    discard_body(session).await?;
    deliver(proxy, session, ctx, header, answer.body).await
}

fn identify(header: &mut ResponseHeader, ctx: &Ctx) -> Result<()> {
    if let Some((name, id)) = ctx.identity() {
        header.insert_header(name.to_owned(), id.clone())?;
    }
    Ok(())
}

/// Sends an answer of ours on its way back through the filters. When one of them breaks, the rest see the answer to
/// that instead.
async fn deliver(
    proxy: &Proxy,
    session: &mut Session,
    ctx: &mut Ctx,
    mut header: ResponseHeader,
    mut body: Bytes,
) -> Result<()> {
    loop {
        let mut filtered = filters::response(proxy, session, ctx, &mut header).await;
        if filtered.is_ok() && ctx.filtered.changes_body() && !is_bodiless(header.status) {
            match filters::whole_body(body.clone(), ctx) {
                Ok(changed) => {
                    header.insert_header(header::CONTENT_LENGTH, changed.len())?;
                    body = changed;
                }
                Err(failure) => filtered = Err(failure),
            }
        }
        let Err(failure) = filtered else {
            connection::say_farewell(session, ctx);
            return write(session, header, body).await;
        };
        ctx.failure = Some(failure);
        (header, body) = of_failure(session, ctx, failure, failure.row().status)?;
    }
}

/// Writes an answer with a body that is known whole; a `HEAD` request gets the head alone.
async fn write(session: &mut Session, header: ResponseHeader, body: Bytes) -> Result<()> {
    let without_body = body.is_empty() || session.req_header().method == Method::HEAD;
    session
        .write_response_header(Box::new(header), without_body)
        .await?;
    if !without_body {
        session.write_response_body(Some(body), true).await?;
    } else if session.req_header().version == Version::HTTP_2 {
        // Without this, the stream would end as one that broke off.
        session.as_mut().finish_body().await?;
    }
    Ok(())
}

/// The head of the answer that the client has, if it has one. An interim answer (RFC 9110 §15.2) is none yet: the final one may still be
/// any.
pub(crate) fn begun(session: &Session) -> Option<&ResponseHeader> {
    session.response_written().filter(|head| {
        !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS
    })
}

/// The body of the answer to a request that never reached the HTTP engine.
pub(crate) fn refused_body(status: StatusCode, sentence: &str, id: &HeaderValue) -> Bytes {
    body(status, "", sentence, Some(id), false)
}

/// The whole answer to such a request on HTTP/1, ready for the wire, and how long its body is. `id` is a header's name and the request id.
pub(crate) fn refused_head(
    status: StatusCode,
    sentence: &str,
    (name, id): (&str, &HeaderValue),
) -> (Bytes, usize) {
    let body = refused_body(status, sentence, id);
    let mut answer = BytesMut::new();
    answer.put_slice(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
             Cache-Control: no-store\r\nProxy-Status: {REFUSED}\r\n{name}: ",
            body.len()
        )
        .as_bytes(),
    );
    answer.put_slice(id.as_bytes());
    answer.put_slice(b"\r\nConnection: close\r\n\r\n");
    answer.put_slice(&body);
    (answer.freeze(), body.len())
}

/// `Proxy-Status` of these answers.
pub(crate) const REFUSED: &str = "evenkeel; error=http_request_error";

/// Reads away a body that nobody wants, so that the connection can be kept. One that is large, or that the client has not begun to send
/// because it waits for a `100 Continue`, is left: the answer then closes the connection.
///
/// # Errors
/// The client is gone, or too slow.
pub(crate) async fn discard_body(session: &mut Session) -> Result<()> {
    let headers = &session.req_header().headers;
    let length = headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if headers.contains_key(header::EXPECT) || length.is_some_and(|length| length > DISCARDED) {
        return Ok(());
    }
    session.set_total_drain_timeout(Some(DISCARD_DEADLINE));
    session.drain_request_body().await
}

/// Reads away what the client still sends when it has its answer, for a while: a connection that is closed on unread bytes is reset, and
/// with it the answer may be lost (RFC 9112 §9.6).
///
/// # Errors
/// The client is gone, or too slow.
pub(crate) async fn hear_out(session: &mut Session) -> Result<()> {
    if session.req_header().headers.contains_key(header::EXPECT) {
        return Ok(());
    }
    session.set_total_drain_timeout(Some(DISCARD_DEADLINE));
    session.drain_request_body().await
}

/// Statuses whose answers have no body (RFC 9110 §15.3.5, §15.4.5).
fn is_bodiless(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn content_type(json: bool) -> &'static str {
    if json {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    }
}

fn body(
    status: StatusCode,
    error: &str,
    sentence: &str,
    id: Option<&HeaderValue>,
    json: bool,
) -> Bytes {
    let id = id.and_then(|id| id.to_str().ok());
    let text = if json {
        serde_json::json!({
            "status": status.as_u16(), "error": error, "message": sentence, "request_id": id,
        })
        .to_string()
    } else {
        match id {
            Some(id) => format!("{status}: {sentence} (request {id})"),
            None => format!("{status}: {sentence}"),
        }
    };
    Bytes::from(text + "\n")
}

/// Whether `Accept` names JSON with at least the weight of plain text (RFC 9110 §12.5.1). A client that takes anything gets text.
fn prefers_json(headers: &HeaderMap) -> bool {
    let mut json = 0.0_f32;
    let mut text = 0.0_f32;
    for accept in headers.get_all(header::ACCEPT) {
        for range in accept.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0));
            if kind == "application/json" || kind.ends_with("+json") {
                json = weight.max(json);
            } else if kind == "text/plain" || kind == "text/html" || kind == "text/*" {
                text = weight.max(text);
            }
        }
    }
    json > 0.0 && json >= text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(value));
        headers
    }

    #[test]
    fn json_is_sent_to_those_who_ask_for_it() {
        assert!(prefers_json(&accepts("application/json")));
        assert!(prefers_json(&accepts(
            "application/problem+json, text/plain;q=0.5"
        )));
        assert!(!prefers_json(&accepts("*/*")));
        assert!(!prefers_json(&accepts("text/html, application/json;q=0.9")));
        assert!(!prefers_json(&accepts("application/json;q=0")));
        assert!(!prefers_json(&HeaderMap::new()));
    }
}
