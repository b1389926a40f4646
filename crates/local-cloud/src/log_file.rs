//! Reading a log while it grows.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes that are read at once. A log is not longer.
const MOST: u64 = 16 << 20;

/// A log file, and how far it was read.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    read: u64,
}

impl LogFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: 0 }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The last lines of the file, `count` at most. What is added later comes from [`Self::added`].
    pub fn last(&mut self, count: usize) -> Vec<String> {
        let Ok((text, end)) = open(&self.path).and_then(|file| from(file, None)) else { return Vec::new() };
        self.read = end;
        let mut lines: Vec<String> = text.trim_end().lines().map(ToOwned::to_owned).collect();
        lines.split_off(lines.len().saturating_sub(count))
    }

    /// The whole lines that were added since. A file that has become shorter has begun anew.
    pub fn added(&mut self) -> Vec<String> {
        let Ok(file) = open(&self.path) else { return Vec::new() };
        if file.metadata().is_ok_and(|facts| facts.len() < self.read) {
            self.read = 0;
        }
        let Ok((text, _)) = from(file, Some(self.read)) else { return Vec::new() };
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        self.read += whole as u64;
        text.get(..whole).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
    }
}

/// Opens a log: a file, not a link or a device.
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::OFlags;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// What the file has from an offset on, or at its end, and the offset behind it.
fn from(mut file: File, offset: Option<u64>) -> io::Result<(String, u64)> {
    let from = offset.unwrap_or_else(|| file.metadata().map_or(0, |facts| facts.len().saturating_sub(MOST)));
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), from + bytes.len() as u64))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn log_is_read_to_its_end_and_as_it_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("front.log");
        let mut log = LogFile::new(path.clone());
        assert!(log.last(3).is_empty() && log.added().is_empty());
        std::fs::write(&path, "one\ntwo\nthree\n").unwrap();
        assert_eq!(log.last(2), ["two", "three"]);
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"four\nfi").unwrap();
        assert_eq!(log.added(), ["four"]);
        file.write_all(b"ve\n").unwrap();
        assert_eq!(log.added(), ["five"]);
        std::fs::write(&path, "anew\n").unwrap();
        assert_eq!(log.added(), ["anew"]);
    }

    #[test]
    fn link_or_device_is_no_log() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("front.log");
        for target in ["/etc/hostname", "/dev/zero"] {
            std::os::unix::fs::symlink(target, &path).unwrap();
            assert!(LogFile::new(path.clone()).last(9).is_empty());
            std::fs::remove_file(&path).unwrap();
        }
        assert!(LogFile::new("/dev/zero".into()).last(9).is_empty());
    }
}
