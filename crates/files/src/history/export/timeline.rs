//! The versions of a key as changes of a file. Pure.
//!
//! S3 lists versions by key; a history needs them by time. Each version becomes a change that sorts to its place: by the
//! second, within a second what was written before what was deleted (a rename is a copy and then a deletion), and
//! always the changes of one key in S3's order.
//!
//! `d` and `d/e` are both keys, but git has a file or a folder of one name. From the moment at which both exist at once,
//! the object has another path (`d%2F`): a change of its own moves it away.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sftpctl_aws::VersionFacts;

use super::folders::{Event, Folder, Side};
use super::paths;

/// The ID of the version of an object that was written while its bucket kept no versions. There is one at most of each key,
/// and while versioning is suspended the next one takes its place, and its ID.
pub(crate) const NULL: &str = "null";

/// What is in a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) etag: String,
    /// Bytes.
    pub(crate) size: u64,
}

/// Which part of the change of a version it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Step {
    /// The object is written beside the folder of its name …
    Aside,
    /// … and removed from its former path.
    MadeWay,
    /// The version itself.
    Whole,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum What {
    /// The file has this content from now on.
    Written(Content),
    /// The file, which had this content, is gone. The content is empty if it is not known.
    Deleted(Content),
}

impl What {
    pub(crate) fn content(&self) -> &Content {
        let (Self::Written(content) | Self::Deleted(content)) = self;
        content
    }
}

/// A change of a file. Changes sort in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Change {
    /// Seconds since 1970.
    pub(crate) time: i64,
    rank: u8,
    pub(crate) key: String,
    /// The place among the changes of the key.
    place: u64,
    pub(crate) step: Step,
    pub(crate) version: String,
    /// The path in the repository.
    pub(crate) path: String,
    pub(crate) what: What,
}

impl Change {
    /// Whether the file does not exist after it, under any path.
    pub(crate) fn is_deletion(&self) -> bool {
        matches!(self.what, What::Deleted(_)) && self.step == Step::Whole
    }
}

/// The last change of a key that a repository has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recorded {
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) step: Step,
    pub(crate) time: i64,
    /// Whether the file does not exist after it.
    #[serde(default)]
    pub(crate) deleted: bool,
    /// The ETag of a content of the version [`NULL`], by which another one of this ID is told from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) etag: Option<String>,
}

impl Recorded {
    fn is(&self, change: &Change) -> bool {
        let is_same = |etag: &String| change.what.content().etag == *etag && change.time == self.time;
        change.version == self.version
            && change.step == self.step
            && change.is_deletion() == self.deleted
            && self.etag.as_ref().is_none_or(is_same)
    }

    /// Whether the file exists after it, and none of these versions of its key is the one that it was of.
    fn is_lost(&self, versions: &[VersionFacts]) -> bool {
        let is_same = |version: &VersionFacts| self.etag.as_ref().is_none_or(|etag| *etag == version.etag);
        !self.deleted && !versions.iter().any(|version| version.id == self.version && is_same(version))
    }
}

/// Within a second: what makes way for a folder, what is written, what is deleted, and what takes the place of a folder;
/// of these, what is deeper comes first.
const MADE_WAY: u8 = 0;
const WRITTEN: u8 = 1;
const DELETED: u8 = 2;
const IN_PLACE: u8 = u8::MAX;

/// A key whose folder may still follow.
struct Open {
    key: String,
    /// The newest first.
    versions: Vec<VersionFacts>,
    recorded: Option<Recorded>,
    folder: Folder,
}

/// Turns the keys of a listing into changes.
pub(crate) struct Timeline {
    /// The part of each key that is not part of a path.
    home: String,
    /// Each key begins with the one before it, so there are at most 1,024.
    open: Vec<Open>,
    /// Keys whose last exported version is gone from the bucket.
    pub(crate) expired: u64,
}

impl Timeline {
    pub(crate) fn new(home: &str) -> Self {
        Self { home: home.to_owned(), open: Vec::new(), expired: 0 }
    }

