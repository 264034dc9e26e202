use super::{Admission, Applicant, NotAdmitted, Token};
use crate::clock::{Clock, SystemClock};
use crate::config;
use crate::upstream::Resolver;
use crate::upstream::address::Address;
use crate::upstream::{Backend, Health, InFlight, Upstream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// An upstream with these settings in YAML, its backends found.
async fn upstream(settings: &str) -> Upstream {
    let text = format!(
        "listeners: [{{ address: 127.0.0.1:80 }}]\nupstreams:\n  web: {{ {settings} }}\nroutes: [{{ upstream: web }}]\n"
    );
    let config = config::parse("test.yaml", &text, &|_| None);
    let mut config = config
        .unwrap_or_else(|faults| panic!("{faults}"))
        .into_inner();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let upstream = Upstream::new(
        config.upstreams.remove(0),
        &clock,
        &Arc::new(Resolver::new(crate::config::Resolver::default())),
    );
    upstream.publish_backends().await;
    upstream
}

fn applicant<'a>(tried: &'a (dyn Fn(&Backend) -> bool + Sync)) -> Applicant<'a> {
    Applicant {
        key: b"",
        token: None,
        tried,
    }
}

fn nobody(_: &Backend) -> bool {
    false
}

fn granted(admission: Admission) -> InFlight {
    match admission {
        Admission::Granted(in_flight) => in_flight,
        other => panic!("{other:?}"),
    }
}

fn port(in_flight: &InFlight) -> u16 {
    port_of(in_flight.backend())
}

fn port_of(backend: &Backend) -> u16 {
    backend.address().as_inet().unwrap().port()
}

/// The backend on this port.
fn at(port: u16) -> Address {
    Address::Inet(([127, 0, 0, 1], port).into())
}

const TWO: &str = "backends: [{ address: 127.0.0.1:1, max_requests: 1 }, { address: 127.0.0.1:2, max_requests: 1 }]";

#[tokio::test]
async fn all_full_all_down_and_a_queue_are_told_apart() {
    let upstream_without = upstream(TWO).await;
    let held = [(); 2].map(|()| granted(upstream_without.admit(&applicant(&nobody))));
    let refused = upstream_without.admit(&applicant(&nobody));
    assert!(matches!(refused, Admission::Refused(NotAdmitted::AllFull)));
    let all_tried = upstream_without.admit(&applicant(&|_| true));
    assert!(matches!(
        all_tried,
        Admission::Refused(NotAdmitted::NoBackend)
    ));
    drop(held);
    let upstream_with = upstream(&format!("{TWO}, queue: {{ size: 1, timeout: 1h }}")).await;
    let _held = [(); 2].map(|()| granted(upstream_with.admit(&applicant(&nobody))));
    assert!(matches!(
        upstream_with.admit(&applicant(&nobody)),
        Admission::Wait
    ));
    let all_tried = upstream_with.admit(&applicant(&|_| true));
    assert!(matches!(
        all_tried,
        Admission::Refused(NotAdmitted::NoBackend)
    ));
}

#[tokio::test]
async fn a_newcomer_lines_up_behind_those_who_wait_though_a_backend_is_free() {
    // Seen failing with an `admit` that does not look at the line.
    let upstream = upstream(&format!("{TWO}, queue: {{ size: 9, timeout: 1h }}")).await;
    let held = [(); 2].map(|()| granted(upstream.admit(&applicant(&nobody))));
    let early = applicant(&nobody);
    let mut waiting = Box::pin(upstream.wait(&early));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(held);
    assert!(matches!(
        upstream.admit(&applicant(&nobody)),
        Admission::Wait
    ));
    assert!(matches!(
        waiting.as_mut().poll(&mut context),
        Poll::Ready(Ok(_))
    ));
    granted(upstream.admit(&applicant(&nobody)));
}

#[tokio::test]
async fn what_becomes_free_just_before_a_request_joins_the_line_is_not_missed() {
    // Seen failing with a `wait` that does not look for room once it stands in the line.
    let upstream = upstream(&format!("{TWO}, queue: {{ size: 9, timeout: 1h }}")).await;
    let held = [(); 2].map(|()| granted(upstream.admit(&applicant(&nobody))));
    let late = applicant(&nobody);
    assert!(matches!(upstream.admit(&late), Admission::Wait));
    drop(held);
    let mut waiting = Box::pin(upstream.wait(&late));
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(
        waiting.as_mut().poll(&mut context),
        Poll::Ready(Ok(_))
    ));
}

