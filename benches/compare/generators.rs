//! The load: wrk and h2load, run and read; and our own for TLS handshakes (see [`handshakes`](crate::handshakes)).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::process::pinned;
use crate::sample::Seen;
use crate::scenarios::{Load, Scenario};
use crate::tools::Tools;

pub(crate) struct Target<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) scenario: &'a Scenario,
    pub(crate) port: u16,
    pub(crate) cpus: &'a str,
    pub(crate) seconds: u64,
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/compare/conf");

/// 1 MiB.
pub(crate) fn upload_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench/run/upload")
}

impl Target<'_> {
    /// As much as goes.
    pub(crate) fn saturate(&self) -> Seen {
        match self.scenario.load {
            Load::Http1 | Load::NewConnections => self.wrk(),
            Load::Http2 => self.h2load_closed(),
            Load::Handshakes { resumed } => self.handshakes(resumed, 0.0),
        }
    }

    /// So many requests a second.
    pub(crate) fn keep_to(&self, rate: f64) -> Seen {
        match self.scenario.load {
            Load::Http1 | Load::Http2 => self.h2load_at(rate),
            Load::NewConnections => self.h2load_connecting_at(rate),
            Load::Handshakes { resumed } => self.handshakes(resumed, rate),
        }
    }

    fn url(&self) -> String {
        let scheme = if self.scenario.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{}", self.port, self.scenario.path)
    }

    fn wrk(&self) -> Seen {
        let mut command = pinned(self.cpus, self.tools.path("wrk"));
        command.args([
            "-t1",
            &format!("-c{}", self.scenario.connections),
            &format!("-d{}s", self.seconds),
            "--timeout",
            "5s",
        ]);
        if self.scenario.load == Load::NewConnections {
            command.args(["-H", "Connection: close"]);
        }
        if self.scenario.upload {
            command.arg("-s").arg(Path::new(FOLDER).join("upload.lua"));
        }
        let text = text(command.arg(self.url()).output().unwrap());
        // `  12345 requests in 2.00s, 2.83MB read`, then, if at all, `  Socket errors: connect 0, read 3, …`, `  Non-2xx or 3xx responses: 7`.
        let line = text
            .lines()
            .find(|line| line.contains(" requests in "))
            .unwrap_or_default();
        let mut words = line.split_whitespace();
        let errors = text
            .lines()
            .find(|line| line.contains("Socket errors:"))
            .unwrap_or_default();
        let refused = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("Non-2xx or 3xx responses:"));
        Seen {
            requests: words.next().and_then(|word| word.parse().ok()).unwrap_or(0),
            seconds: words
                .nth(2)
                .map_or(0.0, |word| seconds(word.trim_end_matches(','))),
            failed: numbers(errors).sum::<u64>()
                + numbers(refused.unwrap_or_default()).sum::<u64>(),
            ..Seen::default()
        }
    }

    fn h2load(&self) -> Command {
        let mut command = pinned(self.cpus, self.tools.path("h2load"));
        if self.scenario.load != Load::Http2 {
            command.arg("--h1");
        }
        if self.scenario.upload {
            command.arg("-d").arg(upload_file());
        }
        command
    }

    fn h2load_closed(&self) -> Seen {
        let mut command = self.h2load();
        command.args([
            "-m",
            "100",
            "-c",
            &self.scenario.connections.to_string(),
            "-D",
            &self.seconds.to_string(),
        ]);
        let mut seen = read_h2load(&text(command.arg(self.url()).output().unwrap()));
        // Its own figure is of the whole seconds, after which it goes away from what is under way.
        seen.seconds = self.seconds as f64;
        seen
    }

    fn h2load_at(&self, rate: f64) -> Seen {
        let connections = self.scenario.connections;
        let streams = if self.scenario.load == Load::Http2 {
            100
        } else {
            1
        };
        let each = rate / connections as f64;
        let count = (rate * self.seconds as f64) as usize / connections * connections;
        let mut command = self.h2load();
        command.args(["-m", &streams.to_string(), "-c", &connections.to_string()]);
        command.args([
            "-n",
            &count.max(connections).to_string(),
            "--rps",
            &format!("{each:.3}"),
        ]);
        let mut seen = self.with_log(command);
        if streams == 1 {
            account_for_the_held_up(&mut seen.latencies, (1e6 / each) as u64);
        }
        fall_short(&mut seen, rate);
        seen
    }

    /// A client for each request, as many every hundredth of a second.
    fn h2load_connecting_at(&self, rate: f64) -> Seen {
        let burst = ((rate / 100.0) as usize).max(1);
        let count = (burst * 100 * self.seconds as usize).to_string();
        let mut command = self.h2load();
        command.args([
            "-c",
            &count,
            "-n",
            &count,
            "-r",
            &burst.to_string(),
            "--rate-period",
            "10ms",
        ]);
        let mut seen = self.with_log(command);
        fall_short(&mut seen, (burst * 100) as f64);
        seen
    }

    fn with_log(&self, mut command: Command) -> Seen {
        let log = self.tools.folder.join("run/h2load.log");
        let _ = fs::remove_file(&log);
        command.arg("--log-file").arg(&log).arg(self.url());
        let mut seen = read_h2load(&text(command.output().unwrap()));
        seen.latencies = read_latencies(&log);
        seen
    }

    fn handshakes(&self, resumed: bool, rate: f64) -> Seen {
        let log = self.tools.folder.join("run/handshakes.log");
        let mut command = pinned(self.cpus, std::env::current_exe().unwrap());
        command.args([
            "handshakes",
            &self.port.to_string(),
            self.scenario.path,
            if resumed { "resumed" } else { "full" },
        ]);
        command
            .args([
                self.scenario.connections.to_string(),
                self.seconds.to_string(),
                rate.to_string(),
            ])
            .arg(&log);
        let text = text(command.output().unwrap());
        // `requests 100 failed 0 resumed 99 seconds 2.001`
        let words: Vec<f64> = text
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let &[requests, failed, resumptions, seconds] = &words[..] else {
            return void(format!("the generator says {text:?}"));
        };
        let wanted = if resumed { requests } else { 0.0 };
        let mut seen = Seen {
            requests: requests as u64,
            failed: failed as u64,
            seconds,
            latencies: if rate > 0.0 {
                read_latencies(&log)
            } else {
                Vec::new()
            },
            void: None,
        };
        if (resumptions - wanted).abs() > requests * 0.02 {
            seen.void = Some(format!(
                "{resumptions} of {requests} handshakes were resumed"
            ));
        }
        if rate > 0.0 {
            fall_short(&mut seen, rate);
        }
        seen
    }
}

