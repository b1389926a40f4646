//! The folder for temporary data of a mount. What is in it is deleted, so it is taken only if it was new or empty, it is
//! marked, and nothing is deleted without the mark, through a link, or in another file system.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RawMode, ResolveFlags, Stat, fchmod, fstat, mkdirat, openat, openat2,
    statat, unlinkat,
};
use rustix::io::Errno;
use sftpctl_aws::owner::is_own;

use super::super::mountinfo::mounts_in;

/// The file that marks a folder, with the name of its mount.
pub const MARKER: &str = ".sftpctl-cache";

/// What a new file system of its own has.
const LOST: &str = "lost+found";

/// File systems of disks and of memory, on which temporary data may be. Not those of buckets and of other machines.
const LOCAL: [&str; 9] = ["bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "tmpfs", "xfs", "zfs"];

/// Why a folder is not used, or nothing in it is deleted.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("{0} is not a folder, or its path has links in it")]
    Linked(String),
    #[error("others than root can change or replace {0}")]
    Untrusted(String),
    #[error("{path} is not empty, and is not marked as the folder of the mount {name}")]
    Foreign { path: String, name: String },
    #[error("{path} is the folder of the mount {other}")]
    OfAnother { path: String, other: String },
    #[error("{0} is mounted, in a folder whose files are deleted")]
    Mounted(String),
    #[error("{path}")]
    Io { path: String, source: io::Error },
}

/// What a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Absent,
    /// Without files and a mark.
    Empty,
    /// Marked as that of the mount.
    Marked,
}

/// A folder that nobody but root can change or replace.
struct Opened {
    folder: OwnedFd,
    parent: OwnedFd,
    name: OsString,
    facts: Stat,
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const WRITABLE_BY_OTHERS: RawMode = 0o022;
const STICKY: RawMode = 0o1000;

/// Whether a user is root, or the one who runs this, who is root where mounts are installed.
pub(super) fn is_trusted(uid: u32) -> bool {
    uid == 0 || is_own(uid)
}

fn broken(path: &Path) -> impl Fn(Errno) -> Refusal {
    move |error| match error {
        Errno::NOTDIR | Errno::LOOP => Refusal::Linked(path.display().to_string()),
        error => Refusal::Io { path: path.display().to_string(), source: error.into() },
    }
}

/// Opens a folder, from `/` down, without following a link. `None` if it does not exist and is not to be created.
fn open(path: &Path, creates: bool) -> Result<Option<Opened>, Refusal> {
    let broken = broken(path);
    let through = FOLDER.difference(OFlags::RDONLY).union(OFlags::PATH);
    let untrusted = || Refusal::Untrusted(path.display().to_string());
    let mut parent = openat(CWD, "/", through, Mode::empty()).map_err(&broken)?;
    let names: Vec<&OsStr> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect();
    for (index, name) in names.iter().enumerate() {
        let is_last = index + 1 == names.len();
        let flags = if is_last { FOLDER } else { through };
        let folder = match openat(&parent, *name, flags, Mode::empty()) {
            Err(Errno::NOENT) if !creates => return Ok(None),
            Err(Errno::NOENT) => {
                // What is above it is for everybody, as `/var/cache`.
                let mode = if is_last { Mode::RWXU } else { Mode::from_raw_mode(0o755) };
                mkdirat(&parent, *name, mode).map_err(&broken)?;
                openat(&parent, *name, flags, Mode::empty()).map_err(&broken)?
            }
            folder => folder.map_err(&broken)?,
        };
        let (above, facts) = (fstat(&parent).map_err(&broken)?, fstat(&folder).map_err(&broken)?);
        let is_writable = above.st_mode & WRITABLE_BY_OTHERS != 0;
        if !is_trusted(above.st_uid) || !is_trusted(facts.st_uid) || is_writable && above.st_mode & STICKY == 0 {
            return Err(untrusted());
        }
        if is_last {
            return Ok(Some(Opened { folder, parent, name: (*name).to_owned(), facts }));
        }
        parent = folder;
    }
    Err(untrusted())
}

fn names(folder: &OwnedFd) -> rustix::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// The name of the mount whose folder this is. A mark that others could have made is none.
fn mark(folder: &OwnedFd) -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(folder, MARKER, flags, Mode::empty()).ok()?;
    let facts = fstat(&file).ok()?;
    let is_file = FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile;
    if !is_file || !is_trusted(facts.st_uid) || facts.st_mode & WRITABLE_BY_OTHERS != 0 {
        return None;
    }
    let mut text = String::new();
    File::from(file).take(4096).read_to_string(&mut text).ok()?;
    Some(text.trim().to_owned())
}

/// Looks at the folder of the mount `name`.
///
/// # Errors
/// If it may not be used.
pub fn examine(path: &Path, name: &str) -> Result<Found, Refusal> {
    open(path, false)?.map_or(Ok(Found::Absent), |opened| found(path, &opened, name))
}

