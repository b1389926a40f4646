//! Reads a policy document as JSON without losing any part of it.
//!
//! `serde_json` keeps the last of two equal keys. In a policy that would silently drop a condition or a whole element,
//! so the text is scanned for repeated keys first.

use std::collections::BTreeSet;

use serde_json::Value;

/// Parses JSON text and refuses objects in which a key occurs twice.
///
/// Keys are compared without regard to case because AWS rejects keys that differ
/// only by case as duplicates.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let value = serde_json::from_str(text).map_err(|error| format!("is not JSON: {error}"))?;
    match repeated_key(text) {
        Some(key) => Err(format!("has the key {key:?} more than once in one object")),
        None => Ok(value),
    }
}

/// The names JSON uses for its types, for error messages.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Reads "a string or a non-empty array of strings", the shape most elements share.
pub(crate) fn strings(value: &Value) -> Result<Vec<&str>, String> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(items) if items.is_empty() => Err("is an empty array".to_owned()),
        Value::Array(items) => items
            .iter()
            .map(|item| item.as_str().ok_or_else(|| format!("contains {}, expected strings", type_name(item))))
            .collect(),
        other => Err(format!("is {}, expected a string or an array of strings", type_name(other))),
    }
}

/// Finds a key that occurs twice in one object of text that is known to be valid JSON.
///
/// Because the text already parsed, it is enough to track the open brackets and to
/// know that a string followed by a colon is a key.
fn repeated_key(text: &str) -> Option<String> {
    let mut open: Vec<BTreeSet<String>> = Vec::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        match next {
            // Arrays get a set too, which stays empty, so that both kinds of closing bracket are handled alike.
            '{' | '[' => open.push(BTreeSet::new()),
            '}' | ']' => {
                open.pop();
            }
            '"' => {
                let (token, after) = split_string(rest);
                rest = after;
                if rest.trim_start().starts_with(':') {
                    // Escapes are decoded, so that "\u0041ction" cannot hide a second "Action".
                    let key: String = serde_json::from_str(token).ok()?;
                    if let Some(keys) = open.last_mut()
                        && !keys.insert(key.to_lowercase())
                    {
                        return Some(key);
                    }
                }
                continue;
            }
            _ => {}
        }
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    None
}

/// Splits text that begins with a JSON string into that string token and the rest.
fn split_string(text: &str) -> (&str, &str) {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.split_at(index + 1),
            _ => {}
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_are_refused() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"A":2}"#,
            r#"{"x":[{"b":{"Condition":{}, "Condition" : {}}}]}"#,
            r#"{"Action":1,"\u0041ction":2}"#,
            r#"{"q\"":1,"q\"":2}"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn equal_keys_in_different_objects_are_accepted() {
        for text in [
            r#"[{"a":1},{"a":2}]"#,
            r#"{"a":{"a":{"a":"a"}}}"#,
            r#"{"a":"a","b":["a","a"]}"#,
            r#"{"a":"{\"b\":1,\"b\":2}","é":"}\\"}"#,
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn strings_refuses_other_types() {
        let read = |text: &str| parse(text).and_then(|value| strings(&value).map(|list| list.len()));
        assert_eq!(read(r#""a""#), Ok(1));
        assert_eq!(read(r#"["a","b"]"#), Ok(2));
        for text in ["[]", "1", "null", "{}", r#"["a",1]"#, r#"[["a"]]"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
