//! The files in conf/ do what they say.

use std::fs;
use std::net::TcpListener;

use crate::support::{HelloBackend, Proxy, evenkeel, output_of};

#[test]
fn every_shipped_file_is_good() {
    let examples = fs::read_dir("conf/examples").unwrap();
    let examples = examples.map(|file| file.unwrap().path().display().to_string());
    let files = ["lb", "reference", "compose"].map(|name| format!("conf/{name}.yaml"));
    for file in files.into_iter().chain(examples) {
        let mut command = evenkeel();
        command.args(["-c", &file, "-t"]);
        let output = output_of(command);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{file}: {error}");
    }
}

/// The demo's file with other addresses, each of which must stand in it.
fn demo(app1: &str, app2: &str) -> String {
    let mut file = fs::read_to_string("conf/lb.yaml").unwrap();
    for (written, other) in [
        ("0.0.0.0:8080", "127.0.0.1:0"),
        ("127.0.0.1:8001", app1),
        ("127.0.0.1:8002", app2),
    ] {
        assert!(file.contains(written), "{written}");
        file = file.replace(written, other);
    }
    file
}

fn assert_both_answer(proxy: &Proxy) {
    let mut hostnames: Vec<_> = (0..20).map(|_| proxy.get("/").hostname()).collect();
    assert_ne!(hostnames[0], hostnames[1]);
    hostnames.sort_unstable();
    hostnames.dedup();
    assert_eq!(hostnames, ["app1", "app2"]);
}

/// An address that was free a moment ago: an embedded backend cannot tell which port it was given.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn the_demo_serves_two_embedded_backends_in_turns() {
    let (app1, app2) = (free_address(), free_address());
    assert_both_answer(&Proxy::start(&demo(&app1, &app2)));
}

#[test]
fn an_address_that_an_embedded_backend_finds_in_use_is_left_to_whoever_has_it() {
    let app1 = HelloBackend::start("app1");
    let app2 = HelloBackend::start("app2");
    let file = demo(&app1.address().to_string(), &app2.address().to_string());
    let proxy = Proxy::start(&file);
    proxy.stderr.find("a word on the address", |line| {
        let expected = format!("{} is in use, and left to whoever has it", app2.address());
        line.contains(&expected).then_some(())
    });
    assert_both_answer(&proxy);
    assert_eq!((app1.requests(), app2.requests()), (10, 10));
}
