//! The values of a JSON file, one at a time: as few bytes of it are held as its longest value has.

use std::io::{self, BufRead};

/// A longer value is not an account.
const MAX_VALUE: usize = 1024 * 1024;

/// Where a file is not JSON.
#[derive(Debug)]
pub(super) enum ScanError {
    Io(io::Error),
    /// A line, from 1, and what is wrong there.
    Fault(u64, String),
}

impl From<io::Error> for ScanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A reader of values. It finds where each ends, and leaves what is in it to the parser.
pub(super) struct Scanner {
    reader: Box<dyn BufRead + Send>,
    /// The line of the next byte, from 1.
    pub(super) line: u64,
    /// Bytes that have been taken.
    pub(super) taken: u64,
}

/// A value, byte by byte.
#[derive(Debug, Default)]
struct Value {
    depth: usize,
    is_begun: bool,
    is_string: bool,
    is_escaped: bool,
    /// The last byte has ended it.
    is_complete: bool,
    /// It has ended.
    is_whole: bool,
}

impl Value {
    /// Whether the next byte is part of the value.
    fn has(&mut self, byte: u8) -> bool {
        let is_after = self.is_begun && self.depth == 0 && !self.is_string;
        if self.is_complete || (is_after && (byte.is_ascii_whitespace() || b",]}:".contains(&byte))) {
            self.is_whole = true;
            return false;
        }
        self.is_begun = true;
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' if self.is_string => self.is_escaped = true,
            b'"' => self.is_string = !self.is_string,
            b'{' | b'[' if !self.is_string => self.depth += 1,
            b'}' | b']' if !self.is_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.is_complete = self.depth == 0 && !self.is_string && matches!(byte, b'"' | b'}' | b']');
        true
    }

    /// Whether the end of the file may follow.
    fn may_end(&self) -> bool {
        self.is_begun && self.depth == 0 && !self.is_string
    }
}

impl Scanner {
    pub(super) fn new(reader: Box<dyn BufRead + Send>) -> Self {
        Self { reader, line: 1, taken: 0 }
    }

    fn peek(&mut self) -> Result<Option<u8>, ScanError> {
        loop {
            match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                bytes => return Ok(bytes?.first().copied()),
            }
        }
    }

    fn take(&mut self) -> Result<Option<u8>, ScanError> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.reader.consume(1);
            self.taken += 1;
        }
        self.line += u64::from(byte == Some(b'\n'));
        Ok(byte)
    }

    /// The next byte that is not white space; it is not taken.
    pub(super) fn ahead(&mut self) -> Result<Option<u8>, ScanError> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.take()?;
        }
        Ok(None)
    }

    /// Takes the next byte that is not white space, if it is this one.
    pub(super) fn takes(&mut self, wanted: u8) -> Result<bool, ScanError> {
        let is_it = self.ahead()? == Some(wanted);
        if is_it {
            self.take()?;
        }
        Ok(is_it)
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> ScanError {
        ScanError::Fault(self.line, message.into())
    }

    /// Takes the next value, into `into` if it is to be kept.
    ///
    /// # Errors
    /// The file ends in it, or it is too long to be held.
    pub(super) fn value(&mut self, mut into: Option<&mut Vec<u8>>) -> Result<(), ScanError> {
        self.ahead()?;
        let begin = self.line;
        let mut value = Value::default();
        while !value.is_whole {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                let message = "the file ends in the value that begins here";
                return if value.may_end() { Ok(()) } else { Err(ScanError::Fault(begin, message.to_owned())) };
            }
            let used = chunk.iter().position(|byte| !value.has(*byte)).unwrap_or(chunk.len());
            if let Some(part) = chunk.get(..used) {
                self.line += part.iter().filter(|byte| **byte == b'\n').count() as u64;
                if let Some(into) = &mut into {
                    into.extend_from_slice(part);
                }
            }
            self.taken += used as u64;
            self.reader.consume(used);
            if into.as_ref().is_some_and(|into| into.len() > MAX_VALUE) {
                return Err(ScanError::Fault(begin, "the value that begins here is longer than 1 MiB".to_owned()));
            }
        }
        Ok(())
    }

    /// Goes to the value at a JSON pointer (RFC 6901), through objects alone.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn descend(&mut self, pointer: &str) -> Result<(), ScanError> {
        for token in pointer.split('/').skip(1) {
            let wanted = token.replace("~1", "/").replace("~0", "~");
            if !self.takes(b'{')? {
                return Err(self.fault(format!("an object with the key `{wanted}` is expected here")));
            }
            let mut keys = Vec::new();
            loop {
                if self.ahead()? != Some(b'"') {
                    return Err(
                        self.fault(format!("there is no key `{wanted}`; the keys here are: {}", keys.join(", ")))
                    );
                }
                let mut raw = Vec::new();
                self.value(Some(&mut raw))?;
                let key: String = serde_json::from_slice(&raw).map_err(|_| self.fault("a key is not JSON"))?;
                if !self.takes(b':')? {
                    return Err(self.fault("a colon is expected after a key"));
                }
                if key == wanted {
                    break;
                }
                self.value(None)?;
                self.takes(b',')?;
                keys.push(key);
            }
        }
        Ok(())
    }
}
