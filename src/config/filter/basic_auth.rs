//! `basic_auth`: who is let in, by name and password.

use super::users::Users;
use crate::config::read::{Read, Word};
use crate::config::reader::Reader;
use crate::config::section::section;
use crate::config::tree::Tree;

/// Who is let in, and how the others are asked for who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicAuth {
    /// What clients are told that the password is for; printable ASCII.
    pub realm: String,
    /// Who is let in; at least one.
    pub users: Users,
}

section! {
    /// Lets in clients with a name and a password; others are answered 401.
    struct Entry {
        /// What clients are told that name and password are for.
        realm: Realm,
        /// File with a line for each user, `name:hash`, as `htpasswd -B` writes it; hashes are bcrypt or argon2.
        users_file: Users,
    }
}

impl Read for BasicAuth {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let entry = Entry::read(tree, reader)?;
        Some(BasicAuth {
            realm: entry.realm.0,
            users: entry.users_file,
        })
    }

    fn schema() -> serde_json::Value {
        Entry::schema()
    }

    fn example() -> String {
        Entry::example()
    }
}

/// What can stand between the quotes of a challenge.
#[derive(Clone, Debug)]
struct Realm(String);

impl Word for Realm {
    const EXAMPLE: &'static str = "staff only";
    const QUOTED: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        let may_stand = |letter: char| letter == ' ' || letter.is_ascii_graphic();
        match text.chars().find(|letter| !may_stand(*letter)) {
            None if text.trim().is_empty() => Err(format!(
                "{text:?} tells nobody what the password is for; write some text, such as `{}`",
                Self::EXAMPLE
            )),
            None => Ok(Realm(text.to_owned())),
            Some(letter) => Err(format!(
                "{letter:?} cannot stand in a realm; write it with ASCII letters, digits and punctuation"
            )),
        }
    }
}
