//! The encodings of text. Pure.

/// How bytes are read as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    #[default]
    Utf8,
    /// Windows' Western European, which MySQL calls `latin1`. Five of its bytes are no characters.
    Cp1252,
    /// ISO 8859-1: each byte is the character of its number.
    Latin1,
    /// Each value by itself: UTF-8 if its bytes are that, else cp1252.
    Auto,
}

/// Text, and whether its bytes are not what the text is in UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    pub text: String,
    /// [`Encoding::Auto`] chose another encoding than UTF-8.
    pub is_reinterpreted: bool,
}

impl Encoding {
    /// Every encoding, by its name in a mapping file.
    pub const NAMES: [(&str, Self); 4] =
        [("utf-8", Self::Utf8), ("cp1252", Self::Cp1252), ("latin1", Self::Latin1), ("auto", Self::Auto)];

    /// The encoding of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, encoding)| encoding)
    }

    /// The text of these bytes; `None` if they are not of this encoding.
    pub fn decode(self, bytes: &[u8]) -> Option<Decoded> {
        let as_is = |text: String| Decoded { text, is_reinterpreted: false };
        match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(|text| as_is(text.to_owned())),
            Self::Cp1252 => bytes.iter().map(|byte| from_cp1252(*byte)).collect::<Option<String>>().map(as_is),
            Self::Latin1 => Some(as_is(bytes.iter().map(|byte| char::from(*byte)).collect())),
            Self::Auto => Self::Utf8.decode(bytes).or_else(|| {
                let decoded = Self::Cp1252.decode(bytes)?;
                Some(Decoded { is_reinterpreted: true, ..decoded })
            }),
        }
    }
}

/// The characters of cp1252's bytes 80 to 9F; the others have their own numbers (Unicode Consortium,
/// `MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT`). NUL stands for the bytes that are no characters.
const CP1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•',
    '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

fn from_cp1252(byte: u8) -> Option<char> {
    match byte {
        0x80..=0x9f => CP1252.get(usize::from(byte - 0x80)).copied().filter(|c| *c != '\0'),
        byte => Some(char::from(byte)),
    }
}

fn to_cp1252(c: char) -> Option<u8> {
    match c {
        '\0'..='\x7f' | '\u{a0}'..='\u{ff}' => u8::try_from(u32::from(c)).ok(),
        c => CP1252.iter().position(|known| *known == c).and_then(|at| u8::try_from(at + 0x80).ok()),
    }
}

/// Text whose UTF-8 was read as cp1252 and encoded again, as it was before: `Ã¼` was `ü`. `None` for all other text.
/// Where MySQL read it as cp1252, the five bytes that are no characters became control characters.
pub fn undoubled(text: &str) -> Option<String> {
    if text.is_ascii() {
        return None;
    }
    let control = |c: char| u8::try_from(u32::from(c)).ok().filter(|byte| from_cp1252(*byte).is_none());
    let bytes: Vec<u8> = text.chars().map(|c| to_cp1252(c).or_else(|| control(c))).collect::<Option<_>>()?;
    String::from_utf8(bytes).ok()
}

/// Bytes as a person can read them: UTF-8 as text, others as `\xfc`.
pub fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(encoding: Encoding, bytes: &[u8]) -> Option<(String, bool)> {
        encoding.decode(bytes).map(|decoded| (decoded.text, decoded.is_reinterpreted))
    }

    /// The values of a latin1 column in which some programs wrote UTF-8.
    #[test]
    fn each_value_has_its_own_encoding() {
        for (bytes, text, reinterpreted) in [
            (&b"/home/M\xc3\xbcller"[..], "/home/Müller", false),
            (b"/home/M\xfcller", "/home/Müller", true),
            (b"/home/stra\xdfe", "/home/straße", true),
            (b"/home/caf\xc3\xa9", "/home/café", false),
            (b"/home/\x80uro", "/home/€uro", true),
            (b"/home/\xc3\xbcber", "/home/über", false),
            (b"/home/plain", "/home/plain", false),
        ] {
            assert_eq!(decoded(Encoding::Auto, bytes), Some((text.to_owned(), reinterpreted)), "{text}");
        }
        // A byte of neither.
        assert_eq!(decoded(Encoding::Auto, b"\x81"), None);
    }

    #[test]
    fn each_encoding_reads_its_bytes() {
        assert_eq!(decoded(Encoding::Utf8, b"J\xfcrgen"), None);
        assert_eq!(decoded(Encoding::Cp1252, b"J\xfcrgen \x80"), Some(("Jürgen €".into(), false)));
        assert_eq!(decoded(Encoding::Latin1, b"\xa4\x80"), Some(("¤\u{80}".into(), false)));
        assert_eq!(decoded(Encoding::Cp1252, b"\x8d"), None);
        for (name, encoding) in Encoding::NAMES {
            assert_eq!(Encoding::named(name), Some(encoding));
            assert_eq!(decoded(encoding, b"plain"), Some(("plain".into(), false)));
        }
    }

    #[test]
    fn text_that_was_encoded_twice_is_recognised() {
        for (doubled, single) in [("Ã¼", "ü"), ("MÃ¼ller", "Müller"), ("â‚¬uro", "€uro"), ("Ã\u{81}", "Á")]
        {
            assert_eq!(undoubled(doubled).as_deref(), Some(single), "{doubled}");
        }
        for text in ["Müller", "plain", "", "日本", "ü€", "Ã"] {
            assert_eq!(undoubled(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_are_shown() {
        assert_eq!(shown(b"M\xfcller\xc3\xbc"), "M\\xfcllerü");
    }
}
