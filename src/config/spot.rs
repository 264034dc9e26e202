//! Values that remember where they were written, for the checks between keys.

use super::diagnostic::Place;
use super::read::{Bounded, Read, Show};
use super::reader::Reader;
use super::tree::Tree;

/// A value, and where it stands when it was written and is no default.
#[derive(Clone, Debug)]
pub(super) struct Spot<T> {
    pub(super) place: Option<Place>,
    pub(super) value: T,
}

impl<T> Spot<T> {
    /// A value that stands nowhere.
    pub(super) fn default_value(value: T) -> Self {
        Spot { place: None, value }
    }
}

impl<T: Read> Read for Spot<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let value = T::read(tree, reader)?;
        let place = Some(reader.place(tree));
        Some(Spot { place, value })
    }

    fn absent() -> Option<Self> {
        T::absent().map(|value| Spot { place: None, value })
    }

    fn schema() -> serde_json::Value {
        T::schema()
    }

    fn example() -> String {
        T::example()
    }
}

impl<T: Bounded> Bounded for Spot<T> {
    type Bounds = T::Bounds;

    fn read_within(tree: &Tree, reader: &mut Reader<'_>, bounds: T::Bounds) -> Option<Self> {
        let value = T::read_within(tree, reader, bounds)?;
        let place = Some(reader.place(tree));
        Some(Spot { place, value })
    }

    fn schema_within(bounds: T::Bounds) -> serde_json::Value {
        T::schema_within(bounds)
    }

    fn example(bounds: T::Bounds) -> String {
        T::example(bounds)
    }
}

impl<T: Show> Show for Spot<T> {
    fn show(&self) -> serde_json::Value {
        self.value.show()
    }
}

/// Where checks between keys need to tell apart that a key is absent and that it is there, but wrong.
#[derive(Clone, Debug)]
pub(super) enum Entry<T> {
    /// The key is not there.
    Absent,
    /// The key is there; its faults have been noted.
    Refused(Place),
    /// The key is there.
    Given(Place, T),
}

impl<T> Entry<T> {
    /// Where it is written, right or wrong.
    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Entry::Absent => None,
            Entry::Refused(place) | Entry::Given(place, _) => Some(place),
        }
    }

    /// The value, when it is there and right.
    pub(super) fn value(self) -> Option<T> {
        match self {
            Entry::Given(_, value) => Some(value),
            Entry::Absent | Entry::Refused(_) => None,
        }
    }
}

impl<T: Read> Read for Entry<T> {
    fn read(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let place = reader.place(tree);
        Some(match T::read(tree, reader) {
            Some(value) => Entry::Given(place, value),
            None => Entry::Refused(place),
        })
    }

    fn absent() -> Option<Self> {
        Some(Entry::Absent)
    }

    fn schema() -> serde_json::Value {
        T::schema()
    }

    fn example() -> String {
        T::example()
    }
}
