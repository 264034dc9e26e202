//! Programs that are started here, and end with this one, however it ends: the kernel is told to terminate them then.

use std::ffi::OsStr;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

pub(crate) struct Process {
    child: Child,
}

/// A command that is pinned to these CPUs, such as `0` or `1-3`, and ends with its parent.
pub(crate) fn pinned(cpus: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "TERM", "taskset", "-c", cpus])
        .arg(program)
        .stdin(Stdio::null());
    command
}

impl Process {
    /// Runs it in this folder, with what it says in `stdout` and `stderr` there.
    pub(crate) fn start(mut command: Command, folder: &Path, stdout: &str, stderr: &str) -> Self {
        let file = |name| {
            File::options()
                .create(true)
                .append(true)
                .open(folder.join(name))
                .unwrap()
        };
        command
            .current_dir(folder)
            .stdout(file(stdout))
            .stderr(file(stderr));
        // As its user would run it, whatever is set here.
        command.env_remove("RUST_LOG");
        Self {
            child: command.spawn().unwrap(),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }
}

/// Nobody has anything to finish by then; who takes his time all the same is ended.
impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = Pid::from_raw(self.pid().cast_signed()) {
            let _ = kill_process(pid, Signal::TERM);
        }
        for _ in 0..100 {
            if self.has_ended() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        for pid in crate::measure::tree(self.pid()) {
            if let Some(pid) = Pid::from_raw(pid.cast_signed()) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = self.child.wait();
    }
}

/// Ports of 127.0.0.1 that were free a moment ago, all different.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
