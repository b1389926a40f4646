//! Keys of S3 as paths of git. Pure.
//!
//! A customer chooses the key; the path ends up in repositories that others clone and check out. So everything that git
//! or a file system takes for something else is written as `%` and two hexadecimal digits: `.git` in all the spellings
//! that git itself refuses (`read-cache.c`, `verify_path`; `utf8.c`, `is_hfs_dotgit`; `path.c`, `is_ntfs_dotgit`), `.` and
//! `..`, control characters, and backslashes, which are separators on Windows. `git fast-import` takes all of them
//! without an error (seen with 2.47.3). No two keys become one path, and each path can be read back: where a key itself
//! has a `%` that could be one of these, that is escaped, too.

use std::fmt::Write as _;

use sftpctl_core::hex;
use sha2::{Digest as _, Sha256};

/// Bytes of a file's name on Linux, macOS and Windows.
const NAME: usize = 255;
/// What stands for a part without characters, as in `a//b`.
const EMPTY: &str = "%";
/// The end of the name of an object that is a folder as well: a slash that is part of a name.
const ALSO_FOLDER: &str = "%2F";
/// What comes before the digest of a name that is too long.
const CUT: &str = "%~";

/// The path of a key. With `beside_folder` its name differs from that of the folder of the same name.
pub(crate) fn path(key: &str, beside_folder: bool) -> String {
    let mut parts: Vec<String> = key.split('/').map(part).collect();
    if let Some(name) = parts.last_mut().filter(|_| beside_folder) {
        *name = fitted(name, ALSO_FOLDER);
    }
    parts.join("/")
}

/// Whether the path differs from the key.
pub(crate) fn is_escaped(key: &str) -> bool {
    path(key, false) != key
}

/// Whether git and file systems take a path for what it says: no empty part, `.` or `..`, none of git's own names, and
/// nothing that ends a line or a path.
pub(crate) fn is_harmless(path: &str) -> bool {
    let is_bad = |part: &str| matches!(part, "" | "." | "..") || is_gits(part) || part.contains(['\\', '\0', '\n']);
    !path.split('/').any(is_bad)
}

/// Marks of the writing direction and characters of no width, which HFS+ ignores in names.
fn is_ignored(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// Whether some system takes the name for one of git's own: `.git`, `.gitmodules`, `.gitattributes`, and the short names
/// of NTFS for them; `.mailmap`, by which git shows other authors, also without a work tree (gitmailmap(5)); and
/// `.lfsconfig`, which says from where large files come (git-lfs-config(5)).
fn is_gits(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !is_ignored(*c)).flat_map(char::to_lowercase).collect();
    let plain = plain.trim_start_matches(' ');
    let short = plain
        .split_once('~')
        .is_some_and(|(stem, number)| stem.starts_with("gi") && number.starts_with(|c: char| c.is_ascii_digit()));
    short || plain.starts_with(".git") || [".mailmap", ".lfsconfig"].iter().any(|own| plain.starts_with(own))
}

/// One part of a path.
fn part(name: &str) -> String {
    if name.is_empty() {
        return EMPTY.to_owned();
    }
    let first = matches!(name, "." | "..") || is_gits(name);
    let mut out = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        let escape = match c {
            '\\' => true,
            '%' => name == EMPTY || could_be_ours(&name[at..]),
            // Git's own names begin with a dot, `g`, or an ignored character.
            _ => c.is_control() || is_ignored(c) || first && (at == 0 || c == '.' || c == '~'),
        };
        if escape {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(out, "%{byte:02X}");
            }
        } else {
            out.push(c);
        }
    }
    fitted(&out, "")
}

/// Whether a text that begins with `%` begins as an escape does.
fn could_be_ours(text: &str) -> bool {
    let is_hex = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_hexdigit);
    is_hex(1) && is_hex(2) || text.starts_with(CUT)
}

