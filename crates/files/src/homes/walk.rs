//! Reads a home directory without ever leaving it: every path is opened from the home's own descriptor, and the kernel
//! refuses links, `..` and other file systems on the way (openat2(2)).

use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use super::entry::{Entry, Facts, Kind, Leads, Link};
use super::name::{self, Alike, Charset, Raw};
use super::opened::OpenFiles;

/// The kernel takes paths of 4,095 bytes; longer ones are opened in pieces.
const PIECE: usize = 3000;

/// A home directory that is open.
#[derive(Debug)]
pub struct Home {
    /// Absolute, without links.
    path: PathBuf,
    /// As it was given, which links may contain.
    given: PathBuf,
    root: OwnedFd,
    facts: Facts,
    charset: Charset,
    /// Paths at which other file systems are mounted.
    mounts: HashSet<Vec<u8>>,
    /// Whether the kernel has openat2 (Linux 5.6).
    has_openat2: bool,
    is_root: bool,
    /// Entries that were gone before they could be looked at.
    vanished: AtomicU64,
    /// The rights of the home itself, if it has none while it is frozen.
    rights: Option<u32>,
}

impl Home {
    /// Opens a home. `charset` decides which of its names are alike.
    ///
    /// # Errors
    /// It cannot be opened, or is not a folder: a link in its place is refused.
    pub fn open(path: &Path, charset: Charset) -> io::Result<Self> {
        Self::open_as(path, path, charset)
    }

