//! The folder of a local cloud: made by this user on this machine, and closed to others.
//!
//! Programs are started from it, so a folder that came with a cloned repository, or that another user made or may write,
//! must not be believed. Owner and mode show the second. For the first, each folder that is made here is noted in the
//! user's own state folder, with its device and inode, which a copy does not have: as git asks for `safe.directory`.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use sftpctl_aws::owner::{has_list, is_anybody, is_own, is_private_group};
use sha2::{Digest as _, Sha256};

use super::error::{IT_HAS_NO_OWNER, LocalError, NO_OWNER, OTHERS_REPLACE, OTHERS_WRITE};
use crate::execute_api::sigv4::hex;

/// Links on the way to a program; Linux follows as many.
const MAX_LINKS: usize = 40;
/// Bytes of a note that are read; it has some dozen.
const MAX_NOTE: u64 = 1024;

/// Nobody but the owner, for files and folders that this process and its children make from now on.
pub fn close_to_others() {
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
}

/// Makes the folder if needed, closes it, and returns its absolute path: the background process may have another working
/// directory. The folder that it is in must exist, unless it is `.sftpctl`, which has the states of environments, too.
///
/// # Errors
/// [`LocalError::Untrusted`] if one of the two is not this user's own, before anything is written or changed; or it cannot
/// be made.
pub(crate) fn prepared(dir: &Path) -> Result<PathBuf, LocalError> {
    let dir = real(dir)?;
    check_above(&dir)?;
    if let Some(around) = around(&dir) {
        made(around)?;
        close(around)?;
    }
    if made(&dir)? {
        note(&dir)?;
    } else {
        check(&dir)?;
    }
    close(&dir)?;
    Ok(dir)
}

/// Checks a folder that exists.
///
/// # Errors
/// [`LocalError::Untrusted`].
pub(crate) fn check(dir: &Path) -> Result<(), LocalError> {
    check_above(dir)?;
    if let Some(around) = around(dir) {
        own(around)?;
    }
    let (_, facts) = own(dir)?;
    let is_empty = std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    if is_empty {
        return note(dir);
    }
    if is_noted(dir, &facts)? {
        Ok(())
    } else {
        Err(untrusted(dir, "it was not made here by sftpctl, but came with a copy or an archive"))
    }
}

fn untrusted(dir: &Path, why: &str) -> LocalError {
    LocalError::Untrusted { dir: dir.to_owned(), why: why.to_owned() }
}

/// The `.sftpctl` that the folder is in.
fn around(dir: &Path) -> Option<&Path> {
    dir.parent().filter(|parent| parent.ends_with(".sftpctl"))
}

