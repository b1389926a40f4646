//! The condition operators and the policy values they are given.

use std::cmp::Ordering;

use serde_json::Value;

use super::error::EvalError;
use super::json::type_name;
use super::keys::Context;
use super::operand::{Block, Moment, Number, address, arn, truth};
use super::pattern::Pattern;
use super::template::{Syntax, Template};

/// The required order of two values; "not equal" is equality, negated.
type Comparison = fn(Ordering) -> bool;

/// The operator's family together with the values of the policy, already typed.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Text { values: Vec<Template>, ignore_case: bool },
    Arn(Vec<Template>),
    Number(Vec<Number>, Comparison),
    Date(Vec<Moment>, Comparison),
    Bool(Vec<bool>),
    Address(Vec<Block>),
    Null(Vec<bool>),
}

/// The typed test and whether it is negated; `None` for an unknown name.
pub(super) fn parse(name: &str, values: &Value, variables: bool) -> Result<Option<(bool, Test)>, String> {
    let exact = Syntax { wildcards: false, variables };
    let like = Syntax { wildcards: true, variables };
    let text = |syntax, ignore_case| Ok::<_, String>(Test::Text { values: templates(values, syntax)?, ignore_case });
    let number = |comparison| Ok::<_, String>(Test::Number(plain(values, Number::parse)?, comparison));
    let date = |comparison| Ok::<_, String>(Test::Date(plain(values, Moment::parse)?, comparison));
    Ok(Some(match name {
        "StringEquals" => (false, text(exact, false)?),
        "StringNotEquals" => (true, text(exact, false)?),
        "StringEqualsIgnoreCase" => (false, text(exact, true)?),
        "StringNotEqualsIgnoreCase" => (true, text(exact, true)?),
        "StringLike" => (false, text(like, false)?),
        "StringNotLike" => (true, text(like, false)?),
        // AWS documents ArnEquals and ArnLike to behave identically.
        "ArnEquals" | "ArnLike" => (false, Test::Arn(arn_templates(values, like)?)),
        "ArnNotEquals" | "ArnNotLike" => (true, Test::Arn(arn_templates(values, like)?)),
        "NumericEquals" => (false, number(Ordering::is_eq)?),
        "NumericNotEquals" => (true, number(Ordering::is_eq)?),
        "NumericLessThan" => (false, number(Ordering::is_lt)?),
        "NumericLessThanEquals" => (false, number(Ordering::is_le)?),
        "NumericGreaterThan" => (false, number(Ordering::is_gt)?),
        "NumericGreaterThanEquals" => (false, number(Ordering::is_ge)?),
        "DateEquals" => (false, date(Ordering::is_eq)?),
        "DateNotEquals" => (true, date(Ordering::is_eq)?),
        "DateLessThan" => (false, date(Ordering::is_lt)?),
        "DateLessThanEquals" => (false, date(Ordering::is_le)?),
        "DateGreaterThan" => (false, date(Ordering::is_gt)?),
        "DateGreaterThanEquals" => (false, date(Ordering::is_ge)?),
        "Bool" => (false, Test::Bool(single(plain(values, truth)?)?)),
        "Null" => (false, Test::Null(single(plain(values, truth)?)?)),
        "IpAddress" => (false, Test::Address(plain(values, Block::parse)?)),
        "NotIpAddress" => (true, Test::Address(plain(values, Block::parse)?)),
        _ => return Ok(None),
    }))
}

/// Two truth values in one condition always hold, which AWS's own validation rejects.
fn single(values: Vec<bool>) -> Result<Vec<bool>, String> {
    if values.len() == 1 { Ok(values) } else { Err("has more than one truth value".to_owned()) }
}

/// The policy's values as strings; typed operators also accept numbers and booleans.
fn texts(values: &Value, typed: bool) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) if typed => Ok(value.to_string()),
        other => Err(format!("has the value {other}, which is {}", type_name(other))),
    };
    match values {
        Value::Array(items) if items.is_empty() => Err("has no values".to_owned()),
        Value::Array(items) => items.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}

/// Values of the typed operators, in which AWS allows no variables.
fn plain<T>(values: &Value, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    texts(values, true)?.iter().map(|text| parse(text)).collect()
}

fn templates(values: &Value, syntax: Syntax) -> Result<Vec<Template>, String> {
    texts(values, false)?.iter().map(|text| Template::parse(text, syntax)).collect()
}

/// ARN values need their six parts; one with variables can only be checked in a request.
fn arn_templates(values: &Value, syntax: Syntax) -> Result<Vec<Template>, String> {
    for text in texts(values, false)? {
        if !Template::parse(&text, syntax)?.has_variables() {
            arn(&text)?;
        }
    }
    templates(values, syntax)
}

