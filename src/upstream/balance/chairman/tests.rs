use super::super::testing::Random;
use super::{Chairman, Entrant, REBASE_AFTER, Standing};
use proptest::prelude::*;

#[test]
fn every_small_set_of_weights_stays_within_the_bound_at_every_turn() {
    // Seen failing with every seat free to go at any time, and with the order by deadline turned
    // round.
    for seats in 1..=5_u32 {
        for code in 0..5_u32.pow(seats) {
            let weights: Vec<u32> = (0..seats).map(|i| code / 5_u32.pow(i) % 5 + 1).collect();
            let turns = 2 * weights.iter().sum::<u32>();
            assert_within_bound(&weights, turns);
        }
    }
}

#[test]
fn equal_weights_go_round_exactly() {
    // Seen failing with turns not counted, and with ties turned round.
    for seats in 1..=50 {
        let mut chairman = start(&vec![3_000; seats]);
        for turn in 0..5 * seats {
            assert_eq!(take(&mut chairman), turn % seats);
        }
    }
}

#[test]
fn a_seat_that_leaves_and_returns_does_not_change_the_order_of_the_others() {
    // Seen failing with lags not carried over: the order then starts again at the first seat.
    for (seats, away, before) in (3..8_usize).flat_map(|seats| {
        (0..seats).flat_map(move |away| (0..2 * seats).map(move |before| (seats, away, before)))
    }) {
        let all: Vec<Entrant> = entrants(&vec![1_000; seats]);
        let without = all.iter().copied().filter(|e| e.index != away);
        let mut chairman = start_with(&all);
        let mut order: Vec<usize> = (0..before).map(|_| take(&mut chairman)).collect();
        let mut chairman = Chairman::resume(&chairman, without);
        order.extend((0..2 * seats).map(|_| take(&mut chairman)));
        let mut chairman = Chairman::resume(&chairman, all.into_iter());
        let returned: Vec<usize> = (0..3 * seats).map(|_| take(&mut chairman)).collect();
        for window in returned.windows(seats) {
            let mut window = window.to_vec();
            window.sort_unstable();
            assert_eq!(window, (0..seats).collect::<Vec<_>>());
        }
        order.extend(returned);
        order.retain(|&index| index != away);
        for pair in order.windows(2) {
            let next = (1..)
                .map(|step| (pair[0] + step) % seats)
                .find(|&i| i != away);
            assert_eq!(
                Some(pair[1]),
                next,
                "{seats} seats, {away} away after {before}"
            );
        }
    }
}

#[test]
fn a_heavy_seat_does_not_wait_behind_all_that_are_late() {
    // Seen failing with late seats in the order of their deadlines.
    let mut all = entrants(&[1_000_000; 200]);
    let mut chairman = start_with(&all);
    for _ in 0..130 {
        all[take(&mut chairman)].weight = 1;
        chairman = Chairman::resume(&chairman, all.iter().copied());
    }
    // The seventy that had no turn are late by now, and then nearly all is due to another one.
    all.iter_mut().for_each(|entrant| entrant.weight = 1);
    all[0].weight = 1_000_000;
    let mut chairman = Chairman::resume(&chairman, all.iter().copied());
    for _ in 0..70 {
        take(&mut chairman);
        assert!(chairman.lag(0) < 6 * chairman.turn);
    }
}

#[test]
fn a_full_seat_loses_its_turns_and_returns_without_a_burst() {
    // Seen failing with a full seat treated as an excluded one that keeps its growing lag.
    let mut chairman = start(&[5_000, 3_000, 2_000]);
    let mut turns = [0_u32; 3];
    for _ in 0..5_000 {
        turns[take_unless(&mut chairman, |index| index == 0)] += 1;
    }
    assert_eq!(turns[0], 0);
    assert!(
        turns[1].abs_diff(3_000) <= 2,
        "{turns:?}: the others share by weight"
    );
    let mut turns = [0_u32; 3];
    for turn in 1..=1_000_u32 {
        turns[take(&mut chairman)] += 1;
        let even = [turn * 5 / 10, turn * 3 / 10, turn * 2 / 10];
        for (had, share) in turns.into_iter().zip(even) {
            assert!(
                had.abs_diff(share) <= 2,
                "{turns:?} after {turn}, not {even:?}"
            );
        }
    }
}

#[test]
fn a_seat_that_only_one_request_cannot_use_is_the_next_one_again() {
    // Seen failing with an excluded seat treated as a full one.
    let mut chairman = start(&[1_000; 4]);
    assert_eq!(chairman.next(|_| Standing::Free, || true), Some(0));
    let next = chairman.next(
        |index| {
            if index == 1 {
                Standing::Excluded
            } else {
                Standing::Free
            }
        },
        || true,
    );
    assert_eq!(next, Some(2));
    assert_eq!(take(&mut chairman), 1);
    assert_eq!(take(&mut chairman), 3);
}

