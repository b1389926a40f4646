//! What an operator has allowed or banned for a time: one item of the guard's table for all of it, since a range is not
//! found by the key of an address.

use ipnet::IpNet;

use super::{Address, EXPIRES, KEY as KEY_NAME};
use crate::account::{Attribute, Item};

/// The key of the item.
pub const KEY: &str = "by-hand";
/// The attribute with the entries: a list of texts, `ban 203.0.113.0/24 1795948567`.
pub const ENTRIES: &str = "entries";
/// The attribute that each write raises, so that two operators do not overwrite each other.
pub const VERSION: &str = "revision";
/// Entries at most. Every log-in reads the item, and DynamoDB bills it by 4 KB.
pub const MOST: usize = 100;

/// What an operator decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    Allow,
    Ban,
}

impl Verb {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Ban => "ban",
        }
    }
}

/// A range that is allowed or banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub verb: Verb,
    pub range: IpNet,
    /// In seconds since 1970.
    pub until: i64,
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.verb.as_str(), self.range, self.until)
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (verb, range, until) = (words.next()?, words.next()?, words.next()?);
        let verb = [Verb::Allow, Verb::Ban].into_iter().find(|known| known.as_str() == verb)?;
        Some(Self { verb, range: range.parse().ok()?, until: until.parse().ok()? })
    }
}

/// The entries of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByHand {
    pub entries: Vec<Entry>,
    /// Of the item; 0 if there is none yet.
    pub version: i64,
}

impl ByHand {
    /// Entries that cannot be read are left out.
    pub fn from_item(item: &Item) -> Self {
        let entries = match item.get(ENTRIES) {
            Some(Attribute::Texts(texts)) => texts.iter().filter_map(|text| Entry::parse(text)).collect(),
            _ => Vec::new(),
        };
        let version = match item.get(VERSION) {
            Some(Attribute::Number(digits)) => digits.parse().unwrap_or_default(),
            _ => 0,
        };
        Self { entries, version }
    }

    /// The item of the next version, without what is over.
    pub fn item(&self, now: i64) -> Item {
        let current = self.current(now);
        let last = current.clone().map(|entry| entry.until).max().unwrap_or(now);
        Item::from([
            (KEY_NAME.to_owned(), Attribute::Text(KEY.to_owned())),
            (ENTRIES.to_owned(), Attribute::Texts(current.map(Entry::to_string).collect())),
            (VERSION.to_owned(), Attribute::Number((self.version + 1).to_string())),
            (EXPIRES.to_owned(), Attribute::Number(last.to_string())),
        ])
    }

    /// The entries that are not over.
    pub fn current(&self, now: i64) -> impl Iterator<Item = &Entry> + Clone {
        self.entries.iter().filter(move |entry| now < entry.until)
    }

    /// Puts an entry in the place of others of the same range.
    pub fn set(&mut self, entry: Entry) {
        self.remove(entry.range);
        self.entries.push(entry);
    }

    /// Takes the entries of a range away; whether there was one.
    pub fn remove(&mut self, range: IpNet) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.range != range);
        self.entries.len() < before
    }

    /// What holds for an address, and until when.
    pub fn of(&self, address: Address, now: i64) -> Option<(Verb, i64)> {
        let fitting = self.current(now).filter(|entry| address.is_in(std::iter::once(&entry.range)));
        fitting.map(|entry| (entry.verb, entry.until)).min_by_key(|(verb, until)| (*verb, -until))
    }
}
