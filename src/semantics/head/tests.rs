use super::*;
use proptest::prelude::*;

fn verdict(first_line: &str, lines: &[&str]) -> Result<(), Refused> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let head = format!("{first_line}\r\n{lines}\r\n");
    check(head.as_bytes(), &Limits::default())
}

fn get(lines: &[&str]) -> Result<(), Refused> {
    verdict("GET / HTTP/1.1", lines)
}

fn post(lines: &[&str]) -> Result<(), Refused> {
    verdict("POST / HTTP/1.1", &[&["Host: a"], lines].concat())
}

const MALFORMED: Result<(), Refused> = Err(Refused::Malformed);

#[test]
fn an_ordinary_request_passes() {
    assert_eq!(get(&["Host: example.com:8080", "Accept: */*"]), Ok(()));
    assert_eq!(
        verdict("GET /a?b=%20 HTTP/1.1", &["host: [::1]:80"]),
        Ok(())
    );
    assert_eq!(verdict("OPTIONS * HTTP/1.1", &["Host: a"]), Ok(()));
}

#[test]
fn exactly_one_host_is_needed() {
    assert_eq!(get(&[]), Err(Refused::Host));
    assert_eq!(get(&["Host: a", "Host: a"]), Err(Refused::Host));
    assert_eq!(verdict("GET / HTTP/1.0", &[]), Ok(()));
    assert_eq!(
        verdict("GET / HTTP/1.0", &["Host: a", "host: b"]),
        Err(Refused::Host)
    );
}

#[test]
fn the_host_must_be_an_authority() {
    for host in ["", "a b", "user@a", "a/b", "a:99999", "[::1", "a\\b"] {
        assert_eq!(
            get(&[&format!("Host: {host}")]),
            Err(Refused::Host),
            "{host:?}"
        );
    }
}

#[test]
fn an_absolute_target_must_agree_with_the_host() {
    assert_eq!(verdict("GET http://a/x HTTP/1.1", &["Host: A"]), Ok(()));
    assert_eq!(
        verdict("GET http://b/x HTTP/1.1", &["Host: a"]),
        Err(Refused::Target)
    );
    assert_eq!(
        verdict("GET http://u@a/ HTTP/1.1", &["Host: a"]),
        Err(Refused::Target)
    );
    assert_eq!(
        verdict("GET ftp://a/ HTTP/1.1", &["Host: a"]),
        Err(Refused::Target)
    );
    assert_eq!(
        verdict("GET a/b HTTP/1.1", &["Host: a"]),
        Err(Refused::Target)
    );
    assert_eq!(
        verdict("GET /a#b HTTP/1.1", &["Host: a"]),
        Err(Refused::Target)
    );
}

#[test]
fn a_length_that_can_be_read_in_two_ways_is_refused() {
    assert_eq!(post(&["Content-Length: 5"]), Ok(()));
    assert_eq!(
        post(&["Content-Length: 5", "Content-Length: 5"]),
        Err(Refused::Framing)
    );
    assert_eq!(
        post(&["Content-Length: 5", "Content-Length: 6"]),
        Err(Refused::Framing)
    );
    for length in ["", "+5", "-5", "5, 5", "0x5", "5 5", "99999999999999999999"] {
        assert_eq!(
            post(&[&format!("Content-Length: {length}")]),
            Err(Refused::Framing),
            "{length:?}"
        );
    }
}

#[test]
fn a_transfer_coding_is_chunked_alone_and_without_a_length() {
    assert_eq!(post(&["Transfer-Encoding: chunked"]), Ok(()));
    assert_eq!(
        post(&["Transfer-Encoding: chunked", "Content-Length: 5"]),
        Err(Refused::Framing)
    );
    assert_eq!(
        post(&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]),
        Err(Refused::Framing)
    );
    for coding in ["gzip, chunked", "chunked, identity", "xchunked", ""] {
        assert_eq!(
            post(&[&format!("Transfer-Encoding: {coding}")]),
            Err(Refused::Framing),
            "{coding:?}"
        );
    }
    let old = verdict("POST / HTTP/1.0", &["Transfer-Encoding: chunked"]);
    assert_eq!(old, Err(Refused::Framing));
}

#[test]
fn what_is_not_http_is_refused() {
    assert_eq!(check(b"GARBAGE\r\n\r\n", &Limits::default()), MALFORMED);
    assert_eq!(verdict("GET / HTTP/2.0", &["Host: a"]), MALFORMED);
    assert_eq!(verdict("GET /a b HTTP/1.1", &["Host: a"]), MALFORMED);
    assert_eq!(get(&["Host: a", "Name : value"]), MALFORMED);
    assert_eq!(get(&["Host: a", " folded"]), MALFORMED);
    assert_eq!(get(&["Host: a", "x: a\u{0}b"]), MALFORMED);
}

#[test]
fn a_tunnel_and_too_many_headers_have_answers_of_their_own() {
    assert_eq!(
        verdict("CONNECT a:443 HTTP/1.1", &["Host: a:443"]),
        Err(Refused::Tunnel)
    );
    let many = ["x: y"; 101];
    assert_eq!(get(&many), Err(Refused::TooManyHeaders));
}

#[test]
fn each_limit_is_the_most_that_passes() {
    let head = b"GET /abc HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
    let exact = Limits {
        bytes: head.len(),
        headers: 2,
        target: 4,
    };
    assert_eq!(check(head, &exact), Ok(()));
    let bytes = exact.bytes - 1;
    assert_eq!(
        check(head, &Limits { bytes, ..exact }),
        Err(Refused::TooLarge)
    );
    let (headers, target) = (1, 3);
    assert_eq!(
        check(head, &Limits { headers, ..exact }),
        Err(Refused::TooManyHeaders)
    );
    assert_eq!(
        check(head, &Limits { target, ..exact }),
        Err(Refused::TargetTooLong)
    );
}

#[test]
fn of_a_head_that_is_too_large_the_target_is_blamed_when_it_is_too_long() {
    let limits = Limits {
        target: 4,
        ..Limits::default()
    };
    for (head, refused) in [
        ("GET /abcd", Refused::TargetTooLong),
        ("GET /abcd HTTP/1.1\r\nX: y", Refused::TargetTooLong),
        ("GET /abc HTTP/1.1\r\nX: /abcdef y", Refused::TooLarge),
        ("GET", Refused::TooLarge),
        ("", Refused::TooLarge),
    ] {
        assert_eq!(too_large(head.as_bytes(), &limits), refused, "{head:?}");
    }
}

#[test]
fn an_absolute_target_is_put_into_the_form_of_an_origin() {
    for (head, wanted) in [
        (
            "GET http://a/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "GET HTTPS://a HTTP/1.1\r\nX: y\r\nhost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nX: y\r\nhost: a\r\n\r\n",
        ),
        (
            "GET http://a?x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /?x HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "OPTIONS http://a HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        ),
        (
            "GET http://a/x HTTP/1.0\r\n\r\n",
            "GET /x HTTP/1.0\r\nHost: a\r\n\r\n",
        ),
    ] {
        let origin = in_origin_form(head.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(origin).unwrap(), wanted);
    }
    for head in [
        "GET /http://a HTTP/1.1\r\nHost: a\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        assert_eq!(in_origin_form(head.as_bytes()), None);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(head in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = check(&head, &Limits::default());
    }
}
