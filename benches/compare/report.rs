//! The tables, what is void in them and why, and the files they go to.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::contestants::{CONTESTANTS, Running};
use crate::options::Options;
use crate::sample::{Pace, Sample, median};
use crate::scenarios::Scenario;
use crate::tools::Tools;

/// Rounds that differ by more than this part of their median say nothing.
const SPREAD: f64 = 0.25;
/// The proxy is what holds the load up when its workers are busy for so much of the time.
const SATURATED: f64 = 0.85;
/// Where docs/performance.md stops being written by hand.
const MARK: &str = "<!-- All that follows was written by `make bench RECORD=yes`. -->\n";

pub(crate) struct Table {
    scenario: &'static Scenario,
    workers: usize,
    pub(crate) rate: f64,
    pub(crate) samples: Vec<Sample>,
    /// Whom it happened to, and what.
    pub(crate) faults: Vec<(&'static str, String)>,
    /// Why there is nothing at all.
    pub(crate) void: Option<String>,
}

/// A median, and why it is void if it is.
struct Figure {
    value: f64,
    void: Option<String>,
}

impl Table {
    pub(crate) fn new(scenario: &'static Scenario, workers: usize) -> Self {
        Self {
            scenario,
            workers,
            rate: 0.0,
            samples: Vec::new(),
            faults: Vec::new(),
            void: None,
        }
    }

    /// The contestant stops; who does not log every request does less work than the others.
    pub(crate) fn log_of(&mut self, running: Running, answered: u64) {
        let name = running.contestant.name;
        let lines = running.logged_at_the_end();
        if let Some(lines) = lines.filter(|lines| (*lines as f64) < answered as f64 * 0.99) {
            self.faults.push((
                name,
                format!("VOID: {lines} lines of access log for {answered} requests"),
            ));
        }
    }

    pub(crate) fn text(&self) -> String {
        let workers = if self.workers == 1 {
            "one worker".to_owned()
        } else {
            format!("{} workers", self.workers)
        };
        let mut text = format!(
            "### {}: {workers} (`{}`)\n\n",
            self.scenario.title, self.scenario.name
        );
        if let Some(why) = &self.void {
            let _ = writeln!(text, "VOID: {why}.");
            return text;
        }
        let others = median(self.samples.iter().map(|sample| sample.other_cpus)).unwrap_or(0.0);
        let _ = writeln!(
            text,
            "Fixed rate: {:.0} requests/s. Other programs on this machine kept {others:.2} CPUs busy meanwhile.\n",
            self.rate
        );
        text += "| | CPU µs/request | user | system | to nginx | to HAProxy | to Envoy | to the floor | p50 ms | p99 ms | p99.9 ms | requests/s at most | CPU µs/request then | memory MiB | connections to backends for 100,000 |\n";
        text += "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
        let mut notes = Vec::new();
        for contestant in &CONTESTANTS {
            if self.of(contestant.name, Pace::Closed).next().is_some() {
                text += &self.row(contestant.name, &mut notes);
            }
        }
        notes.extend(
            self.faults
                .iter()
                .map(|(name, why)| format!("{name}: {why}")),
        );
        if !notes.is_empty() {
            text += "\n";
        }
        for note in notes {
            let _ = writeln!(text, "- {note}");
        }
        text
    }

