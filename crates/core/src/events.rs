//! What a run tells: the only interface between the work and the output. Pure types.
//!
//! With `--output json` each event is one line, `{"schema":"sftpctl/events/1","time":…,"event":"step-started",…}`.
//! Fields are only ever added within one schema version.

use serde::Serialize;

use crate::kind::{Kind, NodeId};
use crate::model::Change;

/// Something happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// Reading AWS begins.
    Observing {
        /// Name of the environment.
        environment: String,
        /// Number of resources that will be read.
        resources: usize,
    },
    /// A step begins.
    StepStarted {
        /// The resource.
        step: NodeId,
        /// Its kind.
        kind: Kind,
        /// A person's name for it.
        title: String,
        /// What is done.
        change: Change,
    },
    /// A step waits for AWS.
    StepWaiting {
        /// The resource.
        step: NodeId,
        /// AWS's status.
        status: String,
    },
    /// Something happened inside the resource, such as a CloudFormation resource event.
    StepNews {
        /// The resource.
        step: NodeId,
        /// One line.
        line: String,
    },
    /// A passing fault; the step goes on.
    StepRetried {
        /// The resource.
        step: NodeId,
        /// What went wrong.
        reason: String,
    },
    /// Somebody asked to stop: what is in flight is finished, nothing else begins.
    Stopping,
    /// A step is finished.
    StepFinished {
        /// The resource.
        step: NodeId,
        /// How it ended.
        outcome: Outcome,
        /// Seconds since its start.
        seconds: f64,
    },
    /// The run is over.
    Finished {
        /// What it amounted to.
        summary: Summary,
    },
}

/// How a step ended.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// As wanted now; a change was made.
    Changed,
    /// As wanted already.
    Unchanged,
    /// Gone now.
    Deleted,
    /// Kept on purpose.
    Kept {
        /// Why.
        reason: String,
    },
    /// AWS will not do it before some time has passed.
    Later {
        /// Why, and when to come back.
        reason: String,
    },
    /// It went wrong.
    Failed {
        /// What went wrong, in one sentence.
        error: String,
        /// Causes as AWS tells them, first cause first.
        causes: Vec<String>,
        /// What exists now.
        left: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Not begun, because something it needs failed.
    Blocked {
        /// What it needs.
        by: NodeId,
    },
    /// Not begun, because the run was asked to stop.
    Stopped,
}

/// The end of a run.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Name of the environment.
    pub environment: String,
    /// `deploy` or `teardown`.
    pub command: String,
    /// Steps that changed something.
    pub changed: usize,
    /// Steps that failed.
    pub failed: usize,
    /// Steps that were not begun.
    pub not_begun: usize,
    /// Things kept on purpose, with the reason.
    pub kept: Vec<String>,
    /// What can only be done later, with the reason.
    pub later: Vec<String>,
    /// One row per region.
    pub regions: Vec<RegionRow>,
    /// Wall time.
    pub seconds: f64,
    /// Calls to AWS.
    pub aws_calls: u64,
}

/// One region in the summary.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegionRow {
    /// The region.
    pub region: String,
    /// Status of the stack.
    pub stack: Option<String>,
    /// Id of the server.
    pub server: Option<String>,
    /// Its state.
    pub state: Option<String>,
    /// The customers' host name.
    pub host: Option<String>,
    /// The server's own host name.
    pub endpoint: Option<String>,
}

/// Takes events. Implementations print them; the work never knows which one it talks to.
pub trait Reporter: Send + Sync {
    /// Takes one event.
    fn event(&self, event: &Event);

    /// Takes a line for people that is no part of the stream of events.
    fn note(&self, line: &str);
}
