//! Which certificate is shown to whom.
//!
//! A client names the server that it wants (SNI, RFC 6066 §3). The certificates that have exactly this name come first, then those with a
//! wildcard for its last label (RFC 6125 §6.4.3: `*.example.com` is one label), and without any the first in the file. Where several fit,
//! as ECDSA beside RSA, the first whose key the client can verify is shown; ECDSA and Ed25519 before RSA, which costs a server far more.

use std::collections::HashMap;

use super::Identity;

/// Certificates by the names that are in them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chooser {
    by_name: HashMap<Box<str>, Vec<usize>>,
    /// The first of the file, and those with the same names.
    default: Vec<usize>,
    /// There is no other to be shown.
    is_alone: bool,
}

impl Chooser {
    /// A chooser among these, in the order of the file.
    pub fn new<'i>(identities: impl IntoIterator<Item = &'i Identity>) -> Self {
        let mut by_name: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let mut order: Vec<(bool, usize, Vec<String>)> = identities
            .into_iter()
            .enumerate()
            .map(|(index, identity)| (identity.key.is_rsa(), index, identity.names()))
            .collect();
        let is_alone = order.len() <= 1;
        let first_names = order.first().map(|(.., names)| names.clone());
        order.sort_by_key(|(is_rsa, index, _)| (*is_rsa, *index));
        let mut default = Vec::new();
        for (_, index, names) in order {
            if index == 0 || Some(&names) == first_names.as_ref() {
                default.push(index);
            }
            for name in names {
                by_name.entry(name.into()).or_default().push(index);
            }
        }
        Self {
            by_name,
            default,
            is_alone,
        }
    }

    /// The certificates for this name, the best first; without a name, or with one that none has, those of the first.
    pub fn candidates(&self, name: Option<&str>) -> &[usize] {
        let found = name.and_then(|name| {
            let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
            let wildcard = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
            let exact = self.by_name.get(name.as_str());
            exact.or_else(|| self.by_name.get(wildcard?.as_str()))
        });
        found.unwrap_or(&self.default)
    }

    /// Whether a connection that was made for the one name may carry requests for the other: one certificate is shown for both.
    pub fn covers(&self, connected: &str, asked: &str) -> bool {
        // Nearly always one of the two, for which no name need be looked up.
        if self.is_alone || connected.eq_ignore_ascii_case(asked) {
            return true;
        }
        let connected = self.candidates(Some(connected));
        let mut asked = self.candidates(Some(asked)).iter();
        asked.any(|index| connected.contains(index))
    }
}

#[cfg(test)]
mod tests;