    /// Opens a home that had another path before: absolute links to that one stay links into the home.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_as(path: &Path, before: &Path, charset: Charset) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = fs::open(path, flags, Mode::empty())?;
        let facts = facts(&fs::fstat(&root)?);
        let (given, path) = (before.to_owned(), path.canonicalize()?);
        let mounts = mounts_below(&std::fs::read("/proc/self/mountinfo").unwrap_or_default(), &path);
        let here = fs::openat2(&root, ".", flags, Mode::empty(), ResolveFlags::BENEATH);
        let has_openat2 = !matches!(here, Err(Errno::NOSYS));
        let is_root = rustix::process::geteuid().is_root();
        let vanished = AtomicU64::new(0);
        Ok(Self { path, given, root, facts, charset, mounts, has_openat2, is_root, vanished, rights: None })
    }

    /// The same home, which has these rights when they are not taken.
    #[must_use]
    pub fn with_rights(mut self, rights: Option<u32>) -> Self {
        self.rights = rights;
        self.facts = self.thawed(self.facts);
        self
    }

    /// What `stat` would say of the home itself if it were not frozen.
    fn thawed(&self, facts: Facts) -> Facts {
        let rights = self.rights.filter(|_| facts.mode & 0o7777 == 0);
        Facts { mode: facts.mode | rights.unwrap_or_default(), ..facts }
    }

    /// How many entries were gone before they could be looked at. Each may have been moved to a place that had been
    /// read, so that a walk that begins later is needed to find it.
    pub fn vanished(&self) -> u64 {
        self.vanished.load(Ordering::Relaxed)
    }

    /// Absolute, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `stat` says of the home itself.
    pub fn facts(&self) -> Facts {
        self.facts
    }

    /// Whether the home itself is a mount point.
    pub fn is_mount_point(&self) -> bool {
        self.mounts.contains(&b""[..])
    }

    /// Paths of the home at which other file systems are mounted.
    pub fn mounts(&self) -> impl Iterator<Item = Raw> + '_ {
        self.mounts.iter().filter(|path| !path.is_empty()).map(|path| Raw(path.clone()))
    }

    /// Calls `each` with every entry, a folder before what is in it, the home itself first.
    ///
    /// # Errors
    /// The home cannot be read, or `each` fails. A folder that cannot be read is an entry that says so.
    pub fn walk(&self, opened: &OpenFiles, each: &mut dyn FnMut(Entry) -> io::Result<()>) -> io::Result<()> {
        let top = Entry { facts: self.facts, ..Entry::default() };
        let mut waiting = vec![(top.path, top.facts, None)];
        while let Some((path, facts, alike)) = waiting.pop() {
            self.folder(path, (facts, alike), opened, &mut waiting, each)?;
        }
        Ok(())
    }

    /// A folder and its entries, except the folders in it, which are added to `waiting`.
    fn folder(
        &self,
        path: Raw,
        (before, alike): (Facts, Option<Alike>),
        opened: &OpenFiles,
        waiting: &mut Vec<(Raw, Facts, Option<Alike>)>,
        each: &mut dyn FnMut(Entry) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut entry = Entry { path, facts: before, alike, ..Entry::default() };
        entry.opened = opened.of(before.device, before.inode);
        if !entry.path.0.is_empty() && self.mounts.contains(&entry.path.0) {
            return each(Entry { is_mount: true, ..entry });
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let folder = match self.beneath(&entry.path, flags, ResolveFlags::NO_XDEV) {
            Ok(folder) => folder,
            Err(Errno::XDEV) => return each(Entry { is_mount: true, ..entry }),
            // It is gone, or was moved: perhaps to a place that was read before.
            Err(Errno::NOENT) if !entry.path.0.is_empty() => {
                self.vanished.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Err(Errno::NOTDIR | Errno::LOOP) if !entry.path.0.is_empty() => {
                let unreadable = Some("it was replaced while the home was read".to_owned());
                return each(Entry { unreadable, ..entry });
            }
            Err(error) => return each(Entry { unreadable: Some(words(error)), ..entry }),
        };
        entry.facts = facts(&fs::fstat(&folder)?);
        if entry.path.0.is_empty() {
            entry.facts = self.thawed(entry.facts);
        }
        (entry.has_acl, entry.has_attributes) = attributes(folder.as_fd(), c".");
        let mut names = Dir::read_from(&folder)?;
        let (count, twice) = self.twice(&mut names)?;
        entry.is_empty = count == 0;
        let path = entry.path.clone();
        each(entry)?;
        names.rewind();
        // The few names that are like another one.
        let mut similar: HashMap<u64, Vec<Vec<u8>>> = HashMap::new();
        if !twice.is_empty() {
            for name in entries(&mut names) {
                let name = name?;
                let fold = name::fold(name.to_bytes(), self.charset);
                if twice.contains(&fold) {
                    similar.entry(fold).or_default().push(name.to_bytes().to_vec());
                }
            }
            names.rewind();
        }
        for name in entries(&mut names) {
            let name = name?;
            let child = path.join(name.to_bytes());
            let facts = match fs::statat(&folder, &*name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => facts(&stat),
                Err(Errno::NOENT) => {
                    self.vanished.fetch_add(1, Ordering::Relaxed);
                    continue;
                }
                // It is there, so it counts.
                Err(error) => {
                    each(Entry { path: child, unreadable: Some(words(error)), ..Entry::default() })?;
                    continue;
                }
            };
            let alike = self.alike(&similar, name.to_bytes());
            if facts.kind() == Kind::Folder {
                waiting.push((child, facts, alike));
            } else {
                each(self.entry(folder.as_fd(), &name, (child, facts, alike), opened))?;
            }
        }
        Ok(())
    }

    /// The number of names in a folder, and the folds that several of them have.
    fn twice(&self, names: &mut Dir) -> io::Result<(u64, HashSet<u64>)> {
        let (mut count, mut seen, mut twice) = (0, HashSet::new(), HashSet::new());
        for name in entries(names) {
            count += 1;
            let fold = name::fold(name?.to_bytes(), self.charset);
            if !seen.insert(fold) {
                twice.insert(fold);
            }
        }
        Ok((count, twice))
    }

    fn alike(&self, similar: &HashMap<u64, Vec<Vec<u8>>>, name: &[u8]) -> Option<Alike> {
        let others = if similar.is_empty() { None } else { similar.get(&name::fold(name, self.charset)) }?;
        name::closest(others, name, self.charset)
    }

    /// An entry that is not a folder.
    fn entry(
        &self,
        folder: BorrowedFd<'_>,
        name: &CStr,
        (path, facts, alike): (Raw, Facts, Option<Alike>),
        opened: &OpenFiles,
    ) -> Entry {
        let mut entry = Entry { path, facts, alike, ..Entry::default() };
        entry.opened = opened.of(facts.device, facts.inode);
        entry.is_mount = !self.mounts.is_empty() && self.mounts.contains(&entry.path.0);
        match facts.kind() {
            Kind::Link => match fs::readlinkat(folder, name, Vec::new()) {
                Ok(target) => {
                    let target = Raw(target.into_bytes());
                    let leads = self.leads(&entry.path, &target);
                    entry.link = Some(Link { target, leads });
                }
                Err(error) => entry.unreadable = Some(words(error)),
            },
            Kind::File => {
                (entry.has_acl, entry.has_attributes) = attributes(folder, name);
                let access = || fs::accessat(folder, name, fs::Access::READ_OK, AtFlags::EACCESS);
                entry.unreadable = if self.is_root { None } else { access().err().map(words) };
            }
            _ => {}
        }
        entry
    }

    /// Where a link leads, as the kernel resolves it inside the home.
    fn leads(&self, path: &Raw, target: &Raw) -> Leads {
        if !self.has_openat2 {
            return Leads::Outside;
        }
        let inside = self.inside(&target.0);
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let open = |path: &[u8]| fs::openat2(&self.root, OsStr::from_bytes(path), flags, Mode::empty(), resolve);
        let found = match inside {
            Some(rest) => open(rest),
            None => open(&path.0),
        };
        match found.and_then(|found| fs::fstat(&found)) {
            Ok(stat) => {
                let found = facts(&stat);
                match found.kind() {
                    Kind::File => Leads::File,
                    Kind::Folder if self.is_inside(path, &found) => Leads::Loop,
                    Kind::Folder => Leads::Folder,
                    _ => Leads::Special,
                }
            }
            Err(Errno::XDEV) => Leads::Outside,
            Err(Errno::LOOP) => Leads::Loop,
            Err(_) => Leads::Nowhere,
        }
    }

    /// The path in the home of an absolute path. The home keeps its path after the cut-over, so that an absolute link into
    /// it stays one.
    fn inside<'a>(&self, absolute: &'a [u8]) -> Option<&'a [u8]> {
        let below = |home: &Path| match absolute.strip_prefix(home.as_os_str().as_bytes())? {
            [] => Some(&b"."[..]),
            [b'/', rest @ ..] => Some(rest),
            _ => None,
        };
        below(&self.path).or_else(|| below(&self.given))
    }

    /// Whether a path is below a folder.
    fn is_inside(&self, path: &Raw, folder: &Facts) -> bool {
        let mut parent = path.parent();
        loop {
            let opened = self.beneath(&Raw(parent.to_vec()), OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty());
            let here = opened.and_then(|opened| fs::fstat(&opened)).map(|stat| facts(&stat));
            if here.is_ok_and(|here| (here.device, here.inode) == (folder.device, folder.inode)) {
                return true;
            }
            if parent.is_empty() {
                return false;
            }
            parent = parent.get(..parent.iter().rposition(|byte| *byte == b'/').unwrap_or(0)).unwrap_or_default();
        }
    }

    /// Opens a file to read it. The time of its last access stays as it is where that is allowed.
    ///
    /// # Errors
    /// It cannot be opened, or is not a regular file any more.
    pub fn file(&self, path: &Raw) -> io::Result<(File, Facts)> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match self.beneath(path, flags | OFlags::NOATIME, ResolveFlags::NO_XDEV) {
            Err(Errno::PERM) => self.beneath(path, flags, ResolveFlags::NO_XDEV)?,
            opened => opened?,
        };
        self.regular(file)
    }

    /// Opens the file in the home to which a link leads.
    ///
    /// # Errors
    /// As [`Self::file`]; or it leads out of the home.
    pub fn target(&self, path: &Raw) -> io::Result<(File, Facts)> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let open = |path: &[u8]| fs::openat2(&self.root, OsStr::from_bytes(path), flags, Mode::empty(), resolve);
        let folder =
            self.beneath(&Raw(path.parent().to_vec()), OFlags::PATH | OFlags::DIRECTORY, ResolveFlags::empty());
        let target = folder.and_then(|folder| fs::readlinkat(folder, path.name(), Vec::new()));
        // The kernel takes an absolute target for one that leads out.
        let opened = match target.as_ref().ok().and_then(|target| self.inside(target.as_bytes())) {
            Some(inside) => open(inside),
            None => open(&path.0),
        };
        self.regular(opened?)
    }

    fn regular(&self, file: OwnedFd) -> io::Result<(File, Facts)> {
        let facts = facts(&fs::fstat(&file)?);
        match facts.kind() {
            Kind::File => Ok((file.into(), facts)),
            other => Err(io::Error::other(format!("it is a {} now", other.as_str()))),
        }
    }

    /// Opens a path without following any link.
    fn beneath(&self, path: &Raw, flags: OFlags, more: ResolveFlags) -> Result<OwnedFd, Errno> {
        let whole = if path.0.is_empty() { &b"."[..] } else { &path.0 };
        let (mut from, mut rest) = (None, whole);
        let most = if self.has_openat2 { PIECE } else { 0 };
        while rest.len() > most {
            let piece = rest.get(..most.min(rest.len())).unwrap_or(rest);
            // Without openat2, one component at a time.
            let end = match most {
                0 => rest.iter().position(|byte| *byte == b'/'),
                _ => piece.iter().rposition(|byte| *byte == b'/'),
            };
            let Some((piece, after)) = end.and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?))) else {
                break;
            };
            from = Some(self.open_from(from.as_ref(), piece, OFlags::PATH | OFlags::DIRECTORY, more)?);
            rest = after;
        }
        self.open_from(from.as_ref(), rest, flags, more)
    }

    fn open_from(
        &self,
        from: Option<&OwnedFd>,
        path: &[u8],
        flags: OFlags,
        more: ResolveFlags,
    ) -> Result<OwnedFd, Errno> {
        let (from, path) = (from.unwrap_or(&self.root), OsStr::from_bytes(path));
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if !self.has_openat2 {
            return fs::openat(from, path, flags, Mode::empty());
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | more;
        fs::openat2(from, path, flags, Mode::empty(), resolve)
    }
}

