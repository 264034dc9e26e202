//! Connections to backends that are kept for the next request.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use crate::support::{Backend, Client, Proxy, eventually, ok, upstream_of};

/// A backend that counts its connections, behind a proxy of one thread: each request sees what the ones before it have left.
struct Counted {
    backend: Backend,
    proxy: Proxy,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    opened: AtomicUsize,
    closed: AtomicUsize,
}

impl Counted {
    /// What asks for `/pair` is answered together with another one.
    fn start(connections: &str) -> Self {
        let (counts, pair) = (Arc::<Counts>::default(), Barrier::new(2));
        let counter = Arc::clone(&counts);
        let backend = Backend::start(move |conversation| {
            counter.opened.fetch_add(1, Ordering::Relaxed);
            while let Some(request) = conversation.request() {
                if request.target() == "/pair" {
                    pair.wait();
                }
                conversation.send(ok("fine"));
            }
            counter.closed.fetch_add(1, Ordering::Relaxed);
        });
        let keys = format!("connections: {connections}");
        let file = upstream_of(&[backend.address()], &keys);
        let proxy = Proxy::start(&format!("server: {{ threads: 1 }}\n{file}"));
        Self {
            backend,
            proxy,
            counts,
        }
    }

    fn opened(&self) -> usize {
        self.counts.opened.load(Ordering::Relaxed)
    }

    fn closed(&self) -> usize {
        self.counts.closed.load(Ordering::Relaxed)
    }

    /// Two requests at the same time, of which the second comes when the first is there.
    fn ask_for_a_pair(&self) {
        let (before, logged) = (self.backend.requests().len(), self.proxy.stdout.all().len());
        let mut clients = [(); 2].map(|()| Client::connect(self.proxy.address()));
        for (client, arrived) in clients.iter_mut().zip(before + 1..) {
            client.send("GET /pair HTTP/1.1\r\nHost: a.test\r\n\r\n");
            eventually("it arrives", || self.backend.requests().len() >= arrived);
        }
        for client in &mut clients {
            assert_eq!(client.answer().status, 200);
        }
        // Only then are the connections there for the next requests.
        eventually("both are over", || {
            self.proxy.stdout.all().len() == logged + 2
        });
    }
}

#[test]
fn no_more_connections_are_kept_than_the_file_says() {
    let one = Counted::start("{ keepalive: 1 }");
    one.ask_for_a_pair();
    // Both, where the one that is not kept comes last and takes the other one's place in Pingora's pool for a moment.
    eventually("one of two is closed", || one.closed() >= 1);
    let two = Counted::start("{ keepalive: 2 }");
    (0..2).for_each(|_| two.ask_for_a_pair());
    assert_eq!(two.opened(), 2, "both are used again");
}

#[test]
fn an_unused_connection_is_kept_no_longer_than_the_file_says() {
    let counted = Counted::start("{ idle: 50ms }");
    assert_eq!(counted.proxy.get("/").status, 200);
    eventually("the proxy closes it", || counted.closed() == 1);
}
