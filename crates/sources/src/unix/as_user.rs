//! Files that customers write, read as sshd reads them: with the rights of the user, and only those that belong to the
//! user or to root (OpenSSH, `auth_openkeyfile` and `safe_path`). sftpctl runs as root, and a customer may put a link to
//! any file there. A home that was cut over is a link to a mount, whose files have other owners: its folder is read where
//! `sftpctl homes cutover` has kept it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode, Stat, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use sftpctl_core::freeze::kept_name;

use super::root::{Root, limited};

/// Links that are followed (path_resolution(7)).
const LINKS: usize = 40;

/// A folder on the way, which may be searched without being listed.
#[cfg(target_os = "linux")]
const FOLDER: OFlags = OFlags::PATH;
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::RDONLY;

/// The user whose file is read.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pub(crate) uid: u32,
    /// The numbers of the user's groups.
    pub(crate) gids: Vec<u32>,
}

impl Reader {
    /// Whether the kernel would give the user a right: 4 to read, 1 to search.
    fn may(&self, right: RawMode, stat: &Stat, owners: Owners) -> bool {
        let is_known = owners == Owners::Kept;
        let shift = if is_known && stat.st_uid == self.uid {
            6
        } else if is_known && self.gids.contains(&stat.st_gid) {
            3
        } else {
            0
        };
        stat.st_mode >> shift & right != 0
    }

    /// Whether the file is the user's or root's.
    fn is_owner(&self, stat: &Stat, owners: Owners) -> bool {
        let own = rustix::process::geteuid().as_raw();
        [0, self.uid].contains(&stat.st_uid) || owners == Owners::Lost && stat.st_uid == own
    }
}

/// Whether files have the owners that they have on the server. Only root can give them to a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owners {
    Kept,
    Lost,
}

impl Root {
    /// The content of a file that the user may have written; none if it is not there. In a copy, whose owners and modes
    /// need not be the server's, only what a link leads to is held against the rights of the user.
    ///
    /// # Errors
    /// It cannot be read, the user could not read it, or it has more than `limit` bytes.
    pub(crate) fn read_as(&self, path: &str, limit: u64, user: &Reader) -> io::Result<Option<Vec<u8>>> {
        self.open_as(path, user)?.map(|file| limited(file, limit)).transpose()
    }

