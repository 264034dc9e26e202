//! A file of users, with a line for each: `name:hash`, as Apache's `htpasswd` writes it and nginx reads it.
//!
//! It is read together with the configuration, so that what is wrong with it is a fault with a line. Only hashes that
//! are made for passwords are taken: bcrypt, which `htpasswd -B` makes, and argon2. Whoever finds such a file can try
//! billions of passwords a second against the others. What a hash costs to check is bounded, since every request of a
//! stranger makes it be checked.
//!
//! No message has a hash, or a line that cannot be read, in it: it may be a password.

use super::password::PasswordHash;
use crate::config::read::{Read, Word};
use crate::config::reader::Reader;
use crate::config::tree::Tree;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Names and what their passwords hash to; at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Users(Vec<(String, PasswordHash)>);

impl Users {
    /// Each of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &PasswordHash)> {
        self.0.iter().map(|(name, hash)| (name.as_str(), hash))
    }
}

/// Says how many there are.
impl fmt::Debug for Users {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Users({})", self.0.len())
    }
}

impl Read for Users {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let path = PathBuf::read(tree, reader)?;
        let file = reader.file(tree, &path)?;
        let (users, faults) = parse(&file, &path);
        let are_good = faults.is_empty();
        for message in faults {
            reader.fault(tree, format!("{path:?}{message}"));
        }
        are_good.then_some(users)
    }

    fn schema() -> serde_json::Value {
        <PathBuf as Word>::schema()
    }

    fn example() -> String {
        "users.htpasswd".to_owned()
    }
}

/// The users in a file, and what is wrong with it; each message goes on after the file's name.
fn parse(file: &[u8], path: &Path) -> (Users, Vec<String>) {
    let mut users: Vec<(String, PasswordHash)> = Vec::new();
    let mut lines = HashMap::new();
    let mut faults = Vec::new();
    for (index, line) in file.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let mut fault = |message: &str| faults.push(format!(", line {number}: {message}"));
        let Ok(line) = std::str::from_utf8(line) else {
            fault("this is not UTF-8 text; save the file as UTF-8");
            continue;
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, rest)) = line.split_once(':').filter(|(name, _)| !name.is_empty()) else {
            fault("this is no name, colon and hash; write the line with `htpasswd -B`");
            continue;
        };
        // What follows a second colon is a comment.
        let hash = rest.split(':').next().unwrap_or_default();
        match (PasswordHash::parse(hash), lines.get(name)) {
            (Err(message), _) => fault(&format!(
                "the password of {name:?} {message}; hash it anew with `htpasswd -B {} {name}`",
                path.display()
            )),
            (Ok(_), Some(earlier)) => fault(&format!(
                "{name:?} stands in line {earlier} already; keep one of them"
            )),
            (Ok(hash), None) => {
                lines.insert(name, number);
                users.push((name.to_owned(), hash));
            }
        }
    }
    if users.is_empty() && faults.is_empty() {
        let path = path.display();
        faults.push(format!(
            " has no user in it, so nobody would be let in; add one with `htpasswd -B {path} NAME`"
        ));
    }
    (Users(users), faults)
}
