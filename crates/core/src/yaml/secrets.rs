//! Which parts of a file's lines are not shown with a fault. Pure.
//!
//! The lines of a file get into terminals, logs and pull requests, and the file may be another than the one that was meant.
//! So there is one rule, in two steps:
//!
//! 1. A file in which no line begins with a setting of its kind is not of that kind: no line and no word of it is shown.
//! 2. Of a file of the kind, hidden are: what has the form of a private key or a hash; everything below a name such as
//!    `password` or `token`, other than the names of settings, and of columns; and the value of an unknown setting.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

use super::parse::Words;
use crate::secret::{is_digest, is_secret_name, places};

/// Whether a file is of the kind: a line begins with one of the kind's settings. One without any setting has nothing to
/// hide.
pub(super) fn is_of_kind(source: &str, words: &Words) -> bool {
    let schema = (words.settings)();
    let known = |name: &str| schema["properties"].get(name).is_some();
    let is_told = |line: &&str| !line.trim_matches([' ', '\t', '{', '}', '[', ']', ',', '-']).is_empty();
    let lines = || {
        let whole = source.split(['\n', '\r']).map(|line| line.trim_start_matches('\u{feff}')).filter(is_told);
        whole.filter(|line| !line.trim_start().starts_with('#')).map(|line| {
            let text = line.trim_start_matches([' ', '{', '-']);
            (line.len() - text.len(), text)
        })
    };
    // Those of the file as a whole are furthest out.
    let Some(outermost) = lines().map(|(indent, _)| indent).min() else { return true };
    lines().filter(|(indent, _)| *indent == outermost).any(|(_, line)| {
        let (name, value) = line.split_once(':').unwrap_or_default();
        let value_is_apart = value.is_empty() || value.starts_with([' ', '\t']);
        value_is_apart && known(name.trim_end().trim_matches(['"', '\'']))
    })
}

/// Every name of a setting in the kind's schema.
fn settings(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                if key == "properties" {
                    found.extend(member.as_object().into_iter().flat_map(|names| names.keys().cloned()));
                }
                settings(member, found);
            }
        }
        Value::Array(members) => members.iter().for_each(|member| settings(member, found)),
        _ => {}
    }
}

/// The bytes of a file that are hidden.
pub(super) struct Mask(Vec<bool>);

impl Mask {
    /// What the forms and the names in a file of the kind say.
    pub(super) fn new(source: &str, words: &Words) -> Self {
        let mut mask = Self(vec![false; source.len()]);
        let mut known = BTreeSet::new();
        settings(&(words.settings)(), &mut known);
        let mut start = 0;
        for line in source.split_inclusive('\n') {
            for (name, after) in names(line) {
                if is_secret_name(name) {
                    let end = end_of_value(source, start, line);
                    let is_column = words.columns.contains(&name);
                    mask.below(source, start + after..end, is_column, &known, words);
                }
            }
            start += line.len();
        }
        for place in places(source).into_iter().chain(digests(source)) {
            mask.hide(place);
        }
        mask
    }

    /// Hides a place.
    pub(super) fn hide(&mut self, place: Range<usize>) {
        self.0.get_mut(place).into_iter().flatten().for_each(|hidden| *hidden = true);
    }

    /// Hides the value after a name that ends here: the rest of its line.
    pub(super) fn hide_value(&mut self, source: &str, name_end: usize) {
        let rest = source.get(name_end..).unwrap_or_default();
        let line = rest.find('\n').map_or(rest, |end| &rest[..end]);
        let after = line.find(':').map_or(line.len(), |at| at + 1);
        self.hide(name_end + after..name_end + line.len());
    }

    /// Whether anything of a place is hidden.
    pub(super) fn hides(&self, place: Range<usize>) -> bool {
        self.0.get(place).is_some_and(|place| place.contains(&true))
    }