fn found(path: &Path, opened: &Opened, name: &str) -> Result<Found, Refusal> {
    let shown = || path.display().to_string();
    let table = fs::read_to_string("/proc/self/mountinfo");
    let table = table.map_err(|source| Refusal::Io { path: "/proc/self/mountinfo".into(), source })?;
    let is_own_disk = |at: &Path, file_system: &str| at == path && LOCAL.contains(&file_system);
    for entry in mounts_in(&table, path) {
        if !is_own_disk(&entry.at, &entry.file_system) {
            return Err(Refusal::Mounted(entry.at.display().to_string()));
        }
    }
    match mark(&opened.folder) {
        Some(marked) if marked == name => Ok(Found::Marked),
        Some(other) => Err(Refusal::OfAnother { path: shown(), other }),
        None => {
            let names = names(&opened.folder).map_err(broken(path))?;
            match names.iter().all(|name| name == LOST) {
                true => Ok(Found::Empty),
                false => Err(Refusal::Foreign { path: shown(), name: name.to_owned() }),
            }
        }
    }
}

/// Whether a folder has the rights that [`prepare`] gives it.
pub(super) fn is_private(path: &Path) -> bool {
    open(path, false).is_ok_and(|opened| opened.is_some_and(|opened| opened.facts.st_mode & 0o777 == 0o700))
}

/// Makes a folder, or takes one that is empty, for the mount `name`.
///
/// # Errors
/// If it may not be used.
pub fn prepare(path: &Path, name: &str) -> Result<(), Refusal> {
    let opened = open(path, true)?.ok_or_else(|| broken(path)(Errno::NOENT))?;
    let found = found(path, &opened, name)?;
    fchmod(&opened.folder, Mode::RWXU).map_err(broken(path))?;
    if found != Found::Marked {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&opened.folder, MARKER, flags, Mode::RUSR | Mode::WUSR).map_err(broken(path))?;
        let written = File::from(file).write_all(format!("{name}\n").as_bytes());
        written.map_err(|source| Refusal::Io { path: path.join(MARKER).display().to_string(), source })?;
    }
    Ok(())
}

fn marked(path: &Path, name: &str) -> Result<Option<Opened>, Refusal> {
    let Some(opened) = open(path, false)? else { return Ok(None) };
    match found(path, &opened, name)? {
        Found::Marked => Ok(Some(opened)),
        Found::Absent | Found::Empty => {
            Err(Refusal::Foreign { path: path.display().to_string(), name: name.to_owned() })
        }
    }
}

/// Whether there is anything but the mark in a folder.
///
/// # Errors
/// If it is not that of the mount `name`.
pub fn has_files(path: &Path, name: &str) -> Result<bool, Refusal> {
    let Some(opened) = marked(path, name)? else { return Ok(false) };
    Ok(names(&opened.folder).map_err(broken(path))?.iter().any(|name| name != MARKER && name != LOST))
}

/// Deletes what is in the folder of the mount `name`, except for the names that are in use.
///
/// # Errors
/// If it is not marked as that mount's, a file system is mounted in it, or something cannot be deleted.
pub fn empty(path: &Path, name: &str, is_used: impl Fn(&OsStr) -> bool) -> Result<(), Refusal> {
    let Some(opened) = marked(path, name)? else { return Ok(()) };
    let keeps = |name: &OsStr| name == MARKER || name == LOST || is_used(name);
    clear(&opened.folder, opened.facts.st_dev, &keeps).map_err(broken(path))
}

/// Empties and removes the folder of the mount `name`. A disk of its own stays.
///
/// # Errors
/// As [`empty`].
pub fn remove(path: &Path, name: &str) -> Result<(), Refusal> {
    empty(path, name, |_| false)?;
    let Some(opened) = marked(path, name)? else { return Ok(()) };
    unlinkat(&opened.folder, MARKER, AtFlags::empty()).map_err(broken(path))?;
    let _ = unlinkat(&opened.parent, &opened.name, AtFlags::REMOVEDIR);
    Ok(())
}

/// Deletes what is in a folder, in its file system `device` only.
fn clear(folder: &OwnedFd, device: u64, keeps: &dyn Fn(&OsStr) -> bool) -> rustix::io::Result<()> {
    for name in names(folder)?.iter().filter(|name| !keeps(name)) {
        let facts = match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            facts => facts?,
        };
        if facts.st_dev != device {
            return Err(Errno::XDEV);
        }
        let flags = if FileType::from_raw_mode(facts.st_mode) == FileType::Directory {
            let below = step(folder, name)?;
            if fstat(&below)?.st_dev != device {
                return Err(Errno::XDEV);
            }
            clear(&below, device, &|_| false)?;
            AtFlags::REMOVEDIR
        } else {
            AtFlags::empty()
        };
        match unlinkat(folder, name, flags) {
            Err(Errno::NOENT) => {}
            done => done?,
        }
    }
    Ok(())
}

