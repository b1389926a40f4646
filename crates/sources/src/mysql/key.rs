//! The key that a table is paged by.

use sftpctl_core::hex;
use sftpctl_core::shown::visible;

/// A column with a value of its own in each row, whose order the pages follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Its name, for people.
    pub(super) name: String,
    /// The column in SQL.
    pub(super) column: String,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Binary,
    /// Unique under the column's own collation, whose order the index has. Two values are never equal in it, so no page
    /// begins between equal ones. `charset`: the column's character set.
    Text {
        charset: String,
    },
    /// Unique only as bytes, if at all: the order is theirs, without an index.
    Cast,
}

impl Key {
    /// What is selected, compared and sorted by.
    pub(super) fn expression(&self) -> String {
        match self.kind {
            Kind::Cast => format!("CAST({} AS BINARY)", self.column),
            _ => self.column.clone(),
        }
    }

    /// A value that was selected, as a literal of SQL. An integer that is not one, from a server that is not to be
    /// trusted, is none.
    pub(super) fn literal(&self, value: &[u8]) -> Option<String> {
        match &self.kind {
            Kind::Integer => Some(std::str::from_utf8(value).ok()?.parse::<i128>().ok()?.to_string()),
            Kind::Binary | Kind::Cast => Some(format!("X'{}'", hex::encode(value))),
            // Without COLLATE, so that the column's collation decides.
            Kind::Text { charset } => Some(format!("_{charset} X'{}'", hex::encode(value))),
        }
    }

    /// Where a row is, as a person finds it.
    pub(super) fn place(&self, value: &[u8]) -> String {
        let name = visible(&self.name);
        match std::str::from_utf8(value) {
            Ok(text) if !text.contains(char::is_control) => format!("{name} = {}", visible(text)),
            _ => format!("{name} = 0x{}", hex::encode(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: Kind) -> Key {
        Key { name: "nr".into(), column: "`t`.`nr`".into(), kind }
    }

    #[test]
    fn literals_are_digits_or_bytes() {
        let literal = |kind, value: &[u8]| key(kind).literal(value);
        assert_eq!(literal(Kind::Integer, b"18446744073709551615").as_deref(), Some("18446744073709551615"));
        assert_eq!(literal(Kind::Integer, b"0007").as_deref(), Some("7"));
        assert_eq!(literal(Kind::Integer, b"1 OR 1"), None);
        assert_eq!(literal(Kind::Binary, b"a'\xff").as_deref(), Some("X'6127ff'"));
        assert_eq!(literal(Kind::Text { charset: "latin1".into() }, b"\xe4").as_deref(), Some("_latin1 X'e4'"));
    }

    #[test]
    fn a_place_can_be_looked_up() {
        assert_eq!(key(Kind::Integer).place(b"17578"), "nr = 17578");
        assert_eq!(key(Kind::Cast).place("jän ".as_bytes()), "nr = jän ");
        assert_eq!(key(Kind::Binary).place(&[0, 255]), "nr = 0x00ff");
    }
}