/// The absolute path of a local cloud's folder, without links above it and its `.sftpctl`: a link that leads elsewhere later
/// changes nothing.
///
/// # Errors
/// The current folder is gone, or links lead in a circle.
pub(crate) fn real(dir: &Path) -> Result<PathBuf, LocalError> {
    let dir = std::path::absolute(dir).map_err(LocalError::file("finding", dir))?;
    let Some(above) = around(&dir).unwrap_or(&dir).parent() else { return Ok(dir) };
    match above.canonicalize() {
        Ok(real) => Ok(dir.strip_prefix(above).map_or_else(|_| dir.clone(), |inside| real.join(inside))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(dir),
        Err(error) => Err(LocalError::file("finding", above)(error)),
    }
}

/// Makes a folder for programs that are run, closes it, and checks what is in it. Returns its path without links: it is
/// this one that was checked.
///
/// # Errors
/// [`LocalError::Untrusted`] or [`LocalError::Exposed`]: others could have put programs there, or could now.
pub(crate) fn programs(folder: &Path) -> Result<PathBuf, LocalError> {
    let folder = with_folders_above(folder)?;
    made(&folder)?;
    close(&folder)?;
    check_programs(&folder)?;
    Ok(folder)
}

/// Checks what is in a folder that is closed now, and may have been open when it was filled.
fn check_programs(folder: &Path) -> Result<(), LocalError> {
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        let entries = std::fs::read_dir(&inner).map_err(LocalError::file("reading", &inner))?;
        for entry in entries {
            let path = entry.map_err(LocalError::file("reading", &inner))?.path();
            let facts = path.symlink_metadata().map_err(LocalError::file("reading", &path))?;
            if facts.is_symlink() {
                check_target(folder, &path)?;
                continue;
            }
            if !is_trusted(facts.uid()) || facts.permissions().mode() & 0o022 != 0 {
                return Err(untrusted(folder, &format!("others could have changed {}", path.display())));
            }
            if facts.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(())
}

/// Checks a link among programs, such as that of a virtual environment to the system's Python: all that leads to its
/// target, other links too, and the target. Whoever could change one of them later could have another program run.
fn check_target(folder: &Path, link: &Path) -> Result<(), LocalError> {
    let (mut here, mut links) = (PathBuf::from("/"), 0);
    let mut rest: Vec<OsString> = Vec::new();
    let parts = |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<_>>();
    rest.extend(parts(link));
    while let Some(part) = rest.pop() {
        // `/` begins anew, and `..` of a path without links is the folder above.
        let path = match Path::new(&part).components().next() {
            Some(Component::ParentDir) => here.parent().unwrap_or(&here).to_owned(),
            _ => here.join(&part),
        };
        let facts = path.symlink_metadata().map_err(LocalError::file("reading", &path))?;
        let is_open = if facts.is_symlink() { !is_trusted(facts.uid()) } else { replaceable(&path, &facts).is_some() };
        if is_open {
            let (link, path) = (link.display(), path.display());
            return Err(untrusted(folder, &format!("{link} leads to what others can change: {path}")));
        }
        if !facts.is_symlink() {
            here = path;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(untrusted(folder, &format!("{} leads in a circle", link.display())));
        }
        let target = path.read_link().map_err(LocalError::file("reading", &path))?;
        rest.extend(parts(&target));
    }
    Ok(())
}

/// The path without links, after the folders that it is in were made, if needed, where nobody else could exchange them.
///
/// # Errors
/// [`LocalError::Exposed`], before anything is made; or a folder cannot be made.
pub(crate) fn with_folders_above(path: &Path) -> Result<PathBuf, LocalError> {
    let path = without_links(path)?;
    let Some(parent) = path.parent() else { return Ok(path) };
    let existing = parent.ancestors().find(|folder| folder.exists()).unwrap_or(parent);
    check_folders(existing, &path)?;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
    made.map_err(LocalError::file("creating", parent))?;
    check_above(&path)?;
    Ok(path)
}

/// The absolute path, without links as far as it exists.
fn without_links(path: &Path) -> Result<PathBuf, LocalError> {
    let path = std::path::absolute(path).map_err(LocalError::file("finding", path))?;
    for above in path.ancestors().skip(1) {
        match above.canonicalize() {
            Ok(real) => return Ok(path.strip_prefix(above).map_or_else(|_| path.clone(), |inside| real.join(inside))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(LocalError::file("finding", above)(error)),
        }
    }
    Ok(path)
}

/// Opens a file of this user's own, which nobody else could have put there, for reading or writing; it is made if needed.
///
/// # Errors
/// [`LocalError::Untrusted`], with nothing changed; or it cannot be opened.
pub(crate) fn own_file(path: &Path, options: &mut OpenOptions) -> Result<File, LocalError> {
    // Without a wait for the other end of a pipe.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = flags.bits().cast_signed();
    let file = match options.mode(0o600).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(untrusted(path, "it is a link"));
        }
        Err(error) => return Err(LocalError::file("opening", path)(error)),
    };
    let facts = file.metadata().map_err(LocalError::file("reading", path))?;
    match open_to_others(&facts) {
        Some(why) => Err(untrusted(path, why)),
        None if !facts.is_file() => Err(untrusted(path, "it is not a file")),
        None => Ok(file),
    }
}

/// Checks the folders above: who may write to one of them can put another `.sftpctl` in the place of this one, at any
/// moment. In a folder with the sticky bit, such as `/tmp`, only the owners of its entries can.
pub(crate) fn check_above(dir: &Path) -> Result<(), LocalError> {
    check_folders(around(dir).unwrap_or(dir).parent().unwrap_or(dir), dir)
}

/// Checks a folder that `dir` is in, and those above it.
fn check_folders(folder: &Path, dir: &Path) -> Result<(), LocalError> {
    let exposed = |above: Vec<PathBuf>, why| LocalError::Exposed { dir: dir.to_owned(), above, why };
    let mut open = Vec::new();
    for folder in folder.ancestors() {
        let facts = folder.metadata().map_err(LocalError::file("reading", folder))?;
        match replaceable(folder, &facts) {
            Some(OTHERS_REPLACE) => open.push(folder.to_owned()),
            Some(why) => return Err(exposed(vec![folder.to_owned()], why)),
            None => {}
        }
    }
    if open.is_empty() { Ok(()) } else { Err(exposed(open, OTHERS_REPLACE)) }
}

/// Whether an owner could do harm without this: the user, and root.
fn is_trusted(owner: u32) -> bool {
    !is_anybody(owner) && (owner == 0 || is_own(owner))
}

/// Why others could replace what is in a folder.
fn replaceable(path: &Path, facts: &Metadata) -> Option<&'static str> {
    if is_anybody(facts.uid()) {
        return Some(NO_OWNER);
    }
    if !is_trusted(facts.uid()) {
        return Some("belongs to another user");
    }
    let mode = facts.permissions().mode();
    // A file may have the sticky bit, too, where it means nothing.
    let is_sticky = facts.is_dir() && mode & 0o1000 != 0;
    if is_sticky || mode & 0o022 == 0 {
        return None;
    }
    let user = rustix::process::geteuid().as_raw();
    let is_private = mode & 0o002 == 0 && !has_list(path) && is_private_group(facts.gid(), user);
    (!is_private).then_some(OTHERS_REPLACE)
}

