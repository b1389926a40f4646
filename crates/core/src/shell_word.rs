//! Quotes words of command lines that users copy. Pure.

use std::fmt::Write as _;

use crate::shown::visible;

/// The text as one word of a shell: in single quotes if it has characters that are special to the shell. One with characters
/// that do harm where it is shown, or are not seen, is in the quotes of bash, zsh and POSIX since 2024, `$'a\nb'`, so that
/// whoever copies it names the same.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let shown = visible(text);
    if shown == text {
        return format!("'{}'", text.replace('\'', r"'\''"));
    }
    let mut word = "$'".to_owned();
    for c in text.chars() {
        match c {
            '\n' => word.push_str(r"\n"),
            '\r' => word.push_str(r"\r"),
            '\t' => word.push_str(r"\t"),
            '\'' | '\\' => word.extend(['\\', c]),
            ' '..='~' => word.push(c),
            // By its bytes, which mean the same in every locale.
            c => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                // Three digits, so that what follows is not taken for another one.
                let _ = write!(word, "\\{byte:03o}");
            }),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_quoted() {
        for (text, word) in [("99", "99"), ("a@b.c", "a@b.c"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")] {
            assert_eq!(shell_word(text), word);
        }
    }

    /// What is shown of it can be copied, and is the same text for the shell.
    #[test]
    fn characters_that_are_not_shown_are_named_by_the_shell_itself() {
        for (text, word) in [
            ("a\nb", r"$'a\nb'"),
            ("it's\t\\", r"$'it\'s\t\\'"),
            ("a\u{200b}1", r"$'a\342\200\2131'"),
            ("\u{1b}[31m", r"$'\033[31m'"),
            ("M\u{fc}ller x", "'M\u{fc}ller x'"),
        ] {
            assert_eq!(shell_word(text), word);
            assert_eq!(visible(&shell_word(text)), word, "nothing in it is harmful");
        }
    }
}
