//! `split`: one route's requests, shared among several upstreams.
//!
//! Written as a list or, when requests are to be told apart by a key, as a mapping with the list in it.

use super::balance::HashKey;
use super::collection::AtLeastOne;
use super::diagnostic::Place;
use super::read::Read;
use super::reader::Reader;
use super::section::section;
use super::spot::Spot;
use super::text::Name;
use super::tree::{Tree, Value};
use serde_json::json;

/// Several upstreams, and the share of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// Indexes into `Config::upstreams`, and weights, of which one at least is not 0.
    pub between: Vec<(usize, u32)>,
    /// Requests with the same text go the same way.
    pub key: Option<HashKey>,
}

section! {
    /// Requests that are told apart by a key: the same key goes the same way.
    pub(super) struct SplitEntry {
        /// The upstreams, and the share of each.
        pub(super) between: AtLeastOne<WayEntry>,
        /// A text with variables of the request. Without it each request is shared out anew.
        pub(super) key: Option<Spot<HashKey>>,
    }
}

section! {
    /// One upstream, and its share.
    pub(super) struct WayEntry {
        /// Its name.
        pub(super) upstream: Spot<Name>,
        /// Its share of the requests relative to the others; 0 for none.
        pub(super) weight: u32 [0..=1000] = 1,
    }
}

/// What was written, in either form.
#[derive(Clone, Debug)]
pub(super) struct WrittenSplit(pub(super) SplitEntry);

impl Read for WrittenSplit {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(tree.value, Value::Mapping(_)) {
            return SplitEntry::read(tree, reader).map(WrittenSplit);
        }
        if !matches!(tree.value, Value::List(_)) {
            reader.wrong_kind(tree, "a list", &Self::example());
            return None;
        }
        let between = AtLeastOne::read(tree, reader)?;
        Some(WrittenSplit(SplitEntry { between, key: None }))
    }

    fn schema() -> serde_json::Value {
        json!({"anyOf": [AtLeastOne::<WayEntry>::schema(), SplitEntry::schema()]})
    }

    fn example() -> String {
        "[{ upstream: stable, weight: 95 }, { upstream: canary, weight: 5 }]".to_owned()
    }
}

impl WrittenSplit {
    /// The split, once its parts are seen to fit together; `find` is where an upstream of this name is, and notes when there is none.
    pub(super) fn build(
        self,
        place: &Place,
        reader: &mut Reader<'_>,
        find: impl Fn(&Place, &Name, &mut Reader<'_>) -> Option<usize>,
    ) -> Option<Split> {
        let SplitEntry { between, key } = self.0;
        if !between.0.is_empty() && between.0.iter().all(|way| way.weight == 0) {
            reader.fault_at(
                place,
                "all weights are 0, so no upstream would get a request; give one of them a weight",
            );
        }
        let mut ways: Vec<(usize, u32)> = Vec::new();
        for WayEntry { upstream, weight } in between.0 {
            let place = upstream.place.as_ref()?;
            let index = find(place, &upstream.value, reader)?;
            if ways.iter().any(|(earlier, _)| *earlier == index) {
                reader.fault_at(
                    place,
                    format!(
                        "{:?} stands in this split already; keep one, with the weight of both",
                        upstream.value.0
                    ),
                );
            }
            ways.push((index, weight));
        }
        if let (
            Some(Spot {
                place: Some(place), ..
            }),
            [_],
        ) = (&key, ways.as_slice())
        {
            reader.fault_at(
                place,
                "there is one upstream, and so nothing to choose by this key; add another one to `between`, or remove the key",
            );
        }
        let key = key.map(|key| key.value);
        Some(Split { between: ways, key })
    }
}
