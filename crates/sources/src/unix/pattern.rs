//! Patterns and words of OpenSSH's files (ssh_config(5), "PATTERNS"). Pure.

pub(crate) use sftpctl_core::text::fits as matches;

/// What a list of patterns says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listed {
    Yes,
    No,
    /// A negated pattern matches, whatever else does.
    Never,
}

/// Whether a text is in a list `a,b*,!c` (OpenSSH, `match_pattern_list`).
pub(crate) fn listed(text: &str, list: &str) -> Listed {
    let mut found = Listed::No;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if matches(text, negated) => return Listed::Never,
            None if matches(text, pattern) => found = Listed::Yes,
            _ => {}
        }
    }
    found
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The next word, and the rest: words are between white space and at most one `=`, or in double quotes (OpenSSH,
/// `strdelim`). `None` if a quote has no end.
pub(crate) fn word(text: &str) -> Option<(String, &str)> {
    let end = text.find(|c| SPACE.contains(&c) || c == '"' || c == '=').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if let Some(quoted) = rest.strip_prefix('"') {
        let (inside, rest) = quoted.split_once('"')?;
        return Some((format!("{word}{inside}"), rest.trim_start_matches(SPACE)));
    }
    let had_equals = rest.starts_with('=');
    let rest = rest.get(1..).unwrap_or_default().trim_start_matches(SPACE);
    let rest =
        if had_equals { rest } else { rest.strip_prefix('=').map_or(rest, |rest| rest.trim_start_matches(SPACE)) };
    Some((word.to_owned(), rest))
}

/// The arguments of a line, as in a shell: `"a b" c\ d 'e'`; a `#` before a word ends them (OpenSSH, `argv_split`).
/// `None` if a quote has no end.
pub(crate) fn arguments(text: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = text.chars().peekable();
    loop {
        while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        match rest.peek() {
            None | Some('#') => return Some(found),
            Some(_) => {}
        }
        let mut argument = String::new();
        let mut quote: Option<char> = None;
        while let Some(c) = rest.next() {
            match c {
                '\\' => {
                    let escapes = |next: &char| matches!(next, '\'' | '"' | '\\') || (quote.is_none() && *next == ' ');
                    argument.push(rest.next_if(escapes).unwrap_or(c));
                }
                ' ' | '\t' if quote.is_none() => break,
                '"' | '\'' if quote.is_none() => quote = Some(c),
                c if quote == Some(c) => quote = None,
                c => argument.push(c),
            }
        }
        if quote.is_some() {
            return None;
        }
        found.push(argument);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks_match() {
        for (text, pattern) in [
            ("jan", "jan"),
            ("jan", "*"),
            ("", "*"),
            ("jan", "j*n"),
            ("jan", "j?n"),
            ("jan", "*a*"),
            ("aab", "*ab"),
            ("jan", "jan**"),
        ] {
            assert!(matches(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("jan", "Jan"), ("jan", "ja"), ("jan", "jan?"), ("jan", ""), ("", "?"), ("jan", "*b")] {
            assert!(!matches(text, pattern), "{text} {pattern}");
        }
    }

    #[test]
    fn a_negated_pattern_wins() {
        assert_eq!(listed("jan", "piet,j*"), Listed::Yes);
        assert_eq!(listed("jan", "j*,!jan"), Listed::Never);
        assert_eq!(listed("jan", "!piet"), Listed::No);
        assert_eq!(listed("jan", "a, jan"), Listed::No);
    }

    #[test]
    fn words_are_between_space_and_equals() {
        for (text, first, rest) in [
            ("ChrootDirectory %h", "ChrootDirectory", "%h"),
            ("ChrootDirectory = %h", "ChrootDirectory", "%h"),
            ("ChrootDirectory=%h x", "ChrootDirectory", "%h x"),
            ("\"a b\" c", "a b", "c"),
            ("a\"b c\"d", "ab c", "d"),
            (" x", "", "x"),
        ] {
            assert_eq!(word(text), Some((first.to_owned(), rest)), "{text}");
        }
        assert_eq!(word("\"a"), None);
    }

    #[test]
    fn arguments_are_as_in_a_shell() {
        let of = |text| arguments(text).unwrap();
        assert_eq!(of(" a  \"b c\" d\\ e 'f\"g' h#i # j"), ["a", "b c", "d e", "f\"g", "h#i"]);
        assert_eq!(of("\"\" \\x"), ["", "\\x"]);
        assert_eq!(arguments("'a"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "[ \"'\\\\=#*?!,a-é]{0,40}", pattern in "[*?!,ab]{0,12}") {
            let (_, _) = (word(&text), arguments(&text));
            let _ = listed(&text, &pattern);
        }
    }
}
