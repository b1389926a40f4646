//! API Gateway's mapping templates: the part of the Velocity Template Language that AWS documents.
//!
//! Follows the developer guide's "Mapping template reference" and Apache Velocity 1.7's reference. Anything else
//! (macros, `#parse`, unknown methods and variables) is an error with its line, never passed through silently. A value
//! is not evaluated again once it is in the text.

mod eval;
mod functions;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

/// The inputs of a template.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// The body of the request, or of the integration's answer.
    pub(crate) body: String,
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    /// `$context`.
    pub(crate) context: Value,
    /// `$stageVariables`.
    pub(crate) stage_variables: BTreeMap<String, String>,
}

/// The result of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) text: String,
    /// `$context.responseOverride.status`, if the template set it.
    pub(crate) status: Option<u16>,
}

/// A template that cannot be understood or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct VtlError {
    /// Counted from 1; 0 if unknown.
    pub(crate) line: usize,
    pub(crate) what: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<parse::Node>);

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// A syntax error, or a part of the language that is not modelled.
    pub(crate) fn parse(text: &str) -> Result<Self, VtlError> {
        parse::template(text).map(Self)
    }

    /// Evaluates the template.
    ///
    /// # Errors
    /// An unknown method or variable, or one that cannot be applied.
    pub(crate) fn render(&self, inputs: &Inputs) -> Result<Rendered, VtlError> {
        eval::render(&self.0, inputs)
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
