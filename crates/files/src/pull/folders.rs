//! Folders below a folder, without following a link.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, fsync, mkdirat, openat, openat2};
use rustix::io::Errno;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a folder directly in another, or at a path.
pub(super) fn open(base: impl AsFd, name: &str) -> io::Result<OwnedFd> {
    Ok(openat(base, name, FOLDER, Mode::empty())?)
}

/// Opens a folder directly in another, and creates it with these rights if it does not exist.
pub(super) fn create(base: impl AsFd, name: &str, mode: Mode) -> io::Result<OwnedFd> {
    match mkdirat(&base, name, mode) {
        Ok(()) => fsync(&base)?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    open(base, name)
}

/// Opens the folder at a path below another one; `None` if it does not exist. The path consists of ordinary names.
///
/// # Errors
/// It is not a folder, or a link is on the way.
pub(super) fn open_below(base: impl AsFd, path: &str) -> io::Result<Option<OwnedFd>> {
    let confined = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let path = if path.is_empty() { "." } else { path };
    match openat2(&base, path, FOLDER, Mode::empty(), confined) {
        Ok(folder) => Ok(Some(folder)),
        Err(Errno::NOENT) => Ok(None),
        // Linux before 5.6, and containers whose filter does not know the call.
        Err(Errno::NOSYS | Errno::PERM) => walk(base, path, open),
        Err(error) => Err(error.into()),
    }
}

/// As [`open_below`], and creates what does not exist.
pub(super) fn create_below(base: impl AsFd, path: &str) -> io::Result<OwnedFd> {
    if let Some(folder) = open_below(&base, path)? {
        return Ok(folder);
    }
    let ordinary = Mode::RWXU | Mode::RWXG | Mode::RWXO;
    let created = walk(base, path, |base: OwnedFd, name: &str| create(base, name, ordinary))?;
    created.ok_or_else(|| Errno::NOENT.into())
}

/// Goes down a path, component by component.
fn walk(
    base: impl AsFd,
    path: &str,
    mut step: impl FnMut(OwnedFd, &str) -> io::Result<OwnedFd>,
) -> io::Result<Option<OwnedFd>> {
    let mut folder = base.as_fd().try_clone_to_owned()?;
    for name in path.split('/') {
        folder = match step(folder, name) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
    }
    Ok(Some(folder))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folders_are_created_below_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("in")).unwrap();
        symlink(outside.path(), dir.path().join("in/link")).unwrap();
        std::fs::write(dir.path().join("file"), "").unwrap();
        let base = std::fs::File::open(dir.path()).unwrap();
        assert!(open_below(&base, "").unwrap().is_some());
        assert!(open_below(&base, "a/b").unwrap().is_none());
        create_below(&base, "a/b").unwrap();
        assert!(open_below(&base, "a/b").unwrap().is_some() && dir.path().join("a/b").is_dir());
        for path in ["in/link", "in/link/x", "file", "file/x"] {
            assert!(create_below(&base, path).is_err(), "{path}");
            assert!(walk(&base, path, open).is_err(), "{path}");
        }
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        assert!(walk(&base, "a/c", open).unwrap().is_none());
    }
}
