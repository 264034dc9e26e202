//! A test run again, with one key changed in the file that it gives the program.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::registry::Line;
use crate::support::{CHANGE, CHANGED, NOTE, REFUSED, SAME};

const PAUSE: Duration = Duration::from_millis(20);

/// Whoever hangs for so long has noticed the change as well.
const PAUSES: u32 = 60 * 50;

/// This program, of which each test is a part.
pub(super) fn tests() -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.stdin(Stdio::null());
    command
}

/// What is wrong with the line; nothing, when its test fails for the change.
pub(super) fn complaint(line: &Line) -> Option<String> {
    let folder = TempDir::new().unwrap();
    let status = run(line, folder.path());
    let note = fs::read_to_string(folder.path().join("note")).unwrap_or_default();
    let test = &line.test;
    if let Some(faults) = note.strip_prefix(REFUSED) {
        return (!line.is_refused).then(|| {
            format!(
                "the program refuses the file of {test} then, so nothing is seen of the key; \
write `instead: VALUE`, or `without, refused` where nothing else can stand there: {faults}"
            )
        });
    }
    if line.is_refused {
        return Some("the file is not refused then; leave out `, refused`".to_owned());
    }
    match note.as_str() {
        CHANGED if !status.success() => None,
        CHANGED => Some(format!(
            "{test} passes all the same, so it does not see what the key does; \
let it see that, or name another test (if none can see anything, the key is dead: mend it)"
        )),
        SAME => Some(format!(
            "the file of {test} means the same then; write `instead: VALUE` with another one"
        )),
        _ => Some(format!(
            "it stands in no file that {test} gives the program; name a test that writes it"
        )),
    }
}

fn run(line: &Line, folder: &Path) -> ExitStatus {
    let output = File::create(folder.join("output")).unwrap();
    let mut command = tests();
    command
        .args(["--exact", &line.test])
        .env(CHANGE, format!("{} | {}", line.path, line.change))
        .env(NOTE, folder.join("note"))
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .process_group(0);
    end_of(command.spawn().unwrap())
}

fn end_of(mut child: Child) -> ExitStatus {
    for _ in 0..PAUSES {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        thread::sleep(PAUSE);
    }
    // With the programs that it has started.
    kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap()
}
