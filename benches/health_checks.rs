//! What it costs to check the health of 5,000 backends every 5 s.
//!
//! The real program, in front of 5,000 addresses of the loopback network that all lead to one socket here, which counts who was asked.
//! Prints processor time, memory and threads of the program, and voids itself when a check failed or the checks came too seldom or too
//! often. Linux only: elsewhere, 127.0.0.2 is no address of the machine.
//!
//! `cargo bench --bench health_checks`; without `--bench` (as `cargo test --benches` runs it) a short run with fewer backends.

#![allow(clippy::print_stdout, reason = "it reports to whoever runs it")]
#![allow(clippy::unwrap_used, reason = "it may stop at the first surprise")]

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use evenkeel::clock::{Clock, SystemClock};
use rustix::param::clock_ticks_per_second;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

struct Plan {
    upstreams: usize,
    /// In each upstream; at most 250.
    backends: usize,
    interval: Duration,
    measured: Duration,
}

const WHOLE: Plan = Plan {
    upstreams: 50,
    backends: 100,
    interval: Duration::from_secs(5),
    measured: Duration::from_secs(30),
};

const SHORT: Plan = Plan {
    upstreams: 5,
    backends: 20,
    interval: Duration::from_secs(2),
    measured: Duration::from_secs(2),
};

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        println!("health_checks: not run, since this is not Linux");
        return ExitCode::SUCCESS;
    }
    let is_whole = std::env::args().any(|argument| argument == "--bench");
    let plan = if is_whole { WHOLE } else { SHORT };
    match run(&plan, is_whole) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("health_checks: VOID: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(plan: &Plan, is_whole: bool) -> Result<(), String> {
    let backends = Backends::start(plan.addresses());
    let mut program = Program::start(plan, backends.port);
    let start = program.wait_until_it_listens()?;
    // The second check of each comes at a random moment of this interval.
    thread::sleep(plan.interval);
    let (cpu_before, asked_before, began) = (program.cpu(), backends.asked(), SystemClock.now());
    thread::sleep(plan.measured);
    let seconds = SystemClock.now().duration_since(began).as_secs_f64();
    let cpu = (program.cpu() - cpu_before).as_secs_f64();
    let asked: Vec<u64> = std::iter::zip(backends.asked(), asked_before)
        .map(|(after, before)| after - before)
        .collect();
    let checks: u64 = asked.iter().sum();

    println!(
        "backends              {} in {} upstreams, checked every {:?}",
        asked.len(),
        plan.upstreams,
        plan.interval
    );
    println!("start                 {start:?} until all were checked and it listened");
    println!(
        "checks                {checks} in {seconds:.1} s, {:.1} per second",
        checks as f64 / seconds
    );
    println!("processor per check   {:.1} us", cpu * 1e6 / checks as f64);
    println!(
        "processor per second  {:.1} ms, {:.2} % of one core",
        cpu * 1e3 / seconds,
        cpu * 100.0 / seconds
    );
    println!(
        "resident memory       {} (highest {})",
        program.status("VmRSS:"),
        program.status("VmHWM:")
    );
    println!("threads               {}", program.status("Threads:"));
    program.void()?;
    // A short run is no measurement, and may stand still for a while where many tests run.
    if is_whole {
        void(plan, &asked, seconds)
    } else {
        Ok(())
    }
}

/// Each was asked, and as often as it should have been: the period is 90 to 100 % of the interval.
fn void(plan: &Plan, asked: &[u64], seconds: f64) -> Result<(), String> {
    let intervals = seconds / plan.interval.as_secs_f64();
    let (least, most) = ((intervals - 1.0).floor(), (intervals / 0.9 + 1.0).ceil());
    for (index, count) in asked.iter().enumerate() {
        let count = *count as f64;
        if count < least || count > most {
            return Err(format!(
                "backend {} was checked {count} times in {intervals:.1} intervals",
                plan.address(index)
            ));
        }
    }
    Ok(())
}

