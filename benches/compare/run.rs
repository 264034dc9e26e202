//! The order of things: each scenario with all contestants up, in interleaved rounds.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::check::check;
use crate::contestants::{CONTESTANTS, Running};
use crate::generators::{Target, upload_file};
use crate::measure::{Account, memory, of_ended_children, of_machine};
use crate::options::Options;
use crate::origin::{Origin, SMALL, make_certificate};
use crate::report::{Report, Table};
use crate::sample::{Pace, Sample, Seen, percentile};
use crate::scenarios::{Backends, Load, SCENARIOS, Scenario};
use crate::tools::Tools;

/// Which CPUs the proxy has, and which everybody else.
struct Cpus {
    proxy: String,
    others: String,
}

pub(crate) fn run(options: &Options, tools: &Tools) -> Report {
    raise_open_files();
    fs::create_dir_all(tools.folder.join("run")).unwrap();
    make_certificate(&tools.folder.join("run"));
    fs::write(upload_file(), vec![b'x'; 1 << 20]).unwrap();
    let mut report = Report::new(options, tools);
    for &workers in &options.workers {
        for scenario in SCENARIOS
            .iter()
            .filter(|scenario| options.runs(scenario, workers))
        {
            let table = measure(options, tools, scenario, workers);
            println!("{}", table.text());
            report.tables.push(table);
            report.save();
        }
    }
    report
}

fn measure(options: &Options, tools: &Tools, scenario: &'static Scenario, workers: usize) -> Table {
    let cpus = cpus(workers);
    let origin = Origin::start(tools, scenario.backends, workers, &cpus.others);
    let mut table = Table::new(scenario, workers);
    if let Err(why) = reachable(&origin) {
        table.void = Some(why);
        return table;
    }
    let mut all = Vec::new();
    for contestant in CONTESTANTS
        .iter()
        .filter(|contestant| contestant.takes_part(scenario) && options.admits(contestant.name))
    {
        if !contestant.can(scenario.backends) {
            table
                .faults
                .push((contestant.name, "cannot do this".to_owned()));
            continue;
        }
        // A relay passes on what the client speaks.
        let in_http2 = scenario.backends == Backends::Http2
            || contestant.is_relay && scenario.load == Load::Http2;
        let words = origin.words(in_http2, &tools.folder.join("run"));
        let mut running = contestant.start(tools, scenario.backends, &words, workers, &cpus.proxy);
        let (checked, asked) = check(&mut running, scenario);
        match checked {
            Ok(()) => all.push((running, asked)),
            Err(why) => table
                .faults
                .push((contestant.name, format!("not measured: {why}"))),
        }
    }
    let measurer = Measurer {
        options,
        tools,
        scenario,
        workers,
        origin: &origin,
        cpus: &cpus,
    };
    measurer.rounds(&mut all, &mut table);
    for (running, answered) in all {
        table.log_of(running, answered);
    }
    table
}

struct Measurer<'a> {
    options: &'a Options,
    tools: &'a Tools,
    scenario: &'static Scenario,
    workers: usize,
    origin: &'a Origin,
    cpus: &'a Cpus,
}

