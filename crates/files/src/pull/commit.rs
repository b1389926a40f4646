//! Complete files get their names: made durable together, written into the ledger, renamed, and their folders made durable.

use std::collections::BTreeMap;
use std::io;

use super::PullError;
use super::fetch::Complete;
use super::ledger::{Entry, Progress, Record};
use super::ledger_file::LedgerFile;
use super::path::{LocalPath, local};
use super::target::{Place, Target};

/// The result for a number of files.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) placed: Vec<Complete>,
    /// Keys, and why the files did not get their names.
    pub(super) left: Vec<(String, String)>,
}

/// Gives files their names. `hook` says whether one is due for them, `overwrite` whether any file may be replaced.
///
/// # Errors
/// The files or the ledger cannot be written. What was renamed is known to the next run.
pub(super) fn commit(
    target: &Target,
    ledger: &mut LedgerFile,
    batch: Vec<Complete>,
    (hook, overwrite): (bool, bool),
) -> Result<Committed, PullError> {
    let mut committed = Committed::default();
    let (mut ready, mut written) = (Vec::new(), Vec::new());
    for mut complete in batch {
        let ours = ledger.ledger().get(&complete.file.key).and_then(Entry::local);
        match refusal(target.place_of(&complete.path, ours, overwrite)) {
            Ok(may_replace) => {
                written.extend(complete.written.take());
                ready.push((complete, may_replace));
            }
            Err(why) => {
                target.discard(&complete.temporary);
                committed.left.push((complete.file.key, why));
            }
        }
    }
    let placing = |(complete, _): &(Complete, bool)| Record::Placing {
        file: complete.file.clone(),
        temporary: complete.temporary.clone(),
        hook,
    };
    target.sync_partial(&written).map_err(PullError::Disk)?;
    drop(written);
    ledger.append(ready.iter().map(placing).collect())?;
    settle(target, ledger, ready, committed)
}

/// Whether the file in the place may be replaced.
///
/// # Errors
/// Why nothing may be put there.
fn refusal(place: io::Result<Place>) -> Result<bool, String> {
    match place {
        Ok(place) => match place.obstacle() {
            Some(why) => Err(why.to_owned()),
            None => Ok(place == Place::Replaceable),
        },
        Err(error) => Err(unreachable_folder(&error)),
    }
}

/// Renames files that the ledger says are about to be placed.
fn settle(
    target: &Target,
    ledger: &mut LedgerFile,
    ready: Vec<(Complete, bool)>,
    mut committed: Committed,
) -> Result<Committed, PullError> {
    let (mut folders, mut records) = (BTreeMap::new(), Vec::new());
    for (complete, may_replace) in ready {
        let key = complete.file.key.clone();
        match target.place(&complete.temporary, &complete.path, may_replace) {
            Ok(folder) => {
                target.forget_parts(&complete.temporary);
                folders.entry(complete.path.folder().to_owned()).or_insert(folder);
                records.push(Record::Placed { key });
                committed.placed.push(complete);
            }
            Err(error) => {
                target.discard(&complete.temporary);
                records.push(Record::Dropped { key: key.clone() });
                committed.left.push((key, unreachable_folder(&error)));
            }
        }
    }
    // Without it a rename may be lost with the power; the ledger may not be ahead of it.
    target.sync_folders(folders.values()).map_err(PullError::Disk)?;
    ledger.append(records)?;
    Ok(committed)
}

