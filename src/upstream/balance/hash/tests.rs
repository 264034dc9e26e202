use super::super::testing::Random;
use super::super::{FULL_WEIGHT, Member, Members};
use super::ring::Ring;
use super::{Hash, Policy, Request, Tier};
use proptest::prelude::*;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

const KEYS: usize = 2_000;

#[test]
fn removing_a_member_moves_only_its_keys() {
    // Seen failing with places that depend on the slot instead of the identity.
    for count in 2..=9_u64 {
        let all = set(&(1..=count).map(|i| (i, 1)).collect::<Vec<_>>());
        let before = owners(&Hash::new(), &all);
        for gone in 0..count as usize {
            let policy = Hash::new();
            owners(&policy, &all);
            all.set_available(gone, false);
            let (kept, fresh) = (owners(&policy, &all), owners(&Hash::new(), &all));
            for ((before, after), fresh) in before.iter().zip(kept).zip(fresh) {
                assert!(*before == after || *before == gone && after != gone);
                assert_eq!(after, fresh);
            }
            all.set_available(gone, true);
            assert_eq!(before, owners(&policy, &all));
        }
    }
}

#[test]
fn adding_a_member_moves_keys_only_to_it_and_not_many() {
    // Seen failing with a number of points that depends on how many members there are.
    for count in [1, 2, 5, 10, 30] {
        let few = set(&(1..=count).map(|i| (i, 1)).collect::<Vec<_>>());
        let more = set(&(1..=count + 1).map(|i| (i, 1)).collect::<Vec<_>>());
        let (before, after) = (owners(&Hash::new(), &few), owners(&Hash::new(), &more));
        let moved = before
            .iter()
            .zip(&after)
            .filter(|(before, after)| before != after);
        let moved: Vec<usize> = moved.map(|(_, after)| *after).collect();
        assert!(moved.iter().all(|&to| to == count as usize));
        let share = KEYS as f64 / (count + 1) as f64;
        assert!(
            (moved.len() as f64) < share * 4.0 / 3.0,
            "{} of {share}",
            moved.len()
        );
    }
}

