//! One account of a JSON file: the fields of an object, with dots in the names of those of objects inside. Pure.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use crate::header;
use crate::source::Value;

/// Levels of objects in objects.
const DEPTH: usize = 8;

/// The fields of an object, in its order.
///
/// # Errors
/// It is not an object of JSON, or has a key twice.
pub(super) fn fields(json: &[u8]) -> Result<Vec<(String, Value)>, serde_json::Error> {
    let mut fields = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Object { prefix: "", depth: 0, fields: &mut fields }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(fields)
}

/// An object, whose fields are added.
struct Object<'a> {
    /// What the names begin with.
    prefix: &'a str,
    depth: usize,
    fields: &'a mut Vec<(String, Value)>,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let name = format!("{}{key}", self.prefix);
            map.next_value_seed(Field { name, depth: self.depth, fields: self.fields })?;
        }
        Ok(())
    }
}

/// A value of an object, which is a field, or the fields of an object inside.
struct Field<'a> {
    name: String,
    depth: usize,
    fields: &'a mut Vec<(String, Value)>,
}

impl Field<'_> {
    fn set<E: serde::de::Error>(self, value: Value) -> Result<(), E> {
        if self.fields.iter().any(|(name, _)| *name == self.name) {
            return Err(E::custom(format_args!("the key `{}` is there twice", header::shown(&self.name))));
        }
        self.fields.push((self.name, value));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Field<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Field<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.set(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.set(Value::Text(value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.set(Value::Text(value.to_string()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.set(Value::Text(value.to_string()))
    }

    /// With a decimal point or an exponent, so that it is not taken for a whole number.
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.set(Value::Text(format!("{value:?}")))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.set(Value::Text(value.to_owned()))
    }

    /// Texts and numbers are several values; anything else is kept as JSON.
    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        let mut values: Vec<serde_json::Value> = Vec::new();
        while let Some(value) = sequence.next_element()? {
            values.push(value);
        }
        let texts: Option<Vec<String>> = values
            .iter()
            .map(|value| match value {
                serde_json::Value::String(text) => Some(text.clone()),
                serde_json::Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
            .collect();
        let json = || Value::Text(serde_json::Value::from(values.clone()).to_string());
        let value = texts.map_or_else(json, Value::Texts);
        self.set(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        if self.depth >= DEPTH {
            return Err(serde::de::Error::custom(format_args!("`{}` has too many objects inside", self.name)));
        }
        let prefix = format!("{}.", self.name);
        Object { prefix: &prefix, depth: self.depth + 1, fields: self.fields }.visit_map(map)
    }
}
