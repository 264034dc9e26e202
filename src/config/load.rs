//! From a path to text: what can be wrong before there is any YAML.

use super::diagnostic::{Fault, Faults, Position};
use super::surroundings::{self, LARGEST, Surroundings};
use super::{Checked, Config, Vocabulary, parse_with};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Reads and checks the file at `path`, with this process's environment, and the files that it names.
///
/// # Errors
/// When it cannot be read, is not UTF-8 text, or has faults; all of them at once.
pub fn load(path: &Path) -> Result<Checked<Config>, Faults> {
    load_with(path, &Vocabulary::default())
}

/// As [`load`], for a program with words of its own.
///
/// # Errors
/// When it cannot be read, is not UTF-8 text, or has faults; all of them at once.
pub fn load_with(path: &Path, vocabulary: &Vocabulary) -> Result<Checked<Config>, Faults> {
    let name = path.display().to_string();
    let bytes = surroundings::read(path).map_err(|error| {
        Faults::one(Fault {
            file: name.clone(),
            position: None,
            path: String::new(),
            message: explain(&error),
        })
    })?;
    let text = decode(&bytes).map_err(|(position, message)| {
        Faults::one(Fault {
            file: name.clone(),
            position: Some(position),
            path: String::new(),
            message,
        })
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let surroundings = Surroundings {
        environment: &|variable| std::env::var(variable).ok(),
        files: &|named| surroundings::read(&folder.join(named)),
        folder,
        vocabulary,
    };
    parse_with(&name, text, &surroundings)
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file; check the path after `-c`".to_owned(),
        ErrorKind::IsADirectory => "this is a directory; name a file in it".to_owned(),
        ErrorKind::PermissionDenied => {
            "this user may not read the file; change its permissions".to_owned()
        }
        ErrorKind::FileTooLarge => format!(
            "this file is larger than {} MiB; name a configuration file",
            LARGEST >> 20
        ),
        _ => format!("the file cannot be read: {error}; check the path after `-c`"),
    }
}

/// The bytes as text, or where they stop being any.
fn decode(bytes: &[u8]) -> Result<&str, (Position, String)> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let good = String::from_utf8_lossy(good);
        (
            end(&good),
            "from here on the file is not UTF-8 text; save it as UTF-8".to_owned(),
        )
    })
}

/// The first control character that YAML does not allow, and where it stands.
pub(super) fn control_character(text: &str) -> Option<(Position, String)> {
    let is_refused =
        |letter: char| letter.is_control() && !matches!(letter, '\t' | '\n' | '\r' | '\u{85}');
    let (index, letter) = text
        .char_indices()
        .find(|(_, letter)| is_refused(*letter))?;
    let message = format!(
        "the control character {} stands here; remove it",
        letter.escape_unicode()
    );
    Some((end(text.get(..index)?), message))
}

/// The position behind `text`.
fn end(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Position {
        line: text.matches('\n').count() + 1,
        column: last.chars().count() + 1,
    }
}
