use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, ManualClock};
use crate::config;
use crate::upstream::address::Address;
use crate::upstream::{Health, Resolver, Upstream};

/// An upstream of three backends, and a clock that is moved by hand.
struct Scene {
    upstream: Upstream,
    clock: Arc<ManualClock>,
}

impl Scene {
    fn new(keys: &str) -> Self {
        let file = format!(
            "listeners: [{{ address: 127.0.0.1:0 }}]
upstreams:
  web:
    backends: [10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80]
    {keys}
routes: [{{ upstream: web }}]"
        );
        let config =
            config::parse("test", &file, &|_| None).unwrap_or_else(|faults| panic!("{faults}"));
        let clock = Arc::new(ManualClock::default());
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        let resolver = Arc::new(Resolver::new(config::Resolver::default()));
        let upstream = config.into_inner().upstreams.remove(0);
        let upstream = Upstream::new(upstream, &shared, &resolver);
        let scene = Self { upstream, clock };
        scene.wait(scene.upstream.publish_backends());
        scene
    }

    fn wait<T>(&self, end: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(end)
    }

    fn after(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Requests to this backend that fail.
    fn fail(&self, backend: u8, times: usize) {
        for _ in 0..times {
            let elsewhere = |other: &crate::upstream::Backend| *other.address() != address(backend);
            let attempt = self.upstream.pick(b"", &elsewhere).unwrap();
            let now = self.clock.now();
            self.upstream
                .failed(&attempt, &"connection_refused", Duration::ZERO, now);
        }
    }

    fn tell(&self, backend: u8, health: Health) {
        let roster = &self.upstream.roster;
        roster.tell_health(&address(backend), health);
    }

    /// The next requests are shared like this, but for the one that a change of the lineup may move; nobody who is out gets any.
    fn assert_shares(&self, requests: usize, expected: [usize; 3]) {
        let shares = self.shares(requests);
        for (share, expected) in std::iter::zip(shares, expected) {
            let is_close = share.abs_diff(expected) <= 1 && (expected > 0 || share == 0);
            assert!(is_close, "{shares:?}");
        }
    }

    /// How many of the next requests each backend gets.
    fn shares(&self, requests: usize) -> [usize; 3] {
        let mut shares = [0; 3];
        for _ in 0..requests {
            let attempt = self.upstream.pick(b"", &|_| false).unwrap();
            let Some(SocketAddr::V4(address)) = attempt.backend().address().as_inet() else {
                panic!("only IPv4 here");
            };
            shares[usize::from(address.ip().octets()[3]) - 1] += 1;
        }
        shares
    }
}

fn address(backend: u8) -> Address {
    Address::Inet(([10, 0, 0, backend], 80).into())
}

#[test]
fn failed_requests_eject_a_backend_until_its_time_is_over() {
    let scene = Scene::new("outlier: { failures: 5, eject: 10s }");
    scene.fail(1, 4);
    scene.assert_shares(30, [10, 10, 10]);
    scene.fail(1, 5);
    scene.assert_shares(30, [0, 15, 15]);
    scene.after(9);
    scene.assert_shares(30, [0, 15, 15]);
    scene.after(1);
    scene.assert_shares(30, [10, 10, 10]);
}

#[test]
fn at_most_the_allowed_share_of_an_upstream_is_ejected() {
    // Seen failing with `has_room` always true.
    let scene = Scene::new("outlier: { failures: 1, max_ejected: 67% }");
    (1..=3).for_each(|backend| scene.fail(backend, 1));
    scene.assert_shares(30, [0, 0, 30]);
}

#[test]
fn an_ejected_backend_is_used_before_a_request_is_refused_and_a_backend_that_is_down_is_not() {
    let scene = Scene::new(
        "outlier: { failures: 1, max_ejected: 100% }\n    health_check: { tcp: {}, interval: 1h }",
    );
    (1..=3).for_each(|backend| scene.tell(backend, Health::Up));
    (1..=3).for_each(|backend| scene.fail(backend, 1));
    scene.assert_shares(30, [10, 10, 10]);
    scene.tell(1, Health::Down);
    scene.tell(2, Health::Down);
    scene.assert_shares(30, [0, 0, 30]);
    scene.tell(3, Health::Down);
    assert!(scene.upstream.pick(b"", &|_| false).is_none());
}

#[test]
fn a_backend_that_has_come_back_is_spared_for_the_time_of_slow_start() {
    let scene = Scene::new("slow_start: 20s\n    outlier: { failures: 1, eject: 10s }");
    scene.assert_shares(30, [10, 10, 10]);
    scene.fail(1, 1);
    scene.after(10);
    scene.assert_shares(410, [10, 200, 200]);
    scene.after(10);
    scene.assert_shares(50, [10, 20, 20]);
    scene.after(10);
    scene.assert_shares(30, [10, 10, 10]);
}

#[test]
fn after_good_checks_a_backend_is_spared_and_one_that_was_there_at_the_start_is_not() {
    let scene = Scene::new("slow_start: 20s\n    health_check: { tcp: {}, interval: 1h }");
    (1..=3).for_each(|backend| scene.tell(backend, Health::Up));
    scene.assert_shares(30, [10, 10, 10]);
    scene.tell(2, Health::Down);
    scene.assert_shares(30, [15, 0, 15]);
    scene.tell(2, Health::Up);
    scene.assert_shares(410, [200, 10, 200]);
}

#[test]
fn a_backend_that_goes_down_again_and_again_stays_away_for_longer_and_longer() {
    // Seen failing with a verdict of the checks that does not count as an ejection.
    let scene = Scene::new("health_check: { tcp: {}, interval: 1h }");
    (1..=3).for_each(|backend| scene.tell(backend, Health::Up));
    let flap = || {
        scene.tell(1, Health::Down);
        scene.after(1);
        scene.tell(1, Health::Up);
    };
    flap();
    // Once is no flapping.
    scene.assert_shares(30, [10, 10, 10]);
    flap();
    scene.assert_shares(30, [0, 15, 15]);
    scene.after(18);
    scene.assert_shares(30, [0, 15, 15]);
    scene.after(1);
    scene.assert_shares(30, [10, 10, 10]);
    flap();
    scene.after(38);
    scene.assert_shares(30, [0, 15, 15]);
    scene.after(1);
    scene.assert_shares(30, [10, 10, 10]);
}
