//! What each policy, and what a backend's own limits, change for those who ask.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use hello::Options;

use crate::support::{Answer, Backend, Client, HelloBackend, Proxy, eventually, get_with, ok};

const HOLD: &str = "GET /hold HTTP/1.1\r\nHost: a.test\r\n\r\n";

/// One upstream with these lines of YAML, each indented by four spaces.
fn proxy(upstream: &str) -> Proxy {
    Proxy::start(&format!(
        "listeners:\n  - address: 127.0.0.1:0\nupstreams:\n  hello:\n{upstream}routes:\n  - upstream: hello\n"
    ))
}

fn balanced(balance: &str, backends: &[SocketAddr]) -> Proxy {
    let backends: Vec<_> = backends.iter().map(SocketAddr::to_string).collect();
    let backends = backends.join(", ");
    proxy(&format!(
        "    balance: {balance}\n    backends: [{backends}]\n"
    ))
}

/// Answers with its name; what asks for `/hold` waits until the test lets go.
struct Holder {
    backend: Backend,
    lets_go: Arc<(Mutex<bool>, Condvar)>,
}

impl Holder {
    fn start(name: &'static str) -> Self {
        let lets_go = Arc::<(Mutex<bool>, Condvar)>::default();
        let may_go = Arc::clone(&lets_go);
        let backend = Backend::start(move |conversation| {
            while let Some(request) = conversation.request() {
                if request.target() == "/hold" {
                    let (lets_go, told) = &*may_go;
                    let waits = |lets_go: &mut bool| !*lets_go;
                    // Dropping the holder ends it at the latest.
                    drop(told.wait_while(lets_go.lock().unwrap(), waits).unwrap());
                }
                conversation.send(ok(name));
            }
        });
        Self { backend, lets_go }
    }

    fn address(&self) -> SocketAddr {
        self.backend.address()
    }

    fn held(&self) -> usize {
        self.backend.asked_for("/hold")
    }

