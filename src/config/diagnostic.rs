//! Faults in the file: where, what, and what to do.
//!
//! One type for one fault, one for all of them: whoever mends a file wants to see every fault at once, in file order,
//! in the form that editors and terminals make clickable (`file:line:column: …`).

use std::fmt;

/// More than this helps nobody.
const SHOWN: usize = 100;

/// A place in the file, both counted from 1; a column is one character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Position {
    /// The first character.
    pub(super) const START: Position = Position { line: 1, column: 1 };
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file's name, as it was given.
    pub file: String,
    /// Where in the file; absent when the file could not be read at all.
    pub position: Option<Position>,
    /// The way to the value, such as `routes[3].upstream`; empty for the file as a whole.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:", self.file)?;
        if let Some(Position { line, column }) = self.position {
            write!(out, "{line}:{column}:")?;
        }
        if !self.path.is_empty() {
            write!(out, " {}:", self.path)?;
        }
        write!(out, " {}", self.message)
    }
}

/// All faults of a file, in file order; at least one. Displayed one per line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    faults: Vec<Fault>,
    /// Found but not kept.
    further: usize,
}

impl Faults {
    pub(super) fn one(fault: Fault) -> Self {
        Faults {
            faults: vec![fault],
            further: 0,
        }
    }

    /// Gives each finding its position, for the first hundred.
    pub(super) fn new(
        file: &str,
        mut findings: Vec<Finding>,
        locate: impl Fn(usize) -> Position,
    ) -> Self {
        findings.sort_by_key(|finding| finding.place.at);
        let further = findings.len().saturating_sub(SHOWN);
        findings.truncate(SHOWN);
        let mut faults: Vec<Fault> = findings
            .into_iter()
            .map(|finding| Fault {
                file: file.to_owned(),
                position: Some(locate(finding.place.at)),
                path: finding.place.path,
                message: finding.message,
            })
            .collect();
        faults.sort_by_key(|fault| fault.position);
        Faults { faults, further }
    }

    /// The faults, in file order; a hundred at most.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let border = if index == 0 { "" } else { "\n" };
            write!(out, "{border}{fault}")?;
        }
        match self.further {
            0 => Ok(()),
            further => write!(out, "\nand {further} more; mend these first"),
        }
    }
}

impl std::error::Error for Faults {}

/// A fault whose place is known to the tree, but not yet in lines and columns.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) place: Place,
    pub(super) message: String,
}

/// A value of the tree: its ordinal, and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) path: String,
}

impl Place {
    /// Whether the way to it begins with this one.
    pub(super) fn is_below(&self, path: &str) -> bool {
        let rest = self.path.strip_prefix(path);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    }
}

/// The known word that `word` was probably meant to be: at most a third of its letters differ.
pub(super) fn closest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let distance =
        |known: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &known.to_lowercase());
    known
        .into_iter()
        .map(|known| (distance(known), known))
        .filter(|(distance, known)| *distance <= known.len().max(word.len()).div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// What a panic said.
pub(crate) fn text_of_panic(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it did not say why")
}
