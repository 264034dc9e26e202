//! A backend that answers when the test says so.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};

use super::{Backend, Request, ok};

/// Holds every request until the test lets it go; then answers with its name.
pub(crate) struct GatedBackend {
    backend: Backend,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    /// So many more may go.
    may_go: Mutex<usize>,
    changed: Condvar,
}

impl GatedBackend {
    pub(crate) fn start(name: &'static str) -> Self {
        let gate = Arc::<Gate>::default();
        let passes = Arc::clone(&gate);
        let backend = Backend::start(move |conversation| {
            while conversation.request().is_some() {
                passes.pass();
                conversation.send(ok(name));
            }
        });
        Self { backend, gate }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.backend.address()
    }

    /// The requests that came so far, whole ones only.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.backend.requests()
    }

    /// What they asked for, in the order of their arrival.
    pub(crate) fn targets(&self) -> Vec<String> {
        let requests = self.requests();
        requests
            .iter()
            .map(|request| request.target().to_owned())
            .collect()
    }

    /// Lets the next ones go, as many as that.
    pub(crate) fn let_go(&self, more: usize) {
        let mut may_go = self.gate.may_go.lock().unwrap();
        *may_go = may_go.saturating_add(more);
        self.gate.changed.notify_all();
    }
}

impl Gate {
    fn pass(&self) {
        let is_shut = |may_go: &mut usize| *may_go == 0;
        let may_go = self.may_go.lock().unwrap();
        *self.changed.wait_while(may_go, is_shut).unwrap() -= 1;
    }
}

impl Drop for GatedBackend {
    /// Nobody is left waiting.
    fn drop(&mut self) {
        self.let_go(usize::MAX);
    }
}
