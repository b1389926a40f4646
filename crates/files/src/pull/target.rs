//! The target folder: files that are not complete yet, files that get their names, and those in quarantine.
//!
//! Nothing is reached but below the target folder, by descriptors and without following a link. The pull's own folder,
//! `.sftpctl-pull`, is for its user alone.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps, UTIME_OMIT,
    fallocate, flock, fstat, ftruncate, futimens, linkat, openat, renameat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use sftpctl_aws::owner::is_own;

use super::folders;
use super::group::{Group, sync};
use super::ledger::LocalFacts;
use super::parts::{self, Of};
use super::path::LocalPath;

/// The pull's own folder in the target folder.
pub const OWN_FOLDER: &str = ".sftpctl-pull";
/// Files whose hook failed too often.
pub const QUARANTINE: &str = ".sftpctl-quarantine";
const PARTIAL: &str = "partial";
/// The ending of the record of a partial file's parts.
const PARTS: &str = ".parts";

/// The target folder of a running pull.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    root: OwnedFd,
    partial: OwnedFd,
    group: Group,
    /// Held as long as the pull runs.
    _lock: File,
    next: AtomicU64,
}

/// A file that a killed run left unfinished.
#[derive(Debug)]
pub(super) struct Leftover {
    pub(super) temporary: String,
    pub(super) of: Of,
    /// Checksums of the parts by their beginnings.
    pub(super) parts: std::collections::BTreeMap<u64, u64>,
}

/// Why the target folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("cannot use the folder {}: {error}", path.display())]
    Unusable { path: PathBuf, error: io::Error },
    #[error("another pull into {} is running", path.display())]
    Locked { path: PathBuf },
    #[error("{} belongs to another user, or others may write to it", path.display())]
    NotOurs { path: PathBuf },
}

/// What is in the place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// A file that may be replaced.
    Replaceable,
    /// A file that this pull has not written, or that was changed since.
    Foreign,
    Folder,
}

impl Place {
    /// Why a file cannot get its name.
    pub(super) fn obstacle(self) -> Option<&'static str> {
        match self {
            Self::Free | Self::Replaceable => None,
            Self::Foreign => {
                Some("a file of this name was not written by the pull, or was changed since; not replaced")
            }
            Self::Folder => Some("a folder has this name"),
        }
    }
}

/// Whether a folder is this user's, and nobody else may write to it.
fn is_closed(stat: &Stat) -> bool {
    is_own(stat.st_uid) && stat.st_mode & 0o022 == 0
}

impl Target {
    /// Opens the target folder, for one pull at a time.
    pub(super) fn open(path: &Path) -> Result<Self, TargetError> {
        let unusable = |error: io::Error| TargetError::Unusable { path: path.to_owned(), error };
        let path = path.canonicalize().map_err(unusable)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(CWD, &path, flags, Mode::empty()).map_err(|error| unusable(error.into()))?;
        let own = folders::create(&root, OWN_FOLDER, Mode::RWXU).map_err(unusable)?;
        let stat = fstat(&own).map_err(|error| unusable(error.into()))?;
        if !is_closed(&stat) {
            return Err(TargetError::NotOurs { path: path.join(OWN_FOLDER) });
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let lock = openat(&own, "lock", flags, Mode::RUSR | Mode::WUSR).map_err(|error| unusable(error.into()))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(TargetError::Locked { path }),
            Err(error) => return Err(unusable(error.into())),
        }
        let partial = folders::create(&own, PARTIAL, Mode::RWXU).map_err(unusable)?;
        let stat = fstat(&partial).map_err(|error| unusable(error.into()))?;
        if !is_closed(&stat) {
            return Err(TargetError::NotOurs { path: path.join(OWN_FOLDER).join(PARTIAL) });
        }
        let group = Group::of(&partial).map_err(unusable)?;
        Ok(Self { path, root, partial, group, _lock: lock.into(), next: AtomicU64::new(1) })
    }

