//! The collection of all faults of a file's values. Pure.

use std::ops::RangeInclusive;

use regex_lite::Regex;
use serde_saphyr::Spanned;

use super::fault::Fault;
use super::parse::Words;
use crate::text::nearest;

/// Collects the faults of one file.
#[derive(Debug)]
pub struct Checker<'a> {
    source: &'a str,
    faults: Vec<Fault>,
}

/// The first byte of a value in its file, and the first after it. A value that was written as an alias is where its
/// anchor is.
pub fn place<T>(value: &Spanned<T>) -> (usize, usize) {
    let span = value.referenced.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    (start, start + span.byte_len().unwrap_or(1) as usize)
}

impl<'a> Checker<'a> {
    /// No faults yet of this text.
    pub fn new(source: &'a str) -> Self {
        Self { source, faults: Vec::new() }
    }

    /// With faults that were found before. What is said about a setting with one of them only follows from it.
    pub fn with(source: &'a str, found: Vec<Fault>) -> Self {
        Self { source, faults: found }
    }

    /// Whether a fault was found in the setting of a value before: from the line without indentation that it begins with
    /// up to the next one.
    pub fn has_fault_in<T>(&self, value: &Spanned<T>) -> bool {
        let (at, _) = place(value);
        let (mut start, mut end, mut line) = (0, self.source.len(), 0);
        for text in self.source.split_inclusive('\n') {
            let begins = text.starts_with(|c: char| !c.is_whitespace() && !"#}]".contains(c));
            if begins && line <= at {
                start = line;
            } else if begins {
                end = end.min(line);
            }
            line += text.len();
        }
        self.faults.iter().any(|fault| (start..end).contains(&fault.start))
    }

    /// The faults, in the order in which they were found.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults
    }

    /// A fault of the file as a whole.
    pub fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Checks the version of the format, which is 1 in every kind of file.
    pub fn version(&mut self, version: Option<&Spanned<u32>>, words: &Words) {
        match version {
            Some(version) if version.value != 1 => {
                self.fault(version, format!("unknown format version {}", version.value)).hint =
                    Some("this sftpctl reads version 1; upgrade sftpctl for a newer file".into());
            }
            Some(_) => {}
            None => {
                let first = self.source.lines().next().map_or(0, str::len);
                let is_nothing = |line: &str| line.trim_start().is_empty() || line.trim_start().starts_with('#');
                let (start, message, hint) = match self.source.lines().all(is_nothing) {
                    true => (first, "this file has no settings", format!("{} shows what belongs here", words.example)),
                    false => {
                        (0, "the setting `version` is missing", format!("`{}` describes every setting", words.schema))
                    }
                };
                let mut fault = Fault::new(self.source, start, first, message);
                fault.hint = Some(hint);
                self.add(fault);
            }
        }
    }

    /// A fault of a value.
    pub fn fault<T>(&mut self, value: &Spanned<T>, message: impl Into<String>) -> &mut Fault {
        let (start, end) = place(value);
        self.push(start, end, message.into())
    }

    /// A fault of a map's key. It marks the last occurrence of the key before its value.
    pub fn key_fault<T>(&mut self, key: &str, value: &Spanned<T>, message: impl Into<String>) -> &mut Fault {
        let before = place(value).0.min(self.source.len());
        let start = self.source.get(..before).and_then(|text| text.rfind(key)).unwrap_or(before);
        self.push(start, start + key.len(), message.into())
    }

    fn push(&mut self, start: usize, end: usize, message: String) -> &mut Fault {
        // The marked text ends with its line, because a span may continue on the next.
        let line_end =
            self.source[start.min(self.source.len())..].find('\n').map_or(self.source.len(), |at| start + at);
        let index = self.faults.len();
        self.faults.push(Fault::new(self.source, start, end.min(line_end.max(start)), message));
        &mut self.faults[index]
    }

    /// A fault unless the value matches the pattern.
    pub fn matches(&mut self, value: &Spanned<String>, pattern: &str, message: impl Into<String>, hint: &str) {
        if !Regex::new(pattern).is_ok_and(|regex| regex.is_match(&value.value)) {
            self.fault(value, message).hint = Some(hint.to_owned());
        }
    }

    /// A fault if the value is outside of these limits of AWS.
    pub fn within(&mut self, value: Option<&Spanned<u32>>, what: &str, lowest: u32, highest: u32) {
        self.limit(value, what, lowest..=highest, &format!("AWS allows {lowest} to {highest}"));
    }

    /// A fault if the value is outside of these limits of our own.
    pub fn between(&mut self, value: Option<&Spanned<u32>>, what: &str, lowest: u32, highest: u32) {
        self.limit(value, what, lowest..=highest, &format!("{lowest} to {highest} are possible"));
    }

    fn limit(&mut self, value: Option<&Spanned<u32>>, what: &str, limits: RangeInclusive<u32>, words: &str) {
        if let Some(value) = value.filter(|value| !limits.contains(&value.value)) {
            self.fault(value, format!("{what} is {}; {words}", value.value));
        }
    }

    /// A fault unless the value is one of these, with the nearest of them.
    pub fn one_of(&mut self, value: &Spanned<String>, what: &str, all: &[&str]) {
        if !all.contains(&value.value.as_str()) {
            let hint = nearest(&value.value, all.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let hint = hint.unwrap_or_else(|| format!("one of: {}", all.join(", ")));
            self.fault(value, format!("invalid {what} `{}`", value.value)).hint = Some(hint);
        }
    }
}
