//! The laws of the limit and of its table, and what the filter says of them; the wire is in tests/e2e/rate_limit.rs.

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::config::{Rate, Unit};
use crate::filter::example;
use allocation_counter::measure;
use pingora_http::ResponseHeader;
use proptest::prelude::*;
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

fn rate(requests: u32, per: Unit) -> Rate {
    Rate {
        requests: NonZeroU32::new(requests).unwrap(),
        per,
    }
}

fn limit(rate: Rate, burst: u32) -> Limit {
    Limit::new(rate, NonZeroU32::new(burst).unwrap())
}

/// What the limit means, word by word: the moments in nanoseconds at which requests were let pass, and whether one more
/// keeps to `burst + rate × t` in every time that ends with it.
#[derive(Default)]
struct Passed(Vec<u128>);

impl Passed {
    fn admit(&mut self, now: u128, rate: Rate, burst: u32) -> bool {
        let count = self.0.len();
        let holds = self.0.iter().enumerate().all(|(index, first)| {
            let requests = u128::from(rate.requests.get());
            let in_that_time = (now - first) * requests / rate.per.length().as_nanos();
            (count - index + 1) as u128 <= u128::from(burst) + in_that_time
        });
        if holds {
            self.0.push(now);
        }
        holds
    }
}

fn rates() -> impl Strategy<Value = Rate> {
    let units = prop_oneof![Just(Unit::Second), Just(Unit::Minute), Just(Unit::Hour)];
    let counts = prop_oneof![1..20u32, 1..=1_000_000u32, Just(999_983)];
    (counts, units).prop_map(|(requests, unit)| rate(requests, unit))
}

/// Times between requests, in thousandths of the rate's interval and nanoseconds.
fn gaps() -> impl Strategy<Value = Vec<(u128, u128)>> {
    let parts = prop_oneof![3 => Just(0), 3 => Just(1000), 3 => 0..2000u128, 1 => 0..9000u128];
    proptest::collection::vec((parts, 0..3u128), 1..60)
}

fn moments(rate: Rate, gaps: &[(u128, u128)]) -> Vec<u128> {
    let unit = rate.per.length().as_nanos();
    let mut now = 0;
    let after = |(parts, nanoseconds): &(u128, u128)| {
        now += unit * parts / 1000 / u128::from(rate.requests.get()) + nanoseconds;
        now
    };
    gaps.iter().map(after).collect()
}

fn nanoseconds(moment: u128) -> Duration {
    Duration::from_nanos(moment.try_into().unwrap())
}

proptest! {
    /// Seen to fail with a tolerance of `burst` intervals, and with an interval that is rounded to nanoseconds.
    #[test]
    fn what_passes_is_all_of_a_stream_that_keeps_to_burst_and_rate_and_no_more_of_any_other(
        rate in rates(), burst in 1..8u32, gaps in gaps()
    ) {
        let limit = limit(rate, burst);
        let (mut due, mut passed) = (0, Passed::default());
        for now in moments(rate, &gaps) {
            let admitted = limit.admit(due, limit.ticks(nanoseconds(now)));
            prop_assert_eq!(admitted.is_some(), passed.admit(now, rate, burst), "at {}", now);
            due = admitted.unwrap_or(due);
        }
    }

    /// Seen to fail without the `+ 1`, and with a wait until the request is due.
    #[test]
    fn as_many_are_available_as_then_pass_and_the_next_one_passes_after_the_wait_and_not_before(
        rate in rates(), burst in 1..8u32, due in 0..20_000u128, now in 0..20_000u128
    ) {
        let limit = limit(rate, burst);
        let (mut due, now) = (limit.time_of(due) / 1000, limit.time_of(now) / 1000);
        // No bucket lacks more than a whole burst.
        prop_assume!(due <= now + limit.time_of(burst.into()));
        let available = limit.available(due, now);
        for _ in 0..available {
            due = limit.admit(due, now).unwrap();
        }
        prop_assert_eq!(limit.admit(due, now), None);
        let wait = limit.wait(due, now);
        prop_assert!(limit.admit(due, now + wait).is_some());
        prop_assert_eq!(limit.admit(due, now + wait - 1), None);
        let seconds = u64::try_from(limit.seconds(wait)).unwrap();
        prop_assert!(limit.admit(due, now + limit.ticks(Duration::from_secs(seconds))).is_some());
    }

    /// Seen to fail with a newcomer that begins with a full bucket, and with one that takes over the first.
    #[test]
    fn no_key_gets_more_than_its_limit_however_many_keys_there_are(
        sets in 1..3usize, room in 1..4usize, burst in 1..5u32, gaps in gaps(),
        keys in proptest::collection::vec(0..8u8, 60)
    ) {
        let rate = rate(7, Unit::Second);
        let (table, limit) = (Table::of(sets, room), limit(rate, burst));
        let mut passed: [Passed; 8] = Default::default();
        for (now, key) in moments(rate, &gaps).into_iter().zip(keys) {
            let ticks = limit.ticks(nanoseconds(now));
            if table.admit(table.key(&[key]), ticks, &limit).is_ok() {
                prop_assert!(passed[usize::from(key)].admit(now, rate, burst));
            }
            prop_assert!(table.len() <= sets * room);
        }
    }

    /// Seen to fail with one bucket for all keys of a set.
    #[test]
    fn keys_that_there_is_room_for_know_nothing_of_each_other(
        burst in 1..5u32, gaps in gaps(), keys in proptest::collection::vec(0..8u8, 60)
    ) {
        let rate = rate(7, Unit::Second);
        let (table, limit) = (Table::of(1, 8), limit(rate, burst));
        let mut passed: [Passed; 8] = Default::default();
        for (now, key) in moments(rate, &gaps).into_iter().zip(keys) {
            let ticks = limit.ticks(nanoseconds(now));
            let admitted = table.admit(table.key(&[key]), ticks, &limit).is_ok();
            prop_assert_eq!(admitted, passed[usize::from(key)].admit(now, rate, burst));
        }
    }
}