/// The names in a folder, without `.` and `..`.
fn entries(names: &mut Dir) -> impl Iterator<Item = io::Result<std::ffi::CString>> + '_ {
    names.filter_map(|entry| match entry {
        Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => None,
        Ok(entry) => Some(Ok(entry.file_name().to_owned())),
        Err(error) => Some(Err(error.into())),
    })
}

fn words(error: Errno) -> String {
    io::Error::from(error).to_string()
}

/// What `stat` says, in the types of [`Facts`], whose width differs between machines.
#[expect(
    clippy::cast_sign_loss,
    clippy::useless_conversion,
    reason = "sizes are not negative; fields differ by machine"
)]
pub fn facts(stat: &Stat) -> Facts {
    let time = |seconds: i64, nanoseconds: u64| {
        seconds.saturating_mul(1_000_000_000).saturating_add(i64::try_from(nanoseconds).unwrap_or(0))
    };
    Facts {
        mode: stat.st_mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        size: stat.st_size.max(0) as u64,
        occupied: (stat.st_blocks.max(0) as u64).saturating_mul(512),
        mtime: time(stat.st_mtime.into(), stat.st_mtime_nsec.into()),
        atime: time(stat.st_atime.into(), stat.st_atime_nsec.into()),
        ctime: time(stat.st_ctime.into(), stat.st_ctime_nsec.into()),
        device: stat.st_dev.into(),
        inode: stat.st_ino.into(),
        names: stat.st_nlink.into(),
    }
}

