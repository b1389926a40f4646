//! The drift report, and the rules that ignore parts of it. Pure.

use serde::Serialize;
use serde_json::Value;

use sftpctl_core::secret::hidden;
use sftpctl_core::spec::ignore::Ignore;

/// One property that was changed outside sftpctl. Secrets in its values are hidden when it is made
/// ([`sftpctl_core::secret`]).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Property {
    /// The property's name; inside a document, a path such as `Policies.call-api.Statement`.
    pub name: String,
    /// The value that was deployed, or that the environment file has.
    before: Value,
    /// The value that AWS has.
    after: Value,
    /// The reason that the rule which ignores it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<String>,
}

impl Property {
    /// A property whose value was changed from one to another.
    pub fn new(name: impl Into<String>, before: impl Into<Value>, after: impl Into<Value>) -> Self {
        let name = name.into();
        let (before, after) = hidden(&name, Some(&before.into()), Some(&after.into()));
        Self { name, before: before.unwrap_or_default(), after: after.unwrap_or_default(), ignored: None }
    }

    /// Whether the resource exists, or what is known of it.
    pub fn exists(before: bool, after: impl Into<Value>) -> Self {
        Self::new("exists", before, after)
    }

    /// The value that was deployed, or that the environment file has.
    pub fn before(&self) -> &Value {
        &self.before
    }

    /// The value that AWS has.
    pub fn after(&self) -> &Value {
        &self.after
    }
}

/// One resource that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drifted {
    /// The node, `us-west-2/server`; for a resource of a stack, `us-west-2/stack/Authorizer`.
    pub resource: String,
    /// The kind of resource, in words for people; for a resource of a stack, its CloudFormation type.
    pub title: String,
    /// `changed`, `missing`, `foreign` or `orphan`.
    pub how: &'static str,
    /// The properties that differ; for a missing resource, only `exists`.
    pub properties: Vec<Property>,
}

impl Drifted {
    /// Whether any of its properties is not ignored.
    pub fn counts(&self) -> bool {
        self.properties.iter().any(|property| property.ignored.is_none())
    }
}

/// A resource that could not be checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unseen {
    pub resource: String,
    pub why: String,
    /// The check failed and may succeed later. Otherwise there is no way to check the resource.
    pub failed: bool,
}

impl Unseen {
    /// A check that failed.
    pub fn failed(resource: impl Into<String>, why: impl ToString) -> Self {
        Self { resource: resource.into(), why: why.to_string(), failed: true }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub environment: String,
    pub account: String,
    /// The number of resources that were checked, including those in stacks.
    pub seen: usize,
    pub drifted: Vec<Drifted>,
    pub unseen: Vec<Unseen>,
    /// Rules that ignored nothing: out of date, or misspelled.
    pub unused_ignores: Vec<String>,
}

impl Report {
    /// Marks the properties that `rules` ignore, and finds the rules that ignore nothing.
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

    /// Whether no check failed. If one did, there may be drift that the report does not have.
    pub fn is_whole(&self) -> bool {
        !self.unseen.iter().any(|unseen| unseen.failed)
    }

    /// Whether there is no drift apart from what is ignored.
    pub fn is_clean(&self) -> bool {
        !self.drifted.iter().any(Drifted::counts)
    }
}
