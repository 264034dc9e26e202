//! What stands outside of the text and is still part of the configuration: the environment, the files it names, and the
//! words of a program of one's own.
//!
//! All of it comes in as an argument, so that reading a configuration is the same for the same text and the same surroundings,
//! and a test needs neither variables nor folders.

use super::vocabulary::Vocabulary;
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// No sensible file comes near this; without a bound, `/dev/zero` would fill the memory.
pub(super) const LARGEST: u64 = 4 << 20;

/// What stands outside of the text.
#[derive(Clone, Copy)]
pub struct Surroundings<'s> {
    /// The value of an environment variable.
    pub environment: &'s dyn Fn(&str) -> Option<String>,
    /// The content of the file at this path, which is as the operator wrote it; a relative one starts at the folder of
    /// the configuration file.
    pub files: &'s dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// The folder of the configuration file: where relative paths start for files that are read again while running.
    pub folder: &'s Path,
    /// Filters and policies that the program adds.
    pub vocabulary: &'s Vocabulary,
}

impl<'s> Surroundings<'s> {
    /// No variable, no file, and these words.
    pub fn nothing_but(vocabulary: &'s Vocabulary) -> Self {
        Surroundings {
            environment: &|_| None,
            files: &|_| Err(ErrorKind::NotFound.into()),
            folder: Path::new(""),
            vocabulary,
        }
    }
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Surroundings")
    }
}

/// The whole file at `path`, if it is of a sensible size.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// The content of a file that a key names, or what is wrong with it and what to do.
pub(super) fn content(path: &Path, surroundings: &Surroundings<'_>) -> Result<Vec<u8>, String> {
    (surroundings.files)(path).map_err(|error| {
        let shown = path.display().to_string();
        match error.kind() {
            ErrorKind::NotFound if path.is_relative() => format!(
                "there is no file {shown:?}; a relative path starts at the folder of this configuration file"
            ),
            ErrorKind::NotFound => format!("there is no file {shown:?}; check the path"),
            ErrorKind::IsADirectory => format!("{shown:?} is a directory; name a file in it"),
            ErrorKind::PermissionDenied => {
                format!("this user may not read {shown:?}; change its permissions")
            }
            ErrorKind::FileTooLarge => format!(
                "{shown:?} is larger than {} MiB; name a file of a sensible size",
                LARGEST >> 20
            ),
            _ => format!("{shown:?} cannot be read: {error}; check the path"),
        }
    })
}
