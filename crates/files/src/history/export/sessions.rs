//! Changes grouped into sessions of a customer, each of which becomes one commit. Pure.
//!
//! A session ends when the customer has been quiet for a time, after an hour, after 10,000 changes, or before a change
//! that would hide an earlier one: a commit has only the last state of a file, and no version may be lost. The result
//! depends on the order of the changes alone, not on where a run ended: what a later run adds follows what an earlier
//! one had, as in a single run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::timeline::{Change, Content, Step, What};

/// Seconds after which a session ends.
const LONGEST: i64 = 3_600;
/// Changes after which a session ends.
const MOST: usize = 10_000;
/// Seconds between a copy and the deletion of its source that are one rename.
const RENAME: i64 = 60;

/// The changes of one commit.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) author: String,
    first: i64,
    /// Time of the last change.
    pub(crate) last: i64,
    /// All changes, in their order.
    pub(crate) changes: Vec<Change>,
    /// The last state of each path: indices of `changes`.
    written: BTreeMap<String, usize>,
    deleted: BTreeMap<String, usize>,
    /// What was written at the path of a deletion before it, in this session: its content lives on under another name.
    passed: BTreeMap<String, usize>,
}

/// What a commit does to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op<'a> {
    Delete {
        change: &'a Change,
        /// What this session has written there before.
        written: Option<&'a Change>,
    },
    Rename {
        from: &'a Change,
        to: &'a Change,
    },
    Write(&'a Change, &'a Content),
}

impl Session {
    /// Whether the change takes the place of a folder of this session, or of a file as a folder. The order inside a commit
    /// is not that of time, so these are two commits.
    fn takes_place(&self, change: &Change) -> bool {
        if matches!(change.what, What::Deleted(_)) {
            return false;
        }
        let is_whole = |at: &usize| self.changes.get(*at).is_some_and(|deleted| deleted.step == Step::Whole);
        let above = change.path.match_indices('/').filter_map(|(end, _)| self.deleted.get(&change.path[..end]));
        let folder = format!("{}/", change.path);
        let below = self.deleted.range(folder.clone()..).take_while(|(path, _)| path.starts_with(&folder));
        above.chain(below.map(|(_, at)| at)).any(is_whole)
    }

    /// Whether the change cannot be in this session: it would hide another.
    fn would_hide(&self, change: &Change) -> bool {
        if self.takes_place(change) {
            return true;
        }
        if self.deleted.contains_key(&change.path) {
            // The deletion would be in no commit. A second one is none.
            return matches!(change.what, What::Written(_));
        }
        let Some(before) = self.written.get(&change.path).and_then(|at| self.changes.get(*at)) else { return false };
        match (&before.what, &change.what) {
            // Many clients and mounts create an empty file first.
            (What::Written(content), What::Written(_)) => content.size > 0,
            // The content lives on under another name.
            (What::Written(content), What::Deleted(_)) => !self.has_copy(content, change),
            (What::Deleted(_), _) => false,
        }
    }

    fn has_copy(&self, content: &Content, deletion: &Change) -> bool {
        // Empty files are all alike.
        if content.size == 0 {
            return false;
        }
        let copies = self.written.iter().filter(|(path, _)| **path != deletion.path);
        let mut changes = copies.filter_map(|(_, at)| self.changes.get(*at));
        changes.any(|change| {
            change.what == What::Written(content.clone())
                && change.time.abs_diff(deletion.time) <= RENAME.unsigned_abs()
        })
    }

    fn add(&mut self, change: Change) {
        let (path, at) = (change.path.clone(), self.changes.len());
        match change.what {
            What::Written(_) => {
                self.written.insert(path, at);
            }
            What::Deleted(_) => {
                if let Some(written) = self.written.remove(&path) {
                    self.passed.insert(path.clone(), written);
                }
                self.deleted.insert(path, at);
            }
        }
        self.last = change.time;
        self.changes.push(change);
    }

