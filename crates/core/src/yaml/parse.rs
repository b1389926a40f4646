//! The reading of a file, and the parser's own faults. Pure.

use serde::de::DeserializeOwned;
use serde_saphyr::Options;

use super::fault::{Fault, Faults};
use super::pasted;
use super::skip::without_setting;
use crate::text::nearest;

/// What the messages call a kind of file.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// What one file is called: `an environment file`.
    pub what: &'static str,
    /// What one file is: `one file is one environment`.
    pub is_one: &'static str,
    /// The command that describes the settings.
    pub schema: &'static str,
    /// Where to find out what belongs into an empty file.
    pub example: &'static str,
    /// The JSON Schema of the kind, by which its settings are known.
    pub settings: fn() -> serde_json::Value,
    /// Settings whose value is the name of a column, and so no secret, whatever the setting is called.
    pub columns: &'static [&'static str],
}

/// Reads a file into serde types with positions ([`Spanned`](serde_saphyr::Spanned)). `path` is only for messages.
///
/// # Errors
/// Pasted characters, all of them; or the parser's faults: every setting that is unknown, given twice or of another type,
/// up to a fault after which the rest cannot be read.
pub fn parse<T: DeserializeOwned>(source: &str, path: &str, words: &Words) -> Result<T, Faults> {
    match parse_most(source, path, words)? {
        (read, faults) if faults.is_empty() => Ok(read),
        (_, faults) => Err(Faults::new(source, path, words, faults)),
    }
}

/// As [`parse`], but what could be read without the settings at fault is returned with these faults.
///
/// # Errors
/// As of [`parse`], if something cannot be read at all.
pub fn parse_most<T: DeserializeOwned>(source: &str, path: &str, words: &Words) -> Result<(T, Vec<Fault>), Faults> {
    let pasted = pasted::faults(source);
    if !pasted.is_empty() {
        return Err(Faults::new(source, path, words, pasted));
    }
    let (mut faults, mut text) = (Vec::<Fault>::new(), source.to_owned());
    loop {
        let error = match serde_saphyr::from_str_with_options(&text, options()) {
            Ok(read) => return Ok((read, faults)),
            Err(error) => error,
        };
        let fault = structure((source, &text), &error, words);
        let rest = if is_of_one_setting(&error) { without_setting(&text, fault.start) } else { None };
        // After the first, only faults that cannot follow from a setting that was left out.
        if faults.is_empty() || rest.is_some() {
            faults.push(fault);
        }
        match rest.filter(|_| faults.len() < MOST) {
            Some(rest) => text = rest,
            None => return Err(Faults::new(source, path, words, faults)),
        }
    }
}

/// Settings that are left out of a file at most.
const MOST: usize = 50;

/// Whether the parser refuses one setting, without which the rest can be read.
fn is_of_one_setting(error: &serde_saphyr::Error) -> bool {
    let error = error.without_snippet();
    if matches!(error, serde_saphyr::Error::SerdeUnknownField { .. }) {
        return true;
    }
    let message = error.to_string();
    ["invalid type", "invalid value", "invalid boolean", "invalid u", "invalid i", "duplicate mapping key"]
        .iter()
        .any(|begin| message.starts_with(begin))
}

fn options() -> Options {
    serde_saphyr::options! {
        // A file has hundreds of nodes; a file made to exhaust memory has millions.
        budget: serde_saphyr::budget! { max_nodes: 50_000, max_depth: 30, max_aliases: 100 },
    }
}

/// The parser's fault in our form: what is wrong first, and the nearest key for an unknown one.
/// `text` is the source without the settings that were left out before.
fn structure((source, text): (&str, &str), error: &serde_saphyr::Error, words: &Words) -> Fault {
    let whole = error.to_string();
    let message = error.without_snippet().to_string();
    let message = message.split(" at line ").next().unwrap_or(&whole).lines().next().unwrap_or(&whole).to_owned();
    let (line, column) = error.location().map_or((1, 1), |l| (l.line() as usize, l.column() as usize));
    let start = offset(text, line, column);
    let rest = &text[start..];
    let length = rest.find(|c: char| c.is_whitespace() || matches!(c, ':' | ',' | '}' | ']')).unwrap_or(rest.len());
    let mut fault = Fault::new(source, start, start + length, message.clone());
    let quoted = message.split('`').nth(1).unwrap_or_default();
    if let serde_saphyr::Error::SerdeUnknownField { field, expected, .. } = error.without_snippet() {
        fault.message = format!("unknown setting `{field}`");
        fault.is_unknown = true;
        fault.hint = Some(match nearest(field, expected.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the settings here are: {}", expected.join(", ")),
        });
    } else if message.starts_with("missing field") {
        fault.message = format!("the setting `{quoted}` is missing");
        fault.hint = Some(format!("`{}` describes every setting", words.schema));
    } else if let Some(rest) = message.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(',').next().unwrap_or(rest);
        fault.message = format!("duplicate key `{key}`");
        fault.hint = Some("each key may be given once; remove one of them".into());
    } else if let Some((message, hint)) = plain_words(source, &message, words) {
        fault.message = message.into();
        fault.hint = Some(hint);
    }
    fault
}

/// The parser speaks to programmers; what people most often get wrong is said in their words, with a remedy.
fn plain_words(source: &str, message: &str, words: &Words) -> Option<(&'static str, String)> {
    let has = |part: &str| message.contains(part);
    let blank = source.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#'));
    let Words { is_one, schema, example, .. } = words;
    let empty = format!("{example} and `{schema}` show what belongs here");
    let second = format!("one file is {is_one}: remove everything from `---` on");
    let (message, hint) = if message == "invalid boolean" {
        ("not a boolean", "use true or false")
    } else if blank {
        ("this file has no settings", &*empty)
    } else if has("expected mapping start") {
        ("expected settings here", "write each as `name: value`, and indent those below another by two spaces")
    } else if has("expected sequence start") {
        ("expected a list here", "write `[one, another]`, or each in a line of its own after `- `")
    } else if has("null into") {
        ("a value is missing", "write it after the colon, or remove the setting to use its default")
    } else if has("multiple YAML documents") {
        ("a second document begins here", &*second)
    } else if has("tabs disallowed") {
        ("YAML does not allow tabs for indentation", "indent with spaces, two for each level")
    } else if has("unexpected character") && has("{0}") {
        ("there is a NUL byte in this file", "re-save it as UTF-8 text")
    } else if has("invalid u") || has("invalid i") {
        ("not a whole number", "use digits only, without a decimal point or a unit")
    } else if has("unknown anchor") {
        ("unknown anchor", "define it above with `&name`; `*name` repeats its value")
    } else {
        return None;
    };
    Some((message, hint.to_owned()))
}

/// The byte of a line and column, both from 1, the column in characters.
fn offset(source: &str, line: usize, column: usize) -> usize {
    let start =
        source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>().min(source.len());
    let within =
        source[start..].char_indices().nth(column.saturating_sub(1)).map_or(source.len() - start, |(at, _)| at);
    start + within
}
