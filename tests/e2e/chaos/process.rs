//! What a process holds, as its kernel counts it.

use std::fs;

pub(super) fn open_files(process: u32) -> usize {
    entries(process, "fd")
}

pub(super) fn threads(process: u32) -> usize {
    entries(process, "task")
}

fn entries(process: u32, what: &str) -> usize {
    let folder = format!("/proc/{process}/{what}");
    fs::read_dir(folder).unwrap().count()
}