/// Opens a folder in another; not one that is mounted there, of the same device or not.
fn step(folder: impl AsFd, name: &OsStr) -> rustix::io::Result<OwnedFd> {
    let confined = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    match openat2(&folder, name, FOLDER, Mode::empty(), confined) {
        // Linux before 5.6, and containers whose filter does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => openat(&folder, name, FOLDER, Mode::empty()),
        folder => folder,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        (dir, path)
    }

    #[test]
    fn only_a_new_or_empty_folder_becomes_a_cache_and_only_a_marked_one_is_emptied() {
        let (_dir, root) = folder();
        let new = root.join("var/cache");
        assert_eq!(examine(&new, "sftp").unwrap(), Found::Absent);
        prepare(&new, "sftp").unwrap();
        prepare(&new, "sftp").unwrap();
        assert_eq!(fs::metadata(root.join("var")).unwrap().permissions().mode() & 0o755, 0o755);
        assert_eq!(examine(&new, "sftp").unwrap(), Found::Marked);
        assert!(is_private(&new) && !has_files(&new, "sftp").unwrap());
        assert!(matches!(prepare(&new, "other"), Err(Refusal::OfAnother { .. })));
        assert!(matches!(empty(&new, "other", |_| false), Err(Refusal::OfAnother { .. })));

        // One with files keeps them, and its rights.
        let foreign = root.join("home");
        fs::create_dir(&foreign).unwrap();
        fs::set_permissions(&foreign, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(foreign.join("order.csv"), "an order").unwrap();
        assert!(matches!(prepare(&foreign, "sftp"), Err(Refusal::Foreign { .. })));
        assert!(matches!(empty(&foreign, "sftp", |_| false), Err(Refusal::Foreign { .. })));
        assert!(matches!(remove(&foreign, "sftp"), Err(Refusal::Foreign { .. })));
        // A mark that others can write is none.
        fs::write(foreign.join(MARKER), "sftp").unwrap();
        fs::set_permissions(foreign.join(MARKER), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(matches!(remove(&foreign, "sftp"), Err(Refusal::Foreign { .. })));
        assert_eq!(fs::metadata(&foreign).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(fs::read_to_string(foreign.join("order.csv")).unwrap(), "an order");

        // Everything in a marked one is deleted, but not what a link leads to, nor what is in use.
        fs::create_dir_all(new.join("a/b")).unwrap();
        fs::write(new.join("a/b/file"), "").unwrap();
        fs::write(new.join("used"), "").unwrap();
        symlink(&foreign, new.join("a/link")).unwrap();
        empty(&new, "sftp", |name| name == "used").unwrap();
        assert!(!new.join("a").exists() && new.join("used").exists() && foreign.join("order.csv").exists());
        remove(&new, "sftp").unwrap();
        assert!(!new.exists() && foreign.join("order.csv").exists());
        // What is gone is no fault.
        remove(&new, "sftp").unwrap();
    }

    #[test]
    fn a_folder_that_others_can_replace_is_no_cache() {
        let (_dir, root) = folder();
        let own = root.join("own");
        fs::create_dir(&own).unwrap();
        symlink(&own, root.join("link")).unwrap();
        for linked in ["link", "link/cache"] {
            assert!(matches!(prepare(&root.join(linked), "sftp"), Err(Refusal::Linked(_))), "{linked}");
        }
        let shared = root.join("shared");
        fs::create_dir_all(shared.join("cache")).unwrap();
        for (mode, is_safe) in [(0o777, false), (0o775, false), (0o1777, true), (0o755, true)] {
            fs::set_permissions(&shared, fs::Permissions::from_mode(mode)).unwrap();
            let found = examine(&shared.join("cache"), "sftp");
            assert_eq!(found.is_ok(), is_safe, "{mode:o}: {found:?}");
        }
        assert_eq!(fs::read_dir(&own).unwrap().count(), 0, "nothing was made through the link");
    }

    #[test]
    fn another_file_system_is_never_emptied() {
        // The file systems of this machine are two at least; this one is only read.
        let device = fstat(File::open("/proc").unwrap()).unwrap().st_dev;
        let (_dir, root) = folder();
        fs::create_dir(root.join("mounted")).unwrap();
        fs::write(root.join("mounted/order.csv"), "an order").unwrap();
        let opened = OwnedFd::from(File::open(&root).unwrap());
        assert_eq!(clear(&opened, device, &|_| false), Err(Errno::XDEV));
        assert!(root.join("mounted/order.csv").exists());
        assert_eq!(step(File::open("/").unwrap(), OsStr::new("proc")).err(), Some(Errno::XDEV));
    }
}
