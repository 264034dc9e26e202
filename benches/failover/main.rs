//! What a backend that fails under load costs: failed requests, the time until it is out, and the latency of the others.
//!
//! One of three backends is killed, hangs, is cut off, or answers 503, while requests come at a fixed rate (open loop: a slow answer holds
//! up no other request). Then the same without load, to see how soon checks alone find it; and last a backend that is up for a second and
//! down for a second. The proxy runs as a user would run it; what happened is read from its access log and its log.
//!
//! Latencies are compared within one run. The run is void, and says so, when the load could not be kept up.
//! `cargo bench --bench failover`; about two minutes.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints figures, and ends at the first surprise"
)]

mod backend;
mod proxy;

use std::time::Duration;

use backend::{Backend, Mode};
use proxy::{Line, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, interval, sleep, timeout};

/// Requests a second.
const RATE: u32 = 500;
const BEFORE: Duration = Duration::from_secs(4);
const AFTER: Duration = Duration::from_secs(6);

/// Short limits, so that a hanging backend is noticed within the run.
const PATIENCE: &str = "timeouts: { connect: 200ms, response: 400ms, read: 2s }";
const RETRY: &str = "retry: { on: [connect, reset, timeout, 5xx] }";
const CHECK: &str =
    "health_check: { http: { path: /health }, interval: 1s, timeout: 500ms, unhealthy_after: 1 }";

#[tokio::main]
async fn main() {
    println!("one of three backends fails under {RATE} requests/s");
    println!(
        "{:<11} {:>8} {:>6} {:>9} {:>9} {:>12} {:>12} {:>6}",
        "", "requests", "failed", "given to", "ejected", "p99 before", "p99 after", "ratio"
    );
    for mode in Mode::FAULTS {
        under_load(mode).await;
    }
    println!("\nfound by checks alone (interval 1s, timeout 500ms, unhealthy_after 1)");
    for mode in Mode::FAULTS {
        by_checks(mode).await;
    }
    println!("\nup for 1 s, down for 1 s, under {RATE} requests/s (outlier.eject: 1s)");
    flapping().await;
}

async fn under_load(mode: Mode) {
    let backends = three().await;
    let keys = format!("{PATIENCE}\n    {RETRY}");
    let proxy = Proxy::start(&backends, &keys).await;
    let mut latencies = offer(proxy.address(), 0, BEFORE).await;
    backends[0].turn(mode).await;
    let turned = Instant::now();
    let at = proxy.now();
    let load = tokio::spawn(offer(proxy.address(), latencies.len(), AFTER));
    let sick = backends[0].address().to_string();
    let words = format!("backend {sick} is ejected");
    let ejected = proxy.log_line(&words).await.map(|_| turned.elapsed());
    latencies.extend(load.await.unwrap());
    let lines = proxy.access_log(latencies.len()).await;

    let failed = lines.iter().filter(|line| line.status != 200).count();
    let after: Vec<&Line> = lines.iter().filter(|line| line.began >= at).collect();
    let given = after
        .iter()
        .filter(|line| line.tried.contains(&sick))
        .count();
    // The others: what went to a good backend at once.
    let others = |lines: &mut dyn Iterator<Item = &Line>| {
        let lines = lines.filter(|line| !line.tried.contains(&sick));
        p99(lines.map(|line| latencies[line.number]))
    };
    let before = others(&mut lines.iter().filter(|line| line.began < at));
    assert!(
        before < 0.05,
        "void: {before} s before anything failed, this machine is too busy"
    );
    let later = others(&mut after.iter().copied());
    println!(
        "{:<11} {:>8} {:>6} {:>9} {:>9} {:>9.2} ms {:>9.2} ms {:>6.2}",
        mode.name(),
        lines.len(),
        failed,
        given,
        ejected.map_or("never".into(), |after| format!("{after:.0?}")),
        before * 1e3,
        later * 1e3,
        later / before
    );
}

async fn by_checks(mode: Mode) {
    let backends = three().await;
    let proxy = Proxy::start(&backends, CHECK).await;
    backends[0].turn(mode).await;
    let turned = Instant::now();
    let found = proxy.log_line("is down").await.map(|_| turned.elapsed());
    println!(
        "{:<11} {:?}",
        mode.name(),
        found.map(|after| Duration::from_millis(after.as_millis() as u64))
    );
}

async fn flapping() {
    const SECONDS: u64 = 40;
    let backends = three().await;
    let keys = format!("{PATIENCE}\n    {RETRY}\n    outlier: {{ eject: 1s }}");
    let proxy = Proxy::start(&backends, &keys).await;
    let load = tokio::spawn(offer(proxy.address(), 0, Duration::from_secs(SECONDS)));
    for second in 0..SECONDS {
        let mode = if second % 2 == 0 {
            Mode::Fine
        } else {
            Mode::Sick
        };
        backends[0].turn(mode).await;
        sleep(Duration::from_secs(1)).await;
    }
    let sent = load.await.unwrap();
    let lines = proxy.access_log(sent.len()).await;
    let failed = lines.iter().filter(|line| line.status != 200).count();
    let words = format!("backend {} is ejected", backends[0].address());
    let ejections = proxy.count(&words);
    println!(
        "{SECONDS} s, {} requests, {failed} failed; ejected {ejections} times; documented bound 5 + t / (5 × eject) = {}",
        lines.len(),
        5 + SECONDS / 5
    );
}

async fn three() -> [Backend; 3] {
    [
        Backend::start().await,
        Backend::start().await,
        Backend::start().await,
    ]
}

/// Sends requests at a fixed rate, each as soon as its time has come, numbered from `first` on; how long each took, in seconds.
async fn offer(proxy: std::net::SocketAddr, first: usize, time: Duration) -> Vec<f64> {
    let count = (time.as_secs_f64() * f64::from(RATE)) as usize;
    let mut tick = interval(Duration::from_secs(1) / RATE);
    let pool = std::sync::Arc::new(std::sync::Mutex::new(Vec::<TcpStream>::new()));
    let began = Instant::now();
    let mut running = Vec::with_capacity(count);
    for number in first..first + count {
        tick.tick().await;
        let pool = std::sync::Arc::clone(&pool);
        running.push(tokio::spawn(async move {
            let idle = pool.lock().unwrap().pop();
            let mut stream = match idle {
                Some(stream) => stream,
                None => TcpStream::connect(proxy).await.unwrap(),
            };
            let asked = Instant::now();
            if ask(&mut stream, number).await {
                pool.lock().unwrap().push(stream);
            }
            asked.elapsed().as_secs_f64()
        }));
    }
    let late = began.elapsed().saturating_sub(time);
    let mut latencies = Vec::with_capacity(count);
    for request in running {
        latencies.push(request.await.unwrap());
    }
    assert!(
        late < time / 10,
        "void: the load was {late:?} late, this machine is too busy"
    );
    latencies
}

/// One GET on a kept connection; whether it can be kept for another.
async fn ask(stream: &mut TcpStream, number: usize) -> bool {
    let request = format!("GET /{number} HTTP/1.1\r\nHost: bench.test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let whole = async {
        while !answer.ends_with(b"\n.") {
            if stream
                .read_buf(&mut answer)
                .await
                .is_ok_and(|read| read == 0)
            {
                return false;
            }
        }
        true
    };
    timeout(Duration::from_secs(10), whole)
        .await
        .unwrap_or(false)
}

fn p99(times: impl Iterator<Item = f64>) -> f64 {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    times
        .get(times.len() * 99 / 100)
        .copied()
        .unwrap_or(f64::NAN)
}