    fn let_go(&self) {
        let (lets_go, told) = &*self.lets_go;
        *lets_go.lock().unwrap() = true;
        told.notify_all();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Sends a request that will be held, and waits until one of these has it.
fn hold(proxy: &Proxy, holders: &[&Holder], headers: &str) -> Client {
    let held = || holders.iter().map(|holder| holder.held()).sum::<usize>();
    let before = held();
    let mut client = Client::connect(proxy.address());
    client.send(HOLD.replace("\r\n\r\n", &format!("\r\n{headers}\r\n")));
    eventually("the request is held", || held() > before);
    client
}

/// One GET that is over for the proxy as well: it is logged, so it is no longer in flight.
fn get_whole(proxy: &Proxy) -> Answer {
    let before = proxy.stdout.all().len();
    let answer = proxy.get("/");
    eventually("the request is over", || proxy.stdout.all().len() > before);
    answer
}

fn asserts_that_the_holding_one_is_passed_over(balance: &str) {
    let (left, right) = (Holder::start("left"), Holder::start("right"));
    let proxy = balanced(balance, &[left.address(), right.address()]);
    let mut waiting = hold(&proxy, &[&left, &right], "");
    let idle = if left.held() == 1 { "right" } else { "left" };
    for _ in 0..20 {
        assert_eq!(get_whole(&proxy).text(), idle);
    }
    left.let_go();
    right.let_go();
    assert_eq!(waiting.answer().status, 200);
}

#[test]
fn least_requests_passes_over_a_backend_that_holds_a_request() {
    asserts_that_the_holding_one_is_passed_over("least_requests");
}

#[test]
fn p2c_passes_over_the_busier_one_of_two() {
    asserts_that_the_holding_one_is_passed_over("p2c");
}

#[test]
fn least_requests_takes_idle_backends_in_turn() {
    let hellos = ["a", "b", "c"].map(HelloBackend::start);
    let proxy = balanced(
        "least_requests",
        &hellos.each_ref().map(HelloBackend::address),
    );
    let hostnames: Vec<_> = (0..30).map(|_| get_whole(&proxy).hostname()).collect();
    for round in hostnames.chunks(3) {
        assert_eq!(
            round.iter().collect::<BTreeSet<_>>().len(),
            3,
            "{hostnames:?}"
        );
    }
}

fn asserts_that_chance_reaches_all(balance: &str) {
    let hellos = ["a", "b", "c"].map(HelloBackend::start);
    let proxy = balanced(balance, &hellos.each_ref().map(HelloBackend::address));
    let hostnames: Vec<_> = (0..100).map(|_| proxy.get("/").hostname()).collect();
    let requests = hellos.each_ref().map(HelloBackend::requests);
    // Fewer than 10 of 100 at a chance of a third happens once in ten million runs.
    assert!(
        requests.iter().all(|&requests| requests >= 10),
        "{requests:?}"
    );
    assert!(
        hostnames.windows(2).any(|pair| pair[0] == pair[1]),
        "in turn and not by chance: {hostnames:?}"
    );
}

#[test]
fn random_reaches_all_backends_in_no_order() {
    asserts_that_chance_reaches_all("random");
}

#[test]
fn p2c_reaches_all_idle_backends_in_no_order() {
    asserts_that_chance_reaches_all("p2c");
}

#[test]
fn peak_ewma_prefers_the_backend_that_answers_sooner() {
    let fast = HelloBackend::start("fast");
    let slow = Options::default()
        .name("slow")
        .delay(Duration::from_secs(1));
    let slow = HelloBackend::start_with(slow);
    let proxy = balanced("peak_ewma", &[fast.address(), slow.address()]);
    (0..30).for_each(|_| assert_eq!(proxy.get("/").status, 200));
    assert!(slow.requests() <= 2, "{} at the slow one", slow.requests());
}

#[test]
fn peak_ewma_does_not_take_a_backend_that_fails_at_once_for_a_fast_one() {
    let good = HelloBackend::start("good");
    let failing = Backend::resetting_after("");
    let proxy = balanced("peak_ewma", &[failing.address(), good.address()]);
    (0..30).for_each(|_| assert_eq!(proxy.get("/").status, 200));
    let failed = failing.requests().len();
    assert!(failed <= 2, "{failed} at the failing one");
}

const BY_USER: &str = "{ hash: { key: $http_x_user } }";

fn owners(proxy: &Proxy) -> BTreeMap<u32, String> {
    let owner = |user| {
        let answer = get_with(proxy.address(), "/", &format!("X-User: {user}\r\n"));
        (user, answer.hostname())
    };
    (0..40).map(owner).collect()
}

#[test]
fn hash_keeps_a_key_on_its_backend() {
    let hellos = ["a", "b", "c"].map(HelloBackend::start);
    let proxy = balanced(BY_USER, &hellos.each_ref().map(HelloBackend::address));
    let owners_before = owners(&proxy);
    assert_eq!(owners_before.values().collect::<BTreeSet<_>>().len(), 3);
    assert_eq!(owners(&proxy), owners_before);
}

#[test]
fn hash_moves_no_key_of_a_backend_that_stays_when_another_is_removed() {
    let hellos = ["a", "b", "c"].map(HelloBackend::start);
    let [a, b, c] = hellos.each_ref().map(HelloBackend::address);
    let all = owners(&balanced(BY_USER, &[a, b, c]));
    let without_b = owners(&balanced(BY_USER, &[c, a]));
    for (user, owner) in all {
        if owner != "b" {
            assert_eq!(without_b[&user], owner, "user {user}");
        }
    }
}

#[test]
fn hash_hashes_what_the_key_says_of_the_request() {
    let hellos = ["a", "b", "c"].map(HelloBackend::start);
    let addresses = hellos.each_ref().map(HelloBackend::address);
    let proxy = balanced("{ hash: { key: '$uri|$arg_shard|$cookie_c' } }", &addresses);
    let reached = |parts: &dyn Fn(u32) -> (String, String)| {
        let ask = |number| {
            let (target, headers) = parts(number);
            get_with(proxy.address(), &target, &headers).hostname()
        };
        (0..40).map(ask).collect::<BTreeSet<_>>().len()
    };
    let cookie = |value: u32| format!("Cookie: c={value}\r\n");
    assert_eq!(reached(&|n| (format!("/?shard={n}"), String::new())), 3);
    assert_eq!(reached(&|n| ("/".to_owned(), cookie(n))), 3);
    assert_eq!(reached(&|n| (format!("/?other={n}"), cookie(1))), 1);
}

#[test]
fn a_key_that_has_too_much_of_the_load_spills_to_the_next_backend() {
    for (balance, spills) in [
        ("{ hash: { key: $http_x_user, max_load: 1.25 } }", true),
        (BY_USER, false),
    ] {
        let (left, right) = (Holder::start("left"), Holder::start("right"));
        let proxy = balanced(balance, &[left.address(), right.address()]);
        let ask = |_| hold(&proxy, &[&left, &right], "X-User: 1\r\n");
        let waiting: Vec<_> = (0..4).map(ask).collect();
        // Three are 125 % of two, rounded up.
        let most = left.held().max(right.held());
        assert_eq!(most, if spills { 3 } else { 4 }, "{balance}");
        drop(waiting);
    }
}

#[test]
fn a_backup_gets_nothing_while_a_primary_is_up_and_all_when_none_is() {
    let mut primaries = ["a", "b"].map(HelloBackend::start);
    let backup = HelloBackend::start("backup");
    let proxy = proxy(&format!(
        "    backends: [{}, {{ address: {}, backup: true }}, {}]\n    outlier: off\n",
        primaries[0].address(),
        backup.address(),
        primaries[1].address()
    ));
    (0..20).for_each(|_| assert_ne!(proxy.get("/").hostname(), "backup"));
    primaries[0].kill();
    (0..20).for_each(|_| assert_eq!(proxy.get("/").hostname(), "b"));
    primaries[1].kill();
    (0..20).for_each(|_| assert_eq!(proxy.get("/").hostname(), "backup"));
    primaries[0].come_back();
    (0..20).for_each(|_| assert_eq!(proxy.get("/").hostname(), "a"));
}

#[test]
fn a_full_primary_leaves_requests_to_the_backup() {
    let (primary, backup) = (Holder::start("primary"), Holder::start("backup"));
    let proxy = proxy(&format!(
        "    backends:\n      - {{ address: {}, max_requests: 1 }}\n      - {{ address: {}, backup: true }}\n",
        primary.address(),
        backup.address()
    ));
    assert_eq!(get_whole(&proxy).text(), "primary");
    let mut waiting = hold(&proxy, &[&primary], "");
    (0..5).for_each(|_| assert_eq!(proxy.get("/").text(), "backup"));
    primary.let_go();
    assert_eq!(waiting.answer().text(), "primary");
    eventually("the primary serves again", || {
        proxy.get("/").text() == "primary"
    });
}

#[test]
fn a_backend_has_at_most_its_max_requests_and_what_is_above_is_answered_503() {
    let holder = Holder::start("busy");
    let proxy = proxy(&format!(
        "    backends: [{{ address: {}, max_requests: 2 }}]\n",
        holder.address()
    ));
    let mut waiting = [(); 2].map(|()| hold(&proxy, &[&holder], ""));
    for _ in 0..5 {
        assert_eq!(proxy.get("/hold").status, 503);
    }
    assert_eq!(holder.held(), 2);
    holder.let_go();
    for client in &mut waiting {
        assert_eq!(client.answer().status, 200);
    }
    eventually("there is room again", || proxy.get("/hold").status == 200);
}

#[test]
fn a_client_that_resets_its_connection_makes_room_at_a_full_backend() {
    let holder = Holder::start("busy");
    let proxy = proxy(&format!(
        "    backends: [{{ address: {}, max_requests: 1 }}]\n",
        holder.address()
    ));
    let waiting = hold(&proxy, &[&holder], "");
    assert_eq!(proxy.get("/").status, 503);
    waiting.reset();
    eventually("there is room again", || proxy.get("/").status == 200);
}

#[test]
fn draining_and_disabled_backends_get_no_requests_but_their_health_checks() {
    let backends = [(); 3].map(|()| Backend::answering(|_| ok("fine")));
    let [active, draining, disabled] = &backends;
    let proxy = proxy(&format!(
        "    backends:\n      - {{ address: {}, state: draining }}\n      - {{ address: {}, state: disabled }}\n      \
         - {{ address: {}, state: active }}\n    health_check: {{ http: {{ path: /health }}, interval: 20ms }}\n",
        draining.address(),
        disabled.address(),
        active.address()
    ));
    (0..20).for_each(|_| assert_eq!(proxy.get("/").status, 200));
    eventually("all are checked again and again", || {
        backends
            .iter()
            .all(|backend| backend.asked_for("/health") >= 3)
    });
    (0..20).for_each(|_| assert_eq!(proxy.get("/").status, 200));
    assert_eq!(
        backends.each_ref().map(|backend| backend.asked_for("/")),
        [40, 0, 0]
    );
}

#[test]
fn without_an_active_backend_every_answer_is_503_and_the_log_says_why() {
    let hello = HelloBackend::start("a");
    let proxy = proxy(&format!(
        "    backends: [{{ address: {}, state: disabled }}]\n",
        hello.address()
    ));
    assert_eq!(proxy.get("/").status, 503);
    assert_eq!(hello.requests(), 0);
    let warning = "upstream hello: no backend is active";
    proxy
        .stderr
        .find(warning, |line| line.contains(warning).then_some(()));
}