/// Seen to fail without a bound, and with a newcomer that takes over the first bucket of its set, full.
#[test]
fn a_million_keys_take_bounded_space_and_do_not_make_the_abuser_forgotten() {
    let (table, limit) = (Table::new(), limit(rate(10, Unit::Minute), 10));
    let abuser = table.key(b"abuser");
    while table.admit(abuser, 0, &limit).is_ok() {}
    for other in 0..1_000_000_u32 {
        let _ = table.admit(table.key(&other.to_ne_bytes()), 0, &limit);
        if other % 100 == 0 {
            assert!(table.admit(abuser, 0, &limit).is_err(), "after {other}");
        }
    }
    assert!(table.len() <= 262_144, "{} buckets", table.len());
    assert!(
        table.len() > 200_000,
        "only {}, so none had to go",
        table.len()
    );
    let later = limit.ticks(Duration::from_secs(60));
    assert_eq!(limit.available(table.due(abuser, later), later), 10);
    let newcomer = table.key(b"newcomer");
    assert_eq!(limit.available(table.due(newcomer, later), later), 10);
}

/// Seen to fail with one that takes over the newest, and with one that is taken in without a bucket.
#[test]
fn a_newcomer_lacks_what_the_fullest_bucket_of_a_full_set_lacks() {
    let (table, limit) = (Table::of(1, 3), limit(rate(1, Unit::Second), 10));
    let at = |seconds| limit.ticks(Duration::from_secs(seconds));
    let send = |key: &[u8], requests, now| {
        let key = table.key(key);
        let asked = (0..requests).filter(|_| table.admit(key, now, &limit).is_ok());
        assert_eq!(asked.count(), requests);
        limit.available(table.due(key, now), now)
    };
    assert_eq!(send(b"a", 7, at(0)), 3);
    assert_eq!(send(b"b", 4, at(0)), 6);
    assert_eq!(send(b"c", 5, at(0)), 5);
    assert_eq!(send(b"d", 1, at(0)), 5, "after the four of b");
    assert_eq!(send(b"b", 1, at(0)), 4, "after the five of c");
    assert_eq!(send(b"a", 1, at(0)), 2, "which nobody has taken over");
    assert_eq!(send(b"e", 1, at(5)), 9, "as d has all its burst again");
    assert_eq!(table.len(), 3);
}

/// Seen to fail with a lock that is let go between looking and counting.
#[test]
fn threads_that_share_a_key_share_its_limit_to_the_request() {
    let (table, limit) = (Table::new(), limit(rate(100, Unit::Second), 200_000));
    let key = table.key(b"shared");
    let passed = |now| -> usize {
        let ask = || {
            let asked = (0..50_000).filter(|_| table.admit(key, now, &limit).is_ok());
            asked.count()
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum()
        })
    };
    assert_eq!(passed(0), 200_000);
    assert_eq!(passed(limit.ticks(Duration::from_millis(70))), 7);
}

fn filter(rate: Rate, burst: u32, key: &str) -> RateLimit {
    let key = match key {
        "$remote_addr" => LimitKey::Client,
        text => LimitKey::Text(Template::parse(text).unwrap()),
    };
    RateLimit::new(&config::RateLimit {
        rate,
        burst: NonZeroU32::new(burst).unwrap(),
        key,
        status: StatusCode::TOO_MANY_REQUESTS,
    })
}

/// Requests at a moment that is the test's.
struct Now(Instant);