    /// What the commit does, in an order in which no file stands where a folder is to be: deletions, renames, and among
    /// those first the objects that make way for a folder, and then what is written. Renames are of files of at most
    /// `max_blob` bytes: others are pointers to their own version.
    pub(crate) fn ops(&self, max_blob: u64) -> Vec<Op<'_>> {
        let change = |at: &usize| self.changes.get(*at);
        let mut copies: HashMap<&Content, Vec<&Change>> = HashMap::new();
        for to in self.written.values().rev().filter_map(change) {
            if let What::Written(content) = &to.what
                && (1..=max_blob).contains(&content.size)
                && !content.etag.is_empty()
            {
                copies.entry(content).or_default().push(to);
            }
        }
        // What was written in this session is not in the commit before it.
        let is_written = |change: &&Change| matches!(change.what, What::Written(_));
        let new: HashSet<&str> = self.changes.iter().filter(is_written).map(|change| change.path.as_str()).collect();
        let (mut deletes, mut renames) = (Vec::new(), Vec::new());
        let mut renamed = BTreeSet::new();
        for from in self.deleted.values().filter_map(change) {
            let What::Deleted(content) = &from.what else { continue };
            let near = |to: &&Change| to.time.abs_diff(from.time) <= RENAME.unsigned_abs();
            let found = copies.get_mut(content).filter(|_| !new.contains(from.path.as_str()));
            match found.and_then(|all| all.iter().rposition(near).map(|at| all.remove(at))) {
                Some(to) => {
                    renamed.insert(&to.path);
                    renames.push(Op::Rename { from, to });
                }
                None => {
                    deletes.push(Op::Delete { change: from, written: self.passed.get(&from.path).and_then(change) })
                }
            }
        }
        renames.sort_by_key(|op| !matches!(op, Op::Rename { from, to } if from.key == to.key));
        let writes = self.written.values().filter_map(change).filter(|to| !renamed.contains(&to.path));
        let writes = writes.filter_map(|to| match &to.what {
            What::Written(content) => Some(Op::Write(to, content)),
            What::Deleted(_) => None,
        });
        deletes.into_iter().chain(renames).chain(writes).collect()
    }
}

/// The sessions that are open.
pub(crate) struct Sessions {
    quiet: i64,
    /// Whose folder a key is in is its first part; with one customer, all are.
    author: Option<String>,
    open: HashMap<String, Session>,
    /// Time of the last change, and the author.
    order: BTreeSet<(i64, String)>,
}

impl Sessions {
    /// Sessions that end after `quiet` seconds. All are of `author`, or of the folder that a key is in.
    pub(crate) fn new(quiet: i64, author: Option<String>) -> Self {
        Self { quiet, author, open: HashMap::new(), order: BTreeSet::new() }
    }

    /// Takes the next change in the order of time. Returns the sessions that have ended before it.
    pub(crate) fn add(&mut self, change: Change) -> Vec<Session> {
        let mut ended = self.until(change.time);
        let first = || change.key.split('/').next().unwrap_or_default().to_owned();
        let author = self.author.clone().unwrap_or_else(first);
        let is_over = self.open.get(&author).is_some_and(|session| {
            change.time - session.first > LONGEST || session.changes.len() >= MOST || session.would_hide(&change)
        });
        if is_over {
            ended.extend(self.end(&author));
        }
        let session = self.open.entry(author.clone()).or_insert_with(|| Session {
            author: author.clone(),
            first: change.time,
            ..Session::default()
        });
        self.order.remove(&(session.last, author.clone()));
        session.add(change);
        self.order.insert((session.last, author));
        ended
    }

    /// The sessions that have ended before this time, in the order of their ends.
    pub(crate) fn until(&mut self, time: i64) -> Vec<Session> {
        let mut ended = Vec::new();
        while let Some((last, author)) = self.order.first()
            && last.saturating_add(self.quiet) < time
        {
            let author = author.clone();
            ended.extend(self.end(&author));
        }
        ended
    }