#[test]
fn a_turn_for_which_nobody_is_free_changes_nothing() {
    // Seen failing with the clock left where the search had moved it.
    let weights = [7_000, 1_000, 2_000, 9_000];
    let (mut chairman, mut undisturbed) = (start(&weights), start(&weights));
    for _ in 0..100 {
        assert_eq!(chairman.next(|_| Standing::Full, || false), None);
        assert_eq!(take(&mut chairman), take(&mut undisturbed));
    }
}

#[test]
fn the_heaps_stay_small_when_every_turn_is_taken_back() {
    // Seen failing with the rebuild in `take_back` dropped.
    let mut chairman = start(&[1_000, 5_000, 3_000]);
    for _ in 0..1_000 {
        let index = take(&mut chairman);
        chairman.take_back(index);
        assert!(chairman.waiting.len() + chairman.ready.len() <= 2 * 3);
    }
}

#[test]
fn setting_the_clock_back_changes_no_turn() {
    // Seen failing with the clock set to 0 and the credits left alone.
    let weights = [7_000, 1_000, 2_000, 9_000, 1];
    let (mut late, mut early) = (start(&weights), start(&weights));
    let shift = REBASE_AFTER - 20;
    late.clock += shift;
    for seat in &mut late.seats {
        seat.credit -= shift * seat.pace;
    }
    late.reseat_all();
    for _ in 0..200 {
        assert_eq!(take(&mut late), take(&mut early));
    }
    assert!(late.clock < shift);
}

proptest! {
    #[test]
    fn any_weights_stay_within_the_bound_at_every_turn(
        weights in prop::collection::vec(1..=1_000_000_u32, 1..=50)
    ) {
        // Seen failing with `limit` at one whole turn, and with deadlines not divided by the pace.
        assert_within_bound(&weights, 600);
    }

    #[test]
    fn few_heavy_and_many_light_seats_stay_within_the_bound(
        heavy in prop::collection::vec(1..=1_000_u32, 1..=3),
        light in prop::collection::vec(1..=5_u32, 1..=47),
    ) {
        assert_within_bound(&[heavy, light].concat(), 2_000);
    }

    #[test]
    fn over_changes_no_seat_is_a_turn_ahead_nor_a_harmonic_number_behind(
        seed in any::<u64>(), seats in 2..=12_usize, period in 1..=40_u64
    ) {
        // Seen failing with `balance` dropped.
        let mut random = Random(seed);
        let mut all = entrants(&vec![1_000; seats]);
        let mut chairman = start_with(&all);
        for _ in 0..60 {
            for entrant in &mut all {
                entrant.weight = weight(&mut random);
            }
            let present = all.iter().copied().filter(|_| !random.next().is_multiple_of(4));
            chairman = Chairman::resume(&chairman, present.collect::<Vec<_>>().into_iter());
            assert_segment_within_bounds(&mut chairman, random.next() % period, seats);
        }
    }

    #[test]
    fn a_seat_that_joins_gets_no_burst(
        weights in prop::collection::vec(1..=1_000_u32, 2..=20), before in 0..200_u32
    ) {
        // Seen failing with a start lag of two turns.
        let all = entrants(&weights);
        let mut chairman = start_with(&all[1..]);
        (0..before).for_each(|_| { take(&mut chairman); });
        let mut chairman = Chairman::resume(&chairman, all.iter().copied());
        let (total, pace) = (chairman.turn, chairman.seats[0].pace);
        let mut had = 0;
        for turn in 1..=500 {
            had += i128::from(take(&mut chairman) == 0);
            prop_assert!(had * total - turn * pace <= total - chairman.start);
        }
    }

    #[test]
    fn a_weight_that_ramps_at_every_turn_starves_nobody(
        weights in prop::collection::vec(1..=9_u32, 2..=6)
    ) {
        // Seen failing with lags not carried over: then only heavy seats ever go.
        let mut all = entrants(&weights.iter().map(|weight| weight * 1_000).collect::<Vec<_>>());
        let mut chairman = start_with(&all);
        let mut had = vec![0_u32; weights.len()];
        let turns = 20 * weights.iter().sum::<u32>();
        for turn in 0..turns {
            all[0].weight = weights[0] * 1_000 + turn % 2;
            chairman = Chairman::resume(&chairman, all.iter().copied());
            had[take(&mut chairman)] += 1;
        }
        for (index, weight) in weights.iter().enumerate() {
            prop_assert!(had[index].abs_diff(20 * weight) <= 4, "{:?} of {:?}", had, weights);
        }
    }

    #[test]
    fn a_reload_in_another_order_changes_no_turn(
        weights in prop::collection::vec(1..=1_000_u32, 1..=20), changed in 1..=1_000_u32,
        before in 0..60_u32, reloads in prop::collection::vec(0..60_u32, 1..6)
    ) {
        // Seen failing with lags carried over without regard to identity.
        let mut all = entrants(&weights);
        let mut calm = start_with(&all);
        (0..before).for_each(|_| { take(&mut calm); });
        all[0].weight = changed;
        calm = Chairman::resume(&calm, all.iter().copied());
        let turned: Vec<Entrant> =
            all.iter().rev().zip(0..).map(|(e, index)| Entrant { index, ..*e }).collect();
        let mut reloaded = Chairman::resume(&calm, all.iter().copied());
        let orders = [turned, all];
        for (order, turns) in orders.iter().cycle().zip(reloads) {
            reloaded = Chairman::resume(&reloaded, order.iter().copied());
            for _ in 0..turns {
                let (left, right) = (take(&mut calm), take(&mut reloaded));
                let (left, right) = (calm.seats[left], reloaded.seats[right]);
                if left.identity != right.identity {
                    // A tie may fall either way; what follows may then differ.
                    prop_assert_eq!(deadline(&calm, left), deadline(&reloaded, right));
                    return Ok(());
                }
            }
        }
    }

    #[test]
    fn turns_taken_back_leave_no_trace(
        weights in prop::collection::vec(1..=1_000_u32, 1..=20), seed in any::<u64>()
    ) {
        // Seen failing with the clock not set back.
        let mut random = Random(seed);
        let (mut calm, mut torn) = (start(&weights), start(&weights));
        for _ in 0..200 {
            let refused: Vec<usize> = (0..random.next() % 4).map(|_| take(&mut torn)).collect();
            refused.iter().rev().for_each(|&index| torn.take_back(index));
            prop_assert_eq!(take(&mut calm), take(&mut torn));
        }
    }
}

