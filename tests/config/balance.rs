//! What `balance` and the settings of a backend mean.

use evenkeel::config::{self, Balance, State, Upstream};

fn upstream(text: &str) -> Upstream {
    let text = format!(
        "listeners: [{{ address: 127.0.0.1:80 }}]\nupstreams:\n  web: {text}\nroutes: [{{ upstream: web }}]\n"
    );
    let config = config::parse("test.yaml", &text, &|_| None);
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    config.into_inner().upstreams.remove(0)
}

fn balance(text: &str) -> Balance {
    upstream(&format!("{{ backends: [app:80], balance: {text} }}")).balance
}

#[test]
fn each_policy_is_read_by_its_name() {
    assert_eq!(
        upstream("{ backends: [app:80] }").balance,
        Balance::RoundRobin
    );
    for (name, policy) in [
        ("round_robin", Balance::RoundRobin),
        ("least_requests", Balance::LeastRequests),
        ("peak_ewma", Balance::PeakEwma),
        ("random", Balance::Random),
        ("p2c", Balance::P2c),
    ] {
        assert_eq!(balance(name), policy);
    }
}

#[test]
fn the_bound_of_a_hash_is_written_in_percent_or_as_a_factor() {
    let percent = |bound: &str| {
        let text = format!("{{ hash: {{ key: $host, max_load: {bound} }} }}");
        match balance(&text) {
            Balance::Hash(hash) => hash.max_load.map(|bound| bound.0.get()),
            other => panic!("{other:?}"),
        }
    };
    let bounds = ["125%", "1.25", "'1.25'", "1.5", "1.01", "10", "1000%"].map(percent);
    assert_eq!(bounds, [125, 125, 125, 150, 101, 1000, 1000].map(Some));
    assert!(matches!(
        balance("{ hash: { key: $host } }"),
        Balance::Hash(hash) if hash.max_load.is_none()
    ));
}

#[test]
fn every_variable_of_the_request_may_stand_in_a_key_and_no_other() {
    let request = "host http_a cookie_a arg_a args uri request_uri request_method scheme server_port \
        server_protocol remote_addr remote_port realip_remote_addr proxy_add_x_forwarded_for request_id hostname \
        listener route upstream ssl_protocol ssl_cipher ssl_server_name ssl_client_s_dn ssl_client_verify path_a";
    let request: Vec<_> = request.split_whitespace().collect();
    for entry in &evenkeel::template::TABLE {
        let name = match entry.name {
            family if family.ends_with('_') => format!("{family}a"),
            name => name.to_owned(),
        };
        let text = format!(
            "listeners: [{{ address: 127.0.0.1:80 }}]\n\
             routes: [{{ match: {{ path: {{ regex: '^/(?<a>.)' }} }}, upstream: web }}]\n\
             upstreams: {{ web: {{ backends: [app:80], balance: {{ hash: {{ key: ${name} }} }} }} }}\n"
        );
        match config::parse("test.yaml", &text, &|_| None) {
            Ok(_) => assert!(request.contains(&name.as_str()), "{name} was taken"),
            Err(faults) => {
                assert!(!request.contains(&name.as_str()), "{faults}");
                let faults = faults.to_string();
                assert!(
                    faults.contains(&format!("${name} is not known yet")),
                    "{faults}"
                );
            }
        }
    }
}

#[test]
fn a_backend_is_active_and_without_a_limit_unless_it_says_otherwise() {
    let read = upstream(
        "{ backends: [a:80, { address: b:80 }, { address: c:80, backup: true, max_requests: 7, state: draining }] }",
    );
    let read: Vec<_> = read
        .backends
        .iter()
        .map(|backend| (backend.backup, backend.max_requests, backend.state))
        .collect();
    let plain = (false, None, State::Active);
    assert_eq!(read, [plain, plain, (true, Some(7), State::Draining)]);
}

#[test]
fn off_gives_no_cookie_and_no_queue() {
    let off = upstream("{ backends: [app:80], sticky: off, queue: off }");
    assert_eq!((off.sticky, off.queue), (None, None));
    let on = upstream(
        "{ backends: [{ address: app:80, max_requests: 1 }], sticky: { cookie: lb }, queue: { size: 7, timeout: 3s } }",
    );
    let sticky = on.sticky.unwrap();
    assert_eq!((sticky.cookie.as_str(), sticky.ttl), ("lb", None));
    assert!(!sticky.secure && sticky.http_only);
    let queue = on.queue.unwrap();
    assert_eq!((queue.size, queue.timeout.as_secs()), (7, 3));
}
