//! The backend takes the request, and no good head comes back.

use super::observe::logged;
use super::rows;
use super::scenario::{Scenario, Seen, Visit, ask, see};
use crate::support::{Backend, ok};

rows! {
    closed_before = "the backend closes before its answer",
    reset_before = "the backend resets the connection before its answer",
    closed_within = "the backend closes inside the answer's head",
    reset_within = "the backend resets the connection inside the answer's head",
    silent = "no answer within timeouts.response",
    silent_within = "the backend falls silent inside the answer's head",
    dripping = "the answer's head drips for longer than timeouts.response",
    stale = "a kept connection turns out to be closed",
    stale_for_a_post = "a kept connection turns out to be closed, and the request is a POST",
    not_http = "the answer is not HTTP",
    no_number = "the status is no number",
    status_below_100 = "the status is below 100",
    unknown_version = "the answer's HTTP version is unknown",
    no_colon = "a line of the answer's head has no colon",
    control_byte = "a header of the answer has a control byte",
    too_large = "the answer's head is larger than 1 MiB",
    too_many_headers = "the answer has more than 256 headers",
    two_lengths = "the answer has two lengths that differ",
    length_no_number = "the answer's length is no number",
    unknown_coding = "the answer's transfer coding is unknown",
    unasked_upgrade = "the backend switches protocols unasked",
    endless_interim = "interim answers without end, for timeouts.response",
    much_interim = "the answer has more than 100 interim answers before it",
    coding_of_old = "the answer has a transfer coding in HTTP/1.0",
    list_of_lengths = "the answer's length is a list",
    closed_after_interim = "the backend closes after an interim answer",
}

fn closed_before() -> Scenario {
    Scenario::of(Backend::saying(""))
}

fn reset_before() -> Scenario {
    Scenario::of(Backend::resetting_after(""))
}

const HALF: &str = "HTTP/1.1 200 OK\r\nContent-";

fn closed_within() -> Scenario {
    Scenario::of(Backend::saying(HALF))
}

fn reset_within() -> Scenario {
    Scenario::of(Backend::resetting_after(HALF))
}

fn silent() -> Scenario {
    Scenario::of(Backend::hanging()).timeouts("response: 300ms")
}

fn silent_within() -> Scenario {
    let backend = Backend::start(|conversation| {
        conversation.request();
        conversation.send(HALF);
        conversation.wait_for_close();
    });
    Scenario::of(backend).timeouts("response: 300ms")
}

fn dripping() -> Scenario {
    let backend = Backend::start(|conversation| {
        conversation.request();
        conversation.send("HTTP/1.1 200 OK\r\nX-Drip: ");
        conversation.drip("x");
    });
    Scenario::of(backend).timeouts("response: 300ms")
}

/// Each connection serves one request well, and is closed when the next one comes.
fn closing_when_reused() -> Backend {
    Backend::start(|conversation| {
        conversation.request();
        conversation.send(ok("fine"));
        conversation.request();
    })
}

/// When the access log has its line, its connection is kept.
fn warm_up(visit: &Visit<'_>) {
    let target = format!("{}/warm", visit.target);
    ask(&Visit {
        method: "GET",
        ..visit.to(&target)
    });
    logged(visit.proxy, &target);
}

fn stale() -> Scenario {
    Scenario::of(closing_when_reused()).client(|visit| {
        warm_up(visit);
        ask(visit)
    })
}

fn stale_for_a_post() -> Scenario {
    Scenario::of(closing_when_reused()).client(|visit| {
        warm_up(visit);
        ask(&Visit {
            method: "POST",
            ..*visit
        })
    })
}

fn not_http() -> Scenario {
    Scenario::of(Backend::saying("220 mail.example ESMTP ready\r\n\r\n"))
}

fn no_number() -> Scenario {
    Scenario::of(Backend::saying("HTTP/1.1 OK\r\n\r\n"))
}

fn status_below_100() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.1 099 Early\r\nContent-Length: 0\r\n\r\n",
    ))
}

fn unknown_version() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ))
}

fn no_colon() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 0\r\n\r\n",
    ))
}

fn control_byte() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.1 200 OK\r\nX-Bad: a\0b\r\nContent-Length: 0\r\n\r\n",
    ))
}

fn too_large() -> Scenario {
    let padding = "x".repeat(1100 * 1024);
    let head = format!("HTTP/1.1 200 OK\r\nX-Padding: {padding}\r\nContent-Length: 0\r\n\r\n");
    Scenario::of(Backend::saying(head))
}

fn too_many_headers() -> Scenario {
    let lines = "X-More: yes\r\n".repeat(257);
    Scenario::of(Backend::saying(format!("HTTP/1.1 200 OK\r\n{lines}\r\n")))
}

fn two_lengths() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    ))
}

fn length_no_number() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello",
    ))
}

fn unknown_coding() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13\r\n\r\nuryyb",
    ))
}

fn unasked_upgrade() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome",
    ))
}

fn endless_interim() -> Scenario {
    let backend = Backend::start(|conversation| {
        conversation.request();
        conversation.drip(INTERIM);
    });
    Scenario::of(backend)
        .timeouts("response: 300ms")
        .client(ask_for_final)
}

fn much_interim() -> Scenario {
    let bytes = INTERIM.repeat(101) + &ok("hello");
    Scenario::of(Backend::saying(bytes)).client(ask_for_final)
}

fn coding_of_old() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ))
}

fn list_of_lengths() -> Scenario {
    Scenario::of(Backend::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    ))
}

fn closed_after_interim() -> Scenario {
    Scenario::of(Backend::saying(INTERIM)).client(ask_for_final)
}

const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\n\r\n";

/// Asks and waits for the answer that is not an interim one.
fn ask_for_final(visit: &Visit<'_>) -> Seen {
    let mut client = visit.connect();
    client.send(visit.head("Content-Length: 5\r\n") + "hello");
    loop {
        match see(&mut client) {
            Seen::Whole(answer) if answer.status < 200 => {}
            other => return other,
        }
    }
}
