//! Text of columns whose bytes are not what the column's character set says.

/// The characters of Windows-1252 for the bytes 0x80 to 0x9F. The five that it leaves undefined are control characters, as
/// in MySQL's latin1 (MySQL reference manual, "West European Character Sets").
const CP1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

fn cp1252(bytes: &[u8]) -> String {
    let character = |byte: &u8| match byte {
        0x80..=0x9f => CP1252.get(usize::from(byte - 0x80)).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
        _ => char::from(*byte),
    };
    bytes.iter().map(character).collect()
}

/// The text whose UTF-8 this text is, read as Windows-1252: `ü` for `Ã¼`.
fn encoded_once_less(text: &str) -> Option<String> {
    let byte = |c: char| match c {
        '\0'..='\u{7f}' | '\u{a0}'..='\u{ff}' => u8::try_from(c).ok(),
        _ => CP1252.iter().position(|other| *other == c).and_then(|at| u8::try_from(0x80 + at).ok()),
    };
    if text.is_ascii() {
        return None;
    }
    String::from_utf8(text.chars().map(byte).collect::<Option<Vec<_>>>()?).ok()
}

/// A text, with what was odd about its bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) oddity: Option<Oddity>,
}

/// Why a text may not be what was meant.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Oddity {
    /// The text as the column's character set has it.
    pub(super) before: String,
    pub(super) why: String,
}

/// The text of a value, from its bytes alone; `is_latin1`: the column is latin1.
pub(super) fn decode(bytes: Vec<u8>, is_latin1: bool) -> Decoded {
    if bytes.is_ascii() {
        return Decoded { text: String::from_utf8(bytes).unwrap_or_default(), oddity: None };
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.as_bytes();
            let before = String::from_utf8_lossy(bytes).into_owned();
            let why = "the bytes are not UTF-8 and were read as Windows-1252".to_owned();
            return Decoded { text: cp1252(bytes), oddity: (!is_latin1).then_some(Oddity { before, why }) };
        }
    };
    let twice = encoded_once_less(&text)
        .map(|meant| format!("it may be `{meant}`, encoded as UTF-8 twice; it is taken as it is"));
    let oddity = match (twice, is_latin1) {
        (None, false) => None,
        (Some(why), false) => Some(Oddity { before: text.clone(), why }),
        (twice, true) => {
            let why = "the column is latin1, and the bytes are UTF-8";
            let why = twice.map_or_else(|| why.to_owned(), |twice| format!("{why}; {twice}"));
            Some(Oddity { before: cp1252(text.as_bytes()), why })
        }
    };
    Decoded { text, oddity }
}

/// The text of a value that is Windows-1252, whatever it looks like.
pub(super) fn declared_latin1(bytes: &[u8]) -> String {
    cp1252(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn odd(bytes: &[u8], is_latin1: bool) -> (String, Option<(String, String)>) {
        let decoded = decode(bytes.to_vec(), is_latin1);
        (decoded.text, decoded.oddity.map(|oddity| (oddity.before, oddity.why)))
    }

    #[test]
    fn each_value_of_a_latin1_column_is_decided_for_itself() {
        assert_eq!(odd(b"jan", true), ("jan".into(), None));
        assert_eq!(odd(b"/home/M\xfcller", true), ("/home/Müller".into(), None));
        assert_eq!(odd(b"\x80uro \x81", true), ("€uro \u{81}".into(), None));
        let (text, oddity) = odd(b"M\xc3\xbcller", true);
        assert_eq!(text, "Müller");
        assert_eq!(oddity.unwrap().0, "MÃ¼ller");
        // ü, encoded twice, in UTF-8.
        let (text, oddity) = odd("MÃ¼ller".as_bytes(), true);
        assert_eq!(text, "MÃ¼ller");
        assert!(oddity.unwrap().1.contains("it may be `Müller`"));
    }

    #[test]
    fn text_in_utf_8_that_was_encoded_twice_is_told_and_kept() {
        assert_eq!(odd("Müller, 日本, €".as_bytes(), false), ("Müller, 日本, €".into(), None));
        let (text, oddity) = odd("cafÃ© â‚¬".as_bytes(), false);
        assert_eq!(text, "cafÃ© â‚¬");
        let (before, why) = oddity.unwrap();
        assert_eq!(before, text);
        assert!(why.contains("`café €`"), "{why}");
        let (text, oddity) = odd(b"M\xfcller", false);
        assert_eq!((text.as_str(), oddity.unwrap().0.as_str()), ("Müller", "M\u{fffd}ller"));
    }
}
