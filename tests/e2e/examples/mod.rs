//! The files in conf/examples/, each run as it stands there, with the addresses of this test in the place of its own.
//!
//! A file is a row of `examples!` with a function that starts it and sees what it is an example of. That each file in the
//! folder has a row is a test as well.

mod backends;
mod filters;
mod requests;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs;
use std::path::Path;

use crate::support::Proxy;

const FOLDER: &str = "conf/examples";

/// A file of the folder, with other addresses.
pub(super) struct Example(String);

impl Example {
    fn of(name: &str) -> Self {
        let text = fs::read_to_string(Path::new(FOLDER).join(name)).unwrap();
        Self(text).with("0.0.0.0:8080", "127.0.0.1:0")
    }

    /// The same with `here` in the place of what is `written`, which must stand there.
    pub(super) fn with(self, written: &str, here: impl Display) -> Self {
        assert!(self.0.contains(written), "{written} does not stand in it");
        Self(self.0.replace(written, &here.to_string()))
    }

    pub(super) fn start(&self) -> Proxy {
        Proxy::start(&self.0)
    }

    /// The same, with these files beside it.
    pub(super) fn start_beside(&self, files: &[(&str, String)]) -> Proxy {
        Proxy::start_with(&self.0, |command| {
            let folder = command.get_current_dir().unwrap().to_owned();
            for (name, content) in files {
                fs::write(folder.join(name), content).unwrap();
            }
        })
    }
}

/// The tests of some files: each is a function of this name that stands beside, and is given its file.
macro_rules! examples {
    ($($test:ident = $file:literal,)*) => {
        pub(super) const FILES: &[&str] = &[$($file),*];

        mod file {
            $(
                #[test]
                fn $test() {
                    super::$test(crate::examples::Example::of($file));
                }
            )*
        }
    };
}
use examples;

#[test]
fn every_example_is_run_by_a_test() {
    let files = fs::read_dir(FOLDER).unwrap();
    let files: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let run: BTreeSet<_> = [backends::FILES, filters::FILES, requests::FILES]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = files.difference(&run).collect();
    assert!(
        missing.is_empty(),
        "no test runs {missing:?}; add a row in tests/e2e/examples/, with a function that sees what the file is an example of"
    );
    assert!(run.len() >= 15, "only {} examples", run.len());
}
