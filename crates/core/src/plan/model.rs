//! A plan: every step of a run, in order, with what changes. Pure; also the format of `plan --out`.

use serde::{Deserialize, Serialize};

use crate::kind::{Kind, NodeId};
use crate::model::Change;

/// Version of the plan file.
pub const VERSION: u32 = 1;

/// What a run will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Version of this format.
    pub version: u32,
    /// Name of the environment.
    pub environment: String,
    /// The account.
    pub account: String,
    /// The steps, in an order that respects what each needs.
    pub steps: Vec<Step>,
}

/// One resource and what is done to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// The resource.
    pub id: NodeId,
    /// Its kind.
    pub kind: Kind,
    /// A person's name for it.
    pub title: String,
    /// What changes.
    pub change: Change,
    /// Steps of this plan that come first.
    pub needs: Vec<NodeId>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The step of a node.
    pub fn step(&self, id: &NodeId) -> Option<&Step> {
        self.steps.iter().find(|step| &step.id == id)
    }
}
