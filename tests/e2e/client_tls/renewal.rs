//! Certificates that change while connections are made.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{get, start, start_with};
use crate::support::{Authority, Backend, Certificate, Proxy, TlsClient, eventually, ok};

fn write(proxy: &Proxy, certificate: &Certificate) {
    // As careful operators do it: each file appears whole.
    for (name, content) in [
        ("0.pem", certificate.pem()),
        ("0.key", certificate.key_pem()),
    ] {
        let fresh = proxy.path("fresh");
        fs::write(&fresh, content).unwrap();
        fs::rename(fresh, proxy.path(name)).unwrap();
    }
}

#[test]
fn a_renewed_certificate_is_shown_under_load_without_one_failed_connection() {
    // Seen failing without the watch, and with one that takes a certificate whose key is still the old one.
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let certificates: Vec<_> = (0..4).map(|_| authority.issue(&["a.test"])).collect();
    let proxy = start(&backend, &[&certificates[0]], "");
    let (mut old_connection, _) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
    let (is_over, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let client = TlsClient::new(&authority);
                    let (mut connection, _) = client.connect(proxy.address(), "a.test");
                    assert_eq!(get(&mut connection, "a.test", "/").status, 200);
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for next in &certificates[1..] {
            write(&proxy, next);
            eventually("the new certificate is shown", || {
                let (_, greeting) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
                &greeting.certificate == next.der()
            });
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(made.into_inner() > 0);
    // Nobody who was connected notices.
    assert_eq!(get(&mut old_connection, "a.test", "/").status, 200);
}

#[test]
fn a_file_that_is_broken_or_does_not_fit_leaves_the_certificate_that_was_there() {
    let authority = Authority::new("our authority");
    let backend = Backend::answering(|_| ok("hello"));
    let (first, second) = (authority.issue(&["a.test"]), authority.issue(&["a.test"]));
    let proxy = start(&backend, &[&first], "");
    let is_shown = |certificate: &Certificate| {
        let (_, greeting) = TlsClient::new(&authority).connect(proxy.address(), "a.test");
        &greeting.certificate == certificate.der()
    };
    fs::write(proxy.path("0.pem"), "nonsense").unwrap();
    proxy.stderr.find("what is wrong", |line| {
        (line.contains("0.pem holds no certificate") && line.contains("still shown")).then_some(())
    });
    assert!(is_shown(&first));
    // Its key is still that of the first.
    fs::write(proxy.path("0.pem"), second.pem()).unwrap();
    proxy.stderr.find("what is wrong", |line| {
        (line.contains("0.key holds another key") && line.contains("still shown")).then_some(())
    });
    assert!(is_shown(&first));
    fs::write(proxy.path("0.key"), second.key_pem()).unwrap();
    eventually("the second one is shown", || is_shown(&second));
}

#[test]
fn authorities_of_clients_are_read_again_too() {
    let (servers, old, new) = (
        Authority::new("servers"),
        Authority::new("old"),
        Authority::new("new"),
    );
    let backend = Backend::answering(|_| ok("hello"));
    let own = servers.issue(&["a.test"]);
    let files = [("clients.pem", old.pem())];
    let proxy = start_with(&backend, &[&own], ", client_ca: clients.pem", "", &files);
    let is_let_in = |certificate: &Certificate| {
        let client = TlsClient::with(&servers, |habits| habits.certificate = Some(certificate));
        let connected = client.try_connect(proxy.address(), "a.test");
        connected.is_ok_and(|(mut client, _)| {
            client.try_send(b"GET /own HTTP/1.1\r\nHost: a.test\r\n\r\n");
            client.try_answer().is_ok()
        })
    };
    let (of_old, of_new) = (old.issue(&["client"]), new.issue(&["client"]));
    assert!(is_let_in(&of_old) && !is_let_in(&of_new));
    fs::write(proxy.path("clients.pem"), new.pem()).unwrap();
    eventually("clients of the new authority are let in", || {
        is_let_in(&of_new)
    });
    assert!(!is_let_in(&of_old));
}
