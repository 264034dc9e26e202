//! Many clients that ask again and again on connections they keep, as browsers do.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use super::client::Client;
use super::eventually;

pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Answers with status 200, by who gave them.
    pub(crate) by_hostname: BTreeMap<String, u64>,
    /// What went wrong, a line each.
    pub(crate) failures: Vec<String>,
}

#[derive(Default)]
struct Shared {
    is_over: AtomicBool,
    answers: AtomicU64,
    tally: Mutex<Tally>,
}

impl Load {
    /// `clients` connections that send one GET after the other, until stopped.
    pub(crate) fn start(address: SocketAddr, clients: usize) -> Self {
        let shared = Arc::<Shared>::default();
        let start = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || keep_asking(address, &shared))
        };
        let clients = (0..clients).map(start).collect();
        Self { shared, clients }
    }

    /// Waits until so many more answers have come.
    pub(crate) fn wait_for_answers(&self, more: u64) {
        let answers = || self.shared.answers.load(Ordering::Relaxed);
        let enough = answers() + more;
        eventually("the load is served", || answers() >= enough);
    }

    pub(crate) fn stop(self) -> Tally {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        std::mem::take(&mut *self.shared.tally.lock().unwrap())
    }
}

fn keep_asking(address: SocketAddr, shared: &Shared) {
    let mut connection = None;
    while !shared.is_over.load(Ordering::Relaxed) {
        let client = connection.get_or_insert_with(|| Client::connect(address));
        client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let outcome = match client.try_answer() {
            Ok(answer) if answer.status == 200 && answer.is_complete => {
                if answer.header("connection") == Some("close") {
                    connection = None;
                }
                Ok(answer.hostname())
            }
            Ok(answer) => Err(format!("{} {}", answer.status, answer.text())),
            Err(error) => Err(error.to_string()),
        };
        let mut tally = shared.tally.lock().unwrap();
        match outcome {
            Ok(hostname) => *tally.by_hostname.entry(hostname).or_default() += 1,
            Err(failure) => {
                tally.failures.push(failure);
                connection = None;
            }
        }
        shared.answers.fetch_add(1, Ordering::Relaxed);
    }
}
