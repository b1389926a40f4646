//! The rules for values of every source: what spreadsheets, exports and wrong encodings do to them. A value is taken as
//! it was meant, with a remark, or refused. Pure.

use sftpctl_accounts::import::row::{Refused, Remark};
use sftpctl_core::shown::visible;

use crate::encoding::undoubled;
use crate::hashes;
use crate::mapping::DoubleEncoded;

/// Where a value comes from, and how it may be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) attribute: &'a str,
    pub(crate) column: &'a str,
    /// It is never shown.
    pub(crate) is_secret: bool,
    /// It is a password, in which every character counts.
    pub(crate) is_plain_password: bool,
    /// It is of an export of ours, and is what it seems.
    pub(crate) is_exact: bool,
    pub(crate) double_encoded: DoubleEncoded,
}

impl Place<'_> {
    pub(crate) fn shown(&self, value: &str) -> String {
        if self.is_secret || hashes::is_one(value) { String::new() } else { visible(value).into_owned() }
    }

    /// Takes another value than the source has, with a remark.
    fn change(&self, value: &mut String, after: String, why: &str, remarks: &mut Vec<Remark>) {
        if after != *value {
            let (before, shown) = (self.shown(value), self.shown(&after));
            remarks.push(Remark { column: self.column.to_owned(), before, after: shown, why: why.to_owned() });
            *value = after;
        }
    }

    pub(crate) fn refused(&self, value: &str, why: impl Into<String>) -> Refused {
        Refused { column: self.column.to_owned(), value: self.shown(value), why: why.into() }
    }
}

/// The value as it was meant.
///
/// # Errors
/// It cannot be known what was meant.
pub(crate) fn meant(place: Place<'_>, value: String, remarks: &mut Vec<Remark>) -> Result<String, Refused> {
    let mut value = value;
    if place.is_exact {
        return Ok(value);
    }
    if !place.is_plain_password {
        let after = value.trim_start_matches(['\'', '\u{1f}']).to_owned();
        place.change(&mut value, after, "the mark that a spreadsheet puts before a text", remarks);
        // In a user name a space may be meant: `jan ` can be another customer than `jan`. The check of the row says so.
        if place.attribute != "username" {
            let after = value.trim().to_owned();
            place.change(&mut value, after, "spaces around the value", remarks);
        }
    }
    if is_null_word(&value) && place.attribute != "note" {
        let why = "this is a word for no value, which an export has written as text; export the empty value, or `\\N` \
                   with `source: { dialect: outfile }` in the mapping file";
        return Err(place.refused(&value, why));
    }
    if let Some(single) = undoubled(&value) {
        match place.double_encoded {
            DoubleEncoded::Keep => {}
            DoubleEncoded::Repair => place.change(&mut value, single, "it was encoded twice", remarks),
            DoubleEncoded::Ask => {
                let meant = if place.is_secret { String::new() } else { format!(", and mean `{}`", visible(&single)) };
                let why = format!(
                    "this may have been encoded twice{meant}: write `source: {{ double_encoded: repair }}` into the mapping \
                     file, or `keep` if it is right as it is"
                );
                return Err(place.refused(&value, why));
            }
        }
    }
    Ok(value)
}

/// The digits of an organisation's ID.
///
/// # Errors
/// A program has changed the number into another, or may have.
pub(crate) fn org_id(place: Place<'_>, value: String, remarks: &mut Vec<Remark>) -> Result<String, Refused> {
    if let Some(why) = not_whole(&value) {
        return Err(place.refused(&value, why));
    }
    let mut value = value;
    if value.len() > 1 && value.starts_with('0') && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = value.trim_start_matches('0');
        let after = if digits.is_empty() { "0" } else { digits }.to_owned();
        place.change(&mut value, after, "leading zeros", remarks);
    }
    Ok(value)
}

