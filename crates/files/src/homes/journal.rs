//! The manifest of a home as a file: lines are only ever added, and one process at a time has it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::record::{Line, Manifest, VERSION};
use crate::own::{fault, folder_fault};

/// Why a pipe, a folder or a socket is not a manifest.
pub const NO_FILE: &str = "is not a regular file";

/// Bytes of the first line at most.
const FIRST: u64 = 64 << 10;

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot read or write the manifest {path}")]
    Io { path: PathBuf, source: io::Error },
    /// Others may have written it. It says what is removed, put back and written.
    #[error("{path} {why}")]
    NotOurs { path: PathBuf, why: &'static str },
    /// Another run works on the home.
    #[error("another run has the manifest {path}")]
    Busy { path: PathBuf },
    /// A line other than the last one is not one of a manifest.
    #[error("line {number} of the manifest {path} is damaged")]
    Damaged { path: PathBuf, number: usize, source: serde_json::Error },
    /// A line about an object outside of the home, which a copy or a cut-over could replace or delete.
    #[error("line {number} of the manifest {path} is about an object outside of {prefix}")]
    Foreign { path: PathBuf, number: usize, prefix: String },
    /// Of a later version of this program.
    #[error("the manifest {path} has version {version}; this sftpctl reads version {VERSION}")]
    Newer { path: PathBuf, version: u32 },
    /// Of another home, or of another folder of S3.
    #[error("the manifest {path} is that of {have}, not of {want}")]
    Other { path: PathBuf, have: String, want: String },
}

/// A manifest that is open to be written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    manifest: Manifest,
    /// Whether it has nothing but its first line, which this process has written: then it ends with this.
    is_new: bool,
}

impl Journal {
    /// Opens the manifest of a home, which begins with the line `home`, and creates it if there is none; one to which nothing
    /// is added is removed again. What a killed process has written of a line is cut off.
    ///
    /// # Errors
    /// It cannot be read, is damaged, belongs to another home, or another run has it.
    pub fn open(path: &Path, home: &Line) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        }
        let (mut file, is_created) = locked(path)?;
        let begun = (|| -> Result<(Manifest, bool), JournalError> {
            check(path, &file)?;
            let (manifest, first, length) = read(path, &file)?;
            file.set_len(length).map_err(io)?;
            file.seek(SeekFrom::End(0)).map_err(io)?;
            if let Some(first) = &first {
                check_home(path, first, home)?;
            }
            Ok((manifest, first.is_none()))
        })();
        let (manifest, is_new) = begun.inspect_err(|_| {
            if is_created {
                drop(std::fs::remove_file(path))
            }
        })?;
        let mut journal = Self { path: path.to_owned(), file, manifest, is_new };
        if is_new {
            journal.append(home.clone())?;
            journal.is_new = true;
        }
        Ok(journal)
    }

    /// Adds a line. It is there even if this process is killed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn append(&mut self, line: Line) -> Result<(), JournalError> {
        let io = |source| JournalError::Io { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(&line).map_err(|error| io(error.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).map_err(io)?;
        self.manifest.add(line);
        self.is_new = false;
        Ok(())
    }

    /// Ensures that all lines are on the disk.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|source| JournalError::Io { path: self.path.clone(), source })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens the file and locks it; whether it was created.
fn locked(path: &Path) -> Result<(File, bool), JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    // Names of customers' files are nobody else's business. Nobody waits for the other end of a pipe.
    options.read(true).write(true).mode(0o600);
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    loop {
        let (file, is_created) = match options.create_new(true).open(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match options.create_new(false).open(path) {
                Ok(file) => (file, false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(io(error)),
            },
            Err(error) => return Err(io(error)),
        };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(JournalError::Busy { path: path.to_owned() });
        }
        // Another run may have removed it meanwhile.
        if file.metadata().map_err(io)?.nlink() > 0 {
            return Ok((file, is_created));
        }
    }
}

