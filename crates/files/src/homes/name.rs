//! Names of files are bytes, keys of objects are UTF-8: how one becomes the other, and when it cannot. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sftpctl_core::text::{describe, is_invisible, is_variation_selector};

/// Bytes of a key at most (S3 user guide, "Naming Amazon S3 objects").
pub const KEY_BYTES: usize = 1024;

/// The bytes of a path or a name. As text, a backslash is `\\`, and `\xe4` a byte that is not part of valid UTF-8 or
/// would not be seen; the text is the bytes again.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Raw(pub Vec<u8>);

impl Raw {
    /// The path of a child.
    #[must_use]
    pub fn join(&self, name: &[u8]) -> Self {
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Self(path)
    }

    /// The last component.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// The path without its last component; empty for the first.
    pub fn parent(&self) -> &[u8] {
        let end = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        self.0.get(..end).unwrap_or_default()
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_control() => {
                        c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
                    }
                    c => write!(f, "{c}")?,
                }
            }
            chunk.invalid().iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))?;
        }
        Ok(())
    }
}

impl FromStr for Raw {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const BROKEN: &str = "a backslash is not followed by another, or by x and two hexadecimal digits";
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            let (before, escape) = rest.split_at(at);
            bytes.extend_from_slice(before.as_bytes());
            if let Some(after) = escape.strip_prefix("\\\\") {
                bytes.push(b'\\');
                rest = after;
            } else {
                let digits = escape.strip_prefix("\\x").and_then(|after| after.get(..2)).ok_or(BROKEN)?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| BROKEN)?);
                rest = escape.get(4..).unwrap_or_default();
            }
        }
        bytes.extend_from_slice(rest.as_bytes());
        Ok(Self(bytes))
    }
}

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The encoding of names that are not UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Charset {
    /// They have none, and cannot be represented.
    #[default]
    Utf8,
    /// Windows' code page 1252, of which ISO 8859-1 is a part.
    Cp1252,
}

/// Why a name cannot be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unnamable {
    /// Its bytes are not characters of the encoding.
    NotUtf8,
    /// It has control characters: a legal key, but Transfer's clients and mounts cannot use it.
    Control,
    /// The key has more than [`KEY_BYTES`] bytes.
    TooLong,
}

/// The characters of 0x80 to 0x9f in code page 1252; `\0` for the five bytes that have none (unicode.org,
/// `MAPPINGS/VENDORS/MICSFT/WINDOWS/CP1252.TXT`).
const CP1252: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•',
    '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

impl Charset {
    /// The characters of a component. One that is valid UTF-8 is taken for that, since old servers have both.
    fn decode(self, name: &[u8]) -> Option<Cow<'_, str>> {
        if let Ok(text) = std::str::from_utf8(name) {
            return Some(Cow::Borrowed(text));
        }
        let character = |byte: &u8| match byte {
            0x80..=0x9f => CP1252.get(usize::from(byte - 0x80)).copied().filter(|c| *c != '\0'),
            byte => Some(char::from(*byte)),
        };
        (self == Self::Cp1252).then(|| name.iter().map(character).collect::<Option<String>>())?.map(Cow::Owned)
    }
}

/// The key of a path under a prefix that ends with a slash. A folder's ends with a slash, too.
///
/// # Errors
/// The name cannot be a key.
pub fn key(prefix: &str, path: &Raw, is_folder: bool, charset: Charset) -> Result<String, Unnamable> {
    let mut key = prefix.to_owned();
    if path.0.is_empty() {
        return Ok(key);
    }
    for (index, part) in path.0.split(|byte| *byte == b'/').enumerate() {
        if index > 0 {
            key.push('/');
        }
        key.push_str(&charset.decode(part).ok_or(Unnamable::NotUtf8)?);
    }
    if key.contains(char::is_control) {
        return Err(Unnamable::Control);
    }
    if is_folder {
        key.push('/');
    }
    if key.len() > KEY_BYTES { Err(Unnamable::TooLong) } else { Ok(key) }
}

