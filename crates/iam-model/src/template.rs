//! Policy text with wildcards and policy variables.
//!
//! A [`Template`] is the text of a policy. Resolving it against a request
//! gives a [`Pattern`], in which a variable's value has become literal characters:
//! a `*` inside a user's name must not match anything but itself.

use super::keys::{Context, Key};
use super::pattern::{Pattern, Token};

/// The syntax of a template; each element of a policy has its own rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// `*` and `?` are wildcards; otherwise they are literal.
    pub(crate) wildcards: bool,
    /// `${...}` is substituted; false for policies of version 2008-10-17.
    pub(crate) variables: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Character(char),
    AnyRun,
    AnyOne,
    Variable { key: Key, default: Option<String> },
}

/// Policy text, parsed once when the policy is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

impl Template {
    pub(crate) fn parse(text: &str, syntax: Syntax) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if syntax.variables
                && let Some(body) = rest.strip_prefix("${")
            {
                let (piece, after) = variable(body)?;
                pieces.push(piece);
                rest = after;
                continue;
            }
            pieces.push(match next {
                '*' if syntax.wildcards => Piece::AnyRun,
                '?' if syntax.wildcards => Piece::AnyOne,
                other => Piece::Character(other),
            });
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
        Ok(Self { pieces })
    }

    /// Whether any part depends on the request.
    pub(crate) fn has_variables(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }))
    }

    /// Whether the template is a lone `*`, which matches every text.
    pub(crate) fn is_any(&self) -> bool {
        self.pieces == [Piece::AnyRun]
    }

    /// Replaces the variables; `None` when one has neither a value nor a default.
    pub(crate) fn resolve(&self, context: &Context) -> Option<Pattern> {
        let mut tokens = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            match piece {
                Piece::Character(character) => tokens.push(Token::Character(*character)),
                Piece::AnyRun => tokens.push(Token::AnyRun),
                Piece::AnyOne => tokens.push(Token::AnyOne),
                Piece::Variable { key, default } => {
                    let value = context.single(key).or(default.as_deref())?;
                    tokens.extend(value.chars().map(Token::Character));
                }
            }
        }
        Some(Pattern { tokens })
    }
}

/// Reads the inside of `${...}` and returns what follows it.
fn variable(body: &str) -> Result<(Piece, &str), String> {
    for special in ['*', '?', '$'] {
        if let Some(after) = body.strip_prefix(special).and_then(|rest| rest.strip_prefix('}')) {
            return Ok((Piece::Character(special), after));
        }
    }
    let unclosed = || format!("has an unclosed variable at \"${{{body}\"");
    let (inside, after) = body.split_once('}').ok_or_else(unclosed)?;
    let (name, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((name, quoted)) => {
            let default = quoted
                .strip_prefix(" '")
                .and_then(|text| text.strip_suffix('\''))
                .filter(|text| !text.is_empty() && !text.contains(['\'', '$', '{', '*', '?']))
                .ok_or_else(|| format!("has a default in \"${{{inside}}}\" that is not of the form \", 'text'\""))?;
            (name, Some(default.to_owned()))
        }
    };
    let key = Key::parse(name).map_err(|reason| format!("has a variable: {reason}"))?;
    if key.is_multiple() {
        return Err(format!("uses the multivalued key {name:?} as a variable"));
    }
    Ok((Piece::Variable { key, default }, after))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const FULL: Syntax = Syntax { wildcards: true, variables: true };

    fn context(entries: &[(&str, &str)]) -> Context {
        let map: BTreeMap<String, Vec<String>> =
            entries.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect();
        Context::new(&map).unwrap_or_default()
    }

    /// None: refused or unresolved; otherwise whether the text matches.
    fn check(pattern: &str, syntax: Syntax, entries: &[(&str, &str)], text: &str) -> Option<bool> {
        let template = Template::parse(pattern, syntax).ok()?;
        Some(template.resolve(&context(entries))?.matches(text))
    }

    #[test]
    fn variables_are_replaced() {
        let user: &[(&str, &str)] = &[("aws:username", "ann")];
        let star: &[(&str, &str)] = &[("aws:username", "*")];
        for (pattern, entries, text, expected) in [
            ("home/${aws:username}/*", user, "home/ann/x", Some(true)),
            ("home/${AWS:UserName}/*", user, "home/ann/x", Some(true)),
            ("home/${aws:username}/*", &[], "home//x", None),
            ("home/${aws:username}/*", &[], "home/${aws:username}/x", None),
            ("home/${aws:username}/*", star, "home/ann/x", Some(false)),
            ("home/${aws:username}/*", star, "home/*/x", Some(true)),
            ("${aws:username, 'all staff'}", &[], "all staff", Some(true)),
            ("${aws:username, 'all'}", user, "ann", Some(true)),
            ("${aws:username, 'all'}", user, "all", Some(false)),
            ("a${*}b", &[], "a*b", Some(true)),
            ("a${*}b", &[], "aXb", Some(false)),
            ("a${?}b", &[], "a?b", Some(true)),
            ("a${?}b", &[], "aXb", Some(false)),
            ("a${$}b", &[], "a$b", Some(true)),
            ("${$}{aws:username}", user, "${aws:username}", Some(true)),
            ("cost$*", &[], "cost$5", Some(true)),
        ] {
            assert_eq!(check(pattern, FULL, entries, text), expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn malformed_variables_are_refused() {
        for pattern in [
            "${",
            "${}",
            "${aws:username",
            "${aws:nonsense}",
            "${ aws:username}",
            "${aws:username }",
            "${aws:TagKeys}",
            "${aws:username,'x'}",
            "${aws:username, x}",
            "${aws:username, 'x}",
            "${aws:username, ''}",
            "${aws:username, 'a*'}",
            "${aws:username, '${aws:userid}'}",
            "${**}",
        ] {
            assert!(Template::parse(pattern, FULL).is_err(), "{pattern}");
        }
    }

    #[test]
    fn the_old_version_has_no_variables() {
        let old = Syntax { wildcards: true, variables: false };
        let user = &[("aws:username", "ann")];
        assert_eq!(check("${aws:username}", old, user, "ann"), Some(false));
        assert_eq!(check("${aws:username}", old, user, "${aws:username}"), Some(true));
        assert_eq!(check("${*}", old, &[], "${x}"), Some(true));
    }

    #[test]
    fn literal_syntax_has_no_wildcards() {
        let literal = Syntax { wildcards: false, variables: true };
        assert_eq!(check("a*", literal, &[], "ab"), Some(false));
        assert_eq!(check("a*", literal, &[], "a*"), Some(true));
        assert_eq!(check("a${*}", literal, &[], "a*"), Some(true));
    }
}
