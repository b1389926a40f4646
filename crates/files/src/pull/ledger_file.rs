//! The ledger on the disk: read once, then only appended to.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::ledger::{Damage, Ledger, Record};
use super::line;
use crate::own::fault;

/// Why a ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger {} cannot be used: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("the ledger {} cannot be used: {damage}", path.display())]
    Damaged { path: PathBuf, damage: Damage },
    /// It says what is moved and deleted.
    #[error("the ledger {} {why}", path.display())]
    NotOurs { path: PathBuf, why: &'static str },
    #[error("another pull with the ledger {} is running", path.display())]
    Locked { path: PathBuf },
}

/// An open ledger, which no other pull can open.
#[derive(Debug)]
pub(super) struct LedgerFile {
    file: File,
    path: PathBuf,
    bucket: String,
    /// Bytes of whole lines.
    length: u64,
    ledger: Ledger,
}

impl LedgerFile {
    /// Opens the ledger of a bucket, and begins it if there is none.
    pub(super) fn open(path: &Path, bucket: &str) -> Result<Self, LedgerError> {
        let io = |error: io::Error| LedgerError::Io { path: path.to_owned(), error };
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        let file = options.custom_flags(flags.cast_signed()).open(path).map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(LedgerError::Locked { path: path.to_owned() }),
            Err(error) => return Err(io(error.into())),
        }
        let (ledger, length) = parsed(&file, path, bucket)?;
        let mut opened = Self { file, path: path.to_owned(), bucket: bucket.to_owned(), length, ledger };
        // The end of a line that a killed run could not finish.
        opened.file.set_len(length).map_err(io)?;
        if opened.ledger.is_new() {
            opened.append(vec![Record::began(bucket)])?;
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        Ok(opened)
    }

    /// Reads the ledger of a bucket without a lock and without a change; an empty one if there is none.
    pub(super) fn look(path: &Path, bucket: &str) -> Result<Ledger, LedgerError> {
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        match File::options().read(true).custom_flags(flags.cast_signed()).open(path) {
            Ok(file) => Ok(parsed(&file, path, bucket)?.0),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Ledger::default()),
            Err(error) => Err(LedgerError::Io { path: path.to_owned(), error }),
        }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Appends records. They are on the disk when this returns.
    pub(super) fn append(&mut self, records: Vec<Record>) -> Result<(), LedgerError> {
        let damaged = |path: &Path, damage| LedgerError::Damaged { path: path.to_owned(), damage };
        let text = records.iter().map(line::written).collect::<Result<String, _>>();
        let text = text.map_err(|error| LedgerError::Io { path: self.path.clone(), error: error.into() })?;
        if let Err(error) = self.file.write_all_at(text.as_bytes(), self.length).and_then(|()| self.file.sync_data()) {
            // A full disk: no half line stays before the next.
            let _ = self.file.set_len(self.length);
            return Err(LedgerError::Io { path: self.path.clone(), error });
        }
        self.length += text.len() as u64;
        for record in records {
            self.ledger.add(record, &self.bucket).map_err(|damage| damaged(&self.path, damage))?;
        }
        Ok(())
    }
}

/// Reads a ledger, and the length of what is intact of it.
fn parsed(mut file: &File, path: &Path, bucket: &str) -> Result<(Ledger, u64), LedgerError> {
    let io = |error: io::Error| LedgerError::Io { path: path.to_owned(), error };
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() {
        return Err(io(io::Error::other("it is not a regular file")));
    }
    if let Some(why) = fault(&facts) {
        return Err(LedgerError::NotOurs { path: path.to_owned(), why });
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(io)?;
    let damaged = |damage| LedgerError::Damaged { path: path.to_owned(), damage };
    let (ledger, intact) = Ledger::read(&text, bucket).map_err(damaged)?;
    Ok((ledger, intact as u64))
}

/// Appends a line to a file whose loss costs only time.
pub(super) fn append_line(mut file: &File, record: &impl serde::Serialize) -> io::Result<()> {
    file.write_all(line::written(record)?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_goes_on_after_a_cut_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        assert!(LedgerFile::look(&path, "b").unwrap().is_new() && !path.exists());
        let ledger = LedgerFile::open(&path, "b").unwrap();
        assert!(matches!(LedgerFile::open(&path, "b"), Err(LedgerError::Locked { .. })));
        drop(ledger);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{{\"did\":\"pla")).unwrap();
        assert!(!LedgerFile::look(&path, "b").unwrap().is_new());
        drop(LedgerFile::open(&path, "b").unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
        assert!(matches!(LedgerFile::open(&path, "c"), Err(LedgerError::Damaged { .. })));
    }

    #[test]
    fn a_ledger_is_a_regular_file() {
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("ledger.jsonl"), dir.path().join("link"));
        drop(LedgerFile::open(&path, "b").unwrap());
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for wrong in [link.as_path(), dir.path(), Path::new("/dev/null")] {
            assert!(matches!(LedgerFile::open(wrong, "b"), Err(LedgerError::Io { .. })), "{}", wrong.display());
        }
        // Nobody opens the other end.
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        assert!(LedgerFile::look(&pipe, "b").is_err());
        let set = |mode| std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        for (mode, is_ours) in [(0o666, false), (0o664, false), (0o644, true)] {
            set(mode);
            let opened = [LedgerFile::open(&path, "b").map(drop), LedgerFile::look(&path, "b").map(drop)];
            for opened in opened {
                assert_eq!(!matches!(opened, Err(LedgerError::NotOurs { .. })), is_ours, "{mode:o} {opened:?}");
            }
        }
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(1), None).unwrap();
            assert!(matches!(LedgerFile::open(&path, "b"), Err(LedgerError::NotOurs { .. })));
        }
    }
}
