//! The methods that AWS documents for `$input` and `$util`, and the methods of Java's strings, lists and maps that
//! templates use.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::{Value, json};

use super::Inputs;
use super::eval::{Operand, printed};

/// The characters that Java's `URLEncoder` percent-encodes. It replaces a space with a plus.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

pub(super) fn call(operand: &Operand, name: &str, arguments: &[Value], inputs: &Inputs) -> Result<Operand, String> {
    let value = match operand {
        Operand::Input => return input(name, arguments, inputs),
        Operand::Util => util(name, arguments)?,
        Operand::Undefined => return Ok(Operand::Undefined),
        Operand::Value(Value::String(text)) => string(text, name, arguments)?,
        Operand::Value(Value::Object(map)) => match (name, arguments) {
            ("get", [key]) => return Ok(map.get(&printed(key)).cloned().map_or(Operand::Undefined, Operand::Value)),
            ("containsKey", [key]) => json!(map.contains_key(&printed(key))),
            ("keySet", []) => Value::Array(map.keys().map(|key| json!(key)).collect()),
            ("size", []) => json!(map.len()),
            ("isEmpty", []) => json!(map.is_empty()),
            ("toString", []) => json!(operand_text(operand)),
            _ => return Err(unknown(name, arguments)),
        },
        Operand::Value(Value::Array(items)) => match (name, arguments) {
            ("get", [Value::Number(at)]) => {
                let item = at.as_u64().and_then(|at| items.get(usize::try_from(at).ok()?));
                return Ok(item.cloned().map_or(Operand::Undefined, Operand::Value));
            }
            ("size", []) => json!(items.len()),
            ("isEmpty", []) => json!(items.is_empty()),
            ("contains", [item]) => json!(items.contains(item)),
            _ => return Err(unknown(name, arguments)),
        },
        Operand::Value(other) => match (name, arguments) {
            ("toString", []) => json!(printed(other)),
            ("equals", [value]) => json!(other == value),
            _ => return Err(unknown(name, arguments)),
        },
    };
    Ok(Operand::Value(value))
}

fn operand_text(operand: &Operand) -> String {
    match operand {
        Operand::Value(value) => printed(value),
        _ => String::new(),
    }
}

fn unknown(name: &str, arguments: &[Value]) -> String {
    format!("has no method {name} with {} arguments, or it is not modelled", arguments.len())
}

fn input(name: &str, arguments: &[Value], inputs: &Inputs) -> Result<Operand, String> {
    let header = |name: &str| {
        let mut all = inputs.headers.iter();
        all.find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let value = match (name, arguments) {
        // Path, query, header: API Gateway's order of lookup.
        ("params", [Value::String(name)]) => {
            let found = inputs.path.get(name).or_else(|| inputs.query.get(name)).cloned().or_else(|| header(name));
            json!(found.unwrap_or_default())
        }
        ("params", []) => json!({ "path": inputs.path, "querystring": inputs.query, "header": inputs.headers }),
        ("json", [Value::String(path)]) => match select(&inputs.body, path)? {
            Some(value) => json!(value.to_string()),
            None => json!(""),
        },
        ("path", [Value::String(path)]) => {
            return Ok(select(&inputs.body, path)?.map_or(Operand::Undefined, Operand::Value));
        }
        _ => return Err(unknown(name, arguments)),
    };
    Ok(Operand::Value(value))
}

/// The simple part of JSONPath: `$`, `.name`, `['name']`, `[0]`.
fn select(body: &str, path: &str) -> Result<Option<Value>, String> {
    let mut rest = path.strip_prefix('$').ok_or_else(|| format!("the path {path} does not begin with $"))?;
    let mut value: Value = match serde_json::from_str(body) {
        Ok(value) => value,
        Err(_) if body.trim().is_empty() => json!({}),
        Err(error) => return Err(format!("the body is not JSON: {error}")),
    };
    while !rest.is_empty() {
        let not_modelled = || format!("the path {path} is not modelled");
        let next = if let Some(after) = rest.strip_prefix("['") {
            let (name, after) = after.split_once("']").ok_or_else(not_modelled)?;
            rest = after;
            value.get(name).cloned()
        } else if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']').ok_or_else(not_modelled)?;
            rest = after;
            value.get(index.parse::<usize>().map_err(|_| not_modelled())?).cloned()
        } else {
            let after = rest.strip_prefix('.').ok_or_else(not_modelled)?;
            let length = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at(length);
            if name.is_empty() || name.contains(['*', '?', '@', '(', ')']) {
                return Err(not_modelled());
            }
            rest = after;
            value.get(name).cloned()
        };
        match next {
            Some(inner) => value = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

fn util(name: &str, arguments: &[Value]) -> Result<Value, String> {
    let [argument] = arguments else { return Err(unknown(name, arguments)) };
    let text = printed(argument);
    Ok(match name {
        "escapeJavaScript" => json!(escape_javascript(&text)),
        "parseJson" => serde_json::from_str(&text).map_err(|error| format!("cannot parse: {error}"))?,
        "urlEncode" => json!(utf8_percent_encode(&text, FORM).to_string().replace(' ', "+")),
        "urlDecode" => json!(percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy()),
        "base64Encode" => json!(BASE64.encode(text)),
        "base64Decode" => {
            let bytes = BASE64.decode(text.trim()).map_err(|error| format!("cannot decode: {error}"))?;
            json!(String::from_utf8_lossy(&bytes))
        }
        _ => return Err(unknown(name, arguments)),
    })
}

/// As Apache Commons Lang 2's `StringEscapeUtils.escapeJavaScript`.
fn escape_javascript(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(b'\'' | b'"' | b'\\' | b'/') => {
                out.push('\\');
                out.push(char::from(u8::try_from(unit).unwrap_or_default()));
            }
            Ok(8) => out.push_str("\\b"),
            Ok(b'\n') => out.push_str("\\n"),
            Ok(b'\t') => out.push_str("\\t"),
            Ok(12) => out.push_str("\\f"),
            Ok(b'\r') => out.push_str("\\r"),
            Ok(plain @ 32..=127) => out.push(char::from(plain)),
            _ => out.push_str(&format!("\\u{unit:04X}")),
        }
    }
    out
}

