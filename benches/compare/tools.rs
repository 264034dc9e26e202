//! Where the programs are, as scripts/bench_tools.sh found them, and of what version.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) struct Tools {
    paths: BTreeMap<String, PathBuf>,
    /// Logs and configurations of this run, and its results.
    pub(crate) folder: PathBuf,
}

/// How each is asked for its version.
const VERSIONS: [(&str, &str); 8] = [
    ("evenkeel", "--version"),
    ("nginx", "-v"),
    ("haproxy", "-v"),
    ("envoy", "--version"),
    ("caddy", "version"),
    ("wrk", "-v"),
    ("h2load", "--version"),
    ("openssl", "version"),
];

impl Tools {
    pub(crate) fn find() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        let list = fs::read_to_string(folder.join("tools/paths"))
            .expect("the tools are not there yet; type: bash scripts/bench_tools.sh");
        let mut paths: BTreeMap<String, PathBuf> = list
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, path)| (name.to_owned(), path.into()))
            .collect();
        // EVENKEEL: another build of it, to compare two.
        let evenkeel =
            std::env::var("EVENKEEL").unwrap_or_else(|_| env!("CARGO_BIN_EXE_evenkeel").to_owned());
        let release = Path::new(env!("CARGO_BIN_EXE_evenkeel")).parent().unwrap();
        paths.insert(
            "stock_pingora".to_owned(),
            release.join("examples/stock_pingora"),
        );
        paths.insert("evenkeel".to_owned(), evenkeel.into());
        Self { paths, folder }
    }

    pub(crate) fn path(&self, name: &str) -> &Path {
        self.paths
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in target/bench/tools/paths"))
    }

    /// A line for each program.
    pub(crate) fn versions(&self) -> Vec<(String, String)> {
        let mut versions: Vec<_> = VERSIONS
            .iter()
            .map(|(name, flag)| ((*name).to_owned(), self.version(name, flag)))
            .collect();
        versions.push(("stock Pingora".to_owned(), "pingora 0.9.1".to_owned()));
        versions
    }

    fn version(&self, name: &str, flag: &str) -> String {
        let output = Command::new(self.path(name)).arg(flag).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let line = text
            .lines()
            .find(|line| !line.trim().is_empty())
            .unwrap_or_default();
        // Envoy begins with its path, and some go on to what is of no interest here.
        let line = line
            .split_once(" version: ")
            .map_or(line, |(_, version)| version);
        let ends = [" [", " Copyright", " (Library", " - http"];
        let end = ends.iter().filter_map(|end| line.find(end)).min();
        line[..end.unwrap_or(line.len())].trim().to_owned()
    }
}
