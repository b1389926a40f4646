//! The values of a column, in the form that an account's attributes have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mysql_async::consts::ColumnType;
use sftpctl_accounts::import::row::{Refused, Remark};
use sftpctl_core::shown::visible;

use super::options::Latin1;
use super::text::{declared_latin1, decode};
use crate::source::{Record, Value};
use sftpctl_core::text::{counted, either};

/// Bytes of a SHA-224 digest.
const SHA224: usize = 28;

/// Characters of the hashes that have only one length: DES crypt; MD5 in hexadecimal; md5-crypt; SHA-224 in Base64, SHA-1
/// in hexadecimal; MySQL's PASSWORD(); SHA-256 in Base64, SHA-224 in hexadecimal; bcrypt; SHA-256 in hexadecimal;
/// SHA-512 in Base64; sha512-crypt; SHA-512 in hexadecimal.
const WHOLE: [usize; 12] = [13, 32, 34, 40, 41, 44, 56, 60, 64, 88, 106, 128];

/// Characters of a SHA-224 digest in Base64, the shortest hash that is verified without another form around it.
const SHA224_BASE64: usize = 40;

/// How the bytes of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// ASCII as it is: numbers, times.
    Plain,
    /// A number in its bytes, the largest first.
    Bit,
    Date,
    /// A date and time without a zone; from a TIMESTAMP in UTC.
    DateTime {
        is_utc: bool,
    },
    /// UTF-8, or what is in a latin1 column.
    Text {
        is_latin1: bool,
    },
    /// Of no character set; `is_padded` with zeros to its width.
    Bytes {
        is_padded: bool,
    },
}

impl Kind {
    /// The kind of a column of this type. `charset`: the name of its character set.
    pub(super) fn of(kind: ColumnType, charset: &str) -> Self {
        use ColumnType as T;
        match kind {
            T::MYSQL_TYPE_BIT => Self::Bit,
            T::MYSQL_TYPE_DATE | T::MYSQL_TYPE_NEWDATE => Self::Date,
            T::MYSQL_TYPE_DATETIME | T::MYSQL_TYPE_DATETIME2 => Self::DateTime { is_utc: false },
            T::MYSQL_TYPE_TIMESTAMP | T::MYSQL_TYPE_TIMESTAMP2 => Self::DateTime { is_utc: true },
            T::MYSQL_TYPE_JSON => Self::Text { is_latin1: false },
            T::MYSQL_TYPE_VARCHAR
            | T::MYSQL_TYPE_VAR_STRING
            | T::MYSQL_TYPE_STRING
            | T::MYSQL_TYPE_ENUM
            | T::MYSQL_TYPE_SET
            | T::MYSQL_TYPE_TINY_BLOB
            | T::MYSQL_TYPE_MEDIUM_BLOB
            | T::MYSQL_TYPE_LONG_BLOB
            | T::MYSQL_TYPE_BLOB
                if charset != "binary" =>
            {
                Self::Text { is_latin1: charset == "latin1" }
            }
            T::MYSQL_TYPE_TINY
            | T::MYSQL_TYPE_SHORT
            | T::MYSQL_TYPE_INT24
            | T::MYSQL_TYPE_LONG
            | T::MYSQL_TYPE_LONGLONG
            | T::MYSQL_TYPE_DECIMAL
            | T::MYSQL_TYPE_NEWDECIMAL
            | T::MYSQL_TYPE_FLOAT
            | T::MYSQL_TYPE_DOUBLE
            | T::MYSQL_TYPE_YEAR
            | T::MYSQL_TYPE_TIME
            | T::MYSQL_TYPE_TIME2
            | T::MYSQL_TYPE_NULL => Self::Plain,
            other => Self::Bytes { is_padded: other == T::MYSQL_TYPE_STRING },
        }
    }
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether an attribute comes from it, so that what cannot be read is a reason to refuse the row.
    pub(super) is_wanted: bool,
    /// Whether it has the passwords, which nothing shows.
    pub(super) is_secret: bool,
    /// The most characters that fit into it, if it is a VARCHAR or CHAR.
    pub(super) width: Option<usize>,
    pub(super) latin1: Latin1,
    /// Raw digests that were taken as Base64.
    pub(super) digests: u64,
    /// Values as long as the column is wide, of a length that no whole hash has.
    pub(super) cut: u64,
    /// Its values, if it is secret: hexadecimal digits, and others.
    pub(super) hexadecimal: u64,
    pub(super) others: u64,
    /// Values whose time zone was assumed.
    pub(super) zoneless: u64,
}

