//! Plans a run from the resources that were read, or reports every reason why it must not begin.

use std::sync::Arc;
use std::time::Instant;

use sftpctl_aws::AwsError;
use sftpctl_core::model::{Owner, Removal, RemovalOptions};
use sftpctl_core::plan::graph::Edges;
use sftpctl_core::plan::model::Plan;
use sftpctl_core::plan::planner;

use super::Run;
use super::error::RunError;
use super::selected::Planned;
use crate::observe::Observed;
use crate::resources::resource::Resource;

impl Run {
    /// Plans a deployment, or refuses it with all findings at once.
    ///
    /// # Errors
    /// Foreign resources with the environment's names, missing permissions, a missing zone; or what is selected needs
    /// something that is not.
    pub fn plan(&self, observed: &Observed) -> Result<Planned, RunError> {
        check_decided(observed)?;
        let concerned = self.concerned();
        let seen = self.concerning(observed);
        let findings = findings(&concerned, &seen);
        if !findings.is_empty() {
            let adoptable = importable(&concerned, &seen);
            return Err(RunError::NotDeployable { environment: self.environment.name.clone(), findings, adoptable });
        }
        let begun = Instant::now();
        let (name, account) = (&self.environment.name, &self.environment.account);
        let (plan, edges) = planner::deploy(name, account, &self.resources, &self.retired(), &observed.actual)?;
        tracing::debug!(microseconds = begun.elapsed().as_micros(), "planned");
        let (plan, left_out) = self.selection.divide(plan).map_err(RunError::Severed)?;
        Ok(Planned { plan, edges, left_out })
    }

    /// Plans a teardown.
    ///
    /// # Errors
    /// A resource could not be read, or is protected: nothing is deleted, since the teardown could not be completed.
    pub async fn plan_teardown(&self, observed: &Observed, options: RemovalOptions) -> Result<(Plan, Edges), RunError> {
        check_decided(observed)?;
        check_readable(observed)?;
        let mut removals = Vec::new();
        for resource in &self.resources {
            let Some(Some(live)) = observed.actual.get(resource.id()) else { continue };
            let removal = match &live.owner {
                Owner::Foreign(what) => Removal::Keep(what.clone()),
                Owner::Ours => resource.removal(&self.aws, live, options).await.map_err(RunError::Removal)?,
            };
            removals.push((resource.id().clone(), removal));
        }
        let refusals = removals.iter().filter_map(|(_, removal)| match removal {
            Removal::Refuse(why) => Some(why.clone()),
            Removal::Delete | Removal::Keep(_) | Removal::Leave => None,
        });
        let refusals: Vec<String> = refusals.collect();
        if !refusals.is_empty() {
            return Err(RunError::NotRemovable { environment: self.environment.name.clone(), refusals });
        }
        Ok(planner::teardown(&self.environment.name, &self.environment.account, &self.resources, &removals)?)
    }
}

/// Refuses to plan while the outcome of an earlier run's creation is unknown.
///
/// # Errors
/// Lists the resources that could not be searched for.
pub(super) fn check_decided(observed: &Observed) -> Result<(), RunError> {
    if observed.undecided.is_empty() {
        return Ok(());
    }
    let resources = observed.undecided.iter().map(|(id, why)| format!("{id}: {why}")).collect();
    Err(RunError::Undecided { resources })
}

/// Refuses to delete anything while a resource could not be read: it may be in use.
///
/// # Errors
/// Names the first resource that could not be read.
pub(super) fn check_readable(observed: &Observed) -> Result<(), RunError> {
    // Without the zone there are no records to delete.
    match observed.unreadable.iter().find(|(_, error)| !error.is("NoSuchHostedZone")) {
        None => Ok(()),
        Some((id, error)) => Err(RunError::Unreadable { id: id.clone(), error: error.clone() }),
    }
}

/// Nodes of foreign resources that `import` may take over.
fn importable(resources: &[Arc<dyn Resource>], observed: &Observed) -> Vec<String> {
    let is_importable = |resource: &&Arc<dyn Resource>| {
        let live = observed.actual.get(resource.id()).and_then(Option::as_ref);
        live.is_some_and(|live| live.owner != Owner::Ours && resource.may_be_imported(live))
    };
    let mut ids: Vec<_> = resources.iter().filter(is_importable).map(|resource| resource.id().to_string()).collect();
    ids.sort();
    ids
}