    /// The source with `*` for every hidden byte but line ends and spaces.
    pub(super) fn applied(&self, source: &str) -> String {
        let mut bytes = source.as_bytes().to_vec();
        for (byte, _) in bytes.iter_mut().zip(&self.0).filter(|(_, hidden)| **hidden) {
            if !byte.is_ascii_whitespace() {
                *byte = b'*';
            }
        }
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// The words that are hidden.
    pub(super) fn words<'a>(&'a self, source: &'a str) -> BTreeSet<&'a str> {
        let mut words = BTreeSet::new();
        let mut start = 0;
        for run in self.0.chunk_by(|one, other| one == other) {
            let end = start + run.len();
            if run.first() == Some(&true) {
                let text = source.get(start..end).unwrap_or_default();
                let trimmed =
                    text.split_whitespace().map(|word| word.trim_matches(['"', '\'', ',', '{', '}', '[', ']']));
                words.extend(trimmed.filter(|word| !word.is_empty()));
            }
            start = end;
        }
        words
    }

    /// Hides what is below a secret name: each word but the settings' names, and the values of those that name a column.
    fn below(&mut self, source: &str, place: Range<usize>, is_column: bool, known: &BTreeSet<String>, words: &Words) {
        // A column is one word; anything else is not what belongs there.
        let mut is_column = is_column && tokens(source, place.clone()).count() == 1;
        for token in tokens(source, place) {
            let text = source.get(token.clone()).unwrap_or_default();
            let after = source.get(token.end..).unwrap_or_default().trim_start_matches([' ', '\t', '"', '\'']);
            if after.starts_with(':') && known.contains(text) {
                is_column = words.columns.contains(&text);
            } else {
                if !is_column {
                    self.hide(token);
                }
                is_column = false;
            }
        }
    }
}

/// The names in a line with where each ends: what is before a colon or an equals sign.
fn names(line: &str) -> impl Iterator<Item = (&str, usize)> {
    line.match_indices([':', '=']).filter_map(|(at, sign)| {
        let before = line.get(..at)?.trim_end().trim_end_matches(['"', '\'']);
        let start = before.rfind(|c: char| !c.is_alphanumeric() && !"_-.".contains(c)).map_or(0, |at| at + 1);
        // Not the parts of an ARN.
        let word = before.rsplit(|c: char| c.is_whitespace() || "\"'[{,".contains(c)).next().unwrap_or_default();
        let name = before.get(start..)?;
        // What says where a secret is, `secretsmanager:sftp/ssh`, is none.
        let is_place =
            name == "secretsmanager" && line.get(at + sign.len()..)?.starts_with(|c: char| !c.is_whitespace());
        (!word.starts_with("arn:") && !is_place).then_some((name, at + sign.len()))
    })
}

/// Where the value ends whose name is in the line at `start`: before the next line that is not further in.
fn end_of_value(source: &str, start: usize, line: &str) -> usize {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let own = indent(line);
    let rest = source.get(start + line.len()..).unwrap_or_default();
    let below = rest.split_inclusive('\n').take_while(|line| line.trim().is_empty() || indent(line) > own);
    start + line.len() + below.map(str::len).sum::<usize>()
}

/// The words of YAML in a place: texts in quotes without them, and what is between separators.
fn tokens(source: &str, place: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let text = source.get(place.clone()).unwrap_or_default();
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at + rest.find(|c: char| !c.is_whitespace() && !"{}[],:".contains(c))?;
        let rest = text.get(start..)?;
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (start, end) = match quote {
            Some(quote) => {
                let inside = rest.get(1..)?;
                let mut is_escaped = false;
                let end = inside.find(|c| {
                    let is_end = c == quote && !is_escaped;
                    is_escaped = c == '\\' && quote == '"' && !is_escaped;
                    is_end
                });
                (start + 1, start + 1 + end.unwrap_or(inside.len()))
            }
            None => {
                let is_end = |(at, c): (usize, char)| match c {
                    '}' | ']' | ',' | '\n' | '\r' => true,
                    ':' => rest.get(at + 1..).is_none_or(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\r'])),
                    _ => false,
                };
                let end = rest.char_indices().find(|&found| is_end(found)).map_or(rest.len(), |(at, _)| at);
                (start, start + rest.get(..end)?.trim_end().len())
            }
        };
        at = end + usize::from(quote.is_some());
        Some(place.start + start..place.start + end)
    })
}

/// Words with the form of a digest or a key: hexadecimal of a digest's length, and base64, which has digits and both
/// cases. A path or an ARN is none.
fn digests(source: &str) -> impl Iterator<Item = Range<usize>> {
    const SHORTEST: usize = 20;
    const LINE_OF_PEM: usize = 64;
    let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + source.get(at..)?.find(is_part)?;
        let rest = source.get(start..)?;
        at = start + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        Some(start..at)
    })
    .filter(|place| {
        let word = source.get(place.clone()).unwrap_or_default();
        let has = |is_it: fn(&u8) -> bool| word.as_bytes().iter().any(is_it);
        let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase);
        let before = source.get(..place.start).unwrap_or_default();
        let begins = before.rsplit(|c: char| c.is_whitespace() || "\"'[{,".contains(c)).next().unwrap_or_default();
        let is_named = begins.starts_with("arn:") || begins.contains("//") || word.starts_with('/');
        is_digest(word) || word.len() >= LINE_OF_PEM || (word.len() >= SHORTEST && is_mixed && !is_named)
    })
}
