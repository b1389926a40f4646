//! State in a folder: one JSON file per environment, replaced whole, and a lock file beside it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::model::{State, VERSION};

/// State could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write`, `create`, `lock`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It isn't what sftpctl wrote.
    #[error("the state file {} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A newer sftpctl wrote it.
    #[error("the state file {} has version {version}, this sftpctl knows {VERSION}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// It is about something else.
    #[error("the state file {} is of environment {environment} in account {account}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Its environment.
        environment: String,
        /// Its account.
        account: String,
    },
    /// Another run holds the lock.
    #[error("another run works on this environment: {holder}")]
    Locked {
        /// Who.
        holder: String,
    },
}

impl StateError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => Some("--state names another folder".into()),
            Self::Damaged { path, .. } | Self::Other { path, .. } => Some(format!(
                "move {} away and run again: everything in it is found in AWS by name and tag",
                path.display()
            )),
            Self::Newer { .. } => Some("use the sftpctl that wrote it, or a newer one".into()),
            Self::Locked { .. } => Some("wait until it has finished, then run again".into()),
        }
    }
}

/// The state of one environment in a folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    lock: PathBuf,
}

/// The right to change an environment; given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "holding the file is holding the lock")] File);

impl Folder {
    /// The state of `environment` below `folder`.
    pub fn new(folder: &Path, environment: &str) -> Self {
        Self { path: folder.join(format!("{environment}.json")), lock: folder.join(format!("{environment}.lock")) }
    }

    /// Reads the state; none where there is no file.
    ///
    /// # Errors
    /// The file is damaged, of a newer version, or of another environment or account: it is never guessed at.
    pub fn load(&self, environment: &str, account: &str) -> Result<Option<State>, StateError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Io { action: "read", path: self.path.clone(), source }),
        };
        let damaged =
            |error: serde_json::Error| StateError::Damaged { path: self.path.clone(), reason: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(damaged)?;
        if let Some(version) = value["version"].as_u64().filter(|version| *version > u64::from(VERSION)) {
            return Err(StateError::Newer { path: self.path.clone(), version });
        }
        let state: State = serde_json::from_value(value).map_err(damaged)?;
        if state.environment != environment || state.account != account {
            let (environment, account) = (state.environment, state.account);
            return Err(StateError::Other { path: self.path.clone(), environment, account });
        }
        Ok(Some(state))
    }

    /// Replaces the state: written beside, flushed to disk, then renamed over the old.
    ///
    /// # Errors
    /// The file system refused; the old state is still there.
    pub fn save(&self, state: &State) -> Result<(), StateError> {
        let io = |source| StateError::Io { action: "write", path: self.path.clone(), source };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(io)?;
        serde_json::to_writer_pretty(&mut file, state).map_err(|error| io(error.into()))?;
        file.write_all(b"\n").map_err(io)?;
        file.as_file().sync_all().map_err(io)?;
        file.persist(&self.path).map_err(|error| io(error.error))?;
        Ok(())
    }

    /// Forgets the environment.
    ///
    /// # Errors
    /// The file system refused.
    pub fn remove(&self) -> Result<(), StateError> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StateError::Io { action: "remove", path: self.path.clone(), source })
            }
            _ => Ok(()),
        }
    }

    /// Takes the lock; `who` is shown to whoever finds it taken.
    ///
    /// # Errors
    /// Another run holds it, or the folder cannot be written.
    pub fn lock(&self, who: &str) -> Result<Lock, StateError> {
        let io = |action, source| StateError::Io { action, path: self.lock.clone(), source };
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|source| io("create", source))?;
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&self.lock)
            .map_err(|source| io("lock", source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only to say who; the answer is the same without.
                let _ = file.read_to_string(&mut holder);
                return Err(StateError::Locked { holder: holder.trim().to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(io("lock", source)),
        }
        file.set_len(0).map_err(|source| io("write", source))?;
        file.write_all(who.as_bytes()).map_err(|source| io("write", source))?;
        Ok(Lock(file))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path(), "99");
        (dir, folder)
    }

    #[test]
    fn what_was_saved_is_read_again() {
        let (_dir, folder) = folder();
        assert_eq!(folder.load("99", "1").unwrap(), None);
        let state = State::new("99", "1");
        folder.save(&state).unwrap();
        assert_eq!(folder.load("99", "1").unwrap(), Some(state));
    }

    #[test]
    fn a_newer_foreign_or_damaged_file_is_refused_and_left_alone() {
        let (_dir, folder) = folder();
        for (text, says) in [
            (r#"{"version":2,"anything":true}"#, "version 2"),
            (r#"{"version":1,"environment":"98","account":"1","identities":{},"lastRun":null}"#, "environment 98"),
            (r#"{"version":1,"environment":"99","account":"2","identities":{},"lastRun":null}"#, "account 2"),
            ("{\"version\":1,\"env", "damaged"),
            (
                r#"{"version":1,"environment":"99","account":"1","identities":{},"lastRun":null,"hand":"edited"}"#,
                "damaged",
            ),
        ] {
            fs::write(&folder.path, text).unwrap();
            let error = folder.load("99", "1").unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
            assert!(error.hint().is_some());
            assert_eq!(fs::read_to_string(&folder.path).unwrap(), text);
        }
    }

    #[test]
    fn one_lock_at_a_time_and_the_holder_is_named() {
        let (_dir, folder) = folder();
        let lock = folder.lock("deploy by alice").unwrap();
        let error = folder.lock("deploy by bob").unwrap_err();
        assert_eq!(error.to_string(), "another run works on this environment: deploy by alice");
        drop(lock);
        folder.lock("deploy by bob").unwrap();
    }
}