/// Makes a folder, but none of those that it is in. Returns `false` if it exists.
fn made(dir: &Path) -> Result<bool, LocalError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(LocalError::file("creating", dir)(error)),
    }
}

/// A folder that is no link, and that only this user can write to, and the facts of it.
fn own(dir: &Path) -> Result<(File, Metadata), LocalError> {
    let folder = opened(dir)?;
    let facts = folder.metadata().map_err(LocalError::file("reading", dir))?;
    if let Some(why) = open_to_others(&facts) {
        return Err(untrusted(dir, why));
    }
    Ok((folder, facts))
}

/// Closes a folder of this user's own, not what has taken its place meanwhile.
fn close(dir: &Path) -> Result<(), LocalError> {
    let (folder, _) = own(dir)?;
    folder.set_permissions(Permissions::from_mode(0o700)).map_err(LocalError::file("closing", dir))?;
    // In a folder with a default list, new files have its rights, whatever the umask (acl(5)).
    match rustix::fs::fremovexattr(&folder, "system.posix_acl_default") {
        Ok(()) | Err(rustix::io::Errno::NODATA | rustix::io::Errno::NOTSUP) => Ok(()),
        Err(error) => Err(LocalError::file("closing", dir)(error.into())),
    }
}

/// Opens a folder itself; a link in its place is not followed.
fn opened(dir: &Path) -> Result<File, LocalError> {
    use rustix::fs::{Mode, OFlags};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::open(dir, flags, Mode::empty()) {
        Ok(folder) => Ok(folder.into()),
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => Err(untrusted(dir, "it is a link or a file")),
        Err(error) => Err(LocalError::file("opening", dir)(error.into())),
    }
}

/// Why others could put something into a folder.
fn open_to_others(facts: &Metadata) -> Option<&'static str> {
    if is_anybody(facts.uid()) {
        return Some(IT_HAS_NO_OWNER);
    }
    if !is_own(facts.uid()) {
        return Some("another user owns it");
    }
    (facts.permissions().mode() & 0o022 != 0).then_some(OTHERS_WRITE)
}

/// Device, inode and time of birth: an inode number is used again.
fn identity(facts: &Metadata) -> String {
    let born = facts.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    format!("{}:{}:{}\n", facts.dev(), facts.ino(), born.unwrap_or_default().as_nanos())
}

/// Whether a folder of programs was made here, and not with a copy.
pub(crate) fn was_made_here(dir: &Path) -> Result<bool, LocalError> {
    let (_, facts) = own(dir)?;
    is_noted(dir, &facts)
}

fn is_noted(dir: &Path, facts: &Metadata) -> Result<bool, LocalError> {
    Ok(noted(dir)?.is_some_and(|text| text == identity(facts)))
}

