//! The rows of a source under a mapping.

use async_trait::async_trait;
use regex_lite::Regex;
use sftpctl_accounts::import::row::{Field, Password, Refused, Remark, Row, Rows, RowsError};
use sftpctl_core::shown::visible;
use sftpctl_core::text::nearest;

use crate::mapping::{DoubleEncoded, Mapping, Rule, is_list};
use crate::notes::remark;
use crate::source::{Record, SCHEMA, Source, Value};
use crate::values::{Place, meant, org_id};

/// A source whose records become rows.
pub struct Mapped {
    source: Box<dyn Source>,
    rules: Vec<Applied>,
    plain_passwords: bool,
    double_encoded: DoubleEncoded,
    /// The column that holds the passwords, whose values are shown nowhere.
    secret: Option<String>,
    /// Columns that no rule has.
    unused: Vec<String>,
    /// Whether a record of an export of ours was read.
    has_exact: bool,
}

/// A rule that is ready to be applied.
struct Applied {
    attribute: &'static str,
    rule: Rule,
    /// The index of its column.
    column: Option<usize>,
    pattern: Option<Regex>,
}

impl Mapped {
    /// The rows of `source` under `mapping`.
    ///
    /// # Errors
    /// The mapping has no rule for the ID or the name, names a column that the source does not have, or a pattern is
    /// not a regular expression.
    pub fn new(source: Box<dyn Source>, mapping: &Mapping) -> Result<Self, RowsError> {
        for (attribute, rule) in [("orgid", &mapping.org_id), ("username", &mapping.username)] {
            if rule.is_none() {
                let message = format!("the mapping has no rule for `{attribute}`");
                let hint = format!("name the column that it comes from: `{attribute}: COLUMN`");
                return Err(RowsError { message, hint: Some(hint), is_usage: true });
            }
        }
        let rules = mapping.rules().map(|(attribute, rule)| applied(source.columns(), attribute, rule));
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        let used: Vec<&String> = rules.iter().filter_map(|applied| applied.rule.column.as_ref()).collect();
        let all = source.columns().iter().chain(source.unread());
        let unused = all.filter(|column| !used.contains(column)).cloned().collect();
        Ok(Self {
            unused,
            has_exact: false,
            rules,
            secret: mapping.password.as_ref().and_then(|rule| rule.column.clone()),
            plain_passwords: mapping.plain_passwords,
            double_encoded: mapping.double_encoded,
            source,
        })
    }

    fn row(&self, record: Record) -> Row {
        let mut remarks = record.remarks;
        remarks.retain_mut(|remark| self.is_told(&remark.column, [&mut remark.before, &mut remark.after]));
        let refusal = record.refusal.map(|mut refused| {
            self.is_told(&refused.column, [&mut refused.value]);
            refused
        });
        let mut row = Row { place: record.place, refusal, ..Row::default() };
        let mut refused_columns = Vec::new();
        for applied in &self.rules {
            match self.values(applied, (&record.values, record.is_exact), &mut remarks) {
                Ok(values) => self.set(&mut row, applied.attribute, values),
                Err(refused) => {
                    refused_columns.push(refused.column.clone());
                    row.refusal = row.refusal.or(Some(refused));
                }
            }
        }
        // A value that is refused is not taken in another form.
        remarks.retain(|remark| !refused_columns.contains(&remark.column));
        row.remarks = remarks;
        row
    }

    /// Whether what is said about a column is told, with its value, unless that is secret. A remark on an account is
    /// always told: it may have been disabled for what is in a column that is not imported.
    fn is_told<const N: usize>(&self, column: &String, texts: [&mut String; N]) -> bool {
        let is_unused = self.unused.contains(column) && !self.source.remarks_on_accounts();
        if self.secret.as_ref() == Some(column) || is_unused {
            texts.into_iter().for_each(String::clear);
        }
        !is_unused
    }

    /// The values of the attribute in a record; none if it has none.
    fn values(
        &self,
        applied: &Applied,
        (record, is_exact): (&[Value], bool),
        remarks: &mut Vec<Remark>,
    ) -> Result<Vec<String>, Refused> {
        let column = applied.rule.column.as_deref().unwrap_or(applied.attribute);
        let is_password = applied.attribute == "password";
        let place = Place {
            attribute: applied.attribute,
            column,
            is_secret: is_password || self.secret.as_deref() == Some(column),
            is_plain_password: is_password && self.plain_passwords,
            is_exact,
            double_encoded: self.double_encoded,
        };
        let is_list = is_list(applied.attribute);
        let found = match applied.column.and_then(|index| record.get(index)) {
            // A rule with a default has a value all the same.
            Some(Value::Missing(why)) if applied.rule.default.is_none() => return Err(place.refused("", why.clone())),
            None | Some(Value::Null | Value::Missing(_)) => Vec::new(),
            Some(Value::Text(text)) => match &applied.rule.split {
                Some(between) if !between.is_empty() && is_list => {
                    text.split(between.as_str()).map(|part| part.trim().to_owned()).collect()
                }
                _ => vec![text.clone()],
            },
            Some(Value::Texts(texts)) => texts.clone(),
        };
        if found.len() > 1 && !is_list {
            return Err(place.refused("", format!("there are {} values, where one is expected", found.len())));
        }
        let mut values = Vec::new();
        for text in found.into_iter().filter(|text| !text.is_empty()) {
            let text = meant(place, text, remarks)?;
            if !text.is_empty() {
                let value = applied.value(place, text)?;
                values.push(if applied.attribute == "orgid" { org_id(place, value, remarks)? } else { value });
            }
        }
        if values.is_empty() {
            values.extend(applied.rule.default.clone());
            if values.is_empty() && applied.attribute == "status" && applied.column.is_some() {
                remarks.push(remark(column, "", "active", "it has no value, and the account is taken as active"));
            }
        }
        Ok(values)
    }