fn string(text: &str, name: &str, arguments: &[Value]) -> Result<Value, String> {
    let texts: Vec<String> = arguments.iter().map(printed).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let place = |value: &Value| value.as_u64().and_then(|at| usize::try_from(at).ok());
    Ok(match (name, texts.as_slice()) {
        ("replaceAll", [pattern, by]) => json!(regex(pattern)?.replace_all(text, replacement(by)?.as_str())),
        ("replaceFirst", [pattern, by]) => json!(regex(pattern)?.replace(text, replacement(by)?.as_str())),
        ("replace", [from, to]) => json!(text.replace(from, to)),
        ("matches", [pattern]) => json!(regex(&format!("^(?:{pattern})$"))?.is_match(text)),
        ("split", [pattern]) => {
            let mut parts: Vec<&str> = regex(pattern)?.split(text).collect();
            // Java drops empty parts at the end.
            while parts.len() > 1 && parts.last() == Some(&"") {
                parts.pop();
            }
            json!(parts)
        }
        ("length", []) => json!(text.encode_utf16().count()),
        ("isEmpty", []) => json!(text.is_empty()),
        ("toString", []) => json!(text),
        ("trim", []) => json!(text.trim_matches(|c| c <= ' ')),
        ("toLowerCase", []) => json!(text.to_lowercase()),
        ("toUpperCase", []) => json!(text.to_uppercase()),
        ("equals", [other]) => json!(text == *other),
        ("equalsIgnoreCase", [other]) => json!(text.to_lowercase() == other.to_lowercase()),
        ("contains", [other]) => json!(text.contains(other)),
        ("startsWith", [other]) => json!(text.starts_with(other)),
        ("endsWith", [other]) => json!(text.ends_with(other)),
        ("concat", [other]) => json!(format!("{text}{other}")),
        ("indexOf", [other]) => {
            let at = text.find(other).map(|at| text[..at].encode_utf16().count());
            json!(at.and_then(|at| i64::try_from(at).ok()).unwrap_or(-1))
        }
        ("substring", [_]) | ("substring", [_, _]) => {
            let units: Vec<u16> = text.encode_utf16().collect();
            let from = arguments.first().and_then(place);
            let to = arguments.get(1).map_or(Some(units.len()), place);
            let part = from.zip(to).and_then(|(from, to)| units.get(from..to));
            json!(String::from_utf16_lossy(part.ok_or("has no such substring")?))
        }
        _ => return Err(unknown(name, arguments)),
    })
}

/// A Java regular expression, as far as its syntax is supported here.
fn regex(pattern: &str) -> Result<regex_lite::Regex, String> {
    regex_lite::Regex::new(pattern).map_err(|error| format!("has a pattern that is not modelled: {error}"))
}

/// Translates a Java replacement string: a backslash escapes the next character, `$1` is a group.
fn replacement(java: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = java.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('$') => out.push_str("$$"),
                Some(c) => out.push(c),
                None => return Err("has a replacement that ends in a backslash".to_owned()),
            },
            '$' => match rest.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                _ => return Err("has a replacement with a `$` that is not a group".to_owned()),
            },
            c => out.push(c),
        }
    }
    Ok(out)
}