impl Drop for Journal {
    /// A process that is being started has a copy of the file for a moment, so closing it is not enough.
    fn drop(&mut self) {
        if self.is_new {
            let _ = std::fs::remove_file(&self.path);
        }
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Reads the manifest of a home that may be in use; `None` if there is none. With its first line.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn look(path: &Path) -> Result<Option<(Line, Manifest)>, JournalError> {
    // Without a wait for the other end of a pipe.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
        Ok(file) => check(path, &file)
            .and_then(|()| read(path, &file))
            .map(|(manifest, first, _)| first.map(|first| (first, manifest))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(JournalError::Io { path: path.to_owned(), source }),
    }
}

/// The path of the home whose manifest this is, which may be in use; `None` if it cannot be read.
pub fn home_of(path: &Path) -> Option<String> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path).ok()?;
    check(path, &file).ok()?;
    let mut line = Vec::new();
    BufReader::new(file.take(FIRST)).read_until(b'\n', &mut line).ok()?;
    match serde_json::from_slice(&line).ok()? {
        Line::Home { path, .. } => Some(path),
        _ => None,
    }
}

/// As [`look`], for this home.
///
/// # Errors
/// It cannot be read, is damaged, or belongs to another home.
pub fn look_of(path: &Path, home: &Line) -> Result<Option<Manifest>, JournalError> {
    let Some((first, manifest)) = look(path)? else { return Ok(None) };
    check_home(path, &first, home)?;
    Ok(Some(manifest))
}

/// Refuses a manifest of another home, or of another folder of S3.
fn check_home(path: &Path, first: &Line, home: &Line) -> Result<(), JournalError> {
    if first.is_home(home) {
        return Ok(());
    }
    let of = |line: &Line| match line {
        Line::Home { path, bucket, prefix, .. } => format!("{path} in {bucket}/{prefix}"),
        _ => "something else".to_owned(),
    };
    Err(JournalError::Other { path: path.to_owned(), have: of(first), want: of(home) })
}

/// Refuses a manifest that others may have written, or replaced.
fn check(path: &Path, file: &File) -> Result<(), JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let not_ours = |path: &Path, why| Err(JournalError::NotOurs { path: path.to_owned(), why });
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() {
        return not_ours(path, NO_FILE);
    }
    if let Some(why) = fault(&facts) {
        return not_ours(path, why);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match folder_fault(folder, &folder.metadata().map_err(io)?) {
        Some(why) => not_ours(folder, why),
        None => Ok(()),
    }
}

/// The manifest, its first line, and the length of its whole lines.
fn read(path: &Path, file: &File) -> Result<(Manifest, Option<Line>, u64), JournalError> {
    let io = |source| JournalError::Io { path: path.to_owned(), source };
    let (mut manifest, mut first, mut length) = (Manifest::default(), None, 0);
    let (mut lines, mut text) = (BufReader::with_capacity(1 << 16, file), Vec::new());
    for number in 1.. {
        text.clear();
        let read = lines.read_until(b'\n', &mut text).map_err(io)?;
        if text.last() != Some(&b'\n') {
            break;
        }
        let line: Line = serde_json::from_slice(&text).map_err(|source| JournalError::Damaged {
            path: path.to_owned(),
            number,
            source,
        })?;
        if let Line::Home { version, .. } = &line {
            if *version > VERSION {
                return Err(JournalError::Newer { path: path.to_owned(), version: *version });
            }
            first.get_or_insert_with(|| line.clone());
        }
        let key = match &line {
            Line::Sending(sending) => Some(&sending.key),
            Line::Object(object) => Some(&object.key),
            Line::Upload { key, .. } => Some(key),
            _ => None,
        };
        if let (Some(key), Some(Line::Home { prefix, .. })) = (key, &first)
            && !key.starts_with(prefix.as_str())
        {
            return Err(JournalError::Foreign { path: path.to_owned(), number, prefix: prefix.clone() });
        }
        length += read as u64;
        manifest.add(line);
    }
    Ok((manifest, first, length))
}

#[cfg(test)]
mod tests {
    use super::super::entry::Stamp;
    use super::super::name::Raw;
    use super::*;

    fn home(prefix: &str) -> Line {
        Line::Home {
            version: VERSION,
            environment: "99".to_owned(),
            org_id: 7,
            path: "/home/7".to_owned(),
            bucket: "b".to_owned(),
            prefix: prefix.to_owned(),
        }
    }

    fn gone(path: &str) -> Line {
        Line::Gone { path: Raw(path.into()), deleted: false }
    }

