//! The first mapping file of a source. Pure.

use sftpctl_core::shown::{Text, visible};

use super::column::Column;
use super::guess;
use crate::encoding::Encoding;
use crate::mapping::{ATTRIBUTES, plain_name};
use crate::options::{Dialect, Kind, Options};
use sftpctl_core::text::{counted, either};

/// The text of a mapping file for these columns, each with its values if they are few.
pub(super) fn mapping(columns: &[(Column, Vec<(String, u64)>)], kind: Kind, options: &Options) -> String {
    let mut text = String::from(
        "# Which column of the source is which attribute of an account: docs/import.md, \"The mapping file\".\n\
         # yaml-language-server: $schema=import-mapping.schema.json\n\
         version: 1\n",
    );
    let given = source(options, kind);
    if !given.is_empty() {
        text.push_str(&format!("source: {{ {} }}\n", given.join(", ")));
    }
    for attribute in ATTRIBUTES {
        let mut candidates: Vec<_> = columns.iter().filter(|(column, _)| column.guess == Some(attribute)).collect();
        if attribute == "orgid" {
            // The number of a row, such as `id`, comes after what is named after organisations.
            candidates.sort_by_key(|(column, _)| !guess::is_of_organisations(&column.name));
        }
        let mut candidates = candidates.into_iter();
        match candidates.next() {
            Some((column, few)) => {
                text.push_str(&format!("{attribute}: {}  # {}\n", rule(attribute, column, few), described(column)));
                if column.changed > 0 {
                    let has = either(column.changed, "value has", "values have");
                    text.push_str(&format!(
                        "# A spreadsheet has changed numbers here: {} {has} the form of 1.7579E+04, 17,579 or 17 579, \
                         and the rows are rejected.\n# Format the column as text in the spreadsheet, and export it again.\n",
                        column.changed
                    ));
                }
                let unknown = if attribute == "status" { unknown(few) } else { Vec::new() };
                if !unknown.is_empty() {
                    text.push_str(&format!(
                        "# `values` lacks these, whose rows are rejected until it says what they mean: {}\n",
                        unknown.join(", ")
                    ));
                }
                for (other, _) in candidates {
                    text.push_str(&format!("#{attribute}: {}  # or this: {}\n", quoted(&other.name), described(other)));
                }
            }
            None if attribute == "orgid" => {
                text.push_str("#orgid: { column: COLUMN, pattern: '(\\d+)$' }  # required; no column looks like it\n");
            }
            None if attribute == "username" => {
                text.push_str("#username: COLUMN  # required; no column looks like it\n");
            }
            None if attribute == "cluster" => {
                text.push_str("#cluster: { value: CLUSTER }  # of every account without a home in a bucket\n");
            }
            None => {}
        }
    }
    for (column, _) in columns.iter().filter(|(column, _)| column.guess.is_none()) {
        text.push_str(&format!("# not imported: {}  {}\n", quoted(&column.name), described(column)));
    }
    text
}

/// The options that were given.
fn source(options: &Options, kind: Kind) -> Vec<String> {
    let text = |value: &Option<String>| value.as_ref().map(|value| quoted(value));
    let character = |byte: Option<u8>| byte.map(|byte| quoted(&char::from(byte).to_string()));
    let encoding = Encoding::NAMES.iter().find(|(_, known)| *known == options.encoding && *known != Encoding::Utf8);
    let dialect = Dialect::NAMES.iter().find(|(_, known)| *known == options.dialect && *known != Dialect::Rfc4180);
    let columns: Vec<_> = options.columns.iter().map(|column| quoted(column)).collect();
    let all = [
        ("separator", character(options.separator)),
        ("quote", character(options.quote)),
        ("dialect", dialect.map(|(name, _)| (*name).to_owned())),
        ("header", options.header.map(|header| header.to_string())),
        ("encoding", encoding.map(|(name, _)| (*name).to_owned())),
        ("pointer", text(&options.pointer)),
        ("columns", (!columns.is_empty()).then(|| format!("[{}]", columns.join(", ")))),
        ("table", text(&options.table)),
        ("query", text(&options.query)),
        ("key", text(&options.key)),
    ];
    let known = all.into_iter().filter(|(name, _)| kind.options().contains(name));
    known.filter_map(|(name, value)| Some(format!("{name}: {}", value?))).collect()
}

fn rule(attribute: &str, column: &Column, few: &[(String, u64)]) -> String {
    let name = quoted(&column.name);
    match attribute {
        "password" if column.hashes.is_empty() => format!("{{ column: {name}, form: plain }}"),
        "password" => match digest(column) {
            Some(prefix) => format!("{{ column: {name}, prefix: \"{prefix}\" }}"),
            None => name,
        },
        "status" => match values(&column.name, few) {
            Some(values) => format!("{{ column: {name}, values: {{ {values} }} }}"),
            None => name,
        },
        "allowed" | "regions" => format!("{{ column: {name}, split: \",\" }}"),
        "keys" => format!("{{ column: {name}, split: \"\\n\" }}"),
        _ => name,
    }
}

