//! Every fault has a file that shows it, and beside it the exact message.
//!
//! To add a case, add two files to `tests/config/faults/`: `name.yaml`, and `name.txt` with all that is to be said
//! about it. A `.txt` alone is about a file that is not there. No file here may rely on the environment.

use evenkeel::config;
use std::fs;
use std::path::{Path, PathBuf};

const FOLDER: &str = "tests/config/faults";

/// A folder that was not found, or emptied by accident, must not pass.
const AT_LEAST: usize = 101;

#[test]
fn each_faulty_file_gets_exactly_its_message() {
    let expected = files_ending_in("txt");
    assert!(
        expected.len() >= AT_LEAST,
        "only {} cases in {FOLDER}",
        expected.len()
    );
    let wrong: Vec<String> = expected
        .iter()
        .filter_map(|path| difference(path))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn each_faulty_file_has_a_message() {
    let silent: Vec<PathBuf> = files_ending_in("yaml")
        .into_iter()
        .filter(|path| !path.with_extension("txt").exists())
        .collect();
    assert!(silent.is_empty(), "no .txt beside {silent:?}");
}

fn files_ending_in(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).expect("the folder of faulty files");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry of it").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    paths.sort();
    paths
}

fn difference(expected: &Path) -> Option<String> {
    let yaml = expected.with_extension("yaml");
    let wanted = fs::read_to_string(expected).expect("the expected message");
    let found = match config::load(&yaml) {
        Ok(_) => "no fault at all".to_owned(),
        Err(faults) => faults.to_string(),
    };
    (found.trim_end() != wanted.trim_end())
        .then(|| format!("{}\nfound:\n{found}\nexpected:\n{wanted}", yaml.display()))
}
