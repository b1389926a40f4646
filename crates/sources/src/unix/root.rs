//! Reads files below a folder as if that folder were `/`: no link leads out of it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};
use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;

use super::pattern::matches;
use crate::notes::usage;

/// A folder that holds the files of a system.
pub(crate) struct Root {
    pub(super) folder: OwnedFd,
    path: PathBuf,
    /// Whether the files of `/etc` and `/etc/ssh` lie in the folder itself.
    is_flat: bool,
    /// Whether it is this machine, not a copy: owners and modes are those that sshd finds.
    pub(super) is_live: bool,
}

impl Root {
    /// Opens a folder that has `etc/passwd`, or copies of the files of `/etc` and `/etc/ssh`.
    ///
    /// # Errors
    /// It cannot be opened, or has neither.
    pub(crate) fn open(path: &Path) -> Result<Self, RowsError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let shown = visible(&path.display().to_string()).into_owned();
        let folder = openat(CWD, path, flags, Mode::empty())
            .map_err(|error| usage(format!("{shown} cannot be opened: {error}"), "name a folder: `shadow:/`"))?;
        let is_live = path.canonicalize().is_ok_and(|path| path == Path::new("/"));
        let mut root = Self { folder, path: path.to_owned(), is_flat: false, is_live };
        let has = |root: &Self| root.file("/etc/passwd").is_ok_and(|file| file.is_some());
        if has(&root) {
            return Ok(root);
        }
        root.is_flat = true;
        if has(&root) {
            return Ok(root);
        }
        let hint = "name `/`, a folder with a copy of `etc`, or one with copies of passwd and shadow";
        Err(usage(format!("{shown} has neither etc/passwd nor passwd"), hint))
    }

    /// The path of a file of the system as it is on this machine, for messages.
    pub(crate) fn shown(&self, path: &str) -> String {
        visible(&self.path_of(path).display().to_string()).into_owned()
    }

    /// The path of a file of the system as it is on this machine.
    pub(super) fn path_of(&self, path: &str) -> PathBuf {
        self.path.join(self.below(path))
    }

    /// Where a file of the system is below the folder.
    pub(super) fn below<'p>(&self, path: &'p str) -> &'p str {
        let flat = ["/etc/ssh/", "/etc/"].iter().find_map(|prefix| path.strip_prefix(prefix));
        let path = if self.is_flat { flat.unwrap_or(path) } else { path };
        let path = path.trim_start_matches('/');
        if path.is_empty() { "." } else { path }
    }

    /// Opens a file of the system; none if it is not there.
    ///
    /// # Errors
    /// It cannot be opened, or is not a regular file.
    pub(crate) fn file(&self, path: &str) -> io::Result<Option<File>> {
        // Without waiting for the other end of a pipe.
        let Some(opened) = self.at(path, OFlags::RDONLY | OFlags::NONBLOCK)? else { return Ok(None) };
        if FileType::from_raw_mode(fstat(&opened)?.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(Some(File::from(opened)))
    }

    /// The content of a file of the system; none if it is not there.
    ///
    /// # Errors
    /// It cannot be read, or has more than `limit` bytes.
    pub(crate) fn read(&self, path: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        self.file(path)?.map(|file| limited(file, limit)).transpose()
    }

    /// The files that a pattern names, sorted: `*` and `?` stand in the last part only.
    ///
    /// # Errors
    /// The folder cannot be read, or the pattern has another form.
    pub(crate) fn glob(&self, pattern: &str) -> io::Result<Vec<String>> {
        let (folder, last) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        if pattern.contains(['[', '{', '~']) || folder.contains(['*', '?']) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "its pattern has more than `*` in its last part"));
        }
        if !last.contains(['*', '?']) {
            return Ok(vec![pattern.to_owned()]);
        }
        let mut found = Vec::new();
        let Some(opened) = self.at(&format!("{folder}/"), OFlags::RDONLY | OFlags::DIRECTORY)? else {
            return Ok(found);
        };
        for entry in Dir::new(opened)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !name.starts_with('.') && matches(&name, last) {
                found.push(format!("{folder}/{name}"));
            }
        }
        found.sort();
        Ok(found)
    }

    fn at(&self, path: &str, flags: OFlags) -> io::Result<Option<OwnedFd>> {
        match self.beneath(self.below(path), flags | OFlags::CLOEXEC) {
            Ok(opened) => Ok(Some(opened)),
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a path as the kernel would in a chroot.
    #[cfg(target_os = "linux")]
    fn beneath(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        use rustix::fs::{ResolveFlags, openat2};
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.folder, path, flags, Mode::empty(), resolve) {
            // Linux before 5.6, or a container that forbids the call.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => self.without_links(path, flags),
            other => other,
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn beneath(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        self.without_links(path, flags)
    }

    /// Opens a path part by part; a link in it is an error, except below `/` itself.
    fn without_links(&self, path: &str, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        if self.path == Path::new("/") && !self.is_flat {
            return openat(&self.folder, path, flags, Mode::empty());
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") {
            return Err(rustix::io::Errno::XDEV);
        }
        let Some((last, folders)) = parts.split_last() else { return openat(&self.folder, ".", flags, Mode::empty()) };
        let mut at = None;
        for part in folders {
            let step = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            at = Some(openat(at.as_ref().unwrap_or(&self.folder), *part, step, Mode::empty())?);
        }
        openat(at.as_ref().unwrap_or(&self.folder), *last, flags | OFlags::NOFOLLOW, Mode::empty())
    }
}

/// The content of a file.
///
/// # Errors
/// It cannot be read, or has more than `limit` bytes.
pub(super) fn limited(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > limit) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it has more than {limit} bytes")));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let system = dir.path().join("system");
        fs::create_dir_all(system.join("etc/ssh/sshd_config.d")).unwrap();
        fs::create_dir_all(system.join("data/jan")).unwrap();
        fs::write(system.join("etc/passwd"), "").unwrap();
        fs::write(system.join("data/jan/key"), "inside").unwrap();
        fs::write(dir.path().join("secret"), "outside").unwrap();
        let root = Root::open(&system).unwrap();
        (dir, root)
    }

    fn read(root: &Root, path: &str) -> Option<String> {
        root.read(path, 100).unwrap().map(|content| String::from_utf8(content).unwrap())
    }

    #[test]
    fn links_stay_inside() {
        let (dir, root) = tree();
        let system = dir.path().join("system");
        symlink("/data", system.join("home")).unwrap();
        symlink("../secret", system.join("up")).unwrap();
        symlink(dir.path().join("secret"), system.join("absolute")).unwrap();
        assert_eq!(read(&root, "/home/jan/key").as_deref(), Some("inside"));
        assert_eq!(read(&root, "/../../home/jan/key").as_deref(), Some("inside"));
        for outside in ["/up", "/absolute", "/../secret"] {
            assert_eq!(read(&root, outside), None, "{outside}");
        }
    }

    #[test]
    fn without_the_kernels_help_links_are_refused() {
        let (dir, root) = tree();
        let system = dir.path().join("system");
        symlink("data", system.join("home")).unwrap();
        symlink("../secret", system.join("up")).unwrap();
        let open = |path| root.without_links(path, OFlags::RDONLY | OFlags::CLOEXEC);
        assert!(open("data/jan/key").is_ok());
        for link in ["home/jan/key", "up", "../secret", "data/../../secret"] {
            assert!(open(link).is_err(), "{link}");
        }
    }

    #[test]
    fn only_regular_files_of_a_size_are_read() {
        let (dir, root) = tree();
        let pipe = dir.path().join("system/pipe");
        rustix::fs::mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(root.read("/pipe", 100).unwrap_err().to_string().contains("regular"));
        assert!(root.read("/data/jan", 100).unwrap_err().to_string().contains("regular"));
        assert!(root.read("/data/jan/key", 5).unwrap_err().to_string().contains("more than 5 bytes"));
        assert_eq!(root.read("/data/jan/key/x", 5).unwrap(), None);
    }

    #[test]
    fn patterns_name_files_in_their_order() {
        let (dir, root) = tree();
        for name in ["20.conf", "10.conf", ".hidden.conf", "x.bak"] {
            fs::write(dir.path().join("system/etc/ssh/sshd_config.d").join(name), "").unwrap();
        }
        let folder = "/etc/ssh/sshd_config.d";
        let expected = [format!("{folder}/10.conf"), format!("{folder}/20.conf")];
        assert_eq!(root.glob(&format!("{folder}/*.conf")).unwrap(), expected);
        assert_eq!(root.glob("/nowhere/*").unwrap(), [""; 0]);
        assert!(root.glob("/etc/*/x").is_err() && root.glob("/etc/[ab]").is_err());
    }

    #[test]
    fn a_folder_of_copies_is_flat() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Root::open(dir.path()).is_err() && Root::open(&dir.path().join("none")).is_err());
        fs::create_dir(dir.path().join("sshd_config.d")).unwrap();
        for name in ["passwd", "sshd_config", "sshd_config.d/a"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let root = Root::open(dir.path()).unwrap();
        assert_eq!(read(&root, "/etc/ssh/sshd_config").as_deref(), Some("sshd_config"));
        assert_eq!(root.glob("/etc/ssh/sshd_config.d/*").unwrap(), ["/etc/ssh/sshd_config.d/a"]);
        assert_eq!(root.shown("/etc/shadow"), dir.path().join("shadow").display().to_string());
    }
}
