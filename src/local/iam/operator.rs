//! The condition operators and the policy values they are given.

use std::cmp::Ordering;

use serde_json::Value;

use super::evaluate::EvalError;
use super::json::type_name;
use super::keys::Context;
use super::operand::{Block, Moment, Number, address, arn, truth};
use super::pattern::Pattern;
use super::template::{Syntax, Template};

/// How an ordered value has to compare; "not equal" is equality, negated.
type Comparison = fn(Ordering) -> bool;

/// The operator's family together with the values of the policy, already typed.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Text {
        values: Vec<Template>,
        ignore_case: bool,
    },
    Arn(Vec<Template>),
    Number(Vec<Number>, Comparison),
    Date(Vec<Moment>, Comparison),
    Bool(Vec<bool>),
    Address(Vec<Block>),
    Null(Vec<bool>),
}

/// Gives the typed test and whether it is negated, or nothing for an unknown name.
pub(super) fn parse(
    name: &str,
    values: &Value,
    variables: bool,
) -> Result<Option<(bool, Test)>, String> {
    let exact = Syntax {
        wildcards: false,
        variables,
    };
    let like = Syntax {
        wildcards: true,
        variables,
    };
    let text = |syntax, ignore_case| {
        Ok::<_, String>(Test::Text {
            values: templates(values, syntax)?,
            ignore_case,
        })
    };
    let number =
        |comparison| Ok::<_, String>(Test::Number(plain(values, Number::parse)?, comparison));
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
    if values.len() == 1 {
        Ok(values)
    } else {
        Err("has more than one truth value".to_owned())
    }
}

/// The policy's values as texts; which JSON types are texts depends on the operator.
fn texts(values: &Value, typed: bool) -> Result<Vec<String>, String> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) if typed => Ok(value.to_string()),
        other => Err(format!(
            "has the value {other}, which is {}",
            type_name(other)
        )),
    };
    match values {
        Value::Array(items) if items.is_empty() => Err("has no values".to_owned()),
        Value::Array(items) => items.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}

/// Values of the typed operators, in which AWS allows no variables.
fn plain<T>(values: &Value, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    texts(values, true)?
        .iter()
        .map(|text| parse(text))
        .collect()
}

fn templates(values: &Value, syntax: Syntax) -> Result<Vec<Template>, String> {
    texts(values, false)?
        .iter()
        .map(|text| Template::parse(text, syntax))
        .collect()
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

/// What comparing one of the request's values gave, before negation.
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

    /// Settles an answer that was found without the values that lack a variable.
    ///
    /// AWS says that a variable without a value "might" invalidate the whole statement. So the
    /// statement does not match, unless other values would let it match: that case is open.
    pub(super) fn settle(self, answer: bool) -> Result<bool, EvalError> {
        match (self, answer) {
            (Self::All, _) => Ok(answer),
            (Self::Some, true) => Err(EvalError::Open(
                "a value matches beside one that uses a variable the request lacks".to_owned(),
            )),
            (Self::Some, false) | (Self::None, _) => Ok(false),
        }
    }
}

impl From<bool> for Outcome {
    fn from(matched: bool) -> Self {
        Self {
            matched,
            resolved: Resolved::All,
        }
    }
}

impl Test {
    /// Compares one value of the request with all values of the policy.
    pub(super) fn accepts(&self, value: &str, context: &Context) -> Result<Outcome, String> {
        let any = |values: &[Template], matches: &dyn Fn(&Pattern) -> bool| {
            let patterns: Vec<Pattern> = values
                .iter()
                .filter_map(|template| template.resolve(context))
                .collect();
            Outcome {
                matched: patterns.iter().any(matches),
                resolved: Resolved::of(values.len(), values.len() - patterns.len()),
            }
        };
        Ok(match self {
            Self::Text {
                values,
                ignore_case: false,
            } => any(values, &|p| p.matches(value)),
            Self::Text {
                values,
                ignore_case: true,
            } => any(values, &|p| p.equals_ignoring_case(value)),
            Self::Arn(values) => {
                let value = arn(value)?;
                any(values, &|p| p.matches_arn(value))
            }
            Self::Number(values, comparison) => {
                ordered(values, Number::parse(value)?, *comparison).into()
            }
            Self::Date(values, comparison) => {
                ordered(values, Moment::parse(value)?, *comparison).into()
            }
            Self::Bool(values) => values.contains(&truth(value)?).into(),
            Self::Address(blocks) => {
                let own = address(value)?;
                blocks.iter().any(|block| block.contains(own)).into()
            }
            // Null asks only whether there is a value, and here is one.
            Self::Null(values) => values.contains(&false).into(),
        })
    }
}

/// The request's value stands on the left, as in "less than the policy's value".
fn ordered<T: Ord>(values: &[T], own: T, comparison: Comparison) -> bool {
    values.iter().any(|value| comparison(own.cmp(value)))
}
