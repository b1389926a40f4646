//! Checks a request against AWS's own service model.
//!
//! `model.json` is an extract of botocore's model (Apache-2.0), written by `scripts/transfer-model`. This module does
//! not depend on particular operations: a new operation is an entry in that file. The code, wording and order of
//! validation errors are those of AWS's service framework.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ApiError;

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is checked in, and the unit test below reads it")]
    serde_json::from_str(include_str!("model.json")).expect("model.json is valid")
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    #[serde(rename = "source")]
    _source: String,
    operations: BTreeMap<String, Operation>,
    shapes: BTreeMap<String, Shape>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    input: String,
    #[serde(rename = "output")]
    _output: Option<String>,
    #[serde(rename = "errors")]
    _errors: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: BTreeMap<String, String>,
    member: Option<String>,
    #[serde(default, rename = "enum")]
    values: Vec<String>,
    pattern: Option<String>,
    min: Option<i64>,
    max: Option<i64>,
    #[serde(default)]
    sensitive: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Structure,
    List,
    String,
    Integer,
    Boolean,
    /// Only in answers.
    Timestamp,
}

/// Parses the body of a request and checks it against the model of `operation`.
///
/// # Errors
/// `SerializationException` if the body is not JSON or a value has the wrong type, `ValidationException` with all
/// violated constraints in one message.
pub(crate) fn parse(operation: &str, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let body = if body.is_empty() { b"{}" } else { body };
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| ApiError::protocol(400, "SerializationException", format!("Not a JSON document: {error}")))?;
    let Some(model) = MODEL.operations.get(operation) else {
        return Err(ApiError::protocol(400, "UnknownOperationException", format!("{operation} is not modelled")));
    };
    let mut check = Check { complaints: Vec::new() };
    check.shape("", &model.input, &value)?;
    match check.complaints.len() {
        0 => match value {
            Value::Object(map) => Ok(without_nulls(map)),
            _ => Ok(Map::new()),
        },
        1 => Err(ApiError::constraint(format!("1 validation error detected: {}", check.complaints.concat()))),
        n => Err(ApiError::constraint(format!("{n} validation errors detected: {}", check.complaints.join("; ")))),
    }
}

/// Removes explicit nulls, which are equivalent to missing members.
fn without_nulls(map: Map<String, Value>) -> Map<String, Value> {
    map.into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| match value {
            Value::Object(inner) => (name, Value::Object(without_nulls(inner))),
            other => (name, other),
        })
        .collect()
}

struct Check {
    complaints: Vec<String>,
}

