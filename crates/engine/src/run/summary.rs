//! The result of a run and the state of AWS, for the summary, the exit code and `status`.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use serde_json::Value;
use sftpctl_core::events::{Outcome, RegionRow, Summary};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Action, Actual, Owner, Settled};
use sftpctl_core::node::Node;
use sftpctl_core::outage::ADDRESSES;
use sftpctl_core::plan::model::Plan;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use super::Run;
use crate::execute::executor::Outcomes;
use crate::observe::Observed;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// AWS matches the environment file.
    Done,
    /// Something failed, and nothing was changed.
    Failed,
    /// Something was changed, and something else was not.
    Partly,
    /// A stop was requested.
    Interrupted,
}

impl Run {
    /// One row for each region, as AWS has it. One call for each region whose server has fixed addresses; where they
    /// cannot be read, the row has their allocation IDs, and a note says why.
    pub async fn regions(&self, actual: &Actual) -> Vec<RegionRow> {
        let shown = self.environment.regions.keys().filter(|region| {
            self.scope.is_whole() || self.resources.iter().any(|resource| *resource.id() == names::stack_node(region))
        });
        let mut rows: Vec<_> = shown.map(|region| region_row(&self.environment, region, actual)).collect();
        // Without endpoints in the file the printed policies allow no call of EC2.
        if !self.environment.names_endpoints() {
            return rows;
        }
        let clients: Vec<_> = rows.iter().map(|row| self.aws.ec2(&row.region)).collect();
        let reads = clients.iter().zip(&rows).map(|(ec2, row)| ec2.public_ips(&row.addresses));
        let found = join_all(reads).await;
        for (row, found) in rows.iter_mut().zip(found) {
            match found {
                Ok(addresses) => row.addresses = addresses,
                Err(error) => {
                    let what = format!("the fixed addresses of {} could not be read", row.region);
                    self.reporter.note(&format!("warning: {what}: {error}"));
                }
            }
        }
        rows
    }

    /// How the run ended, according to its summary.
    pub fn ended(&self, summary: &Summary) -> Ending {
        let stopped = self.state.last_run.as_ref().is_some_and(|run| run.outcome == "stopped");
        ending(summary, stopped, self.credentials_expired)
    }

    /// The state of every resource in one word, with details, for `status`.
    pub fn states(&self, observed: &Observed) -> BTreeMap<NodeId, (&'static str, Option<String>)> {
        self.resources.iter().map(|resource| (resource.id().clone(), condition(resource.as_ref(), observed))).collect()
    }
}

/// Counts the steps' outcomes. Regions, time and calls are left to the caller.
pub(super) fn summarize(environment: &str, command: &str, plan: &Plan, outcomes: &Outcomes) -> Summary {
    let count = |wanted: fn(&Outcome) -> bool| outcomes.values().filter(|outcome| wanted(outcome)).count();
    let planned = plan.steps.iter().filter(|step| step.change.action == Action::Keep).map(|step| {
        format!("{} ({}): {}", step.title, step.id.place(), step.change.reason.clone().unwrap_or_default())
    });
    let found = outcomes.iter().filter_map(|(id, outcome)| match outcome {
        Outcome::Kept { reason } => Some(format!("{id}: {reason}")),
        _ => None,
    });
    let kept: BTreeSet<String> = planned.chain(found).collect();
    let later = outcomes.iter().filter_map(|(id, outcome)| match outcome {
        Outcome::Later { reason } | Outcome::Incomplete { reason } => Some(format!("{id}: {reason}")),
        _ => None,
    });
    Summary {
        environment: environment.to_owned(),
        command: command.to_owned(),
        changed: count(|outcome| matches!(outcome, Outcome::Changed | Outcome::Incomplete { .. } | Outcome::Deleted)),
        failed: count(|outcome| matches!(outcome, Outcome::Failed { .. })),
        not_begun: count(|outcome| matches!(outcome, Outcome::Blocked { .. } | Outcome::Stopped)),
        kept: kept.into_iter().collect(),
        later: later.collect(),
        ..Summary::default()
    }
}

/// The state's word for how a run ended.
pub(super) fn outcome(summary: &Summary, stop_requested: bool) -> &'static str {
    match summary.failed + summary.not_begun + summary.later.len() {
        0 if summary.left_out.is_empty() => "done",
        0 => "partly",
        _ if stop_requested => "stopped",
        _ => "failed",
    }
}