/// The characters of the last component that are not seen or turn the writing direction, each once: with numbers and names.
pub fn unseen(path: &Raw) -> Vec<String> {
    let Ok(name) = std::str::from_utf8(path.name()) else { return Vec::new() };
    if name.is_ascii() {
        return Vec::new();
    }
    let mut found: Vec<char> = name.chars().filter(|c| is_invisible(*c) || is_variation_selector(*c)).collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter().map(describe).collect()
}

/// Whether the characters of the last component are not simply its bytes, so that these have to be kept elsewhere.
pub fn is_decoded(path: &Raw) -> bool {
    std::str::from_utf8(path.name()).is_err()
}

/// Canonical decompositions of Unicode, except those of Hangul, which are computed.
static DECOMPOSITIONS: LazyLock<HashMap<char, &'static str>> = LazyLock::new(|| {
    let all = include_str!("decompositions.txt").split_ascii_whitespace();
    all.filter_map(|entry| {
        let composed = entry.chars().next()?;
        Some((composed, entry.get(composed.len_utf8()..)?))
    })
    .collect()
});

/// The three parts of a Hangul syllable (The Unicode Standard, section 3.12).
fn hangul(c: char) -> Option<impl Iterator<Item = char>> {
    let index = u32::from(c).checked_sub(0xac00).filter(|index| *index < 11_172)?;
    let (lead, vowel, tail) = (0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11a7 + index % 28);
    let tail = (tail > 0x11a7).then_some(tail);
    Some([Some(lead), Some(vowel), tail].into_iter().flatten().filter_map(char::from_u32))
}

/// What names have in common that a person, or another system, cannot tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alike {
    /// The same key.
    Key,
    /// The same characters, composed in another way (Unicode's canonical equivalence).
    Composition,
    /// The same but for case.
    Case,
}

/// The form in which names that are alike are equal.
fn form(name: &[u8], alike: Alike, charset: Charset) -> Cow<'_, [u8]> {
    let Some(text) = charset.decode(name) else { return Cow::Borrowed(name) };
    if text.is_ascii() && (alike != Alike::Case || !text.bytes().any(|byte| byte.is_ascii_uppercase())) {
        return Cow::Borrowed(name);
    }
    if alike == Alike::Key {
        return Cow::Owned(text.into_owned().into_bytes());
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match (DECOMPOSITIONS.get(&c), hangul(c)) {
            (Some(parts), _) => out.push_str(parts),
            (None, Some(parts)) => out.extend(parts),
            (None, None) => out.push(c),
        }
    }
    if alike == Alike::Case {
        out = out.to_lowercase();
    }
    Cow::Owned(out.into_bytes())
}

/// A number that is the same for all names of a folder that may be alike in any way.
pub fn fold(name: &[u8], charset: Charset) -> u64 {
    let mut hasher = DefaultHasher::new();
    form(name, Alike::Case, charset).hash(&mut hasher);
    hasher.finish()
}

/// What two names of a folder have in common, the strongest.
pub fn alike(one: &[u8], other: &[u8], charset: Charset) -> Option<Alike> {
    let all = [Alike::Key, Alike::Composition, Alike::Case];
    all.into_iter().find(|alike| form(one, *alike, charset) == form(other, *alike, charset))
}

