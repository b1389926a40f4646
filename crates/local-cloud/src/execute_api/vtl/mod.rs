//! API Gateway's mapping templates: the part of the Velocity Template Language that AWS documents.
//!
//! Follows the developer guide's "Mapping template reference" and Apache Velocity 1.7's reference. What is outside
//! (macros, `#parse`, unknown methods and variables) is an error with its place, never passed through silently. A value
//! is never evaluated again once it is in the text.

mod eval;
mod functions;
mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

/// What a template may look at.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs {
    /// The body of the request, or of what the integration answered.
    pub(crate) body: String,
    /// Path parameters.
    pub(crate) path: BTreeMap<String, String>,
    /// Query parameters.
    pub(crate) query: BTreeMap<String, String>,
    /// Headers.
    pub(crate) headers: BTreeMap<String, String>,
    /// `$context`.
    pub(crate) context: Value,
    /// `$stageVariables`.
    pub(crate) stage_variables: BTreeMap<String, String>,
}

/// What a template gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// The text.
    pub(crate) text: String,
    /// `$context.responseOverride.status`, where the template set it.
    pub(crate) status: Option<u16>,
}

/// A template that cannot be understood or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct VtlError {
    /// Line, from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
}

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<parse::Node>);

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is no template, or outside of the language that is modelled.
    pub(crate) fn parse(text: &str) -> Result<Self, VtlError> {
        parse::template(text).map(Self)
    }

    /// Evaluates it.
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
