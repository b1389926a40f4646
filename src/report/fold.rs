//! Folds long lines at the width of the terminal. Pure.

use sftpctl_core::shown::Text;

/// The text in lines of at most `width` characters.
pub(super) fn folded(text: &Text, width: usize) -> Text {
    text.flat_map(|line| fold(line, width))
}

/// `line` in pieces of at most `width` characters; all but the first are indented by two more than the line.
fn fold(line: &str, width: usize) -> Vec<String> {
    if line.chars().count() <= width {
        return vec![line.to_owned()];
    }
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let hanging = " ".repeat((indent + 2).min(width / 2));
    let mut pieces = Vec::new();
    let mut piece = " ".repeat(indent);
    let mut empty = true;
    for word in line.trim_start().split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if !empty && piece.chars().count() + 1 + word.len() > width {
            pieces.push(std::mem::replace(&mut piece, hanging.clone()));
            empty = true;
        }
        if !empty {
            piece.push(' ');
        }
        // ARNs and documents have no spaces and are cut at the end of the line.
        while piece.chars().count() + word.len() > width {
            let room = width.saturating_sub(piece.chars().count()).max(1);
            piece.extend(word.drain(..room));
            pieces.push(std::mem::replace(&mut piece, hanging.clone()));
        }
        piece.extend(word);
        empty = false;
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(fold("    a reason of some words", 16), ["    a reason of", "      some words"]);
        assert_eq!(
            fold("  arn:aws:iam::111111111111:role/x", 16),
            ["  arn:aws:iam::1", "    11111111111:", "    role/x"]
        );
        assert_eq!(fold("short", 16), ["short"]);
    }

    proptest! {
        #[test]
        fn no_line_is_too_wide_and_no_text_is_lost(
            line in " {0,8}[a-zé→]{1,40}( [a-z:/]{1,50}){0,8}",
            width in 20usize..80,
        ) {
            let folded = fold(&line, width);
            prop_assert!(folded.iter().all(|piece| piece.chars().count() <= width));
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&folded.concat()), letters(&line));
        }
    }
}
