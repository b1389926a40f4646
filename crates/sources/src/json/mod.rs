//! JSON: an array of objects, alone or inside an object, or one object after the other (JSON lines).

mod object;
mod scan;

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::mem;
use std::path::Path;

use async_trait::async_trait;
use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;

use crate::faults::{Faults, refused};
use crate::header;
use crate::input::Input;
use crate::mapping::{ATTRIBUTES, Mapping, plain_name};
use crate::options::Options;
use crate::source::{BATCH, Record, Source, Value, is_export};
use scan::{ScanError, Scanner};

/// A file of JSON.
pub struct Json {
    scanner: Scanner,
    /// The objects are in an array, not one after the other.
    is_array: bool,
    is_begun: bool,
    is_done: bool,
    name: String,
    columns: Vec<String>,
    /// The index of each column.
    indices: HashMap<String, usize>,
    /// The records that the columns were found in.
    first: Vec<Record>,
    /// Names of fields that no record of the first had.
    late: BTreeSet<String>,
    expected: Option<u64>,
    faults: Faults,
}

/// One object: its line, and its fields.
struct Object {
    line: u64,
    fields: Vec<(String, Value)>,
}

impl Json {
    /// Opens a file and reads its first records, whose fields are the columns; `-` is the standard input.
    ///
    /// # Errors
    /// It could not be read, or is not such a file.
    pub fn open(path: &Path, options: &Options) -> Result<Self, RowsError> {
        Self::begin(Input::open(path)?, options)
    }

    /// As [`Json::open`], from a reader. The name is for messages.
    ///
    /// # Errors
    /// As [`Json::open`].
    pub fn read(reader: impl Read + Send + 'static, name: &str, options: &Options) -> Result<Self, RowsError> {
        Self::begin(Input::new(reader, name, None)?, options)
    }

    fn begin(input: Input, options: &Options) -> Result<Self, RowsError> {
        let mut json = Self {
            scanner: Scanner::new(input.reader),
            is_array: false,
            is_begun: false,
            is_done: false,
            name: input.name,
            columns: Vec::new(),
            indices: HashMap::new(),
            first: Vec::new(),
            late: BTreeSet::new(),
            expected: None,
            faults: Faults::default(),
        };
        let pointer = options.pointer.as_deref().unwrap_or_default();
        let started = json.scanner.descend(pointer).and_then(|()| json.scanner.takes(b'['));
        json.is_array = match started {
            Ok(is_array) => is_array,
            Err(error) => return Err(json.failed(error)),
        };
        if !json.is_array && !pointer.is_empty() {
            let why = format!("there is no array at {}", visible(pointer));
            return Err(refused(&json.name, why, "name the place of the array of accounts: `pointer: /users`"));
        }
        let objects = json.objects()?;
        let fields = objects.iter().flat_map(|object| &object.fields).map(|(name, _)| name);
        for name in options.columns.iter().chain(fields) {
            if !json.indices.contains_key(name) {
                json.indices.insert(name.clone(), json.columns.len());
                json.columns.push(name.clone());
            }
        }
        if objects.is_empty() {
            let hint = "name a file with an array of objects, or an object in each line; for an array inside an object, \
                        `source: { pointer: /users }` in a mapping file";
            return Err(refused(&json.name, "there are no objects in it", hint));
        }
        if json.is_done {
            json.expected = Some(objects.len() as u64);
        } else if let Some(length) = input.length {
            let lines = json.scanner.taken.max(1);
            json.expected = Some((objects.len() as u64).saturating_mul(length) / lines);
        }
        json.check_names(objects.len(), options)?;
        json.first = json.records(objects)?;
        Ok(json)
    }

    /// Refuses keys that are data: names of customers, or worse. They would be shown as the names of columns.
    fn check_names(&self, objects: usize, options: &Options) -> Result<(), RowsError> {
        let refuse = |why, hint: &str| Err(refused(&self.name, why, hint));
        if self.columns.iter().flat_map(|name| name.split('.')).any(header::looks_like_data) {
            let hint = "name a file whose objects have the names of fields for their keys, the same in every object; `jq` \
                        changes a file: `jq '[to_entries[] | .value + {username: .key}]'`";
            return refuse("keys of its objects look like values, not like the names of fields", hint);
        }
        let last = |name: &'_ String| name.rsplit_once('.').map(|(_, last)| last.to_owned());
        let mut seen = BTreeSet::new();
        let is_repeated = self.columns.iter().filter_map(last).any(|name| !seen.insert(name));
        if !self.is_array && objects == 1 && is_repeated && options.mapped.is_empty() {
            let hint = "name a file with an array of objects, or an object in each line; for an array inside an object, \
                        `source: { pointer: /users }` in a mapping file; `jq '[to_entries[] | .value + {username: .key}]'` makes an \
                        array";
            return refuse("it is one object of objects, whose keys may be the names of accounts", hint);
        }
        if !header::are_names(&self.columns, &[&*options.mapped, &*options.columns].concat()) {
            let hint = "name the fields in a mapping file, and pass it with --mapping: `username: FIELD`";
            return refuse("none of its keys is known as the name of a field, so they may be values", hint);
        }
        Ok(())
    }

