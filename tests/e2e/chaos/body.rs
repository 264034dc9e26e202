//! Bodies that both sides can make from the request's path: whatever is lost, doubled or mixed up on the way is seen.

use std::fmt::{self, Display};

use aws_lc_rs::digest::{SHA256, digest};

/// One request. Its path says all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Errand {
    pub(super) upstream: &'static str,
    pub(super) kind: Kind,
    pub(super) seed: u64,
    pub(super) size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// The answer is the body.
    Download,
    /// The request has the body, and the answer is its checksum.
    Upload,
    /// Whatever is said behind the 101 comes back.
    Tunnel,
}

/// `storm` has backends that fail; the others have none, and may never fail.
pub(super) const UPSTREAMS: [&str; 3] = ["calm", "names", "storm"];
const KINDS: [(Kind, &str); 3] = [
    (Kind::Download, "download"),
    (Kind::Upload, "upload"),
    (Kind::Tunnel, "tunnel"),
];
const LARGEST: usize = 1024 * 1024;

impl Errand {
    pub(super) fn random(random: &mut fastrand::Rng, kind: Kind) -> Self {
        let most = [1, 4096, 4096, 64 * 1024, 64 * 1024, LARGEST][random.usize(..6)];
        Self {
            upstream: UPSTREAMS[random.usize(..3)],
            kind,
            seed: random.u64(..),
            size: random.usize(..=most),
        }
    }

    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix('/')?.split('/');
        let upstream = parts.next()?;
        let kind = parts.next()?;
        Some(Self {
            upstream: UPSTREAMS.into_iter().find(|one| *one == upstream)?,
            kind: KINDS.into_iter().find(|(_, word)| *word == kind)?.0,
            seed: parts.next()?.parse().ok()?,
            size: parts.next()?.parse().ok()?,
        })
    }

    /// What goes up, or down, or both ways.
    pub(super) fn body(&self) -> Vec<u8> {
        let mut body = vec![0; self.size];
        fastrand::Rng::with_seed(self.seed).fill(&mut body);
        body
    }

    pub(super) fn is_calm(&self) -> bool {
        self.upstream != "storm"
    }

    /// Half of all bodies are sent in chunks, the others with their length.
    pub(super) fn is_chunked(&self) -> bool {
        self.seed.is_multiple_of(2)
    }

    /// The body of the right answer.
    pub(super) fn answer(&self) -> Vec<u8> {
        match self.kind {
            Kind::Upload => checksum(&self.body()).into_bytes(),
            _ => self.body(),
        }
    }
}

impl Display for Errand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = KINDS.iter().find(|(kind, _)| *kind == self.kind);
        let (upstream, word) = (self.upstream, word.map_or("", |(_, word)| word));
        write!(formatter, "/{upstream}/{word}/{}/{}", self.seed, self.size)
    }
}

pub(super) fn checksum(bytes: &[u8]) -> String {
    let sum = digest(&SHA256, bytes);
    sum.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[test]
fn an_errand_is_what_its_path_says() {
    let mut random = fastrand::Rng::with_seed(1);
    for (kind, _) in KINDS {
        let errand = Errand::random(&mut random, kind);
        assert_eq!(Errand::parse(&errand.to_string()), Some(errand));
        assert_eq!(errand.body().len(), errand.size);
    }
}
