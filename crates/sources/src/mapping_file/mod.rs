//! The mapping file: a source's options and the rules for its columns, with every fault in its line.

mod raw;

use regex_lite::Regex;
use serde_saphyr::Spanned;
use sftpctl_core::shown::visible;
use sftpctl_core::yaml::{self, Checker, Faults, Words, place};

use crate::encoding::Encoding;
use crate::mapped::column_hint;
use crate::mapping::{DoubleEncoded, Mapping, Rule, is_list};
use crate::options::{Dialect, Kind, Options};
use raw::{File, Setting};

const WORDS: Words = Words {
    what: "a mapping file",
    is_one: "one mapping",
    schema: "environments/import-mapping.schema.json",
    example: "\"The mapping file\" in docs/import.md",
    settings: schema,
    columns: &["password", "column", "form"],
};

/// A mapping file that was read.
#[derive(Clone, Debug)]
pub struct MappingFile {
    /// Without a rule if the file has only the source's options.
    pub mapping: Mapping,
    pub options: Options,
    text: String,
    path: String,
    /// Each column that a rule names, with its attribute and its place in the text.
    columns: Vec<Named>,
    /// Each value that a rule gives, with its attribute and its place.
    constants: Vec<Constant>,
}

#[derive(Clone, Debug)]
struct Constant {
    attribute: &'static str,
    value: String,
    place: (usize, usize),
}

/// What is wrong with a value that a rule gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

#[derive(Clone, Debug)]
struct Named {
    attribute: &'static str,
    column: String,
    place: (usize, usize),
}

/// Reads a mapping file for a kind of source. `path` is only for messages.
///
/// # Errors
/// All faults, in the order of the file, up to one of the YAML itself, after which the rest cannot be read.
pub fn load(text: &str, path: &str, kind: Kind) -> Result<MappingFile, Faults> {
    let (file, found): (File, _) = yaml::parse_most(text, path, &WORDS)?;
    let mut checker = Checker::with(text, found);
    checker.version(file.version.as_ref(), &WORDS);
    let (mut options, double_encoded) = options(&mut checker, &file.source, kind);
    let mut mapping = Mapping { double_encoded, ..Mapping::default() };
    let (mut columns, mut constants) = (Vec::new(), Vec::new());
    for (attribute, setting) in file.settings() {
        let (rule, named) = rule(&mut checker, attribute, setting);
        columns.extend(named);
        constants.extend(given(attribute, setting));
        if let Setting::Rule(raw) = &setting.value
            && let Some(form) = &raw.form
        {
            password_form(&mut checker, attribute, form);
            mapping.plain_passwords = form.value == "plain";
        }
        if let Some(slot) = mapping.rule_mut(attribute) {
            *slot = Some(rule);
        }
    }
    let faults = checker.into_faults();
    if !faults.is_empty() {
        return Err(Faults::new(text, path, &WORDS, faults));
    }
    options.mapped = columns.iter().map(|named: &Named| named.column.clone()).collect();
    Ok(MappingFile { mapping, options, text: text.to_owned(), path: path.to_owned(), columns, constants })
}

impl MappingFile {
    /// The rules; none if the file has only the source's options, whose columns are then taken by their names.
    pub fn rules(&self) -> Option<&Mapping> {
        (self.mapping.rules().next().is_some()).then_some(&self.mapping)
    }

    /// Compares the columns that the rules name with those of the source.
    ///
    /// # Errors
    /// Every one that the source does not have, in its line.
    pub fn check_columns(&self, columns: &[String]) -> Result<(), Faults> {
        let mut faults = Vec::new();
        for named in self.columns.iter().filter(|named| !columns.contains(&named.column)) {
            let message = format!(
                "the source has no column `{}`, from which `{}` would come",
                visible(&named.column),
                named.attribute
            );
            let mut fault = yaml::Fault::new(&self.text, named.place.0, named.place.1, message);
            fault.hint = Some(column_hint(&named.column, columns));
            faults.push(fault);
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults::new(&self.text, &self.path, &WORDS, faults)) }
    }

    /// Checks the values that the rules give by the rules for accounts. `wrong` gets the attribute and the value.
    ///
    /// # Errors
    /// Every one that no account can have, in its line: otherwise each row with it would be rejected.
    pub fn check_constants(&self, wrong: impl Fn(&str, &str) -> Option<Wrong>) -> Result<(), Faults> {
        let mut faults = Vec::new();
        for Constant { attribute, value, place } in &self.constants {
            let Some(Wrong { message, hint }) = wrong(attribute, value.trim()) else { continue };
            let mut fault = yaml::Fault::new(&self.text, place.0, place.1, message);
            fault.hint = hint;
            faults.push(fault);
        }
        if faults.is_empty() { Ok(()) } else { Err(Faults::new(&self.text, &self.path, &WORDS, faults)) }
    }
}

