//! What the sources of other servers have in common: what is said about a record, and the mapping of their columns.

use sftpctl_accounts::import::row::{Refused, Remark, RowsError};
use sftpctl_core::shown::visible;

use crate::mapping::{Mapping, Rule};
use crate::source::Value;

/// A fault of the source, or of how it was named.
pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> RowsError {
    RowsError { message: message.into(), hint: Some(hint.into()), is_usage: true }
}

/// A value that is taken in another form.
pub(crate) fn remark(column: &str, before: &str, after: &str, why: impl Into<String>) -> Remark {
    Remark {
        column: column.to_owned(),
        before: visible(before).into_owned(),
        after: visible(after).into_owned(),
        why: why.into(),
    }
}

/// A reason for which a record is not imported.
pub(crate) fn refused(column: &str, value: &str, why: impl Into<String>) -> Refused {
    Refused { column: column.to_owned(), value: visible(value).into_owned(), why: why.into() }
}

/// At most some of many names, for a sentence: `a, b, c and 14 others`.
pub(crate) fn some_of(names: &[String], count: u64) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| visible(name)).collect();
    let rest = count.saturating_sub(u64::try_from(shown.len()).unwrap_or(u64::MAX));
    match rest {
        0 => shown.join(", "),
        1 => format!("{} and another", shown.join(", ")),
        _ => format!("{} and {rest} others", shown.join(", ")),
    }
}

/// Things that are counted, and of which the first are remembered.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    first: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, name: impl Into<String>) {
        self.count += 1;
        if self.first.len() < 5 {
            self.first.push(name.into());
        }
    }

    /// The first of them, and how many others there are.
    pub(crate) fn shown(&self) -> String {
        some_of(&self.first, self.count)
    }
}

/// The digits of an organisation's ID: the last folder of the home if that is a number, otherwise the only number in
/// the user name. Where there is neither, why the row is refused.
pub(crate) fn org_id(home: &str, name: &str) -> Value {
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let folder = home.trim_end_matches('/').rsplit('/').next().filter(is_number);
    let numbers: Vec<&str> = name.split(|c: char| !c.is_ascii_digit()).filter(is_number).collect();
    let found = folder.or(if let [only] = numbers[..] { Some(only) } else { None });
    found.map_or_else(
        || {
            Value::Missing(format!(
                "the source has no organisation ID: the home {home} does not end in a number, and the user name {name} does \
                 not contain just one; map another column to `orgid`, or rename them in a copy"
            ))
        },
        |digits| Value::Text(digits.to_owned()),
    )
}

/// The mapping of the columns that a Unix server, SFTPGo and ProFTPD have in common.
pub(crate) fn mapping() -> Mapping {
    let column = |name: &str| Some(Rule::column(name));
    Mapping {
        org_id: Some(Rule { pattern: Some("^([0-9]+)$".to_owned()), ..Rule::column("orgid") }),
        username: column("username"),
        password: column("password"),
        home: column("home"),
        status: column("status"),
        allowed: column("allowed"),
        keys: column("keys"),
        expires: column("expires"),
        ..Mapping::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organisations_are_found_in_homes_then_in_names() {
        for (home, name, expected) in [
            ("/home/17578", "jan", "17578"),
            ("/home/17578/", "jan2", "17578"),
            ("/srv/sftp/jan", "org17578", "17578"),
            ("/17578/upload", "17579", "17579"),
        ] {
            assert_eq!(org_id(home, name), Value::Text(expected.to_owned()), "{home} {name}");
        }
        for (home, name) in [("/home/jan", "jan"), ("/home/jan", "a1b2"), ("/", ""), ("", "jan"), ("/x/１２", "jan")]
        {
            let Value::Missing(why) = org_id(home, name) else { panic!("{home} {name}") };
            assert!(why.starts_with("the source has no organisation ID: the home "), "{why}");
        }
    }

    #[test]
    fn many_names_are_shortened() {
        let mut tally = Tally::default();
        for name in ["a", "b", "c", "d", "e"] {
            tally.add(name);
        }
        assert_eq!(tally.shown(), "a, b, c, d, e");
        tally.add("f");
        assert_eq!(tally.shown(), "a, b, c, d, e and another");
        tally.add("g\u{1b}");
        assert_eq!(tally.shown(), "a, b, c, d, e and 2 others");
    }
}
