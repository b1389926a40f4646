//! Reads a JSON object whose members are large arrays, an element at a time.

use std::io::{self, BufRead, Read};

use serde::de::{DeserializeOwned, IgnoredAny};

/// Largest element in bytes.
const LARGEST: u64 = 16 << 20;

/// An object that is being read.
pub(crate) struct Dump<R> {
    reader: R,
    /// The line that has been reached, from 1 on.
    line: u64,
    /// Whether a member, or an element, has been read, so that a comma follows.
    follows: bool,
    /// Whether the object has ended.
    is_closed: bool,
}

/// Why a dump cannot be read: a line, and what is wrong there. It never has a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) line: u64,
    pub(crate) why: String,
}

impl<R: BufRead> Dump<R> {
    /// # Errors
    /// It is not an object.
    pub(crate) fn open(reader: R) -> Result<Self, Fault> {
        let mut dump = Self { reader, line: 1, follows: false, is_closed: false };
        match dump.peek()? {
            Some(b'{') => dump.step(),
            _ => return Err(dump.fault("it is not a JSON object")),
        }
        Ok(dump)
    }

    /// The name of the next member, whose value must be read then; none at the end.
    ///
    /// # Errors
    /// It is not JSON.
    pub(crate) fn member(&mut self) -> Result<Option<String>, Fault> {
        self.is_closed = self.is_closed || self.is_over(b'}')?;
        if self.is_closed {
            return Ok(None);
        }
        let name = self.value(LARGEST)?;
        match self.peek()? {
            Some(b':') => self.step(),
            _ => return Err(self.fault("a colon is missing")),
        }
        Ok(Some(name))
    }

    /// Reads a whole number; none if the value is another one.
    ///
    /// # Errors
    /// It is not JSON.
    pub(crate) fn number(&mut self) -> Result<Option<i64>, Fault> {
        let mut digits = String::new();
        self.peek()?;
        while let Some(digit @ b'0'..=b'9') = self.here()? {
            digits.push(char::from(digit));
            self.step();
        }
        if digits.is_empty() || matches!(self.here()?, Some(b'.' | b'e' | b'E')) {
            self.skip()?;
            return Ok(None);
        }
        self.follows = true;
        Ok(digits.parse().ok())
    }

    /// Passes over a value.
    ///
    /// # Errors
    /// It is not JSON.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        // serde_json would take the character after a number away.
        if matches!(self.peek()?, Some(b'-' | b'0'..=b'9')) {
            while matches!(self.here()?, Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
                self.step();
            }
        } else {
            self.value::<IgnoredAny>(u64::MAX)?;
        }
        self.follows = true;
        Ok(())
    }

    /// Begins an array; false if the value is `null`.
    ///
    /// # Errors
    /// It is another value.
    pub(crate) fn array(&mut self) -> Result<bool, Fault> {
        match self.peek()? {
            Some(b'[') => {
                self.step();
                self.follows = false;
                Ok(true)
            }
            Some(b'n') => {
                self.value::<IgnoredAny>(LARGEST)?;
                self.follows = true;
                Ok(false)
            }
            _ => Err(self.fault("it is not an array")),
        }
    }

    /// The next element of an array of objects, with its line; none at the end.
    ///
    /// # Errors
    /// It is not JSON, has another form, or more than 16 MiB.
    pub(crate) fn element<T: DeserializeOwned>(&mut self) -> Result<Option<(u64, T)>, Fault> {
        if self.is_over(b']')? {
            return Ok(None);
        }
        if self.peek()? != Some(b'{') {
            return Err(self.fault("an element is not an object"));
        }
        let line = self.line;
        let element = self.value(LARGEST)?;
        self.follows = true;
        Ok(Some((line, element)))
    }

    /// Whether the object or array ends here; otherwise the comma before its next part is read.
    fn is_over(&mut self, end: u8) -> Result<bool, Fault> {
        match self.peek()? {
            Some(found) if found == end => {
                self.step();
                self.follows = true;
                Ok(true)
            }
            Some(b',') if self.follows => {
                self.step();
                self.follows = false;
                Ok(false)
            }
            Some(_) if !self.follows => Ok(false),
            Some(_) => Err(self.fault("a comma is missing")),
            None => Err(self.fault("it ends too early: the file was cut off")),
        }
    }

    fn value<T: DeserializeOwned>(&mut self, limit: u64) -> Result<T, Fault> {
        self.peek()?;
        let begin = self.line;
        let mut reader = Counted { reader: &mut self.reader, left: limit, lines: 0 };
        let mut json = serde_json::Deserializer::from_reader(&mut reader);
        let value = T::deserialize(&mut json);
        self.line += reader.lines;
        value.map_err(|error| {
            let why = match error.classify() {
                serde_json::error::Category::Io => error.to_string(),
                serde_json::error::Category::Eof => "it ends too early: the file was cut off".to_owned(),
                serde_json::error::Category::Syntax => format!("it is not JSON (column {})", error.column()),
                // The error's text may have a value.
                serde_json::error::Category::Data => {
                    format!("a value is not of the type that SFTPGo writes (column {})", error.column())
                }
            };
            Fault { line: begin + u64::try_from(error.line()).unwrap_or_default().saturating_sub(1), why }
        })
    }

    /// The next byte that is not white space, which is not read yet.
    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            match self.here()? {
                Some(b' ' | b'\t' | b'\r') => self.step(),
                Some(b'\n') => {
                    self.line += 1;
                    self.step();
                }
                other => return Ok(other),
            }
        }
    }

    fn here(&mut self) -> Result<Option<u8>, Fault> {
        match self.reader.fill_buf() {
            Ok(buffer) => Ok(buffer.first().copied()),
            Err(error) => Err(Fault { line: self.line, why: error.to_string() }),
        }
    }

    fn step(&mut self) {
        self.reader.consume(1);
    }

    fn fault(&self, why: &str) -> Fault {
        Fault { line: self.line, why: why.to_owned() }
    }
}