fn is_null_word(value: &str) -> bool {
    value == "\\N" || ["null", "(null)", "<null>"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Why a number is not an organisation's ID, if a program has changed its form.
pub(crate) fn not_whole(value: &str) -> Option<&'static str> {
    let is_number =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b','));
    if let Some((number, exponent)) = value.split_once(['e', 'E'])
        && is_number(number)
        && is_number(exponent.trim_start_matches(['+', '-']))
    {
        return Some("Excel has rounded this number: format the column as text, and export it again");
    }
    // Spaces of every width, and Switzerland's apostrophes.
    let is_grouped = |c: char| c.is_whitespace() || matches!(c, '\'' | '\u{2019}');
    let groups: Vec<&str> = value.split(is_grouped).collect();
    if groups.len() > 1 && groups.iter().all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit())) {
        return Some("a program has put separators between the digits: export the number without them");
    }
    (is_number(value) && value.contains(['.', ',']))
        .then_some("this is not a whole number; a program has taken it for a decimal number: export the column as text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_in_a_user_name_is_not_removed() {
        for name in ["jan ", " jan", "jan\u{a0}", " jan "] {
            assert_eq!(shown(of("username"), name), name, "{name:?}");
        }
        assert!(shown(of("home"), "/jan ").starts_with("/jan; "));
    }

    fn of(attribute: &str) -> Place<'_> {
        Place {
            attribute,
            column: "c",
            is_secret: false,
            is_plain_password: false,
            is_exact: false,
            double_encoded: DoubleEncoded::Ask,
        }
    }

    #[test]
    fn a_value_of_an_export_is_what_it_seems() {
        for value in ["'17578", " spaces ", "NULL", "/home/MÃ¼ller", "\u{1f}x"] {
            assert_eq!(shown(Place { is_exact: true, ..of("home") }, value), value);
        }
    }

    fn shown(place: Place<'_>, value: &str) -> String {
        let mut remarks = Vec::new();
        let value = meant(place, value.to_owned(), &mut remarks);
        let number = |value| if place.attribute == "orgid" { org_id(place, value, &mut remarks) } else { Ok(value) };
        match value.and_then(number) {
            Ok(value) => {
                let remarks = remarks.into_iter().map(|r| format!("{} -> {}: {}", r.before, r.after, r.why));
                [value].into_iter().chain(remarks).collect::<Vec<_>>().join("; ")
            }
            Err(refused) => format!("`{}` refused: {}", refused.value, refused.why),
        }
    }

    #[test]
    fn numbers_are_what_was_exported() {
        for (value, expected) in [
            ("17578", "17578"),
            ("0017578", "17578; 0017578 -> 17578: leading zeros"),
            ("000", "0; 000 -> 0: leading zeros"),
            (
                "'0017578",
                "17578; '0017578 -> 0017578: the mark that a spreadsheet puts before a text; 0017578 -> 17578: ",
            ),
            ("\u{1f}17578", r"17578; \u{1f}17578 -> 17578: the mark"),
            ("1.7579E+04", "`1.7579E+04` refused: Excel has rounded this number"),
            ("1,7579E+04", "`1,7579E+04` refused: Excel has rounded this number"),
            ("1e5", "`1e5` refused: Excel has rounded this number"),
            ("17579.0", "`17579.0` refused: this is not a whole number"),
            ("17,579", "`17,579` refused: this is not a whole number"),
            (" 7 ", "7;  7  -> 7: spaces around the value"),
            ("seven", "seven"),
        ] {
            let shown = shown(of("orgid"), value);
            assert!(shown.starts_with(expected), "{value}: {shown}");
        }
        assert_eq!(shown(of("username"), "0017578"), "0017578");
    }

    #[test]
    fn words_for_no_value_are_refused() {
        for word in ["NULL", "null", "\\N", "(null)", "<null>"] {
            for attribute in ["username", "password", "home"] {
                assert!(shown(of(attribute), word).contains("refused: this is a word for no value"), "{word}");
            }
            assert_eq!(shown(of("note"), word), word);
        }
        assert_eq!(shown(of("username"), "nullsoft"), "nullsoft");
    }

    #[test]
    fn double_encoding_is_asked_for() {
        let with = |double_encoded| Place { double_encoded, ..of("home") };
        let asked = shown(of("home"), "/home/MÃ¼ller");
        assert!(asked.contains("and mean `/home/Müller`: write `source: { double_encoded: repair }`"), "{asked}");
        let repaired = shown(with(DoubleEncoded::Repair), "/home/MÃ¼ller");
        assert_eq!(repaired, "/home/Müller; /home/MÃ¼ller -> /home/Müller: it was encoded twice");
        assert_eq!(shown(with(DoubleEncoded::Keep), "/home/MÃ¼ller"), "/home/MÃ¼ller");
        assert_eq!(shown(of("home"), "/home/Müller"), "/home/Müller");
    }

    #[test]
    fn passwords_are_kept_and_not_shown() {
        let hash = Place { is_secret: true, ..of("password") };
        assert_eq!(shown(hash, " $6$x "), "$6$x;  -> : spaces around the value");
        let plain = Place { is_plain_password: true, ..hash };
        assert_eq!(shown(plain, " 'x\u{1f} "), " 'x\u{1f} ");
        let refused = shown(plain, "MÃ¼ller");
        assert!(refused.starts_with("`` refused") && !refused.contains("ller"), "{refused}");
    }
}