    fn open_as(&self, path: &str, user: &Reader) -> io::Result<Option<File>> {
        let is_kept = self.is_live || rustix::process::geteuid().is_root();
        let owners = if is_kept { Owners::Kept } else { Owners::Lost };
        let mut is_checked = self.is_live;
        let mut links = 0;
        // Whether the next part is a folder that a cut-over has kept.
        let mut is_kept = false;
        // Parts of the path behind the last link; those before them are the link's.
        let mut behind_link = 0;
        let mut folders: Vec<OwnedFd> = Vec::new();
        let mut ahead = parts(self.below(path).as_bytes());
        while let Some(part) = ahead.pop() {
            if part == b".." {
                folders.pop();
                continue;
            }
            let at = folders.last().unwrap_or(&self.folder);
            let name = OsStr::from_bytes(&part);
            // Whatever has the home's place: a link on the server, nothing or the mount's content in a copy.
            if !ahead.is_empty() && !is_kept && is_cut_over(at, &part) {
                ahead.push(kept_name(&part));
                is_kept = true;
                continue;
            }
            let stat = match statat(at, name, AtFlags::SYMLINK_NOFOLLOW) {
                // A mount that is not there must not pass for a home without the file.
                Err(Errno::NOENT | Errno::NOTDIR) if behind_link > 0 && ahead.len() >= behind_link => {
                    return Err(io::Error::new(io::ErrorKind::NotFound, "a link on the way leads nowhere"));
                }
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                stat => stat?,
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Symlink => {
                    is_kept = false;
                    behind_link = ahead.len();
                    links += 1;
                    if links > LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = readlinkat(at, name, Vec::new())?.into_bytes();
                    if target.starts_with(b"/") {
                        folders.clear();
                    }
                    ahead.append(&mut parts(&target));
                    is_checked = true;
                }
                FileType::Directory => {
                    let flags = FOLDER | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    let folder = openat(at, name, flags, Mode::empty())?;
                    // A cut-over may have taken the rights of the folder that it keeps.
                    let is_home = std::mem::take(&mut is_kept);
                    if is_checked && !is_home && !user.may(1, &fstat(&folder)?, owners) {
                        return Err(forbidden());
                    }
                    folders.push(folder);
                }
                FileType::RegularFile if ahead.is_empty() => {
                    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    let file = openat(at, name, flags, Mode::empty())?;
                    let stat = fstat(&file)?;
                    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                        break;
                    }
                    // Another name of a file is a link as well.
                    let is_checked = is_checked || stat.st_nlink > 1;
                    if is_checked && !(user.may(4, &stat, owners) && user.is_owner(&stat, owners)) {
                        return Err(forbidden());
                    }
                    return Ok(Some(File::from(file)));
                }
                _ if ahead.is_empty() => break,
                _ => return Ok(None),
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
    }
}

/// Whether a link in a folder has the place of a home that was cut over.
fn is_cut_over(folder: &OwnedFd, name: &[u8]) -> bool {
    let kept = statat(folder, OsStr::from_bytes(&kept_name(name)), AtFlags::SYMLINK_NOFOLLOW);
    kept.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// The parts of a path, the first one last.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"."));
    parts.rev().map(<[u8]>::to_vec).collect()
}

fn forbidden() -> io::Error {
    let why = "sshd reads it as the user, who may not read it, or it is neither the user's nor root's";
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::Path;

    use super::*;

    /// Nobody here has this number.
    const CUSTOMER: u32 = 20_009;

    /// A folder with two files of the user who runs the test, closed and open, and a folder that is closed.
    fn tree() -> (tempfile::TempDir, Root) {
        let dir = tempfile::tempdir().unwrap();
        let put = |path: &str, mode: u32| {
            let path = dir.path().join(path);
            fs::write(&path, "text").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for folder in ["etc", "closed", "home"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for (path, mode) in [("etc/passwd", 0o644), ("etc/shadow", 0o640), ("closed/open", 0o644), ("home/own", 0o600)]
        {
            put(path, mode);
        }
        fs::set_permissions(dir.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        let root = Root::open(dir.path()).unwrap();
        (dir, root)
    }

    fn read(root: &Root, path: &str) -> io::Result<Option<Vec<u8>>> {
        root.read_as(path, 100, &Reader { uid: CUSTOMER, gids: vec![CUSTOMER] })
    }

    #[test]
    fn links_lead_only_to_what_the_user_may_read() {
        let (dir, root) = tree();
        let home = dir.path().join("home");
        for (name, target) in [
            ("absolute", "/etc/shadow"),
            ("relative", "../etc/shadow"),
            ("twice", "relative"),
            ("closed", "/closed/open"),
            ("within", "../closed"),
        ] {
            symlink(target, home.join(name)).unwrap();
        }
        fs::hard_link(dir.path().join("etc/shadow"), home.join("hard")).unwrap();
        for name in ["absolute", "relative", "twice", "closed", "within/open", "hard"] {
            let error = read(&root, &format!("/home/{name}")).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{name}: {error}");
        }
        symlink("/etc/passwd", home.join("open")).unwrap();
        symlink("/etc/none", home.join("dangling")).unwrap();
        symlink("circle", home.join("circle")).unwrap();
        assert!(read(&root, "/home/open").unwrap().is_some());
        assert_eq!(read(&root, "/home/dangling").unwrap(), None);
        assert!(read(&root, "/home/circle").is_err() && read(&root, "/home").is_err());
        assert_eq!(read(&root, "/home/own/below").unwrap(), None);
    }

    /// The mount has other owners, or is not there; the customer's keys are where they were.
    #[test]
    fn a_home_that_was_cut_over_is_read_where_it_is_kept() {
        let (dir, root) = tree();
        let home = dir.path().join("home");
        fs::create_dir_all(dir.path().join("mount/7")).unwrap();
        fs::write(dir.path().join("mount/7/keys"), "of the mount").unwrap();
        symlink("../mount/7", home.join("7")).unwrap();
        symlink("/gone/8", home.join("8")).unwrap();
        symlink("/gone/9", home.join("9")).unwrap();
        // In a copy, what a link led to may have its place, or nothing.
        fs::create_dir(home.join("6")).unwrap();
        fs::write(home.join("6/keys"), "of the mount").unwrap();
        for name in ["5", "6", "7", "8"] {
            let kept = home.join(format!(".{name}.before-cutover"));
            fs::create_dir(&kept).unwrap();
            fs::write(kept.join("keys"), "kept").unwrap();
            assert_eq!(read(&root, &format!("/home/{name}/keys")).unwrap().as_deref(), Some(&b"kept"[..]), "{name}");
        }
        let lost = read(&root, "/home/9/keys").unwrap_err();
        assert_eq!(lost.to_string(), "a link on the way leads nowhere");
        assert_eq!(read(&root, "/home/7/none").unwrap(), None);
    }

    /// A copy need not have the modes and owners of the server.
    #[test]
    fn only_on_the_server_itself_the_plain_path_is_checked() {
        let (_dir, mut root) = tree();
        assert!(read(&root, "/home/own").unwrap().is_some() && read(&root, "/closed/open").unwrap().is_some());
        root.is_live = true;
        assert!(read(&root, "/home/own").is_err() && read(&root, "/closed/open").is_err());
        // Its owner is whoever runs the test.
        assert_eq!(read(&root, "/etc/passwd").is_ok(), rustix::process::geteuid().is_root());
    }

    #[test]
    fn rights_are_those_of_the_first_class_that_the_user_is_in() {
        let mut stat = rustix::fs::stat(Path::new("/")).unwrap();
        let user = Reader { uid: 7, gids: vec![8, 9] };
        for (uid, gid, mode, may_read) in [
            (7, 0, 0o400, true),
            (7, 8, 0o044, false),
            (0, 9, 0o640, true),
            (0, 9, 0o604, false),
            (0, 0, 0o604, true),
            (0, 0, 0o640, false),
        ] {
            (stat.st_uid, stat.st_gid, stat.st_mode) = (uid, gid, mode);
            assert_eq!(user.may(4, &stat, Owners::Kept), may_read, "{uid} {gid} {mode:o}");
        }
        (stat.st_uid, stat.st_mode) = (7, 0o600);
        assert!(!user.may(4, &stat, Owners::Lost), "the number says nothing");
        stat.st_uid = 10;
        assert!(!user.is_owner(&stat, Owners::Kept));
    }
}