/// A reader that counts lines, and fails after a number of bytes.
struct Counted<R> {
    reader: R,
    left: u64,
    lines: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(u64::try_from(length).unwrap_or(u64::MAX)).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("a value has more than {LARGEST} bytes"))
        })?;
        let read = buffer.get(..length).unwrap_or_default();
        self.lines += u64::try_from(read.iter().filter(|byte| **byte == b'\n').count()).unwrap_or_default();
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, serde::Deserialize, PartialEq)]
    struct Element {
        n: u32,
    }

    fn elements(text: &str) -> Result<Vec<(u64, u32)>, Fault> {
        let mut dump = Dump::open(text.as_bytes())?;
        let mut found = Vec::new();
        while let Some(name) = dump.member()? {
            if name == "a" && dump.array()? {
                while let Some((line, element)) = dump.element::<Element>()? {
                    found.push((line, element.n));
                }
            } else if name != "a" {
                dump.skip()?;
            }
        }
        Ok(found)
    }

    #[test]
    fn elements_come_one_by_one() {
        assert_eq!(elements("{}"), Ok(vec![]));
        let text = "{\"version\":17,\"x\":-1.5e3 ,\n\"a\" : [\n {\"n\":1},{\"n\":\n2} ,\n{\"n\":3,\"o\":[{}]}\n],\"b\":\"}\",\
                    \"c\":null,\"d\":{\"e\":[1,2]},\"f\":[],\"g\":true}";
        assert_eq!(elements(text), Ok(vec![(3, 1), (3, 2), (5, 3)]));
        assert_eq!(elements("{\"a\":null,\"version\":1}"), Ok(vec![]));
        assert_eq!(elements("{\"a\":[],\"a\":[{\"n\":1}]}"), Ok(vec![(1, 1)]));
    }

    #[test]
    fn faults_have_their_line_and_no_value() {
        for (text, line, why) in [
            ("[]", 1, "it is not a JSON object"),
            ("", 1, "it is not a JSON object"),
            ("{\"a\":[\n{\"n\":1}\n", 3, "it ends too early: the file was cut off"),
            ("{\"a\":[{\"n\":1", 1, "it ends too early: the file was cut off"),
            ("{\"a\":[\n{\"n\":1}{\"n\":2}]}", 2, "a comma is missing"),
            ("{\"a\":[{\"n\":\n\"secret\"}]}", 2, "a value is not of the type that SFTPGo writes (column 8)"),
            ("{\"a\":[1]}", 1, "an element is not an object"),
            ("{\"a\":1}", 1, "it is not an array"),
            ("{\"a\" 1}", 1, "a colon is missing"),
            ("{a:1}", 1, "it is not JSON (column 1)"),
        ] {
            assert_eq!(elements(text), Err(Fault { line, why: why.to_owned() }), "{text}");
        }
        let large = format!("{{\"a\":[{{\"n\":1,\"o\":\"{}\"}}]}}", "x".repeat(16 << 20));
        assert!(elements(&large).unwrap_err().why.contains("more than"));
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "([{}\\[\\]:,\" 1n\n]|\"a\"|null|\\{\"n\":1\\}){0,25}") {
            let _ = elements(&format!("{{{text}"));
        }
    }
}