    /// Takes the versions of the next key, the newest first, and what the repository has of it. Returns changes that the
    /// repository does not have, of this key or of earlier ones, in no order.
    pub(crate) fn key(&mut self, versions: Vec<VersionFacts>, recorded: Option<Recorded>) -> Vec<Change> {
        let Some(key) = versions.first().map(|version| version.key.clone()) else { return Vec::new() };
        let mut changes = Vec::new();
        while self.open.last().is_some_and(|open| !key.starts_with(&open.key)) {
            changes.extend(self.close());
        }
        let events: Vec<Event> = in_order(&versions).map(|(time, version)| (time, !is_absent(version))).collect();
        let is_below = |open: &&mut Open| key[open.key.len()..].starts_with('/');
        for open in self.open.iter_mut().filter(is_below) {
            open.folder.add(&events);
        }
        self.open.push(Open { key, versions, recorded, folder: Folder::of(events) });
        changes
    }

    /// The changes of the last keys.
    pub(crate) fn finish(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        while !self.open.is_empty() {
            changes.extend(self.close());
        }
        changes
    }

    fn close(&mut self) -> Vec<Change> {
        let Some(open) = self.open.pop() else { return Vec::new() };
        let path = open.key.strip_prefix(&self.home).unwrap_or(&open.key);
        let mut all = changes(path, &open);
        let mut expired = false;
        let known = open.recorded.map_or(0, |recorded| {
            match all.iter().position(|change| recorded.is(change)) {
                Some(at) => at + 1,
                // The version has expired meanwhile, or another has its ID.
                None => {
                    expired = !recorded.deleted;
                    let is_new = |change: &Change| change.version == NULL && recorded.version == NULL;
                    all.iter().take_while(|change| change.time <= recorded.time && !is_new(change)).count()
                }
            }
        });
        self.expired += u64::from(expired);
        all.drain(..known);
        all
    }
}

/// Whether the file does not exist with this version: deleted, or only the marker of a folder.
fn is_absent(version: &VersionFacts) -> bool {
    version.deleted || version.size == 0 && version.key.ends_with('/')
}

/// Versions from the oldest on, with a time that never goes back: an upload in parts has the time at which it began.
fn in_order(versions: &[VersionFacts]) -> impl Iterator<Item = (i64, &VersionFacts)> {
    versions.iter().rev().scan(i64::MIN, |last, version| {
        *last = version.modified.max(*last);
        Some((*last, version))
    })
}

/// All changes of a key, the oldest first.
fn changes(path: &str, open: &Open) -> Vec<Change> {
    let (folder_since, sides) = open.folder.settle();
    let exported = open.recorded.as_ref().filter(|recorded| recorded.is_lost(&open.versions)).map(|lost| lost.time);
    let mut file = File { key: &open.key, path, changes: Vec::new(), content: None, exported, is_aside: false, sides };
    for (time, version) in in_order(&open.versions) {
        if let Some(since) = folder_since.filter(|since| time >= *since) {
            file.step_aside(since);
        }
        file.becomes(time, version);
    }
    if let Some(since) = folder_since {
        file.step_aside(since);
    }
    file.changes
}

/// A file while its versions are read.
struct File<'a> {
    key: &'a str,
    path: &'a str,
    changes: Vec<Change>,
    /// What it has, and the version that it has it from.
    content: Option<(Content, String)>,
    /// The time of the version that the repository has, if the bucket no longer has it.
    exported: Option<i64>,
    is_aside: bool,
    /// The order in the seconds in which something below it changes, too.
    sides: BTreeMap<i64, Side>,
}

