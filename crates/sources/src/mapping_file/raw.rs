//! The mapping file as it is written: serde types with positions. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// The mapping of an import: which column of a source is which attribute of an account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Version of this format.
    #[schemars(with = "u32", range(min = 1, max = 1))]
    pub(super) version: Option<Spanned<u32>>,
    /// How the source is read.
    #[serde(default)]
    pub(super) source: Source,
    /// The organisation's ID, digits.
    #[schemars(with = "Option<Setting>")]
    pub(super) orgid: Option<Spanned<Setting>>,
    /// The log-in name.
    #[schemars(with = "Option<Setting>")]
    pub(super) username: Option<Spanned<Setting>>,
    /// The hash of the password, or with `form: plain` the password.
    #[schemars(with = "Option<Setting>")]
    pub(super) password: Option<Spanned<Setting>>,
    /// The cluster whose bucket has the home folder, named after the organisation.
    #[schemars(with = "Option<Setting>")]
    pub(super) cluster: Option<Spanned<Setting>>,
    /// The home folder: `/<bucket>/<folder>`, or the folder of the old server.
    #[schemars(with = "Option<Setting>")]
    pub(super) home: Option<Spanned<Setting>>,
    /// `active` or `disabled`. Default: active.
    #[schemars(with = "Option<Setting>")]
    pub(super) status: Option<Spanned<Setting>>,
    /// Address ranges to admit. Default: all.
    #[schemars(with = "Option<Setting>")]
    pub(super) allowed: Option<Spanned<Setting>>,
    /// Public keys, as in `authorized_keys`.
    #[schemars(with = "Option<Setting>")]
    pub(super) keys: Option<Spanned<Setting>>,
    /// The end of the account: a date, or an instant of RFC 3339.
    #[schemars(with = "Option<Setting>")]
    pub(super) expires: Option<Spanned<Setting>>,
    /// Free text for the operators.
    #[schemars(with = "Option<Setting>")]
    pub(super) note: Option<Spanned<Setting>>,
    /// AWS regions whose server admits the customer. Default: all.
    #[schemars(with = "Option<Setting>")]
    pub(super) regions: Option<Spanned<Setting>>,
}

impl File {
    /// The attributes that are there.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static str, &Spanned<Setting>)> {
        let all = [
            ("orgid", &self.orgid),
            ("username", &self.username),
            ("password", &self.password),
            ("cluster", &self.cluster),
            ("home", &self.home),
            ("status", &self.status),
            ("allowed", &self.allowed),
            ("keys", &self.keys),
            ("expires", &self.expires),
            ("note", &self.note),
            ("regions", &self.regions),
        ];
        all.into_iter().filter_map(|(name, setting)| Some((name, setting.as_ref()?)))
    }
}

/// How the source is read. Each kind of source has some of these options.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// CSV: the character between two fields, or `tab`. Default: what the first line has of `,`, `;`, tab and `|`.
    #[schemars(with = "Option<String>")]
    pub(super) separator: Option<Spanned<String>>,
    /// CSV: the character around a field with separators in it. Default: `"`; none in MySQL's dialects.
    #[schemars(with = "Option<String>")]
    pub(super) quote: Option<Spanned<String>>,
    /// CSV: `rfc4180` (default), `outfile` (MySQL's INTO OUTFILE and mysqldump --tab) or `mysql-batch` (mysql --batch).
    #[schemars(with = "Option<String>")]
    pub(super) dialect: Option<Spanned<String>>,
    /// CSV: whether the first line names the columns; else they are named 1, 2, 3 and so on. Default true; false for
    /// `outfile`.
    #[schemars(with = "Option<bool>")]
    pub(super) header: Option<Spanned<bool>>,
    /// CSV, MySQL: `utf-8` (default), `cp1252`, `latin1`, or `auto` (each value by itself: UTF-8 if it is that, else
    /// cp1252).
    #[schemars(with = "Option<String>")]
    pub(super) encoding: Option<Spanned<String>>,
    /// Values such as `Ã¼`, which may have been encoded twice: `ask` (default) refuses their rows, `repair` makes `ü`
    /// of it, `keep` takes it as it is.
    #[schemars(with = "Option<String>")]
    pub(super) double_encoded: Option<Spanned<String>>,
    /// JSON: where the array of accounts is in an object, as a JSON pointer: `/users`.
    #[schemars(with = "Option<String>")]
    pub(super) pointer: Option<Spanned<String>>,
    /// JSON: fields that may be missing in the first 5,000 records.
    #[schemars(with = "Option<Vec<String>>")]
    pub(super) columns: Option<Spanned<Vec<String>>>,
    /// MySQL: the table.
    #[schemars(with = "Option<String>")]
    pub(super) table: Option<Spanned<String>>,
    /// MySQL: a query, in place of a table.
    #[schemars(with = "Option<String>")]
    pub(super) query: Option<Spanned<String>>,
    /// MySQL: the column that rows are read in the order of, unique and not null. Default: the primary key.
    #[schemars(with = "Option<String>")]
    pub(super) key: Option<Spanned<String>>,
}

