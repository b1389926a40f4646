//! Matches `*` and `?` in patterns whose variables have been resolved.

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token {
    Character(char),
    AnyRun,
    AnyOne,
}

/// A pattern without variables.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pattern {
    pub(super) tokens: Vec<Token>,
}

impl Pattern {
    /// Matches the whole text; `*` crosses every separator, also `/` and `:`.
    pub(crate) fn matches(&self, text: &str) -> bool {
        matches_tokens(&self.tokens, &text.chars().collect::<Vec<_>>())
    }

    /// Matches the six parts of an ARN one by one, so that `*` stays within its part.
    ///
    /// A pattern of fewer than six parts matches no ARN.
    pub(crate) fn matches_arn(&self, arn: &str) -> bool {
        let characters: Vec<char> = arn.chars().collect();
        let parts: Vec<&[Token]> = self.tokens.splitn(6, |t| *t == Token::Character(':')).collect();
        let texts: Vec<&[char]> = characters.splitn(6, |c| *c == ':').collect();
        parts.len() == 6 && texts.len() == 6 && parts.iter().zip(texts).all(|(part, text)| matches_tokens(part, text))
    }

    /// Whether there is a wildcard in the type, which begins the last part of an ARN.
    ///
    /// A last part that is just `*` omits the type, and is in common use.
    pub(crate) fn has_wildcard_type(&self) -> bool {
        let last = self.tokens.splitn(6, |token| *token == Token::Character(':')).nth(5).unwrap_or_default();
        let is_separator = |token: &Token| matches!(token, Token::Character(':' | '/'));
        let mut kind = last.split(is_separator).next().unwrap_or_default().iter();
        last != [Token::AnyRun] && kind.any(|token| !matches!(token, Token::Character(_)))
    }

    /// Compares without regard to case; only for text without wildcards.
    pub(crate) fn equals_ignoring_case(&self, text: &str) -> bool {
        let mut own = String::new();
        for token in &self.tokens {
            match token {
                Token::Character(character) => own.push(*character),
                Token::AnyRun | Token::AnyOne => return false,
            }
        }
        own.to_lowercase() == text.to_lowercase()
    }
}

/// Greedy matching that backtracks only to the latest `*`, which keeps it quadratic.
fn matches_tokens(tokens: &[Token], text: &[char]) -> bool {
    let (mut token, mut position) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(character) = text.get(position) {
        let step = match tokens.get(token) {
            Some(Token::AnyRun) => {
                retry = Some((token + 1, position));
                token += 1;
                continue;
            }
            Some(Token::AnyOne) => true,
            Some(Token::Character(own)) => own == character,
            None => false,
        };
        if step {
            token += 1;
            position += 1;
        } else if let Some((after_run, from)) = retry {
            token = after_run;
            position = from + 1;
            retry = Some((after_run, from + 1));
        } else {
            return false;
        }
    }
    tokens.iter().skip(token).all(|rest| *rest == Token::AnyRun)
}

#[cfg(test)]
mod tests {
    use super::super::keys::Context;
    use super::super::template::{Syntax, Template};
    use super::*;

    fn pattern(text: &str) -> Pattern {
        let syntax = Syntax { wildcards: true, variables: false };
        Template::parse(text, syntax)
            .ok()
            .and_then(|template| template.resolve(&Context::default()))
            .unwrap_or(Pattern { tokens: Vec::new() })
    }

    #[test]
    fn wildcards_match_any_text() {
        for (glob, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("*", "a/b:c", true),
            ("a*", "a", true),
            ("a?", "a", false),
            ("a?c", "a/c", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbX", false),
            ("**", "", true),
            ("*?", "", false),
            ("A*", "abc", false),
            ("a.c", "abc", false),
            ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket", false),
            ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/", true),
            ("arn:aws:s3:::bucket/*/z", "arn:aws:s3:::bucket/a/b/c/z", true),
            ("?", "é", true),
        ] {
            assert_eq!(pattern(glob).matches(text), expected, "{glob} on {text}");
        }
    }

    #[test]
    fn arns_match_part_by_part() {
        for (glob, arn, expected) in [
            ("arn:aws:sns:*:1:t", "arn:aws:sns:eu-west-1:1:t", true),
            ("arn:aws:sns:*:t", "arn:aws:sns:eu-west-1:1:t", false),
            ("arn:aws:*:t", "arn:aws:sns:eu-west-1:1:t", false),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x/y:z", true),
            ("arn:aws:s3:::b*", "arn:aws:s3:::B", false),
            ("*", "arn:aws:s3:::b", false),
            ("arn:aws:lambda:*:*:function:f*", "arn:aws:lambda:r:1:function:f:live", true),
        ] {
            assert_eq!(pattern(glob).matches_arn(arn), expected, "{glob} on {arn}");
        }
    }

    #[test]
    fn wildcards_in_the_type_are_detected() {
        for (glob, expected) in [
            ("arn:aws:lambda:*:*:*", false),
            ("arn:aws:lambda:*:*:function:*", false),
            ("arn:aws:iam::*:role/*", false),
            ("arn:aws:lambda:*:*:function*", true),
            ("arn:aws:lambda:*:*:*:f", true),
            ("arn:aws:iam::*:rol?/app", true),
        ] {
            assert_eq!(pattern(glob).has_wildcard_type(), expected, "{glob}");
        }
    }

    #[test]
    fn comparison_ignores_case() {
        assert!(pattern("StraSSe É").equals_ignoring_case("strasse é"));
        assert!(!pattern("a").equals_ignoring_case("ab"));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_recursive_matcher(glob in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) => {
                        slow(rest, text) || text.split_first().is_some_and(|(_, t)| slow(pattern, t))
                    }
                    (Some((p, rest)), Some((t, more))) => (*p == b'?' || p == t) && slow(rest, more),
                    _ => false,
                }
            }
            let expected = slow(glob.as_bytes(), text.as_bytes());
            proptest::prop_assert_eq!(pattern(&glob).matches(&text), expected);
        }
    }
}
