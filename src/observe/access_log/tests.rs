use std::net::IpAddr;

use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;
use crate::config::LogDestination;
use crate::observe::example::Example;
use crate::template::Template;

fn line(format: &LogFormat, record: &Record<'_>) -> String {
    let mut out = Vec::new();
    append_line(format, record, &mut out);
    String::from_utf8(out).unwrap()
}

fn template(text: &str) -> LogFormat {
    LogFormat::Template(Template::parse(text).unwrap())
}

#[test]
fn a_json_line_has_these_keys_in_this_order() {
    let expected = concat!(
        r#"{"time_iso8601":"2026-11-22T20:13:11+00:00","msec":1795378391.120,"#,
        r#""request_id":"019ab001-0000-7000-8000-000000000001","listener":"public","#,
        r#""remote_addr":"198.51.100.7","remote_port":50001,"realip_remote_addr":"10.0.0.9","#,
        r#""scheme":"https","request_method":"GET","host":"example.com","#,
        r#""request_uri":"/a%20b/c?q=1&Lang=en&q=2","server_protocol":"HTTP/1.1","#,
        r#""http_referer":"http://example.com/start","http_user_agent":"curl/8.5.0","request_length":321,"#,
        r#""route":"routes[0]","upstream":"hello","attempts":2,"#,
        r#""upstream_addr":"127.0.0.1:8001, 127.0.0.1:8002","upstream_status":"-, 200","#,
        r#""upstream_connect_time":"-, 0.001","upstream_header_time":"-, 1.030","#,
        r#""upstream_response_time":"0.002, 1.031","status":200,"bytes_sent":210,"body_bytes_sent":52,"#,
        r#""request_time":1.034,"error":"connection_refused"}"#,
    );
    assert_eq!(line(&LogFormat::Json, &Example::new().record()), expected);
}

#[test]
fn a_json_line_has_null_for_what_is_unknown_and_keeps_its_keys() {
    let example = Example::new();
    let full: Value = serde_json::from_str(&line(&LogFormat::Json, &example.record())).unwrap();
    let bare: Value = serde_json::from_str(&line(&LogFormat::Json, &example.refused())).unwrap();
    for key in [
        "remote_port",
        "route",
        "upstream",
        "upstream_addr",
        "upstream_status",
        "status",
        "error",
    ] {
        assert_eq!(bare[key], Value::Null, "{key}");
    }
    assert_eq!(bare["attempts"], json!(0));
    let keys = |line: &Value| {
        line.as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&full), keys(&bare));
}

#[test]
fn every_key_of_a_json_line_is_the_name_of_its_variable() {
    for Key {
        before, variable, ..
    } in &KEYS
    {
        let mut name = Vec::new();
        before.append(&mut name);
        let name = String::from_utf8(name).unwrap();
        let name = name.trim_matches([',', ':', '"']);
        let parsed = Template::parse(&format!("${name}")).unwrap();
        assert_eq!(parsed.variables().collect::<Vec<_>>(), [variable], "{name}");
    }
}

#[test]
fn a_combined_line_is_the_one_that_nginx_and_apache_write() {
    let expected = "198.51.100.7 - - [22/Nov/2026:20:13:11 +0000] \"GET /a%20b/c?q=1&Lang=en&q=2 HTTP/1.1\" 200 52 \
        \"http://example.com/start\" \"curl/8.5.0\"";
    assert_eq!(
        line(&LogFormat::Combined, &Example::new().record()),
        expected
    );
}

#[test]
fn a_combined_line_has_dashes_for_what_is_unknown() {
    let mut example = Example::new();
    example.request_headers.clear();
    let expected =
        "198.51.100.7 - - [22/Nov/2026:20:13:11 +0000] \"GET / HTTP/1.1\" - 52 \"-\" \"-\"";
    assert_eq!(line(&LogFormat::Combined, &example.refused()), expected);
}

#[test]
fn a_template_line_escapes_values_and_leaves_the_operators_text_alone() {
    let mut example = Example::new();
    let value = HeaderValue::from_bytes(b"a \"quoted\" \\ caf\xc3\xa9\t").unwrap();
    example.request_headers.insert(USER_AGENT, value);
    let format = template("é \"$http_user_agent\" $status $http_none $$");
    let expected = "é \"a \\x22quoted\\x22 \\x5C caf\\xC3\\xA9\\x09\" 200 - $";
    assert_eq!(line(&format, &example.record()), expected);
}

#[test]
fn a_quote_in_a_header_does_not_end_the_field_of_a_combined_line() {
    let mut example = Example::new();
    example
        .request_headers
        .insert(USER_AGENT, HeaderValue::from_static("x\" 200 0 \"forged"));
    assert!(
        line(&LogFormat::Combined, &example.record()).ends_with(" \"x\\x22 200 0 \\x22forged\"")
    );
}

