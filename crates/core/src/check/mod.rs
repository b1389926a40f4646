//! A check: what was looked for, what was found, and what to do. One shape for `doctor`, the checks before a
//! deployment, and `verify`. Pure.

mod catalogue;
mod ignore;
mod permissions;
mod quota;
mod report;

use serde::Serialize;

pub use catalogue::{ALL, Definition, find};
pub use ignore::CheckIgnore;
pub use permissions::{Denial, Request, denied, requests};
pub use quota::{Limit, LimitSource, Quota, quotas};
pub use report::Report;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// A deployment can go on.
    Warning,
    /// A deployment would fail or be refused.
    Error,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// Nothing stands in the way.
    Ok,
    /// It does not apply, or an earlier check makes it pointless.
    Skipped,
    /// It could not be found out; this is never a failure.
    Unknown,
    /// A finding that does not stop a deployment.
    Warning,
    /// A finding that stops a deployment.
    Failed,
}

/// One check with its result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// A stable code: `D012-lambda-concurrency`.
    pub id: &'static str,
    /// What is checked, in a few words.
    pub title: &'static str,
    /// The region; `None` for the whole environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// How bad the finding is; without one, how bad it can be.
    pub severity: Severity,
    pub status: Status,
    /// What was found, in a sentence with the numbers.
    pub evidence: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Why the environment file ignores the finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

impl Check {
    fn new(of: &Definition, region: Option<&str>, status: Status, evidence: impl Into<String>) -> Self {
        Self {
            id: of.id,
            title: of.title,
            region: region.map(str::to_owned),
            severity: of.severity,
            status,
            evidence: evidence.into(),
            hint: None,
            ignored: None,
        }
    }

    pub fn ok(of: &Definition, region: Option<&str>, evidence: impl Into<String>) -> Self {
        Self::new(of, region, Status::Ok, evidence)
    }

    pub fn skipped(of: &Definition, region: Option<&str>, evidence: impl Into<String>) -> Self {
        Self::new(of, region, Status::Skipped, evidence)
    }

    pub fn unknown(of: &Definition, region: Option<&str>, evidence: impl Into<String>) -> Self {
        Self::new(of, region, Status::Unknown, evidence)
    }

    pub fn warning(of: &Definition, region: Option<&str>, evidence: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::new(of, region, Status::Warning, evidence) }
    }

    pub fn failed(of: &Definition, region: Option<&str>, evidence: impl Into<String>) -> Self {
        Self { severity: Severity::Error, ..Self::new(of, region, Status::Failed, evidence) }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it is a finding that nobody has decided to ignore.
    pub fn counts(&self) -> bool {
        self.ignored.is_none() && matches!(self.status, Status::Warning | Status::Failed)
    }
}
