//! The folder and a symbolic link change places in one step, so that nobody ever finds neither (renameat2(2),
//! `RENAME_EXCHANGE`); and why a home cannot be swapped.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use sftpctl_core::freeze::kept_name;

use super::entry::{Kind, Opened};
use super::opened::OpenFiles;
use super::walk::{Home, facts};

/// The type of a file system over the network (statfs(2), `NFS_SUPER_MAGIC`), which cannot exchange.
const NFS: i64 = 0x6969;

/// Why a home cannot be swapped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("{0} is a mount point, which cannot be replaced: unmount it first, or mount its file system elsewhere")]
    MountPoint(PathBuf),
    #[error("other file systems are mounted in it, at {0}")]
    MountsInside(String),
    #[error("{0} is on NFS, which cannot exchange two names: cut over on the server that exports it")]
    Nfs(PathBuf),
    #[error(
        "{0} belongs to root and nobody else may write to it, as sshd asks of a ChrootDirectory: sshd refuses a link there; \
         change sshd_config first, or pass --allow-chroot if it is none"
    )]
    Chroot(PathBuf),
    #[error(
        "sshd locks {user} into {folder} (`sshd -T -C user={user}`), and fails log-ins once a link out of it is in the place \
         of the home; change ChrootDirectory first, or pass --allow-chroot if {user} logs in no more"
    )]
    Locked { user: String, folder: PathBuf },
    #[error("processes have its files open, and would go on in the old folder: {0}")]
    Open(String),
    #[error("{0} is in the way, which is where the folder is kept: move it elsewhere")]
    Taken(PathBuf),
    #[error("{0} is not a folder: is the mount there, and the home in it?")]
    NoTarget(PathBuf),
}

/// Where the old folder is after the cut-over: beside the link, under a hidden name.
pub fn kept(home: &Path) -> PathBuf {
    home.with_file_name(OsString::from_vec(kept_name(home.file_name().unwrap_or_default().as_bytes())))
}

/// What can be known before anything is done.
///
/// # Errors
/// The reason that stands in the way.
pub fn check(home: &Home, allow_chroot: bool) -> Result<(), Refusal> {
    let path = home.path();
    if home.is_mount_point() {
        return Err(Refusal::MountPoint(path.to_owned()));
    }
    let inside: Vec<String> = home.mounts().map(|mount| mount.to_string()).collect();
    if !inside.is_empty() {
        return Err(Refusal::MountsInside(inside.join(", ")));
    }
    if fs::statfs(path).is_ok_and(|found| found.f_type == NFS) {
        return Err(Refusal::Nfs(path.to_owned()));
    }
    let facts = home.facts();
    if facts.uid == 0 && facts.mode & 0o022 == 0 && !allow_chroot {
        return Err(Refusal::Chroot(path.to_owned()));
    }
    Ok(())
}

/// Whether the name is free under which the folder is kept. A run that was killed may have left the link there.
///
/// # Errors
/// Something else has it.
pub fn check_kept(home: &Path, target: &Path) -> Result<(), Refusal> {
    let kept = kept(home);
    if kept.symlink_metadata().is_err() || leads_to(&kept, target) { Ok(()) } else { Err(Refusal::Taken(kept)) }
}

/// Whether no process has files of the home open.
///
/// # Errors
/// The processes that have.
pub fn check_closed(home: &Path) -> Result<(), Refusal> {
    // As `/proc` names it.
    let home = home.canonicalize().unwrap_or_else(|_| home.to_owned());
    let open = OpenFiles::below(&home).processes();
    let words = |by: &Opened| format!("{} (process {})", by.command, by.pid);
    if open.is_empty() { Ok(()) } else { Err(Refusal::Open(open.iter().map(words).collect::<Vec<_>>().join(", "))) }
}

/// Which of two is in the place of the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InPlace {
    /// The folder, as before the cut-over and after a roll-back.
    Folder,
    /// The link to this target, and the folder is kept.
    Link,
}

/// What is in the place of a home now.
///
/// # Errors
/// It is neither, or the folder is not where it was put.
pub fn in_place(home: &Path, target: &Path) -> io::Result<InPlace> {
    let stat = |path: &Path| fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| named(error, path));
    let kind = |path: &Path| stat(path).map(|stat| facts(&stat).kind());
    match kind(home)? {
        Kind::Folder => Ok(InPlace::Folder),
        Kind::Link if leads_to(home, target) && kind(&kept(home))? == Kind::Folder => Ok(InPlace::Link),
        Kind::Link => Err(io::Error::other(format!("{} is a link of someone else's", home.display()))),
        other => Err(io::Error::other(format!("{} is a {}", home.display(), other.as_str()))),
    }
}

/// Whether a home was cut over, whatever its link leads to: there is a link, and the folder is kept.
pub fn is_moved(home: &Path) -> bool {
    let kind = |path: &Path| fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(|stat| facts(&stat).kind()).ok();
    kind(home) == Some(Kind::Link) && kind(&kept(home)) == Some(Kind::Folder)
}

