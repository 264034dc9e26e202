//! `registry.txt`, line by line.

use std::fs;

use crate::support::Change;

/// What is said of one key, or of one word.
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) path: String,
    /// What is done to it, as it is written.
    pub(super) change: String,
    /// The file must then be refused.
    pub(super) is_refused: bool,
    /// The test that must then fail, by its whole name.
    pub(super) test: String,
}

/// Where it is, for messages.
pub(super) const FILE: &str = "tests/e2e/keys/registry.txt";

pub(super) fn lines() -> Vec<Line> {
    let text = fs::read_to_string(FILE).unwrap();
    text.lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|(line, number)| read(line, number))
        .collect()
}

fn read(line: &str, number: usize) -> Line {
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    let [path, change, test] = cells[..] else {
        panic!("{FILE}:{number}: write `PATH | CHANGE | TOPIC::TEST`");
    };
    let (change, is_refused) = match change.strip_suffix(", refused") {
        Some(change) => (change, true),
        None => (change, false),
    };
    // It says at once what cannot be understood.
    Change::parse(path, change);
    Line {
        number,
        path: path.to_owned(),
        change: change.to_owned(),
        is_refused,
        test: test.to_owned(),
    }
}