impl Measurer<'_> {
    fn rounds(&self, all: &mut [(Running, u64)], table: &mut Table) {
        let mut rate = self.options.rate.or(self.scenario.rate);
        let idle = all
            .iter()
            .map(|(running, _)| Idle::open(self.scenario.idle, running.port));
        let mut idle: Vec<Idle> = idle.collect();
        for round in 1..=self.options.rounds {
            for pace in [Pace::Closed, Pace::Fixed] {
                for place in 0..all.len() {
                    // Nobody is always the first, or always behind the same one.
                    let place = (place + round - 1) % all.len();
                    let (running, answered) = &mut all[place];
                    if let Err(why) = idle[place].ask_all() {
                        table.faults.push((running.contestant.name, why));
                    }
                    let sample = self.sample(
                        running,
                        round,
                        (pace == Pace::Fixed).then_some(rate).flatten(),
                    );
                    *answered += sample.requests;
                    table.samples.push(sample);
                }
                let rates = table.samples.iter().filter(|sample| sample.failed == 0);
                let slowest = rates.map(|sample| sample.requests_per_second);
                // Half of what the slowest can do: nobody is near its limit, and all have the same.
                rate = rate.or(Some((slowest.fold(1e5, f64::min) / 2.0).max(10.0).floor()));
            }
        }
        table.rate = rate.unwrap_or(0.0);
    }

    fn sample(&self, running: &Running, round: usize, rate: Option<f64>) -> Sample {
        let target = Target {
            tools: self.tools,
            scenario: self.scenario,
            port: if self.scenario.tls {
                running.tls_port
            } else {
                running.port
            },
            cpus: &self.cpus.others,
            // What counts has the time.
            seconds: match rate {
                Some(_) => self.options.seconds,
                None => self.options.seconds.div_ceil(2),
            },
        };
        let connections = || self.origin.connections();
        let connections_before = connections();
        let accounts = || {
            let (proxy, origin) = (running.process.pid(), self.origin.process.pid());
            (
                Account::of(proxy),
                Account::of(origin),
                of_ended_children(),
                of_machine(),
                Instant::now(),
            )
        };
        let before = accounts();
        let seen = rate.map_or_else(|| target.saturate(), |rate| target.keep_to(rate));
        let after = accounts();
        // The question is a connection too.
        let opened = connections().zip(connections_before);
        let opened = opened.map(|(after, before)| after.saturating_sub(before + 1));
        let proxy = after.0.used_since(&before.0);
        let origin = after.1.used_since(&before.1).seconds;
        let generator = after.2 - before.2;
        let wall = (after.4 - before.4).as_secs_f64();
        let other = (after.3 - before.3 - proxy.seconds - origin - generator).max(0.0);
        let microseconds = proxy.seconds * 1e6 / seen.requests.max(1) as f64;
        let Seen {
            requests,
            failed,
            seconds,
            ref latencies,
            ..
        } = seen;
        Sample {
            scenario: self.scenario.name,
            contestant: running.contestant.name,
            workers: self.workers,
            round,
            pace: if rate.is_some() {
                Pace::Fixed
            } else {
                Pace::Closed
            },
            rate,
            requests,
            failed,
            seconds,
            requests_per_second: requests as f64 / seconds.max(1e-9),
            user_microseconds: microseconds * (1.0 - proxy.system),
            system_microseconds: microseconds * proxy.system,
            proxy_cpus: proxy.seconds / wall,
            origin_cpus: origin / wall,
            generator_cpus: generator / wall,
            other_cpus: other / wall,
            origin_connections: opened,
            memory_kib: memory(running.process.pid()),
            p50_microseconds: percentile(latencies, 0.5),
            p99_microseconds: percentile(latencies, 0.99),
            p999_microseconds: percentile(latencies, 0.999),
            void: seen
                .void
                .or_else(|| (requests == 0).then(|| "no answers".to_owned())),
        }
    }
}

/// With as many workers as there are CPUs, everybody has all of them.
fn cpus(workers: usize) -> Cpus {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let range = |first: usize, last: usize| format!("{first}-{last}");
    if workers < count {
        Cpus {
            proxy: range(0, workers - 1),
            others: range(workers, count - 1),
        }
    } else {
        Cpus {
            proxy: range(0, count - 1),
            others: range(0, count - 1),
        }
    }
}

fn reachable(origin: &Origin) -> Result<(), String> {
    for _ in 0..100 {
        let output = std::process::Command::new("curl")
            .args(["-q", "-s", "--noproxy", "*", &origin.url("/small")])
            .output();
        if output.is_ok_and(|output| output.stdout == SMALL.as_bytes()) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err("the origin does not answer".to_owned())
}

/// Connections that have had an answer and wait.
struct Idle {
    streams: Vec<TcpStream>,
    request: String,
}

impl Idle {
    fn open(count: usize, port: u16) -> Self {
        let open = |_| TcpStream::connect(("127.0.0.1", port)).unwrap();
        Self {
            streams: (0..count).map(open).collect(),
            request: format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        }
    }

    /// Before each measurement each has an answer again: nobody's limit on unused connections is as short as one measurement.
    fn ask_all(&mut self) -> Result<(), String> {
        let all = self.streams.len();
        self.streams.retain_mut(|stream| {
            let written = stream.write_all(self.request.as_bytes());
            written.is_ok() && is_answered(stream)
        });
        match all - self.streams.len() {
            0 => Ok(()),
            lost => Err(format!("VOID: {lost} of the idle connections were closed")),
        }
    }
}

fn is_answered(stream: &mut TcpStream) -> bool {
    let mut answer = Vec::new();
    let mut piece = [0; 1024];
    while !answer.ends_with(b"ok\n") {
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => answer.extend_from_slice(&piece[..read]),
            _ => return false,
        }
    }
    true
}

pub(crate) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
}
