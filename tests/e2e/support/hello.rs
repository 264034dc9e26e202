//! The real demo service as a backend that can die and come back on its port.

use std::net::SocketAddr;

use hello::{Hello, Options};
use tokio::runtime::{Builder, Runtime};

use super::DEADLINE;

pub(crate) struct HelloBackend {
    runtime: Runtime,
    options: Options,
    hello: Option<Hello>,
}

impl HelloBackend {
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(Options::default().name(name))
    }

    pub(crate) fn start_with(options: Options) -> Self {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let hello = runtime.block_on(hello::spawn(options.clone())).unwrap();
        Self {
            options: options.address(hello.address()),
            hello: Some(hello),
            runtime,
        }
    }

    /// Where it is, or was.
    pub(crate) fn address(&self) -> SocketAddr {
        self.options.address
    }

    /// Requests since it was last started, checks not counted.
    pub(crate) fn requests(&self) -> u64 {
        self.hello.as_ref().map_or(0, Hello::requests)
    }

    /// Ends it as a crash would; its port is free then.
    pub(crate) fn kill(&mut self) {
        if let Some(hello) = self.hello.take() {
            self.in_time(hello.abort());
        }
    }

    /// Starts it again on the port it had.
    pub(crate) fn come_back(&mut self) {
        let options = self.options.clone();
        self.hello = Some(self.in_time(hello::spawn(options)).unwrap());
    }

    fn in_time<T>(&self, end: impl Future<Output = T>) -> T {
        self.runtime
            .block_on(async { tokio::time::timeout(DEADLINE, end).await })
            .unwrap()
    }
}
