//! Event patterns (EventBridge user guide, "Creating Amazon EventBridge event patterns"). Pure.

use serde_json::{Map, Value};

/// Whether an event fits a pattern: every field of the pattern is in the event, with one of its values.
///
/// # Errors
/// The pattern has a form that is not modelled; the text names it.
pub(super) fn fits(pattern: &Value, event: &Value) -> Result<bool, String> {
    let Value::Object(fields) = pattern else { return Err(format!("{pattern} is not an event pattern")) };
    for (name, wanted) in fields {
        let found = event.get(name);
        let holds = match wanted {
            Value::Object(_) => fits(wanted, found.unwrap_or(&Value::Null))?,
            Value::Array(alternatives) => one_of(alternatives, found)?,
            _ => return Err(format!("{name}: a pattern is an object or a list")),
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn one_of(alternatives: &[Value], found: Option<&Value>) -> Result<bool, String> {
    // A list in the event fits with any of its elements.
    let values: Vec<&Value> = match found {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    };
    let mut holds = false;
    for alternative in alternatives {
        holds |= match alternative {
            Value::Object(matcher) => matches(matcher, &values)?,
            plain => values.contains(&plain),
        };
    }
    Ok(holds)
}

/// A matcher, such as `{"prefix": "/bucket/"}`.
fn matches(matcher: &Map<String, Value>, values: &[&Value]) -> Result<bool, String> {
    let unknown = || format!("{} is not modelled by the local cloud", Value::Object(matcher.clone()));
    let (Some((name, operand)), 1) = (matcher.iter().next(), matcher.len()) else { return Err(unknown()) };
    let any = |test: &dyn Fn(&str, &str) -> bool| -> Result<bool, String> {
        let operand = operand.as_str().ok_or_else(unknown)?;
        Ok(values.iter().filter_map(|value| value.as_str()).any(|value| test(value, operand)))
    };
    match name.as_str() {
        "prefix" => any(&|value, operand| value.starts_with(operand)),
        "suffix" => any(&|value, operand| value.ends_with(operand)),
        "equals-ignore-case" => any(&|value, operand| value.to_lowercase() == operand.to_lowercase()),
        "exists" => Ok(operand.as_bool().ok_or_else(unknown)? != values.is_empty()),
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_has_one_of_its_values() {
        let event = json!({
            "source": "aws.transfer",
            "detail-type": "SFTP Server File Upload Completed",
            "resources": ["arn:a", "arn:b"],
            "detail": { "file-path": "/bucket/17578/a.csv", "bytes": 5 },
        });
        for (pattern, expected) in [
            (json!({ "source": ["aws.transfer"] }), true),
            (json!({ "source": ["aws.s3", "aws.transfer"] }), true),
            (json!({ "source": ["aws.s3"] }), false),
            (json!({ "source": [] }), false),
            (json!({ "resources": ["arn:b"] }), true),
            (json!({ "source": ["aws.transfer"], "detail": { "bytes": [5] } }), true),
            (json!({ "source": ["aws.transfer"], "detail": { "bytes": ["5"] } }), false),
            (json!({ "detail": { "file-path": [{ "prefix": "/bucket/" }] } }), true),
            (json!({ "detail": { "file-path": [{ "prefix": "/buck/" }] } }), false),
            (json!({ "detail": { "file-path": [{ "prefix": "/other/" }, { "suffix": ".csv" }] } }), true),
            (json!({ "detail": { "etag": [{ "exists": false }] } }), true),
            (json!({ "detail": { "file-path": [{ "exists": false }] } }), false),
            (json!({ "detail": { "file-path": { "deeper": ["x"] } } }), false),
            (json!({ "detail-type": [{ "equals-ignore-case": "sftp server file upload completed" }] }), true),
        ] {
            assert_eq!(fits(&pattern, &event), Ok(expected), "{pattern}");
        }
        for pattern in [json!([]), json!({ "source": "x" }), json!({ "source": [{ "numeric": [">", 1] }] })] {
            assert!(fits(&pattern, &event).is_err(), "{pattern}");
        }
    }
}
