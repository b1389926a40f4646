//! Bytes of a file of separated values, divided into records and fields.
//!
//! Not by the crate `csv`: it knows an escape only inside quotes, so that MySQL's `a\<tab>b` and `\N` cannot be read
//! with it; and it takes a quote that is never closed, a record of any length, and text after a closing quote without a
//! word.

use std::io::{self, BufRead};
use std::mem;

use crate::faults::Faults;

/// A longer record is one whose quote was never closed, or no text.
const MAX_RECORD: usize = 1024 * 1024;
/// DOS's mark of the end of a file.
const END_MARK: u8 = 0x1a;

/// How fields are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) separator: u8,
    pub(super) quote: Option<u8>,
    /// Backslashes escape, as MySQL writes them, and `\N` is no value. A CR alone is then part of a value.
    pub(super) has_escapes: bool,
    /// `NULL` is no value.
    pub(super) has_null_word: bool,
}

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    bytes: Vec<u8>,
    ends: Vec<End>,
    /// The line where it begins, from 1.
    pub(super) line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    at: usize,
    is_null: bool,
    /// Something of it was in quotes or escaped.
    is_marked: bool,
}

impl Tokens {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The fields; `None` for no value.
    pub(super) fn fields(&self) -> impl Iterator<Item = Option<&[u8]>> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| end.at));
        starts.zip(&self.ends).map(|(start, end)| {
            if end.is_null { None } else { Some(self.bytes.get(start..end.at).unwrap_or_default()) }
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the field has been read.
    Start,
    Plain,
    Quoted,
    /// After a quote inside quotes.
    Closed,
    /// After a backslash, outside or inside quotes.
    Escaped {
        is_quoted: bool,
    },
}

/// A reader of records.
pub(super) struct Tokenizer {
    reader: Box<dyn BufRead + Send>,
    machine: Machine,
    is_done: bool,
}

struct Machine {
    form: Form,
    state: State,
    /// The line of the next byte, from 1.
    line: u64,
    /// Whether the byte before was a CR.
    after_cr: bool,
    /// The line of the quote that is open.
    opened: u64,
    /// Whether something of this field was in quotes or escaped.
    is_marked: bool,
    /// The field began with `\N`.
    has_null_mark: bool,
}

impl Tokenizer {
    pub(super) fn new(reader: Box<dyn BufRead + Send>, form: Form) -> Self {
        let machine = Machine {
            form,
            state: State::Start,
            line: 1,
            after_cr: false,
            opened: 0,
            is_marked: false,
            has_null_mark: false,
        };
        Self { reader, machine, is_done: false }
    }

    /// Reads the next record that is not an empty line into `tokens`; false at the end. What cannot be a record is
    /// added to the faults.
    ///
    /// # Errors
    /// The reader's.
    pub(super) fn read(&mut self, tokens: &mut Tokens, faults: &mut Faults) -> io::Result<bool> {
        let machine = &mut self.machine;
        machine.begin(tokens);
        while !self.is_done {
            let chunk = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                chunk => chunk?,
            };
            if chunk.is_empty() {
                self.is_done = true;
                return Ok(machine.end_of_file(tokens, faults));
            }
            let (mut used, mut is_whole) = (0, false);
            while !is_whole && let Some(rest) = chunk.get(used..).filter(|rest| !rest.is_empty()) {
                let plain = machine.plain(rest);
                if let Some(run) = rest.get(..plain).filter(|run| !run.is_empty()) {
                    tokens.bytes.extend_from_slice(run);
                    machine.after_cr = false;
                    used += plain;
                } else if let Some(byte) = rest.first() {
                    used += 1;
                    is_whole = machine.step(*byte, tokens, faults);
                }
            }
            self.reader.consume(used);
            if tokens.bytes.len() > MAX_RECORD {
                machine.too_long(tokens, faults);
                self.is_done = true;
            } else if is_whole {
                if !tokens.is_blank() {
                    return Ok(true);
                }
                machine.begin(tokens);
            }
        }
        Ok(false)
    }
}

impl Tokens {
    /// An empty line, or one of the end mark alone.
    fn is_blank(&self) -> bool {
        matches!(&*self.ends, [end] if !end.is_marked) && matches!(&*self.bytes, [] | [END_MARK])
    }

    fn start(&self) -> usize {
        self.ends.last().map_or(0, |end| end.at)
    }
}

impl Machine {
    fn begin(&mut self, tokens: &mut Tokens) {
        tokens.bytes.clear();
        tokens.ends.clear();
        tokens.line = self.line;
        self.state = State::Start;
        (self.is_marked, self.has_null_mark) = (false, false);
    }