/// What a name has in common with others of its folder, the strongest.
pub fn closest(others: &[impl AsRef<[u8]>], name: &[u8], charset: Charset) -> Option<Alike> {
    let others = others.iter().map(AsRef::as_ref).filter(|other| *other != name);
    others.filter_map(|other| alike(name, other, charset)).min_by_key(|alike| match alike {
        Alike::Key => 0,
        Alike::Composition => 1,
        Alike::Case => 2,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(bytes: &[u8]) -> Raw {
        Raw(bytes.to_vec())
    }

    #[test]
    fn keys_of_names() {
        let key = |path: &[u8], charset| key("17578/", &of(path), false, charset);
        assert_eq!(key("a/ä.txt".as_bytes(), Charset::Utf8).as_deref(), Ok("17578/a/ä.txt"));
        assert_eq!(key(b"a/\xe4.txt", Charset::Utf8), Err(Unnamable::NotUtf8));
        assert_eq!(key(b"a/\xe4\x80.txt", Charset::Cp1252).as_deref(), Ok("17578/a/ä€.txt"));
        assert_eq!(key(b"\x81\xff", Charset::Cp1252), Err(Unnamable::NotUtf8), "0x81 has no character");
        assert_eq!(key(b"a\nb", Charset::Utf8), Err(Unnamable::Control));
        assert_eq!(key(b"a\x7fb", Charset::Utf8), Err(Unnamable::Control));
        assert_eq!(key(&[b'a'; 1018], Charset::Utf8).map(|key| key.len()), Ok(1024));
        assert_eq!(key(&[b'a'; 1019], Charset::Utf8), Err(Unnamable::TooLong));
        assert_eq!(super::key("17578/", &of(&[b'a'; 1018]), true, Charset::Utf8), Err(Unnamable::TooLong));
        assert_eq!(super::key("17578/", &of(b"sub"), true, Charset::Utf8).as_deref(), Ok("17578/sub/"));
        assert_eq!(super::key("17578/", &of(b""), true, Charset::Utf8).as_deref(), Ok("17578/"));
    }

    #[test]
    fn names_that_are_alike() {
        for (one, other, expected) in [
            ("Report.txt".as_bytes(), "report.TXT".as_bytes(), Some(Alike::Case)),
            ("ä.txt".as_bytes(), "a\u{308}.txt".as_bytes(), Some(Alike::Composition)),
            ("Ä.txt".as_bytes(), "a\u{308}.txt".as_bytes(), Some(Alike::Case)),
            ("한".as_bytes(), "\u{1112}\u{1161}\u{11ab}".as_bytes(), Some(Alike::Composition)),
            ("が".as_bytes(), "か\u{3099}".as_bytes(), Some(Alike::Composition)),
            ("ä".as_bytes(), b"\xe4", Some(Alike::Key)),
            (b"a", b"b", None),
            (b"a", "ä".as_bytes(), None),
        ] {
            assert_eq!(alike(one, other, Charset::Cp1252), expected, "{one:?} {other:?}");
            let is_one = fold(one, Charset::Cp1252) == fold(other, Charset::Cp1252);
            assert_eq!(is_one, expected.is_some(), "{one:?} {other:?}");
        }
        assert_eq!(alike("ä".as_bytes(), b"\xe4", Charset::Utf8), None, "without the encoding it is another name");
    }

    #[test]
    fn what_is_not_seen_is_named() {
        for (name, expected) in [
            ("a\u{200b}b\u{200b}.txt", &["U+200B (zero-width space)"][..]),
            ("\u{feff}list.csv", &["U+FEFF (byte order mark)"]),
            ("fdp.\u{202e}exe", &["U+202E (mark of the writing direction)"]),
            ("v\u{fe0f} \u{fe0e}", &["U+FE0E (variation selector)", "U+FE0F (variation selector)"]),
            ("\u{2066}\u{2069}", &["U+2066 (mark of the writing direction)", "U+2069 (mark of the writing direction)"]),
            ("\u{3164}\u{e0041}", &["U+3164 (invisible character)", "U+E0041 (invisible character)"]),
            ("M\u{fc}ller \u{65e5}\u{672c}.txt", &[]),
            ("plain", &[]),
        ] {
            let path = of(&[b"folder\xe2\x80\x8b/", name.as_bytes()].concat());
            assert_eq!(unseen(&path), expected, "{name:?}");
            assert_eq!(key("7/", &of(name.as_bytes()), false, Charset::Utf8).as_deref(), Ok(&*format!("7/{name}")));
        }
    }

    proptest! {
        #[test]
        fn text_is_the_bytes_again(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let raw = Raw(bytes);
            let text = raw.to_string();
            prop_assert!(!text.contains(char::is_control));
            prop_assert_eq!(text.parse::<Raw>(), Ok(raw.clone()));
            let json = serde_json::to_string(&raw).unwrap();
            prop_assert_eq!(serde_json::from_str::<Raw>(&json).unwrap(), raw);
        }
    }
}