impl Now {
    fn ask(&self, filter: &RateLimit, client: &str, headers: &[(&'static str, &str)]) -> Verdict {
        let sent = example::request("GET", "/", headers);
        let record = example::record(&sent, "/", client.parse().unwrap());
        filter.request(&mut RequestHead::new(&sent), &Facts::new(&record, self.0))
    }

    fn passes(&self, filter: &RateLimit, client: &str, headers: &[(&'static str, &str)]) -> bool {
        matches!(self.ask(filter, client, headers), Verdict::Pass)
    }

    /// `RateLimit-Policy` and `RateLimit` of an answer to this client.
    fn told(&self, filter: &RateLimit, client: &str) -> [String; 2] {
        let sent = example::request("GET", "/", &[]);
        let record = example::record(&sent, "/", client.parse().unwrap());
        let mut answer = ResponseHeader::build(200, None).unwrap();
        let mut head = ResponseHead::new(&mut answer);
        filter.response(&mut head, &Facts::new(&record, self.0));
        ["ratelimit-policy", "ratelimit"].map(|name| {
            let value = answer.headers[name].to_str();
            value.unwrap().to_owned()
        })
    }
}

fn now() -> Now {
    Now(SystemClock.now())
}

const CLIENT: &str = "192.0.2.1";

/// Seen to fail with the time until the bucket is full in `t`.
#[test]
fn a_client_is_told_what_is_left_and_how_long_it_is_to_last() {
    let now = now();
    let slow = filter(rate(10, Unit::Minute), 3, "$remote_addr");
    let told = |limit: &str| ["\"10/m\";q=10;w=60".to_owned(), limit.to_owned()];
    for limit in ["\"10/m\";r=2;t=12", "\"10/m\";r=1;t=6", "\"10/m\";r=0;t=6"] {
        assert!(now.passes(&slow, CLIENT, &[]));
        assert_eq!(now.told(&slow, CLIENT), told(limit));
    }
    let later = Now(now.0 + Duration::from_millis(1500));
    let Verdict::Answer(answer) = later.ask(&slow, CLIENT, &[]) else {
        panic!("let pass");
    };
    let lines: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.as_header().as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            ("ratelimit-policy", "\"10/m\";q=10;w=60"),
            ("ratelimit", "\"10/m\";r=0;t=5"),
            ("retry-after", "5"),
        ]
    );
    // More than the rate's count may come at once, but nobody is told to.
    let bursting = filter(rate(5, Unit::Second), 50, "$remote_addr");
    assert_eq!(now.told(&bursting, CLIENT)[1], "\"5/s\";r=5;t=1");
}

/// Seen to fail with whole addresses.
#[test]
fn an_ipv6_client_counts_by_its_network_and_a_mapped_one_as_ipv4() {
    for key in ["$remote_addr", "$host $remote_addr", "$realip_remote_addr"] {
        let (now, filter) = (now(), filter(rate(1, Unit::Hour), 1, key));
        for (client, passes) in [
            ("2001:db8:0:1::1", true),
            ("2001:db8:0:1:ffff::2", false),
            ("2001:db8:0:2::1", true),
            ("192.0.2.1", true),
            ("192.0.2.2", true),
            ("::ffff:192.0.2.1", false),
        ] {
            assert_eq!(now.passes(&filter, client, &[]), passes, "{key} {client}");
        }
    }
}

/// Seen to fail with an empty key that is counted.
#[test]
fn requests_with_one_text_share_a_limit_and_those_with_none_have_none() {
    let (now, by_key) = (now(), filter(rate(1, Unit::Hour), 1, "$http_x_key"));
    let long = "x".repeat(100_000);
    for (key, passes) in [
        ("a", true),
        ("a", false),
        ("b", true),
        (&long, true),
        (&long, false),
    ] {
        assert_eq!(now.passes(&by_key, CLIENT, &[("X-Key", key)]), passes);
    }
    for _ in 0..3 {
        assert!(now.passes(&by_key, CLIENT, &[]));
    }
    let shared = filter(rate(1, Unit::Hour), 1, "all");
    assert!(now.passes(&shared, CLIENT, &[]) && !now.passes(&shared, "192.0.2.9", &[]));
}

#[test]
fn a_client_that_is_known_is_let_pass_without_allocating() {
    let (now, filter) = (now(), filter(rate(100, Unit::Second), 100, "$remote_addr"));
    let sent = example::request("GET", "/", &[]);
    let record = example::record(&sent, "/", CLIENT.parse().unwrap());
    let facts = Facts::new(&record, now.0);
    let ask = || filter.request(&mut RequestHead::new(&sent), &facts);
    assert!(matches!(ask(), Verdict::Pass));
    let counted = measure(|| assert!(matches!(ask(), Verdict::Pass)));
    assert_eq!(counted.count_total, 0);
}
