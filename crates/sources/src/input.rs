//! The bytes of a file: its beginning, from which its form is recognised, and the rest as it is read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use sftpctl_accounts::import::row::RowsError;

use crate::faults::refused;
use crate::utf16::{Order, Utf16};

/// Bytes that a form is recognised from.
const SAMPLE: usize = 64 * 1024;

/// A file that is being read. A byte-order mark is not part of it, and UTF-16 is read as UTF-8.
pub(crate) struct Input {
    pub(crate) reader: Box<dyn BufRead + Send>,
    /// The name for messages.
    pub(crate) name: String,
    /// The first bytes, which the reader returns as well.
    pub(crate) sample: Vec<u8>,
    /// The length of the whole in bytes, if it is known.
    pub(crate) length: Option<u64>,
    /// Whether the file has said itself that it is Unicode.
    pub(crate) has_mark: bool,
}

impl Input {
    /// The file at `path`; `-` is the standard input.
    pub(crate) fn open(path: &Path) -> Result<Self, RowsError> {
        if path == Path::new("-") {
            return Self::new(io::stdin(), "standard input", None);
        }
        let name = path.display().to_string();
        let failed = |error: io::Error| refused(&name, error, "name a file that you may read");
        let file = File::open(path).map_err(failed)?;
        let data = file.metadata().map_err(failed)?;
        if data.is_dir() {
            return Err(refused(&name, "this is a folder", "name a file"));
        }
        Self::new(file, &name, data.is_file().then_some(data.len()))
    }

    /// What a reader has.
    pub(crate) fn new(
        reader: impl Read + Send + 'static,
        name: &str,
        mut length: Option<u64>,
    ) -> Result<Self, RowsError> {
        let mut reader: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(SAMPLE, reader));
        let mut sample = beginning(&mut reader, name)?;
        let mut has_mark = true;
        if let Some(order) = Order::of(&sample) {
            reader = Box::new(BufReader::new(Utf16::new(Cursor::new(sample).chain(reader), order)));
            sample = beginning(&mut reader, name)?;
            length = length.map(|length| length / 2);
        } else if sample.starts_with(b"\xef\xbb\xbf") {
            sample.drain(..3);
        } else {
            has_mark = false;
        }
        if let Some((what, hint)) = foreign(&sample) {
            return Err(refused(name, format_args!("this is {what}"), hint));
        }
        let reader = Box::new(Cursor::new(sample.clone()).chain(reader));
        Ok(Self { reader, name: name.to_owned(), sample, length, has_mark })
    }

    /// About how many lines there are, by those of the sample.
    pub(crate) fn lines(&self) -> Option<u64> {
        let length = self.length?;
        let lines = memchr::memchr2_iter(b'\n', b'\r', &self.sample);
        let lines = lines.filter(|at| self.sample.get(at + 1) != Some(&b'\n')).count() as u64;
        let sampled = self.sample.len().max(1) as u64;
        Some(if length <= sampled { lines } else { lines.saturating_mul(length) / sampled })
    }
}

fn beginning(reader: &mut impl Read, name: &str) -> Result<Vec<u8>, RowsError> {
    let mut sample = Vec::new();
    let taken = reader.take(SAMPLE as u64).read_to_end(&mut sample);
    taken.map_err(|error| refused(name, error, "check the file, and read it again"))?;
    Ok(sample)
}

/// Files that people take for text: what it is, and what to do.
fn foreign(sample: &[u8]) -> Option<(&'static str, &'static str)> {
    if sample.starts_with(b"PK\x03\x04") {
        Some(("a zip file, such as an Excel workbook", "in Excel, save it as `CSV UTF-8`"))
    } else if sample.starts_with(b"\xd0\xcf\x11\xe0") {
        Some(("an old Excel workbook", "in Excel, save it as `CSV UTF-8`"))
    } else if sample.starts_with(b"\x1f\x8b") || sample.starts_with(b"\x28\xb5\x2f\xfd") {
        Some(("compressed", "decompress it into a pipe, and name `-` as the file"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, bool) {
        let mut input = Input::new(Cursor::new(bytes.to_vec()), "x", Some(bytes.len() as u64)).unwrap();
        let mut text = String::new();
        input.reader.read_to_string(&mut text).unwrap();
        assert!(text.as_bytes().starts_with(&input.sample));
        (text, input.has_mark)
    }

    #[test]
    fn marks_are_recognised() {
        assert_eq!(read("a;ü".as_bytes()), ("a;ü".into(), false));
        assert_eq!(read("\u{feff}a;ü".as_bytes()), ("a;ü".into(), true));
        let units: Vec<u16> = "\u{feff}a;ü€😀\n".encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        assert_eq!(read(&little), ("a;ü€😀\n".into(), true));
        assert_eq!(read(&big), ("a;ü€😀\n".into(), true));
        assert_eq!(read(b""), (String::new(), false));
    }

    #[test]
    fn long_files_come_whole() {
        let text = "a,b\r\n".repeat(100_000);
        assert_eq!(read(text.as_bytes()).0, text);
        let little: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&little).0, text);
        let input = Input::new(Cursor::new(text.clone()), "x", Some(text.len() as u64)).unwrap();
        assert!(input.lines().unwrap().abs_diff(100_000) < 10);
    }

    #[test]
    fn other_files_are_refused_with_what_to_do() {
        for (bytes, what) in [(&b"PK\x03\x04..."[..], "Excel"), (b"\x1f\x8b\x08", "compressed")] {
            let error = Input::new(Cursor::new(bytes.to_vec()), "x", None).err().unwrap();
            assert!(error.is_usage && error.message.contains(what), "{error}");
        }
        assert!(Input::open(Path::new("/")).err().unwrap().message.contains("folder"));
        assert!(Input::open(Path::new("/nowhere")).is_err());
    }
}