/// A name with this end, cut to the length that file systems take; what is cut is in the digest.
fn fitted(name: &str, end: &str) -> String {
    if name.len() + end.len() <= NAME {
        return format!("{name}{end}");
    }
    let digest = hex::encode(&Sha256::digest(name));
    let digest = digest.get(..32).unwrap_or(&digest);
    let room = NAME - CUT.len() - digest.len() - end.len();
    let at = (0..=room).rev().find(|at| name.is_char_boundary(*at)).unwrap_or_default();
    format!("{}{CUT}{digest}{end}", name.get(..at).unwrap_or_default())
}

/// A path in the stream, as `git fast-import` reads it: between quotes, with escapes for quotes and backslashes.
pub(crate) fn quoted(path: &str) -> String {
    let mut out = String::with_capacity(path.len() + 2);
    out.push('"');
    for c in path.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_git_takes_for_its_own_is_escaped() {
        for (key, expected) in [
            ("in/orders 2026.csv", "in/orders 2026.csv"),
            ("Müller/日本.txt", "Müller/日本.txt"),
            (".git/config", "%2Egit/config"),
            ("x/.GIT/hooks/post-checkout", "x/%2EGIT/hooks/post-checkout"),
            (".g\u{200c}it/config", "%2Eg%E2%80%8Cit/config"),
            ("git~1/config", "%67it%7E1/config"),
            ("GI7EBA~1", "%47I7EBA%7E1"),
            (".git.", "%2Egit%2E"),
            (".gitmodules", "%2Egitmodules"),
            (".mailmap", "%2Emailmap"),
            ("a/.MailMap", "a/%2EMailMap"),
            (".lfsconfig", "%2Elfsconfig"),
            ("a/../b", "a/%2E%2E/b"),
            ("./a", "%2E/a"),
            ("a//b", "a/%/b"),
            ("/a", "%/a"),
            ("a\\..\\b", "a%5C..%5Cb"),
            ("a\nb\u{7f}", "a%0Ab%7F"),
            ("100%", "100%"),
            ("%", "%25"),
            ("a%2Eb", "a%252Eb"),
            ("a%~b", "a%25~b"),
            ("...", "..."),
        ] {
            assert_eq!(path(key, false), expected, "{key:?}");
            assert_eq!(is_escaped(key), key != expected);
        }
        assert_eq!(path("d", true), "d%2F");
        assert_eq!(path("d%2F", false), "d%252F");
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let long = |end: &str| path(&format!("a/{}{end}", "ä".repeat(400)), false);
        for name in [long("1"), long("2"), path(&"x".repeat(255), true)] {
            assert!(name.rsplit('/').next().unwrap().len() <= NAME, "{name}");
        }
        assert_ne!(long("1"), long("2"));
        assert_eq!(path(&"x".repeat(255), false), "x".repeat(255));
    }

    #[test]
    fn paths_that_git_would_misunderstand_are_known() {
        for path in ["", "/a", "a//b", "a/", ".", "..", "a/../b", ".git/config", "a/.GIT", "git~1/x", "a\\b", "a\nb"] {
            assert!(!is_harmless(path), "{path:?}");
        }
        assert!(is_harmless("a/b.git/c.txt"));
    }

    #[test]
    fn quotes_end_no_path() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }

    /// Pieces of names that are hostile together.
    const PIECES: &[&str] = &[
        ".", "..", "git", ".git", ".GIT", "git~1", "~", "1", "%", "%2E", "%2F", "25", "/", "//", "\\", "\n", "\0",
        "\u{200c}", "\u{feff}", "a", " ", ":", "\u{7f}", "é", "%~",
    ];

    fn key() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(PIECES), 1..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn no_path_is_gits_and_none_is_shared(keys in prop::collection::btree_set(key(), 1..40)) {
            let mut seen = BTreeMap::new();
            for key in &keys {
                for beside in [false, true] {
                    let path = path(key, beside);
                    prop_assert!(is_harmless(&path), "{:?}: {:?}", key, path);
                    let before = seen.insert(path.clone(), (key, beside));
                    prop_assert!(before.is_none(), "{:?} and {:?}: {:?}", before, (key, beside), path);
                }
            }
        }
    }
}
