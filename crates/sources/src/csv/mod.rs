//! Files of separated values: CSV from spreadsheets, and what MySQL's own tools write.

mod form;
mod tokens;

use std::collections::HashSet;
use std::io::Read;
use std::mem;
use std::path::Path;

use async_trait::async_trait;
use sftpctl_accounts::import::row::{Remark, RowsError};
use sftpctl_core::shown::{of_exact_cell, visible};
use sftpctl_core::text::counted;

use crate::encoding::{Encoding, shown};
use crate::faults::{Faults, refused};
use crate::hashes;
use crate::header;
use crate::input::Input;
use crate::mapping::Mapping;
use crate::options::Options;
use crate::source::{BATCH, Record, Source, Value, is_export};
use tokens::{Tokenizer, Tokens};

/// A file of separated values.
pub struct Csv {
    tokens: Tokenizer,
    columns: Vec<String>,
    encoding: Encoding,
    name: String,
    expected: Option<u64>,
    /// The first record of a file without a header.
    first: Option<Tokens>,
    /// Whether that is only what it looks like.
    has_no_header: bool,
    faults: Faults,
}

impl Csv {
    /// Opens a file and reads its header; `-` is the standard input.
    ///
    /// # Errors
    /// It could not be read, or does not begin as such a file does.
    pub fn open(path: &Path, options: &Options) -> Result<Self, RowsError> {
        Self::begin(Input::open(path)?, options)
    }

    /// As [`Csv::open`], from a reader. The name is for messages.
    ///
    /// # Errors
    /// As [`Csv::open`].
    pub fn read(reader: impl Read + Send + 'static, name: &str, options: &Options) -> Result<Self, RowsError> {
        Self::begin(Input::new(reader, name, None)?, options)
    }

    fn begin(input: Input, options: &Options) -> Result<Self, RowsError> {
        let form = form::of(&input.sample, options).map_err(|(why, hint)| refused(&input.name, why, hint))?;
        let may_have_header = options.header.unwrap_or_else(|| form::has_header(options.dialect));
        let lines = input.lines();
        let mut csv = Self {
            tokens: Tokenizer::new(input.reader, form),
            columns: Vec::new(),
            encoding: if input.has_mark { Encoding::Utf8 } else { options.encoding },
            name: input.name,
            expected: None,
            first: None,
            has_no_header: false,
            faults: Faults::default(),
        };
        let mut first = Tokens::default();
        if !csv.next_tokens(&mut first)? {
            csv.ended()?;
            return Err(refused(&csv.name, "the file is empty", "name a file with a line for each account"));
        }
        // Excel's own line on the separator, which has told it already.
        let is_of_excel =
            first.len() <= 2 && first.fields().next().flatten().is_some_and(|field| field.starts_with(b"sep="));
        if is_of_excel && !csv.next_tokens(&mut first)? {
            csv.ended()?;
            return Err(refused(
                &csv.name,
                "the file has no line but `sep=`",
                "name a file with a line for each account",
            ));
        }
        csv.has_no_header = may_have_header && options.header.is_none() && csv.is_record(&first, options);
        let has_header = may_have_header && !csv.has_no_header;
        csv.expected = lines.map(|lines| lines.saturating_sub(u64::from(has_header)));
        if has_header {
            csv.columns = csv.header(&first, options)?;
        } else {
            csv.columns = (1..=first.len()).map(|number| number.to_string()).collect();
            csv.first = Some(first);
        }
        Ok(csv)
    }

    fn next_tokens(&mut self, tokens: &mut Tokens) -> Result<bool, RowsError> {
        let read = self.tokens.read(tokens, &mut self.faults);
        read.map_err(|error| RowsError {
            message: format!("{} could not be read after line {}: {error}", visible(&self.name), tokens.line),
            hint: None,
            is_usage: false,
        })
    }

    /// Whether a first line is taken for a record: it has no names that are known as such, and the mapping names columns by
    /// their numbers; or the source is only looked at, and a value of several is a number, an address, a path or a hash.
    fn is_record(&self, tokens: &Tokens, options: &Options) -> bool {
        let is_number = |name: &String| name.parse::<usize>().is_ok_and(|number| (1..=tokens.len()).contains(&number));
        let has_numbers = !options.mapped.is_empty() && options.mapped.iter().all(is_number);
        if !options.inspects && !has_numbers {
            return false;
        }
        let decoded = tokens.fields().map(|field| self.encoding.decode(field.unwrap_or_default()));
        // What cannot be read is a fault in any case.
        let Some(fields) = decoded.map(|field| field.map(|field| field.text)).collect::<Option<Vec<String>>>() else {
            return false;
        };
        let looks_like_data = |field: &String| hashes::is_one(field) || header::looks_like_data(field);
        let names: Vec<String> = fields.iter().map(|field| field.trim().to_owned()).collect();
        let has_data = fields.iter().any(looks_like_data);
        let is_likely = has_numbers || has_data && fields.len() > 1;
        is_likely && (has_data || !header::are_names(&names, &options.mapped))
    }