    fn row(&self, name: &str, notes: &mut Vec<String>) -> String {
        let cpu = self.cpu(name);
        let most = self.most(name);
        for (what, figure) in [("CPU time", &cpu), ("requests/s at most", &most)] {
            if let Some(why) = &figure.void {
                notes.push(format!("{name}, {what}: void: {why}"));
            }
        }
        let of = |pace, figure: fn(&Sample) -> f64| {
            median(self.of(name, pace).map(figure)).unwrap_or(f64::NAN)
        };
        let ratio = |other: &str| {
            let other = self.cpu(other);
            if cpu.void.is_some() || other.void.is_some() || other.value.is_nan() {
                "–".to_owned()
            } else {
                format!("{:.2}", cpu.value / other.value)
            }
        };
        let milliseconds = |figure: fn(&Sample) -> Option<u64>| {
            let middle = median(
                self.of(name, Pace::Fixed)
                    .filter_map(figure)
                    .map(|time| time as f64 / 1e3),
            );
            middle.map_or("–".to_owned(), |time| format!("{time:.2}"))
        };
        let cells = [
            figure(&cpu, 1),
            format!("{:.1}", of(Pace::Fixed, |sample| sample.user_microseconds)),
            format!(
                "{:.1}",
                of(Pace::Fixed, |sample| sample.system_microseconds)
            ),
            ratio("nginx"),
            ratio("HAProxy"),
            ratio("Envoy"),
            ratio("floor"),
            milliseconds(|sample| sample.p50_microseconds),
            milliseconds(|sample| sample.p99_microseconds),
            milliseconds(|sample| sample.p999_microseconds),
            figure(&most, 0),
            format!("{:.1}", of(Pace::Closed, Sample::cpu)),
            format!(
                "{:.1}",
                of(Pace::Closed, |sample| sample.memory_kib as f64 / 1024.0)
            ),
            self.connections(name),
        ];
        format!("| {name} | {} |\n", cells.join(" | "))
    }

    /// Opened to backends for 100,000 requests, over all of the load together: whoever keeps them opens most before the first answer.
    fn connections(&self, name: &str) -> String {
        let samples = || {
            let paces = [Pace::Closed, Pace::Fixed].into_iter();
            paces.flat_map(|pace| self.of(name, pace))
        };
        let opened: Option<u64> = samples().map(|sample| sample.origin_connections).sum();
        let requests: u64 = samples().map(|sample| sample.requests).sum();
        opened.map_or("–".to_owned(), |opened| {
            format!("{:.0}", opened as f64 * 1e5 / requests.max(1) as f64)
        })
    }

    fn of<'a>(&'a self, name: &'a str, pace: Pace) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |sample| sample.contestant == name && sample.pace == pace)
    }

    /// The headline: CPU time for a request at the fixed rate.
    fn cpu(&self, name: &str) -> Figure {
        let fault = self
            .faults
            .iter()
            .find(|(whose, why)| *whose == name && why.starts_with("VOID"));
        let mut figure = self.figure(name, Pace::Fixed, Sample::cpu);
        figure.void = figure.void.or_else(|| fault.map(|(_, why)| why.clone()));
        figure
    }

    /// Requests a second, when nothing but the proxy held them up.
    fn most(&self, name: &str) -> Figure {
        let mut figure = self.figure(name, Pace::Closed, |sample| sample.requests_per_second);
        let of = |figure: fn(&Sample) -> f64| {
            median(self.of(name, Pace::Closed).map(figure)).unwrap_or(0.0)
        };
        let busy = of(|sample| sample.proxy_cpus);
        if figure.void.is_none() && busy < SATURATED * self.workers as f64 {
            figure.void = Some(format!(
                "the proxy had no more than {busy:.2} CPUs to do; generator {:.2}, origin {:.2}, other programs {:.2}",
                of(|sample| sample.generator_cpus),
                of(|sample| sample.origin_cpus),
                of(|sample| sample.other_cpus)
            ));
        }
        figure
    }

    fn figure(&self, name: &str, pace: Pace, of: fn(&Sample) -> f64) -> Figure {
        let values = || self.of(name, pace).map(of);
        let value = median(values()).unwrap_or(f64::NAN);
        let failed: u64 = self.of(name, pace).map(|sample| sample.failed).sum();
        let spread =
            (values().fold(f64::MIN, f64::max) - values().fold(f64::MAX, f64::min)) / value;
        let void = if failed > 0 {
            Some(format!("{failed} requests failed"))
        } else if let Some(why) = self.of(name, pace).find_map(|sample| sample.void.clone()) {
            Some(why)
        } else if spread > SPREAD {
            Some(format!("rounds lie {:.0} % apart", spread * 100.0))
        } else {
            None
        };
        Figure { value, void }
    }

