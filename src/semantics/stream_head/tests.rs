use super::*;
use http::Request;
use http::request::Builder;
use proptest::prelude::*;

fn get(uri: &str) -> Builder {
    Request::builder().uri(uri)
}

fn translated(request: Builder) -> Result<Parts, Refused> {
    let (mut parts, ()) = request.body(()).unwrap().into_parts();
    translate(&mut parts, &Limits::default()).map(|()| parts)
}

fn verdict(request: Builder) -> Result<(), Refused> {
    translated(request).map(drop)
}

#[test]
fn the_authority_becomes_the_host_and_the_target_its_path() {
    let parts = translated(get("https://a.test:8443/x?y=z").header("accept", "*/*")).unwrap();
    assert_eq!(parts.uri, "/x?y=z");
    let fields: Vec<_> = parts.headers.iter().collect();
    assert_eq!(fields[0], (&HOST, &HeaderValue::from_static("a.test:8443")));
    assert_eq!(fields[1].0, "accept");
}

#[test]
fn a_host_alone_is_as_good_and_beside_an_authority_it_must_be_the_same() {
    assert_eq!(verdict(get("/").header(HOST, "a.test")), Ok(()));
    assert_eq!(
        verdict(get("http://a.test/").header(HOST, "A.test")),
        Ok(())
    );
    assert_eq!(
        verdict(get("http://a.test/").header(HOST, "b.test")),
        Err(Refused::Host)
    );
    assert_eq!(verdict(get("/")), Err(Refused::Host));
    let two = get("/").header(HOST, "a.test").header(HOST, "a.test");
    assert_eq!(verdict(two), Err(Refused::Host));
}

#[test]
fn what_is_no_authority_is_refused() {
    for uri in ["http://user@a.test/", "http://a.test:99999/"] {
        // Some are refused by the parser of targets already.
        if uri.parse::<Uri>().is_ok() {
            assert_eq!(verdict(get(uri)), Err(Refused::Host), "{uri}");
        }
    }
    for host in ["", "user@a.test", "a b", "a/b", "[::1"] {
        assert_eq!(
            verdict(get("/").header(HOST, host)),
            Err(Refused::Host),
            "{host:?}"
        );
    }
}

#[test]
fn a_path_is_that_of_an_origin() {
    let asterisk = |method| get("*").method(method).header(HOST, "a.test");
    assert_eq!(verdict(asterisk("OPTIONS")), Ok(()));
    assert_eq!(verdict(asterisk("GET")), Err(Refused::Target));
    assert_eq!(verdict(get("ftp://a.test/")), Err(Refused::Target));
}

#[test]
fn fields_that_belong_to_a_connection_are_refused() {
    for (name, value) in [
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("te", "trailers, deflate"),
    ] {
        assert_eq!(
            verdict(get("http://a.test/").header(name, value)),
            Err(Refused::Field),
            "{name}: {value}"
        );
    }
    assert_eq!(
        verdict(get("http://a.test/").header("te", "trailers")),
        Ok(())
    );
}

#[test]
fn a_length_that_can_be_read_in_two_ways_is_refused() {
    let with = |lengths: &[&str]| {
        let request = get("http://a.test/").method("POST");
        let request = lengths.iter().fold(request, |request, length| {
            request.header(CONTENT_LENGTH, *length)
        });
        verdict(request)
    };
    assert_eq!(with(&["5"]), Ok(()));
    for lengths in [&["5", "6"][..], &["5", "5"], &["+5"], &["5, 5"], &[""]] {
        assert_eq!(with(lengths), Err(Refused::Framing), "{lengths:?}");
    }
}

#[test]
fn a_tunnel_and_a_large_head_have_answers_of_their_own() {
    let tunnel = get("a.test:443").method("CONNECT");
    assert_eq!(verdict(tunnel), Err(Refused::Tunnel));
    let many = (0..=Limits::default().headers).fold(get("http://a.test/"), |request, index| {
        request.header(format!("x-{index}"), "y")
    });
    assert_eq!(verdict(many), Err(Refused::TooManyHeaders));
    let large = get("http://a.test/").header("x", "y".repeat(Limits::default().bytes));
    assert_eq!(verdict(large), Err(Refused::TooLarge));
    let far = format!("http://a.test/{}", "x".repeat(Limits::default().target));
    assert_eq!(verdict(get(&far)), Err(Refused::TargetTooLong));
}

#[test]
fn crumbs_of_cookies_are_one_line_for_the_backend() {
    let request = get("http://a.test/")
        .header(COOKIE, "a=1")
        .header("accept", "*/*")
        .header(COOKIE, "b=2; c=3");
    let parts = translated(request).unwrap();
    let cookies: Vec<_> = parts.headers.get_all(COOKIE).iter().collect();
    assert_eq!(cookies, ["a=1; b=2; c=3"]);
}

proptest! {
    #[test]
    fn what_is_translated_is_in_origin_form_and_has_one_host(
        host in "[a-zA-Z@:/\\[\\]0-9.-]{0,12}",
        path in "[/*a-z?#%. ]{0,12}",
        method in "GET|OPTIONS|CONNECT",
    ) {
        let request = Request::builder().method(method.as_str()).uri(path).header(HOST, host);
        let Ok(request) = request.body(()) else { return Ok(()) };
        let (mut parts, ()) = request.into_parts();
        if translate(&mut parts, &Limits::default()).is_ok() {
            prop_assert_eq!(parts.headers.get_all(HOST).iter().count(), 1);
            prop_assert!(parts.uri.authority().is_none());
            let target = parts.uri.to_string();
            prop_assert!(target.starts_with('/') || target == "*");
        }
    }
}
