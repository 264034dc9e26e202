//! One line for each request, where and as the file says.

use std::fs;

use tempfile::TempDir;

use crate::support::{
    Backend, HelloBackend, Proxy, RefusingBackend, evenkeel, eventually, get_with, in_front_of,
    output_of, write_file,
};

/// Answers itself, and logs as told.
fn logging(access_log: &str) -> Proxy {
    Proxy::start(&file_logging(access_log))
}

fn file_logging(access_log: &str) -> String {
    format!(
        "listeners:
  - address: 127.0.0.1:0
access_log: {access_log}
routes:
  - name: robots
    respond: {{ status: 200, body: \"hello\" }}
"
    )
}

#[test]
fn a_line_of_json_says_who_asked_for_what_and_who_answered() {
    let hello = HelloBackend::start("app1");
    let proxy = Proxy::start(&format!(
        "listeners:
  - {{ address: 127.0.0.1:0, name: public }}
upstreams:
  hello: {{ backends: [{}] }}
routes:
  - {{ name: all, upstream: hello }}
",
        hello.address()
    ));
    let answer = get_with(
        proxy.address(),
        "/?q=1",
        "User-Agent: tester \"quoted\"\r\nReferer: http://b.test/\r\n",
    );
    let line = proxy.logged(|line| line["request_uri"] == "/?q=1");
    for (key, value) in [
        ("listener", "public"),
        ("route", "all"),
        ("upstream", "hello"),
        ("upstream_addr", &hello.address().to_string()),
        ("upstream_status", "200"),
        ("request_id", answer.header("X-Request-Id").unwrap()),
        ("request_method", "GET"),
        ("host", "a.test"),
        ("server_protocol", "HTTP/1.1"),
        ("scheme", "http"),
        ("remote_addr", "127.0.0.1"),
        ("http_user_agent", "tester \"quoted\""),
        ("http_referer", "http://b.test/"),
    ] {
        assert_eq!(line[key], value, "{key} in {line}");
    }
    assert_eq!(line["status"], 200);
    assert_eq!(line["attempts"], 1);
    assert_eq!(line["body_bytes_sent"], answer.body.len());
    assert!(line["bytes_sent"].as_u64() > line["body_bytes_sent"].as_u64());
    assert!(line["request_length"].as_u64() > Some(0));
    assert!(line["request_time"].is_number());
    assert!(line["error"].is_null());
}

#[test]
fn a_failed_request_is_logged_with_its_error_and_every_backend_that_was_tried() {
    let refusing = [RefusingBackend::new(), RefusingBackend::new()];
    let addresses = refusing.each_ref().map(RefusingBackend::address);
    let proxy = Proxy::start(&in_front_of(&addresses));
    proxy.get("/");
    let line = proxy.logged(|line| line["status"] == 502);
    assert_eq!(line["error"], "connection_refused");
    assert_eq!(line["attempts"], 2);
    let tried = line["upstream_addr"].as_str().unwrap();
    for address in addresses {
        assert!(tried.contains(&address.to_string()), "{tried}");
    }
}

#[test]
fn a_line_without_a_backend_says_so() {
    let proxy = logging("{ path: stdout }");
    proxy.get("/x");
    let line = proxy.logged(|line| line["request_uri"] == "/x");
    assert_eq!(line["route"], "robots");
    for key in ["upstream", "upstream_addr", "upstream_status"] {
        assert!(line[key].is_null(), "{key} in {line}");
    }
}

#[test]
fn the_combined_format_is_that_of_nginx_and_apache() {
    let proxy = logging("{ format: combined }");
    get_with(proxy.address(), "/x?y=1", "User-Agent: tester/1\r\n");
    let line = proxy.stdout.find("a line", |line| Some(line.to_owned()));
    let (before, rest) = line.split_once(" [").unwrap();
    let (_time, after) = rest.split_once("] ").unwrap();
    assert_eq!(before, "127.0.0.1 - -");
    assert_eq!(after, "\"GET /x?y=1 HTTP/1.1\" 200 5 \"-\" \"tester/1\"");
}

#[test]
fn a_format_of_ones_own_is_filled_in() {
    let proxy = logging(
        "{ format: '$request_method $uri $status ${route}! $http_x_tenant $upstream_addr' }",
    );
    get_with(proxy.address(), "/x?y=1", "X-Tenant: blue\r\n");
    let line = proxy.stdout.find("a line", |line| Some(line.to_owned()));
    assert_eq!(line, "GET /x 200 robots! blue -");
}

#[test]
fn a_format_can_have_the_headers_of_answers() {
    let backend = Backend::saying("HTTP/1.1 200 OK\r\nServer: they\r\nContent-Length: 2\r\n\r\nok");
    let format = "{ format: '$upstream_http_server $sent_http_server $sent_http_content_length' }";
    let file = in_front_of(&[backend.address()]);
    let proxy = Proxy::start(&format!("{file}access_log: {format}\n"));
    proxy.get("/");
    let line = proxy.stdout.find("a line", |line| Some(line.to_owned()));
    assert_eq!(line, "they they 2");
}

#[test]
fn a_client_cannot_break_the_line() {
    let proxy = logging("{ format: '$status [$http_x_tenant]' }");
    get_with(proxy.address(), "/", "X-Tenant: a\tb\"c\\d\u{e9}\r\n");
    let line = proxy.stdout.find("a line", |line| Some(line.to_owned()));
    assert!(line.starts_with("200 [a") && line.ends_with(']'), "{line}");
    assert!(!line.contains('\t'), "{line}");
}

#[test]
fn a_log_that_is_off_writes_nothing() {
    let mut proxy = logging("off");
    assert_eq!(proxy.get("/").status, 200);
    proxy.signal(rustix::process::Signal::TERM);
    proxy.end();
    assert_eq!(proxy.stdout.to_the_end(), [""; 0]);
}

#[test]
fn the_log_can_go_to_standard_error() {
    let proxy = logging("{ path: stderr, format: 'seen $request_uri' }");
    proxy.get("/x");
    proxy
        .stderr
        .find("a line", |line| (line == "seen /x").then_some(()));
    assert_eq!(proxy.stdout.all(), [""; 0]);
}

#[test]
fn the_log_can_go_to_a_file_which_is_appended_to() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("access.log");
    fs::write(&file, "from before\n").unwrap();
    let proxy = logging(&format!(
        "{{ path: {}, format: '$request_uri' }}",
        file.display()
    ));
    proxy.get("/x");
    eventually("the line is appended", || {
        fs::read_to_string(&file).unwrap() == "from before\n/x\n"
    });
}

#[test]
fn a_log_file_that_cannot_be_opened_ends_the_program_with_1() {
    let folder = TempDir::new().unwrap();
    let configuration = file_logging("{ path: /there/is/no/such.log }");
    let file = write_file(folder.path(), &configuration);
    let mut command = evenkeel();
    command.arg("-c").arg(file);
    let output = output_of(command);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("/there/is/no/such.log") && error.contains("create its folder"),
        "{error}"
    );
}
