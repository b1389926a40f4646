//! One column of a source: what is counted, and what of it may be shown. Pure.

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};

use serde::Serialize;
use sftpctl_core::shown::visible;

use super::guess::{self, Content};
use crate::hashes;
use crate::options::Kind;
use crate::source::Value;

/// Different values that are counted.
const MOST_DISTINCT: usize = 100_000;
/// Different values that are kept whole while the source is read.
const MOST_KEPT: usize = 12;
/// Characters of a sample.
const SAMPLE: usize = 60;

/// What a column holds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    pub name: String,
    /// Records without a value.
    pub nulls: u64,
    /// Records with an empty text.
    pub empties: u64,
    /// Different values.
    pub distinct: u64,
    /// Whether there are more different values than were counted.
    pub has_more: bool,
    /// The shortest and the longest value, in characters.
    pub lengths: Option<(usize, usize)>,
    /// The attribute of an account that it seems to be.
    pub guess: Option<&'static str>,
    /// Organisation IDs that a spreadsheet has changed into other numbers. The rows are rejected.
    #[serde(skip_serializing_if = "is_none")]
    pub changed: u64,
    /// Kinds of hashes, each with its count.
    pub hashes: BTreeMap<String, u64>,
    /// A few values; none of a column that may hold passwords or anything else that is private.
    pub samples: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde passes it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

/// What is counted while the source is read.
pub(super) struct Counter {
    name: String,
    nulls: u64,
    empties: u64,
    values: u64,
    distinct: HashSet<u64>,
    has_more: bool,
    lengths: Option<(usize, usize)>,
    hashes: BTreeMap<String, u64>,
    content: Content,
    /// The first different values, with their counts.
    kept: Vec<(String, u64)>,
}

impl Counter {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            nulls: 0,
            empties: 0,
            values: 0,
            distinct: HashSet::new(),
            has_more: false,
            lengths: None,
            hashes: BTreeMap::new(),
            content: Content::default(),
            kept: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, value: &Value, hasher: &RandomState) {
        match value {
            Value::Null | Value::Missing(_) => self.nulls += 1,
            Value::Text(text) => self.text(text, hasher),
            Value::Texts(texts) => match &**texts {
                [] => self.empties += 1,
                texts => texts.iter().for_each(|text| self.text(text, hasher)),
            },
        }
    }

    fn text(&mut self, text: &str, hasher: &RandomState) {
        if text.is_empty() {
            self.empties += 1;
            return;
        }
        self.values += 1;
        let length = text.chars().count();
        let (shortest, longest) = self.lengths.unwrap_or((length, length));
        self.lengths = Some((shortest.min(length), longest.max(length)));
        if self.distinct.len() < MOST_DISTINCT {
            let is_new = self.distinct.insert(hasher.hash_one(text));
            if is_new && self.kept.len() < MOST_KEPT {
                self.kept.push((text.to_owned(), 0));
            }
            if let Some((_, count)) = self.kept.iter_mut().find(|(kept, _)| kept == text) {
                *count += 1;
            }
        } else {
            self.has_more = true;
        }
        if let Some(kind) = hashes::kind(text) {
            *self.hashes.entry(kind).or_default() += 1;
        }
        self.content.add(text);
    }

    /// The column, and the values of one that has few, with their counts: `Y`, `N`.
    pub(super) fn finish(self, kind: Kind) -> (Column, Vec<(String, u64)>) {
        let distinct = self.distinct.len() as u64;
        let hashed: u64 = self.hashes.values().sum();
        let is_hashed = hashed > 0 && hashed * 2 >= self.values;
        let guess = guess::attribute(&self.name, &self.content, is_hashed, distinct == self.values)
            .filter(|guess| *guess != "orgid" || !guess::is_system_number(&self.name, kind));
        let may_show = !is_hashed && guess::may_show(&self.name, guess, &self.content);
        let cut = |text: &String| -> String { visible(&text.chars().take(SAMPLE).collect::<String>()).into_owned() };
        let is_shown = |(text, _): &&(String, u64)| hashes::kind(text).is_none();
        let kept: Vec<(String, u64)> =
            if may_show { self.kept.iter().filter(is_shown).cloned().collect() } else { Vec::new() };
        let column = Column {
            nulls: self.nulls,
            empties: self.empties,
            distinct,
            has_more: self.has_more,
            lengths: self.lengths,
            guess,
            changed: if guess == Some("orgid") { self.content.changed() } else { 0 },
            hashes: self.hashes,
            samples: kept.iter().take(3).map(|(text, _)| cut(text)).collect(),
            name: self.name,
        };
        let few = kept.len() as u64 == distinct && kept.len() < MOST_KEPT;
        (column, if few { kept } else { Vec::new() })
    }
}
