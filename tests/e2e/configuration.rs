//! What the file says reaches the running program.

use crate::shipped_files::free_address;
use crate::support::{
    Backend, Client, GatedBackend, Proxy, RefusingBackend, eventually, in_front_of, ok, upstream_of,
};

#[test]
fn environment_values_in_the_file_reach_the_running_program() {
    let backend = Backend::answering(|_| ok("from the environment"));
    let proxy = Proxy::start_with(
        "listeners:
  - address: ${E2E_LISTEN}
upstreams:
  hello:
    backends: ['127.0.0.1:${E2E_PORT}']
routes:
  - upstream: hello
  - match: { path: /own }
    respond: { status: '${E2E_STATUS:-418}', body: 'I am ${E2E_NAME:-nobody}' }
",
        |command| {
            command.env("E2E_LISTEN", "127.0.0.1:0");
            command.env("E2E_PORT", backend.address().port().to_string());
            command.env("E2E_NAME", "somebody");
        },
    );
    assert_eq!(proxy.get("/").text(), "from the environment");
    let answer = proxy.get("/own");
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (418, "I am somebody")
    );
}

#[test]
fn rust_log_wins_over_the_log_level_of_the_file() {
    let file = "listeners:
  - address: 127.0.0.1:0
log: { level: error }
routes:
  - respond: { status: 200 }
";
    // At the level of the file, not even the line that this waits for would be written.
    let proxy = Proxy::start_with(file, |command| {
        command.env("RUST_LOG", "info");
    });
    assert_eq!(proxy.get("/").status, 200);
}

#[test]
fn the_log_level_of_the_file_is_followed() {
    let refusing = RefusingBackend::new();
    let file = in_front_of(&[refusing.address()]);
    let proxy = Proxy::start(&format!(
        "log: {{ level: 'info,evenkeel::proxy=debug' }}\n{file}"
    ));
    proxy.get("/");
    proxy.stderr.find("a line at the level debug", |line| {
        line.contains("DEBUG").then_some(())
    });
}

#[test]
fn threads_are_as_many_as_the_file_says() {
    let proxy = Proxy::start(
        "listeners:
  - address: 127.0.0.1:0
server: { threads: 3 }
routes:
  - respond: { status: 200 }
",
    );
    if !cfg!(target_os = "linux") {
        return;
    }
    let workers = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", proxy.id())).unwrap();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name.to_lowercase().contains("front door"))
            .count()
    };
    eventually("three workers of the front door", || workers() == 3);
}

#[test]
fn an_embedded_backend_answers_with_its_name_where_the_file_says() {
    let address = free_address();
    let file = in_front_of(&[address.parse().unwrap()]);
    let proxy = Proxy::start(&format!(
        "embedded_backends: [{{ name: app7, address: '{address}' }}]\n{file}"
    ));
    assert_eq!(proxy.get("/").hostname(), "app7");
}

#[test]
fn what_is_written_off_is_off() {
    let backend = GatedBackend::start("one");
    let file = upstream_of(
        &[backend.address()],
        "sticky: off\n    health_check: off\n    queue: off",
    );
    let address = backend.address().to_string();
    let limited = format!("{{ address: '{address}', max_requests: 1 }}");
    let proxy = Proxy::start(&file.replace(&address, &limited));
    let mut held = Client::connect(proxy.address());
    held.send("GET /held HTTP/1.1\r\nHost: a.test\r\n\r\n");
    eventually("it is held", || !backend.requests().is_empty());
    // Without a queue it does not wait.
    assert_eq!(proxy.get("/").status, 503);
    backend.let_go(1);
    let answer = held.answer();
    assert_eq!((answer.status, answer.header("Set-Cookie")), (200, None));
    assert_eq!(backend.targets(), ["/held"], "and no check");
}
