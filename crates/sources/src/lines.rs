//! Files of lines, and their faults.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufRead, Read as _};
use std::path::Path;

use rustix::fs::fstat;

use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::visible;

use crate::notes::usage;

/// Longest line in bytes.
const LONGEST: u64 = 1 << 20;

/// Opens a file that is read twice: once to check it, once for its records.
///
/// # Errors
/// It cannot be opened, or is a pipe or a folder.
pub(crate) fn open_twice(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file, and it is read twice"));
    }
    File::open(path)
}

/// What is said of a file with hashes that everybody on this machine can read.
///
/// # Errors
/// The file's mode cannot be read.
pub(crate) fn readable_by_all(file: &File, path: &Path) -> io::Result<Option<String>> {
    let mode = fstat(file)?.st_mode;
    let mode = mode & 0o7777;
    let remark = || {
        let name = path.display().to_string();
        let (shown, word) = (visible(&name), shell_word(&name));
        format!("everybody on this machine can read the hashes in {shown} (mode {mode:04o}): chmod 600 {word}")
    };
    Ok((mode & 0o004 != 0).then(remark))
}

/// The lines of a file, one at a time.
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, number: 0, line: Vec::new() }
    }

    /// The next line with its number from 1 on, without its end, of either system.
    ///
    /// # Errors
    /// The file cannot be read, or the line has more than 1 MiB.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        self.line.clear();
        let length = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.line)?;
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        if u64::try_from(length).is_ok_and(|length| length == LONGEST) && !self.line.ends_with(b"\n") {
            let message = format!("line {} has more than {LONGEST} bytes", self.number);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some((self.number, line.strip_suffix(b"\r").unwrap_or(line))))
    }
}

/// Text from bytes, and whether it had to be read as Latin-1 because it is not UTF-8.
pub(crate) fn text(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => (bytes.iter().map(|byte| char::from(*byte)).collect(), true),
    }
}

/// Faults of lines, of which the first are shown.
#[derive(Default)]
pub(crate) struct Faults {
    shown: Vec<String>,
    count: u64,
}

impl Faults {
    /// Most faults that are shown.
    const SHOWN: usize = 20;

    pub(crate) fn add(&mut self, file: &str, line: u64, why: &str) {
        self.count += 1;
        if self.shown.len() < Self::SHOWN {
            self.shown.push(format!("{file}, line {line}: {why}"));
        }
    }

    /// # Errors
    /// There was a fault.
    pub(crate) fn check(mut self) -> Result<(), RowsError> {
        if self.count == 0 {
            return Ok(());
        }
        let more = self.count.saturating_sub(u64::try_from(self.shown.len()).unwrap_or(u64::MAX));
        if more > 0 {
            self.shown.push(format!("and {more} more"));
        }
        Err(usage(self.shown.join("\n"), "correct these lines, in a copy if need be, and import again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_on_either_system() {
        let mut lines = Lines::new(&b"a\nb\r\n\nc"[..]);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            found.push((number, String::from_utf8(line.to_vec()).unwrap()));
        }
        assert_eq!(found, [(1, "a".into()), (2, "b".into()), (3, String::new()), (4, "c".into())]);
    }

    #[test]
    fn a_line_has_a_limit() {
        let file = [vec![b'x'; 1 << 20], b"\n".to_vec()].concat();
        assert!(Lines::new(&file[..]).next().unwrap_err().to_string().contains("line 1 has more"));
        assert!(Lines::new(&file[1..]).next().unwrap().is_some());
    }

    #[test]
    fn other_bytes_are_latin_1() {
        assert_eq!(text(b"J\xfcrgen"), ("Jürgen".into(), true));
        assert_eq!(text("Jürgen".as_bytes()), ("Jürgen".into(), false));
    }

    #[test]
    fn many_faults_are_counted() {
        let mut faults = Faults::default();
        for line in 1..=25 {
            faults.add("passwd", line, "it has 3 fields");
        }
        let error = faults.check().unwrap_err();
        assert!(error.message.contains("passwd, line 20: it has 3 fields\nand 5 more"), "{}", error.message);
        assert!(error.is_usage);
    }
}