fn is_printable(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

impl Column {
    fn remark(&self, record: &mut Record, before: &str, after: &str, why: impl Into<String>) {
        if self.is_wanted {
            let shown = |text: &str| if self.is_secret { String::new() } else { visible(text).into_owned() };
            record.remarks.push(Remark {
                column: self.name.clone(),
                before: shown(before),
                after: shown(after),
                why: why.into(),
            });
        }
    }

    /// The value of these bytes, for a record that gets the remarks and refusals.
    pub(super) fn value(&mut self, bytes: Vec<u8>, record: &mut Record) -> Value {
        match self.kind {
            Kind::Plain => Value::Text(String::from_utf8_lossy(&bytes).into_owned()),
            Kind::Bit => {
                let number = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
                Value::Text(number.to_string())
            }
            Kind::Date => self.date(bytes, record, |date| date),
            Kind::DateTime { is_utc } => {
                let value = self.date(bytes, record, |time| format!("{}Z", time.replacen(' ', "T", 1)));
                self.zoneless += u64::from(!is_utc && value != Value::Null);
                value
            }
            Kind::Text { is_latin1 } => self.text(bytes, is_latin1, record),
            Kind::Bytes { is_padded } => self.bytes(bytes, is_padded, record),
        }
    }

    /// A date, unless it is MySQL's zero date, which stands for none (MySQL reference manual, "The DATE, DATETIME, and
    /// TIMESTAMP Types"). A date with a month or day of zero stays as it is.
    fn date(&self, bytes: Vec<u8>, record: &mut Record, form: impl Fn(String) -> String) -> Value {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if text.starts_with("0000-00-00") {
            self.remark(record, &text, "", "a zero date, which was taken as no value");
            return Value::Null;
        }
        Value::Text(if text.contains("-00") { text } else { form(text) })
    }

    fn text(&mut self, bytes: Vec<u8>, is_latin1: bool, record: &mut Record) -> Value {
        if is_latin1 && self.latin1 == Latin1::AsDeclared {
            return Value::Text(declared_latin1(&bytes));
        }
        let decoded = decode(bytes, is_latin1);
        if let Some(oddity) = decoded.oddity {
            self.remark(record, &oddity.before, &decoded.text, oddity.why);
        }
        if self.is_secret && !decoded.text.is_empty() {
            let is_digest = decoded.text.bytes().all(|byte| byte.is_ascii_hexdigit());
            *(if is_digest { &mut self.hexadecimal } else { &mut self.others }) += 1;
        }
        if self.is_secret && self.width == Some(decoded.text.chars().count()) {
            self.cut += u64::from(!self.width.is_some_and(|width| WHOLE.contains(&width)));
        }
        Value::Text(decoded.text)
    }

    fn bytes(&mut self, bytes: Vec<u8>, is_padded: bool, record: &mut Record) -> Value {
        let zeros = bytes.iter().rev().take_while(|byte| is_padded && **byte == 0).count();
        let content = bytes.get(..bytes.len() - zeros).unwrap_or_default();
        if is_printable(content) && (zeros == 0 || !content.is_empty()) {
            return Value::Text(String::from_utf8_lossy(content).into_owned());
        }
        if self.is_secret && bytes.len() == SHA224 {
            self.digests += 1;
            return Value::Text(STANDARD.encode(&bytes));
        }
        if self.is_wanted && record.refusal.is_none() {
            let wanted =
                if self.is_secret { "; raw bytes are taken only as a SHA-224 digest, of 28 bytes" } else { "" };
            record.refusal = Some(Refused {
                column: self.name.clone(),
                value: String::new(),
                why: format!(
                    "the column is binary, and its value of {} is not printable ASCII{wanted}; select the text that is meant \
                     in a query, such as HEX({})",
                    counted(bytes.len() as u64, "byte"),
                    visible(&self.name)
                ),
            });
        }
        Value::Null
    }

    /// What the operator should know about the column after the last row.
    pub(super) fn remarks(&self) -> Vec<String> {
        let name = visible(&self.name);
        let mut remarks = Vec::new();
        if self.digests > 0 {
            let (digests, were) = (counted(self.digests, "digest"), either(self.digests, "was", "were"));
            remarks.push(format!("`{name}` has raw bytes: {digests} of 28 bytes {were} taken as SHA-224 in Base64"));
        }
        if self.is_wanted && self.zoneless > 0 {
            remarks.push(format!("`{name}` is a DATETIME, which has no time zone: its times were taken as UTC"));
        }
        if let (true, Some(width)) = (self.is_secret, self.width) {
            if self.cut > 0 {
                remarks.push(format!(
                    "`{name}` has room for {width} characters, and {} {} it: no hash has this length, so it was probably \
                     cut when it was stored, and no password will match",
                    counted(self.cut, "value"),
                    either(self.cut, "fills", "fill")
                ));
            } else if width < SHA224_BASE64 && (self.hexadecimal == 0 || self.others > 0) {
                remarks.push(format!(
                    "`{name}` has room for {width} characters; SHA-224 in Base64 has {SHA224_BASE64}, so such hashes were \
                     cut when they were stored, and no password will match them"
                ));
            }
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: Kind) -> Column {
        Column {
            name: "c".into(),
            kind,
            is_wanted: true,
            is_secret: false,
            width: None,
            latin1: Latin1::Detect,
            digests: 0,
            cut: 0,
            hexadecimal: 0,
            others: 0,
            zoneless: 0,
        }
    }

    fn secret(kind: Kind, width: Option<usize>) -> Column {
        Column { is_secret: true, width, ..column(kind) }
    }

    fn value(column: &mut Column, bytes: &[u8]) -> (Value, Record) {
        let mut record = Record::default();
        (column.value(bytes.to_vec(), &mut record), record)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn dates_have_the_form_of_rfc_3339_and_zero_is_none() {
        let (zero, record) = value(&mut column(Kind::Date), b"0000-00-00");
        assert_eq!((zero, record.remarks.len()), (Value::Null, 1));
        assert_eq!(value(&mut column(Kind::Date), b"2027-01-31").0, text("2027-01-31"));
        let mut times = column(Kind::DateTime { is_utc: false });
        assert_eq!(value(&mut times, b"2027-01-31 12:00:00").0, text("2027-01-31T12:00:00Z"));
        assert!(times.remarks()[0].contains("UTC"));
        assert_eq!(value(&mut times, b"2027-00-31 12:00:00").0, text("2027-00-31 12:00:00"), "left to be refused");
        let mut stamps = column(Kind::DateTime { is_utc: true });
        value(&mut stamps, b"2027-01-31 12:00:00");
        assert_eq!(stamps.remarks(), [""; 0]);
    }

    #[test]
    fn bytes_are_text_a_digest_or_a_refusal() {
        let bytes = |is_padded| Kind::Bytes { is_padded };
        assert_eq!(value(&mut column(bytes(false)), b"").0, text(""));
        assert_eq!(value(&mut column(bytes(true)), b"abc\0\0").0, text("abc"));
        let (refused, record) = value(&mut column(bytes(false)), b"abc\0\0");
        assert_eq!(refused, Value::Null);
        assert!(record.refusal.is_some_and(|refused| refused.why.contains("5 bytes")));

        let mut digest = *b"0123456789012345678901234567";
        digest[3] = 0xff;
        digest[27] = 0;
        let mut hashes = secret(bytes(true), None);
        assert_eq!(value(&mut hashes, &digest).0, text(&STANDARD.encode(digest)));
        assert!(hashes.remarks()[0].contains("1 digest of 28 bytes was taken"));
        let (_, record) = value(&mut hashes, &[0xff; 16]);
        assert!(record.refusal.is_some_and(|refused| refused.why.contains("28 bytes") && refused.value.is_empty()));
        // A column that no attribute comes from is no reason to refuse a row.
        let mut ignored = Column { is_wanted: false, ..column(bytes(false)) };
        assert_eq!(value(&mut ignored, &[0xff; 16]), (Value::Null, Record::default()));
    }

    #[test]
    fn hashes_that_fill_a_column_were_cut() {
        let kind = Kind::Text { is_latin1: false };
        let mut cut = secret(kind, Some(36));
        value(&mut cut, &[b'a'; 36]);
        value(&mut cut, &[b'a'; 35]);
        assert!(cut.remarks()[0].contains("36 characters, and 1 value fills it"));
        let mut narrow = secret(kind, Some(32));
        value(&mut narrow, &[b'z'; 32]);
        assert!(narrow.remarks()[0].contains("has 40"));
        let mut digests = secret(kind, Some(32));
        value(&mut digests, b"5ebe2294ecd0e0f08eab7690d2a6ee69");
        assert_eq!(digests.remarks(), [""; 0]);
        let mut fits = secret(kind, Some(40));
        value(&mut fits, &[b'a'; 40]);
        assert_eq!(fits.remarks(), [""; 0]);
    }

    #[test]
    fn secrets_are_in_no_remark() {
        let (_, record) = value(&mut secret(Kind::Text { is_latin1: true }, None), "geheimü".as_bytes());
        assert_eq!((record.remarks.len(), format!("{record:?}").contains("geheim")), (1, false));
    }

    #[test]
    fn bits_are_a_number() {
        assert_eq!(value(&mut column(Kind::Bit), &[1]).0, text("1"));
        assert_eq!(value(&mut column(Kind::Bit), &[1, 0]).0, text("256"));
    }
}