/// The result of comparing one value of the request, before negation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// Whether any of the policy's values agreed.
    pub(super) matched: bool,
    /// Which of the policy's values could be compared.
    pub(super) resolved: Resolved,
}

/// Whether the values of a list could be compared, or lack a variable in this request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Resolved {
    All,
    Some,
    None,
}

impl Resolved {
    pub(super) fn of(total: usize, unresolved: usize) -> Self {
        match unresolved {
            0 => Self::All,
            all if all == total => Self::None,
            _ => Self::Some,
        }
    }

    /// Decides an answer that was found without the values that lack a variable.
    ///
    /// AWS says that a variable without a value "might" invalidate the whole statement. So the
    /// statement does not match, unless other values would let it match: that case is open.
    pub(super) fn settle(self, answer: bool) -> Result<bool, EvalError> {
        match (self, answer) {
            (Self::All, _) => Ok(answer),
            (Self::Some, true) => {
                Err(EvalError::Open("a value matches, but another one uses a variable the request lacks".to_owned()))
            }
            (Self::Some, false) | (Self::None, _) => Ok(false),
        }
    }
}

impl From<bool> for Outcome {
    fn from(matched: bool) -> Self {
        Self { matched, resolved: Resolved::All }
    }
}

impl Test {
    /// Compares one value of the request with all values of the policy.
    pub(super) fn accepts(&self, value: &str, context: &Context) -> Result<Outcome, String> {
        let any = |values: &[Template], matches: &dyn Fn(&Pattern) -> bool| {
            let patterns: Vec<Pattern> = values.iter().filter_map(|template| template.resolve(context)).collect();
            Outcome {
                matched: patterns.iter().any(matches),
                resolved: Resolved::of(values.len(), values.len() - patterns.len()),
            }
        };
        Ok(match self {
            Self::Text { values, ignore_case: false } => any(values, &|p| p.matches(value)),
            Self::Text { values, ignore_case: true } => any(values, &|p| p.equals_ignoring_case(value)),
            Self::Arn(values) => {
                let value = arn(value)?;
                any(values, &|p| p.matches_arn(value))
            }
            Self::Number(values, comparison) => ordered(values, Number::parse(value)?, *comparison).into(),
            Self::Date(values, comparison) => ordered(values, Moment::parse(value)?, *comparison).into(),
            Self::Bool(values) => values.contains(&truth(value)?).into(),
            Self::Address(blocks) => {
                let own = address(value)?;
                blocks.iter().any(|block| block.contains(own)).into()
            }
            // Null only tests whether there is a value, and there is one here.
            Self::Null(values) => values.contains(&false).into(),
        })
    }
}

/// The request's value is the left operand, as in "less than the policy's value".
fn ordered<T: Ord>(values: &[T], own: T, comparison: Comparison) -> bool {
    values.iter().any(|value| comparison(own.cmp(value)))
}

#[cfg(test)]
mod tests {
    use super::super::condition::tests::Answer::{Fails, Holds, Open, Refused};
    use super::super::condition::tests::ask;

