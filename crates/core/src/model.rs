//! A resource as data: what it should be, what it is, and what has to change. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::NodeId;

/// Tags as key and value.
pub type Tags = BTreeMap<String, String>;

/// The value a property should have.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// Known now.
    Is(Value),
    /// Known once another resource exists; says which (`us-west-2/stack`).
    After(NodeId),
}

impl<T: Into<Value>> From<T> for Want {
    fn from(value: T) -> Self {
        Self::Is(value.into())
    }
}

/// What a resource should be, by property name. A property that is not listed is not looked after.
pub type Properties = BTreeMap<&'static str, Want>;

/// Whom something that exists belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It carries this environment's tag, or is part of something that does.
    Ours,
    /// It was there without our tag. Holds what to tell a person.
    Foreign(String),
}

/// Whether something is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing is going on.
    Ready,
    /// AWS is still at work; the status in AWS's words.
    Pending(String),
    /// It failed and stays so; status and reason in AWS's words.
    Failed(String),
}

/// What AWS has.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// ARN, id or name, whatever AWS finds it by.
    pub identity: String,
    /// Whose it is.
    pub owner: Owner,
    /// Whether it is usable.
    pub settled: Settled,
    /// The properties that [`Resource::wanted`] lists, as they are.
    pub properties: BTreeMap<&'static str, Value>,
    /// Values that other resources need (`ApiUrl`, `ServerId`).
    pub outputs: BTreeMap<String, String>,
}

impl Live {
    /// Something of ours, ready, without properties or outputs.
    pub fn new(identity: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            owner: Owner::Ours,
            settled: Settled::Ready,
            properties: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    /// Adds a property.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.properties.insert(name, value.into());
        self
    }

    /// Adds a value that others need.
    #[must_use]
    pub fn output(mut self, name: &str, value: impl Into<String>) -> Self {
        self.outputs.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the owner.
    #[must_use]
    pub fn owned_by(mut self, owner: Owner) -> Self {
        self.owner = owner;
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn settled(mut self, settled: Settled) -> Self {
        self.settled = settled;
        self
    }
}

/// Everything known of what AWS has: absent from the map means not read, `None` means it isn't there.
pub type Actual = BTreeMap<NodeId, Option<Live>>;

/// An output of another node, or that it comes later.
pub fn output(actual: &Actual, node: &NodeId, name: &str) -> Want {
    match actual.get(node).and_then(Option::as_ref).and_then(|live| live.outputs.get(name)) {
        Some(value) => Want::Is(Value::String(value.clone())),
        None => Want::After(node.clone()),
    }
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It isn't there.
    Create,
    /// It was kept by an earlier removal and is taken back.
    Import,
    /// Properties change in place.
    Update,
    /// A failed left-over is removed first, then it is made anew.
    Recreate,
    /// An operation that failed half-way is brought to its end first, then properties change in place.
    Recover,
    /// It goes.
    Delete,
    /// It holds data and stays.
    Keep,
}

/// One property that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropertyChange {
    /// Its name; for nested documents a path (`Resources.Authorizer.Properties.Timeout`).
    pub name: String,
    /// What it is; `None`: not set.
    pub before: Option<Value>,
    /// What it shall be; `None`: removed, or known later.
    pub after: Option<Value>,
    /// The node whose creation makes `after` known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_node: Option<NodeId>,
    /// Why this change makes AWS replace a resource, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// What has to be done to one resource to make it as wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// In one word.
    pub action: Action,
    /// In one sentence where the word is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Property by property.
    pub properties: Vec<PropertyChange>,
}

impl Change {
    /// A change without properties.
    pub fn new(action: Action, reason: impl Into<String>) -> Self {
        Self { action, reason: Some(reason.into()), properties: Vec::new() }
    }

    /// Whether the property is among those that change.
    pub fn touches(&self, property: &str) -> bool {
        self.properties.iter().any(|p| p.name == property)
    }
}

/// Compares what is wanted with what is: the one diff of all kinds.
pub fn compare(wanted: &Properties, live: &BTreeMap<&'static str, Value>) -> Vec<PropertyChange> {
    wanted
        .iter()
        .filter_map(|(name, want)| {
            let before = live.get(name).filter(|v| !v.is_null()).cloned();
            match want {
                Want::Is(after) if before.as_ref() == Some(after) || (before.is_none() && after.is_null()) => None,
                Want::Is(after) => Some(PropertyChange {
                    name: (*name).to_owned(),
                    before,
                    after: Some(after.clone()).filter(|v| !v.is_null()),
                    after_node: None,
                    replaces: None,
                }),
                Want::After(node) => Some(PropertyChange {
                    name: (*name).to_owned(),
                    before,
                    after: None,
                    after_node: Some(node.clone()),
                    replaces: None,
                }),
            }
        })
        .collect()
}

/// What one deletion would do, decided from what is there.
#[derive(Clone, Debug, PartialEq)]
pub enum Removal {
    /// Delete it.
    Delete,
    /// Leave it; says why.
    Keep(String),
    /// Nothing of the environment may go while this stands as it does; says why, and what to do.
    Refuse(String),
    /// Somebody else's, or nothing to do.
    Leave,
}

/// What teardown was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct RemovalOptions {
    /// Customers' files and accounts go too.
    pub delete_data: bool,
}
