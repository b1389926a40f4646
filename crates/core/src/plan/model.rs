//! A plan: the steps of a run, in order, with their changes. Pure; also the format of `plan --out`.

use serde::{Deserialize, Serialize};

use crate::kind::{Kind, NodeId};
use crate::model::Change;

/// The current version of the plan format.
pub const VERSION: u32 = 1;

/// The steps of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    pub version: u32,
    pub environment: String,
    pub account: String,
    /// The steps, each after its dependencies.
    pub steps: Vec<Step>,
}

/// One resource and its change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    pub id: NodeId,
    pub kind: Kind,
    /// The resource's name in messages.
    pub title: String,
    pub change: Change,
    /// Steps of this plan that must be finished before it.
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
