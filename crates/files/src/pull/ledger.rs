//! What has been fetched: the records of a ledger, and what they mean together. Pure.
//!
//! A file passes `placing` (it is complete under a temporary name), `placed` (it has its name), and with a hook `hooked` or
//! `quarantined`. Each step is written before the next begins, so that whatever a killed run left is known.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::sums::Compared;
use super::target::QUARANTINE;

/// The version of the format.
const VERSION: u32 = 1;

/// A file that was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetched {
    pub key: String,
    pub etag: String,
    /// Seconds since 1970 when the object was written.
    pub modified: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Of the local file, nanoseconds since 1970, as its file system keeps it.
    pub mtime: i64,
    /// Base64, as S3 writes it.
    pub crc64nvme: String,
    pub compared: Compared,
}

impl Fetched {
    /// By which the placed file is recognised.
    pub(super) fn facts(&self) -> LocalFacts {
        LocalFacts { size: self.size, mtime: self.mtime }
    }
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "lowercase")]
pub enum Record {
    /// The first line: the format, and the bucket that all keys are of.
    Began { version: u32, bucket: String },
    /// The file is complete in `temporary`, and is about to get its name. `hook` says whether one is due.
    Placing { file: Fetched, temporary: String, hook: bool },
    /// The file has its name.
    Placed { key: String },
    /// The file could not get its name.
    Dropped { key: String },
    /// The hook succeeded.
    Hooked { key: String },
    /// The hook failed too often; the file is about to be moved into the quarantine, under this path.
    Quarantined { key: String, path: String, why: String },
    /// The file is in its place again.
    Restored { key: String },
    /// Somebody else has taken the file away, from the quarantine or before its hook succeeded.
    Settled { key: String, path: Option<String> },
    /// Transfer says that this content, if it was written until then (seconds since 1970), is not the whole file. `since`:
    /// without an ETag, whatever was written from then on.
    Partial {
        key: String,
        etag: String,
        until: i64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<i64>,
    },
    /// Transfer says that the file is whole now, perhaps with the same content.
    Whole { key: String },
}

impl Record {
    /// The first line for a bucket.
    pub fn began(bucket: &str) -> Self {
        Self::Began { version: VERSION, bucket: bucket.to_owned() }
    }
}

/// By which a local file is recognised as the one that was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalFacts {
    /// Bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub mtime: i64,
}

/// How far a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Complete under a temporary name. `before` is what was known of the file that it replaces.
    Placing {
        file: Box<Fetched>,
        temporary: String,
        hook: bool,
        before: Option<Box<Entry>>,
    },
    /// In place; its hook is due.
    HookDue(Box<Fetched>),
    Quarantined {
        file: Box<Fetched>,
        path: String,
    },
    Done,
}

/// What the ledger knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    etag: Box<str>,
    modified: i64,
    local: LocalFacts,
    progress: Progress,
}

impl Entry {
    /// Whether this content was fetched. A file that was uploaded again is new even with the same content.
    pub fn is_of(&self, etag: &str, modified: i64) -> bool {
        *self.etag == *etag && self.modified == modified
    }

    /// Whether something was fetched that was written in this time (seconds since 1970).
    pub fn was_written(&self, since: i64, until: i64) -> bool {
        (since..=until).contains(&self.modified)
    }

    /// Whether this content was fetched, at whatever time it was uploaded.
    pub fn has(&self, etag: &str) -> bool {
        *self.etag == *etag
    }

    /// The facts of the file that was placed last.
    pub fn local(&self) -> Option<LocalFacts> {
        match &self.progress {
            Progress::Placing { before, .. } => before.as_ref().and_then(|before| before.local()),
            Progress::HookDue(_) | Progress::Quarantined { .. } | Progress::Done => Some(self.local),
        }
    }

    pub fn progress(&self) -> &Progress {
        &self.progress
    }
}

/// A ledger that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    #[error("line {0} is not as it was written")]
    Line(usize),
    #[error("line {0} does not follow from those before it")]
    Order(usize),
    #[error("it is of the bucket {0}")]
    OtherBucket(String),
    #[error("it was written by a newer sftpctl (format {0})")]
    Newer(u32),
}