/// Whether an entry of a folder has an ACL, and whether it has other extended attributes.
fn attributes(folder: BorrowedFd<'_>, name: &CStr) -> (bool, bool) {
    let mut path = format!("/proc/self/fd/{}/", folder.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    let path = OsStr::from_bytes(&path);
    let Ok(length @ 1..) = fs::llistxattr_query(path) else { return (false, false) };
    let mut list = vec![0; length];
    let Ok(length) = fs::llistxattr(path, &mut list[..]) else { return (false, true) };
    let names = list.get(..length).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.fold((false, false), |(acl, other), name| match name {
        b"system.posix_acl_access" | b"system.posix_acl_default" => (true, other),
        // SELinux labels every file by rules of its own.
        b"security.selinux" => (acl, other),
        _ => (acl, true),
    })
}

/// The mount points at and below a folder, relative to it, of `/proc/self/mountinfo` (proc_pid_mountinfo(5)): a space
/// in a path is `\040`.
fn mounts_below(mountinfo: &[u8], folder: &Path) -> HashSet<Vec<u8>> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(4)).map(unescaped);
    points
        .filter_map(|point| match point.strip_prefix(folder.as_os_str().as_bytes())? {
            [] => Some(Vec::new()),
            [b'/', rest @ ..] => Some(rest.to_vec()),
            _ => None,
        })
        .collect()
}

fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(|_| *first == b'\\') {
            Some(byte) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