/// The folder in the place of a home that was cut over, if it is another one: the one that was cut over has this inode, or
/// is kept still.
pub fn is_another(home: &Path, inode: Option<u64>) -> bool {
    let of = |path: &Path| fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).map(|stat| facts(&stat)).ok();
    let is_kept = of(&kept(home)).is_some_and(|kept| kept.kind() == Kind::Folder);
    is_kept || of(home).is_some_and(|home| inode.is_some_and(|inode| inode != home.inode))
}

fn leads_to(link: &Path, target: &Path) -> bool {
    fs::readlinkat(CWD, link, Vec::new()).is_ok_and(|is| is.as_bytes() == target.as_os_str().as_bytes())
}

/// Puts a link to `target` in the place of the folder, which is kept beside it. Done already is fine.
///
/// # Errors
/// The file system cannot exchange two names, or something else has the name of the kept folder.
pub fn exchange(home: &Path, target: &Path) -> io::Result<()> {
    if in_place(home, target)? == InPlace::Link {
        return Ok(());
    }
    let kept = kept(home);
    match fs::symlinkat(target, CWD, &kept) {
        Ok(()) => {}
        // Of a run that was killed, or of a roll-back.
        Err(Errno::EXIST) if leads_to(&kept, target) => {}
        Err(error) => return Err(named(error, &kept)),
    }
    fs::renameat_with(CWD, home, CWD, &kept, RenameFlags::EXCHANGE).map_err(|error| named(error, home))?;
    sync_parent(home)
}

/// Puts the folder back in its place, and removes the link. Done already is fine.
///
/// # Errors
/// The file system cannot exchange two names.
pub fn exchange_back(home: &Path, target: &Path) -> io::Result<()> {
    let kept = kept(home);
    if in_place(home, target)? == InPlace::Link {
        fs::renameat_with(CWD, home, CWD, &kept, RenameFlags::EXCHANGE).map_err(|error| named(error, home))?;
    }
    if leads_to(&kept, target) {
        fs::unlinkat(CWD, &kept, AtFlags::empty()).map_err(|error| named(error, &kept))?;
    }
    sync_parent(home)
}

/// The rights of a folder.
///
/// # Errors
/// It cannot be read, or is not a folder.
pub fn rights(folder: &Path) -> io::Result<u32> {
    Ok(facts(&fs::fstat(&opened(folder)?)?).mode & 0o7777)
}

/// Sets the rights of a folder.
///
/// # Errors
/// It cannot be changed, or is not a folder.
pub fn set_rights(folder: &Path, rights: u32) -> io::Result<()> {
    fs::fchmod(&opened(folder)?, Mode::from_raw_mode(rights)).map_err(|error| named(error, folder))
}

/// A folder itself, never one that a link leads to.
fn opened(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    fs::open(folder, flags, Mode::empty()).map_err(|error| named(error, folder))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    std::fs::File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

fn named(error: Errno, path: &Path) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::name::Charset;
    use super::*;

    #[test]
    fn folder_and_link_change_places_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let (home, target) = (dir.path().join("7"), dir.path().join("mount/7"));
        std::fs::create_dir_all(&target).unwrap();
        std::fs::create_dir(&home).unwrap();
        std::fs::write(home.join("old"), "x").unwrap();
        std::fs::write(target.join("new"), "x").unwrap();
        for _ in 0..2 {
            // Twice, as after a kill between the exchange and its line in the journal.
            exchange(&home, &target).unwrap();
            exchange(&home, &target).unwrap();
            assert_eq!(in_place(&home, &target).unwrap(), InPlace::Link);
            assert!(home.join("new").exists() && kept(&home).join("old").exists());
            assert!(is_moved(&home));
            assert_eq!(kept(&home), home.with_file_name(".7.before-cutover"));
            exchange_back(&home, &target).unwrap();
            exchange_back(&home, &target).unwrap();
            assert_eq!(in_place(&home, &target).unwrap(), InPlace::Folder);
            assert!(home.join("old").exists() && !kept(&home).exists());
            let inode = fs::stat(&home).unwrap().st_ino;
            assert!(!is_moved(&home) && !is_another(&home, Some(inode)) && is_another(&home, Some(inode + 1)));
        }
        // After a kill between the link and the exchange.
        std::os::unix::fs::symlink(&target, kept(&home)).unwrap();
        exchange(&home, &target).unwrap();
        exchange_back(&home, &target).unwrap();
        // Something of someone else's is in the way.
        std::fs::create_dir(kept(&home)).unwrap();
        assert!(exchange(&home, &target).is_err());
        assert!(home.join("old").exists());
    }

    #[test]
    fn homes_that_cannot_be_swapped_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path| Home::open(path, Charset::Utf8).unwrap();
        let own = open(dir.path());
        let is_root = own.facts().uid == 0;
        assert_eq!(matches!(check(&own, false), Err(Refusal::Chroot(_))), is_root);
        assert_eq!(check(&own, true), Ok(()));
        assert!(matches!(check(&open(Path::new("/proc")), true), Err(Refusal::MountPoint(_))));
        assert_eq!(check_closed(dir.path()), Ok(()));
    }
}
