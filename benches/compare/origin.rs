//! What is behind everybody: nginx, or a server of our own that takes its time, which nginx cannot.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::contestants::{Words, fill_in};
use crate::process::{Process, free_ports, pinned};
use crate::scenarios::Backends;
use crate::tools::Tools;

pub(crate) const SMALL: &str = "sixty-four bytes of an answer that everybody has to pass on whole";
pub(crate) const LARGE: usize = 100 * 1024;
const DELAY: Duration = Duration::from_millis(50);

pub(crate) struct Origin {
    pub(crate) process: Process,
    is_slow: bool,
    /// Two ports each.
    http1: [u16; 2],
    http2: [u16; 2],
}

impl Origin {
    pub(crate) fn start(tools: &Tools, backends: Backends, workers: usize, cpus: &str) -> Self {
        let folder = tools.folder.join("run/origin");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("temporary")).unwrap();
        let [a, b, c, d] = free_ports();
        let command = if backends == Backends::Slow {
            let mut command = pinned(cpus, std::env::current_exe().unwrap());
            command.args(["slow-origin", &a.to_string(), &b.to_string()]);
            command
        } else {
            fs::write(folder.join("large"), vec![b'x'; LARGE]).unwrap();
            let mut words = words([a, b], &folder);
            words.push(("@origin_http2_a@", c.to_string()));
            words.push(("@origin_http2_b@", d.to_string()));
            words.push(("@folder@", folder.display().to_string()));
            words.push(("@workers@", workers.to_string()));
            let file = folder.join("origin.conf");
            fs::write(&file, fill_in(include_str!("conf/origin.conf"), &words)).unwrap();
            let mut command = pinned(cpus, tools.path("nginx"));
            command
                .args(["-e", "stderr", "-p"])
                .arg(&folder)
                .arg("-c")
                .arg(file);
            command
        };
        Self {
            process: Process::start(command, &folder, "stdout", "stderr"),
            is_slow: backends == Backends::Slow,
            http1: [a, b],
            http2: [c, d],
        }
    }

    /// What a contestant is told of it.
    pub(crate) fn words(&self, in_http2: bool, folder: &Path) -> Words {
        words(if in_http2 { self.http2 } else { self.http1 }, folder)
    }

    /// How many connections it has accepted so far, where it tells: ours, which takes its time, does not.
    pub(crate) fn connections(&self) -> Option<u64> {
        if self.is_slow {
            return None;
        }
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.http1[0])).ok()?;
        stream.write_all(b"GET /counts HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        // `server accepts handled requests` stands above the numbers.
        let (_, numbers) = answer.split_once("server accepts")?;
        let line = numbers.lines().nth(1)?;
        line.split_whitespace().next()?.parse().ok()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http1[0])
    }
}

/// The words of the backends and of the certificate in this folder.
pub(crate) fn words(ports: [u16; 2], folder: &Path) -> Words {
    let file = |name: &str| folder.join(name).display().to_string();
    // nginx changes to another user by itself when root runs it, and could not write its files then.
    let id = |flag: &str| {
        let output = std::process::Command::new("id").arg(flag).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    vec![
        ("@origin_a@", ports[0].to_string()),
        ("@origin_b@", ports[1].to_string()),
        ("@certificate@", file("certificate.pem")),
        ("@key@", file("key.pem")),
        ("@pem@", file("both.pem")),
        ("@small@", SMALL.to_owned()),
        ("@user@", id("-un")),
        ("@group@", id("-gn")),
    ]
}

/// An ECDSA certificate of P-256, for localhost and 127.0.0.1.
pub(crate) fn make_certificate(folder: &Path) {
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names)
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let (certificate, key) = (certificate.pem(), key.serialize_pem());
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("certificate.pem"), &certificate).unwrap();
    fs::write(folder.join("key.pem"), &key).unwrap();
    fs::write(folder.join("both.pem"), certificate + &key).unwrap();
}

/// Answers each request 50 ms after it has come.
pub(crate) fn answer_slowly(ports: &[&str]) {
    crate::run::raise_open_files();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut servers = Vec::new();
        for port in ports {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            let address = std::net::SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
            socket.bind(&address.into()).unwrap();
            socket.listen(4096).unwrap();
            socket.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(socket.into()).unwrap();
            servers.push(tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream));
                }
            }));
        }
        for server in servers {
            server.await.unwrap();
        }
    });
}

async fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{SMALL}",
        SMALL.len()
    );
    let mut request = Vec::with_capacity(4096);
    loop {
        match stream.read_buf(&mut request).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        if !request.starts_with(b"GET /health") {
            tokio::time::sleep(DELAY).await;
        }
        request.clear();
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
