//! A check over HTTP: a request whose answer must have a good status and, if wished, a text in its body.

use http::header::{CONNECTION, HOST, USER_AGENT};
use pingora_core::protocols::http::client::HttpSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;

use super::Reason;
use super::probe::NAME;
use crate::config::HttpProbe;
use crate::upstream::dial::host_of;

/// So much of an answer's body is searched, in bytes.
const BODY_LIMIT: usize = 64 * 1024;

pub(super) async fn ask(
    mut session: HttpSession,
    peer: &HttpPeer,
    probe: &HttpProbe,
) -> Result<(), Reason> {
    let mut request = RequestHeader::build("GET", probe.path.as_bytes(), Some(3))?;
    let host = probe.host.clone().unwrap_or_else(|| host_of(peer));
    request.insert_header(HOST, host)?;
    request.insert_header(USER_AGENT, NAME)?;
    // HTTP/2 knows no such header, and does not need it.
    if let HttpSession::H1(_) = session {
        request.insert_header(CONNECTION, "close")?;
    }
    session.write_request_header(Box::new(request)).await?;
    session.finish_request_body().await?;
    session.read_response_header().await?;
    let status = session
        .response_header()
        .map_or(0, |header| header.status.as_u16());
    if !probe.status.contains(status) {
        return Err(Reason::new(format!("it answered with status {status}")));
    }
    match &probe.body_contains {
        Some(text) => find_in_body(&mut session, text).await,
        None => Ok(()),
    }
}

async fn find_in_body(session: &mut HttpSession, text: &str) -> Result<(), Reason> {
    let mut body = Vec::new();
    while body.len() < BODY_LIMIT {
        let Some(part) = session.read_response_body().await? else {
            break;
        };
        body.extend_from_slice(&part);
        if memchr::memmem::find(&body, text.as_bytes()).is_some() {
            return Ok(());
        }
    }
    Err(Reason::new(format!("its answer does not contain {text:?}")))
}