/// What is known not to be a whole file: content, or all that was written in a time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    etag: Box<str>,
    /// Seconds since 1970; both count. Without a beginning it is about the content.
    since: Option<i64>,
    until: i64,
}

impl Mark {
    fn is_of(&self, etag: &str, modified: i64) -> bool {
        modified <= self.until && self.since.map_or(*self.etag == *etag, |since| since <= modified)
    }
}

/// The meaning of all lines together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    bucket: Option<String>,
    entries: HashMap<Box<str>, Entry>,
    /// Files in quarantine of which a newer version has arrived: their keys and paths.
    superseded: Vec<(String, String)>,
    /// Objects that are not whole files.
    partial: HashMap<Box<str>, Vec<Mark>>,
}

impl Ledger {
    /// Reads the lines of a ledger for a bucket. Also returns the length in bytes of what is intact: the last line of a run
    /// that was killed may be incomplete, and is then left out.
    ///
    /// # Errors
    /// A line other than the last is damaged, or the ledger is of another bucket or a newer format.
    pub fn read(text: &[u8], bucket: &str) -> Result<(Self, usize), Damage> {
        let (mut ledger, mut intact) = (Self::default(), 0);
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let number = index + 1;
            let is_last = intact + line.len() == text.len();
            let record =
                line.strip_suffix(b"\n").and_then(|line| std::str::from_utf8(line).ok()).and_then(super::line::read);
            match record {
                Some(record) => ledger.add(record, bucket).map_err(|damage| match damage {
                    Damage::Order(_) => Damage::Order(number),
                    other => other,
                })?,
                None if is_last && is_cut(line, number) => break,
                None => return Err(Damage::Line(number)),
            }
            intact += line.len();
        }
        Ok((ledger, intact))
    }

    /// Whether nothing has been written yet.
    pub fn is_new(&self) -> bool {
        self.bucket.is_none()
    }

    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Whether an object is known not to be the whole file. The same content, uploaded later, is another object.
    pub fn is_partial(&self, key: &str, etag: &str, modified: i64) -> bool {
        self.partial.get(key).is_some_and(|marks| marks.iter().any(|mark| mark.is_of(etag, modified)))
    }

    /// Whether a record says nothing new about an object that is not whole.
    pub fn has_partial(&self, record: &Record) -> bool {
        let Record::Partial { key, etag, until, since } = record else { return false };
        let is_it = |mark: &Mark| *mark.etag == **etag && mark.since == *since && *until <= mark.until;
        self.partial.get(&**key).is_some_and(|marks| marks.iter().any(is_it))
    }

    /// Until when an object of this key was not the whole file (seconds since 1970).
    pub fn partial_until(&self, key: &str) -> Option<i64> {
        self.partial.get(key)?.iter().map(|mark| mark.until).max()
    }

    /// The entries that are not done, in the order of their keys.
    pub fn unfinished(&self) -> Vec<(&str, &Progress)> {
        let all = self.entries.iter().map(|(key, entry)| (&**key, &entry.progress));
        let mut unfinished: Vec<_> = all.filter(|(_, progress)| **progress != Progress::Done).collect();
        unfinished.sort_unstable_by_key(|(key, _)| *key);
        unfinished
    }

    /// Files in quarantine of which a newer version has arrived: their keys, and their paths in the target folder.
    pub fn superseded(&self) -> &[(String, String)] {
        &self.superseded
    }

    /// Adds a record of this bucket.
    ///
    /// # Errors
    /// It is of another bucket or format, or does not follow from what is known ([`Damage::Order`] with 0 for its line).
    pub fn add(&mut self, record: Record, bucket: &str) -> Result<(), Damage> {
        match record {
            Record::Began { version, .. } if version > VERSION => Err(Damage::Newer(version)),
            Record::Began { bucket: of, .. } if of != bucket => Err(Damage::OtherBucket(of)),
            Record::Began { bucket, .. } if self.bucket.is_none() => {
                self.bucket = Some(bucket);
                Ok(())
            }
            _ if self.bucket.is_none() => Err(Damage::Order(0)),
            Record::Began { .. } => Err(Damage::Order(0)),
            Record::Partial { key, etag, until, since } => {
                let marks = self.partial.entry(key.into()).or_default();
                marks.retain(|mark| *mark.etag != *etag || mark.since != since);
                marks.push(Mark { etag: etag.into(), since, until });
                Ok(())
            }
            Record::Whole { key } => {
                self.partial.remove(&*key);
                Ok(())
            }
            Record::Placing { temporary, .. } if !is_temporary(&temporary) => Err(Damage::Order(0)),
            Record::Quarantined { path, .. } if !is_in_quarantine(&path) => Err(Damage::Order(0)),
            Record::Placing { file, temporary, hook } => {
                self.partial.remove(&*file.key);
                let before = self.entries.remove(&*file.key).map(Box::new);
                // A hook that is still due for the file that this one replaces is due for this one.
                let is_owed = before.as_ref().is_some_and(|before| matches!(before.progress, Progress::HookDue(_)));
                let (key, etag) = (file.key.clone().into(), file.etag.clone().into());
                let (modified, local) = (file.modified, file.facts());
                let progress = Progress::Placing { file: Box::new(file), temporary, hook: hook || is_owed, before };
                self.entries.insert(key, Entry { etag, modified, local, progress });
                Ok(())
            }
            Record::Placed { key } => {
                let mut replaced = None;
                self.step(&key, |progress| match progress {
                    Progress::Placing { file, hook, before, .. } => {
                        replaced = before.map(|before| before.progress);
                        Some(if hook { Progress::HookDue(file) } else { Progress::Done })
                    }
                    _ => None,
                })?;
                if let Some(Progress::Quarantined { path, .. }) = replaced {
                    self.superseded.push((key, path));
                }
                Ok(())
            }
            Record::Dropped { key } => match self.entries.remove(&*key) {
                Some(Entry { progress: Progress::Placing { before, .. }, .. }) => {
                    self.entries.extend(before.map(|before| (key.into(), *before)));
                    Ok(())
                }
                _ => Err(Damage::Order(0)),
            },
            Record::Hooked { key } => self.step(&key, |progress| match progress {
                Progress::HookDue(_) => Some(Progress::Done),
                _ => None,
            }),
            Record::Quarantined { key, path, .. } => self.step(&key, |progress| match progress {
                Progress::HookDue(file) => Some(Progress::Quarantined { file, path }),
                _ => None,
            }),
            Record::Restored { key } => self.step(&key, |progress| match progress {
                Progress::Quarantined { file, .. } => Some(Progress::HookDue(file)),
                _ => None,
            }),
            Record::Settled { key, path } => {
                let is_it = |(of, at): &(String, String)| *of == key && path.as_deref() == Some(at.as_str());
                if let Some(at) = self.superseded.iter().position(is_it) {
                    self.superseded.remove(at);
                    return Ok(());
                }
                self.step(&key, |progress| match progress {
                    Progress::Quarantined { path: at, .. } if path.as_ref() == Some(&at) => Some(Progress::Done),
                    Progress::HookDue(_) if path.is_none() => Some(Progress::Done),
                    _ => None,
                })
            }
        }
    }

    fn step(&mut self, key: &str, next: impl FnOnce(Progress) -> Option<Progress>) -> Result<(), Damage> {
        let entry = self.entries.get_mut(key).ok_or(Damage::Order(0))?;
        let progress = std::mem::replace(&mut entry.progress, Progress::Done);
        entry.progress = next(progress).ok_or(Damage::Order(0))?;
        Ok(())
    }
}

