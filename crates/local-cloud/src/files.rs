//! Small JSON files, written atomically.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::LocalError;

/// Reads a file; `None` if it does not exist.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, LocalError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(LocalError::file("reading", path)(error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| LocalError::file("parsing", path)(error.into()))
}

/// Writes a temporary file in the same folder, then renames it.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), LocalError> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(LocalError::file("writing", path))
}

/// Opens a file for appending. A link in its place is not followed.
pub(crate) fn append(path: &Path) -> Result<File, LocalError> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new().create(true).append(true).custom_flags(flags).open(path);
    file.map_err(LocalError::file("opening", path))
}

/// Bounds a log that processes append to: one longer than `most` becomes the old log, `.1`, in place of the one before, and
/// begins anew. Lines that are written at this moment may be lost.
pub(crate) fn bound(path: &Path, most: u64) -> Result<(), LocalError> {
    let bound = || -> std::io::Result<()> {
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let mut log = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        if log.metadata()?.len() <= most {
            return Ok(());
        }
        let mut old = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        std::io::copy(&mut log, &mut old)?;
        log.set_len(0)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".1");
        old.persist(name)?;
        Ok(())
    };
    bound().map_err(LocalError::file("bounding", path))
}

/// Writes a text as [`write_json`] does: a link in its place is replaced, not followed.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), LocalError> {
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(LocalError::file("writing", path))
}

/// The last `count` lines of a file, or an empty string if it cannot be read.
pub(crate) fn tail(path: &Path, count: usize) -> String {
    let text = std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    last_lines(&text, count)
}

/// The last `count` lines of a text.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_that_is_too_long_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("x.log"), dir.path().join("x.log.1"));
        let mut log = append(&path).unwrap();
        for (line, kept) in [("first", None), ("second", Some("first")), ("third", Some("second"))] {
            log.write_all(line.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
            bound(&path, 100).unwrap();
            assert_eq!(std::fs::read_to_string(&old).ok().as_deref(), kept);
            bound(&path, 4).unwrap();
            assert_eq!(
                (std::fs::read_to_string(&path).unwrap(), std::fs::read_to_string(&old).unwrap()),
                (String::new(), line.to_owned())
            );
        }
        std::os::unix::fs::symlink(&old, dir.path().join("link.log")).unwrap();
        assert!(bound(&dir.path().join("link.log"), 1).is_err());
    }
}