    /// The names of the columns, without the spaces around them. An empty one has the number of its column.
    fn header(&mut self, tokens: &Tokens, options: &Options) -> Result<Vec<String>, RowsError> {
        let is_guess = options.header.is_none();
        let mut names: Vec<String> = Vec::new();
        for (number, field) in (1..).zip(tokens.fields()) {
            let Some(decoded) = self.encoding.decode(field.unwrap_or_default()) else {
                self.faults.add(tokens.line, "the header is not UTF-8");
                self.faults.hint(NOT_UTF8);
                break;
            };
            if hashes::is_one(&decoded.text) {
                self.faults.add(tokens.line, "this looks like the hash of a password, not like the name of a column");
                self.faults.hint(NO_HEADER);
                break;
            }
            if is_guess && header::looks_like_data(&decoded.text) {
                self.faults.add(tokens.line, "this looks like values, not like the names of columns");
                self.faults.hint(NO_HEADER);
                break;
            }
            let name = decoded.text.trim();
            let name = if name.is_empty() { format!("{number}") } else { name.to_owned() };
            names.push(name);
        }
        let mut before = HashSet::new();
        let twice = names.iter().find(|name| !before.insert(*name));
        if self.faults.is_empty() && is_guess && !header::are_names(&names, &options.mapped) {
            self.faults.add(tokens.line, "none of these is known as the name of a column, so they may be values");
            self.faults.hint(NO_HEADER);
        } else if let Some(name) = twice {
            self.faults.add(tokens.line, format!("two columns are named `{}`", header::shown(name)));
            self.faults.hint("rename one of them");
        }
        self.ended()?;
        Ok(names)
    }

    /// # Errors
    /// There are faults.
    fn ended(&mut self) -> Result<(), RowsError> {
        if self.faults.is_empty() { Ok(()) } else { Err(mem::take(&mut self.faults).into_error(&self.name)) }
    }

    /// The record of these fields; a fault if they do not fit the columns.
    fn record(&mut self, tokens: &Tokens) -> Option<Record> {
        if tokens.len() != self.columns.len() {
            let fields = counted(tokens.len() as u64, "field");
            self.faults.add(tokens.line, format!("{fields}, {} expected", self.columns.len()));
            self.faults.hint(
                "correct these lines; a value with a separator in it has to be in quotes, and the separator is set by \
                 `source: { separator: \";\" }` in the mapping file",
            );
            return None;
        }
        let mut remarks = Vec::new();
        let mut values = Vec::with_capacity(self.columns.len());
        for (column, field) in self.columns.iter().zip(tokens.fields()) {
            let Some(bytes) = field else {
                values.push(Value::Null);
                continue;
            };
            let Some(decoded) = self.encoding.decode(bytes) else {
                let encoding = Encoding::NAMES.iter().find(|(_, known)| *known == self.encoding);
                let name = encoding.filter(|(_, known)| *known == Encoding::Cp1252).map_or("UTF-8", |(name, _)| name);
                self.faults.add(tokens.line, format!("the value of `{}` is not {name}", visible(column)));
                self.faults.hint(NOT_UTF8);
                return None;
            };
            if decoded.is_reinterpreted {
                remarks.push(Remark {
                    column: column.clone(),
                    before: visible(&shown(bytes)).into_owned(),
                    after: visible(&decoded.text).into_owned(),
                    why: "not UTF-8, read as cp1252".to_owned(),
                });
            }
            values.push(Value::Text(decoded.text));
        }
        let is_exact = is_export(&self.columns, &values);
        for value in values.iter_mut().filter(|_| is_exact) {
            if let Value::Text(text) = value {
                *text = of_exact_cell(text).into_owned();
            }
        }
        Some(Record { place: format!("line {}", tokens.line), values, remarks, refusal: None, is_exact })
    }
}

/// What to do about a first line that may have values, which are not shown as names.
const NO_HEADER: &str = "if the file has no header, write a mapping file with `version: 1` and `source: { header: false }`, \
                         or `dialect: outfile` for a file of MySQL's INTO OUTFILE, and pass it with --mapping; the columns \
                         are then named 1, 2, 3 and so on. If these are names, `source: { header: true }`";

/// What to do about bytes of another encoding.
const NOT_UTF8: &str = "name the file's encoding in a mapping file: `version: 1` and `source: { encoding: cp1252 }` for a file \
                        from Windows, or `encoding: auto` if some values are UTF-8 and others cp1252";

#[async_trait]
impl Source for Csv {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn default_mapping(&self) -> Option<Mapping> {
        Mapping::by_names(&self.columns)
    }

    /// Reads without giving way to other tasks: a file does not make it wait.
    async fn next(&mut self) -> Result<Vec<Record>, RowsError> {
        let mut records = Vec::new();
        let mut tokens = Tokens::default();
        if let Some(first) = self.first.take() {
            records.extend(self.record(&first));
        }
        // After a fault, the rest is read for more of them.
        while records.len() < BATCH && !self.faults.is_full() && self.next_tokens(&mut tokens)? {
            let record = self.record(&tokens);
            if self.faults.is_empty() {
                records.extend(record);
            } else {
                records.clear();
            }
        }
        self.ended()?;
        Ok(records)
    }

    fn expected(&self) -> Option<u64> {
        self.expected
    }

    fn has_no_header(&self) -> bool {
        self.has_no_header
    }

    fn remarks(&self) -> Vec<String> {
        let remark = "the first line has no names of columns, and was read as an account; if it has them, write `source: { \
                      header: true }` in the mapping file";
        self.has_no_header.then(|| remark.to_owned()).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