/// Whether an unreadable last line is one that a killed run could not finish: without its end, and, as the first of the
/// file, a beginning of ours. A file of something else is not written over.
fn is_cut(line: &[u8], number: usize) -> bool {
    const FIRST: &[u8] = br#"{"did":"began","version":"#;
    let begun = line.get(..FIRST.len()).unwrap_or(line);
    !line.ends_with(b"\n") && (number > 1 || FIRST.starts_with(begun))
}

/// Whether a name is one that a pull gives an unfinished file: another could lead anywhere.
fn is_temporary(name: &str) -> bool {
    (1..=20).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a path is one in the quarantine.
fn is_in_quarantine(path: &str) -> bool {
    let inside = path.strip_prefix(QUARANTINE).and_then(|path| path.strip_prefix('/'));
    inside.is_some_and(|path| path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::line::written;
    use super::*;

    const BUCKET: &str = "pl-pt99-5-uploads";

    fn fetched(key: &str, etag: &str) -> Fetched {
        Fetched {
            key: key.into(),
            etag: etag.into(),
            modified: 7,
            version: Some("v".into()),
            size: 3,
            mtime: 9,
            crc64nvme: "rosUhgp5mIg=".into(),
            compared: Compared::Size,
        }
    }

    fn placing(key: &str, etag: &str, hook: bool) -> Record {
        Record::Placing { file: fetched(key, etag), temporary: "1".into(), hook }
    }

    fn key(key: &str) -> String {
        key.to_owned()
    }

    fn text(records: &[Record]) -> String {
        records.iter().map(|record| written(record).unwrap()).collect()
    }

    fn read(records: &[Record]) -> Ledger {
        let all = [&[Record::began(BUCKET)], records].concat();
        let text = text(&all);
        let (ledger, intact) = Ledger::read(text.as_bytes(), BUCKET).unwrap();
        assert_eq!(intact, text.len());
        ledger
    }

    #[test]
    fn a_file_passes_each_step() {
        let progress = |records: &[Record]| read(records).get("a").unwrap().progress().clone();
        let file = || Box::new(fetched("a", "x"));
        let before = None;
        let expected = Progress::Placing { file: file(), temporary: "1".into(), hook: true, before };
        assert_eq!(progress(&[placing("a", "x", true)]), expected);
        let placed = [placing("a", "x", true), Record::Placed { key: key("a") }];
        assert_eq!(progress(&placed), Progress::HookDue(file()));
        assert_eq!(progress(&[&placed[..], &[Record::Hooked { key: key("a") }]].concat()), Progress::Done);
        let (path, why) = (key(".sftpctl-quarantine/a.1"), key("it failed"));
        let quarantined = [&placed[..], &[Record::Quarantined { key: key("a"), path: path.clone(), why }]].concat();
        let settled = Record::Settled { key: key("a"), path: Some(path.clone()) };
        assert_eq!(progress(&[&quarantined[..], &[settled]].concat()), Progress::Done);
        let settled = Record::Settled { key: key("a"), path: None };
        assert_eq!(progress(&[&placed[..], &[settled]].concat()), Progress::Done);
        assert_eq!(progress(&quarantined), Progress::Quarantined { file: file(), path });
        let restored = [&quarantined[..], &[Record::Restored { key: key("a") }]].concat();
        assert_eq!(progress(&restored), Progress::HookDue(file()));
        assert_eq!(progress(&[placing("a", "x", false), Record::Placed { key: key("a") }]), Progress::Done);
    }

    /// A ledger that came with a copy could have any file of the user moved or deleted.
    #[test]
    fn records_name_nothing_elsewhere() {
        let began = Record::began("b");
        let mut ledger = Ledger::default();
        ledger.add(began, "b").unwrap();
        for temporary in ["", "x", "../1", "/etc/hostname", "1/2", "1\0", ".", "123456789012345678901"] {
            let record = Record::Placing { file: fetched("a", "x"), temporary: temporary.into(), hook: true };
            assert_eq!(ledger.add(record, "b"), Err(Damage::Order(0)), "{temporary:?}");
        }
        ledger.add(placing("a", "x", true), "b").unwrap();
        ledger.add(Record::Placed { key: "a".into() }, "b").unwrap();
        for path in ["", "a", "../a", ".sftpctl-quarantine", ".sftpctl-quarantine/", ".sftpctl-quarantine/../a", "/a"] {
            let record = Record::Quarantined { key: "a".into(), path: path.into(), why: String::new() };
            assert_eq!(ledger.add(record, "b"), Err(Damage::Order(0)), "{path:?}");
        }
    }

    #[test]
    fn identity_is_content_and_time_of_upload() {
        let ledger = read(&[placing("a", "x", false), Record::Placed { key: key("a") }]);
        let entry = ledger.get("a").unwrap();
        assert!(entry.is_of("x", 7) && !entry.is_of("x", 8) && !entry.is_of("y", 7));
        assert!(ledger.get("b").is_none());
    }

    #[test]
    fn a_file_that_replaces_ours_knows_the_earlier_one() {
        let mut first = fetched("a", "x");
        (first.size, first.mtime) = (100, 200);
        let earlier = Some(LocalFacts { size: 100, mtime: 200 });
        let first = Record::Placing { file: first, temporary: "1".into(), hook: false };
        let placed = Record::Placed { key: key("a") };
        let ledger = read(&[first.clone(), placed.clone()]);
        assert_eq!(ledger.get("a").unwrap().local(), earlier);
        let ledger = read(&[first.clone(), placed.clone(), placing("a", "y", false)]);
        assert_eq!(ledger.get("a").unwrap().local(), earlier, "the new one is not there yet");
        let ledger = read(&[first, placed.clone(), placing("a", "y", false), placed]);
        assert_eq!(ledger.get("a").unwrap().local(), Some(LocalFacts { size: 3, mtime: 9 }));
        assert!(ledger.unfinished().is_empty());
    }

    #[test]
    fn what_is_owed_for_a_file_survives_its_newer_version() {
        let placed = || Record::Placed { key: key("a") };
        let due = [placing("a", "x", true), placed()];
        let newer = [&due[..], &[placing("a", "y", false), placed()]].concat();
        assert!(matches!(read(&newer).get("a").unwrap().progress(), Progress::HookDue(file) if file.etag == "y"));
        let dropped = [&due[..], &[placing("a", "y", true), Record::Dropped { key: key("a") }]].concat();
        assert!(matches!(read(&dropped).get("a").unwrap().progress(), Progress::HookDue(file) if file.etag == "x"));
        let path = key(".sftpctl-quarantine/a");
        let quarantined = Record::Quarantined { key: key("a"), path: path.clone(), why: key("it failed") };
        let newer = [&due[..], &[quarantined, placing("a", "y", false), placed()]].concat();
        let ledger = read(&newer);
        assert_eq!(ledger.superseded(), [(key("a"), path.clone())]);
        assert_eq!(ledger.get("a").unwrap().progress(), &Progress::Done);
        let settled = Record::Settled { key: key("a"), path: Some(path) };
        assert!(read(&[&newer[..], &[settled]].concat()).superseded().is_empty());
    }

    #[test]
    fn file_of_something_else_is_not_a_cut_ledger() {
        for text in ["{\"some\":\"json\"}", "text", "{\"did\":\"began\",\"version\":1\n"] {
            assert_eq!(Ledger::read(text.as_bytes(), BUCKET), Err(Damage::Line(1)), "{text}");
        }
        for text in ["{\"did\":\"be", "{\"did\":\"began\",\"version\":1,\"buc"] {
            assert!(Ledger::read(text.as_bytes(), BUCKET).unwrap().0.is_new(), "{text}");
        }
        let whole = text(&[Record::began(BUCKET), placing("a", "x", true)]);
        let changed = whole.replacen("\"x\"", "\"y\"", 1);
        assert_eq!(Ledger::read(changed.as_bytes(), BUCKET), Err(Damage::Line(2)), "whole, and damaged");
    }

    #[test]
    fn a_partial_upload_is_known_until_another_content_arrives() {
        let partial = Record::Partial { key: key("a"), etag: key("x"), until: 7, since: None };
        let ledger = read(std::slice::from_ref(&partial));
        assert!(ledger.is_partial("a", "x", 7) && !ledger.is_partial("a", "y", 7) && !ledger.is_partial("b", "x", 7));
        assert!(!ledger.is_partial("a", "x", 8), "the same content again");
        assert!(ledger.get("a").is_none() && ledger.unfinished().is_empty());
        assert!(!read(&[partial.clone(), placing("a", "y", false)]).is_partial("a", "x", 7));
        // An upload that failed later without a word about what it left.
        let unknown = Record::Partial { key: key("a"), etag: String::new(), until: 20, since: Some(10) };
        let both = read(&[partial.clone(), unknown.clone()]);
        assert!(both.is_partial("a", "x", 7) && both.is_partial("a", "y", 10) && both.is_partial("a", "", 20));
        assert!(!both.is_partial("a", "y", 9) && !both.is_partial("a", "y", 21), "whole before, and after");
        assert!(both.has_partial(&unknown) && both.partial_until("a") == Some(20));
        let later = Record::Partial { key: key("a"), etag: String::new(), until: 21, since: Some(10) };
        assert!(!both.has_partial(&later));
        let whole = Record::Whole { key: key("a") };
        let settled = read(&[partial, unknown, whole]);
        assert!(!settled.is_partial("a", "x", 7) && !settled.is_partial("a", "y", 10));
    }

    #[test]
    fn a_dropped_file_is_not_known() {
        let ledger = read(&[placing("a", "x", false), Record::Dropped { key: key("a") }, placing("b", "x", true)]);
        assert!(ledger.get("a").is_none());
        assert_eq!(ledger.unfinished().len(), 1);
    }

    #[test]
    fn damage_is_found_and_an_incomplete_last_line_is_left_out() {
        let records = [Record::began(BUCKET), placing("a", "x", false), Record::Placed { key: key("a") }];
        let whole = text(&records);
        let cut = &whole[..whole.len() - 1];
        let (ledger, intact) = Ledger::read(cut.as_bytes(), BUCKET).unwrap();
        assert_eq!((ledger.unfinished().len(), intact), (1, text(&records[..2]).len()));
        let changed = whole.replacen("\"x\"", "\"y\"", 1);
        assert_eq!(Ledger::read(changed.as_bytes(), BUCKET), Err(Damage::Line(2)));
        let other = Damage::OtherBucket(BUCKET.to_owned());
        assert_eq!(Ledger::read(whole.as_bytes(), "pl-pt99-4-uploads"), Err(other));
        let newer = Record::Began { version: VERSION + 1, bucket: BUCKET.into() };
        assert_eq!(Ledger::read(text(&[newer]).as_bytes(), BUCKET), Err(Damage::Newer(VERSION + 1)));
        let first = Record::Hooked { key: key("a") };
        for (order, line) in [
            (vec![placing("a", "x", false)], 1),
            (vec![Record::began(BUCKET), first.clone()], 2),
            (vec![Record::began(BUCKET), placing("a", "x", false), first], 3),
            (vec![Record::began(BUCKET), Record::began(BUCKET)], 2),
        ] {
            assert_eq!(Ledger::read(text(&order).as_bytes(), BUCKET), Err(Damage::Order(line)), "{order:?}");
        }
        assert!(Ledger::read(b"", BUCKET).unwrap().0.is_new());
    }

    proptest! {
        /// Killed at any byte, what is left is what a prefix of the records means.
        #[test]
        fn every_prefix_of_a_ledger_can_be_read(count in 1..6_usize, cut: prop::sample::Index) {
            let mut records = vec![Record::began(BUCKET)];
            for at in 0..count {
                let key = format!("k{}", at % 2);
                records.extend([placing(&key, &at.to_string(), true), Record::Placed { key: key.clone() }]);
                records.push(Record::Hooked { key });
            }
            let whole = text(&records);
            let cut = cut.index(whole.len() + 1);
            let (ledger, intact) = Ledger::read(&whole.as_bytes()[..cut], BUCKET).unwrap();
            prop_assert!(intact <= cut && whole.is_char_boundary(intact));
            let (again, length) = Ledger::read(&whole.as_bytes()[..intact], BUCKET).unwrap();
            prop_assert_eq!((again, length), (ledger, intact));
        }
    }
}