    /// That the figure that counts is void, for anybody.
    fn is_void(&self) -> bool {
        let measured = |name: &str| self.of(name, Pace::Fixed).next().is_some();
        self.void.is_some()
            || self
                .faults
                .iter()
                .any(|(_, why)| why.starts_with("not measured"))
            || CONTESTANTS
                .iter()
                .any(|one| measured(one.name) && self.cpu(one.name).void.is_some())
    }
}

/// In brackets when it is void.
fn figure(figure: &Figure, digits: usize) -> String {
    match &figure.void {
        _ if figure.value.is_nan() => "–".to_owned(),
        None => format!("{:.digits$}", figure.value),
        Some(_) => format!("({:.digits$})", figure.value),
    }
}

pub(crate) struct Report {
    pub(crate) tables: Vec<Table>,
    heading: String,
    facts: serde_json::Value,
}

impl Report {
    /// With what is known before anything runs: when, where, and of whom.
    pub(crate) fn new(options: &Options, tools: &Tools) -> Self {
        let date = said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]);
        let kernel = said("uname", &["-sr"]);
        // What stands behind its version names whoever built it.
        let kernel = kernel.split('-').next().unwrap_or_default();
        let revision = said("git", &["describe", "--always", "--dirty"]);
        let revision = match std::env::var("EVENKEEL") {
            Ok(build) => {
                let checkout = concat!(env!("CARGO_MANIFEST_DIR"), "/");
                let build = build.strip_prefix(checkout).unwrap_or(&build);
                format!("{revision}, the build {build}")
            }
            Err(_) => revision,
        };
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name\t: "))
            .unwrap_or("unknown")
            .to_owned();
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load = load.split(' ').next().unwrap_or_default().to_owned();
        let versions = tools.versions();
        let mut heading = format!(
            "Measured {date} on {cpus} CPUs ({cpu}), {kernel}; load average at the start {load}. Medians of {} rounds of {} s.\n\nEvenkeel at {revision}",
            options.rounds, options.seconds
        );
        for (name, version) in &versions {
            let _ = write!(heading, "; {name}: {version}");
        }
        heading += ".\n";
        println!("{heading}");
        let facts = json!({
            "date": date, "cpus": cpus, "cpu": cpu, "kernel": kernel, "load_average": load, "revision": revision,
            "rounds": options.rounds, "seconds": options.seconds, "versions": versions,
        });
        Self {
            tables: Vec::new(),
            heading,
            facts,
        }
    }

    pub(crate) fn is_void(&self) -> bool {
        self.tables.iter().any(Table::is_void)
    }

    /// What there is so far, so that a run that is broken off leaves it.
    pub(crate) fn save(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        fs::write(folder.join("performance.md"), self.text()).unwrap();
        fs::write(folder.join("performance.json"), self.raw()).unwrap();
    }

    /// The page for readers, below what is written by hand, and the raw numbers beside it.
    pub(crate) fn record(&self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let page = folder.join("performance.md");
        let before = fs::read_to_string(&page).unwrap();
        let (by_hand, _) = before
            .split_once(MARK)
            .expect("docs/performance.md has no mark");
        fs::write(&page, format!("{by_hand}{MARK}\n{}", self.text())).unwrap();
        fs::write(folder.join("performance.json"), self.raw()).unwrap();
    }

    fn text(&self) -> String {
        let tables = self
            .tables
            .iter()
            .map(|table| format!("\n{}", table.text()));
        self.heading.clone() + &tables.collect::<String>()
    }

    fn raw(&self) -> String {
        let samples = self.tables.iter().flat_map(|table| &table.samples);
        let samples: Vec<String> = samples.map(|sample| json!(sample).to_string()).collect();
        let samples = samples.join(",\n");
        format!(
            "{{\"run\": {},\n\"samples\": [\n{samples}\n]}}\n",
            self.facts
        )
    }
}

/// The first line that a command says.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}
