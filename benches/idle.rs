//! What an idle connection costs in memory: the real program, thousands of clients that have had their answer and wait.
//!
//! In the clear, and over TLS. Each client has made a request before, so that whatever stays of one is counted; resident memory is compared
//! before and after. Void, and said so, when a connection was lost.
//!
//! `make bench-idle`, or `cargo bench --bench idle`; without `--bench` (as `cargo test --benches` runs it) a short run. Linux only.

#![allow(clippy::print_stdout, reason = "it reports to whoever runs it")]
#![allow(clippy::unwrap_used, reason = "it may stop at the first surprise")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

const WHOLE: usize = 10_000;
const SHORT: usize = 200;
/// Those that come first pay for what all share.
const FIRST: usize = 100;
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: a.test\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        println!("idle: not run, since this is not Linux");
        return ExitCode::SUCCESS;
    }
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let count = open_files(if is_whole { WHOLE } else { SHORT });
    let program = Program::start();
    println!("connections  in the clear  over TLS");
    let plain = measure(&program, count, |program| open(program.addresses[0]));
    let config = Arc::new(program.trusting());
    let tls = measure(&program, count, |program| {
        let session =
            ClientConnection::new(Arc::clone(&config), ServerName::try_from("a.test").unwrap());
        let mut stream = StreamOwned::new(session.unwrap(), connect(program.addresses[1]));
        ask(&mut stream);
        // Without a word to the server, which goes on to wait.
        stream.sock
    });
    match (plain, tls) {
        (Ok(plain), Ok(tls)) => {
            println!("{count:>11}  {plain:>8.2} KiB  {tls:>5.2} KiB of resident memory for each");
            ExitCode::SUCCESS
        }
        (Err(why), _) | (_, Err(why)) => {
            println!("idle: VOID: {why}");
            ExitCode::FAILURE
        }
    }
}

/// As many connections as the program lets in, which keeps half of its open files for backends; at most `wanted`.
fn open_files(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    wanted.min((usize::try_from(most).unwrap_or(usize::MAX) / 2).saturating_sub(500))
}

/// KiB for each of `count` connections.
fn measure(
    program: &Program,
    count: usize,
    connect: impl Fn(&Program) -> TcpStream,
) -> Result<f64, String> {
    let first: Vec<_> = (0..FIRST).map(|_| connect(program)).collect();
    let before = program.settled();
    let idle: Vec<_> = (0..count).map(|_| connect(program)).collect();
    let after = program.settled();
    for stream in first.iter().chain(&idle) {
        stream.set_nonblocking(true).unwrap();
        let mut byte = [0];
        if stream.peek(&mut byte).is_ok_and(|read| read == 0) {
            return Err("a connection was closed while it was counted".to_owned());
        }
    }
    Ok((after as f64 - before as f64) / count as f64)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn open(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    ask(&mut stream);
    stream
}

fn ask(stream: &mut (impl Read + Write)) {
    stream.write_all(REQUEST).unwrap();
    stream.flush().unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"idle\n") {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "void: no whole answer");
        answer.extend_from_slice(&piece[..read]);
    }
}

struct Program {
    child: Child,
    /// In the clear, and over TLS.
    addresses: [SocketAddr; 2],
    certificate: CertificateDer<'static>,
    _folder: TempDir,
}

impl Program {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["a.test".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        fs::write(folder.path().join("a.pem"), certificate.pem()).unwrap();
        fs::write(folder.path().join("a.key"), key.serialize_pem()).unwrap();
        let file = folder.path().join("evenkeel.yaml");
        let text = "server: { threads: 1 }\naccess_log: off\nlisteners:\n  - address: 127.0.0.1:0\n  \
                    - { address: \"127.0.0.2:0\", name: tls, tls: { certificates: [{ cert: a.pem, key: a.key }] } }\n\
                    routes: [{ respond: { body: \"idle\\n\" } }]\n";
        fs::write(&file, text).unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command.arg("-c").arg(file).env_remove("RUST_LOG");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        let child = command.spawn().unwrap();
        Self {
            addresses: ["127.0.0.1:", "127.0.0.2:"].map(|start| wait_for_address(&log, start)),
            child,
            certificate: certificate.der().clone(),
            _folder: folder,
        }
    }

    fn trusting(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// Resident memory in KiB, once it no longer moves.
    fn settled(&self) -> u64 {
        let mut last = 0;
        for _ in 0..100 {
            thread::sleep(Duration::from_millis(50));
            let now = self.resident();
            if now == last {
                break;
            }
            last = now;
        }
        last
    }

    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Where the program that writes this log listens, of the listeners whose address starts so.
fn wait_for_address(log: &Path, start: &str) -> SocketAddr {
    let text = || fs::read_to_string(log).unwrap();
    for _ in 0..6_000 {
        let text = text();
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        let mut addresses = lines.filter_map(|line| line.split_once("listening on "));
        if let Some((_, address)) = addresses.find(|(_, address)| address.starts_with(start)) {
            return address.trim().parse().unwrap();
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("void: it does not listen: {}", text());
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