impl Check {
    fn shape(&mut self, path: &str, name: &str, value: &Value) -> Result<(), ApiError> {
        let Some(shape) = MODEL.shapes.get(name) else {
            return Err(ApiError::internal(format!("model.json has no shape {name}")));
        };
        match (shape.kind, value) {
            (Kind::Structure, Value::Object(members)) => {
                for required in &shape.required {
                    if members.get(required).is_none_or(Value::is_null) {
                        let path = join(path, required);
                        self.complaints.push(format!(
                            "Value null at '{path}' failed to satisfy constraint: Member must not be null"
                        ));
                    }
                }
                for (member, target) in &shape.members {
                    match members.get(member) {
                        None | Some(Value::Null) => {}
                        Some(value) => self.shape(&join(path, member), target, value)?,
                    }
                }
            }
            (Kind::List, Value::Array(items)) => {
                self.size(path, shape, value, items.len(), "length");
                for (index, item) in items.iter().enumerate() {
                    if let Some(target) = &shape.member {
                        self.shape(&format!("{path}.{}.member", index + 1), target, item)?;
                    }
                }
            }
            (Kind::String, Value::String(text)) => {
                self.size(path, shape, value, text.chars().count(), "length");
                if !shape.values.is_empty() && !shape.values.contains(text) {
                    let set = shape.values.join(", ");
                    self.complain(path, shape, value, &format!("Member must satisfy enum value set: [{set}]"));
                }
                if let Some(pattern) = &shape.pattern {
                    let whole =
                        whole(pattern).map_err(|error| ApiError::internal(format!("pattern of {name}: {error}")))?;
                    if !whole.is_match(text) {
                        let what = format!("Member must satisfy regular expression pattern: {pattern}");
                        self.complain(path, shape, value, &what);
                    }
                }
            }
            (Kind::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => {
                let number = number.as_i64().unwrap_or(i64::MAX);
                self.range(path, shape, value, number, "value");
            }
            (Kind::Boolean, Value::Bool(_)) => {}
            (kind, _) => {
                let kind = format!("{kind:?}").to_lowercase();
                let what = format!("Value at '{path}' cannot be converted to {kind}");
                return Err(ApiError::protocol(400, "SerializationException", what));
            }
        }
        Ok(())
    }

    fn size(&mut self, path: &str, shape: &Shape, value: &Value, size: usize, what: &str) {
        self.range(path, shape, value, i64::try_from(size).unwrap_or(i64::MAX), what);
    }

    fn range(&mut self, path: &str, shape: &Shape, value: &Value, size: i64, what: &str) {
        if let Some(max) = shape.max.filter(|max| size > *max) {
            self.complain(path, shape, value, &format!("Member must have {what} less than or equal to {max}"));
        }
        if let Some(min) = shape.min.filter(|min| size < *min) {
            self.complain(path, shape, value, &format!("Member must have {what} greater than or equal to {min}"));
        }
    }

    fn complain(&mut self, path: &str, shape: &Shape, value: &Value, what: &str) {
        let shown = match value {
            _ if shape.sensitive => String::new(),
            Value::String(text) => format!(" '{text}'"),
            other => format!(" '{other}'"),
        };
        self.complaints.push(format!("Value{shown} at '{path}' failed to satisfy constraint: {what}"));
    }
}

/// Compiles a pattern of the model, which must match the whole value. The patterns are Java's: what the crate
/// `regex-lite` does not take of those in the model is replaced.
fn whole(pattern: &str) -> Result<Regex, regex_lite::Error> {
    let pattern = pattern
        .replace(r"\p{Print}", r"\x20-\x7e")
        // A hyphen after a class, which here must be the last or escaped.
        .replace(r"\w- ", r"\w \-")
        // Whatever is a mark or is none: any character.
        .replace(r"\P{M}\p{M}", r"\s\S")
        // Letters, white space and digits, here of ASCII alone.
        .replace(r"\p{L}\p{Z}\p{N}", r"\w\s");
    Regex::new(&format!(r"\A(?:{pattern})\z"))
}

/// AWS's service framework writes member names with a lower-case first letter: `identityProviderDetails.url`.
fn join(path: &str, member: &str) -> String {
    let mut letters = member.chars();
    let member: String = letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect();
    if path.is_empty() { member } else { format!("{path}.{member}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(operation: &str, body: &str) -> String {
        let error = parse(operation, body.as_bytes()).unwrap_err();
        format!("{}: {}", error.code, error.body()["Message"].as_str().or(error.body()["message"].as_str()).unwrap())
    }

    #[test]
    fn every_pattern_of_the_model_compiles() {
        for (name, shape) in &MODEL.shapes {
            if let Some(pattern) = &shape.pattern {
                assert!(whole(pattern).is_ok(), "{name}: {pattern}");
            }
        }
    }

    #[test]
    fn validation_errors_use_aws_wording() {
        let cases = [
            ("DescribeServer", "{}", "Value null at 'serverId' failed to satisfy constraint: Member must not be null"),
            (
                "CreateServer",
                r#"{"Tags":[{"Key":"a","Value":null}]}"#,
                "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null",
            ),
            (
                "ListServers",
                r#"{"MaxResults":1001}"#,
                "Value '1001' at 'maxResults' failed to satisfy constraint: \
                 Member must have value less than or equal to 1000",
            ),
            (
                "CreateServer",
                r#"{"Domain":"FTP"}"#,
                "Value 'FTP' at 'domain' failed to satisfy constraint: Member must satisfy enum value set: [S3, EFS]",
            ),
        ];
        for (operation, body, expected) in cases {
            assert_eq!(
                refusal(operation, body),
                format!("ValidationException: 1 validation error detected: {expected}")
            );
        }
    }

    #[test]
    fn sensitive_values_are_not_repeated() {
        let long = "k".repeat(4097);
        assert!(!refusal("CreateServer", &format!(r#"{{"HostKey":"{long}"}}"#)).contains("kkk"));
    }

    #[test]
    fn a_wrong_type_is_a_serialization_error() {
        assert!(refusal("CreateServer", r#"{"Tags":"x"}"#).starts_with("SerializationException"));
        assert!(refusal("CreateServer", "[").starts_with("SerializationException"));
    }
}