#[test]
fn shares_follow_weights() {
    // Seen failing with distances that do not depend on the digit.
    for weights in [
        vec![1; 10],
        vec![1, 2, 3, 4],
        vec![100, 37, 5],
        vec![999, 1_000, 501],
    ] {
        let list: Vec<(u64, u32)> = (1..).zip(weights.iter().copied()).collect();
        let owners = owners(&Hash::new(), &set(&list));
        let total: u32 = weights.iter().sum();
        for (index, &weight) in weights.iter().enumerate() {
            let share = (KEYS as u32 * weight) as f64 / f64::from(total);
            let had = owners.iter().filter(|&&owner| owner == index).count() as f64;
            let off = (had - share).abs();
            assert!(
                off < share * 0.25 + 3.0 * share.sqrt(),
                "{had} of {share} in {weights:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_change_of_one_member_moves_no_key_between_others(
        weights in prop::collection::vec(1..=1_000_u32, 2..=50), weight in 1..=1_000_u32
    ) {
        // Seen failing with distances measured against the sum of the weights.
        let list: Vec<(u64, u32)> = (1..).zip(weights).collect();
        let (members, policy) = (set(&list), Hash::new());
        let before = owners(&policy, &members);
        members.set_weight(0, weight * FULL_WEIGHT);
        for (before, after) in before.iter().zip(owners(&policy, &members)) {
            prop_assert!(*before == after || *before == 0 || after == 0);
        }
    }

    #[test]
    fn the_order_in_the_file_and_what_was_before_do_not_matter(
        weights in prop::collection::vec(0..=1_000_u32, 1..=30), seed in any::<u64>()
    ) {
        // Seen failing with the points of those who stay left with their old slots.
        let mut list: Vec<(u64, u32)> = (1..).zip(weights).collect();
        let (policy, mut random) = (Hash::new(), Random(seed));
        for _ in 0..4 {
            list.sort_by_cached_key(|_| random.next());
            let part = &list[..1 + random.next() as usize % list.len()];
            let mut sorted = part.to_vec();
            sorted.sort_unstable();
            let (members, fresh) = (set(part), set(&sorted));
            let identity = |members: &Members, index: usize| members.member(index).map(Member::identity);
            let (now, then) = (owners(&policy, &members), owners(&Hash::new(), &fresh));
            for (now, then) in now.into_iter().zip(then) {
                prop_assert_eq!(identity(&members, now), identity(&fresh, then));
            }
        }
    }

    #[test]
    fn no_load_passes_the_bound_though_all_want_the_same_member(
        weights in prop::collection::vec(1..=20_u32, 1..=50), keys in 1..20_u64, seed in any::<u64>()
    ) {
        // Seen failing without the bound, and with the sum of the loads never noted.
        let list: Vec<(u64, u32)> = (1..).zip(weights.iter().copied()).collect();
        let members = set(&list);
        let policy = Hash::bounded(NonZeroU32::MIN.saturating_add(124));
        let (mut random, mut running) = (Random(seed), Vec::new());
        let whole: u32 = weights.iter().sum();
        for _ in 0..300 {
            if random.next().is_multiple_of(3) && !running.is_empty() {
                let index: usize = running.swap_remove(random.next() as usize % running.len());
                members.member(index).into_iter().for_each(Member::end);
                policy.released(&members, index);
                continue;
            }
            let index = owner(&policy, &members, random.next() % keys);
            let member = members.member(index).expect("a pick is one of the members");
            prop_assert!(member.begin());
            running.push(index);
            let most = (125 * running.len() as u32 * weights[index]).div_ceil(100 * whole);
            prop_assert!(member.in_flight() <= most, "{} of {most}", member.in_flight());
        }
    }

    #[test]
    fn a_bound_that_is_not_reached_changes_nothing(count in 2..=50_u64) {
        // Seen failing with one request too few within the bound.
        let members = set(&(1..=count).map(|i| (i, 1)).collect::<Vec<_>>());
        for index in 1..count as usize {
            prop_assert!(members.member(index).is_some_and(Member::begin));
        }
        let (bounded, plain) = (Hash::bounded(NonZeroU32::MIN.saturating_add(124)), Hash::new());
        for key in 0..200 {
            let index = owner(&bounded, &members, key);
            prop_assert_eq!(index, owner(&plain, &members, key));
            // It was not begun.
            bounded.hand_back(&members, index);
        }
    }
}

#[test]
fn the_next_choice_of_a_key_is_where_it_would_go_without_the_first() {
    // Seen failing with excluded members replaced by the next one in the file.
    let members = set(&(1..=10).map(|i| (i, 1)).collect::<Vec<_>>());
    let policy = Hash::new();
    for key in 0..100_u64 {
        let first = owner(&policy, &members, key);
        let second = pick(&policy, &members, key, &[first]);
        members.set_available(first, false);
        assert_eq!(second, pick(&policy, &members, key, &[]));
        members.set_available(first, true);
    }
}

#[test]
fn a_walk_passes_every_point_once() {
    // Seen failing with the ends of the rings not joined.
    let members = set(&[(1, 1), (2, 3), (3, 999)]);
    let ring = Ring::resume(None, members.tier(Tier::Primary));
    let mut had = [0; 3];
    ring.walk(u64::MAX - 5).for_each(|slot| had[slot] += 1);
    assert_eq!(had, [160, 2 * 160, (999_u32 * 8).count_ones() * 160]);
}

#[test]
fn a_walk_starts_at_the_first_point_from_the_hash_on() {
    // Seen failing with parts that begin at their second point.
    let members = set(&(1..=20).map(|i| (i, 1)).collect::<Vec<_>>());
    let (ring, mut random) = (Ring::resume(None, members.tier(Tier::Primary)), Random(1));
    // Weight 1 is eight eighths.
    let ring = ring.digit(3);
    let places = ring.places();
    let edges = [0, 1, u64::MAX, places[0], places[0] + 1];
    for hash in edges.into_iter().chain((0..5_000).map(|_| random.next())) {
        let wanted = places.iter().position(|&place| place >= hash);
        assert_eq!(ring.start(hash), wanted.unwrap_or(places.len()));
    }
}

fn owners(policy: &Hash, members: &Members) -> Vec<usize> {
    (0..KEYS as u64)
        .map(|key| owner(policy, members, key))
        .collect()
}

fn owner(policy: &Hash, members: &Members, key: u64) -> usize {
    pick(policy, members, key, &[]).expect("all are free")
}

fn pick(policy: &Hash, members: &Members, key: u64, excluded: &[usize]) -> Option<usize> {
    let key = format!("192.0.2.{key}");
    policy.pick(
        members,
        &mut Request {
            key: key.as_bytes(),
            now: Duration::ZERO,
            random: &mut || 0,
            excluded,
        },
    )
}

/// Members by identity and weight; a weight of 0 stands for the least there is.
fn set(list: &[(u64, u32)]) -> Members {
    let member = |&(identity, weight)| Arc::new(Member::new(identity, weight * FULL_WEIGHT));
    Members::new(list.iter().map(member).collect())
}
