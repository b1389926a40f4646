//! A setting that is one value, or a mapping with more.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One value, or a mapping. Not an untagged enum: that would lose the positions of the values.
#[derive(Debug)]
pub(crate) enum OneOr<V, M> {
    One(V),
    Mapping(Box<M>),
}

/// A mapping in whose place one value may stand.
pub(crate) trait Long {
    /// The name in the schema of the two together.
    const NAME: &'static str;
    /// What belongs here, for a fault.
    const EXPECTED: &'static str;

    /// The schema of the one value.
    fn one() -> Value;
}

impl<'de, V: Deserialize<'de>, M: Deserialize<'de> + Long> Deserialize<'de> for OneOr<V, M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<V, M>(PhantomData<(V, M)>);

        impl<'de, V: Deserialize<'de>, M: Deserialize<'de> + Long> Visitor<'de> for Either<V, M> {
            type Value = OneOr<V, M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(M::EXPECTED)
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
                let one: Result<V, E> = V::deserialize(value.into_deserializer());
                one.map(OneOr::One).map_err(|_| E::invalid_type(Unexpected::Bool(value), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let one: Result<V, E> = V::deserialize(text.into_deserializer());
                one.map(OneOr::One).map_err(|_| E::invalid_type(Unexpected::Str(text), &self))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                M::deserialize(MapAccessDeserializer::new(map)).map(|mapping| OneOr::Mapping(Box::new(mapping)))
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<V, M: JsonSchema + Long> JsonSchema for OneOr<V, M> {
    fn schema_name() -> Cow<'static, str> {
        M::NAME.into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mapping = generator.subschema_for::<M>();
        schemars::json_schema!({ "anyOf": [M::one(), mapping] })
    }
}