    /// How many of these bytes are a value's and nothing else.
    fn plain(&self, bytes: &[u8]) -> usize {
        let form = &self.form;
        let is_plain = |byte: &u8| {
            let byte = *byte;
            byte > b'\r' && byte != form.separator && Some(byte) != form.quote && !(form.has_escapes && byte == b'\\')
        };
        match self.state {
            State::Plain | State::Quoted => bytes.iter().position(|byte| !is_plain(byte)).unwrap_or(bytes.len()),
            _ => 0,
        }
    }

    /// Takes one byte; true if it ends a record.
    fn step(&mut self, byte: u8, tokens: &mut Tokens, faults: &mut Faults) -> bool {
        let after_cr = mem::replace(&mut self.after_cr, byte == b'\r');
        if byte == 0 {
            faults.add(self.line, "a NUL byte, which no text has");
            faults.hint("if the file is UTF-16, convert it: iconv -f UTF-16LE -t UTF-8");
        }
        match self.state {
            State::Quoted => self.quoted(byte, after_cr, tokens),
            State::Escaped { is_quoted } => self.escaped(byte, is_quoted, tokens),
            _ if byte == self.form.separator => self.end_field(tokens),
            // The second half of a line end.
            _ if byte == b'\n' && after_cr && !self.form.has_escapes => {}
            _ if byte == b'\n' || (byte == b'\r' && !self.form.has_escapes) => {
                if after_cr && self.form.has_escapes && tokens.bytes.len() > tokens.start() {
                    tokens.bytes.pop();
                }
                self.line += 1;
                self.end_field(tokens);
                return true;
            }
            State::Start if Some(byte) == self.form.quote => {
                (self.state, self.opened, self.is_marked) = (State::Quoted, self.line, true);
            }
            State::Closed if Some(byte) == self.form.quote => {
                tokens.bytes.push(byte);
                self.state = State::Quoted;
            }
            State::Closed if byte != b'\r' => {
                let message = match self.opened {
                    line if line == self.line => "text follows a closing quote".to_owned(),
                    line => format!("text follows a closing quote; the quote that it closes is in line {line}"),
                };
                faults.add(self.line, message);
                tokens.bytes.push(byte);
                self.state = State::Plain;
            }
            State::Start | State::Plain | State::Closed => self.unquoted(byte, tokens),
        }
        false
    }

    fn unquoted(&mut self, byte: u8, tokens: &mut Tokens) {
        if byte == b'\\' && self.form.has_escapes {
            self.state = State::Escaped { is_quoted: false };
        } else {
            tokens.bytes.push(byte);
            if self.state == State::Start {
                self.state = State::Plain;
            }
        }
    }

    fn quoted(&mut self, byte: u8, after_cr: bool, tokens: &mut Tokens) {
        if Some(byte) == self.form.quote {
            self.state = State::Closed;
        } else if byte == b'\\' && self.form.has_escapes {
            self.state = State::Escaped { is_quoted: true };
        } else {
            if byte == b'\r' || (byte == b'\n' && !after_cr) {
                self.line += 1;
            }
            tokens.bytes.push(byte);
        }
    }

    /// The byte after a backslash (MySQL 8.4 reference manual, "LOAD DATA Statement", Field and Line Handling).
    fn escaped(&mut self, byte: u8, is_quoted: bool, tokens: &mut Tokens) {
        self.after_cr = false;
        if byte == b'\n' {
            self.line += 1;
        }
        if byte == b'N' && !self.is_marked && tokens.bytes.len() == tokens.start() {
            self.has_null_mark = true;
        }
        self.is_marked = true;
        tokens.bytes.push(match byte {
            b'0' => 0,
            b'b' => 8,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'Z' => END_MARK,
            byte => byte,
        });
        self.state = if is_quoted { State::Quoted } else { State::Plain };
    }

    fn end_field(&mut self, tokens: &mut Tokens) {
        let value = tokens.bytes.get(tokens.start()..).unwrap_or_default();
        let is_null =
            (self.has_null_mark && value == b"N") || (self.form.has_null_word && !self.is_marked && value == b"NULL");
        tokens.ends.push(End { at: tokens.bytes.len(), is_null, is_marked: self.is_marked });
        self.state = State::Start;
        (self.is_marked, self.has_null_mark) = (false, false);
    }

    /// The end of the file; true if it is that of a record as well.
    fn end_of_file(&mut self, tokens: &mut Tokens, faults: &mut Faults) -> bool {
        match self.state {
            State::Start if tokens.ends.is_empty() => return false,
            State::Quoted => {
                let last = if matches!(tokens.bytes.last(), Some(b'\n' | b'\r')) { self.line - 1 } else { self.line };
                let swallowed =
                    if last > self.opened { format!(", and swallows all up to line {last}") } else { String::new() };
                faults.add(self.opened, format!("the quote opened here is never closed{swallowed}"));
                return false;
            }
            State::Escaped { .. } => {
                faults.add(self.line, "the file ends after a backslash");
                return false;
            }
            State::Plain if tokens.bytes.last() == Some(&END_MARK) && tokens.bytes.len() > tokens.start() => {
                tokens.bytes.pop();
            }
            _ => {}
        }
        self.end_field(tokens);
        !tokens.is_blank()
    }

