//! One section of the file, described once.
//!
//! `section!` takes a struct in which each field is a key, with its documentation, bounds and default, and makes of it
//! the struct, its reader and its JSON Schema. So a key cannot be read without being documented, nor documented
//! without being read, and the default in the schema is the default in the code.
//!
//! ```text
//! section! {
//!     /// What the section is about.
//!     pub struct Connections {
//!         /// A key with a default.
//!         pub idle: Duration [bounds] = Duration::from_secs(60),
//!         /// A key that must be given, unless its type has a value for being absent (`Option`, `Vec`, sections).
//!         pub path: PathBuf,
//!         /// A key whose name is a word of Rust.
//!         pub matches as "match": Match,
//!     }
//! }
//! ```

use super::reader::{Fields, Reader};
use super::tree::Tree;

macro_rules! section {
    (
        $(#[doc = $about:literal])*
        $(#[derive($($derived:ident),*)])?
        $vis:vis struct $name:ident {
            $(
                $(#[doc = $doc:literal])*
                $field_vis:vis $field:ident $(as $key:literal)? : $type:ty $([$bounds:expr])? $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, $($($derived),*)?)]
        $vis struct $name {
            $( $(#[doc = $doc])* $field_vis $field: $type, )*
        }

        impl $crate::config::read::Read for $name {
            fn read(
                tree: &$crate::config::tree::Tree,
                reader: &mut $crate::config::reader::Reader<'_>,
            ) -> Option<Self> {
                use $crate::config::section;
                let known = [$( section!(@key $field $($key)?) ),*];
                let fields = reader.fields(tree, &known, &<Self as $crate::config::read::Read>::example())?;
                $(
                    let $field: Option<$type> = section::field(
                        &fields,
                        section!(@key $field $($key)?),
                        reader,
                        section!(@read $type, $($bounds)?),
                        section!(@absent $type, [$($bounds)?] $($default)?),
                        section!(@stand_in $type, $($bounds)?),
                        section!(@example $type, [$($bounds)?] $($default)?),
                    );
                )*
                Some(Self { $( $field: $field? ),* })
            }

            fn absent() -> Option<Self> {
                Some(Self { $( $field: section!(@absent $type, [$($bounds)?] $($default)?)? ),* })
            }

            fn schema() -> serde_json::Value {
                let about = concat!($($about, "\n",)* "");
                let mut section = $crate::config::schema::Section::new(about);
                $(
                    section.key(
                        section!(@key $field $($key)?),
                        concat!($($doc, "\n",)* ""),
                        section!(@schema $type, $($bounds)?),
                        section!(@shown $($default)?),
                        section!(@absent $type, [$($bounds)?] $($default)?).is_none(),
                    );
                )*
                section.finish()
            }

            fn example() -> String {
                $crate::config::section::example(&[$((
                    section!(@key $field $($key)?),
                    section!(@example $type, [$($bounds)?] $($default)?),
                    section!(@absent $type, [$($bounds)?] $($default)?).is_none(),
                )),*])
            }
        }
    };

    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };

    (@read $type:ty,) => { <$type as $crate::config::read::Read>::read };
    (@read $type:ty, $bounds:expr) => {
        |tree, reader| <$type as $crate::config::read::Bounded>::read_within(tree, reader, $bounds)
    };

    (@absent $type:ty, []) => { <$type as $crate::config::read::Read>::absent() };
    (@absent $type:ty, [$bounds:expr]) => { <$type as $crate::config::read::Bounded>::absent() };
    (@absent $type:ty, [$($bounds:expr)?] $default:expr) => { Some::<$type>($default) };

    (@stand_in $type:ty,) => { <$type as $crate::config::read::Read>::stand_in() };
    (@stand_in $type:ty, $bounds:expr) => { None };

    (@schema $type:ty,) => { <$type as $crate::config::read::Read>::schema() };
    (@schema $type:ty, $bounds:expr) => { <$type as $crate::config::read::Bounded>::schema_within($bounds) };

    (@shown) => { None };
    (@shown $default:expr) => { Some($crate::config::read::Show::show(&$default)) };

    (@example $type:ty, []) => { <$type as $crate::config::read::Read>::example() };
    (@example $type:ty, [$bounds:expr]) => { <$type as $crate::config::read::Bounded>::example($bounds) };
    (@example $type:ty, [$($bounds:expr)?] $default:expr) => {
        $crate::config::word::plain(&$crate::config::read::Show::show(&$default))
    };
}

pub(super) use section;

/// The section with the keys that must be given, or else with its first key.
pub(super) fn example(keys: &[(&str, String, bool)]) -> String {
    let written = |(key, example, _): &(&str, String, bool)| format!("{key}: {example}");
    let mut chosen: Vec<String> = keys
        .iter()
        .filter(|(_, _, required)| *required)
        .map(written)
        .collect();
    if chosen.is_empty() {
        chosen.extend(keys.first().map(written));
    }
    format!("{{ {} }}", chosen.join(", "))
}

/// Reads one key of a section. What is wrong is noted; the default then stands in, so that the checks between
/// sections can still be made.
pub(super) fn field<T>(
    fields: &Fields<'_>,
    key: &'static str,
    reader: &mut Reader<'_>,
    read: impl FnOnce(&Tree, &mut Reader<'_>) -> Option<T>,
    absent: Option<T>,
    stand_in: Option<T>,
    example: String,
) -> Option<T> {
    if let Some(value) = fields.value(key) {
        return reader
            .under(key, |reader| read(value, reader))
            .or(absent)
            .or(stand_in);
    }
    if absent.is_none() && fields.misses(key) {
        reader.fault(
            fields.of,
            format!("the key `{key}` is missing; add for example `{key}: {example}`"),
        );
    }
    absent.or(stand_in)
}
