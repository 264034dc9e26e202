//! A thousand clients that never come to the end of their heads.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{Client, HelloBackend, Load, Proxy, in_front_of};

const CLIENTS: usize = 1000;

/// Many more than it takes; one is about a second, a millisecond for each client.
const ROUNDS: usize = 30;

#[test]
fn a_thousand_clients_that_drip_a_byte_a_second_are_each_cut_with_408_and_all_others_are_served() {
    // Seen failing without the deadline.
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum;
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();
    let backend = HelloBackend::start("one");
    let file = in_front_of(&[backend.address()]).replace(
        "address: 127.0.0.1:0",
        "address: 127.0.0.1:0\n    timeouts: { header: 3s }",
    );
    let proxy = Proxy::start(&file);
    let load = Load::start(proxy.address(), 2);
    let mut left: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = Client::connect(proxy.address());
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\nX-Drip: ");
            client
        })
        .collect();
    load.wait_for_answers(20);
    let mut cut = 0;
    for _ in 0..ROUNDS {
        left.retain_mut(|client| {
            client.drip_once(b"x");
            let Some(answer) = client.answer_if_begun() else {
                return true;
            };
            assert_eq!(answer.status, 408);
            cut += 1;
            false
        });
    }
    assert_eq!(cut, CLIENTS);
    load.wait_for_answers(20);
    let tally = load.stop();
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
}
