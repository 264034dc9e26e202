//! The real program, started for one test and ended with it.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::{fs, thread};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tempfile::TempDir;

use super::change;
use super::client::{Answer, get};
use super::eventually;
use super::lines::Lines;

/// A running `evenkeel`. A test that fails shows what it wrote.
pub(crate) struct Proxy {
    child: Child,
    address: SocketAddr,
    /// The access log, unless it goes elsewhere.
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
    folder: TempDir,
}

impl Proxy {
    /// Starts it with `configuration` in a folder of its own, and waits until it listens.
    pub(crate) fn start(configuration: &str) -> Self {
        Self::start_with(configuration, |_| {})
    }

    /// The same, with something said about the command before it starts.
    pub(crate) fn start_with(configuration: &str, prepare: impl FnOnce(&mut Command)) -> Self {
        Self::launch(evenkeel(), configuration, prepare)
    }

    /// The same for a program of one's own.
    pub(crate) fn start_command(command: Command, configuration: &str) -> Self {
        Self::launch(command, configuration, |_| {})
    }

    fn launch(
        mut command: Command,
        configuration: &str,
        prepare: impl FnOnce(&mut Command),
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let file = write_file(folder.path(), configuration);
        command.current_dir(folder.path()).arg("-c").arg(&file);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        prepare(&mut command);
        change::apply_to(&file);
        let mut child = command.spawn().unwrap();
        let mut proxy = Self {
            stdout: Lines::of(child.stdout.take().unwrap()),
            stderr: Lines::of(child.stderr.take().unwrap()),
            address: SocketAddr::from(([0; 4], 0)),
            child,
            folder,
        };
        proxy.address = proxy.address_like("");
        proxy
    }

    /// Where its first listener is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the listener is whose address starts with `start`.
    pub(crate) fn address_like(&self, start: &str) -> SocketAddr {
        self.stderr.find("listening on …", |line| {
            let (_, address) = line.split_once("listening on ")?;
            address.starts_with(start).then(|| address.parse().ok())?
        })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn get(&self, target: &str) -> Answer {
        get(self.address, target)
    }

    /// A file in the folder it runs in.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for the line of the access log that `wanted` is true for.
    pub(crate) fn logged(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        self.stdout.find("in the access log", |line| {
            serde_json::from_str(line).ok().filter(|line| wanted(line))
        })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Changes its file, and waits until it has taken it; the line of the log that says so.
    pub(crate) fn reload(&self, configuration: &str) -> String {
        let before = self.reloads();
        write_file(self.folder.path(), configuration);
        self.signal(Signal::HUP);
        self.nth_reload(before)
    }

    /// The line of the log that says what came of the reload before which there were so many.
    fn nth_reload(&self, before: usize) -> String {
        let mut line = None;
        eventually("the reload is done", || {
            line = self.reload_lines().into_iter().nth(before);
            line.is_some()
        });
        line.unwrap()
    }

    /// How many there have been.
    fn reloads(&self) -> usize {
        self.reload_lines().len()
    }

    fn reload_lines(&self) -> Vec<String> {
        let lines = self.stderr.all().into_iter();
        let ends = |line: &String| line.contains("reloaded ") || line.contains("is not used; the");
        lines.filter(ends).collect()
    }

    /// Takes from it the right to open one more file; what it had the right to before.
    pub(crate) fn let_open_no_more_files(&self) -> Rlimit {
        let folder = format!("/proc/{}/fd", self.child.id());
        let open = fs::read_dir(folder).unwrap();
        let open: BTreeSet<u64> = open
            .map(|file| file.unwrap().file_name().to_str().unwrap().parse().unwrap())
            .collect();
        // The lowest number that is free is the one that the next file would get.
        let free = (0..).find(|number| !open.contains(number));
        let maximum = getrlimit(Resource::Nofile).maximum;
        self.limit_open_files(Rlimit {
            current: free,
            maximum,
        })
    }

    /// Sets how many files it may have open; what it was before.
    pub(crate) fn limit_open_files(&self, limit: Rlimit) -> Rlimit {
        let process = Pid::from_child(&self.child);
        prlimit(Some(process), Resource::Nofile, limit).unwrap()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("the program ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!(
                "--- evenkeel, standard output:\n{}",
                self.stdout.all().join("\n")
            );
            eprintln!(
                "--- evenkeel, standard error:\n{}",
                self.stderr.all().join("\n")
            );
        }
    }
}

/// The program, not yet started, and nothing of this environment that would change what it does.
pub(crate) fn evenkeel() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// One of the programs in `examples/` and `tests/programs/`. Cargo builds them when all tests are run.
pub(crate) fn example(name: &str) -> Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_evenkeel")).parent().unwrap();
    let program = folder.join("examples").join(name);
    assert!(program.exists(), "first run `cargo build --examples`");
    let mut command = Command::new(program);
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs it to its end, which must come by itself.
pub(crate) fn output_of(mut command: Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Read while it runs: a pipe takes no more than 64 KiB, and a program that waits for room in it does not end.
    let stdout = read_all(child.stdout.take().unwrap());
    let stderr = read_all(child.stderr.take().unwrap());
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually("the program ends", || child.try_wait().unwrap().is_some());
    }));
    if ended.is_err() {
        child.kill().unwrap();
    }
    let output = Output {
        status: child.wait().unwrap(),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    };
    if let Err(panic) = ended {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        std::panic::resume_unwind(panic);
    }
    output
}

fn read_all(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

/// Writes a configuration file into `folder`.
pub(crate) fn write_file(folder: &Path, configuration: &str) -> PathBuf {
    let file = folder.join("evenkeel.yaml");
    fs::write(&file, configuration).unwrap();
    file
}

/// The shortest useful file: one listener, one upstream `hello` of these backends, one route.
pub(crate) fn in_front_of(backends: &[SocketAddr]) -> String {
    let backends: Vec<_> = backends.iter().map(SocketAddr::to_string).collect();
    format!(
        "listeners:\n  - address: 127.0.0.1:0\n\
         upstreams:\n  hello:\n    backends: [{}]\n\
         routes:\n  - upstream: hello\n",
        backends.join(", ")
    )
}

/// The same, with more keys for the upstream: lines of YAML, all but the first indented by four spaces.
pub(crate) fn upstream_of(backends: &[SocketAddr], keys: &str) -> String {
    let routes = "routes:\n";
    in_front_of(backends).replace(routes, &format!("    {keys}\n{routes}"))
}
