//! What one pick costs, for each policy, among 2, 100 and 5,000 backends.
//!
//! A pick is what a request pays: the choice, its count in flight and the end of that, so that the
//! policies that look at loads have loads to look at. Weights are mixed; half as many requests are
//! kept in flight as there are backends.

#![allow(
    missing_docs,
    reason = "criterion_group! makes a public function without one"
)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use evenkeel::upstream::balance::{
    FULL_WEIGHT, Hash, LeastRequests, Member, Members, P2c, PeakEwma, Policy, Random, Request,
    RoundRobin,
};
use std::collections::VecDeque;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

type Make = fn() -> Box<dyn Policy>;

fn picks(criterion: &mut Criterion) {
    let policies: [(&str, Make); 7] = [
        ("round_robin", || Box::new(RoundRobin::default())),
        ("least_requests", || Box::new(LeastRequests::default())),
        ("p2c", || Box::new(P2c::default())),
        ("peak_ewma", || Box::new(PeakEwma::default())),
        ("random", || Box::new(Random::default())),
        ("hash", || Box::new(Hash::new())),
        ("hash_bounded", || {
            Box::new(Hash::bounded(NonZeroU32::MIN.saturating_add(124)))
        }),
    ];
    for (name, policy) in policies {
        let mut group = criterion.benchmark_group(name);
        for count in [2, 100, 5_000] {
            let mut bench = Bench::new(policy(), count);
            (0..2 * count).for_each(|_| bench.request());
            let id = BenchmarkId::from_parameter(count);
            group.bench_function(id, |bencher| bencher.iter(|| bench.request()));
        }
        group.finish();
    }
}

struct Bench {
    policy: Box<dyn Policy>,
    members: Members,
    running: VecDeque<usize>,
    turn: u32,
    random: u64,
}

impl Bench {
    fn new(policy: Box<dyn Policy>, count: u32) -> Self {
        let member = |i: u32| Arc::new(Member::new(u64::from(i), (i % 3 + 1) * FULL_WEIGHT));
        Self {
            policy,
            members: Members::new((0..count).map(member).collect()),
            running: VecDeque::new(),
            turn: 0,
            random: 1,
        }
    }

    fn request(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        let now = Duration::from_micros(u64::from(self.turn));
        let random = &mut self.random;
        let picked = self.policy.pick(
            &self.members,
            &mut Request {
                key: &self.turn.to_le_bytes(),
                now,
                // Marsaglia's xorshift.
                random: &mut || {
                    *random ^= *random << 13;
                    *random ^= *random >> 7;
                    *random ^= *random << 17;
                    *random
                },
                excluded: &[],
            },
        );
        let Some(index) = black_box(picked) else {
            return;
        };
        if self.members.member(index).is_some_and(Member::begin) {
            self.running.push_back(index);
        }
        if self.running.len() > self.members.len() / 2 {
            self.end(now);
        }
    }

    fn end(&mut self, now: Duration) {
        if let Some(index) = self.running.pop_front() {
            self.members.member(index).into_iter().for_each(Member::end);
            self.policy
                .observe(&self.members, index, Duration::from_millis(1), now);
            self.policy.released(&self.members, index);
        }
    }
}

criterion_group!(benches, picks);
criterion_main!(benches);