/// How a run ended. `stopped`: a stop was requested, and steps were left undone. `credentials_expired`: the credentials
/// expired before its end.
fn ending(summary: &Summary, stopped: bool, credentials_expired: bool) -> Ending {
    match (summary.failed + summary.not_begun, summary.changed) {
        // Even if nothing was changed: the same command resumes with new credentials.
        _ if credentials_expired => Ending::Partly,
        _ if summary.failed == 0 && !summary.later.is_empty() => Ending::Partly,
        (0, _) if !summary.left_out.is_empty() => Ending::Partly,
        (0, _) => Ending::Done,
        _ if stopped => Ending::Interrupted,
        (_, 0) => Ending::Failed,
        _ => Ending::Partly,
    }
}

fn region_row(environment: &Environment, region: &str, actual: &Actual) -> RegionRow {
    let output = |node: &NodeId, name: &str| {
        actual.get(node).and_then(Option::as_ref).and_then(|live| live.outputs.get(name).cloned())
    };
    let server = names::server_node(region);
    let has_server = environment.regions.get(region).is_some_and(|settings| settings.server);
    RegionRow {
        region: region.to_owned(),
        stack: output(&names::stack_node(region), "StackStatus"),
        server: output(&server, "ServerId"),
        state: output(&server, "State"),
        host: environment.dns.as_ref().filter(|_| has_server).map(|dns| names::host(environment, region, &dns.zone)),
        endpoint: output(&server, "Endpoint"),
        addresses: allocations(region, actual),
    }
}