fn void(why: String) -> Seen {
    Seen {
        void: Some(why),
        ..Seen::default()
    }
}

/// The generator did not keep to the rate: then the figures are of another load.
fn fall_short(seen: &mut Seen, rate: f64) {
    let kept = seen.requests as f64 / seen.seconds.max(1e-9);
    if seen.void.is_none() && kept < rate * 0.95 {
        seen.void = Some(format!("{kept:.0} requests/s came of {rate:.0}"));
    }
}

/// h2load sends no request on a connection of HTTP/1 that waits for an answer, so the times of those that should have been sent meanwhile
/// are missing. They are put in: each would have waited for the rest of the answer that held it up.
fn account_for_the_held_up(latencies: &mut Vec<u64>, period: u64) {
    let mut missing = Vec::new();
    for latency in &*latencies {
        let mut rest = latency.saturating_sub(period);
        while rest > period / 10 && period > 0 {
            missing.push(rest);
            rest = rest.saturating_sub(period);
        }
    }
    latencies.extend(missing);
    latencies.sort_unstable();
}

/// `finished in 2.01s, 3990.12 req/s, …`, `requests: 8000 total, 8000 started, 8000 done, 8000 succeeded, 0 failed, 0 errored, 0 timeout`,
/// `status codes: 8000 2xx, …`.
fn read_h2load(text: &str) -> Seen {
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let finished = line("finished in ")
        .and_then(|rest| rest.split_once(','))
        .map_or(0.0, |(word, _)| seconds(word));
    let requests: Vec<u64> = numbers(line("requests: ").unwrap_or_default()).collect();
    let good = line("status codes: ")
        .and_then(|rest| numbers(rest).next())
        .unwrap_or(0);
    let &[_, _, done, succeeded, failed, errored, timeout] = &requests[..] else {
        return void(format!(
            "h2load says {:?}",
            text.lines().last().unwrap_or_default()
        ));
    };
    Seen {
        requests: succeeded,
        failed: failed + errored + timeout + done.saturating_sub(good),
        seconds: finished,
        ..Seen::default()
    }
}

/// Lines of `when status microseconds`.
fn read_latencies(log: &Path) -> Vec<u64> {
    let text = fs::read_to_string(log).unwrap_or_default();
    let mut latencies: Vec<u64> = text
        .lines()
        .filter_map(|line| line.split('\t').nth(2)?.parse().ok())
        .collect();
    latencies.sort_unstable();
    latencies
}

fn text(output: Output) -> String {
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// `2.00s`, `731.02ms`, `1.10m`.
fn seconds(word: &str) -> f64 {
    for (unit, factor) in [("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0)] {
        if let Some(number) = word
            .strip_suffix(unit)
            .and_then(|number| number.parse::<f64>().ok())
        {
            return number * factor;
        }
    }
    0.0
}

/// The words of a line that are whole numbers.
fn numbers(line: &str) -> impl Iterator<Item = u64> {
    line.split_whitespace()
        .filter_map(|word| word.trim_end_matches(',').parse().ok())
}
