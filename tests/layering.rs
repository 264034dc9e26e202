//! The order of the layers, held by reading the sources.
//!
//! A compiler lets any module use any other, and one careless `use` ties two rooms together for good. So every path
//! that starts at the crate's root is looked up here. Test modules count as well: what a test of one room needs from a
//! later one is a test of the later one.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each may use what stands before it; those on one line do not know each other.
const LAYERS: &[&[&str]] = &[
    &["clock"],
    &["semantics"],
    &["template", "tls"],
    &["config"],
    &["observe"],
    &["route", "upstream", "filter"],
    &["runtime"],
    &["decision"],
    &["proxy"],
    &["explain"],
    &["server"],
    &["cli"],
    &["program"],
];

/// The only rooms that may know a request as Pingora's engine has it.
const SESSION_ROOMS: [&str; 2] = ["proxy", "server"];
/// All of `pingora_proxy` is about a session.
const SESSIONS: [&str; 2] = ["pingora_proxy::", "ServerSession"];

const LONGEST_FILE: usize = 400;

#[test]
fn modules_use_only_what_stands_before_them() {
    let files = sources();
    let breaches: Vec<_> = files.iter().flat_map(breaches).collect();
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn every_module_has_its_place_among_the_layers() {
    for file in sources() {
        let room = &file.room;
        assert!(
            ["lib", "main"].contains(&room.as_str()) || layer(room).is_some(),
            "{} stands in no layer; give `{room}` a place in LAYERS and in src/lib.rs",
            file.path.display()
        );
    }
}

#[test]
fn pingoras_session_types_appear_in_proxy_and_server_only() {
    let files = sources();
    let seen: Vec<_> = files.iter().flat_map(sessions).collect();
    assert!(seen.is_empty(), "{}", seen.join("\n"));
}

#[test]
fn no_source_file_is_longer_than_400_lines() {
    for file in sources() {
        let lines = file.text.lines().count();
        assert!(
            lines <= LONGEST_FILE,
            "{} has {lines} lines; split it by idea",
            file.path.display()
        );
    }
}

#[test]
fn a_breach_would_be_noticed() {
    for (room, text) in [
        ("clock", "use crate::config;"),
        ("semantics", "use crate::template::Template;"),
        ("route", "use crate::upstream::Upstream;"),
        ("upstream", "fn f(table: &crate::route::Table) {}"),
        ("config", "use crate::{clock, observe::record};"),
        (
            "config",
            "use crate::{\n    clock::{Clock, SystemClock},\n    proxy,\n};",
        ),
        ("runtime", "pub use crate::proxy::Proxy;"),
        ("server", "use crate::cli;"),
    ] {
        assert_eq!(
            breaches(&Source::made_up(room, text)).len(),
            1,
            "{room}: {text}"
        );
    }
    assert_eq!(
        sessions(&Source::made_up(
            "route",
            "use pingora_proxy::{ProxyHttp, Session};"
        ))
        .len(),
        1
    );
    assert_eq!(
        sessions(&Source::made_up(
            "upstream",
            "fn f(s: &pingora_proxy::Session) {}"
        ))
        .len(),
        1
    );
}

#[test]
fn what_is_allowed_is_not_taken_for_a_breach() {
    for (room, text) in [
        (
            "config",
            "use crate::{clock::{Clock, SystemClock}, config::Route};",
        ),
        ("cli", "use crate::server;"),
        (
            "observe",
            "use crate::config;\nuse crate::template::Values;",
        ),
        ("proxy", "use pingora_proxy::Session;"),
        (
            "semantics",
            "pub(in crate::semantics) fn f() {}\nuse mycrate::server;",
        ),
    ] {
        let file = Source::made_up(room, text);
        assert_eq!(breaches(&file), [""; 0], "{room}: {text}");
        assert_eq!(sessions(&file), [""; 0], "{room}: {text}");
    }
}

struct Source {
    path: PathBuf,
    /// The name of its top-level module.
    room: String,
    text: String,
}

impl Source {
    fn read(path: &Path) -> Self {
        let inside = path.strip_prefix("src").unwrap();
        let room = inside.components().next().unwrap().as_os_str();
        Self {
            path: path.to_owned(),
            room: room.to_str().unwrap().trim_end_matches(".rs").to_owned(),
            text: fs::read_to_string(path).unwrap(),
        }
    }

    fn made_up(room: &str, text: &str) -> Self {
        Self {
            path: PathBuf::from(format!("src/{room}/made_up.rs")),
            room: room.to_owned(),
            text: text.to_owned(),
        }
    }
}

fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    collect(Path::new("src"), &mut found);
    assert!(found.len() > 50, "only {} files were found", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(Source::read(&path));
        }
    }
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&room))
}

/// One line for each use of a module that does not stand before the file's own.
fn breaches(file: &Source) -> Vec<String> {
    let Some(own) = layer(&file.room) else {
        return Vec::new();
    };
    let is_breach = |used: &&str| *used != file.room && layer(used).is_some_and(|used| used >= own);
    let used = modules_used(&file.text);
    used.into_iter()
        .filter(is_breach)
        .map(|used| {
            format!(
                "{}: `{}` may not use `{used}`",
                file.path.display(),
                file.room
            )
        })
        .collect()
}

/// The top-level modules of this crate that `text` names.
fn modules_used(text: &str) -> Vec<&str> {
    let mut used = Vec::new();
    for (at, start) in text.match_indices("crate::") {
        if text[..at].ends_with(|letter: char| letter.is_alphanumeric() || letter == '_') {
            continue;
        }
        let path = &text[at + start.len()..];
        match path.strip_prefix('{') {
            Some(list) => used.extend(first_names(list)),
            None => used.extend(name(path)),
        }
    }
    used
}

/// The first name of each path in a list, up to the brace that closes it.
fn first_names(list: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, letter) in list.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' if depth > 0 => {}
            ',' | '}' => {
                names.extend(name(list[start..at].trim_start()));
                start = at + 1;
                if letter == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    names
}

fn name(path: &str) -> Option<&str> {
    let end = path.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    let name = &path[..end.unwrap_or(path.len())];
    (!name.is_empty()).then_some(name)
}

/// One line for each of Pingora's types that a room has no business with.
fn sessions(file: &Source) -> Vec<String> {
    if SESSION_ROOMS.contains(&file.room.as_str()) {
        return Vec::new();
    }
    SESSIONS
        .iter()
        .filter(|name| file.text.contains(**name))
        .map(|name| {
            format!(
                "{}: `{}` may not name {name}",
                file.path.display(),
                file.room
            )
        })
        .collect()
}
