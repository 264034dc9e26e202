//! No dead key: for every key of the file, and every word that can stand there, a test sees what it does.
//!
//! `registry.txt` says which test that is. Here it is run again, as a process of its own, with the key left out of every
//! file that it gives the program, or with another value of it. A test that passes all the same has not seen the key, and
//! the key may as well be dead. So a line proves itself, whatever the test looks like; and a key that is added to the schema
//! has no line yet, and so fails the run until somebody has written its test.

mod paths;
mod registry;
mod trial;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use registry::{FILE, Line};

/// So many tests at a time: most of them wait for what does not come.
const AT_A_TIME: usize = 3;

fn assert_none(complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{} complaints:\n{}",
        complaints.len(),
        complaints.join("\n")
    );
}

#[test]
fn every_key_and_every_word_has_a_line_and_none_other() {
    let known = paths::of_the_schema();
    assert!(known.len() > 150, "only {} paths", known.len());
    let lines = registry::lines();
    let listed: BTreeSet<_> = lines.iter().map(|line| line.path.clone()).collect();
    let missing = known.difference(&listed).map(|path| {
        format!(
            "`{path}` has no line in {FILE}: write a test that changes it and sees something change, \
and add `{path} | without | TOPIC::TEST`"
        )
    });
    let unknown = lines.iter().filter(|line| !known.contains(&line.path));
    let stale = unknown.map(|line| {
        format!(
            "{FILE}:{}: the schema has no `{}`; correct the path, or remove the line",
            line.number, line.path
        )
    });
    assert_none(&missing.chain(stale).collect::<Vec<_>>());
}

#[test]
fn every_line_names_a_test() {
    let output = trial::tests()
        .args(["--list", "--format", "terse"])
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let tests: BTreeSet<_> = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"))
        .filter(|test| !test.starts_with("keys::"))
        .collect();
    assert!(tests.len() > 100, "only {} tests: {listed}", tests.len());
    let lines = registry::lines();
    let complaints = lines
        .iter()
        .filter(|line| !tests.contains(line.test.as_str()))
        .map(|line| {
            format!(
                "{FILE}:{}: there is no test {}; `{}` needs one that sees what it does",
                line.number, line.test, line.path
            )
        });
    assert_none(&complaints.collect::<Vec<_>>());
}

/// The part of the file that a path is in; so that these are four tests, which may run at the same time.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Upstreams,
    Routes,
    Filters,
    Rest,
}

fn part_of(path: &str) -> Part {
    match path.split(['.', '[', ':']).next() {
        Some("upstreams") => Part::Upstreams,
        Some("routes") => Part::Routes,
        Some("filters") => Part::Filters,
        _ => Part::Rest,
    }
}

fn assert_tests_fail_without_their_keys(part: Part) {
    let mut lines = registry::lines();
    lines.retain(|line| part_of(&line.path) == part);
    let (lines, complaints) = (Mutex::new(lines.into_iter()), Mutex::new(Vec::new()));
    let next = || lines.lock().unwrap().next();
    let work = || {
        while let Some(line) = next() {
            if let Some(complaint) = trial::complaint(&line) {
                let Line {
                    number,
                    path,
                    change,
                    ..
                } = line;
                let complaint = format!("{FILE}:{number}: `{path}` {change}: {complaint}");
                complaints.lock().unwrap().push(complaint);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(work);
        }
    });
    assert_none(&complaints.into_inner().unwrap());
}

#[test]
fn each_key_of_an_upstream_is_seen_by_its_test() {
    assert_tests_fail_without_their_keys(Part::Upstreams);
}

#[test]
fn each_key_of_a_route_is_seen_by_its_test() {
    assert_tests_fail_without_their_keys(Part::Routes);
}

#[test]
fn each_key_of_a_filter_is_seen_by_its_test() {
    assert_tests_fail_without_their_keys(Part::Filters);
}

#[test]
fn each_other_key_is_seen_by_its_test() {
    assert_tests_fail_without_their_keys(Part::Rest);
}
