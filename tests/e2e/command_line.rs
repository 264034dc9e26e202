//! What is typed, what comes back, and the exit status.

use std::net::TcpListener;
use std::process::Output;

use tempfile::TempDir;

use crate::support::{evenkeel, output_of, write_file};

const GOOD: &str = "listeners:
  - address: 127.0.0.1:0
routes:
  - respond: { status: 200 }
";

fn run(arguments: &[&str]) -> Output {
    let mut command = evenkeel();
    command.args(arguments);
    output_of(command)
}

/// Runs it with a file of this content; `FILE` in the arguments stands for the file.
fn run_with(configuration: &str, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let file = write_file(folder.path(), configuration);
    let mut command = evenkeel();
    for argument in arguments {
        if *argument == "FILE" {
            command.arg(&file);
        } else {
            command.arg(argument);
        }
    }
    output_of(command)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_port_in_use_ends_the_program_with_1_and_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = GOOD.replace("127.0.0.1:0", &address.to_string());
    let output = run_with(&file, &["-c", "FILE"]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(
        error.contains(&format!("cannot listen on {address}")),
        "{error}"
    );
    assert!(error.contains("stop it"), "{error}");
    assert!(
        error.contains(&format!("ss -ltnp 'sport = :{}'", address.port())),
        "{error}"
    );
}

#[test]
fn every_listener_that_cannot_be_bound_is_named() {
    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = taken.each_ref().map(|taken| taken.local_addr().unwrap());
    let file = format!(
        "listeners:
  - address: {}
  - address: 127.0.0.1:0
  - address: {}
routes:
  - respond: {{ status: 200 }}
",
        addresses[0], addresses[1]
    );
    let output = run_with(&file, &["-c", "FILE"]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    for address in addresses {
        assert!(
            error.contains(&format!("cannot listen on {address}")),
            "{error}"
        );
    }
    assert!(!error.contains("listening on"), "{error}");
}

#[test]
fn a_good_file_is_checked_and_nothing_is_started() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = GOOD.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string());
    for arguments in [
        &["-c", "FILE", "-t"][..],
        &["-c", "FILE", "check"],
        &["check", "-c", "FILE"],
        &["--config", "FILE", "--test"],
    ] {
        let output = run_with(&file, arguments);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(stdout(&output).contains("the configuration is good"));
    }
}

#[test]
fn a_bad_file_ends_the_program_with_2_and_all_its_faults() {
    let bad = GOOD.replace("status: 200", "status: 99, extra: 1");
    for arguments in [
        &["-c", "FILE", "-t"][..],
        &["check", "-c", "FILE"],
        &["-c", "FILE"],
    ] {
        let output = run_with(&bad, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = stderr(&output);
        assert!(error.contains("evenkeel.yaml:4:"), "{error}");
        assert!(error.contains("routes[0].respond.status"), "{error}");
        assert!(error.contains("routes[0].respond.extra"), "{error}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_file_that_is_not_there_ends_the_program_with_2() {
    let output = run(&["-c", "there/is/no/such.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("there/is/no/such.yaml"));
}

#[test]
fn without_a_file_the_usage_is_shown_and_the_status_is_2() {
    for arguments in [&[][..], &["-t"], &["check"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = stderr(&output);
        assert!(
            error.contains("-c FILE") && error.contains("Usage:"),
            "{error}"
        );
    }
}

#[test]
fn wrong_usage_ends_the_program_with_2() {
    for arguments in [&["--frobnicate"][..], &["frobnicate"], &["-c"]] {
        assert_eq!(run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn schema_prints_the_schema_that_is_shipped() {
    let output = run(&["schema"]);
    assert_eq!(output.status.code(), Some(0));
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let shipped = std::fs::read_to_string("conf/schema.json").unwrap();
    let shipped: serde_json::Value = serde_json::from_str(&shipped).unwrap();
    assert!(printed == shipped, "conf/schema.json is out of date");
}

#[test]
fn version_and_help_are_told() {
    let output = run(&["--version"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        stdout(&output),
        format!("evenkeel {}\n", env!("CARGO_PKG_VERSION"))
    );
    let output = run(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    for word in ["--config", "--test", "check", "schema"] {
        assert!(stdout(&output).contains(word), "{word}");
    }
}

#[test]
fn a_pid_file_that_cannot_be_written_ends_the_program_with_1() {
    let file = format!("server: {{ pid_file: /there/is/no/such.pid }}\n{GOOD}");
    let output = run_with(&file, &["-c", "FILE"]);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(
        error.contains("server.pid_file") && error.contains("/there/is/no/such.pid"),
        "{error}"
    );
}

#[test]
fn what_can_have_no_effect_is_warned_of_when_a_file_is_checked() {
    let file = "listeners:
  - address: 127.0.0.1:0
upstreams:
  three:
    backends: [127.0.0.1:1, 127.0.0.1:2, 127.0.0.1:3]
    outlier: { max_ejected: 20% }
  one:
    backends: [127.0.0.1:1]
    retry: { attempts: 3 }
  plain:
    backends: [127.0.0.1:1]
routes:
  - upstream: three
";
    let output = run_with(file, &["-c", "FILE", "-t"]);
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{error}");
    for warning in [
        "warning: upstreams.three.outlier.max_ejected: 20% of 3 backends, rounded down, is none, so none is ever ejected; \
         write at least 34%, or `outlier: off`",
        "warning: upstreams.one.retry: attempts are made again at another backend, and there is no other",
    ] {
        assert!(error.contains(warning), "{error}");
    }
    assert_eq!(error.lines().count(), 2, "{error}");
}
