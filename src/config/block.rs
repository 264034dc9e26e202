//! A block of the file as serde reads it: the settings of a part that a program registered.
//!
//! Whoever writes a filter of their own declares its settings with `#[derive(Deserialize)]` and nothing else, and yet
//! gets what every section of the file has: environment values in any scalar, unknown keys refused with a suggestion
//! (whether or not `deny_unknown_fields` is written), duplicate keys refused, and each fault with line, column and
//! path. Unknown keys are noted all at once; of the others serde stops at the first.

mod failed;

pub(super) use failed::Failed;

use super::environment::Dollar;
use super::reader::Reader;
use super::tree::{Tree, Value};
use super::{duration as durations, word};
use crate::template::Template;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use std::time::Duration;

/// Reads a duration such as `500ms` or `1m30s`: for `#[serde(deserialize_with = "evenkeel::config::duration")]`.
///
/// # Errors
/// The text is no duration.
pub fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    durations::parse(&text).map_err(de::Error::custom)
}

/// One value of the block, and the walk that it is part of.
pub(super) struct Block<'t, 'r, 'e> {
    tree: &'t Tree,
    reader: &'r mut Reader<'e>,
}

impl<'t, 'r, 'e> Block<'t, 'r, 'e> {
    pub(super) fn new(tree: &'t Tree, reader: &'r mut Reader<'e>) -> Self {
        Block { tree, reader }
    }

    fn text(&mut self, dollar: Dollar) -> Result<String, Failed> {
        let text = self.reader.text(self.tree, dollar, true, "some text");
        text.map(Into::into).ok_or_else(Failed::noted)
    }

    /// A scalar with environment values in place; what they give is read as YAML would read it.
    fn scalar<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Failed> {
        let Value::Text(written) = &self.tree.value else {
            return match &self.tree.value {
                Value::Bool(value) => visitor.visit_bool(*value),
                Value::Integer(number) => visit_integer(*number, visitor),
                Value::Float(number) => visitor.visit_f64(*number),
                _ => visitor.visit_unit(),
            };
        };
        let text = self.text(Dollar::Environment)?;
        if text == *written {
            return visitor.visit_string(text);
        }
        match (
            text.parse::<bool>(),
            text.parse::<i128>(),
            text.parse::<f64>(),
        ) {
            (Ok(value), ..) => visitor.visit_bool(value),
            (_, Ok(number), _) => visit_integer(number, visitor),
            (.., Ok(number)) => visitor.visit_f64(number),
            _ => visitor.visit_string(text),
        }
    }
}

fn visit_integer<'de, V: Visitor<'de>>(number: i128, visitor: V) -> Result<V::Value, Failed> {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => visitor.visit_u64(number),
        (_, Ok(number)) => visitor.visit_i64(number),
        _ => visitor.visit_i128(number),
    }
}

