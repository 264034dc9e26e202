//! What 10,000 routes cost a request from end to end: the real program with them, and with one, in front of the same backend.
//!
//! Rounds take turns, and the medians of their ratios are compared: requests a second, and processor time of the program for each request.
//! Void, and said so, when an answer fails or the rounds of one program spread too far.
//!
//! `cargo bench --bench many_routes`; without `--bench` (as `cargo test --benches` runs it) a short run. Linux only.

#![allow(clippy::print_stdout, reason = "it reports to whoever runs it")]
#![allow(clippy::unwrap_used, reason = "it may stop at the first surprise")]

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use evenkeel::clock::{Clock, SystemClock};
use rustix::param::clock_ticks_per_second;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

const PATHS: [&str; 10] = [
    "/",
    "/api/",
    "/api/v1/",
    "/api/v1/users/",
    "/api/v2/",
    "/static/",
    "/login",
    "/admin/",
    "/health",
    "/docs/",
];
const CONNECTIONS: usize = 16;
/// The rounds of one program may differ by this factor.
const SPREAD: f64 = 1.3;

struct Plan {
    hosts: usize,
    rounds: usize,
    round: Duration,
}

const WHOLE: Plan = Plan {
    hosts: 1_000,
    rounds: 11,
    round: Duration::from_secs(3),
};

const SHORT: Plan = Plan {
    hosts: 20,
    rounds: 2,
    round: Duration::from_millis(300),
};

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        println!("many_routes: not run, since this is not Linux");
        return ExitCode::SUCCESS;
    }
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let plan = if is_whole { WHOLE } else { SHORT };
    let spread = run(&plan);
    // A short run is no measurement.
    if is_whole && spread > SPREAD {
        println!("many_routes: VOID: rounds of one program differ by a factor of {spread:.2}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What one round has shown.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    /// Microseconds of the program for a request.
    cost: f64,
}

/// The spread of the costs of one program.
fn run(plan: &Plan) -> f64 {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let backend = backend(&runtime);
    let few = Program::start(backend, "routes:\n  - upstream: web\n");
    let many = Program::start(backend, &routes(plan.hosts));
    let requests: Arc<Vec<String>> = Arc::new(requests(plan.hosts));
    for program in [&few, &many] {
        round(&runtime, program, &requests, plan.round / 3);
    }
    let (mut few_rounds, mut many_rounds) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        few_rounds.push(round(&runtime, &few, &requests, plan.round));
        many_rounds.push(round(&runtime, &many, &requests, plan.round));
    }
    let count = plan.hosts * PATHS.len();
    for (routes, rounds) in [(1, &few_rounds), (count, &many_rounds)] {
        println!(
            "{routes:>6} routes  {:>8.0} requests/s  {:>6.2} us of processor time for each",
            median(rounds.iter().map(|round| round.per_second)),
            median(rounds.iter().map(|round| round.cost))
        );
    }
    let pairs = || std::iter::zip(&many_rounds, &few_rounds);
    println!(
        "ratio          {:.3} requests/s, {:.3} processor time (medians of {} rounds)",
        median(pairs().map(|(many, few)| many.per_second / few.per_second)),
        median(pairs().map(|(many, few)| many.cost / few.cost)),
        plan.rounds
    );
    let costs = || few_rounds.iter().map(|round| round.cost);
    costs().fold(0.0, f64::max) / costs().fold(f64::INFINITY, f64::min)
}

fn host(number: usize) -> String {
    format!("www.customer-{number}.example")
}

fn routes(hosts: usize) -> String {
    let mut routes = "routes:\n".to_owned();
    for number in 0..hosts {
        for path in PATHS {
            routes += &format!(
                "  - {{ match: {{ host: {}, path: {path} }}, upstream: web }}\n",
                host(number)
            );
        }
    }
    routes
}

/// For every host and path one, in an order that jumps.
fn requests(hosts: usize) -> Vec<String> {
    let all = hosts * PATHS.len();
    // 7919 is prime to every number of routes here, so each gets its turn.
    let order = (0..all).map(|number| number * 7919 % all);
    order
        .map(|number| {
            let (host, path) = (host(number / PATHS.len()), PATHS[number % PATHS.len()]);
            format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n"
            )
        })
        .collect()
}

fn round(
    runtime: &Runtime,
    program: &Program,
    requests: &Arc<Vec<String>>,
    time: Duration,
) -> Round {
    let (cpu, began) = (program.cpu(), SystemClock.now());
    let end = began + time;
    let clients = (0..CONNECTIONS).map(|number| {
        let first = number * requests.len() / CONNECTIONS;
        runtime.spawn(ask(program.address, Arc::clone(requests), first, end))
    });
    let clients: Vec<_> = clients.collect();
    let answered: usize = clients
        .into_iter()
        .map(|client| runtime.block_on(client).unwrap())
        .sum();
    let seconds = SystemClock.now().duration_since(began).as_secs_f64();
    let cpu = (program.cpu() - cpu).as_secs_f64();
    Round {
        per_second: answered as f64 / seconds,
        cost: cpu * 1e6 / answered as f64,
    }
}

/// One request after the other on one connection; how many were answered.
async fn ask(
    proxy: SocketAddr,
    requests: Arc<Vec<String>>,
    first: usize,
    end: std::time::Instant,
) -> usize {
    let mut stream = TcpStream::connect(proxy).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answer = Vec::with_capacity(4096);
    let mut answered = 0;
    while SystemClock.now() < end {
        let request = &requests[(first + answered) % requests.len()];
        stream.write_all(request.as_bytes()).await.unwrap();
        answer.clear();
        while !answer.ends_with(b"\r\n\r\nok") {
            let read = stream.read_buf(&mut answer).await.unwrap();
            assert!(
                read > 0,
                "void: no whole answer: {:?}",
                String::from_utf8_lossy(&answer)
            );
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "void: {:?}",
            String::from_utf8_lossy(&answer)
        );
        answered += 1;
    }
    answered
}

fn backend(runtime: &Runtime) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    address
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut request = Vec::with_capacity(4096);
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .await?;
    }
}

struct Program {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Program {
    fn start(backend: SocketAddr, routes: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let (file, log) = (
            folder.path().join("evenkeel.yaml"),
            folder.path().join("log"),
        );
        let text = format!(
            "server: {{ threads: 1 }}\nlisteners: [{{ address: 127.0.0.1:0 }}]\n\
             access_log: {{ path: access.log }}\nupstreams: {{ web: {{ backends: [{backend}] }} }}\n{routes}"
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command
            .arg("-c")
            .arg(file)
            .env_remove("RUST_LOG")
            .current_dir(folder.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        let child = command.spawn().unwrap();
        Self {
            address: wait_for_address(&log),
            child,
            _folder: folder,
        }
    }

    /// Processor time so far, of all threads.
    fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // After the name, which may hold anything, the fields 3 and on; 14 and 15 are the times in user and system mode.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields = fields.split(' ').skip(14 - 3).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64)
    }
}

/// Where the program that writes this log listens.
fn wait_for_address(log: &Path) -> SocketAddr {
    let text = || fs::read_to_string(log).unwrap();
    for _ in 0..6_000 {
        let text = text();
        let line = text
            .split_once("listening on ")
            .and_then(|(_, rest)| rest.split_once('\n'));
        if let Some((address, _)) = line {
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

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
