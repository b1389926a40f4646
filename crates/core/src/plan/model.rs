//! A plan: every step of a run, in order, with what changes. Pure; also the format of `plan --out`.

use serde::{Deserialize, Serialize};

use crate::kind::{Kind, NodeId};
use crate::model::Change;

/// Version of the plan file.
pub const VERSION: u32 = 1;

/// The steps of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Version of this format.
    pub version: u32,
    pub environment: String,
    pub account: String,
    /// The steps, in an order that respects what each needs.
    pub steps: Vec<Step>,
}

/// One resource and its change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    pub id: NodeId,
    pub kind: Kind,
    /// Its name in messages.
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
