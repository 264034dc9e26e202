use proptest::prelude::*;

use super::*;

fn request(lines: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        headers.append(name, value.parse().expect("a value"));
    }
    headers
}

fn removed(lines: &[(&str, &str)]) -> Vec<String> {
    let names = to_remove(&request(lines), &[]);
    names.iter().map(|name| name.as_str().to_owned()).collect()
}

#[test]
fn every_hop_by_hop_header_is_removed_without_being_nominated() {
    let lines = [
        ("Connection", "close"),
        ("Keep-Alive", "timeout=5"),
        ("Proxy-Connection", "keep-alive"),
        ("TE", "trailers"),
        ("Trailer", "X-Sum"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "h2c"),
        ("Accept", "*/*"),
    ];
    let expected = lines.map(|(name, _)| name.to_ascii_lowercase());
    assert_eq!(removed(&lines), expected[..7]);
}

#[test]
fn proxy_credentials_pass() {
    assert!(
        removed(&[
            ("Proxy-Authorization", "Basic eA=="),
            ("Proxy-Authenticate", "Basic")
        ])
        .is_empty()
    );
}

#[test]
fn a_header_named_in_connection_is_removed() {
    let lines = [
        ("Connection", "close, X-Secret"),
        ("connection", "x-other,,X-Secret"),
        ("X-Secret", "1"),
        ("X-Other", "2"),
        ("X-Kept", "3"),
    ];
    assert_eq!(removed(&lines), ["connection", "x-secret", "x-other"]);
}

#[test]
fn a_nominated_header_that_is_not_there_is_not_listed() {
    assert_eq!(
        removed(&[("Connection", "X-Secret, close, bad name")]),
        ["connection"]
    );
}

#[test]
fn nominating_what_is_meant_for_all_recipients_takes_nothing_away() {
    let names = [
        "Host",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "X-Request-Id",
        "Forwarded",
        "Cookie",
        "Authorization",
        "Content-Length",
        "Content-Type",
        "Cache-Control",
        "If-None-Match",
        "Accept-Encoding",
        "Via",
        "Set-Cookie",
    ];
    for name in names {
        assert_eq!(
            removed(&[("Connection", name), (name, "1")]),
            ["connection"],
            "{name}"
        );
    }
}

#[test]
fn close_is_an_option_and_not_a_header() {
    assert_eq!(
        nominated([HeaderValue::from_static("Close, x-a")].iter()).collect::<Vec<_>>(),
        ["x-a"]
    );
}

#[test]
fn what_is_kept_stays_and_all_else_still_goes() {
    let headers = request(&[
        ("Connection", "Upgrade, X-Secret"),
        ("Upgrade", "websocket"),
        ("X-Secret", "1"),
    ]);
    assert_eq!(to_remove(&headers, &[UPGRADE]), ["connection", "x-secret"]);
    assert_eq!(
        to_remove(&headers, &[]),
        ["connection", "upgrade", "x-secret"]
    );
}

#[test]
fn only_a_websocket_is_an_upgrade_that_may_cross() {
    let asks = |connection, upgrade| {
        let headers = request(&[("Connection", connection), ("Upgrade", upgrade)]);
        asks_for_websocket(Version::HTTP_11, &headers)
    };
    assert!(asks("Upgrade", "websocket"));
    assert!(asks("keep-alive, upgrade", "WebSocket"));
    assert!(!asks("keep-alive", "websocket"));
    assert!(!asks("Upgrade, HTTP2-Settings", "h2c"));
    assert!(!asks("Upgrade", "websocket, h2c"));
    assert!(!asks("Upgrade", ""));
    let asks = |version, more: &[(&str, &str)]| {
        let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
        asks_for_websocket(version, &request(&[&upgrade, more].concat()))
    };
    assert!(asks(Version::HTTP_11, &[("Content-Length", "0")]));
    assert!(!asks(Version::HTTP_10, &[]) && !asks(Version::HTTP_2, &[]));
    assert!(!asks(Version::HTTP_11, &[("Content-Length", "5")]));
    assert!(!asks(Version::HTTP_11, &[("Transfer-Encoding", "chunked")]));
    assert!(!asks(Version::HTTP_11, &[("Upgrade", "h2c")]));
    let nothing = request(&[("Connection", "Upgrade")]);
    assert!(!asks_for_websocket(Version::HTTP_11, &nothing));
}

fn header_names() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "Connection",
            "Keep-Alive",
            "TE",
            "Upgrade",
            "Host",
            "Cookie",
            "X-Forwarded-For",
            "Accept"
        ])
        .prop_map(str::to_owned),
        "[xX]-[a-c]{1,2}",
    ]
}

fn requests() -> impl Strategy<Value = HeaderMap> {
    let options = prop::collection::vec(header_names(), 0..4).prop_map(|names| names.join(", "));
    let connection = prop::collection::vec(
        options.prop_map(|options| ("Connection".to_owned(), options)),
        0..3,
    );
    let others = prop::collection::vec((header_names(), "[a-z]{0,3}"), 0..10);
    (connection, others).prop_map(|(connection, others)| {
        let lines: Vec<(&str, &str)> = connection
            .iter()
            .chain(&others)
            .map(|(name, value)| (&**name, &**value))
            .collect();
        request(&lines)
    })
}

fn kept(upgrade: bool) -> &'static [HeaderName] {
    if upgrade { &[UPGRADE] } else { &[] }
}

proptest! {
    #[test]
    fn removal_is_idempotent(mut headers in requests(), keep_upgrade in any::<bool>()) {
        for name in to_remove(&headers, kept(keep_upgrade)) {
            prop_assert!(headers.remove(&name).is_some(), "each name is there, and listed once");
        }
        prop_assert_eq!(to_remove(&headers, kept(keep_upgrade)), Vec::<HeaderName>::new());
    }

    #[test]
    fn what_is_removed_is_hop_by_hop_or_nominated_and_all_of_that_is(headers in requests(), keep_upgrade in any::<bool>()) {
        let nominations: Vec<HeaderName> = nominated(headers.get_all(CONNECTION).iter()).collect();
        let removed = to_remove(&headers, kept(keep_upgrade));
        for name in headers.keys() {
            let kept_upgrade = keep_upgrade && *name == UPGRADE;
            let ends_here = !kept_upgrade && (is_hop_by_hop(name) || nominations.contains(name));
            prop_assert_eq!(removed.contains(name), ends_here, "{}", name);
        }
    }
}
