//! The `Condition` block: operators, quantifiers, and the meaning of a missing key.

use serde_json::Value;

use super::error::{EvalError, PolicyError};
use super::json::type_name;
use super::keys::{Context, Key};
use super::operator::{self, Resolved, Test};

/// How several values of one key in a request are combined.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Quantifier {
    ForAll,
    ForAny,
}

/// One operator applied to one key.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    key: Key,
    quantifier: Option<Quantifier>,
    if_exists: bool,
    negated: bool,
    test: Test,
}

/// Reads a whole `Condition` element; all its entries have to hold.
pub(crate) fn parse(value: &Value, variables: bool, path: &str) -> Result<Vec<Condition>, PolicyError> {
    let operators = object(value, path)?;
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let operator_path = format!("{path}.{operator}");
        for (key, values) in object(keys, &operator_path)? {
            let condition = entry(operator, key, values, variables)
                .map_err(|reason| PolicyError::new(&format!("{operator_path}.{key}"), reason))?;
            conditions.push(condition);
        }
    }
    Ok(conditions)
}

/// Refuses empty blocks: they would hold for every request, which is hardly ever intended.
fn object<'a>(value: &'a Value, path: &str) -> Result<&'a serde_json::Map<String, Value>, PolicyError> {
    match value {
        Value::Object(map) if !map.is_empty() => Ok(map),
        Value::Object(_) => Err(PolicyError::new(path, "is empty".to_owned())),
        other => Err(PolicyError::new(path, format!("is {}, expected an object", type_name(other)))),
    }
}

fn entry(operator: &str, key: &str, values: &Value, variables: bool) -> Result<Condition, String> {
    let (quantifier, rest) = match operator.split_once(':') {
        None => (None, operator),
        Some(("ForAllValues", rest)) => (Some(Quantifier::ForAll), rest),
        Some(("ForAnyValue", rest)) => (Some(Quantifier::ForAny), rest),
        Some(_) => return Err(format!("has the unknown operator {operator:?}")),
    };
    let (name, if_exists) = match rest.strip_suffix("IfExists") {
        Some(name) => (name, true),
        None => (rest, false),
    };
    let key = Key::parse(key)?;
    let (negated, test) =
        operator::parse(name, values, variables)?.ok_or_else(|| format!("has the unknown operator {operator:?}"))?;
    if matches!(test, Test::Null(_)) {
        if quantifier.is_some() || if_exists {
            return Err("has a quantifier or IfExists on Null, which already tests for existence".to_owned());
        }
    } else if key.is_multiple() && quantifier.is_none() {
        return Err("compares a multivalued key without ForAllValues or ForAnyValue".to_owned());
    }
    Ok(Condition { key, quantifier, if_exists, negated, test })
}

impl Condition {
    /// The condition's key in lower case.
    pub(super) fn key(&self) -> &str {
        self.key.name()
    }

    /// Decides the condition for one request.
    pub(crate) fn holds(&self, context: &Context) -> Result<bool, EvalError> {
        let values = context.get(&self.key);
        if let Test::Null(wanted) = &self.test {
            return Ok(wanted.contains(&values.is_none()));
        }
        let Some(values) = values else {
            return match self.quantifier {
                Some(Quantifier::ForAll) => Ok(true),
                Some(Quantifier::ForAny) if self.if_exists => {
                    Err(self.open("is absent, and whether IfExists or ForAnyValue then decides is not documented"))
                }
                Some(Quantifier::ForAny) => Ok(false),
                None => Ok(self.negated || self.if_exists),
            };
        };
        if self.quantifier.is_some() && values.iter().all(String::is_empty) {
            return Err(self.open("holds only empty strings, which AWS may read as absent"));
        }
        let mut resolved = Resolved::All;
        let mut outcomes = Vec::with_capacity(values.len());
        for value in values {
            let outcome = self.test.accepts(value, context).map_err(|reason| self.unreadable(reason))?;
            // The policy's values are the same for every value of the request.
            resolved = outcome.resolved;
            outcomes.push(outcome.matched != self.negated);
        }
        let holds = match self.quantifier {
            Some(Quantifier::ForAny) => outcomes.contains(&true),
            Some(Quantifier::ForAll) | None => !outcomes.contains(&false),
        };
        resolved.settle(holds)
    }

    fn open(&self, reason: &str) -> EvalError {
        EvalError::Open(format!("the context key {} {reason}", self.key.name()))
    }