impl Plan {
    fn addresses(&self) -> usize {
        self.upstreams * self.backends
    }

    fn address(&self, index: usize) -> Ipv4Addr {
        let part = |number: usize| u8::try_from(number).unwrap();
        Ipv4Addr::new(127, 0, part(index / 250), part(index % 250 + 1))
    }

    fn configuration(&self, port: u16) -> String {
        let mut file =
            "listeners:\n  - address: 127.0.0.1:0\naccess_log: { path: \"off\" }\nupstreams:\n"
                .to_owned();
        for upstream in 0..self.upstreams {
            let first = upstream * self.backends;
            let backends = (first..first + self.backends)
                .map(|index| format!("{}:{port}", self.address(index)));
            file += &format!(
                "  app{upstream}:\n    backends: [{}]\n    health_check: {{ http: {{ path: /health }}, interval: {}ms }}\n",
                backends.collect::<Vec<_>>().join(", "),
                self.interval.as_millis()
            );
        }
        file + "routes:\n  - upstream: app0\n"
    }
}

/// One socket that is every backend.
struct Backends {
    port: u16,
    asked: Arc<Vec<AtomicU64>>,
    _runtime: Runtime,
}

impl Backends {
    fn start(count: usize) -> Self {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        socket.bind(&everywhere.into()).unwrap();
        socket.listen(4096).unwrap();
        socket.set_nonblocking(true).unwrap();
        let asked: Arc<Vec<AtomicU64>> = Arc::new((0..count).map(|_| AtomicU64::new(0)).collect());
        let counted = Arc::clone(&asked);
        let listener = runtime.block_on(async { TcpListener::from_std(socket.into()).unwrap() });
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whatever goes wrong is seen at the other end.
                tokio::spawn(answer(stream, Arc::clone(&counted)));
            }
        });
        Self {
            port,
            asked,
            _runtime: runtime,
        }
    }

    fn asked(&self) -> Vec<u64> {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.asked.iter().map(count).collect()
    }
}

async fn answer(mut stream: TcpStream, asked: Arc<Vec<AtomicU64>>) -> std::io::Result<()> {
    let SocketAddr::V4(address) = stream.local_addr()? else {
        return Ok(());
    };
    let [_, _, block, number] = address.ip().octets();
    let index = usize::from(block) * 250 + usize::from(number) - 1;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    asked[index].fetch_add(1, Ordering::Relaxed);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        .await
}

struct Program {
    child: Child,
    folder: TempDir,
    began: std::time::Instant,
}

impl Program {
    fn start(plan: &Plan, port: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("evenkeel.yaml");
        fs::write(&file, plan.configuration(port)).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
        command.arg("-c").arg(file).env_remove("RUST_LOG");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Self {
            began: SystemClock.now(),
            child: command.spawn().unwrap(),
            folder,
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn wait_until_it_listens(&mut self) -> Result<Duration, String> {
        let passed = || SystemClock.now().duration_since(self.began);
        while passed() < Duration::from_secs(60) {
            if self.log().contains("listening on ") {
                return Ok(passed());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(format!("it does not listen:\n{}", self.log()))
    }

    /// No check may have failed, and it must still be there.
    fn void(&mut self) -> Result<(), String> {
        if let Some(status) = self.child.try_wait().unwrap() {
            return Err(format!("the program ended: {status}"));
        }
        let log = self.log();
        match log
            .lines()
            .find(|line| line.contains("WARN") || line.contains("ERROR"))
        {
            Some(line) => Err(line.to_owned()),
            None => Ok(()),
        }
    }

    /// Processor time so far, of all threads.
    fn cpu(&self) -> Duration {
        let stat = self.proc("stat");
        // After the name, which may hold anything, the fields 3 and on; 14 and 15 are the times in user and system mode.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let fields = fields.split(' ').skip(14 - 3).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().unwrap()).sum();
        Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64)
    }

    fn status(&self, key: &str) -> String {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or("?").trim().to_owned()
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