/// Completes what a killed run was about to do: its files are complete, or have their names already.
pub(super) fn recover(target: &Target, ledger: &mut LedgerFile, overwrite: bool) -> Result<Committed, PullError> {
    let (mut committed, mut ready, mut records) = (Committed::default(), Vec::new(), Vec::new());
    let mut renamed = BTreeMap::new();
    for (key, progress) in ledger.ledger().unfinished() {
        let Progress::Placing { file, temporary, before, .. } = progress else { continue };
        let is_there = target.has(temporary).map_err(PullError::Disk)?;
        let Some(path) = path_of(key) else { continue };
        let complete = Complete { file: (**file).clone(), path, temporary: temporary.clone(), written: None };
        if !is_there {
            // Only the rename takes the temporary name away. A folder that others have replaced since is not followed.
            if let Ok(Some(folder)) = target.folder_of(&complete.path) {
                renamed.insert(complete.path.folder().to_owned(), folder);
            }
            records.push(Record::Placed { key: key.to_owned() });
            committed.placed.push(complete);
            continue;
        }
        let ours = before.as_ref().and_then(|before| before.local());
        match refusal(target.place_of(&complete.path, ours, overwrite)) {
            Ok(may_replace) => ready.push((complete, may_replace)),
            Err(why) => {
                target.discard(temporary);
                records.push(Record::Dropped { key: key.to_owned() });
                committed.left.push((key.to_owned(), why));
            }
        }
    }
    target.sync_folders(renamed.values()).map_err(PullError::Disk)?;
    ledger.append(records)?;
    settle(target, ledger, ready, committed)
}

/// The path of a key that the ledger has.
pub(super) fn path_of(key: &str) -> Option<LocalPath> {
    local(key).ok()
}

