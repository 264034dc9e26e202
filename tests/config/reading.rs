//! What good files mean.

use evenkeel::config::{
    self, Action, BackendAddress, Checked, Config, HostPattern, LogDestination, LogFormat,
    PathPattern, Probe, Threads, TrustedProxy, ValuePattern,
};
use evenkeel::semantics::forwarded::{HostHeader, XForwardedFor};
use std::time::Duration;

const SHORTEST: &str = "
listeners:
  - address: 0.0.0.0:8080
upstreams:
  hello:
    backends: [127.0.0.1:8001, 127.0.0.1:8002]
routes:
  - upstream: hello
";

fn read(text: &str) -> Checked<Config> {
    read_with(text, &|_| None)
}

fn read_with(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Checked<Config> {
    config::parse("test.yaml", text, environment).unwrap_or_else(|faults| panic!("{faults}"))
}

fn refused(text: &str) -> String {
    config::parse("test.yaml", text, &|_| None)
        .expect_err("a fault")
        .to_string()
}

/// The shortest file, with one more section.
fn with(section: &str) -> String {
    format!("{SHORTEST}{section}")
}

#[test]
fn the_shortest_useful_file_is_read() {
    let config = read(SHORTEST);
    assert_eq!(config.listeners[0].name, "0.0.0.0:8080");
    assert_eq!(config.upstreams[0].backends.len(), 2);
    assert_eq!(config.upstreams[0].health_check, None);
    assert_eq!(config.routes[0].label, "routes[0]");
    assert!(matches!(config.routes[0].action, Action::Upstream(0)));
    assert_eq!(config.server.threads, Threads::Auto);
}

#[test]
fn the_demo_is_good_and_its_backends_are_its_own() {
    let config = config::load("conf/lb.yaml".as_ref()).unwrap_or_else(|faults| panic!("{faults}"));
    let embedded: Vec<_> = config
        .embedded_backends
        .iter()
        .map(|backend| BackendAddress::Socket(backend.address))
        .collect();
    let balanced: Vec<_> = config.upstreams[0]
        .backends
        .iter()
        .map(|backend| backend.address.clone())
        .collect();
    assert_eq!(embedded, balanced);
}

#[test]
fn listeners_may_each_take_a_free_port() {
    let listeners = "- { address: 127.0.0.1:0, name: a }\n  - { address: 127.0.0.1:0, name: b }";
    let config = read(&SHORTEST.replace("- address: 0.0.0.0:8080", listeners));
    let ports: Vec<Option<u16>> = config
        .listeners
        .iter()
        .map(|listener| listener.address.port())
        .collect();
    assert_eq!(ports, [Some(0), Some(0)]);
}

#[test]
fn values_come_from_the_environment() {
    let text = SHORTEST
        .replace("0.0.0.0:8080", "127.0.0.1:${PORT}")
        .replace(
            "[127.0.0.1:8001, 127.0.0.1:8002]",
            "[{ address: '${APP:-app:80}', weight: '${WEIGHT}' }]",
        );
    let config = read_with(&text, &|name| match name {
        "PORT" => Some("9000".to_owned()),
        "WEIGHT" => Some("3".to_owned()),
        _ => None,
    });
    assert_eq!(config.listeners[0].address.port(), Some(9000));
    let backend = &config.upstreams[0].backends[0];
    assert_eq!(
        (backend.address.to_string().as_str(), backend.weight),
        ("app:80", 3)
    );
}

#[test]
fn an_empty_environment_value_gives_way_to_the_default() {
    let text = with("server: { threads: '${THREADS:-4}' }");
    let config = read_with(&text, &|_| Some(String::new()));
    assert!(matches!(config.server.threads, Threads::Count(count) if count.get() == 4));
}

#[test]
fn what_comes_from_the_environment_is_never_read_as_yaml() {
    let text = with("log: { level: '${LEVEL}' }");
    let faults = config::parse("test.yaml", &text, &|_| {
        Some("info }\nserver: { threads: 1".to_owned())
    });
    assert!(
        faults
            .expect_err("a fault")
            .to_string()
            .contains("is no log level")
    );
}

#[test]
fn in_a_template_braces_hold_variables_and_capitals_the_environment() {
    let text = with("access_log: { format: '${host} ${SITE} $${NOT}' }");
    let config = read_with(&text, &|name| (name == "SITE").then(|| "site".to_owned()));
    let LogFormat::Template(template) = &config.access_log.format else {
        panic!("{:?}", config.access_log.format);
    };
    assert_eq!(template.variables().count(), 1);
}

#[test]
fn a_doubled_dollar_keeps_braces_as_they_are() {
    let config = read(
        "listeners: [{ address: '127.0.0.1:0' }]\nroutes: [{ respond: { body: '$${x} costs $5 $$' } }]",
    );
    let Action::Respond(respond) = &config.routes[0].action else {
        panic!("{:?}", config.routes[0].action);
    };
    let text = "${x} costs $5 $$";
    assert_eq!(respond.body, config::Body::Fixed(text.into()));
}

#[test]
fn off_turns_the_access_log_and_the_health_check_off() {
    assert_eq!(
        read(&with("access_log: off")).access_log.path,
        LogDestination::Off
    );
    assert_eq!(
        read(&with("access_log: { path: off }")).access_log.path,
        LogDestination::Off
    );
    let text = SHORTEST.replace("8002]", "8002]\n    health_check: off");
    assert_eq!(read(&text).upstreams[0].health_check, None);
}

#[test]
fn the_default_timeout_of_a_probe_bows_to_a_short_interval() {
    let text = SHORTEST.replace(
        "8002]",
        "8002]\n    health_check: { tcp: {}, interval: 1s }",
    );
    let check = read(&text).upstreams[0]
        .health_check
        .clone()
        .expect("a health check");
    assert_eq!(
        (check.probe, check.timeout),
        (Probe::Tcp, Duration::from_secs(1))
    );
}

#[test]
fn statuses_of_a_probe_are_numbers_ranges_or_a_list() {
    for (written, good, bad) in [
        ("204", 204, 200),
        ("200-299", 299, 300),
        ("[200, 204-206]", 205, 203),
    ] {
        let check =
            format!("8002]\n    health_check: {{ http: {{ path: /health, status: {written} }} }}");
        let config = read(&SHORTEST.replace("8002]", &check));
        let Some(Probe::Http(probe)) = config.upstreams[0]
            .health_check
            .as_ref()
            .map(|check| &check.probe)
        else {
            panic!("no http probe");
        };
        assert!(
            probe.status.contains(good) && !probe.status.contains(bad),
            "{written}"
        );
    }
}

#[test]
fn a_route_overrides_forwarded_headers_key_by_key() {
    let text = with("forwarded: { x_forwarded_for: replace, rfc7239: true }").replace(
        "- upstream: hello",
        "- upstream: hello\n    forwarded: { host: upstream, rfc7239: false }",
    );
    let config = read(&text);
    let policy = &config.routes[0].forwarded;
    assert_eq!(
        (policy.x_forwarded_for, policy.host, policy.rfc7239),
        (XForwardedFor::Replace, HostHeader::Upstream, false)
    );
    assert_eq!(
        (config.forwarded.host, config.forwarded.rfc7239),
        (HostHeader::Preserve, true)
    );
}

#[test]
fn hosts_are_kept_in_lower_case_and_wildcards_without_their_star() {
    let text = SHORTEST.replace("- upstream: hello", "- upstream: hello\n    match: { host: [API.Example.com., '*.Example.org', '[::1]', 10.0.0.1] }");
    let exact = |host: &str| HostPattern::Exact(host.to_owned());
    let wanted = [
        exact("api.example.com"),
        HostPattern::Wildcard("example.org".to_owned()),
        exact("[::1]"),
        exact("10.0.0.1"),
    ];
    assert_eq!(read(&text).routes[0].matches.hosts, wanted);
}

#[test]
fn every_form_of_match_is_read() {
    let text = SHORTEST.replace(
        "- upstream: hello",
        "- upstream: hello
    match:
      path: { regex: '^/v\\d+/' }
      method: GET
      headers: { X-A: a, X-B: { regex: b }, X-C: { present: false } }
      query: { q: '1' }
      listener: 0.0.0.0:8080",
    );
    let config = read(&text);
    let matches = &config.routes[0].matches;
    assert!(
        matches!(&matches.path, Some(PathPattern::Regex(regex)) if regex.as_str() == "^/v\\d+/")
    );
    assert_eq!(matches.methods, [http::Method::GET]);
    let [a, b, c] = matches.headers.as_slice() else {
        panic!("{:?}", matches.headers);
    };
    assert!(matches!(
        (&a.value, &b.value, &c.value),
        (
            ValuePattern::Exact(_),
            ValuePattern::Regex(_),
            ValuePattern::Present(false)
        )
    ));
    assert_eq!(
        (
            matches.query[0].name.as_str(),
            matches.listeners[0].as_str()
        ),
        ("q", "0.0.0.0:8080")
    );
}

#[test]
fn respond_keeps_the_case_and_order_of_its_headers() {
    let config = read(
        "listeners: [{ address: '127.0.0.1:0' }]\nroutes: [{ respond: { status: 404, headers: { X-b: '1', Set-Cookie: [a=1, b=2] } } }]",
    );
    let Action::Respond(respond) = &config.routes[0].action else {
        panic!("{:?}", config.routes[0].action);
    };
    let lines: Vec<_> = respond
        .headers
        .iter()
        .map(|(_, written, value)| (written.as_str(), value.to_str().expect("text")))
        .collect();
    assert_eq!(
        lines,
        [("X-b", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    );
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let text = "
listeners: [{ address: '127.0.0.1:0' }]
upstreams:
  a: &a
    backends: [127.0.0.1:8001]
    timeouts: &short { connect: 1s, read: 3s }
  b:
    <<: *a
    timeouts: { <<: [*short], read: 4s }
routes: [{ upstream: b }]
";
    let config = read(text);
    assert!(matches!(config.routes[0].action, Action::Upstream(1)));
    let b = &config.upstreams[1];
    assert_eq!(b.backends, config.upstreams[0].backends);
    assert_eq!(
        (b.timeouts.connect, b.timeouts.read),
        (Duration::from_secs(1), Duration::from_secs(4))
    );
}

#[test]
fn a_trusted_proxy_may_be_one_address() {
    let config = read(&with(
        "trusted_proxies: [10.0.0.0/8, 192.0.2.1, '::1', unix, 'unix:']",
    ));
    let network = |text: &str| TrustedProxy::Network(text.parse().unwrap());
    assert_eq!(
        config.trusted_proxies,
        [
            network("10.0.0.0/8"),
            network("192.0.2.1/32"),
            network("::1/128"),
            TrustedProxy::Unix,
            TrustedProxy::Unix,
        ]
    );
}

#[test]
fn a_fault_in_a_listener_blames_no_route_that_names_it() {
    let text = "listeners: [{ address: 8080, name: public }]\nroutes: [{ respond: {}, match: { listener: public } }]";
    assert_eq!(refused(text).lines().count(), 1);
}

#[test]
fn a_fault_in_an_upstream_blames_no_route_that_names_it() {
    let text = SHORTEST.replace("[127.0.0.1:8001, 127.0.0.1:8002]", "127.0.0.1:8001");
    assert_eq!(refused(&text).lines().count(), 1);
}

#[test]
fn a_misspelt_key_is_not_reported_missing_as_well() {
    assert_eq!(
        refused(&SHORTEST.replace("routes:", "rotues:"))
            .lines()
            .count(),
        1
    );
}

#[test]
fn the_file_is_named_in_each_line() {
    let faults = refused("gizmo: 1");
    assert!(
        faults
            .lines()
            .all(|line| line.starts_with("test.yaml:1:1: ")),
        "{faults}"
    );
}
