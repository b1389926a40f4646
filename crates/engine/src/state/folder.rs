//! State in a folder: one file for each document.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use tokio::time::Instant;

use super::blob::{Blob, Blobs, Expect, Version};
use super::error::StateError;
use super::file::{self, FileProblem, Unfit};
use crate::wait;
use sftpctl_core::hex;

/// The file that is locked while a document is replaced.
const GUARD: &str = ".guard";
/// The prefix of the temporary file to which a document is written.
const NEW: &str = ".new-";
/// The longest wait for the guard.
const GUARD_TIMEOUT: Duration = Duration::from_secs(10);
/// No write takes this long: a temporary file of this age was left by a process that was killed.
const STALE: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The first write creates the folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn error(&self, action: &'static str, name: &str) -> impl FnOnce(io::Error) -> StateError + use<> {
        let address = self.0.join(name).display().to_string();
        move |source| StateError::Io { action, address, source }
    }

    fn unfit(path: &Path, Unfit { reason, remedy }: Unfit) -> StateError {
        let shown = path.display();
        let hint = format!("{remedy} {shown}; or choose another folder with --state");
        StateError::Unfit { address: shown.to_string(), reason: reason.to_owned(), hint }
    }

    fn problem(&self, action: &'static str, name: &str) -> impl FnOnce(FileProblem) -> StateError {
        let (path, error) = (self.0.join(name), self.error(action, name));
        move |problem| match problem {
            FileProblem::Io(source) => error(source),
            FileProblem::Unfit(unfit) => Self::unfit(&path, unfit),
        }
    }

    fn read(&self, name: &str) -> Result<Option<Blob>, StateError> {
        self.is_own()?;
        let content = file::read(&self.0.join(name), self.is_private()).map_err(self.problem("read", name))?;
        Ok(content.map(|content| Blob { version: version(&content), content }))
    }

    /// Writes a new document to disk, under a temporary name.
    fn write_temporary(&self, name: &str, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix(&format!("{NEW}{name}-")).tempfile_in(&self.0)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// The folders from this one up to `.sftpctl`, which are the user's alone; none for a folder that was chosen with
    /// `--state`, which may be shared by several users.
    fn private(&self) -> impl Iterator<Item = &Path> {
        let own = self.0.ancestors().position(|folder| folder.ends_with(".sftpctl"));
        self.0.ancestors().take(own.map_or(0, |own| own + 1))
    }

    fn is_private(&self) -> bool {
        self.private().next().is_some()
    }

    /// Refuses a private folder if another user has made it or may write to it: as git refuses a repository of somebody
    /// else.
    fn is_own(&self) -> Result<(), StateError> {
        for folder in self.private() {
            if let Some(unfit) = folder.symlink_metadata().ok().and_then(|facts| file::openness(&facts)) {
                return Err(Self::unfit(folder, unfit));
            }
        }
        Ok(())
    }

    /// Removes the temporary files of killed processes. A file that cannot be removed does no harm.
    fn remove_stale_files(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let old = || entry.metadata().and_then(|facts| facts.modified()).ok()?.elapsed().ok();
            if entry.file_name().to_string_lossy().starts_with(NEW) && old().is_some_and(|age| age > STALE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Locks the guard. A process that is paused while it holds the guard keeps it, and may still write when it
    /// continues, so the guard is never taken away.
    async fn guard(&self) -> Result<File, StateError> {
        let mut options = File::options();
        let options = options.create(true).truncate(false).write(true).mode(0o600);
        let guard = file::open(options, &self.0.join(GUARD), self.is_private()).map_err(self.problem("lock", GUARD))?;
        let start = Instant::now();
        loop {
            match guard.try_lock() {
                Ok(()) => return Ok(guard),
                Err(TryLockError::Error(error)) => return Err(self.error("lock", GUARD)(error)),
                Err(TryLockError::WouldBlock) if start.elapsed() < GUARD_TIMEOUT => wait::for_guard().await,
                Err(TryLockError::WouldBlock) => {
                    return Err(StateError::Unfit {
                        address: self.0.display().to_string(),
                        reason: format!("another process has held {GUARD} for {} s", GUARD_TIMEOUT.as_secs()),
                        hint: "continue or end the process that holds it; `ps` shows a paused process as T".to_owned(),
                    });
                }
            }
        }
    }
}

/// Whether a path is on a file system that only one machine can mount; `false` for an unknown file system.
#[cfg(target_os = "linux")]
fn on_this_machine(path: &Path) -> bool {
    // statfs(2) and linux/magic.h: ext, XFS, Btrfs, F2FS, ZFS, bcachefs, tmpfs, ramfs; overlayfs, as in containers.
    const LOCAL: [u32; 9] = [
        0xEF53,
        0x5846_5342,
        0x9123_683E,
        0xF2F5_2010,
        0x2FC1_2FC1,
        0xCA45_1A4E,
        0x0102_1994,
        0x8584_58F6,
        0x794C_7630,
    ];
    // The type's width differs between architectures; all magic numbers have 32 bits.
    rustix::fs::statfs(path).is_ok_and(|facts| LOCAL.contains(&(facts.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
fn on_this_machine(_path: &Path) -> bool {
    false
}

fn version(content: &[u8]) -> Version {
    Version(hex::encode(&Sha256::digest(content)))
}

#[async_trait]
impl Blobs for Folder {
    fn address(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn is_shared(&self) -> bool {
        let existing = self.0.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
        !on_this_machine(if existing == Path::new("") { Path::new(".") } else { existing })
    }

    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError> {
        self.read(name)
    }

    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError> {
        // Closed to others: it shows names, accounts and what is being changed.
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0);
        made.map_err(self.error("create", ""))?;
        // Written before the guard is taken, so that the guard is held for microseconds only.
        let file = self.write_temporary(name, content).map_err(self.error("write", name))?;
        let guard = self.guard().await?;
        let current = self.read(name)?.map(|blob| blob.version);
        let as_expected = match expect {
            Expect::Absent => current.is_none(),
            Expect::Is(version) => current.as_ref() == Some(version),
        };
        if !as_expected {
            return Err(StateError::Conflict { address: self.address(name) });
        }
        file.persist(self.0.join(name)).map_err(|error| self.error("write", name)(error.error))?;
        drop(guard);
        File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(self.error("write", name))?;
        Ok(version(content))
    }

    async fn names(&self) -> Result<Vec<String>, StateError> {
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(self.error("read", "")(source)),
        };
        let mut names: Vec<_> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        Ok(names)
    }

    async fn check(&self) -> Result<(), StateError> {
        match Path::new(&self.0).metadata() {
            Ok(facts) if !facts.is_dir() => Err(StateError::Unfit {
                address: self.0.display().to_string(),
                reason: "it is a file, not a folder".to_owned(),
                hint: "pass a folder to --state, or s3://BUCKET/PREFIX".to_owned(),
            }),
            _ => {
                self.is_own()?;
                self.remove_stale_files();
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_file_system_is_not_shared() {
        let place = tempfile::tempdir().unwrap();
        assert!(!Folder::new(place.path()).is_shared(), "tests run on a disk of this machine");
        assert!(!Folder::new(place.path().join("not/yet/created")).is_shared());
        // /proc is not a disk; it serves as an unknown file system.
        assert!(Folder::new("/proc").is_shared());
    }

    #[tokio::test]
    async fn default_folder_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;

        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(".sftpctl/state");
        let folder = Folder::new(&path);
        folder.put("99.json", b"{}", Expect::Absent).await.unwrap();
        folder.check().await.unwrap();
        for open in [path.as_path(), path.parent().unwrap()] {
            let mode = |mode: u32| fs::set_permissions(open, fs::Permissions::from_mode(mode)).unwrap();
            mode(0o777);
            let refused = folder.check().await.unwrap_err();
            assert!(refused.to_string().contains("others may write to it"), "{refused}");
            assert!(refused.hint().unwrap().contains("chmod -R go-w"), "{refused:?}");
            mode(0o700);
        }
        // A shared folder is somebody's decision.
        let shared = Folder::new(place.path().join("shared"));
        shared.put("99.json", b"{}", Expect::Absent).await.unwrap();
        fs::set_permissions(place.path().join("shared"), fs::Permissions::from_mode(0o770)).unwrap();
        shared.check().await.unwrap();
    }

    /// Whatever has been put in the place of a file, it is refused at once, by name, and not touched.
    #[tokio::test(flavor = "current_thread")]
    async fn files_that_are_no_files_of_ours_are_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        let place = tempfile::tempdir().unwrap();
        let (target, socket) = (place.path().join("target"), place.path().join("socket"));
        fs::write(&target, "{}").unwrap();
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let pipe = |path: &Path| {
            assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
        };
        type Put<'a> = &'a dyn Fn(&Path);
        let (link, everywhere) = ("it is a symbolic link", [".sftpctl/state", "shared"]);
        let cases: [(&str, Put<'_>); 7] = [
            (link, &|path| symlink("/dev/zero", path).unwrap()),
            (link, &|path| symlink(&target, path).unwrap()),
            (link, &|path| symlink(place.path().join("created"), path).unwrap()),
            ("it is not a regular file", &pipe),
            ("it is not a regular file", &|path| fs::create_dir(path).unwrap()),
            ("it is not a regular file", &|path| fs::hard_link(&socket, path).unwrap()),
            ("it has more than 64 MiB", &|path| File::create(path).unwrap().set_len(file::LARGEST + 1).unwrap()),
        ];
        for (reason, put) in cases {
            for (path, name) in everywhere.into_iter().flat_map(|path| [(path, "99.json"), (path, GUARD)]) {
                if name == GUARD && reason.contains("MiB") {
                    continue;
                }
                let _ = fs::remove_dir_all(place.path().join(".sftpctl"));
                let _ = fs::remove_dir_all(place.path().join("shared"));
                let folder = Folder::new(place.path().join(path));
                folder.put("98.json", b"{}", Expect::Absent).await.unwrap();
                let odd = folder.0.join(name);
                let _ = fs::remove_file(&odd);
                put(&odd);
                let refused = match name {
                    GUARD => folder.put("97.json", b"{}", Expect::Absent).await.unwrap_err(),
                    _ => folder.get(name).await.unwrap_err(),
                };
                let told = format!("{refused} {:?}", std::error::Error::source(&refused).map(ToString::to_string));
                assert!(told.contains(name) && told.contains(reason), "{name} {reason}: {told}");
                let replaced = folder.put(name, b"{}", Expect::Absent).await;
                assert!(replaced.is_err() && odd.symlink_metadata().is_ok(), "{reason}");
                assert_eq!(fs::read(&target).unwrap(), b"{}");
                assert!(!place.path().join("created").exists(), "a link created its target");
            }
        }
        // A file that others may write, in a folder that they may not.
        for (path, refused) in [(".sftpctl/state", true), (".sftpctl/local/state", true), ("chosen", false)] {
            let folder = Folder::new(place.path().join(path));
            folder.put("99.json", b"{}", Expect::Absent).await.unwrap();
            fs::set_permissions(folder.0.join("99.json"), fs::Permissions::from_mode(0o666)).unwrap();
            let read = folder.get("99.json").await.map_err(|error| error.to_string());
            assert_eq!(read.is_err_and(|error| error.contains("others may write to it")), refused, "{path}");
        }
    }

    #[test]
    fn files_of_other_users_are_not_ours() {
        let facts = fs::metadata("/etc/passwd").unwrap();
        assert!(file::openness(&facts).is_none(), "root owns it");
        // /proc shows processes of others as theirs, where there are any.
        let me = rustix::process::geteuid().as_raw();
        let strange = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| entry.metadata().ok());
        for facts in strange.filter(|facts| ![0, me].contains(&std::os::unix::fs::MetadataExt::uid(facts))) {
            assert_eq!(file::openness(&facts).unwrap().reason, "another user owns it");
        }
    }

    #[tokio::test]
    async fn only_stale_temporary_files_are_removed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path());
        folder.put("99.json", b"{}", Expect::Absent).await.unwrap();
        let (old, new) = (place.path().join(".new-99.json-a"), place.path().join(".new-99.json-b"));
        fs::write(&new, "half").unwrap();
        let long_ago = std::time::SystemTime::now() - 2 * STALE;
        for file in [&old, &place.path().join("99.json")] {
            fs::write(file, "half").unwrap();
            File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
        }
        folder.check().await.unwrap();
        assert_eq!((old.exists(), new.exists()), (false, true));
        assert_eq!(folder.names().await.unwrap(), ["99.json"]);
    }
}