/// The values that a rule gives, in place of what a column has.
fn given(attribute: &'static str, setting: &Spanned<Setting>) -> Vec<Constant> {
    let Setting::Rule(raw) = &setting.value else { return Vec::new() };
    let targets = raw.values.iter().flat_map(|values| values.value.values());
    let given = targets.chain(&raw.value).chain(&raw.default).filter(|given| !given.value.trim().is_empty());
    given.map(|given| Constant { attribute, value: given.value.clone(), place: place(given) }).collect()
}

/// The JSON Schema of the mapping file, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = serde_json::to_value(schemars::schema_for!(File)).unwrap_or_default();
    schema["title"] = "sftpctl import mapping".into();
    schema
}

fn names<T, const N: usize>(all: &[(&'static str, T); N]) -> Vec<&'static str> {
    all.iter().map(|(name, _)| *name).collect()
}

/// The options of the source, with what is done with double encoding.
fn options(checker: &mut Checker<'_>, raw: &raw::Source, kind: Kind) -> (Options, DoubleEncoded) {
    for (name, value) in raw.given() {
        if !kind.options().contains(&name) {
            let message = format!("the source `{}` has no option `{name}`", kind.as_str());
            checker.key_fault(name, &value, message).hint =
                Some(format!("its options are {}", kind.options().join(", ")));
        }
    }
    if let Some(query) = &raw.query
        && raw.table.is_some()
    {
        checker.key_fault("query", query, "both a table and a query").hint = Some("remove one of them".to_owned());
    }
    if let Some(pointer) = raw.pointer.as_ref().filter(|pointer| !pointer.value.starts_with('/')) {
        let message = format!("`{}` is not a JSON pointer", pointer.value);
        checker.fault(pointer, message).hint = Some(format!("it begins with a slash: `/{}`", pointer.value));
    }
    let mut one_of = |value: &Option<Spanned<String>>, what: &str, all: &[&str]| {
        if let Some(value) = value {
            checker.one_of(value, what, all);
        }
    };
    one_of(&raw.encoding, "encoding", &names(&Encoding::NAMES));
    one_of(&raw.dialect, "dialect", &names(&Dialect::NAMES));
    one_of(&raw.double_encoded, "choice", &names(&DoubleEncoded::NAMES));
    // A server says how its values are encoded; only latin1 columns may hold something else than they declare.
    if let Some(encoding) = raw.encoding.as_ref().filter(|_| kind == Kind::Mysql)
        && matches!(Encoding::named(&encoding.value), Some(Encoding::Utf8 | Encoding::Latin1))
    {
        let fault = checker.fault(encoding, format!("`{}` has no effect on a database", encoding.value));
        fault.hint = Some("remove it; `cp1252` takes the values of latin1 columns as declared".to_owned());
    }
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.value.clone());
    let options = Options {
        encoding: text(&raw.encoding).and_then(|name| Encoding::named(&name)).unwrap_or_default(),
        separator: raw.separator.as_ref().and_then(|value| character(checker, value)),
        quote: raw.quote.as_ref().and_then(|value| character(checker, value)),
        dialect: text(&raw.dialect).and_then(|name| Dialect::named(&name)).unwrap_or_default(),
        header: raw.header.as_ref().map(|header| header.value),
        pointer: text(&raw.pointer),
        columns: raw.columns.as_ref().map(|columns| columns.value.clone()).unwrap_or_default(),
        table: text(&raw.table),
        query: text(&raw.query),
        key: text(&raw.key),
        mapped: Vec::new(),
        inspects: false,
    };
    if let Some(quote) = &raw.quote
        && options.quote.is_some()
        && options.quote == options.separator
    {
        checker.fault(quote, "the quote is the separator as well");
    }
    let choice = text(&raw.double_encoded).and_then(|name| DoubleEncoded::named(&name));
    (options, choice.unwrap_or_default())
}

/// One character of ASCII, as it is needed between fields.
fn character(checker: &mut Checker<'_>, value: &Spanned<String>) -> Option<u8> {
    match value.value.as_bytes() {
        b"tab" => Some(b'\t'),
        [byte] if byte.is_ascii() && !matches!(byte, 0 | b'\n' | b'\r' | b'\\') => Some(*byte),
        _ => {
            let message = format!("`{}` is not one character of ASCII", value.value);
            checker.fault(value, message).hint = Some("for example `\";\"`, or `tab`".to_owned());
            None
        }
    }
}

fn password_form(checker: &mut Checker<'_>, attribute: &str, form: &Spanned<String>) {
    if attribute == "password" {
        checker.one_of(form, "form", &["hash", "plain"]);
    } else {
        checker.key_fault("form", form, "only `password` has a form").hint = Some("remove it".to_owned());
    }
}

/// The rule of an attribute, and the column that it names.
fn rule(checker: &mut Checker<'_>, attribute: &'static str, setting: &Spanned<Setting>) -> (Rule, Option<Named>) {
    let named = |column: &str, place| Named { attribute, column: column.to_owned(), place };
    let raw = match &setting.value {
        Setting::Column(column) => return (Rule::column(column), Some(named(column, place(setting)))),
        Setting::Rule(raw) => raw,
    };
    match (&raw.column, &raw.value) {
        (None, None) if checker.has_fault_in(setting) => {}
        (None, None) => {
            checker.fault(setting, format!("`{attribute}` has neither a column nor a value")).hint =
                Some(format!("write `{attribute}: COLUMN`, or `{attribute}: {{ value: TEXT }}`"));
        }
        (Some(_), Some(value)) => {
            checker.key_fault("value", value, "both a column and a value").hint =
                Some("remove one of them; `default` is the value where the column has none".to_owned());
        }
        (None, Some(_)) => {
            let of_columns = [&raw.pattern, &raw.prefix, &raw.split, &raw.default];
            let places = of_columns.into_iter().flatten().map(place).chain(raw.values.iter().map(place));
            if let Some(first) = places.min() {
                let mut texts = of_columns.into_iter().flatten();
                let message =
                    "a value that is the same for every account has no pattern, values, prefix, split or default";
                match texts.find(|value| place(*value) == first) {
                    Some(value) => checker.fault(value, message),
                    None => checker.fault(setting, message),
                }
                .hint = Some("remove it".to_owned());
            }
        }
        (Some(_), None) => {}
    }
    if let Some(pattern) = &raw.pattern
        && let Err(error) = Regex::new(&pattern.value)
    {
        checker.fault(pattern, format!("the pattern is not a regular expression: {error}")).hint =
            Some("in single quotes, backslashes are written once: `'^/home/(\\d+)$'`".to_owned());
    }
    if let Some(split) = &raw.split {
        if !is_list(attribute) {
            checker.key_fault("split", split, format!("`{attribute}` has one value, which is not split")).hint =
                Some("only `allowed`, `keys` and `regions` have several values".to_owned());
        } else if split.value.is_empty() {
            checker.fault(split, "the text between two values is empty");
        }
    }
    if attribute == "status" {
        let targets = raw.values.iter().flat_map(|values| values.value.values());
        for target in targets.chain(&raw.value).chain(&raw.default) {
            checker.one_of(target, "status", &["active", "disabled"]);
        }
    }
    let text = |value: &Option<Spanned<String>>| value.as_ref().map(|value| value.value.clone());
    let values = raw.values.iter().flat_map(|values| &values.value);
    let rule = Rule {
        column: text(&raw.column),
        pattern: text(&raw.pattern),
        values: values.map(|(from, to)| (from.clone(), to.value.clone())).collect(),
        prefix: text(&raw.prefix),
        split: text(&raw.split),
        default: text(&raw.value).or(text(&raw.default)),
    };
    (rule, raw.column.as_ref().map(|column| named(&column.value, place(column))))
}

#[cfg(test)]
mod tests;
