//! One measurement: what a generator saw, and what the proxy used meanwhile.

use serde::Serialize;

/// How the load came.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pace {
    /// Each connection asks again as soon as it has its answer.
    Closed,
    /// So many a second, the same for everybody.
    Fixed,
}

/// What a generator says.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    /// Microseconds, sorted; empty when the generator does not tell.
    pub(crate) latencies: Vec<u64>,
    /// Why it is no measurement of what it should be.
    pub(crate) void: Option<String>,
}

#[derive(Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) scenario: &'static str,
    pub(crate) contestant: &'static str,
    pub(crate) workers: usize,
    pub(crate) round: usize,
    pub(crate) pace: Pace,
    /// What was asked for, at a fixed rate.
    pub(crate) rate: Option<f64>,
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) user_microseconds: f64,
    pub(crate) system_microseconds: f64,
    /// CPUs that were busy with it, on average.
    pub(crate) proxy_cpus: f64,
    pub(crate) origin_cpus: f64,
    pub(crate) generator_cpus: f64,
    pub(crate) other_cpus: f64,
    pub(crate) memory_kib: u64,
    /// That it, or a check of it, has opened to the origin meanwhile; unknown where the origin does not tell.
    pub(crate) origin_connections: Option<u64>,
    pub(crate) p50_microseconds: Option<u64>,
    pub(crate) p99_microseconds: Option<u64>,
    pub(crate) p999_microseconds: Option<u64>,
    pub(crate) void: Option<String>,
}

impl Sample {
    pub(crate) fn cpu(&self) -> f64 {
        self.user_microseconds + self.system_microseconds
    }
}

/// Of sorted figures.
pub(crate) fn percentile(sorted: &[u64], part: f64) -> Option<u64> {
    let place = (sorted.len() as f64 * part) as usize;
    sorted.get(place.min(sorted.len().checked_sub(1)?)).copied()
}

pub(crate) fn median(figures: impl Iterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len().is_multiple_of(2) {
        Some(f64::midpoint(
            *figures.get(middle.checked_sub(1)?)?,
            *figures.get(middle)?,
        ))
    } else {
        figures.get(middle).copied()
    }
}
