//! The answer as the client will get it.

use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use crate::proxy::{Ctx, Proxy, connection, filters};
use crate::semantics::hop_by_hop;
use crate::upstream::http1::Passed;

/// Takes out what concerned the backend's connection only, adds the request id, and says goodbye where the client is to leave. Then the
/// filters see it ([`filter`]), and then it is [`conclude`]d.
///
/// # Errors
/// None in practice: what was a header is one.
pub(in crate::proxy) fn prepare(
    session: &mut Session,
    response: &mut ResponseHeader,
    ctx: &Ctx,
) -> Result<()> {
    if is_interim(response) {
        return Ok(());
    }
    keep_on_backend(response, ctx)?;
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    // Pingora reads the framing from here, and puts a `Connection` of its own in the place of the backend's.
    const KEPT: [HeaderName; 2] = [header::TRANSFER_ENCODING, header::CONNECTION];
    let ended = hop_by_hop::to_remove(&response.headers, &KEPT);
    if !ended.is_empty() {
        remove_in_order(response, &ended)?;
    }
    connection::say_farewell(session, ctx);
    identify(response, ctx)
}

/// Whether there are filters for it.
pub(in crate::proxy) fn is_seen_by_filters(response: &ResponseHeader, ctx: &Ctx) -> bool {
    filters::see_answer(ctx) && !is_interim(response)
}

/// What is left to be done when the filters have seen it.
pub(in crate::proxy) fn conclude(session: &mut Session, response: &mut ResponseHeader) {
    if response.status.is_informational() {
        return;
    }
    speak_our_version(response);
    // Such an answer ends with the connection, see `http1_0`.
    if session.req_header().version == Version::HTTP_10
        && !response.headers.contains_key(header::CONTENT_LENGTH)
    {
        session.set_keepalive(None);
    }
}

/// Whether another follows.
fn is_interim(response: &ResponseHeader) -> bool {
    response.status.is_informational() && response.status != StatusCode::SWITCHING_PROTOCOLS
}

/// The same, with an answer that has no filters and whose lines were not read.
///
/// # Errors
/// None in practice: what was a header is one.
pub(in crate::proxy) fn pass(
    session: &mut Session,
    response: &mut ResponseHeader,
    mut passed: Passed,
    ctx: &Ctx,
) -> Result<()> {
    keep_on_backend(response, ctx)?;
    connection::say_farewell(session, ctx);
    if let Some((name, id)) = ctx.identity() {
        passed.remove(name);
        // Those of clients are only kept in ASCII.
        passed.add(name, id.to_str().unwrap_or_default());
    }
    speak_our_version(response);
    passed.go_with(response)
}

fn identify(response: &mut ResponseHeader, ctx: &Ctx) -> Result<()> {
    if let Some((name, id)) = ctx.identity() {
        response.insert_header(name.to_owned(), id.clone())?;
    }
    Ok(())
}

/// What is said here is said in our own version (RFC 9110 §2.5).
fn speak_our_version(response: &mut ResponseHeader) {
    if response.version == Version::HTTP_10 {
        response.set_version(Version::HTTP_11);
    }
}

/// Shows the answer to the filters, and frames it anew when one of them changes the body.
///
/// # Errors
/// A filter broke.
pub(in crate::proxy) async fn filter(
    proxy: &Proxy,
    session: &Session,
    response: &mut ResponseHeader,
    ctx: &mut Ctx,
) -> Result<()> {
    if let Err(failure) = filters::response(proxy, session, ctx, response).await {
        ctx.failure = Some(failure);
        return Error::e_explain(ErrorType::InternalError, "a filter broke over the answer");
    }
    if !ctx.filtered.changes_body() {
        return Ok(());
    }
    let is_bodiless = response.status.is_informational()
        || matches!(
            response.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        )
        || session.req_header().method == Method::HEAD;
    if is_bodiless {
        ctx.filtered.leave_body_alone();
    } else if session.req_header().version != Version::HTTP_2 {
        response.insert_header(header::TRANSFER_ENCODING, "chunked")?;
    }
    Ok(())
}

/// The client is to come back to this backend.
fn keep_on_backend(response: &mut ResponseHeader, ctx: &Ctx) -> Result<()> {
    if let Some(cookie) = ctx.cookie() {
        response.append_header("Set-Cookie", cookie.clone())?;
    }
    Ok(())
}

/// Removes `names`, and keeps the order of the others: a header map fills the gap of a removed one with its last.
fn remove_in_order(response: &mut ResponseHeader, names: &[HeaderName]) -> Result<()> {
    // A head that came over HTTP/2 has no spelling of its own.
    let lines: Vec<(String, HeaderValue)> = if response.has_case() {
        let lines = response.case_header_iter();
        let written = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        lines
            .map(|(name, value)| (written(name.as_slice()), value.clone()))
            .collect()
    } else {
        let lines = response.headers.iter();
        lines
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect()
    };
    for name in response.headers.keys().cloned().collect::<Vec<_>>() {
        response.remove_header(&name);
    }
    let is_removed = |written: &str| {
        names
            .iter()
            .any(|name| written.eq_ignore_ascii_case(name.as_str()))
    };
    for (written, value) in lines {
        if !is_removed(&written) {
            response.append_header(written, value)?;
        }
    }
    Ok(())
}