/// Every reason why a deployment must not begin, one sentence each.
fn findings(resources: &[Arc<dyn Resource>], observed: &Observed) -> Vec<String> {
    let mut findings = planner::foreign(&observed.actual);
    // Other errors of reads count as temporary: the step reads again.
    let is_for_the_user =
        |error: &AwsError| error.is_credentials() || error.is_access_denied() || error.is("NoSuchHostedZone");
    for (id, error) in observed.unreadable.iter().filter(|(_, error)| is_for_the_user(error)) {
        let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
        findings.push(format!("{id}: {error}{hint}"));
    }
    findings.extend(observed.name_conflicts.iter().cloned());
    for resource in resources {
        let live = observed.actual.get(resource.id()).and_then(Option::as_ref);
        findings.extend(live.and_then(|live| resource.refusal(live)));
    }
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests {
    use sftpctl_core::kind::{Kind, NodeId};
    use sftpctl_core::model::Live;

    use super::*;

    fn error(code: &str) -> AwsError {
        AwsError {
            operation: "transfer:ListServers",
            object: String::new(),
            code: Some(code.to_owned()),
            message: "m".to_owned(),
            status: Some(400),
        }
    }

    fn server() -> NodeId {
        NodeId::new("us-west-2", Kind::Server)
    }

    #[test]
    fn import_is_offered_only_for_what_it_takes() {
        let source = include_str!("../../../../environments/99.yaml");
        let environment = sftpctl_core::spec::load(source, "99.yaml").unwrap();
        let inputs = crate::desired::Inputs {
            code: Arc::new(crate::package::Package::new(&[]).unwrap()),
            host_keys: Arc::from([]),
            adopted_tags: std::collections::BTreeMap::new(),
            servers: Arc::from([]),
        };
        let resources = crate::desired::resources(&environment, &inputs).unwrap();
        let mut observed = Observed::default();
        let foreign = || Live::new("x").owned_by(Owner::Foreign("it is not ours".into()));
        for resource in &resources {
            observed.actual.insert(resource.id().clone(), Some(foreign().with("type", "A")));
        }
        let offered = importable(&resources, &observed);
        let kinds = ["bucket", "replica", "server", "table", "user-policy", "user-role"];
        assert!(offered.iter().all(|id| kinds.iter().any(|kind| id.split('/').nth(1) == Some(*kind))), "{offered:?}");
        assert_eq!(offered.len(), 6 + 2 + 2 + 1 + 1 + 1);
        observed.actual.values_mut().for_each(|live| *live = Some(foreign().with("type", "CNAME")));
        assert!(importable(&resources, &observed).iter().any(|id| id.starts_with("global/record/")));
        observed.actual.values_mut().flatten().for_each(|live| live.owner = Owner::Ours);
        assert_eq!(importable(&resources, &observed), Vec::<String>::new());
    }

    #[test]
    fn foreign_resources_and_missing_permissions_are_all_reported() {
        let mut observed = Observed::default();
        let foreign = Live::new("r").owned_by(Owner::Foreign("role r is not ours".into()));
        observed.actual.insert(NodeId::new("global", Kind::UserRole), Some(foreign));
        observed.unreadable.insert(server(), error("AccessDeniedException"));
        observed.name_conflicts.push("function f is not ours".into());
        let found = findings(&[], &observed);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("role r") && found[1].starts_with("us-west-2/server: "), "{found:?}");
    }

    #[test]
    fn temporary_errors_do_not_stop_a_deployment() {
        let mut observed = Observed::default();
        observed.unreadable.insert(server(), error("ThrottlingException"));
        assert_eq!(findings(&[], &observed), Vec::<String>::new());
    }

    #[test]
    fn unread_resources_stop_a_teardown() {
        let mut observed = Observed::default();
        assert!(check_readable(&observed).is_ok());
        observed.unreadable.insert(server(), error("NoSuchHostedZone"));
        assert!(check_readable(&observed).is_ok(), "without the zone there are no records");
        observed.unreadable.insert(server(), error("ThrottlingException"));
        assert!(matches!(check_readable(&observed), Err(RunError::Unreadable { .. })));
    }

    #[test]
    fn unknown_outcomes_stop_every_plan() {
        let mut observed = Observed::default();
        assert!(check_decided(&observed).is_ok());
        observed.undecided.insert(server(), "Rate exceeded".into());
        let Err(RunError::Undecided { resources }) = check_decided(&observed) else { panic!("planned") };
        assert_eq!(resources, ["us-west-2/server: Rate exceeded"]);
    }
}