/// Notes that the folder was made here.
pub(crate) fn note(dir: &Path) -> Result<(), LocalError> {
    let facts = dir.symlink_metadata().map_err(LocalError::file("reading", dir))?;
    let path = with_folders_above(&note_of(dir)?)?;
    close(path.parent().unwrap_or(&path))?;
    let mut file = own_file(&path, OpenOptions::new().write(true).create(true))?;
    let written = file.set_len(0).and_then(|()| file.write_all(identity(&facts).as_bytes()));
    written.map_err(LocalError::file("writing", path))
}

/// The note on a folder, if there is one.
fn noted(dir: &Path) -> Result<Option<String>, LocalError> {
    let path = without_links(&note_of(dir)?)?;
    let Some(folder) = path.parent().filter(|_| path.symlink_metadata().is_ok()) else { return Ok(None) };
    check_above(&path)?;
    own(folder)?;
    let mut text = String::new();
    let read = own_file(&path, OpenOptions::new().read(true))?.take(MAX_NOTE).read_to_string(&mut text);
    read.map_err(LocalError::file("reading", path))?;
    Ok(Some(text))
}

/// The file with the note on a folder, by its path.
fn note_of(dir: &Path) -> Result<PathBuf, LocalError> {
    let home = base("XDG_STATE_HOME", ".local/state").ok_or(LocalError::NoHome)?;
    let name = hex(&Sha256::digest(dir.as_os_str().as_encoded_bytes()));
    Ok(home.join("sftpctl/local-clouds").join(name))
}

