//! What processes used, from /proc.
//!
//! CPU time is that of all threads of a process and of those under it, to the nanosecond, from `schedstat`; how it divides into user and
//! system time is in `stat`, in hundredths of a second. Memory is the proportional set: what workers share counts once.

use std::collections::HashMap;
use std::fs;

/// A moment's account of a process and those under it.
pub(crate) struct Account {
    /// Nanoseconds on a CPU, by thread.
    threads: HashMap<u32, u64>,
    /// Ticks.
    user: u64,
    system: u64,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) seconds: f64,
    /// The part of it that was spent in the kernel, 0 to 1.
    pub(crate) system: f64,
}

impl Account {
    pub(crate) fn of(pid: u32) -> Self {
        let mut account = Self {
            threads: HashMap::new(),
            user: 0,
            system: 0,
        };
        for pid in tree(pid) {
            let fields = stat(&format!("/proc/{pid}/stat"));
            account.user += fields.get(11).copied().unwrap_or(0);
            account.system += fields.get(12).copied().unwrap_or(0);
            for thread in numbers_in(&format!("/proc/{pid}/task")) {
                let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat"));
                let text = text.unwrap_or_default();
                let time = text.split(' ').next().and_then(|word| word.parse().ok());
                account.threads.insert(thread, time.unwrap_or(0));
            }
        }
        account
    }

    pub(crate) fn used_since(&self, before: &Self) -> Used {
        let spent = |(thread, time): (&u32, &u64)| {
            time.saturating_sub(before.threads.get(thread).copied().unwrap_or(0))
        };
        let nanoseconds: u64 = self.threads.iter().map(spent).sum();
        let user = self.user.saturating_sub(before.user) as f64;
        let system = self.system.saturating_sub(before.system) as f64;
        Used {
            seconds: nanoseconds as f64 / 1e9,
            system: system / (user + system).max(1.0),
        }
    }
}

/// This process and those under it.
pub(crate) fn tree(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(&parent) = all.get(next) {
        for thread in numbers_in(&format!("/proc/{parent}/task")) {
            let children = fs::read_to_string(format!("/proc/{parent}/task/{thread}/children"));
            all.extend(
                children
                    .unwrap_or_default()
                    .split_whitespace()
                    .filter_map(|word| word.parse::<u32>().ok()),
            );
        }
        next += 1;
    }
    all
}

/// CPU seconds of all programs that this one has started and seen end.
pub(crate) fn of_ended_children() -> f64 {
    let fields = stat("/proc/self/stat");
    (fields[13] + fields[14]) as f64 / ticks()
}

/// CPU seconds that all CPUs together have been busy since the machine started.
pub(crate) fn of_machine() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let fields: Vec<u64> = text
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    // user, nice, system; then idle and iowait; then irq, softirq, steal.
    (fields[..3].iter().sum::<u64>() + fields[5..8].iter().sum::<u64>()) as f64 / ticks()
}

/// KiB, of which those that processes share are counted once.
pub(crate) fn memory(pid: u32) -> u64 {
    let of = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Pss:"))
            .unwrap_or_default();
        line.trim()
            .trim_end_matches(" kB")
            .parse::<u64>()
            .unwrap_or(0)
    };
    tree(pid).into_iter().map(of).sum()
}

fn ticks() -> f64 {
    rustix::param::clock_ticks_per_second() as f64
}

/// The numbers after the name, which may hold anything; the first is that of field 3 (the state), as 0.
fn stat(file: &str) -> Vec<u64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let (_, fields) = text.rsplit_once(") ").unwrap_or_default();
    fields
        .split_whitespace()
        .map(|word| word.parse().unwrap_or(0))
        .collect()
}

fn numbers_in(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}