    fn failed(&mut self, error: ScanError) -> RowsError {
        self.is_done = true;
        match error {
            ScanError::Fault(line, message) => {
                self.faults.add(line, visible(&message));
                mem::take(&mut self.faults).into_error(&self.name)
            }
            ScanError::Io(error) => RowsError {
                message: format!("{} could not be read after line {}: {error}", visible(&self.name), self.scanner.line),
                hint: None,
                is_usage: false,
            },
        }
    }

    /// Takes what is before the next object; false if there is none.
    fn advance(&mut self) -> Result<bool, ScanError> {
        if self.is_array {
            if self.scanner.takes(b']')? {
                return Ok(false);
            }
            if mem::replace(&mut self.is_begun, true) && !self.scanner.takes(b',')? {
                return Err(self.scanner.fault("a comma, or the end of the array, is expected here"));
            }
        }
        match self.scanner.ahead()? {
            Some(b'{') => Ok(true),
            None if !self.is_array => Ok(false),
            None => Err(self.scanner.fault("the file ends inside the array")),
            Some(_) => Err(self.scanner.fault("an object is expected here: `{`")),
        }
    }

    /// The objects of the next batch. After a fault inside one, the rest is read for more of them.
    fn objects(&mut self) -> Result<Vec<Object>, RowsError> {
        let mut objects = Vec::new();
        while objects.len() < BATCH && !self.faults.is_full() && !self.is_done {
            let mut raw = Vec::new();
            let next = self.advance().and_then(|is_more| {
                self.is_done = !is_more;
                let line = self.scanner.line;
                if is_more { self.scanner.value(Some(&mut raw)) } else { Ok(()) }.map(|()| line)
            });
            let line = next.map_err(|error| self.failed(error))?;
            if !self.is_done
                && let Some(object) = self.object(line, &raw)
            {
                objects.push(object);
            }
        }
        if self.faults.is_empty() { Ok(objects) } else { Err(mem::take(&mut self.faults).into_error(&self.name)) }
    }

    fn object(&mut self, line: u64, raw: &[u8]) -> Option<Object> {
        if let Err(error) = std::str::from_utf8(raw) {
            let before = raw.get(..error.valid_up_to()).unwrap_or_default();
            let lines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
            self.faults.add(line + lines, "this is not UTF-8, which JSON is written in");
            self.faults.hint("convert the file, for example `iconv -f CP1252 -t UTF-8`");
            return None;
        }
        match object::fields(raw) {
            Ok(fields) => Some(Object { line, fields }),
            Err(error) => {
                let message = error.to_string();
                let message = message.split(" at line ").next().unwrap_or_default();
                self.faults.add(line + (error.line() as u64).saturating_sub(1), visible(message));
                None
            }
        }
    }

    /// The records of these objects.
    ///
    /// # Errors
    /// An attribute of an account is not among the columns.
    fn records(&mut self, objects: Vec<Object>) -> Result<Vec<Record>, RowsError> {
        let mut records = Vec::with_capacity(objects.len());
        for object in objects {
            let mut values = vec![Value::Null; self.columns.len()];
            for (name, value) in object.fields {
                if let Some(slot) = self.indices.get(&name).and_then(|index| values.get_mut(*index)) {
                    *slot = value;
                } else {
                    if ATTRIBUTES.contains(&&*plain_name(&name)) {
                        let name = header::shown(&name);
                        self.faults.add(object.line, format!("the first {BATCH} records have no field `{name}`"));
                        self.faults.hint("name such fields in a mapping file: `source: { columns: [FIELD] }`");
                    }
                    if self.late.len() < MAX_LATE {
                        self.late.insert(name);
                    }
                }
            }
            let place = format!("line {}", object.line);
            let is_exact = is_export(&self.columns, &values);
            records.push(Record { place, values, is_exact, ..Record::default() });
        }
        if self.faults.is_empty() { Ok(records) } else { Err(mem::take(&mut self.faults).into_error(&self.name)) }
    }
}

/// Names of late fields that are told.
const MAX_LATE: usize = 20;

#[async_trait]
impl Source for Json {
    fn columns(&self) -> &[String] {
        &self.columns
    }

    fn default_mapping(&self) -> Option<Mapping> {
        Mapping::by_names(&self.columns)
    }

    /// Reads without giving way to other tasks: a file does not make it wait.
    async fn next(&mut self) -> Result<Vec<Record>, RowsError> {
        if !self.first.is_empty() {
            return Ok(mem::take(&mut self.first));
        }
        let objects = self.objects()?;
        self.records(objects)
    }

    fn expected(&self) -> Option<u64> {
        self.expected
    }

    fn remarks(&self) -> Vec<String> {
        if self.late.is_empty() {
            return Vec::new();
        }
        let names: BTreeSet<_> = self.late.iter().map(|name| header::shown(name)).collect();
        let names: Vec<_> = names.into_iter().collect();
        vec![format!("these fields, which the first {BATCH} records do not have, were not read: {}", names.join(", "))]
    }
}

#[cfg(test)]
mod tests;