fn assert_within_bound(weights: &[u32], turns: u32) {
    let total: i128 = weights.iter().map(|&w| i128::from(w)).sum();
    // With one seat every turn is its exact share.
    let scale = 2 * weights.len() as i128 - 2;
    let mut chairman = start(weights);
    let mut had = vec![0_i128; weights.len()];
    for turn in 1..=i128::from(turns) {
        had[take(&mut chairman)] += 1;
        for (&had, &weight) in had.iter().zip(weights) {
            let lag = turn * i128::from(weight) - had * total;
            assert!(
                lag.abs() * scale <= total * (scale - 1).max(0),
                "{weights:?}, turn {turn}: {had} turns of a weight of {weight}"
            );
        }
    }
}

/// Checks lags against counts of its own, and against the bounds.
fn assert_segment_within_bounds(chairman: &mut Chairman, turns: u64, most: usize) {
    let whole = chairman.turn;
    let seats = chairman.seats.len();
    if seats == 0 {
        assert_eq!(chairman.next(|_| Standing::Free, || true), None);
        return;
    }
    // 1 − e, and 1 − e + 1/2 + … + 1/n, each part rounded up.
    let ahead = whole - whole / (2 * most as i128 - 2);
    let behind = ahead + (2..=most as i128).map(|k| whole / k + 1).sum::<i128>();
    let mut lags: Vec<i128> = (0..seats).map(|seat| chairman.lag(seat)).collect();
    assert_eq!(lags.iter().sum::<i128>(), 0);
    for _ in 0..turns {
        let index = take(chairman);
        for (seat, lag) in lags.iter_mut().enumerate() {
            let goes = chairman.seats[seat].index == index;
            *lag += chairman.seats[seat].pace - if goes { whole } else { 0 };
            assert_eq!(*lag, chairman.lag(seat));
            assert!(-ahead <= *lag && *lag <= behind);
        }
    }
}

/// How many turns a seat could still have waited when it had its last one.
fn deadline(chairman: &Chairman, seat: super::Seat) -> f64 {
    let lag = seat.credit + chairman.clock * seat.pace + chairman.turn;
    (chairman.limit - lag) as f64 / seat.pace as f64
}

fn weight(random: &mut Random) -> u32 {
    match random.next() % 3 {
        0 => 1,
        1 => (random.next() % 9) as u32 + 1,
        _ => (random.next() % 1_000_000) as u32 + 1,
    }
}

fn take(chairman: &mut Chairman) -> usize {
    take_unless(chairman, |_| false)
}

fn take_unless(chairman: &mut Chairman, full: impl Fn(usize) -> bool) -> usize {
    let standing = |index| {
        if full(index) {
            Standing::Full
        } else {
            Standing::Free
        }
    };
    chairman
        .next(standing, || true)
        .expect("somebody is always free here")
}

fn start(weights: &[u32]) -> Chairman {
    start_with(&entrants(weights))
}

fn start_with(entrants: &[Entrant]) -> Chairman {
    Chairman::resume(&Chairman::default(), entrants.iter().copied())
}

fn entrants(weights: &[u32]) -> Vec<Entrant> {
    weights
        .iter()
        .enumerate()
        .map(|(index, &weight)| Entrant {
            index,
            identity: index as u64 + 1,
            weight,
        })
        .collect()
}
