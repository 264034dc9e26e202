//! The command `hello`, as a shell or Docker runs it.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod wire_client;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Output, Stdio};
use wire_client::{Client, get, holds_in_time, refuses, wait_until};

const HELLO: &str = env!("CARGO_BIN_EXE_hello");

/// A running `hello --name app1` on a free port; killed when the test is over.
struct Running {
    child: Child,
    line: String,
    address: SocketAddr,
}

impl Running {
    fn start() -> Self {
        let mut child = Command::new(HELLO)
            .args(["--listen", "127.0.0.1:0", "--name", "app1"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.rsplit(' ').next().unwrap().trim().parse().unwrap();
        Self {
            child,
            line,
            address,
        }
    }

    fn signal(&self, name: &str) {
        let line = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &line])
                .status()
                .unwrap()
                .success()
        );
    }

    fn exit_code(&mut self) -> Option<i32> {
        wait_until("the command has ended", || {
            self.child.try_wait().unwrap().is_some()
        });
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `hello` to its end; one that goes on serving is killed and fails the test.
fn run(arguments: &[&str]) -> Output {
    let mut child = Command::new(HELLO)
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ended = || child.try_wait().unwrap().is_some();
    if !holds_in_time(&mut ended) {
        child.kill().unwrap();
    }
    child.wait_with_output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn one_line_says_who_listens_where() {
    let hello = Running::start();
    assert_eq!(
        hello.line,
        format!("hello app1 listening on {}\n", hello.address)
    );
    assert_eq!(get(hello.address, "/").json()["hostname"], "app1");
}

#[test]
fn sigterm_and_sigint_end_it_with_0() {
    for name in ["TERM", "INT"] {
        let mut hello = Running::start();
        let mut idle = Client::connect(hello.address);
        assert_eq!(idle.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
        hello.signal(name);
        assert_eq!(hello.exit_code(), Some(0), "{name}");
        assert!(idle.is_closed());
    }
}

#[test]
fn sigterm_lets_a_request_in_flight_finish() {
    let mut hello = Running::start();
    let mut client = Client::connect(hello.address);
    let head =
        "POST /headers HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    assert_eq!(client.ask(head).status, 100);
    hello.signal("TERM");
    wait_until("connections are refused", || refuses(hello.address));
    assert_eq!(client.ask("12345").status, 200);
    assert_eq!(hello.exit_code(), Some(0));
}

#[test]
fn a_port_in_use_ends_it_with_1_and_says_what_to_do() {
    let hello = Running::start();
    let address = hello.address.to_string();
    let output = run(&["--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let message = stderr(&output);
    let start = format!("hello: cannot listen on {address}: Address already in use (os error ");
    let end = "); stop what listens there, or choose another port with --listen\n";
    assert!(
        message.starts_with(&start) && message.ends_with(end),
        "{message}"
    );
}

#[test]
fn a_check_tells_a_healthy_service_from_others() {
    let hello = Running::start();
    let health = format!("http://{}/health", hello.address);
    let output = run(&["--check", &health]);
    assert_eq!(
        (output.status.code(), stderr(&output).as_str()),
        (Some(0), "")
    );

    let other = format!("http://{}/other", hello.address);
    let output = run(&["--check", &other]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        format!(
            "hello: {other} is not well: it answered 404; see whether the service there runs\n"
        )
    );
}

#[test]
fn a_check_fails_where_nothing_listens() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let output = run(&["--check", &format!("http://{free}/health")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("refused"), "{}", stderr(&output));
}

#[test]
fn a_check_gives_up_on_a_service_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/health", silent.local_addr().unwrap());
    let output = run(&["--check", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no answer within 2s"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_check_of_what_is_no_http_url_is_wrong_usage() {
    for url in [
        "127.0.0.1:8000",
        "/health",
        "https://localhost/",
        "http://a b/",
    ] {
        let output = run(&["--check", url]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        assert!(
            stderr(&output).contains("write it as http://127.0.0.1:8000/health"),
            "{url}"
        );
    }
}