    fn set(&self, row: &mut Row, attribute: &str, mut values: Vec<String>) {
        match attribute {
            "allowed" => row.allowed = values,
            "keys" => row.keys = values,
            "regions" => row.regions = values,
            _ => {
                let value = if values.is_empty() { None } else { Some(values.swap_remove(0)) };
                match attribute {
                    "orgid" => row.org_id = value,
                    "username" => row.username = value,
                    "password" => {
                        row.password = match value {
                            None => Password::None,
                            Some(plain) if self.plain_passwords => Password::Plain(plain),
                            Some(hash) => Password::Hash(hash),
                        }
                    }
                    "cluster" => row.cluster = value,
                    "home" => row.home = value,
                    "status" => row.status = value,
                    "expires" => row.expires = value,
                    "note" => row.note = value,
                    _ => {}
                }
            }
        }
    }
}

fn applied(columns: &[String], attribute: &'static str, rule: &Rule) -> Result<Applied, RowsError> {
    let usage = |message, hint| RowsError { message, hint: Some(hint), is_usage: true };
    let index = |name: &String| {
        columns.iter().position(|column| column == name).ok_or_else(|| {
            let message = format!("the source has no column `{}`, from which `{attribute}` would come", visible(name));
            usage(message, column_hint(name, columns))
        })
    };
    let pattern = |text: &String| {
        Regex::new(text).map_err(|error| {
            let message = format!("the pattern of `{attribute}` is not a regular expression: {error}");
            usage(message, "correct it; the first group in parentheses, or the whole match, is the value".to_owned())
        })
    };
    Ok(Applied {
        attribute,
        column: rule.column.as_ref().map(index).transpose()?,
        pattern: rule.pattern.as_ref().map(pattern).transpose()?,
        rule: rule.clone(),
    })
}

/// What to write in place of a column that is not there.
pub(crate) fn column_hint(name: &str, columns: &[String]) -> String {
    /// Columns that are listed.
    const MOST: usize = 30;
    let folded = columns.iter().find(|column| column.eq_ignore_ascii_case(name.trim()));
    if let Some(near) = folded.map(String::as_str).or_else(|| nearest(name, columns.iter().map(String::as_str))) {
        return format!("did you mean `{}`?", visible(near));
    }
    let shown: Vec<_> = columns.iter().take(MOST).map(|column| visible(column)).collect();
    let more = if columns.len() > MOST { format!(" and {} more", columns.len() - MOST) } else { String::new() };
    format!("its columns are {}{more}", shown.join(", "))
}

impl Applied {
    fn value(&self, place: Place<'_>, text: String) -> Result<String, Refused> {
        let prefixed = |value: String| match &self.rule.prefix {
            Some(prefix) => format!("{prefix}{value}"),
            None => value,
        };
        let matched = match &self.pattern {
            None => text.clone(),
            Some(pattern) => {
                let captures = pattern.captures(&text);
                let found = captures.as_ref().and_then(|groups| groups.get(1).or_else(|| groups.get(0)));
                let refused = || place.refused(&text, format!("it does not match the pattern `{pattern}`"));
                found.ok_or_else(refused)?.as_str().to_owned()
            }
        };
        if self.rule.values.is_empty() {
            return Ok(prefixed(matched));
        }
        let known = || self.rule.values.keys().cloned().collect::<Vec<_>>().join(", ");
        let refused = || place.refused(&text, format!("the mapping has only these values: {}", known()));
        self.rule.values.get(&matched).cloned().map(prefixed).ok_or_else(refused)
    }
}

#[async_trait]
impl Rows for Mapped {
    async fn next(&mut self) -> Result<Vec<Row>, RowsError> {
        let records = self.source.next().await?;
        self.has_exact |= records.iter().any(|record| record.is_exact);
        Ok(records.into_iter().map(|record| self.row(record)).collect())
    }

    fn attributes(&self) -> Vec<Field> {
        let has_rule = |field: &Field| self.rules.iter().any(|applied| applied.attribute == field.as_str());
        Field::ALL.into_iter().filter(has_rule).collect()
    }

    fn expected(&self) -> Option<u64> {
        self.source.expected()
    }

    fn remarks(&self) -> Vec<String> {
        let is_mark = |column: &&String| self.has_exact && *column == SCHEMA;
        let columns: Vec<_> =
            self.unused.iter().filter(|column| !is_mark(column)).map(|column| visible(column)).collect();
        let unused = match &*columns {
            [] => None,
            columns => Some(format!("these columns are not imported: {}", columns.join(", "))),
        };
        self.source.remarks().into_iter().chain(unused).collect()
    }
}

#[cfg(test)]
mod tests;
