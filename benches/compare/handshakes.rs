//! A generator of TLS handshakes, since wrk and h2load do not say which of theirs are resumed: one request on each connection.
//!
//! TLS 1.3 with X25519 for everybody: not all of them know the post-quantum exchange that Evenkeel would choose. At a fixed rate requests
//! have their times, and the time that one takes is counted from then, also when it had to wait for its turn.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, HandshakeKind, SignatureScheme,
    StreamOwned,
};

/// `PORT PATH full|resumed THREADS SECONDS RATE LOG`; prints what [`generators`](crate::generators) reads.
pub(crate) fn generate(words: &[&str]) {
    let &[port, path, kind, threads, seconds, rate, log] = words else {
        panic!("PORT PATH full|resumed THREADS SECONDS RATE LOG");
    };
    let (port, threads): (u16, usize) = (port.parse().unwrap(), threads.parse().unwrap());
    let seconds = Duration::from_secs(seconds.parse().unwrap());
    let rate: f64 = rate.parse().unwrap();
    let next = AtomicUsize::new(0);
    let began = Instant::now();
    let work = || {
        let config = config(kind == "resumed");
        let mut done = Vec::new();
        if kind == "resumed" {
            // The one that there is something to resume from.
            let _ = connect(&config, port, path);
        }
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let due = if rate > 0.0 {
                began + Duration::from_secs_f64(number as f64 / rate)
            } else {
                Instant::now()
            };
            if due >= began + seconds {
                return done;
            }
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let resumed = connect(&config, port, path);
            done.push((resumed, due.elapsed()));
        }
    };
    let done: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let took = began.elapsed().as_secs_f64();
    let lines = done
        .iter()
        .map(|(_, time)| format!("0\t200\t{}\n", time.as_micros()));
    fs::write(log, lines.collect::<String>()).unwrap();
    let requests = done.iter().filter(|(resumed, _)| resumed.is_some()).count();
    let resumed = done
        .iter()
        .filter(|(resumed, _)| *resumed == Some(true))
        .count();
    println!(
        "requests {requests} failed {} resumed {resumed} seconds {took:.3}",
        done.len() - requests
    );
}

/// Whether the handshake was resumed; nothing when the answer is not as it should be.
fn connect(config: &Arc<ClientConfig>, port: u16, path: &str) -> Option<bool> {
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).ok()?;
    let socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    socket.set_nodelay(true).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut stream = StreamOwned::new(session, socket);
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // Not everybody says goodbye in TLS before it closes the connection.
    let _ = stream.read_to_end(&mut answer);
    let is_whole =
        answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(crate::origin::SMALL.as_bytes());
    is_whole.then(|| stream.conn.handshake_kind() == Some(HandshakeKind::Resumed))
}

fn config(resumed: bool) -> Arc<ClientConfig> {
    let mut provider = default_provider();
    provider.kx_groups = vec![kx_group::X25519];
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap();
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    if !resumed {
        config.resumption = Resumption::disabled();
    }
    Arc::new(config)
}

/// Believes everybody: who the server is has been told in the configuration, and the client's work is not measured.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
