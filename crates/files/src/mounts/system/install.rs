//! Installs a mount, and removes one: units, the record, the protected mount point, the folder for temporary data.
//!
//! Everything is compared first, so that a second run changes nothing, and a dry run says what the first would.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
use rustix::io::Errno;
use serde::Serialize;
use sftpctl_core::shown::visible;
use sftpctl_core::spec::mounts::MountKind;

use super::super::launch::uses_disk;
use super::super::mountinfo::mounts_at;
use super::super::prune;
use super::super::record::{FOLDER, Record, below};
use super::super::units::{files, least_systemd, links, service};
use super::cache::{Found, Refusal, examine, is_private, is_trusted, prepare};
use super::lock::{Held, open_plain};
use super::processes::{User, daemons, until, users};
use super::programs::{has_systemd, systemctl, systemd, unmount};

/// Where and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The root folder of the system.
    pub root: PathBuf,
    /// This program, for the units.
    pub sftpctl: PathBuf,
    pub is_dry: bool,
}

/// What happened to a path, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    Created,
    Changed,
    Unchanged,
    Removed,
    Left,
}

/// A step of an installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    pub path: String,
    pub what: What,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Change {
    fn new(path: &Path, what: What) -> Self {
        Self { path: path.display().to_string(), what, note: None }
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

/// Why a mount is not installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("{0} cannot be read: the file of the mount's keys")]
    NoCredentials(String, #[source] io::Error),
    #[error("{0} is not a plain file of root")]
    ForeignCredentials(String),
    #[error("{0} is not a folder")]
    PointIsFile(String),
    #[error("{path} is not an empty folder: it has {content}")]
    PointInUse { path: String, content: String },
    #[error("the mount point {path} is a symbolic link to {target}")]
    PointIsLink { path: String, target: String },
    #[error("the path {0} has links in it")]
    Linked(String),
    #[error("{at} is in use: {}", named(.users))]
    Busy { at: String, users: Vec<User> },
    #[error(transparent)]
    Cache(#[from] Refusal),
    #[error("a heal is at work on {at}")]
    Locked { at: String },
    #[error("{at} could not be unmounted: {why}")]
    NotUnmounted { at: String, why: String },
    #[error("systemctl failed: {0}")]
    Systemd(String),
    #[error(
        "systemd {found} manages this server; the units of a mount by {kind} need systemd {needed} or newer",
        kind = .kind.as_str()
    )]
    OldSystemd { found: u32, needed: u32, kind: MountKind },
    #[error("{path}")]
    Io { path: String, source: io::Error },
    #[error("{why}: {other} is installed on this server")]
    Conflict { why: String, other: String },
    #[error("{0} is not a regular file that only root can change")]
    ForeignRecord(String),
    #[error("{path} is not a record of a mount: {why}")]
    Invalid { path: String, why: String },
    #[error("{path} is not a record of a mount")]
    Damaged { path: String, source: serde_json::Error },
}

fn named(users: &[User]) -> String {
    let all: Vec<String> = users.iter().map(|user| format!("{} ({})", user.pid, user.command)).collect();
    all.join(", ")
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, InstallError> {
    result.map_err(|source| InstallError::Io { path: path.display().to_string(), source })
}

/// The records of all installed mounts, by name.
///
/// # Errors
/// If one cannot be read.
pub fn records(root: &Path) -> Result<Vec<Record>, InstallError> {
    let folder = below(root, FOLDER);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => at(&folder, entries)?,
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// A record is a regular file that only root can change: root runs what it says.
fn read(path: &Path) -> Result<Record, InstallError> {
    const LARGEST: u64 = 1 << 20;
    let shown = || path.display().to_string();
    let file = match open_plain(path, File::options().read(true)) {
        Err(error) if [Some(Errno::LOOP), Some(Errno::NXIO)].contains(&Errno::from_io_error(&error)) => {
            return Err(InstallError::ForeignRecord(shown()));
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(InstallError::ForeignRecord(shown())),
        file => at(path, file)?,
    };
    let facts = at(path, file.metadata())?;
    if !is_trusted(facts.uid()) || facts.mode() & 0o022 != 0 {
        return Err(InstallError::ForeignRecord(shown()));
    }
    let mut text = String::new();
    at(path, file.take(LARGEST).read_to_string(&mut text))?;
    let damaged = |source| InstallError::Damaged { path: shown(), source };
    let record: Record = serde_json::from_str(&text).map_err(damaged)?;
    let is_named = path.file_stem().is_some_and(|name| *name == *record.mount.name());
    let fault = record.fault().or_else(|| (!is_named).then(|| "it has the name of another mount".to_owned()));
    fault.map_or(Ok(record), |why| Err(InstallError::Invalid { path: shown(), why }))
}

/// The mounts of another role, or of an older file, may be on the same server.
fn check_others(record: &Record, options: &Options) -> Result<(), InstallError> {
    let folder = below(&options.root, FOLDER);
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let others = paths.filter_map(|path| read(&path).ok()).filter(|other| other.mount.at != record.mount.at);
    match others.into_iter().find_map(|other| Some((record.mount.conflict(&other.mount)?, other.mount.at))) {
        Some((why, other)) => Err(InstallError::Conflict { why, other }),
        None => Ok(()),
    }
}

/// Installs a mount, and starts it if systemd manages this machine.
///
/// # Errors
/// What stops it; what was done until then is complete with the next run.
pub async fn install(record: &Record, options: &Options) -> Result<Vec<Change>, InstallError> {
    let here = record.clone().below(&options.root);
    check_others(record, options)?;
    if has_systemd(&options.root) {
        check_systemd(systemd().await, record.mount.kind)?;
    }
    let mut changes = Vec::new();
    if let Some(path) = &here.mount.credentials {
        changes.push(credentials(Path::new(path), options.is_dry)?);
    }
    let point = point(here.at(), options)?;
    if uses_disk(record.mount.kind) {
        changes.push(cache(Path::new(&here.mount.cache), &record.mount.name(), options.is_dry)?);
    }
    changes.push(point);
    for file in files(record, &options.sftpctl) {
        changes.push(put(&below(&options.root, &file.path), &file.text, options.is_dry)?);
    }
    for link in links(record) {
        changes.push(enable(&below(&options.root, &link.path), &link.target, options.is_dry)?);
    }
    changes.extend(updatedb(record, options, prune::with)?);
    if has_systemd(&options.root) && !options.is_dry {
        systemctl(&["daemon-reload"]).await.map_err(InstallError::Systemd)?;
        // A restart breaks the files that are open, so only for other options. One that runs is not started again.
        let is_other = |change: &Change| change.what == What::Changed && change.path.ends_with(&service(record));
        let verb = if changes.iter().any(is_other) { "restart" } else { "start" };
        systemctl(&[verb, &service(record)]).await.map_err(InstallError::Systemd)?;
    }
    Ok(changes)
}

/// One that does not say its version is taken for a new one.
fn check_systemd(found: Option<u32>, kind: MountKind) -> Result<(), InstallError> {
    let needed = least_systemd(kind);
    match found {
        Some(found) if found < needed => Err(InstallError::OldSystemd { found, needed, kind }),
        _ => Ok(()),
    }
}

/// The keys are root's alone. They are not written here: nothing of sftpctl knows them.
fn credentials(path: &Path, is_dry: bool) -> Result<Change, InstallError> {
    let facts = fs::symlink_metadata(path);
    let facts = facts.map_err(|error| InstallError::NoCredentials(path.display().to_string(), error))?;
    if !facts.is_file() || facts.uid() != 0 {
        return Err(InstallError::ForeignCredentials(path.display().to_string()));
    }
    if facts.mode() & 0o7777 == 0o600 {
        return Ok(Change::new(path, What::Unchanged));
    }
    if !is_dry {
        at(path, fs::set_permissions(path, Permissions::from_mode(0o600)))?;
    }
    Ok(Change::new(path, What::Changed).note(format!("rights 0600 instead of {:04o}", facts.mode() & 0o7777)))
}

fn cache(path: &Path, name: &str, is_dry: bool) -> Result<Change, InstallError> {
    let what = match examine(path, name)? {
        Found::Absent => What::Created,
        Found::Marked if is_private(path) => What::Unchanged,
        Found::Marked | Found::Empty => What::Changed,
    };
    if what != What::Unchanged && !is_dry {
        prepare(path, name)?;
    }
    Ok(Change::new(path, what))
}

/// What is in a folder: `a, b, c and 12 more`; nothing if it is empty.
fn content(path: &Path) -> Result<Option<String>, InstallError> {
    const NAMED: usize = 5;
    let names = at(path, fs::read_dir(path))?.map(|entry| Ok(entry?.file_name().display().to_string()));
    let mut names = at(path, names.collect::<io::Result<Vec<String>>>())?;
    names.sort();
    let more = names.split_off(names.len().min(NAMED)).len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named: Vec<_> = names.iter().map(|name| visible(name)).collect();
    Ok((!named.is_empty()).then(|| format!("{}{more}", named.join(", "))))
}

/// Makes the mount point, and protects it. While something is mounted there, it is left as it is.
fn point(path: &Path, options: &Options) -> Result<Change, InstallError> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if !mounts_at(&table, path).is_empty() {
        return Ok(Change::new(path, What::Left).note("mounted now, so what is below was not looked at"));
    }
    let shown = || path.display().to_string();
    if path.parent().is_some_and(|parent| parent.canonicalize().is_ok_and(|real| real != parent)) {
        return Err(InstallError::Linked(shown()));
    }
    let what = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => What::Created,
        facts => {
            let facts = at(path, facts)?;
            if facts.is_symlink() {
                let target = at(path, fs::read_link(path))?.display().to_string();
                return Err(InstallError::PointIsLink { path: shown(), target });
            }
            if !facts.is_dir() {
                return Err(InstallError::PointIsFile(shown()));
            }
            if let Some(content) = content(path)? {
                return Err(InstallError::PointInUse { path: shown(), content });
            }
            if is_immutable(path) { What::Unchanged } else { What::Changed }
        }
    };
    if options.is_dry || what == What::Unchanged {
        return Ok(Change::new(path, what));
    }
    at(path, fs::create_dir_all(path))?;
    let change = Change::new(path, what);
    Ok(match at(path, protect(path))? {
        true => change.note("immutable while nothing is mounted"),
        false => {
            change.note("its file system has no immutable flag: only root can write there while nothing is mounted")
        }
    })
}

/// Whether nobody can write into a folder, as far as its file system has a flag for that.
fn is_immutable(path: &Path) -> bool {
    has_flag(path) == Some(true)
}

/// Whether a folder has the flag with which nobody can write into it; `None` if that cannot be found out, as by others than
/// root.
pub fn has_flag(path: &Path) -> Option<bool> {
    match ioctl_getflags(&File::open(path).ok()?) {
        Ok(flags) => Some(flags.contains(IFlags::IMMUTABLE)),
        // Its file system has no flags.
        Err(Errno::NOTTY | Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => Some(false),
        Err(_) => None,
    }
}

/// Nobody can write into the bare mount point: not by its mode, and root neither by its flag. Returns whether its file
/// system has that flag.
///
/// # Errors
/// If its mode cannot be changed.
pub fn protect(path: &Path) -> io::Result<bool> {
    if is_immutable(path) {
        return Ok(true);
    }
    fs::set_permissions(path, Permissions::from_mode(0o000))?;
    set_immutable(path, true)
}

fn set_immutable(path: &Path, on: bool) -> io::Result<bool> {
    let folder = File::open(path)?;
    let Ok(mut flags) = ioctl_getflags(&folder) else { return Ok(false) };
    flags.set(IFlags::IMMUTABLE, on);
    Ok(ioctl_setflags(&folder, flags).is_ok())
}

/// Writes a file in one step, unless it is as it should be.
fn put(path: &Path, text: &str, is_dry: bool) -> Result<Change, InstallError> {
    let what = match fs::read(path) {
        Ok(found) if found == text.as_bytes() => return Ok(Change::new(path, What::Unchanged)),
        Ok(_) => What::Changed,
        Err(_) => What::Created,
    };
    if !is_dry {
        at(path, replace(path, text))?;
    }
    Ok(Change::new(path, what))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn enable(path: &Path, target: &str, is_dry: bool) -> Result<Change, InstallError> {
    if fs::read_link(path).is_ok_and(|found| found == Path::new(target)) {
        return Ok(Change::new(path, What::Unchanged));
    }
    if !is_dry {
        at(path, path.parent().map_or(Ok(()), fs::create_dir_all))?;
        let _ = fs::remove_file(path);
        at(path, std::os::unix::fs::symlink(target, path))?;
    }
    Ok(Change::new(path, What::Created))
}

/// Changes the configuration of `updatedb`, if there is one.
fn updatedb(
    record: &Record,
    options: &Options,
    change: fn(&str, &[&str]) -> String,
) -> Result<Option<Change>, InstallError> {
    let path = below(&options.root, prune::FILE);
    let Ok(text) = fs::read_to_string(&path) else { return Ok(None) };
    let own: [&str; 2] = [&record.mount.at, &record.mount.cache];
    let own = if record.mount.kind == MountKind::S3files { &own[..1] } else { &own };
    put(&path, &change(&text, own), options.is_dry).map(Some)
}

/// Unmounts a mount that nobody uses, and removes everything that an installation has made. The keys stay.
///
/// # Errors
/// [`InstallError::Busy`] if processes use it; then nothing was changed.
pub async fn remove(record: &Record, options: &Options) -> Result<Vec<Change>, InstallError> {
    let here = record.clone().below(&options.root);
    // A heal would start it again.
    let lock = (!options.is_dry).then(|| Held::of(&options.root, &here, "heal")).transpose();
    let _lock = lock.map_err(|source| match source.kind() {
        io::ErrorKind::WouldBlock => InstallError::Locked { at: here.mount.at.clone() },
        _ => InstallError::Io { path: here.mount.at.clone(), source },
    })?;
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mounted = mounts_at(&table, here.at());
    if let Some(top) = mounted.last() {
        let users = users(here.at(), Some(top.device));
        if !users.is_empty() {
            return Err(InstallError::Busy { at: here.mount.at, users });
        }
    }
    if !options.is_dry {
        stop(record, &here, options, !mounted.is_empty()).await?;
    }
    let mut changes = Vec::new();
    let unneeded = links(record).into_iter().map(|link| link.path);
    for path in unneeded.chain(files(record, &options.sftpctl).into_iter().map(|file| file.path)) {
        let path = below(&options.root, &path);
        if fs::symlink_metadata(&path).is_ok() {
            if !options.is_dry {
                at(&path, fs::remove_file(&path))?;
            }
            changes.push(Change::new(&path, What::Removed));
        }
    }
    changes.extend(updatedb(record, options, prune::without)?);
    if uses_disk(record.mount.kind) {
        changes.extend(remove_cache(&here, &record.mount.name(), options.is_dry));
    }
    changes.push(remove_point(here.at(), options.is_dry)?);
    if has_systemd(&options.root) && !options.is_dry {
        systemctl(&["daemon-reload"]).await.map_err(InstallError::Systemd)?;
    }
    Ok(changes)
}

/// How long the program of a mount may work on uploads after it was unmounted.
const LAST_UPLOADS: Duration = Duration::from_secs(600);

async fn stop(record: &Record, here: &Record, options: &Options, is_mounted: bool) -> Result<(), InstallError> {
    let shown = || here.mount.at.clone();
    if has_systemd(&options.root) {
        return systemctl(&["stop", &service(record)]).await.map_err(InstallError::Systemd);
    }
    if is_mounted {
        unmount(here.at(), false).await.map_err(|why| InstallError::NotUnmounted { at: shown(), why })?;
    }
    match until(LAST_UPLOADS, || daemons(&record.tool.program, here.at()).is_empty()).await {
        true => Ok(()),
        false => Err(InstallError::NotUnmounted { at: shown(), why: "its program still works on uploads".into() }),
    }
}

/// A folder that is not, or no longer, the mount's own is left.
fn remove_cache(here: &Record, name: &str, is_dry: bool) -> Option<Change> {
    let path = Path::new(&here.mount.cache);
    if fs::symlink_metadata(path).is_err() {
        return None;
    }
    let is_left = || here.mount.kind == MountKind::Rclone;
    let done = match super::cache::has_files(path, name) {
        Ok(true) if is_left() => {
            return Some(Change::new(path, What::Left).note("it may have files that are not in S3 yet"));
        }
        Ok(_) if is_dry => Ok(()),
        Ok(_) => super::cache::remove(path, name),
        Err(refusal) => Err(refusal),
    };
    Some(match done {
        Ok(()) => Change::new(path, What::Removed),
        Err(Refusal::Io { path: at, source }) => Change::new(path, What::Left).note(format!("{at}: {source}")),
        Err(refusal) => Change::new(path, What::Left).note(refusal.to_string()),
    })
}

fn remove_point(path: &Path, is_dry: bool) -> Result<Change, InstallError> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(Change::new(path, What::Unchanged));
    }
    if !is_dry {
        at(path, set_immutable(path, false))?;
        // It is empty, since nobody could write there; and without it, writes fail as before.
        at(path, fs::remove_dir(path))?;
    }
    Ok(Change::new(path, What::Removed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_systemd_is_refused() {
        let refused = |found, kind| check_systemd(found, kind).err().map(|error| error.to_string());
        let of_rhel_7 = "systemd 219 manages this server; the units of a mount by s3fs need systemd 230 or newer";
        assert_eq!(refused(Some(219), MountKind::S3fs).as_deref(), Some(of_rhel_7));
        assert!(refused(Some(239), MountKind::S3files).unwrap().ends_with("by s3files need systemd 244 or newer"));
        for (found, kind) in [
            (Some(230), MountKind::Rclone),
            (Some(239), MountKind::Mountpoint),
            (Some(244), MountKind::S3files),
            (None, MountKind::S3files),
        ] {
            assert_eq!(refused(found, kind), None, "{found:?} {kind:?}");
        }
    }
}