    fn end(&mut self, author: &str) -> Option<Session> {
        let session = self.open.remove(author)?;
        self.order.remove(&(session.last, author.to_owned()));
        Some(session)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sftpctl_aws::VersionFacts;

    use super::super::timeline::Timeline;
    use super::super::timeline::tests::version;
    use super::*;

    const QUIET: i64 = 300;

    /// The changes of versions, which are given by key and the newest first.
    fn changes(keys: &[Vec<VersionFacts>]) -> Vec<Change> {
        let mut timeline = Timeline::new("");
        let mut all: Vec<Change> = keys.iter().flat_map(|versions| timeline.key(versions.clone(), None)).collect();
        all.extend(timeline.finish());
        all.sort();
        all
    }

    fn sessions(changes: &[Change]) -> Vec<Session> {
        let mut sessions = Sessions::new(QUIET, None);
        let mut all: Vec<Session> = changes.iter().flat_map(|change| sessions.add(change.clone())).collect();
        all.extend(sessions.until(i64::MAX));
        all
    }

    fn shown(session: &Session) -> String {
        let ops = session.ops(1_000).into_iter().map(|op| match op {
            Op::Delete { change, written: None } => format!("-{}", change.path),
            Op::Delete { change, written: Some(_) } => format!("+-{}", change.path),
            Op::Rename { from, to } => format!("{}>{}", from.path, to.path),
            Op::Write(change, content) => format!("{}={}", change.path, content.etag),
        });
        format!("{}@{}: {}", session.author, session.last, ops.collect::<Vec<_>>().join(" "))
    }

    fn of(keys: &[&[(&str, i64, Option<&str>)]]) -> Vec<String> {
        let versions = |of: &&[(&str, i64, Option<&str>)]| {
            let one = |(id, (key, time, content)): (usize, &(&str, i64, Option<&str>))| {
                version(key, &id.to_string(), *time, *content)
            };
            let mut versions: Vec<VersionFacts> = of.iter().enumerate().map(one).collect();
            versions.reverse();
            versions
        };
        let keys: Vec<_> = keys.iter().map(versions).collect();
        sessions(&changes(&keys)).iter().map(shown).collect()
    }

    #[test]
    fn session_ends_when_its_customer_is_quiet() {
        let keys: [&[_]; 4] = [
            &[("1/a", 0, Some("a"))],
            &[("1/b", 300, Some("b"))],
            &[("1/c", 601, Some("c"))],
            &[("2/x", 100, Some("x"))],
        ];
        assert_eq!(of(&keys), ["2@100: 2/x=x", "1@300: 1/a=a 1/b=b", "1@601: 1/c=c"]);
    }

    #[test]
    fn no_version_is_hidden_by_a_later_one() {
        let twice: &[_] = &[("1/a", 0, Some("")), ("1/a", 1, Some("one")), ("1/a", 2, Some("two")), ("1/a", 3, None)];
        assert_eq!(of(&[twice]), ["1@1: 1/a=one", "1@2: 1/a=two", "1@3: -1/a"]);
    }

    #[test]
    fn renames_are_recognized() {
        let part: &[_] = &[("1/a.part", 1, Some("x")), ("1/a.part", 3, None)];
        let target: &[_] = &[("1/a", 2, Some("x"))];
        assert_eq!(of(&[target, part]), ["1@3: +-1/a.part 1/a=x"], "uploaded under a temporary name");
        let old: &[_] = &[("1/old", 1, Some("x")), ("1/old", 1_002, None)];
        let new: &[_] = &[("1/new", 1_000, Some("x"))];
        assert_eq!(of(&[new, old]), ["1@1: 1/old=x", "1@1002: 1/old>1/new"]);
        let late: &[_] = &[("1/new", 900, Some("x"))];
        assert_eq!(of(&[late, old]), ["1@1: 1/old=x", "1@1002: -1/old 1/new=x"], "too far apart");
        let empty: &[_] = &[("1/old", 1, Some("")), ("1/old", 1_002, None)];
        let other: &[_] = &[("1/new", 1_002, Some(""))];
        assert_eq!(of(&[other, empty]), ["1@1: 1/old=", "1@1002: -1/old 1/new="], "empty files are all alike");
    }

    /// As clients do that replace a file: they delete it, and rename or write the new one.
    #[test]
    fn no_deletion_is_hidden_by_what_follows() {
        let again: &[_] = &[("1/a", 0, Some("one")), ("1/a", 1_000, None), ("1/a", 1_001, Some("two"))];
        assert_eq!(of(&[again]), ["1@0: 1/a=one", "1@1000: -1/a", "1@1001: 1/a=two"]);
        let short: &[_] = &[("1/a", 0, Some("one")), ("1/a", 1, None)];
        assert_eq!(of(&[short]), ["1@0: 1/a=one", "1@1: -1/a"]);
        let empty: &[_] = &[("1/a", 0, Some("")), ("1/a", 1, None)];
        assert_eq!(of(&[empty, &[("1/b", 0, Some(""))]]), ["1@0: 1/a= 1/b=", "1@1: -1/a"]);
        let part: &[_] = &[("1/a.part", 999, Some("two")), ("1/a.part", 1_001, None)];
        assert_eq!(of(&[again, part]), ["1@0: 1/a=one", "1@1000: -1/a 1/a.part=two", "1@1001: 1/a.part>1/a"]);
    }

    #[test]
    fn object_makes_way_before_its_folder_is_written() {
        let d: &[_] = &[("1/d", 0, Some("d"))];
        let e: &[_] = &[("1/d/e", 1_000, Some("e"))];
        assert_eq!(of(&[d, e]), ["1@0: 1/d=d", "1@1000: 1/d>1/d%2F 1/d/e=e"]);
    }

    /// Versions of a few keys, contents and times.
    fn history() -> impl Strategy<Value = Vec<Vec<VersionFacts>>> {
        let key = prop::sample::select(vec!["1/a", "1/b", "1/b/c", "2/a", "2/b", "3/x"]);
        let content = prop::sample::select(vec![None, Some(""), Some("x"), Some("y"), Some("zz")]);
        prop::collection::vec((key, 0_i64..3_000, content), 0..60).prop_map(|all| {
            let mut keys: BTreeMap<&str, Vec<(i64, Option<&str>)>> = BTreeMap::new();
            for (key, time, content) in all {
                keys.entry(key).or_default().push((time, content));
            }
            keys.into_iter()
                .map(|(key, mut versions)| {
                    versions.sort_by_key(|(time, _)| *time);
                    let one = |(id, (time, content)): (usize, (i64, Option<&str>))| {
                        version(key, &id.to_string(), time, content)
                    };
                    let mut versions: Vec<_> = versions.into_iter().enumerate().map(one).collect();
                    versions.reverse();
                    versions
                })
                .collect()
        })
    }

    proptest! {
        /// One run to the end has the same sessions, in the same order, as one that ends somewhere and another one.
        #[test]
        fn two_runs_are_one(keys in history(), cut in 0_i64..3_500) {
            let all = changes(&keys);
            let once: Vec<String> = sessions(&all).iter().map(shown).collect();
            let mut first = Sessions::new(QUIET, None);
            let seen = all.iter().filter(|change| change.time <= cut);
            let mut ended: Vec<Session> = seen.flat_map(|change| first.add(change.clone())).collect();
            ended.extend(first.until(cut));
            let done: Vec<&Change> = ended.iter().flat_map(|session| &session.changes).collect();
            let rest: Vec<Change> = all.iter().filter(|change| !done.contains(change)).cloned().collect();
            let twice: Vec<String> = ended.iter().map(shown).chain(sessions(&rest).iter().map(shown)).collect();
            prop_assert_eq!(once, twice);
        }

        /// The commits, applied one after the other, end with what the bucket has now, and every content was in one.
        #[test]
        fn commits_are_the_history(keys in history()) {
            is_the_history(&keys)?;
        }

        /// The same where most of it happens within the same few seconds.
        #[test]
        fn commits_are_the_history_within_a_second(keys in history(), few in 1_i64..4) {
            let keys: Vec<Vec<VersionFacts>> = keys
                .into_iter()
                .map(|mut versions| {
                    versions.iter_mut().for_each(|version| version.modified /= 3_000 / few);
                    versions
                })
                .collect();
            is_the_history(&keys)?;
        }
    }

    fn is_the_history(keys: &[Vec<VersionFacts>]) -> Result<(), TestCaseError> {
        let all = changes(keys);
        let mut tree: BTreeMap<String, String> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for session in sessions(&all) {
            for op in session.ops(1_000) {
                match op {
                    Op::Delete { change, .. } => {
                        tree.remove(&change.path);
                    }
                    Op::Rename { from, to } => {
                        let content = tree.remove(&from.path);
                        prop_assert!(content.is_some(), "{:?}", from);
                        tree.insert(to.path.clone(), content.unwrap());
                    }
                    Op::Write(change, content) => {
                        tree.insert(change.path.clone(), content.etag.clone());
                    }
                }
                // Git has a file or a folder of one name.
                for path in tree.keys() {
                    let folder = format!("{path}/");
                    prop_assert!(!tree.keys().any(|other| other.starts_with(&folder)), "{:?}", tree);
                }
            }
            seen.extend(tree.values().cloned());
            // A deletion is in the commit of its session, whatever follows it.
            let is_deletion = |change: &&Change| matches!(change.what, What::Deleted(_));
            for deletion in session.changes.iter().filter(is_deletion) {
                prop_assert!(!tree.contains_key(&deletion.path), "{:?} is in no commit", deletion);
            }
        }
        for version in keys.iter().flatten().filter(|version| version.size > 0) {
            prop_assert!(seen.contains(&version.etag), "{:?} is in no commit", version);
        }
        let now = keys.iter().filter_map(|versions| versions.first()).filter(|version| !version.deleted);
        let mut now: Vec<String> = now.map(|version| version.etag.clone()).collect();
        let mut last: Vec<String> = tree.into_values().collect();
        now.sort();
        last.sort();
        prop_assert_eq!(now, last);
        Ok(())
    }
}
