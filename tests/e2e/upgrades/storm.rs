//! Many upgrades while the processor is busy with other things: whatever overtakes whatever, none of them may fail.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{ASK, SWITCHED};
use crate::support::{Backend, Client, Proxy, in_front_of};

/// How many there are; `EVENKEEL_UPGRADES` makes it another number.
const UPGRADES: usize = 2000;
/// How many at a time.
const CLIENTS: usize = 8;
/// Threads that only turn, so that the proxy is interrupted everywhere.
const BURNERS: usize = 6;

#[test]
fn two_thousand_upgrades_on_a_busy_machine_and_not_one_fails() {
    // Seen failing with the tunnel that Pingora has: about four of a thousand break off right behind the 101.
    let wanted = std::env::var("EVENKEEL_UPGRADES");
    let wanted = wanted.map_or(UPGRADES, |count| count.parse().unwrap());
    let backend = Backend::start(|conversation| {
        if conversation.request().is_some() {
            conversation.send(SWITCHED);
            conversation.wait_for(b"ping");
            conversation.send("pong");
            conversation.wait_for_close();
        }
    });
    let proxy = Proxy::start(&in_front_of(&[backend.address()]));
    let (address, left) = (proxy.address(), AtomicUsize::new(wanted));
    let is_over = Arc::new(AtomicBool::new(false));
    let burners: Vec<_> = (0..BURNERS).map(|_| burn(&is_over)).collect();
    let failed: Vec<String> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| scope.spawn(|| until_none_is_left(address, &left)))
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().unwrap())
            .collect()
    });
    is_over.store(true, Ordering::Relaxed);
    for burner in burners {
        burner.join().unwrap();
    }
    assert_eq!(backend.asked_for("/chat"), wanted, "{failed:?}");
    let count = failed.len();
    assert!(
        failed.is_empty(),
        "{count} of {wanted}, first {}",
        failed[0]
    );
}

fn burn(is_over: &Arc<AtomicBool>) -> thread::JoinHandle<()> {
    let is_over = Arc::clone(is_over);
    thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    })
}

/// What went wrong, a line for each.
fn until_none_is_left(address: SocketAddr, left: &AtomicUsize) -> Vec<String> {
    let take = || {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            left.checked_sub(1)
        })
    };
    let mut failed = Vec::new();
    while take().is_ok() {
        if let Err(error) = one(address) {
            failed.push(error.to_string());
        }
    }
    failed
}

fn one(address: SocketAddr) -> io::Result<()> {
    let mut client = Client::try_connect(address)?;
    client.send(ASK);
    let status = client.try_answer()?.status;
    if status != 101 {
        return Err(io::Error::other(format!("answered {status}")));
    }
    client.try_wait_for(b"welcome")?;
    client.try_send(b"ping");
    client.try_wait_for(b"pong")
}