    /// Bytes that are free on the disk for others than root, if its file system tells.
    pub(super) fn free(&self) -> Option<u64> {
        let found = rustix::fs::fstatvfs(&self.partial).ok().filter(|found| found.f_blocks > 0)?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// The file with this path, for people and hooks.
    pub(super) fn full(&self, path: &str) -> PathBuf {
        self.path.join(path)
    }

    /// Deletes partial files, but for those that can be continued, and returns these by their keys.
    pub(super) fn leftovers(&self) -> io::Result<HashMap<String, Leftover>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.partial)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        let mut leftovers = HashMap::new();
        for name in names.iter().filter(|name| *name != "." && *name != ".." && !name.ends_with(PARTS)) {
            let numbered = name.parse::<u64>().unwrap_or_default();
            self.next.fetch_max(numbered.saturating_add(1), Ordering::Relaxed);
            match self.leftover(name)? {
                Some(leftover) => {
                    let older: Option<Leftover> = leftovers.insert(leftover.of.key.clone(), leftover);
                    older.iter().for_each(|older| self.discard(&older.temporary));
                }
                None => self.discard(name),
            }
        }
        for name in names.iter().filter_map(|name| name.strip_suffix(PARTS)) {
            if !names.iter().any(|other| other == name) {
                self.discard(name);
            }
        }
        Ok(leftovers)
    }

    fn leftover(&self, name: &str) -> io::Result<Option<Leftover>> {
        // Without a wait for the other end of a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut text = Vec::new();
        match openat(&self.partial, format!("{name}{PARTS}"), flags, Mode::empty()) {
            Ok(record) => File::from(record).read_to_end(&mut text)?,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(parts::read(&text).map(|(of, parts)| Leftover { temporary: name.to_owned(), of, parts }))
    }

    /// Creates a file under a temporary name of its own.
    pub(super) fn create(&self) -> io::Result<(String, File)> {
        loop {
            let name = self.next.fetch_add(1, Ordering::Relaxed).to_string();
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let ordinary = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
            match openat(&self.partial, &name, flags, ordinary) {
                Ok(file) => return Ok((name, file.into())),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Makes files under temporary names durable, and the names: what the ledger says of them has to be true after a loss of
    /// power.
    pub(super) fn sync_partial(&self, written: &[Arc<File>]) -> io::Result<()> {
        let mut all: Vec<_> = written.iter().map(AsFd::as_fd).collect();
        all.push(self.partial.as_fd());
        self.group.sync_all(&all)
    }

    /// The folder of a file; `None` if it does not exist.
    pub(super) fn folder_of(&self, path: &LocalPath) -> io::Result<Option<OwnedFd>> {
        folders::open_below(&self.root, path.folder())
    }

    /// Makes the names in folders durable.
    pub(super) fn sync_folders<'a>(&self, folders: impl Iterator<Item = &'a OwnedFd>) -> io::Result<()> {
        self.group.sync_all(&folders.map(AsFd::as_fd).collect::<Vec<_>>())
    }

    /// Opens a file under its temporary name.
    pub(super) fn reopen(&self, temporary: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.partial, temporary, flags, Mode::empty())?.into())
    }

    /// Opens the record of a partial file's parts, to append to it.
    pub(super) fn record(&self, temporary: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.partial, format!("{temporary}{PARTS}"), flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Deletes a partial file and its record. An error is of no consequence: the next run deletes them.
    pub(super) fn discard(&self, temporary: &str) {
        let _ = unlinkat(&self.partial, temporary, AtFlags::empty());
        self.forget_parts(temporary);
    }

    /// Deletes the record of a file's parts.
    pub(super) fn forget_parts(&self, temporary: &str) {
        let _ = unlinkat(&self.partial, format!("{temporary}{PARTS}"), AtFlags::empty());
    }

    /// Whether there is a file under this temporary name.
    pub(super) fn has(&self, temporary: &str) -> io::Result<bool> {
        match statat(&self.partial, temporary, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What is in the place of a file. `ours` are the facts of the file that the pull placed there before; `overwrite`
    /// allows to replace any other.
    pub(super) fn place_of(&self, path: &LocalPath, ours: Option<LocalFacts>, overwrite: bool) -> io::Result<Place> {
        let Some(folder) = self.folder_of(path)? else { return Ok(Place::Free) };
        let stat = match statat(&folder, path.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(Place::Free),
            Err(error) => return Err(error.into()),
        };
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Place::Folder,
            FileType::RegularFile if ours == Some(facts(&stat)) => Place::Replaceable,
            _ if overwrite => Place::Replaceable,
            _ => Place::Foreign,
        })
    }

    /// Gives a complete file its name, and returns its folder, to be synchronised. `replace` allows that the name is in
    /// use.
    pub(super) fn place(&self, temporary: &str, path: &LocalPath, replace: bool) -> io::Result<OwnedFd> {
        let folder = folders::create_below(&self.root, path.folder())?;
        if replace {
            renameat(&self.partial, temporary, &folder, path.name())?;
        } else {
            rename_new((&self.partial, temporary), (&folder, path.name()))?;
        }
        Ok(folder)
    }

    /// A path in the quarantine, below the target folder, that is free: an earlier version of the file may be there.
    pub(super) fn free_in_quarantine(&self, path: &LocalPath) -> io::Result<String> {
        let quarantine = folders::create(&self.root, QUARANTINE, Mode::RWXU)?;
        let folder = folders::create_below(&quarantine, path.folder())?;
        let names = (0_u64..).map(|number| match number {
            0 => path.name().to_owned(),
            number => format!("{number}.{}", path.name()),
        });
        for name in names {
            match statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => {}
                Err(Errno::NOENT) => {
                    let slash = if path.folder().is_empty() { "" } else { "/" };
                    return Ok(format!("{QUARANTINE}/{}{slash}{name}", path.folder()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EXIST.into())
    }

    /// Moves a file to a path that [`Self::free_in_quarantine`] returned.
    pub(super) fn quarantine(&self, path: &LocalPath, place: &str) -> io::Result<()> {
        let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
        let from = self.folder_of(path)?.ok_or(Errno::NOENT)?;
        let to = folders::create_below(&self.root, folder)?;
        rename_new((&from, path.name()), (&to, name))?;
        sync(&to)?;
        sync(&from)
    }

    /// Whether a file is in the quarantine under this path.
    pub(super) fn is_quarantined(&self, place: &str) -> io::Result<bool> {
        let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
        let Some(folder) = folders::open_below(&self.root, folder)? else { return Ok(false) };
        Ok(statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok())
    }

    /// Moves a file back from the quarantine. An error is also that its name is in use.
    pub(super) fn restore(&self, place: &str, path: &LocalPath) -> io::Result<()> {
        let (folder, name) = place.rsplit_once('/').unwrap_or(("", place));
        let from = folders::open_below(&self.root, folder)?.ok_or(Errno::NOENT)?;
        let to = folders::create_below(&self.root, path.folder())?;
        rename_new((&from, name), (&to, path.name()))?;
        sync(&to)?;
        sync(&from)
    }
}

/// Renames a file to a name that is not in use.
fn rename_new((from, old): (&OwnedFd, &str), (to, new): (&OwnedFd, &str)) -> io::Result<()> {
    match renameat_with(from, old, to, new, RenameFlags::NOREPLACE) {
        // A file system that cannot, such as NFS: a second name, and then without the first.
        Err(Errno::INVAL | Errno::NOSYS) => {
            linkat(from, old, to, new, AtFlags::empty())?;
            Ok(unlinkat(from, old, AtFlags::empty())?)
        }
        other => Ok(other?),
    }
}

/// Reserves the space of a file, so that a full disk is found before its content is sent.
pub(super) fn reserve(file: &File, size: u64) -> io::Result<()> {
    match fallocate(file, rustix::fs::FallocateFlags::empty(), 0, size) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(ftruncate(file, size)?),
        other => Ok(other?),
    }
}

/// Sets the time of modification (nanoseconds since 1970) of a complete file, and returns its facts as the file system
/// keeps them.
pub(super) fn finish(file: &File, mtime: i64) -> io::Result<LocalFacts> {
    let time = |nanoseconds: i64| Timespec {
        tv_sec: nanoseconds.div_euclid(1_000_000_000),
        tv_nsec: nanoseconds.rem_euclid(1_000_000_000),
    };
    let omitted = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    futimens(file, &Timestamps { last_access: omitted, last_modification: time(mtime) })?;
    Ok(facts(&fstat(file)?))
}

fn facts(stat: &Stat) -> LocalFacts {
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or_default();
    LocalFacts {
        size: u64::try_from(stat.st_size).unwrap_or_default(),
        mtime: stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::line;
    use super::super::parts::Written;
    use super::super::path::local;
    use super::*;

    fn complete(target: &Target, content: &str) -> (String, LocalFacts) {
        let (name, mut file) = target.create().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        (name, finish(&file, 1_500_000_000_000_000_000).unwrap())
    }

    #[test]
    fn only_one_pull_at_a_time_and_only_in_our_own_folder() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::open(dir.path()).unwrap();
        assert!(matches!(Target::open(dir.path()), Err(TargetError::Locked { .. })));
        drop(target);
        Target::open(dir.path()).unwrap();
        let own = File::open(dir.path().join(OWN_FOLDER)).unwrap();
        rustix::fs::fchmod(&own, Mode::from_raw_mode(0o777)).unwrap();
        assert!(matches!(Target::open(dir.path()), Err(TargetError::NotOurs { .. })));
        rustix::fs::fchmod(&own, Mode::RWXU).unwrap();
        let partial = File::open(dir.path().join(OWN_FOLDER).join(PARTIAL)).unwrap();
        rustix::fs::fchmod(&partial, Mode::from_raw_mode(0o777)).unwrap();
        assert!(
            matches!(Target::open(dir.path()), Err(TargetError::NotOurs { .. })),
            "finished files could be exchanged"
        );
        rustix::fs::fchmod(&partial, Mode::RWXU).unwrap();
        // Nobody opens the other end.
        for name in ["1", "1.parts"] {
            rustix::fs::mknodat(&partial, name, FileType::Fifo, Mode::RWXU, 0).unwrap();
        }
        assert!(Target::open(dir.path()).unwrap().leftovers().unwrap().is_empty());
        std::fs::remove_dir_all(dir.path().join(OWN_FOLDER)).unwrap();
        std::os::unix::fs::symlink("/tmp", dir.path().join(OWN_FOLDER)).unwrap();
        assert!(matches!(Target::open(dir.path()), Err(TargetError::Unusable { .. })));
        assert!(matches!(Target::open(&dir.path().join("missing")), Err(TargetError::Unusable { .. })));
    }

    #[test]
    fn files_get_their_names_and_replace_only_our_own() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::open(dir.path()).unwrap();
        let path = local("17578/in/order.csv").unwrap();
        let on_disk = dir.path().join(path.as_str());
        let (name, ours) = complete(&target, "one");
        assert_eq!(ours, LocalFacts { size: 3, mtime: 1_500_000_000_000_000_000 });
        assert_eq!(target.place_of(&path, None, false).unwrap(), Place::Free);
        target.place(&name, &path, false).unwrap();
        assert_eq!(std::fs::read_to_string(&on_disk).unwrap(), "one");
        assert!(!target.has(&name).unwrap());

        assert_eq!(target.place_of(&path, None, false).unwrap(), Place::Foreign);
        assert_eq!(target.place_of(&path, None, true).unwrap(), Place::Replaceable);
        assert_eq!(target.place_of(&path, Some(ours), false).unwrap(), Place::Replaceable);
        let (name, _) = complete(&target, "two");
        let refused = target.place(&name, &path, false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        target.place(&name, &path, true).unwrap();
        assert_eq!(std::fs::read_to_string(&on_disk).unwrap(), "two");
        std::fs::write(&on_disk, "edited").unwrap();
        assert_eq!(target.place_of(&path, Some(ours), false).unwrap(), Place::Foreign);

        assert_eq!(target.place_of(&local("17578/in").unwrap(), None, true).unwrap(), Place::Folder);
        assert!(target.place_of(&local("17578/in/order.csv/x").unwrap(), None, true).is_err(), "below a file");
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("17578/link")).unwrap();
        assert_eq!(target.place_of(&local("17578/link").unwrap(), None, false).unwrap(), Place::Foreign);
    }

    #[test]
    fn unfinished_files_are_found_again_and_the_rest_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::open(dir.path()).unwrap();
        let (resumable, _) = complete(&target, "part");
        let (lost, _) = complete(&target, "small");
        let of = Of { key: "17578/a".into(), etag: "x".into(), size: 9 };
        let part = Written { start: 0, crc64: 1 };
        let record = line::written(&of).unwrap() + &line::written(&part).unwrap();
        target.record(&resumable).unwrap().write_all(record.as_bytes()).unwrap();
        target.record("77").unwrap().write_all(record.as_bytes()).unwrap();
        drop(target);

        let target = Target::open(dir.path()).unwrap();
        let found = target.leftovers().unwrap();
        let leftover = &found["17578/a"];
        assert_eq!((found.len(), &leftover.temporary, &leftover.of), (1, &resumable, &of));
        assert_eq!(leftover.parts, [(0, 1)].into());
        assert!(!target.has(&lost).unwrap());
        assert_ne!(target.create().unwrap().0, resumable, "names are not used twice");
        assert!(target.record("77").unwrap().metadata().unwrap().len() == 0);
    }

    #[test]
    fn a_quarantined_file_can_be_brought_back() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::open(dir.path()).unwrap();
        let path = local("17578/in/a").unwrap();
        let mut places = Vec::new();
        for content in ["one", "two"] {
            let (name, _) = complete(&target, content);
            target.place(&name, &path, false).unwrap();
            let place = target.free_in_quarantine(&path).unwrap();
            target.quarantine(&path, &place).unwrap();
            places.push(place);
        }
        assert_eq!(places, [".sftpctl-quarantine/17578/in/a", ".sftpctl-quarantine/17578/in/1.a"]);
        assert!(target.quarantine(&path, ".sftpctl-quarantine/17578/in/2.a").is_err(), "nothing is there");
        assert!(target.is_quarantined(&places[0]).unwrap());
        target.restore(&places[0], &path).unwrap();
        assert!(!target.is_quarantined(&places[0]).unwrap());
        assert_eq!(std::fs::read_to_string(dir.path().join("17578/in/a")).unwrap(), "one");
        assert!(target.restore(&places[1], &path).is_err(), "the name is in use");
    }
}
