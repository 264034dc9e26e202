use super::super::testing::{members, pick};
use super::super::{FULL_WEIGHT, Member, Members};
use super::{Policy, RoundRobin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};

#[test]
fn two_equal_members_alternate() {
    // Seen failing with turns not counted.
    let (policy, members) = (RoundRobin::default(), members(&[1, 1]));
    let picks: Vec<_> = (0..6).map(|_| pick(&policy, &members, &[])).collect();
    assert_eq!(picks, [0, 1, 0, 1, 0, 1].map(Some));
}

#[test]
fn an_unavailable_member_gets_nothing_until_it_is_back() {
    // Seen failing with `set_available` not bumping the generation.
    let (policy, members) = (RoundRobin::default(), members(&[1, 1, 1]));
    pick(&policy, &members, &[]);
    members.set_available(1, false);
    let picks: Vec<_> = (0..4).map(|_| pick(&policy, &members, &[])).collect();
    assert_eq!(picks, [2, 0, 2, 0].map(Some));
    members.set_available(1, true);
    let picks: Vec<_> = (0..6).map(|_| pick(&policy, &members, &[])).collect();
    assert_eq!(picks.iter().filter(|&&p| p == Some(1)).count(), 2);
}

#[test]
fn backups_are_used_only_when_no_primary_can_take_the_request() {
    // Seen failing with the backup's tier asked first.
    let backup = Member::new(3, FULL_WEIGHT).backup();
    let primary = Member::new(1, FULL_WEIGHT).limited(1);
    let members = Members::new(vec![
        Arc::new(backup),
        Arc::new(primary),
        Arc::new(Member::new(2, FULL_WEIGHT)),
    ]);
    let policy = RoundRobin::default();
    for _ in 0..10 {
        assert_ne!(pick(&policy, &members, &[]), Some(0));
    }
    members.set_available(2, false);
    assert_eq!(pick(&policy, &members, &[]), Some(1));
    assert!(members.member(1).is_some_and(Member::begin));
    assert_eq!(pick(&policy, &members, &[]), Some(0));
    members.member(1).into_iter().for_each(Member::end);
    assert_eq!(pick(&policy, &members, &[]), Some(1));
    assert_eq!(pick(&policy, &members, &[1]), Some(0));
    assert_eq!(pick(&policy, &members, &[0, 1]), None);
}

#[test]
fn a_pick_that_is_handed_back_is_the_next_one_again() {
    // Seen failing with an empty `hand_back`.
    let (policy, members) = (RoundRobin::default(), members(&[1, 1, 1]));
    assert_eq!(pick(&policy, &members, &[]), Some(0));
    assert_eq!(pick(&policy, &members, &[]), Some(1));
    policy.hand_back(&members, 1);
    assert_eq!(pick(&policy, &members, &[1]), Some(2));
    assert_eq!(pick(&policy, &members, &[]), Some(1));
    policy.hand_back(&members, 77);
}

#[test]
fn a_reload_that_keeps_the_members_keeps_the_place() {
    // Seen failing with a new state at each new set of members.
    let policy = RoundRobin::default();
    let old = members(&[1, 1, 1]);
    assert_eq!(pick(&policy, &old, &[]), Some(0));
    let shared = (0..3).filter_map(|index| old.share(index)).collect();
    let new = Members::new(shared);
    assert_eq!(pick(&policy, &new, &[]), Some(1));
    assert_eq!(pick(&policy, &new, &[]), Some(2));
}

#[test]
fn nobody_is_found_among_none_and_all_full() {
    // Seen failing with full members counted as free.
    let policy = RoundRobin::default();
    assert_eq!(pick(&policy, &members(&[]), &[]), None);
    let full = (0..40).map(|i| Arc::new(Member::new(i, 1).limited(0)));
    assert_eq!(pick(&policy, &Members::new(full.collect()), &[]), None);
}

#[test]
fn eight_threads_together_stay_within_the_bound() {
    // Seen failing with each thread at a policy of its own.
    let weights = [5, 1, 3, 1, 7];
    let whole = weights.iter().sum::<u32>() as i64;
    let scale = 2 * weights.len() as i64 - 2;
    let members = members(&weights);
    let policy = RoundRobin::default();
    let had: Vec<AtomicU64> = weights.iter().map(|_| AtomicU64::new(0)).collect();
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (policy, members, had, barrier) = (&policy, &members, &had, &barrier);
            scope.spawn(move || {
                for round in 1..=200_i64 {
                    for _ in 0..=thread {
                        if let Some(index) = pick(policy, members, &[]) {
                            had[index].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    barrier.wait();
                    for (had, &weight) in had.iter().zip(&weights) {
                        let had = had.load(Ordering::Relaxed) as i64;
                        let lag = round * 36 * i64::from(weight) - had * whole;
                        assert!(lag.abs() * scale <= whole * (scale - 1));
                    }
                    barrier.wait();
                }
            });
        }
    });
}
