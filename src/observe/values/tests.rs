use super::*;
use crate::observe::example::Example;
use crate::template::{Kind, TABLE, Template};

fn text(record: &Record<'_>, template: &str) -> String {
    let mut out = Vec::new();
    Template::parse(template).unwrap().render(record, &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_fixed_variable_has_the_value_that_its_name_promises() {
    let example = Example::new();
    let record = example.record();
    let expected = [
        ("host", "example.com"),
        ("args", "q=1&Lang=en&q=2"),
        ("uri", "/a b/c"),
        ("request_uri", "/a%20b/c?q=1&Lang=en&q=2"),
        ("request_method", "GET"),
        ("scheme", "https"),
        ("server_port", "8080"),
        ("server_protocol", "HTTP/1.1"),
        ("remote_addr", "198.51.100.7"),
        ("remote_port", "50001"),
        ("realip_remote_addr", "10.0.0.9"),
        (
            "proxy_add_x_forwarded_for",
            "198.51.100.7, 198.51.100.8, 10.0.0.9",
        ),
        ("request_id", "019ab001-0000-7000-8000-000000000001"),
        ("hostname", "edge-1"),
        ("listener", "public"),
        ("route", "routes[0]"),
        ("upstream", "hello"),
        ("upstream_addr", "127.0.0.1:8001, 127.0.0.1:8002"),
        ("upstream_status", "-, 200"),
        ("upstream_connect_time", "-, 0.001"),
        ("upstream_header_time", "-, 1.030"),
        ("upstream_response_time", "0.002, 1.031"),
        ("attempts", "2"),
        ("status", "200"),
        ("bytes_sent", "210"),
        ("body_bytes_sent", "52"),
        ("request_length", "321"),
        ("request_time", "1.034"),
        ("msec", "1795378391.120"),
        ("time_iso8601", "2026-11-22T20:13:11+00:00"),
        ("time_local", "22/Nov/2026:20:13:11 +0000"),
        ("error", "connection_refused"),
        ("ssl_protocol", "TLSv1.3"),
        ("ssl_cipher", "TLS_AES_128_GCM_SHA256"),
        ("ssl_server_name", "example.com"),
        ("ssl_client_s_dn", "CN=client,O=Example"),
        ("ssl_client_verify", "SUCCESS"),
    ];
    for (name, value) in expected {
        assert_eq!(text(&record, &format!("${name}")), value, "${name}");
    }
    let fixed = TABLE
        .iter()
        .filter(|entry| matches!(entry.kind, Kind::Fixed(_)))
        .count();
    assert_eq!(expected.len(), fixed, "a variable is not covered here");
}

#[test]
fn a_variable_without_a_value_appends_nothing() {
    let example = Example::new();
    let absent = "$args$arg_q$cookie_none$http_x_none$server_port$remote_port$route$upstream$upstream_addr\
        $upstream_status$upstream_connect_time$upstream_header_time$upstream_response_time$status$error\
        $ssl_protocol$ssl_cipher$ssl_server_name$ssl_client_s_dn$ssl_client_verify$sent_http_server$upstream_http_server";
    assert_eq!(text(&example.refused(), absent), "");
    assert_eq!(text(&example.refused(), "$attempts"), "0");
}

#[test]
fn several_lines_of_one_header_are_joined_as_nginx_joins_them() {
    let example = Example::new();
    assert_eq!(
        text(&example.record(), "$http_x_forwarded_for"),
        "198.51.100.7, 198.51.100.8"
    );
    assert_eq!(
        text(&example.record(), "$http_cookie"),
        "theme=dark; session=abc; late=1"
    );
}

#[test]
fn sent_and_upstream_headers_are_told_apart() {
    let example = Example::new();
    assert_eq!(
        text(&example.record(), "$sent_http_server $upstream_http_server"),
        "ours theirs"
    );
    assert_eq!(
        text(&example.record(), "$sent_http_content_type"),
        "text/plain"
    );
}

#[test]
fn a_cookie_is_found_in_any_line_by_its_whole_name() {
    let example = Example::new();
    assert_eq!(text(&example.record(), "$cookie_session"), "abc");
    assert_eq!(text(&example.record(), "$cookie_SESSION"), "abc");
    assert_eq!(text(&example.record(), "$cookie_late"), "1");
    assert_eq!(text(&example.record(), "$cookie_sess$cookie_ession"), "");
}

#[test]
fn an_argument_is_the_first_of_its_name_as_sent() {
    let example = Example::new();
    let mut record = example.record();
    assert_eq!(text(&record, "$arg_q $arg_lang"), "1 en");
    record.target = b"/?ab=1&a&a=%20x=y&b=";
    assert_eq!(text(&record, "$arg_a|$arg_b|$arg_c"), "%20x=y||");
}

#[test]
fn the_peer_is_all_of_x_forwarded_for_when_none_came() {
    let mut example = Example::new();
    example.request_headers.remove(X_FORWARDED_FOR);
    assert_eq!(
        text(&example.record(), "$proxy_add_x_forwarded_for"),
        "10.0.0.9"
    );
}

#[test]
fn every_protocol_has_the_name_that_nginx_gives_it() {
    let example = Example::new();
    let versions = [
        Version::HTTP_10,
        Version::HTTP_11,
        Version::HTTP_2,
        Version::HTTP_3,
    ];
    let names = versions.map(|version| {
        text(
            &Record {
                version: Some(version),
                ..example.record()
            },
            "$server_protocol",
        )
    });
    assert_eq!(names, ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0"]);
}
