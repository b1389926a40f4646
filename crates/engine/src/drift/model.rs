//! The report on drift, and which of it is ignored. Pure.

use serde::Serialize;
use serde_json::Value;

use sftpctl_core::spec::ignore::Ignore;

/// One property that somebody changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Property {
    /// Its name; inside a document a path.
    pub name: String,
    /// What was deployed, or is written in the file.
    pub before: Value,
    /// What AWS has.
    pub after: Value,
    /// Why it is ignored, where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

/// One resource that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drifted {
    /// Its name: `us-west-2/server`, in a stack `us-west-2/stack/Authorizer`.
    pub resource: String,
    /// A person's name for it.
    pub title: String,
    /// `changed`, `missing`, `foreign` or `orphan`.
    pub how: &'static str,
    /// What changed; for a missing resource one property, `exists`.
    pub properties: Vec<Property>,
}

impl Drifted {
    /// Whether something of it is not ignored.
    pub fn counts(&self) -> bool {
        self.properties.iter().any(|property| property.ignored.is_none())
    }
}

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unseen {
    /// Its name.
    pub resource: String,
    /// Why not.
    pub why: String,
    /// Whether looking failed, so that another time it may be seen; otherwise nobody offers to look at it.
    pub failed: bool,
}

impl Unseen {
    /// A look that failed.
    pub fn failed(resource: impl Into<String>, why: impl ToString) -> Self {
        Self { resource: resource.into(), why: why.to_string(), failed: true }
    }
}

/// The report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Name of the environment.
    pub environment: String,
    /// The account.
    pub account: String,
    /// Resources that were looked at, those in stacks included.
    pub seen: usize,
    /// What differs.
    pub drifted: Vec<Drifted>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
    /// Rules that ignored nothing: out of date, or misspelt.
    pub unused_ignores: Vec<String>,
}

impl Report {
    /// Marks what is ignored, and finds the rules that ignore nothing.
    pub fn ignore(&mut self, rules: &[Ignore]) {
        let mut used = vec![false; rules.len()];
        for drifted in &mut self.drifted {
            for property in &mut drifted.properties {
                let found = rules.iter().position(|rule| rule.covers(&drifted.resource, &property.name));
                if let Some(at) = found {
                    used[at] = true;
                    property.ignored = Some(rules[at].reason.clone());
                }
            }
        }
        let unused = rules.iter().zip(used).filter(|(_, used)| !used);
        self.unused_ignores = unused
            .map(|(rule, _)| match &rule.property {
                Some(property) => format!("{}:{property}", rule.resource),
                None => rule.resource.clone(),
            })
            .collect();
    }

    /// Whether something could not be looked at that usually can: then nobody knows whether it drifted.
    pub fn is_whole(&self) -> bool {
        !self.unseen.iter().any(|unseen| unseen.failed)
    }

    /// Whether nothing differs that counts.
    pub fn is_clean(&self) -> bool {
        !self.drifted.iter().any(Drifted::counts)
    }
}