impl<'de> Deserializer<'de> for Block<'_, '_, '_> {
    type Error = Failed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match &self.tree.value {
            Value::Null => visitor.visit_unit(),
            Value::List(items) => visitor.visit_seq(Items {
                items: items.iter().enumerate(),
                reader: self.reader,
            }),
            Value::Mapping(_) => self.deserialize_map(visitor),
            _ => self.scalar(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Failed> {
        match self.tree.value {
            Value::List(_) | Value::Mapping(_) => self.deserialize_any(visitor),
            _ => visitor.visit_string(self.text(Dollar::Environment)?),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match self.tree.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// Settings that hold nothing are written `{}`.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        match &self.tree.value {
            Value::Mapping(_) => {
                let fields = self.reader.fields(self.tree, &[], "{}");
                fields.ok_or_else(Failed::noted)?;
                visitor.visit_unit()
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failed> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        mut self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failed> {
        if name == crate::template::NAME_FOR_SERDE {
            let text = self.text(Dollar::Template)?;
            // What is wrong with it, its own reader says.
            if let Ok(template) = Template::parse(&text) {
                let place = self.reader.place(self.tree);
                self.reader.note_path_groups(&place, &template);
            }
            return visitor.visit_string(text);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failed> {
        let entries = self.reader.entries(self.tree, "{ key: value }");
        let entries = entries.ok_or_else(Failed::noted)?;
        visitor.visit_map(Entries {
            entries: entries.into_iter(),
            value: None,
            reader: self.reader,
        })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        let example = known
            .first()
            .map_or_else(|| "{}".to_owned(), |key| format!("{{ {key}: value }}"));
        let fields = self.reader.fields(self.tree, known, &example);
        let fields = fields.ok_or_else(Failed::noted)?;
        let found = fields.found.iter();
        let entries: Vec<_> = found
            .map(|(key, value)| ((*key).into(), self.tree, *value))
            .collect();
        let read = visitor.visit_map(Entries {
            entries: entries.into_iter(),
            value: None,
            reader: self.reader,
        });
        read.map_err(|failed| match failed.missing {
            Some(key) if !fields.misses(key) => Failed::noted(),
            _ => failed,
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        if let Value::Mapping(_) = self.tree.value {
            let example = format!("{{ {}: … }}", variants.first().unwrap_or(&"name"));
            let only = super::collection::only_entry(self.tree, variants, &example, self.reader);
            let (name, value) = only.ok_or_else(Failed::noted)?;
            let content = Some(Block::new(value, self.reader));
            return visitor.visit_enum(Choice { name, content });
        }
        let text = self.text(Dollar::Environment)?;
        let words: Vec<_> = variants.iter().map(|name| (*name, *name)).collect();
        let name = word::word_of(&text, &words).map_err(de::Error::custom)?;
        visitor.visit_enum(Choice {
            name,
            content: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf seq tuple tuple_struct
        identifier ignored_any
    }
}

struct Items<'t, 'r, 'e> {
    items: std::iter::Enumerate<std::slice::Iter<'t, Tree>>,
    reader: &'r mut Reader<'e>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_, '_> {
    type Error = Failed;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failed> {
        let Some((index, item)) = self.items.next() else {
            return Ok(None);
        };
        self.reader
            .element(index, |reader| read(item, reader, seed))
            .map(Some)
    }
}

/// Key, where the key stands, and value.
type Entry<'t> = (std::borrow::Cow<'t, str>, &'t Tree, &'t Tree);

struct Entries<'t, 'r, 'e> {
    entries: std::vec::IntoIter<Entry<'t>>,
    value: Option<Entry<'t>>,
    reader: &'r mut Reader<'e>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_, '_> {
    type Error = Failed;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failed> {
        self.value = self.entries.next();
        let Some((text, key, _)) = &self.value else {
            return Ok(None);
        };
        let place = self.reader.under(text, |reader| reader.place(key));
        let read = seed.deserialize(StrDeserializer::<Failed>::new(text));
        read.map(Some).map_err(|failed| failed.at(place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failed> {
        let Some((text, _, value)) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        self.reader.under(&text, |reader| read(value, reader, seed))
    }
}

struct Choice<'t, 'r, 'e> {
    name: &'static str,
    content: Option<Block<'t, 'r, 'e>>,
}

impl<'de, 't, 'r, 'e> EnumAccess<'de> for Choice<'t, 'r, 'e> {
    type Error = Failed;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Failed> {
        let value = seed.deserialize(StrDeserializer::<Failed>::new(self.name))?;
        Ok((value, self))
    }
}

impl<'t, 'r, 'e> Choice<'t, 'r, 'e> {
    fn content(self) -> Result<Block<'t, 'r, 'e>, Failed> {
        let name = self.name;
        let missing = || format!("`{name}` needs its values; write `{{ {name}: … }}`");
        self.content.ok_or_else(|| de::Error::custom(missing()))
    }
}

impl<'de> VariantAccess<'de> for Choice<'_, '_, '_> {
    type Error = Failed;

    fn unit_variant(self) -> Result<(), Failed> {
        match self.content {
            None => Ok(()),
            Some(content) => content.reader.under(self.name, |reader| {
                <()>::deserialize(Block::new(content.tree, reader))
            }),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failed> {
        let name = self.name;
        let Block { tree, reader } = self.content()?;
        reader.under(name, |reader| read(tree, reader, seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failed> {
        self.content()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failed> {
        let name = self.name;
        let Block { tree, reader } = self.content()?;
        reader.under(name, |reader| {
            Block::new(tree, reader).deserialize_struct(name, known, visitor)
        })
    }
}

/// Reads one value; what is wrong with it and says no place of its own is said of it.
fn read<'de, S: DeserializeSeed<'de>>(
    tree: &Tree,
    reader: &mut Reader<'_>,
    seed: S,
) -> Result<S::Value, Failed> {
    let place = reader.place(tree);
    let read = seed.deserialize(Block::new(tree, reader));
    read.map_err(|failed| failed.at(place))
}