impl File<'_> {
    fn becomes(&mut self, time: i64, version: &VersionFacts) {
        let content = (!is_absent(version)).then(|| Content { etag: version.etag.clone(), size: version.size });
        let before = self.content.as_ref().map(|(content, _)| content.clone());
        let what = match (before, content.clone()) {
            (Some(before), None) => What::Deleted(before),
            // Without the version before it, a marker says nothing, except of what the repository has.
            (None, None) if self.exported.is_some_and(|before| time >= before) => What::Deleted(Content::default()),
            (None, None) => return,
            // The same again, as `touch` writes it.
            (Some(before), Some(content)) if before == content && !content.etag.is_empty() => return,
            (_, Some(content)) => What::Written(content),
        };
        let rank = match self.sides.get(&time).filter(|_| !self.is_aside) {
            Some(Side::Before | Side::Around) => MADE_WAY,
            Some(Side::After) => self.in_place(),
            None if content.is_some() => WRITTEN,
            None => DELETED,
        };
        if content.is_none() && self.sides.get(&time) == Some(&Side::Around) {
            self.sides.insert(time, Side::After);
        }
        self.push(time, rank, Step::Whole, &version.id, self.is_aside, what);
        self.exported = self.exported.filter(|before| time < *before);
        self.content = content.map(|content| (content, version.id.clone()));
    }

    /// The rank of what takes the place of a folder: after all that is deeper.
    fn in_place(&self) -> u8 {
        let depth = self.path.matches('/').count().min(usize::from(IN_PLACE - DELETED - 1));
        IN_PLACE - u8::try_from(depth).unwrap_or_default()
    }

    fn step_aside(&mut self, time: i64) {
        if std::mem::replace(&mut self.is_aside, true) {
            return;
        }
        if let Some((content, version)) = self.content.clone() {
            self.push(time, MADE_WAY, Step::Aside, &version, true, What::Written(content.clone()));
            self.push(time, MADE_WAY, Step::MadeWay, &version, false, What::Deleted(content));
        }
    }

    fn push(&mut self, time: i64, rank: u8, step: Step, version: &str, is_aside: bool, what: What) {
        let last = self.changes.last().filter(|last| last.time == time);
        self.changes.push(Change {
            time,
            rank: last.map_or(rank, |last| last.rank.max(rank)),
            key: self.key.to_owned(),
            place: self.changes.len() as u64,
            step,
            version: version.to_owned(),
            path: paths::path(self.path, is_aside),
            what,
        });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A version; its ETag is its content. `None` marks a deletion.
    pub(crate) fn version(key: &str, id: &str, modified: i64, content: Option<&str>) -> VersionFacts {
        VersionFacts {
            key: key.into(),
            id: id.into(),
            modified,
            size: content.map_or(0, str::len) as u64,
            etag: content.unwrap_or_default().into(),
            deleted: content.is_none(),
            latest: false,
        }
    }

    /// The changes of a listing in their order, in short.
    fn shown(keys: &[&[VersionFacts]], recorded: &[Recorded]) -> Vec<String> {
        let mut timeline = Timeline::new("h/");
        let mut all = Vec::new();
        for versions in keys {
            let known = recorded.iter().find(|recorded| recorded.key == versions[0].key).cloned();
            all.extend(timeline.key(versions.to_vec(), known));
        }
        all.extend(timeline.finish());
        all.sort();
        let what = |change: &Change| match &change.what {
            What::Written(content) => format!("{} {}={}", change.time, change.path, content.etag),
            What::Deleted(content) => format!("{} -{} ({})", change.time, change.path, content.etag),
        };
        all.iter().map(what).collect()
    }

    #[test]
    fn versions_become_changes() {
        let a = [
            version("h/a", "6", 60, None),
            version("h/a", "5", 50, None),
            version("h/a", "4", 30, Some("two")),
            version("h/a", "3", 31, Some("two")),
            version("h/a", "2", 20, Some("one")),
            version("h/a", "1", 10, Some("one")),
        ];
        let folder = [version("h/f/", "1", 5, Some(""))];
        let expected = ["10 a=one", "31 a=two", "50 -a (two)"];
        assert_eq!(shown(&[&a, &folder], &[]), expected, "the same again, a second marker and a folder change nothing");
        let recorded = |version: &str, time| Recorded {
            key: "h/a".into(),
            version: version.into(),
            step: Step::Whole,
            time,
            deleted: false,
            etag: None,
        };
        assert_eq!(shown(&[&a], &[recorded("3", 31)]), expected[2..]);
        assert_eq!(shown(&[&a], &[recorded("expired", 31)]), expected[2..]);
        assert_eq!(shown(&[&a], &[recorded("5", 50)]), [""; 0]);
    }

    /// While versioning is suspended, each write and each deletion replaces the version `null`.
    #[test]
    fn what_replaces_the_version_null_is_a_change() {
        let recorded = |time, etag: &str, deleted: bool| Recorded {
            key: "h/a".into(),
            version: NULL.into(),
            step: Step::Whole,
            time,
            deleted,
            etag: (!deleted).then(|| etag.into()),
        };
        let before = version("h/a", "1", 5, Some("zero"));
        let now = |content| [version("h/a", NULL, 20, content), before.clone()];
        let of = |content, known| shown(&[&now(content)], &[known]);
        assert_eq!(of(Some("two"), recorded(10, "one", false)), ["20 a=two"]);
        assert_eq!(of(Some("two"), recorded(20, "one", false)), ["20 a=two"], "within a second");
        assert_eq!(of(Some("two"), recorded(20, "two", false)), [""; 0]);
        assert_eq!(of(None, recorded(10, "one", false)), ["20 -a (zero)"]);
        assert_eq!(of(None, recorded(20, "", true)), [""; 0]);
        assert_eq!(of(Some("two"), recorded(10, "", true)), ["20 a=two"]);
        // Without a version before it.
        let only = |content, known| shown(&[&[version("h/a", NULL, 20, content)]], &[known]);
        assert_eq!(only(None, recorded(10, "one", false)), ["20 -a ()"]);
        assert_eq!(only(None, recorded(20, "", true)), [""; 0]);
        assert_eq!(only(Some("two"), recorded(10, "", true)), ["20 a=two"]);
        // A version in the past of a bucket whose versioning is on again.
        let later = [version("h/a", "2", 30, Some("three")), version("h/a", NULL, 20, Some("two"))];
        assert_eq!(shown(&[&later], &[recorded(20, "two", false)]), ["30 a=three"]);
    }

    /// A rename by Transfer is a copy and a deletion within a second, or two.
    #[test]
    fn copy_comes_before_the_deletion_of_a_rename() {
        let a = [version("h/a", "2", 20, None), version("h/a", "1", 10, Some("x"))];
        let b = [version("h/b", "1", 20, Some("x"))];
        assert_eq!(shown(&[&a, &b], &[]), ["10 a=x", "20 b=x", "20 -a (x)"]);
        // But a key's own order is kept.
        let c = [version("h/c", "3", 20, Some("y")), version("h/c", "2", 20, None), version("h/c", "1", 9, Some("x"))];
        assert_eq!(shown(&[&c], &[]), ["9 c=x", "20 -c (x)", "20 c=y"]);
    }

    #[test]
    fn object_makes_way_for_the_folder_of_its_name() {
        let d = [version("h/d", "2", 40, Some("new")), version("h/d", "1", 10, Some("old"))];
        let between = [version("h/d.txt", "1", 15, Some("t"))];
        let e = [version("h/d/e", "1", 20, Some("e"))];
        let expected = ["10 d=old", "15 d.txt=t", "20 d%2F=old", "20 -d (old)", "20 d/e=e", "40 d%2F=new"];
        assert_eq!(shown(&[&d, &between, &e], &[]), expected);
        // In two runs.
        assert_eq!(shown(&[&d[1..], &between], &[]), expected[..2]);
        let recorded =
            |step, time| Recorded { key: "h/d".into(), version: "1".into(), step, time, deleted: false, etag: None };
        let (key, version, step, deleted) = ("h/d.txt".into(), "1".into(), Step::Whole, false);
        let known = Recorded { key, version, step, time: 15, deleted, etag: None };
        let later = shown(&[&d, &between, &e], &[recorded(Step::Whole, 10), known.clone()]);
        assert_eq!(later, expected[2..]);
        let last = shown(&[&d, &between, &e], &[recorded(Step::MadeWay, 20), known]);
        assert_eq!(last, expected[4..]);
    }

    /// A file, a folder and a file again, within a second and over several.
    #[test]
    fn what_never_existed_at_once_keeps_its_name() {
        for [made, gone, inside, left, again] in [[10, 10, 10, 10, 10], [10, 11, 11, 12, 12], [10, 11, 12, 13, 14]] {
            let thing = [
                version("h/thing", "3", again, Some("again")),
                version("h/thing", "2", gone, None),
                version("h/thing", "1", made, Some("file")),
            ];
            let inner = [version("h/thing/inner", "2", left, None), version("h/thing/inner", "1", inside, Some("in"))];
            let shown: Vec<String> = shown(&[&thing, &inner], &[])
                .into_iter()
                .map(|change| change.split_once(' ').unwrap().1.to_owned())
                .collect();
            let in_a_second = ["thing/inner=in", "-thing/inner (in)", "thing=file", "-thing (file)", "thing=again"];
            let later = ["thing=file", "-thing (file)", "thing/inner=in", "-thing/inner (in)", "thing=again"];
            assert_eq!(shown, if made == again { in_a_second } else { later });
        }
    }
}