#[test]
fn a_line_break_in_a_target_does_not_start_a_line() {
    let example = Example::new();
    let record = Record {
        target: b"/\r\n198.51.100.1 - - forged",
        ..example.record()
    };
    assert!(line(&LogFormat::Combined, &record).contains("GET /\\x0D\\x0A198.51.100.1"));
    assert!(line(&LogFormat::Json, &record).contains(r#""/\r\n198.51.100.1 - - forged""#));
}

#[test]
fn a_written_record_becomes_one_line_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let log = config::AccessLog {
        path: LogDestination::File(path.clone()),
        format: template("$request_method $uri"),
    };
    let log = AccessLog::open(&log, Arc::new(ManualClock::default())).unwrap();
    let example = Example::new();
    log.write(&example.record());
    log.write(&Record {
        path: "/x",
        ..example.record()
    });
    assert!(log.close(Duration::from_secs(10)));
    assert_eq!(
        std::fs::read_to_string(path).unwrap(),
        "GET /a b/c\nGET /x\n"
    );
}

#[test]
fn a_log_that_is_off_takes_records_and_keeps_none() {
    let log = config::AccessLog {
        path: LogDestination::Off,
        format: LogFormat::Json,
    };
    let log = AccessLog::open(&log, Arc::new(ManualClock::default())).unwrap();
    log.write(&Example::new().record());
    assert!(log.close(Duration::ZERO));
    assert_eq!(log.sink().lines_dropped(), 0);
}

/// What a client, a backend or a careless caller can choose.
#[derive(Debug)]
struct Hostile {
    example: Example,
    method: Method,
    target: Vec<u8>,
    text: String,
    client: IpAddr,
}

impl Hostile {
    fn record(&self) -> Record<'_> {
        Record {
            method: Some(&self.method),
            target: &self.target,
            host: &self.text,
            path: &self.text,
            request_id: &self.text,
            route: Some(&self.text),
            error: Some(&self.text),
            client: Some(self.client),
            ..self.example.record()
        }
    }
}

fn header_value() -> impl Strategy<Value = HeaderValue> {
    proptest::collection::vec(any::<u8>(), 0..40).prop_filter_map("no header value", |bytes| {
        HeaderValue::from_bytes(&bytes).ok()
    })
}

prop_compose! {
    fn hostile()(
        user_agent in header_value(),
        referer in header_value(),
        method in "[A-Z!#$%&'*+.^_`|~-]{1,12}",
        target: Vec<u8>,
        text in "\\PC*|[\\x00-\\x1f\"\\\\\u{85}\u{2028}\u{202e}]*",
        client: IpAddr,
    ) -> Hostile {
        let mut example = Example::new();
        example.request_headers.insert(USER_AGENT, user_agent);
        example.request_headers.insert(REFERER, referer);
        example.attempts[0].address = text.as_str().into();
        Hostile { example, method: Method::from_bytes(method.as_bytes()).unwrap(), target, text, client }
    }
}

proptest! {
    #[test]
    fn whatever_a_client_sends_it_gets_one_line_of_printable_characters(hostile in hostile()) {
        let format = template("$request_method \"$request_uri\" $uri $host $http_user_agent $request_id $error");
        for format in [LogFormat::Json, LogFormat::Combined, format] {
            let line = line(&format, &hostile.record());
            prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", line);
        }
    }

    #[test]
    fn whatever_a_client_sends_it_opens_and_closes_no_quote(hostile in hostile()) {
        let line = line(&LogFormat::Combined, &hostile.record());
        prop_assert_eq!(line.matches('"').count(), 6);
    }

    #[test]
    fn whatever_a_client_sends_a_json_line_says_exactly_that(hostile in hostile()) {
        let parsed: Value = serde_json::from_str(&line(&LogFormat::Json, &hostile.record())).unwrap();
        let lossy = |bytes: &[u8]| match bytes {
            [] => Value::Null,
            _ => Value::from(String::from_utf8_lossy(bytes)),
        };
        let header = |name: HeaderName| lossy(hostile.example.request_headers[name].as_bytes());
        prop_assert_eq!(&parsed["request_uri"], &lossy(&hostile.target));
        prop_assert_eq!(&parsed["http_user_agent"], &header(USER_AGENT));
        prop_assert_eq!(&parsed["http_referer"], &header(REFERER));
        prop_assert_eq!(&parsed["request_method"], &lossy(hostile.method.as_str().as_bytes()));
        for key in ["host", "request_id", "route", "error"] {
            prop_assert_eq!(&parsed[key], &lossy(hostile.text.as_bytes()));
        }
        let addresses = format!("{}, 127.0.0.1:8002", hostile.text);
        prop_assert_eq!(&parsed["upstream_addr"], &Value::from(addresses));
        prop_assert_eq!(&parsed["remote_addr"], &Value::from(hostile.client.to_string()));
        prop_assert_eq!(parsed.as_object().unwrap().len(), KEYS.len());
    }
}