    #[test]
    fn half_a_line_of_a_killed_process_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("homes/99/7.jsonl");
        let mut journal = Journal::open(&path, &home("7/")).unwrap();
        journal.append(gone("a")).unwrap();
        assert!(matches!(Journal::open(&path, &home("7/")), Err(JournalError::Busy { .. })));
        assert_eq!((home_of(&path).as_deref(), home_of(dir.path())), (Some("/home/7"), None));
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        // Wherever the last line was cut.
        for cut in whole.iter().position(|byte| *byte == b'\n').unwrap() + 1..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut journal = Journal::open(&path, &home("7/")).unwrap();
            journal.append(gone("a")).unwrap();
            drop(journal);
            assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at {cut}");
        }
        assert!(matches!(Journal::open(&path, &home("8/")), Err(JournalError::Other { .. })));
        std::fs::write(&path, [&whole[..], b"nonsense\n"].concat()).unwrap();
        assert!(matches!(Journal::open(&path, &home("7/")), Err(JournalError::Damaged { number: 3, .. })));
        assert!(look(&dir.path().join("none")).unwrap().is_none());
    }

    /// A run that ends before it does anything, or is refused.
    #[test]
    fn manifest_to_which_nothing_was_added_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("7.jsonl");
        drop(Journal::open(&path, &home("7/")).unwrap());
        assert!(!path.exists());
        Journal::open(&path, &home("7/")).unwrap().append(gone("a")).unwrap();
        drop(Journal::open(&path, &home("7/")).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2, "one with lines stays");
        // What is not ours stays as well, and leaves nothing beside it.
        let folder = dir.path().join("open");
        std::fs::create_dir(&folder).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(&folder, open).unwrap();
        assert!(matches!(Journal::open(&folder.join("7.jsonl"), &home("7/")), Err(JournalError::NotOurs { .. })));
        std::fs::write(folder.join("8.jsonl"), "").unwrap();
        assert!(matches!(Journal::open(&folder.join("8.jsonl"), &home("8/")), Err(JournalError::NotOurs { .. })));
        let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["8.jsonl"]);
    }

    #[test]
    fn line_about_another_home_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("7.jsonl");
        let line = |key: &str| Line::Upload {
            path: Raw(b"a".to_vec()),
            key: key.to_owned(),
            upload: "u".to_owned(),
            stamp: Stamp::default(),
        };
        let mut journal = Journal::open(&path, &home("7/")).unwrap();
        journal.append(line("7/a")).unwrap();
        drop(journal);
        drop(Journal::open(&path, &home("7/")).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"7/a\"", "\"77/a\"")).unwrap();
        assert!(matches!(Journal::open(&path, &home("7/")), Err(JournalError::Foreign { number: 2, .. })));
        // Nobody opens the other end.
        let pipe = dir.path().join("8.jsonl");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        assert!(matches!(look(&pipe), Err(JournalError::NotOurs { .. })));
    }

    /// A roll-back does what its manifest says, often as root.
    #[test]
    fn manifest_that_others_may_have_written_is_refused() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("homes/99");
        let path = folder.join("7.jsonl");
        Journal::open(&path, &home("7/")).unwrap().append(gone("a")).unwrap();
        assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
        let set = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        let is_refused = || {
            let opened = [Journal::open(&path, &home("7/")).map(drop), look(&path).map(drop)];
            opened.iter().all(|opened| matches!(opened, Err(JournalError::NotOurs { .. })))
        };
        for (of, open, closed) in [(&path, 0o666, 0o600), (&path, 0o660, 0o644), (&folder, 0o777, 0o755)] {
            set(of, open);
            assert!(is_refused(), "{} {open:o}", of.display());
            set(of, closed);
            assert!(!is_refused(), "{} {closed:o}", of.display());
        }
        set(&folder, 0o1777);
        assert!(!is_refused());
        if rustix::process::geteuid().is_root() {
            for of in [&path, &folder] {
                std::os::unix::fs::chown(of, Some(1), None).unwrap();
                assert!(is_refused(), "{}", of.display());
                std::os::unix::fs::chown(of, Some(0), None).unwrap();
            }
        }
    }
}
