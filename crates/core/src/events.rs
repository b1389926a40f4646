//! The events of a run: the only interface between the work and the output. Pure types.
//!
//! With `--output json` each event is one line, `{"schema":"sftpctl/events/1","time":…,"event":"step-started",…}`.
//! Within a schema version, fields are only added.

use serde::Serialize;

use crate::kind::{Kind, NodeId};
use crate::model::Change;

/// An event of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// The run starts to read AWS.
    Observing {
        environment: String,
        /// Number of resources that will be read.
        resources: usize,
    },
    StepStarted {
        step: NodeId,
        kind: Kind,
        /// The resource's name in messages.
        title: String,
        change: Change,
    },
    /// A step waits for AWS.
    StepWaiting {
        step: NodeId,
        /// The status in AWS's words.
        status: String,
    },
    /// An event inside the resource, such as a CloudFormation resource event.
    StepNews { step: NodeId, line: String },
    /// A temporary fault; the step continues.
    StepRetried { step: NodeId, reason: String },
    /// The run was asked to stop: steps in flight are finished, no other step begins.
    Stopping,
    StepFinished {
        step: NodeId,
        outcome: Outcome,
        /// Seconds since its start.
        seconds: f64,
    },
    /// The run is over.
    Finished { summary: Summary },
}

/// How a step ended.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// It was changed to its wanted state.
    Changed,
    /// It was changed to its wanted state, but something that should be gone is left.
    Incomplete {
        /// What, and what to do.
        reason: String,
    },
    /// It was in its wanted state already.
    Unchanged,
    Deleted,
    /// Kept on purpose.
    Kept {
        reason: String,
    },
    /// AWS allows it only after some time.
    Later {
        /// Why, and when to retry.
        reason: String,
    },
    Failed {
        /// The failure in one sentence.
        error: String,
        /// Causes in AWS's words, first cause first.
        causes: Vec<String>,
        /// The state in AWS after the failure.
        left: String,
        hint: Option<String>,
    },
    /// Not begun, because a dependency failed.
    Blocked {
        /// The dependency.
        by: NodeId,
    },
    /// Not begun, because the run was asked to stop.
    Stopped,
}

/// The result of a run.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub environment: String,
    /// `deploy` or `teardown`.
    pub command: String,
    /// Steps that changed something.
    pub changed: usize,
    pub failed: usize,
    /// Steps that were not begun.
    pub not_begun: usize,
    /// Resources kept on purpose, with the reason.
    pub kept: Vec<String>,
    /// Steps that can only be done later, with the reason.
    pub later: Vec<String>,
    /// Resources that differ from the environment file and were left out by `--only` or `--skip`.
    pub left_out: Vec<NodeId>,
    /// One row per region.
    pub regions: Vec<RegionRow>,
    pub seconds: f64,
    pub aws_calls: u64,
}

/// One region in the summary.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionRow {
    pub region: String,
    pub stack: Option<String>,
    pub server: Option<String>,
    pub state: Option<String>,
    /// The customers' host name.
    pub host: Option<String>,
    /// The server's own host name.
    pub endpoint: Option<String>,
    /// The fixed addresses of its endpoint; the allocation ID of one whose address is not known.
    pub addresses: Vec<String>,
}

/// Receives the events. Implementations print them; the engine does not depend on one.
pub trait Reporter: Send + Sync {
    fn event(&self, event: &Event);

    /// Receives a line for users that is not part of the stream of events.
    fn note(&self, line: &str);
}
