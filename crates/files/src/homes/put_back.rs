//! Writes objects into a home on the disk again, without ever leaving it: what customers and the application stored
//! after the cut-over.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self, AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid};
use rustix::io::Errno;

use super::entry::{Facts, Kind, Nanoseconds};
use super::metadata::Owned;
use super::name::Raw;
use super::walk::facts;

/// A folder that is written to.
#[derive(Debug)]
pub struct Folder {
    root: OwnedFd,
    /// A folder beside it, in which files are until they are complete.
    staging: PathBuf,
    staged: OnceLock<OwnedFd>,
    next: AtomicU64,
    /// Owner and rights of what has none in its metadata.
    owner: Facts,
}

/// What an object becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels {
    pub owned: Owned,
    /// Of an object without a time in its metadata.
    pub modified: Nanoseconds,
    /// Whether set-user-ID and set-group-ID are set: everybody who may write to the bucket could give a program root's
    /// rights otherwise.
    pub keeps_set_id: bool,
}

impl Labels {
    /// The bits of a file's mode that are set.
    fn rights(&self) -> u32 {
        if self.keeps_set_id { 0o7777 } else { 0o1777 }
    }
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// It cannot be opened, or is a link.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = fs::open(path, flags, Mode::empty())?;
        let owner = facts(&fs::fstat(&root)?);
        let mut name = OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".put-back");
        let staging = path.with_file_name(name);
        Ok(Self { root, staging, staged: OnceLock::new(), next: AtomicU64::new(0), owner })
    }

    /// The folder for files that are not complete yet. One that a killed run has left is used, and removed in the end.
    fn staged(&self) -> io::Result<&OwnedFd> {
        if let Some(staged) = self.staged.get() {
            return Ok(staged);
        }
        match fs::mkdirat(CWD, &self.staging, Mode::from(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = fs::openat(CWD, &self.staging, flags, Mode::empty())?;
        // Two of this run at once: one of them is kept, and both are the same folder.
        Ok(self.staged.get_or_init(|| opened))
    }

    /// A new name there.
    fn name(&self) -> String {
        format!("{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Removes the folder for files that are not complete, if it was needed.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn close(&self) -> io::Result<()> {
        match self.staged.get() {
            Some(_) => std::fs::remove_dir_all(&self.staging),
            None => Ok(()),
        }
    }

    /// What is at a path; `None` if nothing is.
    ///
    /// # Errors
    /// A folder on the way cannot be read, or is something else.
    pub fn look(&self, path: &Raw) -> io::Result<Option<Facts>> {
        let parent = match self.parent(path, false) {
            Ok(parent) => parent,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match fs::statat(&parent, path.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(facts(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins a file, whose content is written to what this returns.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn begin(&self, path: &Raw) -> io::Result<Begun> {
        let parent = self.parent(path, true)?;
        let staged = self.name();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(self.staged()?, &staged, flags, Mode::from(0o600))?;
        Ok(Begun { parent, file: file.into(), staged, name: path.name().to_vec() })
    }

    /// Removes a file that is not going to be complete, so that it takes no room.
    pub fn discard(&self, begun: &Begun) {
        let _ = self.staged().map(|staged| fs::unlinkat(staged, &begun.staged, AtFlags::empty()));
    }

    /// Reads a file that is there.
    ///
    /// # Errors
    /// It cannot be opened, or is not a file.
    pub fn read(&self, path: &Raw) -> io::Result<std::fs::File> {
        let parent = self.parent(path, false)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&parent, path.name(), flags, Mode::empty())?;
        match facts(&fs::fstat(&file)?).kind() {
            Kind::File => Ok(file.into()),
            other => Err(io::Error::other(format!("it is a {}", other.as_str()))),
        }
    }

    /// The target of a link that is there.
    ///
    /// # Errors
    /// It is not a link.
    pub fn target(&self, path: &Raw) -> io::Result<Vec<u8>> {
        let parent = self.parent(path, false)?;
        Ok(fs::readlinkat(&parent, path.name(), Vec::new())?.into_bytes())
    }

    /// Puts a file in its place, complete and with its labels.
    ///
    /// # Errors
    /// It cannot be written, or something else is in its place.
    pub fn finish(&self, begun: Begun, labels: &Labels) -> io::Result<()> {
        let placed = self.place(&begun, labels);
        if placed.is_err() {
            self.discard(&begun);
        }
        placed
    }

    fn place(&self, begun: &Begun, labels: &Labels) -> io::Result<()> {
        self.label(&begun.file, labels)?;
        begun.file.sync_all()?;
        Ok(fs::renameat(self.staged()?, &begun.staged, &begun.parent, &begun.name)?)
    }

    /// Gives a file that is there its labels.
    ///
    /// # Errors
    /// It cannot be opened, or is not a file.
    pub fn relabel(&self, path: &Raw, labels: &Labels) -> io::Result<()> {
        let file = self.read(path)?;
        self.label(&file, labels)?;
        file.sync_all()
    }

    fn label(&self, file: &std::fs::File, labels: &Labels) -> io::Result<()> {
        let (owner, group) = self.owner(labels);
        // Before the rights: a change of the owner takes set-user-ID away.
        self.chown(fs::fchown(file, Some(owner), Some(group)))?;
        fs::fchmod(file, Mode::from_raw_mode(labels.owned.mode.unwrap_or(0o644) & labels.rights()))?;
        Ok(fs::futimens(file, &times(labels))?)
    }

    /// The path at which an object can be whose own path leads through something that is not a folder: each such part has
    /// another name.
    ///
    /// # Errors
    /// The home cannot be read.
    pub fn enterable(&self, path: &Raw) -> io::Result<Raw> {
        let mut at = Raw::default();
        for part in path.parent().split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            let mut number = 0;
            while self.look(&at.join(&aside(part, number)))?.is_some_and(|facts| !is_folder(&facts)) {
                number += 1;
            }
            at = at.join(&aside(part, number));
        }
        Ok(at.join(path.name()))
    }

    /// Creates a folder, or gives one its labels.
    ///
    /// # Errors
    /// It cannot be created, or something else is in its place.
    pub fn folder(&self, path: &Raw, labels: &Labels) -> io::Result<()> {
        let parent = self.parent(path, true)?;
        let mode = Mode::from_raw_mode(labels.owned.mode.unwrap_or(0o755) & 0o7777);
        match fs::mkdirat(&parent, path.name(), mode) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = fs::openat(&parent, path.name(), flags, Mode::empty())?;
        let (owner, group) = self.owner(labels);
        self.chown(fs::fchown(&folder, Some(owner), Some(group)))?;
        fs::fchmod(&folder, mode)?;
        Ok(fs::futimens(&folder, &times(labels))?)
    }

    /// Creates a link.
    ///
    /// # Errors
    /// It cannot be created.
    pub fn link(&self, path: &Raw, target: &[u8], labels: &Labels) -> io::Result<()> {
        let parent = self.parent(path, true)?;
        let (staged, name) = (self.staged()?, self.name());
        fs::symlinkat(target, staged, &name)?;
        let (owner, group) = self.owner(labels);
        self.chown(fs::chownat(staged, &name, Some(owner), Some(group), AtFlags::SYMLINK_NOFOLLOW))?;
        fs::utimensat(staged, &name, &times(labels), AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(fs::renameat(staged, &name, &parent, path.name())?)
    }

    fn owner(&self, labels: &Labels) -> (Uid, Gid) {
        let owner = labels.owned.uid.unwrap_or(self.owner.uid);
        let group = labels.owned.gid.unwrap_or(self.owner.gid);
        (Uid::from_raw(owner), Gid::from_raw(group))
    }

    /// Only root may give files away; anybody else gets files of their own.
    fn chown(&self, changed: Result<(), Errno>) -> io::Result<()> {
        match changed {
            Err(Errno::PERM) if !rustix::process::geteuid().is_root() => Ok(()),
            changed => Ok(changed?),
        }
    }

    /// The folder that holds a path; with `creates` its missing folders are made. No link is followed.
    fn parent(&self, path: &Raw, creates: bool) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut at = fs::openat(&self.root, ".", flags, Mode::empty())?;
        let parent = path.parent();
        for part in parent.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            if matches!(part, b"." | b"..") {
                return Err(io::Error::from(io::ErrorKind::InvalidInput));
            }
            at = match fs::openat(&at, part, flags, Mode::empty()) {
                Err(Errno::NOENT) if creates => {
                    match fs::mkdirat(&at, part, Mode::from(0o755)) {
                        // Another object below it came first.
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    let made = fs::openat(&at, part, flags, Mode::empty())?;
                    let (owner, group) = (Uid::from_raw(self.owner.uid), Gid::from_raw(self.owner.gid));
                    self.chown(fs::fchown(&made, Some(owner), Some(group)))?;
                    made
                }
                opened => opened?,
            };
        }
        Ok(at)
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct Begun {
    parent: OwnedFd,
    pub file: std::fs::File,
    staged: String,
    name: Vec<u8>,
}

fn times(labels: &Labels) -> Timestamps {
    let time = labels.owned.mtime.unwrap_or(labels.modified);
    let time = Timespec { tv_sec: time.div_euclid(1_000_000_000), tv_nsec: time.rem_euclid(1_000_000_000) };
    Timestamps { last_access: time, last_modification: time }
}

/// The path of a key below a prefix; `None` if no file can have it: an empty part, `.` or `..`, a part of more than 255
/// bytes, or a NUL.
pub fn path_of(key: &str, prefix: &str) -> Option<(Raw, Kind)> {
    let path = key.strip_prefix(prefix)?;
    let (path, kind) = path.strip_suffix('/').map_or((path, Kind::File), |path| (path, Kind::Folder));
    let fits = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255 && !part.contains('\0');
    path.split('/').all(fits).then(|| (Raw(path.as_bytes().to_vec()), kind))
}

/// Another name for what cannot have this one; the name itself for 0. At most 255 bytes, without a part of a character.
pub fn aside(name: &[u8], number: u32) -> Vec<u8> {
    let end = match number {
        0 => String::new(),
        1 => ".from-s3".to_owned(),
        _ => format!(".from-s3-{number}"),
    };
    let mut length = name.len().min(255_usize.saturating_sub(end.len()));
    while length > 0 && length < name.len() && name.get(length).is_some_and(|byte| byte & 0xc0 == 0x80) {
        length -= 1;
    }
    [name.get(..length).unwrap_or(name), end.as_bytes()].concat()
}

/// Whether something on the way to a path is not a folder.
pub fn is_blocked(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOTDIR | Errno::LOOP))
}

/// The kind of an object, by its metadata and its key.
pub fn kind(of_key: Kind, owned: &Owned) -> Kind {
    match (of_key, owned.mode.map(Kind::of_mode)) {
        (Kind::File, Some(Kind::Link)) => Kind::Link,
        (of_key, _) => of_key,
    }
}

/// What a path is on the disk.
pub fn is_folder(facts: &Facts) -> bool {
    FileType::from_raw_mode(facts.mode) == FileType::Directory
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    use super::*;

    #[test]
    fn keys_that_no_file_can_have_are_refused() {
        let of = |key: &str| path_of(key, "7/").map(|(path, kind)| (path.to_string(), kind));
        assert_eq!(of("7/a/b"), Some(("a/b".to_owned(), Kind::File)));
        assert_eq!(of("7/a/"), Some(("a".to_owned(), Kind::Folder)));
        let long = format!("7/{}", "a".repeat(256));
        for key in ["7/", "7/../b", "7/a//b", "7/./a", "7/a/..", "8/a", "7/a\0b", &long] {
            assert_eq!(of(key), None, "{key:?}");
        }
    }

    #[test]
    fn what_is_in_the_way_is_passed_by() {
        assert_eq!(
            (aside(b"a", 0), aside(b"a", 1), aside(b"a", 2)),
            (b"a".into(), b"a.from-s3".into(), b"a.from-s3-2".into())
        );
        let long = "ä".repeat(127);
        let name = String::from_utf8(aside(long.as_bytes(), 1)).unwrap();
        assert_eq!((name.len(), name.starts_with('ä'), name.ends_with("ä.from-s3")), (254, true, true));
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("7");
        std::fs::create_dir_all(dir.join("folder")).unwrap();
        std::fs::write(dir.join("file"), "x").unwrap();
        std::fs::write(dir.join("file.from-s3"), "x").unwrap();
        symlink("/", dir.join("link")).unwrap();
        let folder = Folder::open(&dir).unwrap();
        let path = |text: &str| Raw(text.as_bytes().to_vec());
        for (at, expected) in [
            ("a", "a"),
            ("folder/none/a", "folder/none/a"),
            ("file/b/a", "file.from-s3-2/b/a"),
            ("folder/a", "folder/a"),
            ("link/a", "link.from-s3/a"),
        ] {
            let error = folder.look(&path(at)).err();
            assert_eq!(error.is_some_and(|error| is_blocked(&error)), at != expected, "{at}");
            assert_eq!(folder.enterable(&path(at)).unwrap(), path(expected), "{at}");
        }
    }

    #[test]
    fn files_folders_and_links_are_written_with_their_labels() {
        let above = tempfile::tempdir().unwrap();
        let dir = above.path().join("7");
        std::fs::create_dir(&dir).unwrap();
        let outside = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir).unwrap();
        let path = |text: &str| Raw(text.as_bytes().to_vec());
        let labels = |mode| Labels {
            owned: Owned { mode: Some(mode), mtime: Some(-1_500_000_000), ..Owned::default() },
            modified: 0,
            keeps_set_id: true,
        };
        let put = |at: &str| {
            let mut begun = folder.begin(&path(at))?;
            begun.file.write_all(b"content")?;
            folder.finish(begun, &labels(0o104_750))
        };
        put("a/b/c").unwrap();
        put("a/b/c").unwrap();
        folder.folder(&path("a/d"), &labels(0o040_700)).unwrap();
        folder.link(&path("a/l"), b"../x", &labels(0o120_777)).unwrap();
        let facts = |at: &str| std::fs::symlink_metadata(dir.join(at)).unwrap();
        assert_eq!(
            (facts("a/b/c").mode(), facts("a/b/c").mtime(), facts("a/b/c").mtime_nsec()),
            (0o104_750, -2, 500_000_000)
        );
        assert_eq!((facts("a/d").mode(), facts("a/l").mtime()), (0o040_700, -2));
        assert_eq!(std::fs::read_link(dir.join("a/l")).unwrap(), Path::new("../x"));
        // Two at once, in one folder; and one that is never finished.
        let (mut one, mut other) = (folder.begin(&path("one")).unwrap(), folder.begin(&path("other")).unwrap());
        one.file.write_all(b"1").unwrap();
        other.file.write_all(b"2").unwrap();
        let _unfinished = folder.begin(&path("never")).unwrap();
        let mut discarded = folder.begin(&path("discarded")).unwrap();
        discarded.file.write_all(b"takes room").unwrap();
        let staged = || std::fs::read_dir(above.path().join(".7.put-back")).unwrap().count();
        let before = staged();
        folder.discard(&discarded);
        assert_eq!(staged(), before - 1);
        folder.finish(one, &labels(0o100_600)).unwrap();
        folder.finish(other, &labels(0o100_600)).unwrap();
        let read = |at: &str| std::fs::read(dir.join(at)).unwrap();
        assert_eq!((read("one"), read("other")), (b"1".to_vec(), b"2".to_vec()));
        // Nobody's rights are given to a program by metadata alone.
        let mut program = folder.begin(&path("program")).unwrap();
        program.file.write_all(b"#!/bin/sh\n").unwrap();
        folder.finish(program, &Labels { keeps_set_id: false, ..labels(0o106_755) }).unwrap();
        assert_eq!(facts("program").mode(), 0o100_755);
        // No link leads a write out.
        symlink(outside.path(), dir.join("out")).unwrap();
        assert!(put("out/x").is_err() && folder.folder(&path("out"), &labels(0o040_700)).is_err());
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(folder.look(&path("out/x")).is_err() && folder.look(&path("none/x")).unwrap().is_none());
        assert!(is_folder(&folder.look(&path("a")).unwrap().unwrap()));
        folder.close().unwrap();
        assert_eq!(std::fs::read_dir(above.path()).unwrap().count(), 1, "nothing is left beside the home");
        assert!(!dir.join("never").exists());
    }
}
