//! A resource as data: the wanted state, the live state, and the change between them. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::NodeId;
use crate::secret::hidden;

/// Tags as key and value.
pub type Tags = BTreeMap<String, String>;

/// The value a property should have.
#[derive(Clone, Debug, PartialEq)]
pub enum Want {
    /// The value is known already.
    Is(Value),
    /// The value is known once this other resource exists (`us-west-2/stack`).
    After(NodeId),
}

impl<T: Into<Value>> From<T> for Want {
    fn from(value: T) -> Self {
        Self::Is(value.into())
    }
}

/// A resource's wanted state by property name. A property that is not listed is not managed.
pub type Properties = BTreeMap<&'static str, Want>;

/// The owner of an existing resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// It carries this environment's tag, or is part of a resource that does.
    Ours,
    /// It exists without our tag; the message for the user.
    Foreign(String),
}

/// Whether a resource is usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// No operation is in progress.
    Ready,
    /// An operation is in progress; the status in AWS's words.
    Pending(String),
    /// It failed for good; status and reason in AWS's words.
    Failed(String),
}

/// The live state of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Live {
    /// ARN, ID or name that identifies it in AWS.
    pub identity: String,
    pub owner: Owner,
    /// Whether it is usable.
    pub settled: Settled,
    /// The live values of the properties that `Node::wanted` lists.
    pub properties: BTreeMap<&'static str, Value>,
    /// Values that other resources need (`ApiUrl`, `ServerId`).
    pub outputs: BTreeMap<String, String>,
}

impl Live {
    /// A resource of ours, ready, without properties or outputs.
    pub fn new(identity: impl Into<String>) -> Self {
        Self {
            identity: identity.into(),
            owner: Owner::Ours,
            settled: Settled::Ready,
            properties: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.properties.insert(name, value.into());
        self
    }

    /// Adds a value that other resources need.
    #[must_use]
    pub fn output(mut self, name: &str, value: impl Into<String>) -> Self {
        self.outputs.insert(name.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn owned_by(mut self, owner: Owner) -> Self {
        self.owner = owner;
        self
    }

    #[must_use]
    pub fn settled(mut self, settled: Settled) -> Self {
        self.settled = settled;
        self
    }
}

/// The resources in AWS: absent from the map means not read, `None` means that it does not exist.
pub type Actual = BTreeMap<NodeId, Option<Live>>;

/// An output of another node, or [`Want::After`] if it is not known yet.
pub fn output(actual: &Actual, node: &NodeId, name: &str) -> Want {
    match actual.get(node).and_then(Option::as_ref).and_then(|live| live.outputs.get(name)) {
        Some(value) => Want::Is(Value::String(value.clone())),
        None => Want::After(node.clone()),
    }
}

/// The action on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It does not exist and is created.
    Create,
    /// It was kept by an earlier removal and is imported.
    Import,
    /// Properties change in place.
    Update,
    /// A failed leftover is deleted first, then the resource is created again.
    Recreate,
    /// An operation that failed partway is completed first, then properties change in place.
    Recover,
    Delete,
    /// It holds data and is kept.
    Keep,
}

/// One property that differs. Its values are shown, logged and saved, so secrets in them are hidden when it is made
/// ([`crate::secret`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PropertyChange {
    /// Its name; for nested documents a path (`Resources.Authorizer.Properties.Timeout`).
    pub name: String,
    /// The live value; `None`: not set.
    pub before: Option<Value>,
    /// The wanted value; `None`: removed, or known later.
    pub after: Option<Value>,
    /// The node after whose creation `after` is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_node: Option<NodeId>,
    /// Why this change makes AWS replace a resource, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

impl PropertyChange {
    /// A change to a known value, or to none, without the secrets in both.
    pub fn new(name: impl Into<String>, before: Option<Value>, after: Option<Value>) -> Self {
        let name = name.into();
        let (before, after) = hidden(&name, before.as_ref(), after.as_ref());
        Self { name, before, after, after_node: None, replaces: None }
    }

    /// A change to a value that is known after another node.
    #[must_use]
    pub fn known_after(mut self, node: NodeId) -> Self {
        self.after_node = Some(node);
        self
    }

    /// A change that makes AWS replace a resource, and why.
    #[must_use]
    pub fn replacing(mut self, why: Option<String>) -> Self {
        self.replaces = why;
        self
    }

    /// The change under another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// The change that brings one resource to its wanted state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub action: Action,
    /// One sentence if the action alone does not explain it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub properties: Vec<PropertyChange>,
}

impl Change {
    pub fn new(action: Action, reason: impl Into<String>) -> Self {
        Self { action, reason: Some(reason.into()), properties: Vec::new() }
    }

    /// Whether the property is among those that change.
    pub fn touches(&self, property: &str) -> bool {
        self.properties.iter().any(|p| p.name == property)
    }
}

/// Compares the wanted state with the live state, for all kinds.
pub fn compare(wanted: &Properties, live: &BTreeMap<&'static str, Value>) -> Vec<PropertyChange> {
    wanted
        .iter()
        .filter_map(|(name, want)| {
            let before = live.get(name).filter(|v| !v.is_null()).cloned();
            match want {
                Want::Is(after) if before.as_ref() == Some(after) || (before.is_none() && after.is_null()) => None,
                Want::Is(after) => {
                    Some(PropertyChange::new(*name, before, Some(after.clone()).filter(|v| !v.is_null())))
                }
                Want::After(node) => Some(PropertyChange::new(*name, before, None).known_after(node.clone())),
            }
        })
        .collect()
}

/// The action of a teardown on one resource.
#[derive(Clone, Debug, PartialEq)]
pub enum Removal {
    Delete,
    /// It is kept, for this reason.
    Keep(String),
    /// The whole teardown is refused while this resource is in this state; the reason, and what to do.
    Refuse(String),
    /// It is left alone: it is foreign, or there is nothing to do.
    Leave,
}

/// Options of a teardown.
#[derive(Clone, Copy, Debug, Default)]
pub struct RemovalOptions {
    /// Also delete customers' files and accounts.
    pub delete_data: bool,
    /// Also release the addresses that customers' firewalls know.
    pub release_addresses: bool,
}
