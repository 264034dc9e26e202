//! Asks a URL once whether it is well. This is one request and the status line of its answer, so it is
//! written to the socket by hand and no HTTP client is pulled in; `httparse` reads the answer. No TLS, no
//! redirects. Name, connection and answer together have two seconds, less than any sensible
//! `HEALTHCHECK --timeout`.

use axum::http::Uri;
use axum::http::uri::Scheme;
use std::str::FromStr;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(2);
const LONGEST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// An `http://` URL, taken apart as far as a request needs it.
#[derive(Clone)]
pub(crate) struct Url {
    authority: String,
    host: String,
    port: u16,
    target: String,
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "write it as http://127.0.0.1:8000/health";
        let uri: Uri = text
            .parse()
            .map_err(|error| format!("{error}; {example}"))?;
        let (Some(authority), Some(scheme)) = (uri.authority(), uri.scheme()) else {
            return Err(format!("not a full URL; {example}"));
        };
        if *scheme != Scheme::HTTP {
            return Err(format!("only http:// can be asked; {example}"));
        }
        let host = authority.host();
        Ok(Self {
            authority: authority.as_str().to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            target: uri
                .path_and_query()
                .map_or("/", |target| target.as_str())
                .to_owned(),
        })
    }
}

/// Fine when `url` answers with a 2xx in time; else what came instead.
pub(crate) async fn check(url: &Url) -> Result<(), String> {
    let outcome = tokio::time::timeout(DEADLINE, status(url)).await;
    let failure = match outcome {
        Ok(Ok(200..=299)) => return Ok(()),
        Ok(Ok(status)) => format!("it answered {status}"),
        Ok(Err(failure)) => failure,
        Err(_) => format!("no answer within {DEADLINE:?}"),
    };
    Err(format!(
        "http://{}{} is not well: {failure}; see whether the service there runs",
        url.authority, url.target
    ))
}

async fn status(url: &Url) -> Result<u16, String> {
    let io_failure = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect((url.host.as_str(), url.port))
        .await
        .map_err(io_failure)?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: hello-check\r\nConnection: close\r\n\r\n",
        url.target, url.authority
    );
    stream
        .write_all(request.as_bytes())
        .await
        .map_err(io_failure)?;
    let mut answer = Vec::new();
    while answer.len() < LONGEST_HEAD {
        let read = stream.read_buf(&mut answer).await.map_err(io_failure)?;
        if let Some(status) = parse_status(&answer)? {
            return Ok(status);
        }
        if read == 0 {
            return Err("it closed the connection without an answer".to_owned());
        }
    }
    Err("its answer has no end of head".to_owned())
}

/// The status of the answer that `bytes` starts with; `None` while its head is not complete.
fn parse_status(bytes: &[u8]) -> Result<Option<u16>, String> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response
        .parse(bytes)
        .map_err(|error| format!("its answer is not HTTP: {error}"))?;
    Ok(response.code.filter(|_| parsed.is_complete()))
}