/// The prefix that names the digest of a column that has only one kind, in bare hexadecimal digits.
fn digest(column: &Column) -> Option<&'static str> {
    let mut kinds = column.hashes.keys();
    let (kind, None) = (kinds.next()?, kinds.next()) else { return None };
    let digests = [("md5", "{MD5}"), ("sha1", "{SHA}"), ("sha256", "{SHA256}"), ("sha512", "{SHA512}")].into_iter();
    let name = kind.split_once(" hexadecimal: ")?.1;
    digests.filter(|(digest, _)| *digest == name).map(|(_, prefix)| prefix).next()
}

/// Values that say that an account is not in use, and their opposites.
const OFF: [&str; 10] = ["0", "n", "no", "f", "false", "off", "inactive", "disabled", "locked", "closed"];
const ON: [&str; 9] = ["1", "y", "yes", "t", "true", "on", "active", "enabled", "open"];

fn is_known(value: &str) -> bool {
    let value = value.to_lowercase();
    OFF.contains(&&*value) || ON.contains(&&*value)
}

/// The values of a status that do not say what they mean, with their counts.
fn unknown(few: &[(String, u64)]) -> Vec<String> {
    let unknown = few.iter().filter(|(value, _)| !is_known(value));
    unknown.map(|(value, count)| visible(&format!("{} × {count}", quoted(value))).into_owned()).collect()
}

/// What the values of a status mean, as far as they say.
fn values(column: &str, few: &[(String, u64)]) -> Option<String> {
    // A column that says the opposite.
    let is_opposite = ["disabled", "locked"].contains(&&*plain_name(column));
    let meaning = |value: &String| {
        let is_off = OFF.contains(&&*value.to_lowercase()) != is_opposite;
        format!("{}: {}", quoted(value), if is_off { "disabled" } else { "active" })
    };
    let known: Vec<&String> = few.iter().map(|(value, _)| value).filter(|value| is_known(value)).collect();
    let is_plain = known.iter().all(|value| *value == "active" || *value == "disabled");
    (!known.is_empty() && !is_plain).then(|| known.into_iter().map(meaning).collect::<Vec<_>>().join(", "))
}

/// What was counted, for a comment: one line, in which nothing does harm.
fn described(column: &Column) -> String {
    let mut parts = Vec::new();
    match (column.distinct, column.has_more) {
        (0, _) => parts.push("no values".to_owned()),
        (1, _) => parts.push("1 value".to_owned()),
        (count, false) => parts.push(format!("{count} different values")),
        (count, true) => parts.push(format!("more than {count} different values")),
    }
    match column.lengths {
        Some((shortest, longest)) if shortest == longest => parts.push(counted(shortest as u64, "character")),
        Some((shortest, longest)) => parts.push(format!("{shortest} to {longest} characters")),
        None => {}
    }
    if column.nulls + column.empties > 0 {
        parts.push(format!("{} without one", counted(column.nulls + column.empties, "record")));
    }
    parts.extend(column.hashes.iter().map(|(kind, count)| format!("{kind} × {count}")));
    if !column.samples.is_empty() {
        parts.push(format!("such as {}", column.samples.join(" | ")));
    }
    visible(&parts.join(", ")).into_owned()
}

/// A text in double quotes, in which YAML has the escapes of JSON; without them where it is a plain word.
fn quoted(text: &str) -> String {
    const OTHERS: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !OTHERS.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_word { text.to_owned() } else { Text::json(&text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_says_nothing_is_not_taken_for_active() {
        let few = |values: &[(&str, u64)]| -> Vec<_> { values.iter().map(|(v, n)| ((*v).to_owned(), *n)).collect() };
        let some = few(&[("Y", 7), ("suspended", 2), ("n", 1), ("127", 1)]);
        let mapped = values("status", &some).unwrap();
        assert!(mapped.contains("active") && mapped.matches(':').count() == 2, "{mapped}");
        assert!(!mapped.contains("suspended") && !mapped.contains("127"), "{mapped}");
        let left = unknown(&some);
        assert!(left.len() == 2 && left[0].ends_with("× 2") && left[1].contains("127"), "{left:?}");
        assert_eq!(values("status", &few(&[("gold", 1), ("silver", 2)])), None);
        assert!(unknown(&few(&[("active", 1), ("Disabled", 2)])).is_empty());
    }
}
