//! `ip_access`: which clients are let in.

use crate::config::read::Read;
use crate::config::reader::Reader;
use crate::config::section::section;
use crate::config::spot::Spot;
use crate::config::tree::Tree;
use ipnet::IpNet;

/// Networks that are let in, and networks that are not. The smallest network that holds the client decides; a client in
/// none of them is let in when nothing is allowed by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpAccess {
    /// Let in.
    pub allow: Vec<IpNet>,
    /// Kept out.
    pub deny: Vec<IpNet>,
}

section! {
    /// Which clients are let in, by address. The smallest network that holds the client's address decides, wherever it
    /// stands; an address in none is let in unless `allow` is given.
    struct Entry {
        /// Addresses and networks that are let in.
        allow: Vec<Spot<IpNet>>,
        /// Addresses and networks that are kept out.
        deny: Vec<Spot<IpNet>>,
    }
}

impl Read for IpAccess {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let faults = reader.count();
        let entry = Entry::read(tree, reader)?;
        if reader.count() > faults {
            return None;
        }
        if entry.allow.is_empty() && entry.deny.is_empty() {
            reader.fault(tree, "nobody is kept out here; write `allow` or `deny`, such as `{ allow: [10.0.0.0/8] }`");
            return None;
        }
        for Spot { place, value } in &entry.deny {
            if let (Some(place), true) =
                (place, entry.allow.iter().any(|other| other.value == *value))
            {
                reader.fault_at(
                    place,
                    format!("{value} is allowed and denied; keep one of them"),
                );
            }
        }
        let networks = |list: Vec<Spot<IpNet>>| list.into_iter().map(|spot| spot.value).collect();
        Some(IpAccess {
            allow: networks(entry.allow),
            deny: networks(entry.deny),
        })
    }

    fn schema() -> serde_json::Value {
        Entry::schema()
    }

    fn example() -> String {
        "{ allow: [10.0.0.0/8] }".to_owned()
    }
}