/// What is wrong with a place below the target folder.
pub(super) fn unreachable_folder(error: &io::Error) -> String {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::LOOP) => "a folder of its path is a symbolic link; not followed".to_owned(),
        Some(Errno::NOTDIR) => "a folder of its path is a file or a symbolic link".to_owned(),
        Some(Errno::XDEV) => "a folder of its path is on another file system".to_owned(),
        Some(Errno::EXIST) => "a file of this name appeared meanwhile; not replaced".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::super::ledger::Fetched;
    use super::super::sums::Compared;
    use super::super::target;
    use super::*;

    struct Bench {
        dir: tempfile::TempDir,
        target: Target,
        ledger: LedgerFile,
    }

    impl Bench {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let target = Target::open(dir.path()).unwrap();
            let ledger = LedgerFile::open(&dir.path().join("ledger.jsonl"), "b").unwrap();
            Self { dir, target, ledger }
        }

        /// A new process after this one was killed.
        fn again(self) -> Self {
            let Self { dir, target, ledger } = self;
            drop((target, ledger));
            let target = Target::open(dir.path()).unwrap();
            let ledger = LedgerFile::open(&dir.path().join("ledger.jsonl"), "b").unwrap();
            Self { dir, target, ledger }
        }

        fn complete(&self, key: &str, content: &str) -> Complete {
            let (temporary, mut written) = self.target.create().unwrap();
            written.write_all(content.as_bytes()).unwrap();
            let local_facts = target::finish(&written, 1_500_000_000_000_000_000).unwrap();
            let file = Fetched {
                key: key.into(),
                etag: content.into(),
                modified: 7,
                version: None,
                size: local_facts.size,
                mtime: local_facts.mtime,
                crc64nvme: String::new(),
                compared: Compared::Size,
            };
            Complete { file, path: local(key).unwrap(), temporary, written: Some(Arc::new(written)) }
        }

        fn commit(&mut self, batch: Vec<Complete>) -> Committed {
            commit(&self.target, &mut self.ledger, batch, (false, false)).unwrap()
        }

        fn read(&self, key: &str) -> String {
            std::fs::read_to_string(self.dir.path().join(key)).unwrap()
        }
    }

    #[test]
    fn a_batch_gets_its_names_except_where_others_are() {
        let mut bench = Bench::new();
        std::fs::create_dir(bench.dir.path().join("1")).unwrap();
        std::fs::write(bench.dir.path().join("1/foreign"), "theirs").unwrap();
        std::os::unix::fs::symlink("/tmp", bench.dir.path().join("1/link")).unwrap();
        let batch = ["1/a", "1/b", "1/foreign", "1/link/x", "1/foreign/x"].map(|key| bench.complete(key, "ours"));
        let committed = bench.commit(batch.into());
        let placed: Vec<_> = committed.placed.iter().map(|complete| complete.file.key.as_str()).collect();
        let left: Vec<_> = committed.left.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!((placed, left), (vec!["1/a", "1/b"], vec!["1/foreign", "1/link/x", "1/foreign/x"]));
        assert_eq!((bench.read("1/a"), bench.read("1/foreign")), ("ours".into(), "theirs".into()));
        assert!(bench.ledger.ledger().unfinished().is_empty());
        let bench = bench.again();
        assert!(bench.ledger.ledger().get("1/a").unwrap().is_of("ours", 7));
        assert!(bench.ledger.ledger().get("1/foreign").is_none());
    }

    #[test]
    fn a_newer_version_replaces_ours_unless_it_was_edited() {
        let mut bench = Bench::new();
        let first = bench.complete("1/a", "one");
        assert_eq!(bench.commit(vec![first]).placed.len(), 1);
        let mut bench = bench.again();
        let second = bench.complete("1/a", "the second");
        assert_eq!(bench.commit(vec![second]).placed.len(), 1);
        assert_eq!(bench.read("1/a"), "the second");
        std::fs::write(bench.dir.path().join("1/a"), "edited").unwrap();
        let third = bench.complete("1/a", "the third one");
        assert_eq!(bench.commit(vec![third]).left.len(), 1);
        assert_eq!(bench.read("1/a"), "edited");
    }

    /// Killed after the ledger was written, before or after the rename.
    #[test]
    fn a_killed_commit_is_completed() {
        for is_renamed in [false, true] {
            let mut bench = Bench::new();
            let complete = bench.complete("1/a", "one");
            let Complete { file, path, temporary, .. } = complete;
            let placing = Record::Placing { file, temporary: temporary.clone(), hook: true };
            bench.ledger.append(vec![placing]).unwrap();
            if is_renamed {
                bench.target.place(&temporary, &path, false).unwrap();
            }
            let mut bench = bench.again();
            let committed = recover(&bench.target, &mut bench.ledger, false).unwrap();
            assert_eq!((committed.left.len(), committed.placed.len()), (0, 1), "it is told as placed");
            assert_eq!(bench.read("1/a"), "one", "{is_renamed}");
            let progress = bench.ledger.ledger().get("1/a").unwrap().progress().clone();
            assert!(matches!(progress, Progress::HookDue(_)), "{progress:?}");
        }
    }

    /// Killed in the middle of a group's renames, when each file is somewhere.
    #[test]
    fn a_killed_group_is_completed() {
        let mut bench = Bench::new();
        let keys: Vec<String> = (0..40).map(|number| format!("{}/{number}", number % 3)).collect();
        let group: Vec<_> = keys.iter().map(|key| bench.complete(key, key)).collect();
        let written: Vec<_> = group.iter().filter_map(|complete| complete.written.clone()).collect();
        bench.target.sync_partial(&written).unwrap();
        let placing = |complete: &Complete| {
            let (file, temporary) = (complete.file.clone(), complete.temporary.clone());
            Record::Placing { file, temporary, hook: true }
        };
        bench.ledger.append(group.iter().map(placing).collect()).unwrap();
        for complete in &group[..17] {
            bench.target.place(&complete.temporary, &complete.path, false).unwrap();
        }
        // Taken away by the application, with the folder.
        std::fs::remove_dir_all(bench.dir.path().join("2")).unwrap();
        let mut bench = bench.again();
        let committed = recover(&bench.target, &mut bench.ledger, false).unwrap();
        assert_eq!((committed.left.len(), committed.placed.len()), (0, 40));
        let bench = bench.again();
        for (number, key) in keys.iter().enumerate() {
            let progress = bench.ledger.ledger().get(key).unwrap().progress();
            assert!(matches!(progress, Progress::HookDue(_)), "{key}: {progress:?}");
            if number % 3 != 2 || number >= 17 {
                assert_eq!(&bench.read(key), key);
            }
        }
    }

    #[test]
    fn a_killed_commit_does_not_replace_what_came_since() {
        let mut bench = Bench::new();
        let Complete { file, temporary, .. } = bench.complete("a", "one");
        bench.ledger.append(vec![Record::Placing { file, temporary, hook: false }]).unwrap();
        std::fs::write(bench.dir.path().join("a"), "theirs").unwrap();
        let mut bench = bench.again();
        let committed = recover(&bench.target, &mut bench.ledger, false).unwrap();
        assert_eq!((committed.placed.len(), committed.left.len()), (0, 1));
        assert_eq!(bench.read("a"), "theirs");
        assert!(bench.ledger.ledger().get("a").is_none(), "the next run fetches it again");
    }
}
