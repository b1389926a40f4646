//! Characters that people do not see, names that they mistype, and the words for a number of things.

use std::borrow::Cow;

/// Whether a character is invisible: of Unicode's category Cf, or one that fills the place of a missing letter. Programs
/// add them when text is pasted or piped, and nobody can type them.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character does harm in the name of a file or a folder: controls, line separators, marks of the writing
/// direction and characters without a glyph, except the joiners, which emoji and the scripts of Iran and India need.
pub fn harms_names(c: char) -> bool {
    let is_joiner = matches!(c, '\u{200c}' | '\u{200d}');
    c.is_control() || is_invisible(c) && !is_joiner || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The candidate most similar to `name`, if any is similar enough.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// Whether a character only chooses the look of the one before it (Unicode, `Variation_Selector`). Keyboards for emoji
/// add `U+FE0F` to some of them, and others do not.
pub fn is_variation_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a character looks like an ordinary space, and is another one.
pub fn is_odd_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{2800}' | '\u{3000}'
    )
}

/// A character's number and, for those that word processors and chat programs put in, its name: `U+00A0 (no-break
/// space)`.
pub fn describe(c: char) -> String {
    let name = match c {
        '\u{a0}' | '\u{202f}' => "no-break space",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero-width space",
        '\u{200c}' | '\u{200d}' => "zero-width joiner",
        '\u{2060}' => "word joiner",
        '\u{feff}' => "byte order mark",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => "mark of the writing direction",
        '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => "typographic quote",
        '\u{ff1a}' => "full-width colon",
        c if is_odd_space(c) => "special space",
        c if is_variation_selector(c) => "variation selector",
        c if is_invisible(c) => "invisible character",
        _ => "",
    };
    let number = u32::from(c);
    if name.is_empty() { format!("U+{number:04X}") } else { format!("U+{number:04X} ({name})") }
}

/// The digits of a number in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && index % 3 == first {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `2,000 rows`: a number of things, of which `one` is the word for one.
pub fn counted(number: u64, one: &str) -> String {
    let word: Cow<'_, str> = match number {
        1 => one.into(),
        _ if one.ends_with('s') => format!("{one}es").into(),
        _ => match one.strip_suffix('y') {
            Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{stem}ies").into(),
            _ => format!("{one}s").into(),
        },
    };
    format!("{} {word}", grouped(number))
}

/// Whether a text fits a pattern, in which `*` stands for any characters and `?` for one.
pub fn fits(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut at, mut of) = (0, 0);
    // The last `*`, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(of) {
            Some(b'*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(c) if *c == b'?' || text.get(at) == Some(c) => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                (of, at) = (star_at + 1, taken + 1);
            }
        }
    }
    pattern.iter().skip(of).all(|c| *c == b'*')
}

/// The word that goes with a number: `is` or `are`.
pub fn either<'a>(number: u64, one: &'a str, many: &'a str) -> &'a str {
    if number == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
    }

    #[test]
    fn one_thing_is_not_several() {
        for (number, one, shown) in [
            (0, "row", "0 rows"),
            (1, "row", "1 row"),
            (2000, "row", "2,000 rows"),
            (1, "alias", "1 alias"),
            (2, "alias", "2 aliases"),
            (2, "entry", "2 entries"),
            (2, "key", "2 keys"),
        ] {
            assert_eq!(counted(number, one), shown);
        }
        assert_eq!((either(1, "is", "are"), either(0, "is", "are")), ("is", "are"));
    }

    #[test]
    fn what_people_type_is_visible() {
        for c in "aZ09 äß§€ñ日本語😀❤\u{fe0f}-_'\"“”:：".chars() {
            assert!(!is_invisible(c) && !is_odd_space(c), "{c:?}");
        }
        for c in "\u{feff}\u{200b}\u{200d}\u{202e}\u{ad}\u{2060}\u{e0041}".chars() {
            assert!(is_invisible(c), "{c:?}");
        }
    }

    #[test]
    fn names_may_have_what_scripts_need() {
        for c in "a ä日\u{3000}\u{a0}\u{200c}\u{200d}❤\u{fe0f}".chars() {
            assert!(!harms_names(c), "{c:?}");
        }
        for c in "\0\n\u{85}\u{200b}\u{200e}\u{202e}\u{2028}\u{2029}\u{2066}\u{61c}\u{feff}\u{ad}\u{e0041}".chars() {
            assert!(harms_names(c), "{c:?}");
        }
    }

    #[test]
    fn characters_are_named() {
        assert_eq!(describe('\u{a0}'), "U+00A0 (no-break space)");
        assert_eq!(describe('\u{feff}'), "U+FEFF (byte order mark)");
        assert_eq!(describe('\u{2003}'), "U+2003 (special space)");
        assert_eq!(describe('\u{fe0f}'), "U+FE0F (variation selector)");
        assert_eq!(describe('x'), "U+0078");
    }
}