    fn too_long(&self, tokens: &Tokens, faults: &mut Faults) {
        if matches!(self.state, State::Quoted | State::Closed) {
            faults.add(self.opened, "the quote opened here is not closed within 1 MiB; the rest was not read");
        } else {
            faults.add(tokens.line, "this line is longer than 1 MiB; the rest was not read");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const RFC: Form = Form { separator: b',', quote: Some(b'"'), has_escapes: false, has_null_word: false };
    const OUTFILE: Form = Form { separator: b'\t', quote: None, has_escapes: true, has_null_word: false };

    /// Each record as `line: field|field`, `~` for no value, and the faults.
    fn read(form: Form, bytes: &[u8]) -> (Vec<String>, String) {
        // A small buffer, so that every transition is once between two chunks.
        let reader = io::BufReader::with_capacity(3, Cursor::new(bytes.to_vec()));
        let mut tokenizer = Tokenizer::new(Box::new(reader), form);
        let (mut tokens, mut faults, mut records) = (Tokens::default(), Faults::default(), Vec::new());
        while tokenizer.read(&mut tokens, &mut faults).unwrap() {
            let fields = tokens.fields().map(|field| field.map_or("~".into(), String::from_utf8_lossy));
            records.push(format!("{}: {}", tokens.line, fields.collect::<Vec<_>>().join("|")));
        }
        (records, if faults.is_empty() { String::new() } else { faults.into_error("f").message })
    }

    #[test]
    fn records_end_with_every_kind_of_line_end() {
        for text in ["a,b\nc,d\n", "a,b\r\nc,d\r\n", "a,b\rc,d\r", "a,b\nc,d", "a,b\r\nc,d\x1a", "a,b\r\nc,d\r\n\x1a"] {
            assert_eq!(read(RFC, text.as_bytes()), (vec!["1: a|b".into(), "2: c|d".into()], String::new()), "{text:?}");
        }
        let (records, faults) = read(RFC, b"a\r\n\r\n\n\"\"\r\rb,\n,");
        assert_eq!((records.join(" "), &*faults), ("1: a 4:  6: b| 7: |".into(), ""));
        assert_eq!(read(RFC, b""), (vec![], String::new()));
    }

    #[test]
    fn quotes_are_around_everything() {
        let (records, faults) = read(RFC, b"\"a\"\"b\",\"c,\r\nd\"\n5\" disk,\"\"\n");
        assert_eq!((records.join(" "), &*faults), ("1: a\"b|c,\r\nd 3: 5\" disk|".into(), ""));
    }

    #[test]
    fn what_a_quote_swallows_is_told() {
        let message = |bytes: &[u8]| read(RFC, bytes).1;
        let message_of = |bytes: &[u8], part: &str| {
            let message = message(bytes);
            assert!(message.ends_with(part), "{message}");
        };
        message_of(
            b"a,b\n1,\"x\n2,y\n",
            "line 2: the quote opened here is never closed, and swallows all up to line 3",
        );
        message_of(b"a,b\n1,\"x", "line 2: the quote opened here is never closed");
        message_of(b"1,\"x\n2,\"y\"\n", "line 2: text follows a closing quote; the quote that it closes is in line 1");
        message_of(b"1,\"x\"y\n", "line 1: text follows a closing quote");
        message_of(b"1,\0\0\n\0", "line 2: a NUL byte, which no text has");
        let long = [b"1,2\n3,\"".to_vec(), vec![b'x'; 2 * MAX_RECORD]].concat();
        message_of(&long, "line 2: the quote opened here is not closed within 1 MiB; the rest was not read");
        message_of(&vec![b'x'; 2 * MAX_RECORD], "line 1: this line is longer than 1 MiB; the rest was not read");
    }

    #[test]
    fn backslashes_are_mysqls() {
        let (records, faults) = read(OUTFILE, b"\\N\ttab\\\there\t\\\\N\tx\\N\tN\tNULL\r\na\\\nb\r\tc\\n\\Z\\0\n");
        assert_eq!((records.join(" "), &*faults), ("1: ~|tab\there|\\N|xN|N|NULL 2: a\nb\r|c\n\x1a\0".into(), ""));
        assert!(read(OUTFILE, b"a\\").1.ends_with("line 1: the file ends after a backslash"));
        let batch = Form { has_null_word: true, ..OUTFILE };
        assert_eq!(read(batch, b"NULL\tNULLS\t\n").0, ["1: ~|NULLS|"]);
        let enclosed = Form { separator: b',', quote: Some(b'"'), ..OUTFILE };
        assert_eq!(read(enclosed, b"\"a\\\"b,\",\\N,\"\\N\"\n").0, ["1: a\"b,|~|N"]);
    }
}
