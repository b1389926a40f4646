//! Filter patterns of CloudWatch Logs for lines in JSON (CloudWatch Logs user guide, "Filter pattern syntax"): comparisons
//! of members with texts and numbers by `=` and `!=`, with `*` at the ends of a text (at its end in the user guide, at its
//! beginning in `"*UnauthorizedOperation"` of the CIS AWS Foundations Benchmark), `EXISTS` and `NOT EXISTS`, joined by `&&`,
//! `||` and parentheses.

use serde_json::Value;

/// Maximum length of a pattern (API reference, FilterLogEvents).
const LONGEST: usize = 1024;

#[derive(Debug)]
pub(super) enum Pattern {
    All(Vec<Self>),
    Any(Vec<Self>),
    Is { path: Vec<String>, value: String, equal: bool },
    Exists { path: Vec<String>, exists: bool },
}

impl Pattern {
    /// Parses a pattern with its braces; `None` if it is not one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix('{')?.strip_suffix('}').filter(|_| text.len() <= LONGEST)?;
        let mut words = words(inner)?;
        words.reverse();
        let pattern = any(&mut words)?;
        words.is_empty().then_some(pattern)
    }

    /// Whether a line fits; one that is not JSON fits no pattern.
    pub(super) fn fits(&self, line: &str) -> bool {
        serde_json::from_str(line).is_ok_and(|line| self.is_met(&line))
    }

    fn is_met(&self, line: &Value) -> bool {
        let member = |path: &[String]| path.iter().try_fold(line, |value, name| value.get(name));
        match self {
            Self::All(all) => all.iter().all(|one| one.is_met(line)),
            Self::Any(any) => any.iter().any(|one| one.is_met(line)),
            Self::Exists { path, exists } => member(path).is_some() == *exists,
            Self::Is { path, value, equal } => match member(path) {
                Some(Value::String(text)) => matches(value, text) == *equal,
                Some(Value::Number(number)) => (number.to_string() == *value) == *equal,
                _ => false,
            },
        }
    }
}

/// Whether a text is what a value says, in which `*` at an end stands for any text.
fn matches(value: &str, text: &str) -> bool {
    match (value.strip_prefix('*'), value.strip_suffix('*')) {
        (None, None) => value == text,
        (Some(end), None) => text.ends_with(end),
        (None, Some(beginning)) => text.starts_with(beginning),
        (Some(rest), Some(_)) => text.contains(rest.strip_suffix('*').unwrap_or(rest)),
    }
}

#[derive(Debug, PartialEq)]
enum Word {
    Sign(&'static str),
    Path(Vec<String>),
    Text(String),
}

fn words(text: &str) -> Option<Vec<Word>> {
    const SIGNS: [&str; 6] = ["&&", "||", "!=", "=", "(", ")"];
    let (mut found, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            found.push(Word::Sign(sign));
            rest = &rest[sign.len()..];
        } else if let Some(quoted) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut letters = quoted.char_indices();
            let end = loop {
                match letters.next()? {
                    (_, '\\') => value.push(letters.next()?.1),
                    (at, '"') => break at,
                    (_, letter) => value.push(letter),
                }
            };
            found.push(Word::Text(value));
            rest = &quoted[end + 1..];
        } else {
            let is_part = |letter: char| letter.is_alphanumeric() || "_-.$*:/".contains(letter);
            let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end).filter(|(word, _)| !word.is_empty())?;
            rest = after;
            found.push(match word.strip_prefix("$.") {
                Some(path) => Word::Path(path.split('.').map(str::to_owned).collect()),
                None => Word::Text(word.to_owned()),
            });
        }
        rest = rest.trim_start();
    }
    Some(found)
}

/// Takes a word off the end, where the next one is.
fn take(words: &mut Vec<Word>, sign: &str) -> bool {
    let is_next = words.last().is_some_and(|word| matches!(word, Word::Sign(next) if *next == sign));
    if is_next {
        words.pop();
    }
    is_next
}

fn any(words: &mut Vec<Word>) -> Option<Pattern> {
    let mut found = vec![all(words)?];
    while take(words, "||") {
        found.push(all(words)?);
    }
    Some(Pattern::Any(found))
}

fn all(words: &mut Vec<Word>) -> Option<Pattern> {
    let mut found = vec![one(words)?];
    while take(words, "&&") {
        found.push(one(words)?);
    }
    Some(Pattern::All(found))
}

fn one(words: &mut Vec<Word>) -> Option<Pattern> {
    if take(words, "(") {
        let inner = any(words)?;
        return take(words, ")").then_some(inner);
    }
    let Some(Word::Path(path)) = words.pop() else { return None };
    match words.pop()? {
        Word::Sign(sign @ ("=" | "!=")) => match words.pop()? {
            Word::Text(value) => Some(Pattern::Is { path, value, equal: sign == "=" }),
            _ => None,
        },
        Word::Text(word) if word == "EXISTS" => Some(Pattern::Exists { path, exists: true }),
        Word::Text(word) if word == "NOT" => match words.pop()? {
            Word::Text(word) if word == "EXISTS" => Some(Pattern::Exists { path, exists: false }),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_patterns() {
        let line = r#"{"activity-type":"CLOSE","path":"/b/17578/in/a.csv","bytes":12,"of":{"user":"jan \"x\""}}"#;
        for (pattern, fits) in [
            (r#"{ $.activity-type = "CLOSE" }"#, true),
            (r#"{ $.activity-type = CLOSE && $.path = "/b/17578/*" }"#, true),
            (r#"{ $.activity-type = "CLOSE" && $.path = "/b/2*" }"#, false),
            (r#"{ ($.activity-type = "OPEN") || ($.path = "*.csv") }"#, true),
            (r#"{ $.path = "*/in/*" }"#, true),
            (r#"{ $.path = "*" }"#, true),
            (r#"{ $.path = "/b/*/in/a.csv" }"#, false),
            (r#"{ $.activity-type != "OPEN" }"#, true),
            (r#"{ $.missing != "OPEN" }"#, false),
            (r#"{ $.missing NOT EXISTS && $.bytes EXISTS }"#, true),
            (r"{ $.bytes = 12 }", true),
            (r#"{ $.of.user = "jan \"x\"" }"#, true),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().fits(line), fits, "{pattern}");
        }
        assert!(!Pattern::parse(r#"{ $.a != "b" }"#).unwrap().fits("START RequestId: 1"));
    }

    #[test]
    fn what_is_not_a_pattern_is_refused() {
        let long = format!(r#"{{ $.a = "{}" }}"#, "x".repeat(1024));
        for wrong in ["", "{", "{}", "{ $.a }", "{ $.a = }", r#"{ $.a = "b }"#, "{ ($.a = b }", "{ a = b }", &long] {
            assert!(Pattern::parse(wrong).is_none(), "{wrong}");
        }
    }
}