/// A folder of the user's own by the XDG Base Directory Specification.
pub(crate) fn base(variable: &str, default: &str) -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set(variable).or_else(|| Some(set("HOME")?.join(default)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// A list that lets other users in (acl(5)): version 2, and entries of a kind, its rights and a number.
    fn list(others: u32) -> Vec<u8> {
        let others = (0..others).map(|number| (2, 7, 65_534 - number));
        let entries = [(1_u16, 7_u16, u32::MAX)].into_iter().chain(others);
        let entries = entries.chain([(4, 5, u32::MAX), (0x10, 7, u32::MAX), (0x20, 5, u32::MAX)]);
        let bytes = entries.flat_map(|(kind, rights, number)| {
            [&kind.to_le_bytes()[..], &rights.to_le_bytes(), &number.to_le_bytes()].concat()
        });
        2_u32.to_le_bytes().into_iter().chain(bytes).collect()
    }

    fn set_list(path: &Path, name: &str, others: u32) {
        rustix::fs::setxattr(path, name, &list(others), rustix::fs::XattrFlags::empty()).unwrap();
    }

    #[test]
    fn programs_that_others_could_have_put_there_are_not_run() {
        let here = tempfile::tempdir().unwrap();
        let (cache, folder) = (here.path().join("cache"), here.path().join("cache/ministack"));
        assert_eq!(programs(&folder).unwrap(), folder.canonicalize().unwrap());
        std::fs::create_dir(folder.join("bin")).unwrap();
        std::fs::write(folder.join("bin/pip"), "").unwrap();
        std::os::unix::fs::symlink("/bin/sh", folder.join("bin/python")).unwrap();
        programs(&folder).unwrap();
        let refused = |why: &str| {
            let error = programs(&folder).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        };
        for (path, why) in [
            (&folder, OTHERS_WRITE),
            (&cache, OTHERS_REPLACE),
            (&folder.join("bin"), "others could have changed"),
            (&folder.join("bin/pip"), "others could have changed"),
        ] {
            set(path, 0o777);
            refused(why);
            set(path, 0o755);
        }
        for others in [1, 200] {
            set_list(&cache, "system.posix_acl_access", others);
            refused(OTHERS_REPLACE);
        }
        rustix::fs::removexattr(&cache, "system.posix_acl_access").unwrap();
        set(&cache, 0o700);
        // A link to what others can change.
        let theirs = here.path().join("theirs");
        std::fs::write(&theirs, "").unwrap();
        set(&theirs, 0o777);
        std::os::unix::fs::symlink(&theirs, folder.join("bin/python3")).unwrap();
        refused("leads to what others can change");
        std::fs::remove_file(folder.join("bin/python3")).unwrap();
        // Relative, and by links of one's own.
        let bin = folder.join("bin");
        for (target, name) in [("python", "python3"), ("../bin/python3", "python3.11"), ("/bin/sh", "sh")] {
            std::os::unix::fs::symlink(target, bin.join(name)).unwrap();
        }
        programs(&folder).unwrap();
        // Through a folder in which others can exchange the next link.
        let open = here.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::os::unix::fs::symlink("/bin/sh", open.join("py")).unwrap();
        std::fs::remove_file(bin.join("python3")).unwrap();
        std::os::unix::fs::symlink(open.join("py"), bin.join("python3")).unwrap();
        programs(&folder).unwrap();
        set(&open, 0o777);
        refused("leads to what others can change");
        set(&open, 0o755);
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(bin.join("python3"), Some(65_534), None).unwrap();
            refused("leads to what others can change");
            std::os::unix::fs::lchown(bin.join("python3"), Some(0), None).unwrap();
            std::os::unix::fs::lchown(open.join("py"), Some(65_534), None).unwrap();
            refused("leads to what others can change");
            std::os::unix::fs::lchown(open.join("py"), Some(0), None).unwrap();
            std::os::unix::fs::lchown(&open, Some(65_534), None).unwrap();
            refused("leads to what others can change");
            std::os::unix::fs::lchown(&open, Some(0), None).unwrap();
        }
        std::fs::remove_file(bin.join("python3")).unwrap();
        std::os::unix::fs::symlink("python3", bin.join("python3")).unwrap();
        refused("leads in a circle");
        std::fs::remove_file(bin.join("python3")).unwrap();
        std::fs::remove_file(bin.join("python3.11")).unwrap();
        // By a link, it is the folder that the link leads to, also if it is made now.
        std::os::unix::fs::symlink(&cache, here.path().join("link")).unwrap();
        let (linked, real) = (here.path().join("link/a/b"), cache.canonicalize().unwrap().join("a/b"));
        assert_eq!(programs(&linked).unwrap(), real);
    }

    /// A default list replaces the umask.
    #[test]
    fn folder_of_programs_is_closed_where_new_files_are_open_by_default() {
        let here = tempfile::tempdir().unwrap();
        set_list(here.path(), "system.posix_acl_default", 1);
        let folder = programs(&here.path().join("ministack")).unwrap();
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::create_dir(folder.join("bin")).unwrap();
        assert_eq!(folder.join("bin").metadata().unwrap().permissions().mode() & 0o020, 0, "{folder:?}");
    }

    #[test]
    fn only_a_file_of_this_user_is_opened() {
        let here = tempfile::tempdir().unwrap();
        let path = |name: &str| here.path().join(name);
        let open = |name: &str| own_file(&path(name), OpenOptions::new().append(true).create(true));
        open("new").unwrap();
        open("new").unwrap();
        std::os::unix::fs::symlink(path("victim"), path("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        set(&path("new"), 0o666);
        assert!(["link", "pipe", "new"].into_iter().all(|name| open(name).is_err()));
        assert!(!path("victim").exists());
        if rustix::process::geteuid().is_root() {
            std::fs::write(path("theirs"), "").unwrap();
            std::os::unix::fs::chown(path("theirs"), Some(65_534), None).unwrap();
            assert!(open("theirs").unwrap_err().to_string().contains("another user owns it"));
        }
    }

    /// The tests run as root, whose group is never private.
    #[test]
    fn folder_that_a_group_of_several_may_write_is_not_ours_alone() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let here = tempfile::tempdir().unwrap();
        let (outer, inner) = (here.path().join("outer"), here.path().join("outer/inner"));
        std::fs::create_dir_all(&inner).unwrap();
        prepared(&inner.join(".sftpctl/local")).unwrap();
        for folder in [&outer, &inner] {
            set(folder, 0o775);
        }
        let error = prepared(&inner.join(".sftpctl/local")).unwrap_err();
        let (outer, inner) = (outer.canonicalize().unwrap(), inner.canonicalize().unwrap());
        let command = format!("chmod go-w {} {}", inner.display(), outer.display());
        assert!(error.to_string().contains("are writable for others"), "{error}");
        assert!(error.hint().unwrap().contains(&command), "{:?}", error.hint());
        for folder in [&outer, &inner] {
            set(folder, 0o755);
        }
        prepared(&inner.join(".sftpctl/local")).unwrap();
    }

    /// As the target of a link among programs: the sticky bit protects entries of a folder, and no content of a file.
    #[test]
    fn sticky_bit_closes_no_file() {
        let here = tempfile::tempdir().unwrap();
        let file = here.path().join("python");
        std::fs::write(&file, "").unwrap();
        for (path, is_open) in [(file.as_path(), true), (here.path(), false)] {
            set(path, 0o1777);
            assert_eq!(replaceable(path, &path.metadata().unwrap()).is_some(), is_open, "{path:?}");
        }
    }

    #[test]
    fn folder_of_others_or_of_a_copy_is_refused() {
        let here = tempfile::tempdir().unwrap();
        let dir = here.path().join(".sftpctl/local");
        assert_eq!(prepared(&dir).unwrap(), dir);
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&here.path().join(".sftpctl"))), (0o700, 0o700));
        std::fs::write(dir.join("run.json"), "{}").unwrap();
        prepared(&dir).unwrap();
        // As `git clone` or `tar` makes it.
        let copy = here.path().join("clone");
        std::fs::create_dir_all(&copy).unwrap();
        std::fs::write(copy.join("run.json"), "{}").unwrap();
        assert!(prepared(&copy).unwrap_err().to_string().contains("not made here"));
        // The same path again.
        std::fs::remove_dir_all(&dir).unwrap();
        std::fs::rename(&copy, &dir).unwrap();
        assert!(prepared(&dir).unwrap_err().to_string().contains("not made here"));
        // What surrounds it: nothing is changed or made in a folder of somebody's choice.
        let (victim, clone) = (here.path().join("victim"), here.path().join("linked"));
        std::fs::create_dir(&victim).unwrap();
        std::fs::set_permissions(&victim, Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(&clone).unwrap();
        std::os::unix::fs::symlink(&victim, clone.join(".sftpctl")).unwrap();
        for refused in [prepared, |dir: &Path| check(dir).map(|()| dir.to_owned())] {
            assert!(refused(&clone.join(".sftpctl/local")).unwrap_err().to_string().contains("a link"));
        }
        assert_eq!((mode(&victim), std::fs::read_dir(&victim).unwrap().count()), (0o755, 0));
        let around = here.path().join("shared/.sftpctl");
        std::fs::create_dir_all(&around).unwrap();
        std::fs::set_permissions(&around, Permissions::from_mode(0o777)).unwrap();
        assert!(prepared(&around.join("local")).unwrap_err().to_string().contains("others may write"));
        assert_eq!((mode(&around), std::fs::read_dir(&around).unwrap().count()), (0o777, 0));
        // One that others may only read is closed.
        std::fs::set_permissions(&around, Permissions::from_mode(0o755)).unwrap();
        prepared(&around.join("local")).unwrap();
        assert_eq!(mode(&around), 0o700);
        assert!(prepared(&here.path().join("missing/folder")).is_err() && !here.path().join("missing").exists());
        // A folder further up, in which others could put another one in its place.
        let (up, deep) = (here.path().join("up"), here.path().join("up/a/b"));
        std::fs::create_dir_all(&deep).unwrap();
        for (mode, is_safe) in [(0o777, false), (0o1777, true), (0o755, true)] {
            std::fs::set_permissions(&up, Permissions::from_mode(mode)).unwrap();
            let made = prepared(&deep.join(".sftpctl/local"));
            let text = made.as_ref().map_or_else(ToString::to_string, |_| String::new());
            assert_eq!((made.is_ok(), text.contains("writable for others")), (is_safe, !is_safe), "{mode:o} {text}");
        }
        // By a link it is the same folder.
        let (linked, target) = (here.path().join("linked-up"), deep.join(".sftpctl/local"));
        std::os::unix::fs::symlink(&deep, &linked).unwrap();
        assert_eq!(prepared(&linked.join(".sftpctl/local")).unwrap(), real(&target).unwrap());
        let open = here.path().join("open");
        prepared(&open).unwrap();
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).unwrap();
        assert!(prepared(&open).unwrap_err().to_string().contains("others may write"));
        let link = here.path().join("link");
        std::os::unix::fs::symlink(&dir, &link).unwrap();
        assert!(prepared(&link).unwrap_err().to_string().contains("a link"));
    }
}
