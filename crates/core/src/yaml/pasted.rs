//! Characters that pasting brings into a file: they look like others, or like nothing, so that the
//! parser's own message would name what the reader sees as right. Pure.

use super::fault::Fault;
use crate::text::{describe, is_invisible, is_odd_space};

/// Every such character outside comments. A typographic quote counts only where it begins a value.
pub(super) fn faults(source: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut start = 0;
    for line in source.split_inclusive(['\n', '\r']) {
        let mut before = None;
        for (at, c) in visible(line) {
            let hint = match c {
                // At the beginning of a file it is the mark of its encoding, which the parser knows.
                '\u{feff}' if start + at == 0 => None,
                '\u{ff1a}' => Some("write `: `, a colon and a space"),
                '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' if begins_value(before) => {
                    Some("use the straight quotes `\"` or `'`, or none")
                }
                c if is_odd_space(c) => Some("replace it with an ordinary space"),
                c if is_invisible(c) => Some("delete it; type the word again if the editor does not show it"),
                _ => None,
            };
            if let Some(hint) = hint {
                let message = format!("the character {} does not belong here", describe(c));
                let mut fault = Fault::new(source, start + at, start + at + c.len_utf8(), message);
                fault.hint = Some(hint.to_owned());
                faults.push(fault);
            }
            if !c.is_whitespace() {
                before = Some(c);
            }
        }
        start += line.len();
    }
    faults
}

fn begins_value(before: Option<char>) -> bool {
    matches!(before, None | Some(':' | '-' | '[' | '{' | ','))
}

/// The characters of a line that are not in its comment, with their places.
fn visible(line: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut after_space = true;
    line.char_indices().take_while(move |&(_, c)| {
        match (quote, c) {
            (None, '#') if after_space => return false,
            (None, '"' | '\'') if after_space => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        after_space = c.is_whitespace() || matches!(c, '[' | '{' | ',' | ':');
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<(usize, usize, String)> {
        faults(source).into_iter().map(|f| (f.line, f.column, f.message)).collect()
    }

    #[test]
    fn pasted_characters_are_named_where_they_are() {
        for (source, line, column, name) in [
            ("regions:\n\u{a0}\u{a0} us-west-2: {}\n", 2, 1, "U+00A0 (no-break space)"),
            ("home_\u{200b}region: us-west-2\n", 1, 6, "U+200B (zero-width space)"),
            ("a: b\rhome_region:\u{3000}us-west-2\r", 1, 18, "U+3000 (special space)"),
            ("home_region\u{ff1a}us-west-2", 1, 12, "U+FF1A (full-width colon)"),
            ("environment: \u{201c}99\u{201d}", 1, 14, "U+201C (typographic quote)"),
            ("tags: { owner: \"x\u{feff}\" }", 1, 18, "U+FEFF (byte order mark)"),
        ] {
            let (have_line, have_column, message) = &found(source)[0];
            assert_eq!((*have_line, *have_column), (line, column), "{source:?}");
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn comments_marks_of_encoding_and_apostrophes_are_fine() {
        for source in [
            "\u{feff}version: 1\n",
            "# \u{a0}a comment with \u{201c}quotes\u{201d}\nversion: 1 # and\u{a0}another\n",
            "tags: { owner: \"M\u{fc}ller\u{2019}s team\" }\n",
            "reason: the \u{201c}old\u{201d} server\n",
            "name: a#b\n",
        ] {
            assert_eq!(found(source), [], "{source:?}");
        }
        // A `#` in quotes begins no comment.
        assert_eq!(found("a: \"x # \u{a0}\"\n").len(), 1);
    }
}
