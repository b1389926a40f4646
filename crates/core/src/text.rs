//! Characters that people do not see.

/// Whether a character is invisible: of Unicode's category Cf. Programs add them when text is
/// pasted or piped, and nobody can type them.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character looks like an ordinary space, and is another one.
pub fn is_odd_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// A character's number and, for those that word processors and chat programs put in, its name: `U+00A0, a no-break
/// space`.
pub fn describe(c: char) -> String {
    let name = match c {
        '\u{a0}' | '\u{202f}' => ", a no-break space",
        '\u{ad}' => ", a soft hyphen",
        '\u{200b}' => ", a zero-width space",
        '\u{200c}' | '\u{200d}' => ", a zero-width joiner",
        '\u{2060}' => ", a word joiner",
        '\u{feff}' => ", a byte order mark",
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            ", a mark of the writing direction"
        }
        '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => ", a typographic quote",
        '\u{ff1a}' => ", a full-width colon",
        c if is_odd_space(c) => ", a special space",
        c if is_invisible(c) => ", an invisible character",
        _ => "",
    };
    format!("U+{:04X}{name}", u32::from(c))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn characters_are_named() {
        assert_eq!(describe('\u{a0}'), "U+00A0, a no-break space");
        assert_eq!(describe('\u{feff}'), "U+FEFF, a byte order mark");
        assert_eq!(describe('\u{2003}'), "U+2003, a special space");
        assert_eq!(describe('x'), "U+0078");
    }
}