#[tokio::test]
async fn one_whose_last_hope_goes_down_is_told_at_once_though_others_wait_on_before_it() {
    // Seen failing with a change of health that only wakes the first in line.
    let upstream = upstream(&format!("{TWO}, queue: {{ size: 9, timeout: 1h }}")).await;
    let _held = [(); 2].map(|()| granted(upstream.admit(&applicant(&nobody))));
    let early = applicant(&nobody);
    let second = applicant(&|backend: &Backend| port_of(backend) == 1);
    let mut waiting = [&early, &second].map(|applicant| Box::pin(upstream.wait(applicant)));
    let mut context = Context::from_waker(Waker::noop());
    let [early, second] = &mut waiting;
    assert!(early.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    upstream.roster.lineup().set_health(1, Health::Down);
    upstream.roster.wake();
    assert!(early.as_mut().poll(&mut context).is_pending());
    assert!(matches!(
        second.as_mut().poll(&mut context),
        Poll::Ready(Err(NotAdmitted::NoBackend))
    ));
    assert!(early.as_mut().poll(&mut context).is_pending());
}

/// A request that waits on a worker which is faster than anybody: when it is woken, it has looked before whoever wakes it goes on.
struct Eager {
    waits: Mutex<Option<Waits>>,
    got: Mutex<Option<Result<InFlight, NotAdmitted>>>,
}

type Waits = std::pin::Pin<Box<dyn Future<Output = Result<InFlight, NotAdmitted>> + Send>>;

impl Eager {
    fn begin(upstream: &Arc<Upstream>) -> Arc<Self> {
        let upstream = Arc::clone(upstream);
        let waits = async move { upstream.wait(&applicant(&nobody)).await };
        let eager = Arc::new(Self {
            waits: Mutex::new(Some(Box::pin(waits))),
            got: Mutex::default(),
        });
        Arc::clone(&eager).wake();
        eager
    }

    fn has_backend(&self) -> Option<u16> {
        let got = self.got.lock().unwrap();
        let in_flight = got.as_ref()?.as_ref();
        in_flight.map(port).ok()
    }
}

impl Wake for Eager {
    fn wake(self: Arc<Self>) {
        let mut waits = self.waits.lock().unwrap();
        let waker = Waker::from(Arc::clone(&self));
        let polled = waits
            .as_mut()
            .map(|waits| waits.as_mut().poll(&mut Context::from_waker(&waker)));
        if let Some(Poll::Ready(got)) = polled {
            *waits = None;
            *self.got.lock().unwrap() = Some(got);
        }
    }
}

#[tokio::test]
async fn one_who_waits_gets_the_backend_that_a_check_has_found_to_be_up() {
    // Seen failing with a watch that wakes those who wait before it tells Pingora.
    let settings =
        format!("{TWO}, health_check: {{ tcp: {{}} }}, queue: {{ size: 9, timeout: 1h }}");
    let upstream = Arc::new(upstream(&settings).await);
    let [full, comes_up] = &upstream.backends()[..] else {
        panic!("two backends");
    };
    let find = |backend: &Arc<Backend>, health| {
        upstream.roster.tell_health(backend.address(), health);
        upstream.publish_health(backend, health);
    };
    find(full, Health::Up);
    find(comes_up, Health::Down);
    let _held = granted(upstream.admit(&applicant(&nobody)));
    let waits = Eager::begin(&upstream);
    assert_eq!(waits.has_backend(), None);
    find(comes_up, Health::Up);
    assert_eq!(waits.has_backend(), Some(2));
}

#[tokio::test]
async fn one_who_waits_gets_the_backend_that_a_name_has_got() {
    // Seen failing with a roster that wakes those who wait before Pingora has its list.
    let settings = "backends: [{ address: 127.0.0.2:1, max_requests: 1 }, localhost:2], queue: { size: 9, timeout: 1h }";
    let upstream = Arc::new(upstream(settings).await);
    let _held = granted(upstream.admit(&applicant(&nobody)));
    let waits = Eager::begin(&upstream);
    assert_eq!(waits.has_backend(), None);
    upstream.resolve(1).await;
    assert_eq!(waits.has_backend(), Some(2));
}

#[tokio::test]
async fn a_session_of_a_draining_backend_with_room_does_not_line_up() {
    let settings = "backends: [{ address: 127.0.0.1:1, max_requests: 1 }, { address: 127.0.0.1:2, max_requests: 1, state: draining }], \
         sticky: { cookie: b }, queue: { size: 9, timeout: 1h }";
    let upstream = upstream(settings).await;
    let _held = granted(upstream.admit(&applicant(&nobody)));
    let early = applicant(&nobody);
    let mut waiting = Box::pin(upstream.wait(&early));
    let mut context = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    let session = Applicant {
        token: Some(Token::of("web", &at(2))),
        ..applicant(&nobody)
    };
    let own = granted(upstream.admit(&session));
    assert_eq!(port(&own), 2);
    // A second one waits, and gets it though the first in line cannot use it.
    assert!(matches!(upstream.admit(&session), Admission::Wait));
    let mut second = Box::pin(upstream.wait(&session));
    assert!(second.as_mut().poll(&mut context).is_pending());
    drop(own);
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    match second.as_mut().poll(&mut context) {
        Poll::Ready(Ok(own)) => assert_eq!(port(&own), 2),
        other => panic!("{other:?}"),
    }
    assert!(waiting.as_mut().poll(&mut context).is_pending());
}

#[tokio::test]
async fn round_robin_stays_even_for_the_rest_while_a_session_passes_it_by() {
    let settings = "backends: [127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3], sticky: { cookie: b }";
    let upstream = upstream(settings).await;
    let session = Applicant {
        token: Some(Token::of("web", &at(2))),
        ..applicant(&nobody)
    };
    let mut ports = Vec::new();
    for turn in 0..30 {
        ports.push(port(&granted(upstream.admit(&applicant(&nobody)))));
        for _ in 0..turn % 4 {
            assert_eq!(port(&granted(upstream.admit(&session))), 2);
        }
    }
    for round in ports.chunks(3) {
        assert_eq!(round, &ports[..3]);
    }
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// One request, with all that can happen to one at random points.
async fn live(upstream: &Upstream, random: &mut u64) {
    let tried = std::sync::Mutex::new(Vec::new());
    let was_tried = |backend: &Backend| tried.lock().unwrap().contains(backend.address());
    loop {
        let key = next(random).to_le_bytes();
        let backend = at((next(random) % 6) as u16);
        let applicant = Applicant {
            key: &key,
            token: next(random)
                .is_multiple_of(2)
                .then(|| Token::of("web", &backend)),
            tried: &was_tried,
        };
        let in_flight = match upstream.admit(&applicant) {
            Admission::Granted(in_flight) => in_flight,
            Admission::Refused(_) => return,
            Admission::Wait => {
                let patience = next(random) % 8;
                let gives_up = async {
                    for _ in 0..patience {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::select! {
                    biased;
                    () = gives_up, if patience < 6 => return,
                    waited = upstream.wait(&applicant) => match waited {
                        Ok(in_flight) => in_flight,
                        Err(_) => return,
                    }
                }
            }
        };
        if next(random).is_multiple_of(2) {
            tokio::task::yield_now().await;
        }
        let now = SystemClock.now();
        match next(random) % 4 {
            // The client leaves.
            0 => return,
            1 => {
                upstream.failed(&in_flight, &"refused", Duration::ZERO, now);
                tried
                    .lock()
                    .unwrap()
                    .push(in_flight.backend().address().clone());
            }
            // A connection from the pool was closed: the same backend may be asked again.
            2 => {}
            _ => return upstream.answered(&in_flight, Duration::from_millis(1), now),
        }
    }
}

#[test]
fn counts_are_exact_after_100_000_cancelled_failed_retried_and_queued_requests_over_eight_threads()
{
    // Seen failing with a guard whose drop does not count down, neither at the backend nor at the upstream, with one that does not wake
    // the queue, and with requests that wait for backends they have tried.
    const TASKS: u64 = 40;
    const REQUESTS: u64 = 420;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(8).enable_time().build().unwrap();
    let policies = [
        "round_robin",
        "least_requests",
        "p2c",
        "peak_ewma",
        "random",
        "{ hash: { key: $host } }",
    ];
    for policy in policies {
        let settings = format!(
            "balance: {policy}, sticky: {{ cookie: b }}, queue: {{ size: 20, timeout: 1h }}, backends: [\
             {{ address: 127.0.0.1:1, max_requests: 1 }}, {{ address: 127.0.0.1:2, max_requests: 2, weight: 3 }}, \
             {{ address: 127.0.0.1:3, max_requests: 3, backup: true }}, {{ address: 127.0.0.1:4, max_requests: 2, state: draining }}]"
        );
        let upstream = Arc::new(runtime.block_on(upstream(&settings)));
        let requests = (1..=TASKS).map(|seed| {
            let upstream = Arc::clone(&upstream);
            runtime.spawn(async move {
                let mut random = seed << 32 | seed;
                for _ in 0..REQUESTS {
                    live(&upstream, &mut random).await;
                }
            })
        });
        let requests = futures::future::join_all(requests.collect::<Vec<_>>());
        runtime.block_on(async {
            let all = tokio::time::timeout(Duration::from_secs(120), requests).await;
            for request in all.expect("somebody waits for ever") {
                request.unwrap();
            }
        });
        assert_eq!(upstream.load.load(Ordering::Relaxed), 0, "{policy}");
        let held: Vec<_> = (0..6)
            .map(|_| granted(upstream.admit(&applicant(&nobody))))
            .collect();
        assert!(
            matches!(upstream.admit(&applicant(&nobody)), Admission::Wait),
            "{policy}"
        );
        drop(held);
        let backends = upstream.backends();
        let counts = backends.iter().map(|backend| backend.member().in_flight());
        assert_eq!(counts.collect::<Vec<_>>(), [0; 4], "{policy}");
    }
}
