//! `compress`: which answers are compressed, and how.
//!
//! A level means something else in each algorithm, so each has its own. The higher levels of Brotli and Zstandard are not
//! to be had: they are for files that are compressed once. Brotli's 9 takes 34 MiB for each answer under way, Zstandard's 12
//! takes 41, and a single piece would hold up all other requests of its thread.

use super::media_range::{MediaRange, MediaRanges};
use crate::config::collection::AtLeastOne;
use crate::config::read::{Read, Show, Word};
use crate::config::reader::Reader;
use crate::config::schema;
use crate::config::section::section;
use crate::config::size::Size;
use crate::config::spot::Spot;
use crate::config::tree::{Tree, Value};
use crate::config::word::{show_word, word_of};
use serde_json::json;

/// Which answers are compressed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compress {
    /// Answers of these media types.
    pub types: Vec<MediaRange>,
    /// No answer that says it has fewer bytes.
    pub min_size: u64,
    /// With these, the one that is preferred first, each with its level.
    pub algorithms: Vec<(Algorithm, u32)>,
}

/// How content is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Brotli (RFC 7932).
    Brotli,
    /// Zstandard (RFC 8878).
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
}

section! {
    /// Compresses answers on their way to clients that can decode them.
    struct Entry {
        /// Media types of the answers that are compressed: `text/html`, `text/*`, `application/*+json`. Event streams
        /// never are.
        types: MediaRanges = MediaRanges::usual(),
        /// Bytes that an answer must have; one whose length is not known beforehand has them.
        min_size: Size = Size(1024),
        /// How, the one that is preferred first: `br`, `zstd`, `gzip`. A client's weights go before.
        algorithms: Algorithms = Algorithms(vec![Algorithm::Brotli, Algorithm::Zstd, Algorithm::Gzip]),
        /// How hard it is tried, for each of them: a higher level is smaller and slower.
        level: Levels,
    }
}

section! {
    /// How hard it is tried: a higher level is smaller and slower.
    struct Levels {
        /// The level of Brotli.
        br: Spot<u32> [1..=6] = Spot::default_value(4),
        /// The level of Zstandard.
        zstd: Spot<u32> [1..=6] = Spot::default_value(3),
        /// The level of gzip.
        gzip: Spot<u32> [1..=9] = Spot::default_value(6),
    }
}

const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("br", Algorithm::Brotli),
    ("zstd", Algorithm::Zstd),
    ("gzip", Algorithm::Gzip),
];

impl Algorithm {
    /// What it is called in `Content-Encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Brotli => "br",
            Algorithm::Zstd => "zstd",
            Algorithm::Gzip => "gzip",
        }
    }
}

impl Read for Compress {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if !matches!(tree.value, Value::Mapping(_)) {
            reader.wrong_kind(tree, "a mapping", &Self::example());
            return None;
        }
        let faults = reader.count();
        let entry = Entry::read(tree, reader)?;
        if reader.count() > faults {
            return None;
        }
        let algorithms = entry.algorithms.0;
        let levels = &entry.level;
        for (name, algorithm) in ALGORITHMS {
            let level = levels.of(*algorithm);
            if let (Some(place), false) = (&level.place, algorithms.contains(algorithm)) {
                reader.fault_at(
                    place,
                    format!("`{name}` is not among the algorithms here; add it to `algorithms`, or remove this"),
                );
            }
        }
        let with_level = |algorithm: Algorithm| (algorithm, levels.of(algorithm).value);
        Some(Compress {
            types: entry.types.0,
            min_size: entry.min_size.0,
            algorithms: algorithms.into_iter().map(with_level).collect(),
        })
    }

    fn schema() -> serde_json::Value {
        Entry::schema()
    }

    fn example() -> String {
        "{}".to_owned()
    }
}

impl Levels {
    fn of(&self, algorithm: Algorithm) -> &Spot<u32> {
        match algorithm {
            Algorithm::Brotli => &self.br,
            Algorithm::Zstd => &self.zstd,
            Algorithm::Gzip => &self.gzip,
        }
    }
}

/// A list of algorithms, each once.
#[derive(Clone, Debug)]
struct Algorithms(Vec<Algorithm>);

impl Read for Algorithms {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let mut algorithms = Vec::new();
        for Spot { place, value } in AtLeastOne::<Spot<Algorithm>>::read(tree, reader)?.0 {
            if let (Some(place), true) = (place, algorithms.contains(&value)) {
                let name = value.name();
                reader.fault_at(&place, format!("`{name}` stands here already; remove it"));
            }
            algorithms.push(value);
        }
        Some(Algorithms(algorithms))
    }

    fn schema() -> serde_json::Value {
        AtLeastOne::<Algorithm>::schema()
    }

    fn example() -> String {
        "[br, zstd, gzip]".to_owned()
    }
}

impl Show for Algorithms {
    fn show(&self) -> serde_json::Value {
        let words = self.0.iter().map(|one| show_word(one, ALGORITHMS));
        json!(words.collect::<Vec<_>>())
    }
}

impl Word for Algorithm {
    const EXAMPLE: &'static str = "gzip";

    fn parse(text: &str) -> Result<Self, String> {
        word_of(text, ALGORITHMS)
    }

    fn schema() -> serde_json::Value {
        schema::one_of(ALGORITHMS)
    }
}