    fn unreadable(&self, reason: String) -> EvalError {
        EvalError::Request(format!("the context key {} is compared but {reason}", self.key.name()))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, PartialEq)]
    pub(in super::super) enum Answer {
        Holds,
        Fails,
        Open,
        Unreadable,
        Refused,
    }
    use Answer::{Fails, Holds, Open, Refused, Unreadable};

    /// Evaluates `{operator: {key: values}}` for a request with the keys and values in `given`.
    pub(in super::super) fn ask(operator: &str, key: &str, values: &str, given: &[(&str, &[&str])]) -> Answer {
        let text = format!(r#"{{"{operator}":{{"{key}":{values}}}}}"#);
        let parsed = super::super::json::parse(&text)
            .map_err(|reason| PolicyError::new("", reason))
            .and_then(|value| parse(&value, true, "Condition"));
        let Ok(conditions) = parsed else {
            return Refused;
        };
        let supplied: BTreeMap<String, Vec<String>> = given
            .iter()
            .map(|(key, list)| ((*key).to_owned(), list.iter().map(|v| (*v).to_owned()).collect()))
            .collect();
        let context = match Context::new(&supplied) {
            Ok(context) => context,
            Err(error) => panic!("{error}"),
        };
        for condition in &conditions {
            match condition.holds(&context) {
                Ok(true) => {}
                Ok(false) => return Fails,
                Err(EvalError::Open(_)) => return Open,
                Err(_) => return Unreadable,
            }
        }
        Holds
    }

    #[test]
    fn missing_keys_decide_by_operator() {
        for (operator, key, values, expected) in [
            ("StringEquals", "aws:username", r#""a""#, Fails),
            ("StringEqualsIfExists", "aws:username", r#""a""#, Holds),
            ("StringEqualsIfExists", "aws:username", r#""${aws:userid}""#, Holds),
            ("StringNotEquals", "aws:username", r#""a""#, Holds),
            ("StringNotLike", "aws:username", r#""a""#, Holds),
            ("NumericNotEquals", "s3:max-keys", "1", Holds),
            ("NumericLessThan", "s3:max-keys", "1", Fails),
            ("DateNotEquals", "aws:CurrentTime", r#""2025-01-01""#, Holds),
            ("NotIpAddress", "aws:SourceIp", r#""10.0.0.0/8""#, Holds),
            ("ArnNotLike", "aws:SourceArn", r#""arn:aws:s3:::b""#, Holds),
            ("Bool", "aws:SecureTransport", "false", Fails),
            ("BoolIfExists", "aws:SecureTransport", "false", Holds),
            ("Null", "aws:username", "true", Holds),
            ("Null", "aws:TagKeys", "false", Fails),
            ("ForAllValues:StringEquals", "aws:TagKeys", r#""a""#, Holds),
            ("ForAllValues:StringNotEquals", "aws:TagKeys", r#""a""#, Holds),
            ("ForAnyValue:StringEquals", "aws:TagKeys", r#""a""#, Fails),
            ("ForAnyValue:StringNotEquals", "aws:TagKeys", r#""a""#, Fails),
            ("ForAnyValue:StringEqualsIfExists", "aws:TagKeys", r#""a""#, Open),
        ] {
            assert_eq!(ask(operator, key, values, &[]), expected, "{operator}");
            assert_eq!(ask(operator, key, values, &[(key, &[])]), expected, "{operator} without values");
        }
    }

    #[test]
    fn quantifiers_combine_values() {
        for (operator, values, given, expected) in [
            ("ForAllValues:StringEquals", r#"["a","b"]"#, &["a", "b"][..], Holds),
            ("ForAllValues:StringEquals", r#"["a","b"]"#, &["a", "c"], Fails),
            ("ForAnyValue:StringEquals", r#"["a","b"]"#, &["c", "b"], Holds),
            ("ForAnyValue:StringEquals", r#"["a","b"]"#, &["c"], Fails),
            ("ForAllValues:StringNotEquals", r#"["a","b"]"#, &["c", "d"], Holds),
            ("ForAllValues:StringNotEquals", r#"["a","b"]"#, &["c", "a"], Fails),
            ("ForAnyValue:StringNotEquals", r#"["a","b"]"#, &["a", "c"], Holds),
            ("ForAnyValue:StringNotEquals", r#"["a","b"]"#, &["a", "b"], Fails),
            ("ForAnyValue:StringLikeIfExists", r#""a*""#, &["x", "ab"], Holds),
            ("ForAnyValue:StringEquals", r#""a""#, &[""], Open),
            ("StringEquals", r#""a""#, &["a"], Refused),
            ("ForAnyValue:Null", r#""true""#, &["a"], Refused),
        ] {
            assert_eq!(
                ask(operator, "aws:TagKeys", values, &[("aws:tagkeys", given)]),
                expected,
                "{operator} {given:?}"
            );
        }
    }

    #[test]
    fn malformed_conditions_are_refused() {
        for (operator, key, values) in [
            ("stringEquals", "aws:username", r#""a""#),
            ("StringEqual", "aws:username", r#""a""#),
            ("StringEqualsIfExist", "aws:username", r#""a""#),
            ("ForEachValue:StringEquals", "aws:username", r#""a""#),
            ("ForAllValues:", "aws:username", r#""a""#),
            ("BinaryEquals", "aws:username", r#""YQ==""#),
            ("NullIfExists", "aws:username", "true"),
            ("Null", "aws:username", r#"["true","false"]"#),
            ("StringEquals", "aws:usernames", r#""a""#),
            ("StringEquals", "aws:username", "1"),
            ("StringEquals", "aws:username", "true"),
            ("StringEquals", "aws:username", "null"),
            ("StringEquals", "aws:username", "[]"),
            ("StringEquals", "aws:username", r#"[["a"]]"#),
            ("StringEquals", "aws:username", r#"{"a":"b"}"#),
        ] {
            assert_eq!(ask(operator, key, values, &[]), Refused, "{operator} {key} {values}");
        }
        for text in ["{}", "[]", "null", r#"{"Bool":{}}"#, r#"{"Bool":[]}"#, r#"{"Bool":"true"}"#] {
            let parsed = super::super::json::parse(text).map(|value| parse(&value, true, "Condition").is_err());
            assert_eq!(parsed, Ok(true), "{text}");
        }
    }
}
