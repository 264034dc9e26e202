//! The thread that makes configurations: it reads the file, and brings to life what it says.
//!
//! With thousands of routes that takes a while, in which the thread of the health checks would check nothing. And it is one thread for as long
//! as the process lives, not one of the runtime's for whatever blocks: what a thread allocates lies together, so that all of a configuration
//! is given back when the next one has taken its place. From other threads it lies among what stays, and keeps that memory from being given back.

use std::sync::mpsc;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

type Job = Box<dyn FnOnce() + Send>;

/// Runs one piece of work after another, in the thread that it starts with the first.
#[derive(Default)]
pub(super) struct Loader {
    jobs: Option<mpsc::Sender<Job>>,
}

/// The work has panicked.
#[derive(Debug)]
pub(super) struct Panicked;

impl Loader {
    /// What comes of `work`.
    ///
    /// # Errors
    /// If it panics. The next one runs in a new thread.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub(super) async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let (tell, told) = oneshot::channel();
        let job = Box::new(move || {
            // Whoever has asked may be gone, as the process ends.
            let _ = tell.send(work());
        });
        // Where this fails `told` hears of it, since the job is dropped.
        let _ = self.jobs.get_or_insert_with(start).send(job);
        told.await.map_err(|_| {
            self.jobs = None;
            Panicked
        })
    }
}

fn start() -> mpsc::Sender<Job> {
    let (sender, jobs) = mpsc::channel::<Job>();
    spawn_blocking(move || {
        for job in jobs {
            job();
        }
    });
    sender
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn all_work_runs_in_one_thread_that_is_not_the_callers() {
        let mut loader = Loader::default();
        let mut id = async || loader.run(|| thread::current().id()).await.unwrap();
        let (first, second) = (id().await, id().await);
        assert_eq!(first, second);
        assert_ne!(first, thread::current().id());
    }

    #[tokio::test]
    async fn work_that_panics_says_so_and_the_next_runs_all_the_same() {
        let mut loader = Loader::default();
        let failed = loader.run(|| panic!("on purpose")).await;
        assert!(failed.is_err());
        assert_eq!(loader.run(|| 1 + 1).await.unwrap(), 2);
    }
}
