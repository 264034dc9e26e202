use super::super::testing::{Random, members, pick};
use super::super::{FULL_WEIGHT, Member, Members};
use super::{LeastRequests, Policy};
use proptest::prelude::*;
use std::sync::Arc;

proptest! {
    #[test]
    fn the_pick_has_the_fewest_requests_for_its_weight(
        weights in prop::collection::vec(1..=1_000_u32, 1..=50), seed in any::<u64>()
    ) {
        // Seen failing with `released` empty, with weights left out of `compare`, and with the
        // winner's load not checked against the true one.
        let (policy, members, mut random) = (LeastRequests::default(), members(&weights), Random(seed));
        let mut running = Vec::new();
        for _ in 0..300 {
            if random.next().is_multiple_of(3) && !running.is_empty() {
                let index = running.swap_remove(random.next() as usize % running.len());
                member(&members, index).end();
                policy.released(&members, index);
                continue;
            }
            let excluded: Vec<usize> =
                (0..random.next() % 3).map(|_| random.next() as usize % weights.len()).collect();
            let Some(index) = pick(&policy, &members, &excluded) else {
                prop_assert!(weights.len() <= 2);
                continue;
            };
            let ratio = |i: usize| {
                u64::from(member(&members, i).in_flight()) * 1_000_000 / u64::from(weights[i])
            };
            let least = (0..weights.len()).filter(|i| !excluded.contains(i)).map(ratio).min();
            prop_assert_eq!(Some(ratio(index)), least);
            prop_assert!(!excluded.contains(&index));
            if random.next().is_multiple_of(8) {
                policy.hand_back(&members, index);
            } else {
                prop_assert!(member(&members, index).begin());
                running.push(index);
            }
            if random.next().is_multiple_of(50) {
                members.set_available(index, false);
                members.set_available(index, true);
            }
        }
    }

    #[test]
    fn idle_members_get_shares_by_weight_in_rotation(weights in prop::collection::vec(1..=9_u32, 1..=20)) {
        // Seen failing with the same step for every weight.
        let (policy, members) = (LeastRequests::default(), members(&weights));
        let mut had = vec![0_u32; weights.len()];
        for _ in 0..10 * weights.iter().sum::<u32>() {
            had[pick(&policy, &members, &[]).expect("all are free")] += 1;
        }
        for (had, weight) in had.into_iter().zip(weights) {
            prop_assert!(had.abs_diff(10 * weight) <= 9, "{had} of {}", 10 * weight);
        }
    }
}

#[test]
fn equal_members_without_load_go_round() {
    // Seen failing with the turn left out of `compare`.
    let (policy, members) = (LeastRequests::default(), members(&[1; 7]));
    let picks: Vec<_> = (0..21)
        .filter_map(|_| pick(&policy, &members, &[]))
        .collect();
    assert_eq!(picks, (0..21).map(|turn| turn % 7).collect::<Vec<_>>());
}

#[test]
fn a_pick_that_is_handed_back_is_the_next_one_again() {
    // Seen failing with an empty `hand_back`.
    let (policy, members) = (LeastRequests::default(), members(&[1; 3]));
    assert_eq!(pick(&policy, &members, &[]), Some(0));
    policy.hand_back(&members, 0);
    assert_eq!(pick(&policy, &members, &[0]), Some(1));
    assert_eq!(pick(&policy, &members, &[]), Some(0));
}

#[test]
fn a_member_that_returns_gets_no_burst_among_idle_ones() {
    // Seen failing with the turn of who was away not lifted to `now`.
    let (policy, members) = (LeastRequests::default(), members(&[1; 4]));
    members.set_available(3, false);
    for _ in 0..1_000 {
        assert_ne!(pick(&policy, &members, &[]), Some(3));
    }
    members.set_available(3, true);
    let picks: Vec<_> = (0..40)
        .filter_map(|_| pick(&policy, &members, &[]))
        .collect();
    for window in picks.windows(4) {
        assert!(
            window.iter().filter(|&&pick| pick == 3).count() <= 1,
            "{picks:?}"
        );
    }
}

#[test]
fn a_load_that_nobody_told_of_is_found_in_time() {
    // Seen failing with no looks in rotation.
    let (policy, members) = (LeastRequests::default(), members(&[1; 40]));
    for index in 0..40 {
        (0..5).for_each(|_| assert!(member(&members, index).begin()));
    }
    assert_eq!(pick(&policy, &members, &[]), Some(0));
    (0..5).for_each(|_| member(&members, 39).end());
    assert!((0..20).any(|_| pick(&policy, &members, &[]) == Some(39)));
}

#[test]
fn a_request_from_before_a_reload_is_counted_down_after_it() {
    // Seen failing with `released` going by the index instead of the identity.
    let policy = LeastRequests::default();
    let old = members(&[1; 60]);
    for index in 0..60 {
        (0..2).for_each(|_| assert!(member(&old, index).begin()));
    }
    let new = Members::new((0..60).rev().filter_map(|index| old.share(index)).collect());
    assert_eq!(pick(&policy, &new, &[]), Some(0));
    member(&old, 29).end();
    policy.released(&old, 29);
    assert_eq!(pick(&policy, &new, &[]), Some(30));
}

#[test]
fn a_limit_is_seen_and_its_end_as_well() {
    // Seen never ending with `is_full` left out of what is noted.
    let list = (1..=2).map(|i| Arc::new(Member::new(i, FULL_WEIGHT).limited(1)));
    let (policy, members) = (LeastRequests::default(), Members::new(list.collect()));
    for index in 0..2 {
        assert_eq!(pick(&policy, &members, &[]), Some(index));
        assert!(member(&members, index).begin());
    }
    assert_eq!(pick(&policy, &members, &[]), None);
    member(&members, 1).end();
    policy.released(&members, 1);
    assert_eq!(pick(&policy, &members, &[]), Some(1));
}

fn member(members: &Members, index: usize) -> &Member {
    members
        .member(index)
        .expect("the index is one of the members")
}
