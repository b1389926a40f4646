//! What a run amounted to, and what stands: for the summary, the exit code and `status`.

use std::collections::{BTreeMap, BTreeSet};

use super::Run;
use crate::execute::executor::Outcomes;
use crate::observe::Observed;
use sftpctl_core::events::{Outcome, RegionRow, Summary};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Action, Actual, Owner, Settled};
use sftpctl_core::plan::model::Plan;
use sftpctl_core::spec::names;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything is as it was wanted.
    Done,
    /// Something failed, and nothing was changed.
    Failed,
    /// Something was changed, and something else was not.
    Partly,
    /// Somebody asked it to stop.
    Interrupted,
}

impl Run {
    pub(super) fn summary(&self, command: &str, plan: &Plan, outcomes: &Outcomes, actual: &Actual) -> Summary {
        let count = |wanted: fn(&Outcome) -> bool| outcomes.values().filter(|outcome| wanted(outcome)).count();
        let mut kept: BTreeSet<String> = plan
            .steps
            .iter()
            .filter(|step| step.change.action == Action::Keep)
            .map(|step| {
                format!("{} ({}): {}", step.title, step.id.place(), step.change.reason.clone().unwrap_or_default())
            })
            .collect();
        for (id, outcome) in outcomes {
            if let Outcome::Kept { reason } = outcome {
                kept.insert(format!("{id}: {reason}"));
            }
        }
        Summary {
            environment: self.environment.name.clone(),
            command: command.to_owned(),
            changed: count(|o| matches!(o, Outcome::Changed | Outcome::Deleted)),
            failed: count(|o| matches!(o, Outcome::Failed { .. })),
            not_begun: count(|o| matches!(o, Outcome::Blocked { .. } | Outcome::Stopped)),
            kept: kept.into_iter().collect(),
            later: outcomes
                .iter()
                .filter_map(|(id, outcome)| match outcome {
                    Outcome::Later { reason } => Some(format!("{id}: {reason}")),
                    _ => None,
                })
                .collect(),
            regions: self.regions(actual),
            seconds: self.started.elapsed().as_secs_f64(),
            aws_calls: self.aws.calls(),
        }
    }

    /// One row per region, from what AWS has.
    pub fn regions(&self, actual: &Actual) -> Vec<RegionRow> {
        let get = |node: &NodeId, name: &str| {
            actual.get(node).and_then(Option::as_ref).and_then(|live| live.outputs.get(name).cloned())
        };
        let shown = self.environment.regions.iter().filter(|(region, _)| {
            !self.limited || self.resources.iter().any(|resource| *resource.id() == names::stack_node(region))
        });
        shown
            .map(|(region, settings)| {
                let server = names::server_node(region);
                let host = self.environment.dns.as_ref().filter(|_| settings.server);
                RegionRow {
                    region: region.clone(),
                    stack: get(&names::stack_node(region), "StackStatus"),
                    server: get(&server, "ServerId"),
                    state: get(&server, "State"),
                    host: host.map(|dns| names::host(&self.environment, region, &dns.zone)),
                    endpoint: get(&server, "Endpoint"),
                }
            })
            .collect()
    }

    /// How the run ends by its summary.
    pub fn ended(&self, summary: &Summary) -> Ending {
        let stopped = self.state.last_run.as_ref().is_some_and(|run| run.outcome == "stopped");
        match (summary.failed + summary.not_begun, summary.changed) {
            // Whatever was done so far: signed in again, the same command goes on.
            _ if self.credentials_over => Ending::Partly,
            _ if summary.failed == 0 && !summary.later.is_empty() => Ending::Partly,
            (0, _) => Ending::Done,
            _ if stopped => Ending::Interrupted,
            (_, 0) => Ending::Failed,
            _ => Ending::Partly,
        }
    }

    /// The environment's state by resource, for `status`.
    pub fn states(&self, observed: &Observed) -> BTreeMap<NodeId, (&'static str, Option<String>)> {
        self.resources
            .iter()
            .map(|resource| {
                let id = resource.id().clone();
                let state = match (observed.unreadable.get(&id), observed.actual.get(&id)) {
                    (Some(error), _) => ("unreadable", Some(error.to_string())),
                    (None, None | Some(None)) => ("missing", None),
                    (None, Some(Some(live))) => match (&live.owner, &live.settled) {
                        (Owner::Foreign(what), _) => ("foreign", Some(what.clone())),
                        (_, Settled::Pending(status)) => ("pending", Some(status.clone())),
                        (_, Settled::Failed(status)) => ("failed", Some(status.clone())),
                        (_, Settled::Ready) => match resource.diff(Some(live), &observed.actual) {
                            None => ("ready", None),
                            Some(change) => {
                                let names: Vec<_> = change.properties.iter().map(|p| p.name.clone()).collect();
                                ("drifted", Some(names.join(", ")).filter(|n| !n.is_empty()).or(change.reason))
                            }
                        },
                    },
                };
                (id, state)
            })
            .collect()
    }
}