    /// The answer, the operator, the key, the policy's values, and the request's value.
    const CASES: &str = r#"
        Holds | StringEquals | aws:PrincipalTag/t | "a" | a
        Holds | StringEquals | aws:PrincipalTag/t | ["b","a"] | a
        Fails | StringEquals | aws:PrincipalTag/t | "a" | A
        Fails | StringEquals | aws:PrincipalTag/t | "a*" | ab
        Holds | StringEquals | aws:PrincipalTag/t | "a*" | a*
        Fails | StringNotEquals | aws:PrincipalTag/t | ["a","b"] | b
        Holds | StringNotEquals | aws:PrincipalTag/t | ["a","b"] | c
        Holds | StringEqualsIgnoreCase | aws:PrincipalTag/t | "aB" | Ab
        Fails | StringNotEqualsIgnoreCase | aws:PrincipalTag/t | "aB" | Ab
        Holds | StringLike | aws:PrincipalTag/t | "a*c?" | abbcd
        Fails | StringLike | aws:PrincipalTag/t | "a*" | Ab
        Fails | StringNotLike | aws:PrincipalTag/t | ["x*","a*"] | ab
        Holds | NumericEquals | s3:max-keys | 10 | 10.0
        Holds | NumericNotEquals | s3:max-keys | "10" | 11
        Holds | NumericLessThan | s3:max-keys | "10" | 9
        Fails | NumericLessThan | s3:max-keys | "10" | 10
        Holds | NumericLessThanEquals | s3:max-keys | "10" | 10
        Fails | NumericGreaterThan | s3:max-keys | "10" | 10
        Holds | NumericGreaterThanEquals | s3:max-keys | ["99","10"] | 10
        Unreadable | NumericEquals | s3:max-keys | 10 | ten
        Refused | NumericEquals | s3:max-keys | "ten" | 10
        Holds | DateLessThan | aws:CurrentTime | "2025-01-01T00:00:00Z" | 2024-12-31T23:59:59Z
        Holds | DateGreaterThan | aws:CurrentTime | "2025-01-01" | 1735689601
        Holds | DateEquals | aws:EpochTime | 1735689600 | 2025-01-01T00:00:00Z
        Fails | DateNotEquals | aws:EpochTime | 1735689600 | 2025-01-01T00:00:00Z
        Refused | DateLessThanEquals | aws:EpochTime | "soon" | 1735689600
        Holds | DateGreaterThanEquals | aws:CurrentTime | "2025-01-01" | 2025-01-01T00:00:00Z
        Holds | Bool | aws:SecureTransport | true | true
        Fails | Bool | aws:SecureTransport | "false" | true
        Refused | Bool | aws:SecureTransport | "yes" | true
        Refused | Bool | aws:SecureTransport | ["true","false"] | true
        Unreadable | Bool | aws:SecureTransport | true | 1
        Holds | IpAddress | aws:SourceIp | "10.0.0.0/8" | 10.255.0.1
        Fails | IpAddress | aws:SourceIp | ["::/0","10.0.0.0/8"] | 11.0.0.1
        Fails | NotIpAddress | aws:SourceIp | ["192.0.2.0/24","10.0.0.0/8"] | 10.0.0.1
        Holds | NotIpAddress | aws:SourceIp | "2001:db8::/32" | 10.0.0.1
        Unreadable | IpAddress | aws:SourceIp | "10.0.0.0/8" | home
        Refused | IpAddress | aws:SourceIp | "10.*" | 10.0.0.1
        Holds | ArnLike | aws:SourceArn | "arn:aws:s3:::b*" | arn:aws:s3:::bucket
        Holds | ArnEquals | aws:SourceArn | "arn:aws:sns:*:1:t?" | arn:aws:sns:eu:1:t1
        Fails | ArnLike | aws:SourceArn | "arn:aws:sns:*:*:t" | arn:aws:sns:eu:1:x:t
        Fails | ArnNotEquals | aws:SourceArn | "arn:aws:sns:*:1:t" | arn:aws:sns:eu:1:t
        Holds | ArnNotLike | aws:SourceArn | "arn:aws:sns:*:1:t" | arn:aws:sns:eu:2:t
        Unreadable | ArnLike | aws:SourceArn | "arn:aws:s3:::b*" | bucket
        Refused | ArnLike | aws:SourceArn | "*" | arn:aws:s3:::bucket
        Holds | Null | aws:PrincipalTag/t | false | a
        Fails | Null | aws:PrincipalTag/t | "true" | a
    "#;

    #[test]
    fn operators_compare_one_value() {
        let mut count = 0;
        for line in CASES.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let [expected, operator, key, values, given] = line.split(" | ").collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let answer = ask(operator, key, values, &[(key, &[given])]);
            assert_eq!(format!("{answer:?}"), expected, "{line}");
            count += 1;
        }
        assert_eq!(count, 47);
    }

    #[test]
    fn variables_in_values_are_resolved() {
        let both: &[(&str, &[&str])] = &[("aws:username", &["a*"]), ("aws:userid", &["a*"])];
        let one: &[(&str, &[&str])] = &[("aws:username", &["ab"])];
        for (operator, values, given, expected) in [
            ("StringEquals", r#""${aws:userid}""#, both, Holds),
            ("StringLike", r#""${aws:userid}""#, one, Fails),
            ("StringNotEquals", r#""${aws:userid}""#, one, Fails),
            ("StringNotLike", r#"["z","${aws:userid}"]"#, one, Open),
            ("StringNotLike", r#"["ab","${aws:userid}"]"#, one, Fails),
            ("StringNotLike", r#"["${aws:userid}","${aws:sourceidentity}"]"#, one, Fails),
            ("ForAllValues:StringNotLike", r#"["${aws:userid}"]"#, one, Fails),
            ("ForAnyValue:StringLike", r#"["a?","${aws:userid}"]"#, one, Open),
            ("StringEquals", r#"["z","${aws:userid}"]"#, one, Fails),
            ("StringEquals", r#"["ab","${aws:userid}"]"#, one, Open),
            ("StringEquals", r#""${aws:userid, 'ab'}""#, one, Holds),
            ("StringLike", r#""${aws:userid, 'a'}*""#, one, Holds),
            ("StringLike", r#""${*}b""#, one, Fails),
            ("StringEquals", r#""${aws:nonsense}""#, one, Refused),
            ("NumericEquals", r#""${aws:userid}""#, one, Refused),
            ("IpAddress", r#""${aws:userid}""#, one, Refused),
        ] {
            assert_eq!(ask(operator, "aws:username", values, given), expected, "{operator} {values}");
        }
    }
}
