//! The table of docs/faults.md, read as it stands there.

use std::fs;

/// What a row, or an observation, says of one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) cause: String,
    pub(super) status: String,
    pub(super) error: String,
    pub(super) again: String,
    pub(super) counts: String,
    pub(super) log: String,
}

/// What a column says when there is nothing to say.
pub(super) const NOTHING: &str = "–";

/// The columns' names, by which a table of causes is told from any other.
const HEADER: [&str; 6] = [
    "cause",
    "status",
    "error",
    "tried again",
    "counts",
    "in the log",
];

/// The rows of all its tables.
pub(super) fn rows() -> Vec<Row> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults.md");
    let page = fs::read_to_string(path).unwrap();
    let mut rows = Vec::new();
    let mut is_ours = false;
    for line in page.lines() {
        let Some(cells) = cells(line) else {
            is_ours = false;
            continue;
        };
        if cells == HEADER {
            is_ours = true;
        } else if is_ours && !cells.iter().all(|cell| cell.starts_with("---")) {
            rows.push(row(cells));
        }
    }
    rows
}

fn cells(line: &str) -> Option<Vec<String>> {
    let line = line.strip_prefix('|')?.strip_suffix('|')?;
    let cells = line.split('|').map(|cell| cell.trim().replace('`', ""));
    Some(cells.collect())
}

fn row(cells: Vec<String>) -> Row {
    let count = cells.len();
    let [cause, status, error, again, counts, log] = cells
        .try_into()
        .unwrap_or_else(|cells| panic!("{count} cells, not six: {cells:?}"));
    Row {
        cause,
        status,
        error,
        again,
        counts,
        log,
    }
}

impl Row {
    /// As it should stand in the page.
    pub(super) fn written(&self) -> String {
        let Self {
            cause,
            status,
            error,
            again,
            counts,
            log,
        } = self;
        format!("| {cause} | {status} | {error} | {again} | {counts} | {log} |")
    }
}
