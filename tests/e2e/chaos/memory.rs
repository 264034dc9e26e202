//! How much memory the program holds while everything happens, and the verdict on it.

use std::fs;
use std::process::Command;

use tokio::time::Instant;

use crate::support::{Proxy, evenkeel, example};

/// What it may grow in an hour.
const GROWTH: f64 = 0.01;
/// What a moment takes the allocator keeps for minutes, so minutes that stand together say the same thing twice, and a line through them seems
/// surer than it is. It goes through the mean of so many.
const TOGETHER: usize = 5;
/// In fewer minutes the noise of one would look like much of an hour.
const LEAST_MINUTES: usize = 2 * 4 * TOGETHER;

/// Whose count it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Count {
    /// The kernel's, of the program as it is shipped. It also has what the allocator keeps: a moment in which much was held is seen in it for
    /// long.
    Resident,
    /// The allocator's, of a program that differs in nothing else: bytes asked for and not given back. What rises there is a leak.
    Held,
}

impl Count {
    pub(super) fn program(self) -> Command {
        match self {
            Self::Resident => evenkeel(),
            Self::Held => example("counting"),
        }
    }

    /// A line of the configuration's routes.
    pub(super) fn route(self) -> &'static str {
        match self {
            Self::Resident => "",
            Self::Held => {
                "  - { match: { path: /memory }, filters: [{ allocations: {} }], respond: { body: none } }\n"
            }
        }
    }

    /// In KiB.
    pub(super) fn of(self, proxy: &Proxy) -> f64 {
        match self {
            Self::Resident => resident(proxy.id()),
            Self::Held => {
                let counts = proxy.get("/memory").text();
                let counts: serde_json::Value = serde_json::from_str(&counts).unwrap();
                counts["bytes"].as_f64().unwrap() / 1024.0
            }
        }
    }
}

/// What is not shared with files.
fn resident(process: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let words = line.unwrap().trim().split(' ').next();
    words.unwrap().parse().unwrap()
}

/// What was counted, by the second.
pub(super) struct Memory {
    count: Count,
    begin: Instant,
    samples: Vec<(f64, f64)>,
}

impl Memory {
    pub(super) fn of(count: Count) -> Self {
        Self {
            count,
            begin: Instant::now(),
            samples: vec![],
        }
    }

    pub(super) fn look(&mut self, proxy: &Proxy) {
        let now = self.begin.elapsed().as_secs_f64();
        self.samples.push((now, self.count.of(proxy)));
    }

    /// Fails when it surely grows.
    pub(super) fn judge(&self) {
        let lows = self.lows();
        let count = self.count;
        eprintln!("{count:?}, at its least in each minute, in KiB: {lows:?}");
        if lows.len() < LEAST_MINUTES {
            return;
        }
        let line = Line::through(&means(&lows[lows.len() / 2..]));
        let by_hour = |slope: f64| slope * 60.0 / line.level;
        let (growth, error) = (by_hour(line.slope), by_hour(line.error));
        let (percent, off) = (growth * 100.0, error * 100.0);
        eprintln!(
            "over the second half it grows by {percent:+.2} % an hour, give or take {off:.2}"
        );
        let surely = growth - 2.0 * error;
        assert!(surely < GROWTH, "it grows by {growth:.3} of itself an hour");
    }

    /// What is left between bodies that are under way: the least of each minute. One that has only begun says little.
    fn lows(&self) -> Vec<(f64, f64)> {
        let minute = |(second, _): &(f64, f64)| (second / 60.0).floor();
        let minutes = self
            .samples
            .chunk_by(|one, next| minute(one) == minute(next));
        let least = |samples: &[(f64, f64)]| {
            let least = samples.iter().map(|(_, memory)| *memory);
            (minute(&samples[0]), least.fold(f64::INFINITY, f64::min))
        };
        let mut lows: Vec<_> = minutes.map(least).collect();
        lows.pop();
        lows
    }
}

/// One point in the place of [`TOGETHER`]; those at the beginning that are fewer are left out.
fn means(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let groups = points.rchunks_exact(TOGETHER).rev();
    let mean = |group: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| {
        group.iter().map(of).sum::<f64>() / TOGETHER as f64
    };
    let means = groups.map(|group| (mean(group, |point| point.0), mean(group, |point| point.1)));
    means.collect()
}

/// The line through points: how much it rises for each unit of their first number, how far that may be off by their spread (a standard
/// error), and how high it is in their middle.
struct Line {
    slope: f64,
    error: f64,
    level: f64,
}

impl Line {
    fn through(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, level) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            let around = points.iter().map(|point| (point.0 - x, point.1 - level));
            around.map(|(x, y)| of(x, y)).sum()
        };
        let width = sum(&|x, _| x * x);
        let slope = sum(&|x, y| x * y) / width;
        let spread = sum(&|x, y| (y - slope * x).powi(2)) / (count - 2.0);
        let error = (spread / width).sqrt();
        Self {
            slope,
            error,
            level,
        }
    }
}

/// Two MiB more in the last twenty minutes, as was seen once, and a fifth more in the hour.
#[test]
fn what_grows_is_told_from_what_goes_up_and_down() {
    let judge = |memory: &dyn Fn(f64) -> f64| {
        let samples = (0..61).map(|minute| (60.0 * f64::from(minute), memory(f64::from(minute))));
        let memory = Memory {
            count: Count::Resident,
            begin: Instant::now(),
            samples: samples.collect(),
        };
        std::panic::catch_unwind(|| memory.judge()).is_ok()
    };
    let up_and_down = |minute: f64| 14_000.0 + 700.0 * (minute * 0.9).sin();
    assert!(judge(&up_and_down));
    assert!(!judge(
        &|minute| up_and_down(minute) + 100.0 * (minute - 40.0).max(0.0)
    ));
    assert!(!judge(&|minute| up_and_down(minute) + 50.0 * minute));
}

#[test]
fn a_line_goes_through_its_points_and_knows_how_well() {
    let points = |noise: f64| -> Vec<_> {
        let point = |x: i32| {
            (
                f64::from(x),
                7.0 + 2.0 * f64::from(x) + noise * f64::from(x % 2),
            )
        };
        (0..10).map(point).collect()
    };
    let line = Line::through(&points(0.0));
    assert_eq!((line.slope, line.error, line.level), (2.0, 0.0, 16.0));
    let line = Line::through(&points(1.0));
    assert!(line.error > 0.0 && (line.slope - 2.0).abs() < 2.0 * line.error);
}
