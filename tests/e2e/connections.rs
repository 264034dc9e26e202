//! Connections to backends that are kept for the next request.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};

use crate::support::{Backend, Client, Conversation, Proxy, eventually, ok, upstream_of};

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
    eventually("one of two is closed", || one.closed() == 1);
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

/// A backend that does this with its one connection, a proxy in front of it, and whether the backend is done.
fn rid_after(
    script: impl Fn(&mut Conversation) + Send + Sync + 'static,
) -> (Backend, Proxy, impl Fn() -> bool) {
    let is_rid = Arc::<AtomicBool>::default();
    let told = Arc::clone(&is_rid);
    let backend = Backend::start(move |conversation| {
        script(conversation);
        told.store(true, Ordering::Relaxed);
    });
    let proxy = Proxy::start(&upstream_of(&[backend.address()], ""));
    (backend, proxy, move || is_rid.load(Ordering::Relaxed))
}

#[test]
fn an_unused_connection_that_the_backend_has_ended_is_closed_here_too() {
    // Seen to stay half open for ever without the look that is taken at those which wait.
    let (_backend, proxy, is_rid) = rid_after(|conversation| {
        conversation.request();
        conversation.send(ok("fine"));
        conversation.end();
        conversation.wait_for_close();
    });
    assert_eq!(proxy.get("/").status, 200);
    eventually("the proxy closes it", is_rid);
}

#[test]
fn a_backend_that_goes_on_behind_its_early_answer_is_cut_off() {
    // Seen to be read on, into memory, as long as the client took its time.
    let (_backend, proxy, is_rid) = rid_after(|conversation| {
        conversation.head();
        conversation.send(ok("early"));
        conversation.drip([b'x'; 16 * 1024]);
    });
    let mut client = Client::connect(proxy.address());
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf");
    assert_eq!(client.answer().text(), "early");
    eventually("the proxy cuts it off", is_rid);
}

/// Seen failing with the limits left to Pingora's timers, whose thread wakes up a hundred times a second from the first one on.
#[test]
fn a_connection_and_a_body_that_were_waited_for_leave_no_thread_of_timers_behind() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let backend = Backend::start(|conversation| {
        conversation.head();
        conversation.send("HTTP/1.1 100 Continue\r\n\r\n");
        conversation.wait_for(b"hello");
        conversation.send(ok("fine"));
    });
    let proxy = Proxy::start(&upstream_of(&[backend.address()], ""));
    let mut client = Client::connect(proxy.address());
    client.send(
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!(client.answer().status, 100);
    client.send("hello");
    assert_eq!(client.answer().text(), "fine");
    for thread in fs::read_dir(format!("/proc/{}/task", proxy.id())).unwrap() {
        let name = fs::read_to_string(thread.unwrap().path().join("comm")).unwrap();
        assert!(!name.to_lowercase().contains("timer"), "{name}");
    }
}
