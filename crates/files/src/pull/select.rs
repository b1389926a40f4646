//! What a pull does with each object of a listing, in the light of the ledger. Pure.

use sftpctl_aws::ListedObject;
use sftpctl_core::spec::malware::VALIDATION_OBJECT;

use super::ledger::{Entry, Ledger, LocalFacts};
use super::path::{LocalPath, Nesting, Unsafe, local};
use super::rules::Rules;
use crate::CANARY;

/// What is to be done with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The empty object that shows a folder, a canary of a mount, GuardDuty's trial of its role, or a key that the
    /// patterns leave out.
    Skip,
    /// Its name says that it is still being written.
    Unfinished,
    /// Transfer says that its upload broke off.
    Partial,
    /// Too new to be listed: its event is on the way.
    Young,
    /// The ledger has it.
    Have,
    /// Its key cannot be a local path.
    Refuse(Unsafe),
    Fetch(LocalPath),
}

/// An object and what is to be done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub object: ListedObject,
    pub decision: Decision,
    /// Facts of the file that was placed for this key before.
    pub ours: Option<LocalFacts>,
}

/// Decides on the objects of one listing, in its order.
#[derive(Debug)]
pub struct Selection {
    rules: Rules,
    nesting: Nesting,
    /// Objects that were written after this are young: seconds since 1970.
    until: Option<i64>,
}

impl Selection {
    pub fn new(rules: Rules) -> Self {
        Self { rules, nesting: Nesting::default(), until: None }
    }

    /// Leaves what was written after `until` (seconds since 1970) to events.
    #[must_use]
    pub fn until(self, until: Option<i64>) -> Self {
        Self { until, ..self }
    }

    /// Decides on the next page.
    pub fn page(&mut self, objects: Vec<ListedObject>, ledger: &Ledger) -> Vec<Decided> {
        let decided = |object: ListedObject| Decided {
            decision: self.decide(&object, ledger),
            ours: ledger.get(&object.key).and_then(Entry::local),
            object,
        };
        objects.into_iter().map(decided).collect()
    }

    /// Decides on the next object.
    pub fn decide(&mut self, object: &ListedObject, ledger: &Ledger) -> Decision {
        let ListedObject { key, size, etag, modified } = object;
        // Customers' folders, and those that file managers create.
        if (key.ends_with('/') && *size == 0) || key.starts_with(CANARY) || key == VALIDATION_OBJECT {
            return Decision::Skip;
        }
        let is_below_object = self.nesting.is_below_object(key);
        if !self.rules.selects(key) {
            return Decision::Skip;
        }
        if self.rules.waits_for(key) {
            return Decision::Unfinished;
        }
        match local(key) {
            Err(Unsafe::Empty) if key.ends_with('/') => Decision::Refuse(Unsafe::FolderWithContent),
            Err(why) => Decision::Refuse(why),
            Ok(_) if is_below_object => Decision::Refuse(Unsafe::BelowObject),
            Ok(_) if ledger.is_partial(key, etag, *modified) => Decision::Partial,
            Ok(_) if ledger.get(key).is_some_and(|entry: &Entry| entry.is_of(etag, *modified)) => Decision::Have,
            Ok(_) if self.until.is_some_and(|until| *modified > until) => Decision::Young,
            Ok(path) => Decision::Fetch(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::{Fetched, Record};
    use super::super::sums::Compared;
    use super::*;

    fn object(key: &str, size: u64, etag: &str) -> ListedObject {
        ListedObject { key: key.into(), size, etag: etag.into(), modified: 7 }
    }

    #[test]
    fn each_object_of_a_listing_is_decided_on() {
        let mut ledger = Ledger::default();
        let file = Fetched {
            key: "1/known".into(),
            etag: "x".into(),
            modified: 7,
            version: None,
            size: 1,
            mtime: 0,
            crc64nvme: String::new(),
            compared: Compared::Size,
        };
        for record in [Record::began("b"), Record::Placing { file, temporary: "1".into(), hook: false }] {
            ledger.add(record, "b").unwrap();
        }
        ledger.add(Record::Partial { key: "1/broken".into(), etag: "x".into(), until: 7, since: None }, "b").unwrap();
        let rules = Rules { exclude: vec!["*.log".parse().unwrap()], ..Rules::default() };
        let mut selection = Selection::new(rules);
        let fetch = |key: &str| Decision::Fetch(local(key).unwrap());
        for (key, size, etag, expected) in [
            (".sftpctl-canary-main", 36, "x", Decision::Skip),
            (VALIDATION_OBJECT, 0, "x", Decision::Skip),
            ("1/", 0, "", Decision::Skip),
            ("1/.sftpctl-canary-main", 36, "x", Decision::Refuse(Unsafe::Own)),
            ("1/../x", 1, "x", Decision::Refuse(Unsafe::Dots)),
            ("1/a", 1, "x", fetch("1/a")),
            ("1/a.filepart", 1, "x", Decision::Unfinished),
            ("1/a.log", 1, "x", Decision::Skip),
            ("1/a/", 0, "x", Decision::Skip),
            ("1/a/b", 1, "x", Decision::Refuse(Unsafe::BelowObject)),
            ("1/a0", 0, "x", fetch("1/a0")),
            ("1/broken", 1, "x", Decision::Partial),
            ("1/broken", 1, "y", fetch("1/broken")),
            ("1/folder/", 5, "x", Decision::Refuse(Unsafe::FolderWithContent)),
            ("1/known", 1, "x", Decision::Have),
            ("1/known", 1, "y", fetch("1/known")),
        ] {
            assert_eq!(selection.decide(&object(key, size, etag), &ledger), expected, "{key}");
        }
        let mut selection = Selection::new(Rules::default()).until(Some(6));
        assert_eq!(selection.decide(&object("1/new", 1, "x"), &ledger), Decision::Young);
        assert_eq!(selection.decide(&object("1/known", 1, "x"), &ledger), Decision::Have);
    }
}
