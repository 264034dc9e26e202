//! docs/limits.md is complete, and each of its rows has a test.

use super::reference::{places, reference};
use std::fs;
use std::path::Path;

const PAGE: &str = "docs/limits.md";

/// The table has so many rows at least; a page that is read wrong is no page.
const AT_LEAST: usize = 50;

/// Rows without a test.
const AT_MOST: usize = 8;

fn rows() -> Vec<Vec<String>> {
    let page = fs::read_to_string(PAGE).expect(PAGE);
    let rows = page.lines().filter_map(|line| {
        let line = line.strip_prefix('|')?.strip_suffix('|')?;
        Some(
            line.split('|')
                .map(|cell| cell.trim().to_owned())
                .collect::<Vec<_>>(),
        )
    });
    rows.filter(|cells| cells.len() == 5 && cells[0] != "resource" && !cells[0].starts_with("---"))
        .collect()
}

/// All Rust that stands in this folder, as one text.
fn sources(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            *text += &fs::read_to_string(path).expect("a source");
        }
    }
}

#[test]
fn each_row_has_a_test_that_exists() {
    let mut text = String::new();
    for folder in ["src", "tests"] {
        sources(Path::new(folder), &mut text);
    }
    let rows = rows();
    assert!(rows.len() >= AT_LEAST, "only {} rows", rows.len());
    let mut without = 0;
    for cells in &rows {
        assert!(
            cells.iter().all(|cell| !cell.is_empty()),
            "{PAGE}: {cells:?}"
        );
        match cells[4]
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix('`'))
        {
            Some(name) => assert!(
                text.contains(&format!("fn {name}()")),
                "{PAGE}: no test is called {name}"
            ),
            None if cells[4] == "–" => without += 1,
            None => panic!("{PAGE}: {:?} is no name of a test", cells[4]),
        }
    }
    assert!(without <= AT_MOST, "{without} rows have no test");
}

#[test]
fn each_limit_and_timeout_of_the_file_has_a_row() {
    let keys: String = rows()
        .into_iter()
        .map(|cells| cells[2].clone() + " ")
        .collect();
    for place in places(&reference()) {
        let path = place.path.replace('*', "NAME");
        let is_limit = [
            "listeners[].limits.",
            "listeners[].timeouts.",
            "upstreams.NAME.timeouts.",
            "upstreams.NAME.queue.",
        ]
        .iter()
        .any(|start| path.starts_with(start));
        assert!(
            !is_limit || keys.contains(&format!("`{path}`")),
            "{PAGE} has no row for {path}"
        );
    }
}
