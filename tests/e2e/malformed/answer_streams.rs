//! What backends answer over HTTP/2, to a client that speaks HTTP/1; `answers` says what the outcomes mean.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use super::frames::{self, HEADERS};
use super::{answers, cases};
use crate::support::{Proxy, upstream_of};

const KEYS: &str = "protocol: http2\n    timeouts: { response: 10s, read: 10s }\n    outlier: off\n    \
                    retry: { attempts: 1 }";

const NEXT: &str = ":status => 200 ;; DATA => next";

#[test]
fn a_malformed_answer_over_http2_is_never_passed_on() {
    let backend = RawBackend::start();
    let proxy = Proxy::start(&upstream_of(&[backend.address], KEYS));
    let mut wrong = Vec::new();
    let cases = cases::lines("answer_streams.txt", 50).into_iter();
    for (index, (name, outcome, parts)) in cases.enumerate() {
        backend.answer(&parts);
        let bytes = answers::ask(proxy.address(), index);
        let verdict = answers::judge(&outcome, &bytes);
        backend.answer(NEXT);
        let next = proxy.get("/next");
        let verdict = verdict.and(match next.body == b"next" && next.status == 200 {
            true => Ok(()),
            false => Err(format!("the next one got {next:?}")),
        });
        if let Err(why) = verdict {
            let got = String::from_utf8_lossy(&bytes[..bytes.len().min(600)]).into_owned();
            wrong.push(format!("{name}: {why}\n  {}", got.escape_debug()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Answers each request with what it was last told.
struct RawBackend {
    address: SocketAddr,
    parts: Arc<Mutex<String>>,
}

impl RawBackend {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            parts: Arc::default(),
        };
        let parts = Arc::clone(&backend.parts);
        thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let parts = Arc::clone(&parts);
                // It ends with the connection.
                thread::spawn(move || drop(serve(socket, &parts)));
            }
        });
        backend
    }

    fn answer(&self, parts: &str) {
        parts.clone_into(&mut self.parts.lock().unwrap());
    }
}

fn serve(mut socket: TcpStream, parts: &Mutex<String>) -> std::io::Result<()> {
    frames::read_client_preface(&mut socket)?;
    socket.write_all(&frames::settings())?;
    loop {
        let frame = frames::read(&mut socket)?;
        if frame.kind == HEADERS {
            let parts = parts.lock().unwrap().clone();
            socket.write_all(&frames::message(frame.stream, &parts))?;
        }
    }
}