impl Source {
    /// The options that are there, with their places.
    pub(super) fn given(&self) -> Vec<(&'static str, Place)> {
        let mut given = Vec::new();
        let texts = [
            ("separator", &self.separator),
            ("quote", &self.quote),
            ("dialect", &self.dialect),
            ("encoding", &self.encoding),
            ("double_encoded", &self.double_encoded),
            ("pointer", &self.pointer),
            ("table", &self.table),
            ("query", &self.query),
            ("key", &self.key),
        ];
        given.extend(texts.into_iter().filter_map(|(name, value)| Some((name, at(value.as_ref()?)))));
        given.extend(self.header.iter().map(|value| ("header", at(value))));
        given.extend(self.columns.iter().map(|value| ("columns", at(value))));
        given
    }
}

/// A value's place alone.
pub(super) type Place = Spanned<()>;

fn at<T>(value: &Spanned<T>) -> Place {
    Spanned { value: (), referenced: value.referenced, defined: value.defined }
}

/// Where an attribute comes from: a column, or a rule.
#[derive(Debug)]
pub(super) enum Setting {
    Column(String),
    Rule(Box<Rule>),
}

/// Where an attribute comes from.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Rule")]
pub(super) struct Rule {
    /// The column of the source.
    #[schemars(with = "Option<String>")]
    pub(super) column: Option<Spanned<String>>,
    /// The value of every account, in place of a column.
    #[schemars(with = "Option<String>")]
    pub(super) value: Option<Spanned<String>>,
    /// A regular expression whose first group, or whole match, is the value. Accounts that it does not match are
    /// refused.
    #[schemars(with = "Option<String>")]
    pub(super) pattern: Option<Spanned<String>>,
    /// What the column's values mean: `"1": active`. Accounts with others are refused.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub(super) values: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    /// The text that is put before the value of the column: `"{MD5}"` before bare digests.
    #[schemars(with = "Option<String>")]
    pub(super) prefix: Option<Spanned<String>>,
    /// `allowed`, `keys` and `regions`: the text between two values.
    #[schemars(with = "Option<String>")]
    pub(super) split: Option<Spanned<String>>,
    /// The value where the column has none.
    #[schemars(with = "Option<String>")]
    pub(super) default: Option<Spanned<String>>,
    /// `password`: `hash` (default) or `plain`.
    #[schemars(with = "Option<String>")]
    pub(super) form: Option<Spanned<String>>,
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Setting;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a column, or a mapping with `column` or `value`")
            }

            fn visit_str<E>(self, text: &str) -> Result<Setting, E> {
                Ok(Setting::Column(text.to_owned()))
            }

            /// The number of a column in a file without a header.
            fn visit_u64<E>(self, number: u64) -> Result<Setting, E> {
                Ok(Setting::Column(number.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Setting, E> {
                Ok(Setting::Column(number.to_string()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Setting, A::Error> {
                // Not an untagged enum: it would lose the positions of the values.
                Rule::deserialize(MapAccessDeserializer::new(map)).map(|rule| Setting::Rule(Box::new(rule)))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Setting {
    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rule = generator.subschema_for::<Rule>();
        schemars::json_schema!({ "anyOf": [{ "type": ["string", "integer"], "description": "The column." }, rule] })
    }
}