/// The allocation IDs of the addresses that a server's endpoint has, whatever the file says of it: customers connect to
/// these.
fn allocations(region: &str, actual: &Actual) -> Vec<String> {
    let server = actual.get(&names::server_node(region)).and_then(Option::as_ref);
    let used = server.and_then(|server| server.properties.get(ADDRESSES)).and_then(Value::as_array);
    used.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The state of a resource in one word, with details.
fn condition<N: Node + ?Sized>(resource: &N, observed: &Observed) -> (&'static str, Option<String>) {
    let id = resource.id();
    let live = match (observed.unreadable.get(id), observed.actual.get(id)) {
        (Some(error), _) => return ("unreadable", Some(error.to_string())),
        (None, None | Some(None)) => return ("missing", None),
        (None, Some(Some(live))) => live,
    };
    match (&live.owner, &live.settled) {
        (Owner::Foreign(what), _) => ("foreign", Some(what.clone())),
        (Owner::Ours, Settled::Pending(status)) => ("pending", Some(status.clone())),
        (Owner::Ours, Settled::Failed(status)) => ("failed", Some(status.clone())),
        (Owner::Ours, Settled::Ready) => match resource.diff(Some(live), &observed.actual) {
            None => ("ready", None),
            Some(change) => {
                let names: Vec<_> = change.properties.iter().map(|property| property.name.clone()).collect();
                ("drifted", Some(names.join(", ")).filter(|names| !names.is_empty()).or(change.reason))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_core::kind::Kind;
    use sftpctl_core::model::{Change, Live, Properties};
    use sftpctl_core::plan::model::{Step, VERSION};

    use super::*;

    fn node(region: &str) -> NodeId {
        NodeId::new(region, Kind::Server)
    }

    fn failed() -> Outcome {
        Outcome::Failed { error: "e".into(), causes: Vec::new(), left: "nothing".into(), hint: None }
    }

    fn plan(steps: &[(&str, Action)]) -> Plan {
        let steps = steps.iter().map(|(region, action)| Step {
            id: node(region),
            kind: Kind::Server,
            title: "server".into(),
            change: Change::new(*action, "it holds data"),
            needs: Vec::new(),
        });
        let (environment, account) = ("99".into(), "111111111111".into());
        Plan { version: VERSION, environment, account, steps: steps.collect() }
    }

    #[test]
    fn outcomes_are_counted_and_kept_data_is_named() {
        let outcomes = Outcomes::from([
            (node("a"), Outcome::Changed),
            (node("b"), Outcome::Deleted),
            (node("c"), failed()),
            (node("d"), Outcome::Blocked { by: node("c") }),
            (node("e"), Outcome::Stopped),
            (node("f"), Outcome::Unchanged),
            (node("g"), Outcome::Kept { reason: "it is not ours".into() }),
            (node("h"), Outcome::Later { reason: "tomorrow".into() }),
            (node("i"), Outcome::Incomplete { reason: "a rest".into() }),
        ]);
        let summary = summarize("99", "teardown", &plan(&[("x", Action::Keep)]), &outcomes);
        assert_eq!((summary.changed, summary.failed, summary.not_begun), (3, 1, 2));
        assert_eq!(summary.kept, ["g/server: it is not ours", "server (x): it holds data"]);
        assert_eq!(summary.later, ["h/server: tomorrow", "i/server: a rest"]);
    }

    #[test]
    fn ending_by_what_was_changed_and_left() {
        let summary = |changed, failed, later: &[&str]| Summary {
            changed,
            failed,
            later: later.iter().map(|&later| later.to_owned()).collect(),
            ..Summary::default()
        };
        for (summary, stopped, credentials_expired, expected, word) in [
            (summary(0, 0, &[]), false, false, Ending::Done, "done"),
            (summary(3, 0, &[]), false, false, Ending::Done, "done"),
            (summary(3, 1, &[]), false, false, Ending::Partly, "failed"),
            (summary(0, 1, &[]), false, false, Ending::Failed, "failed"),
            (summary(3, 1, &[]), true, false, Ending::Interrupted, "stopped"),
            (summary(3, 0, &["tomorrow"]), false, false, Ending::Partly, "failed"),
            (summary(0, 1, &[]), false, true, Ending::Partly, "failed"),
        ] {
            assert_eq!(ending(&summary, stopped, credentials_expired), expected, "{summary:?}");
            assert_eq!(outcome(&summary, stopped), word, "{summary:?}");
        }
        let left_out = Summary { left_out: vec![node("a")], ..summary(1, 0, &[]) };
        assert_eq!((ending(&left_out, false, false), outcome(&left_out, false)), (Ending::Partly, "partly"));
        let failed_too = Summary { failed: 1, changed: 0, ..left_out };
        assert_eq!((ending(&failed_too, false, false), outcome(&failed_too, false)), (Ending::Failed, "failed"));
    }

    /// A resource with one wanted property.
    struct Wanting(NodeId);

    impl Node for Wanting {
        fn kind(&self) -> Kind {
            Kind::Server
        }

        fn id(&self) -> &NodeId {
            &self.0
        }

        fn needs(&self) -> Vec<NodeId> {
            Vec::new()
        }

        fn title(&self) -> String {
            "server".into()
        }

        fn wanted(&self, _actual: &Actual) -> Properties {
            Properties::from([("ttl", 60.into())])
        }
    }

    #[test]
    fn conditions_of_a_resource() {
        let live = || Live::new("s-1").with("ttl", 60);
        for (live, expected) in [
            (None, ("missing", None)),
            (Some(live()), ("ready", None)),
            (Some(live().with("ttl", 61)), ("drifted", Some("ttl"))),
            (Some(live().settled(Settled::Pending("STARTING".into()))), ("pending", Some("STARTING"))),
            (Some(live().settled(Settled::Failed("START_FAILED".into()))), ("failed", Some("START_FAILED"))),
            (Some(live().owned_by(Owner::Foreign("not ours".into()))), ("foreign", Some("not ours"))),
        ] {
            let observed = Observed { actual: Actual::from([(node("a"), live)]), ..Observed::default() };
            let (word, detail) = condition(&Wanting(node("a")), &observed);
            assert_eq!((word, detail.as_deref()), expected);
        }
        let (word, _) = condition(&Wanting(node("a")), &Observed::default());
        assert_eq!(word, "missing");
    }

    #[test]
    fn a_region_without_a_server_has_no_host_name() {
        let source = include_str!("../../../../environments/99.yaml");
        let environment = sftpctl_core::spec::load(source, "99.yaml").unwrap();
        let stack = Live::new("arn").output("StackStatus", "CREATE_COMPLETE");
        // It is still in its VPC, although the file names none.
        let server = Live::new("s-1").output("ServerId", "s-1").output("State", "ONLINE");
        let server = server.with(ADDRESSES, serde_json::json!(["eipalloc-0123456789abcdef0"]));
        let actual = Actual::from([
            (names::stack_node("us-west-2"), Some(stack)),
            (names::server_node("us-west-2"), Some(server)),
        ]);
        let row = region_row(&environment, "us-west-2", &actual);
        assert_eq!((row.stack.as_deref(), row.server.as_deref()), (Some("CREATE_COMPLETE"), Some("s-1")));
        assert_eq!(row.host.as_deref(), Some("99-uploads-us-west-2.xx.net"));
        assert_eq!(row.addresses, ["eipalloc-0123456789abcdef0"]);
        let standby = region_row(&environment, "us-east-1", &actual);
        assert_eq!((standby.stack, standby.server, standby.host), (None, None, None));
    }
}
