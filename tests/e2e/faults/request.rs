//! The request's head is refused before a backend is looked for.

use super::rows;
use super::scenario::{Scenario, Visit, see};
use crate::support::Backend;

rows! {
    malformed = "the request is malformed",
    no_host = "the request has no Host",
    two_hosts = "the request has two Hosts",
    two_lengths = "the request has two lengths that differ",
    length_and_chunks = "the request has a length and is chunked",
    unknown_coding = "the request's transfer coding is unknown",
    other_authority = "the request's target contradicts its Host",
    too_large = "the request's head is larger than the listener's limits.header_bytes",
    too_many_lines = "the request has more header lines than the listener's limits.headers",
    too_long = "the request's target is longer than the listener's limits.uri_bytes",
    tunnel = "the request's method is CONNECT",
    slow = "the request's head takes longer than the listener's timeouts.header",
}

fn refused(head: impl Fn(&Visit<'_>) -> String + Send + Sync + 'static) -> Scenario {
    Scenario::of(Backend::hanging())
        .refused_early()
        .client(move |visit| {
            let mut client = visit.connect();
            client.send(head(visit));
            see(&mut client)
        })
}

fn malformed() -> Scenario {
    refused(|visit| visit.head("no colon\r\n"))
}

fn no_host() -> Scenario {
    refused(|visit| visit.head("").replace("Host: a.test\r\n", ""))
}

fn two_hosts() -> Scenario {
    refused(|visit| visit.head("Host: b.test\r\n"))
}

fn two_lengths() -> Scenario {
    refused(|visit| visit.head("Content-Length: 5\r\nContent-Length: 6\r\n") + "hello!")
}

fn length_and_chunks() -> Scenario {
    refused(|visit| visit.head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n")
}

fn unknown_coding() -> Scenario {
    refused(|visit| visit.head("Transfer-Encoding: rot13\r\n") + "uryyb")
}

fn other_authority() -> Scenario {
    refused(|visit| visit.head("").replacen(" /", " http://b.test/", 1))
}

fn too_large() -> Scenario {
    refused(|visit| visit.head(&format!("X-Padding: {}\r\n", "x".repeat(32 * 1024))))
}

fn too_many_lines() -> Scenario {
    refused(|visit| visit.head(&"X-More: yes\r\n".repeat(100)))
}

fn too_long() -> Scenario {
    refused(|visit| {
        visit
            .head("")
            .replacen(" HTTP", &format!("?{} HTTP", "x".repeat(16 * 1024)), 1)
    })
}

fn tunnel() -> Scenario {
    refused(|_| "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n".to_owned())
}

fn slow() -> Scenario {
    refused(|visit| visit.head("").trim_end().to_owned()).listener("timeouts: { header: 300ms }")
}
