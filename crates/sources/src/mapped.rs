//! The rows of a source under a mapping.

use async_trait::async_trait;
use regex_lite::Regex;
use sftpctl_accounts::import::row::{Field, Password, Refused, Row, Rows, RowsError};
use sftpctl_core::shown::visible;

use super::mapping::{Mapping, Rule};
use super::source::{Record, Source, Value};

/// A source whose records become rows.
pub struct Mapped {
    source: Box<dyn Source>,
    rules: Vec<Applied>,
    plain_passwords: bool,
}

/// A rule that is ready to be applied.
struct Applied {
    field: Field,
    rule: Rule,
    /// The index of its column.
    column: Option<usize>,
    pattern: Option<Regex>,
}

impl Mapped {
    /// The rows of `source` under `mapping`.
    ///
    /// # Errors
    /// The mapping names a column that the source does not have, or a pattern is not a regular expression.
    pub fn new(source: Box<dyn Source>, mapping: &Mapping) -> Result<Self, RowsError> {
        let rules = mapping.rules().map(|(field, rule)| applied(source.columns(), field, rule));
        let rules = rules.collect::<Result<_, _>>()?;
        Ok(Self { source, rules, plain_passwords: mapping.plain_passwords })
    }

    fn row(&self, record: Record) -> Row {
        let mut row = Row { place: record.place, remarks: record.remarks, refusal: record.refusal, ..Row::default() };
        for applied in &self.rules {
            match applied.values(&record.values) {
                Ok(values) => self.set(&mut row, applied.field, values),
                Err(refused) => row.refusal = row.refusal.or(Some(refused)),
            }
        }
        row
    }

    fn set(&self, row: &mut Row, field: Field, values: Vec<String>) {
        let first = || values.first().cloned();
        match field {
            Field::OrgId => row.org_id = first(),
            Field::Username => row.username = first(),
            Field::Password => {
                row.password = match first() {
                    None => Password::None,
                    Some(plain) if self.plain_passwords => Password::Plain(plain),
                    Some(hash) => Password::Hash(hash),
                }
            }
            Field::Cluster => row.cluster = first(),
            Field::Home => row.home = first(),
            Field::Status => row.status = first(),
            Field::Allowed => row.allowed = values,
            Field::Keys => row.keys = values,
            Field::Expires => row.expires = first(),
            Field::Note => row.note = first(),
        }
    }
}

fn applied(columns: &[String], field: Field, rule: &Rule) -> Result<Applied, RowsError> {
    let attribute = field.as_str();
    let usage = |message, hint| RowsError { message, hint: Some(hint), is_usage: true };
    let index = |name: &String| {
        columns.iter().position(|column| column == name).ok_or_else(|| {
            let message = format!("the source has no column `{}`, from which `{attribute}` would come", visible(name));
            usage(message, format!("its columns are {}", columns.join(", ")))
        })
    };
    let pattern = |text: &String| {
        Regex::new(text).map_err(|error| {
            let message = format!("the pattern of `{attribute}` is not a regular expression: {error}");
            usage(message, "correct it; the first group in parentheses, or the whole match, is the value".to_owned())
        })
    };
    Ok(Applied {
        field,
        column: rule.column.as_ref().map(index).transpose()?,
        pattern: rule.pattern.as_ref().map(pattern).transpose()?,
        rule: rule.clone(),
    })
}

impl Applied {
    /// The values of the attribute in a record; none if it has none.
    fn values(&self, record: &[Value]) -> Result<Vec<String>, Refused> {
        let found = match self.column.and_then(|index| record.get(index)) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Text(text)) => match &self.rule.split {
                Some(between) if !between.is_empty() => {
                    text.split(between.as_str()).map(|part| part.trim().to_owned()).collect()
                }
                _ => vec![text.clone()],
            },
            Some(Value::Texts(texts)) => texts.clone(),
        };
        let found = found.into_iter().filter(|text| !text.is_empty());
        let values = found.map(|text| self.value(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(if values.is_empty() { self.rule.default.iter().cloned().collect() } else { values })
    }

    fn value(&self, text: String) -> Result<String, Refused> {
        let refused = |why: String| Refused {
            column: self.rule.column.clone().unwrap_or_else(|| self.field.as_str().to_owned()),
            value: if self.field == Field::Password { String::new() } else { visible(&text).into_owned() },
            why,
        };
        let matched = match &self.pattern {
            None => text.clone(),
            Some(pattern) => {
                let captures = pattern.captures(&text);
                let found = captures.as_ref().and_then(|groups| groups.get(1).or_else(|| groups.get(0)));
                found.ok_or_else(|| refused(format!("it does not match the pattern `{pattern}`")))?.as_str().to_owned()
            }
        };
        if self.rule.values.is_empty() {
            return Ok(matched);
        }
        let known = || self.rule.values.keys().cloned().collect::<Vec<_>>().join(", ");
        self.rule
            .values
            .get(&matched)
            .cloned()
            .ok_or_else(|| refused(format!("the mapping has only these values: {}", known())))
    }
}

#[async_trait]
impl Rows for Mapped {
    async fn next(&mut self) -> Result<Vec<Row>, RowsError> {
        let records = self.source.next().await?;
        Ok(records.into_iter().map(|record| self.row(record)).collect())
    }

    fn attributes(&self) -> Vec<Field> {
        self.rules.iter().map(|applied| applied.field).collect()
    }

    fn expected(&self) -> Option<u64> {
        self.source.expected()
    }

    fn remarks(&self) -> Vec<String> {
        self.source.remarks()
    }
}
