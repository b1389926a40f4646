//! The checks around a deployment: before the first one, and after one that failed.

use sftpctl_core::check::Report;
use sftpctl_core::model::{Action, Actual};
use sftpctl_core::outage;
use sftpctl_core::plan::model::Plan;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use super::Run;
use super::scope::Scope;
use crate::doctor;

impl Run {
    /// Whether nothing was ever deployed: no deployment in the state, and no stack in AWS.
    pub fn is_first_deployment(&self, actual: &Actual) -> bool {
        let mut regions = self.environment.regions.keys();
        self.state.last_deploy.is_none()
            && !regions.any(|region| matches!(actual.get(&names::stack_node(region)), Some(Some(_))))
    }

    /// The checks of `doctor` that need few calls, in the run's regions.
    pub async fn examine(&self) -> Report {
        doctor::examine_quickly(&self.aws, self.of_scope(), &self.state).await
    }

    /// Before anything of a plan is done: the networks of servers that are created in a VPC or moved, and whether the
    /// topics that `files.notify` names take messages. Asks AWS nothing without any.
    pub async fn examine_changes(&self, plan: &Plan) -> Report {
        let is_moved = |region: &&String| {
            let node = names::server_node(region);
            let mut steps = plan.steps.iter().filter(|step| step.id == node);
            steps.any(|step| step.change.action == Action::Create || outage::stops_server(&step.change))
        };
        let moving: Vec<String> = self.environment.regions.keys().filter(is_moved).cloned().collect();
        doctor::examine_changes(&self.aws, self.of_scope(), &self.state, &moving).await
    }

    /// The environment with the run's regions alone.
    fn of_scope(&self) -> Environment {
        let mut environment = self.environment.clone();
        if let Scope::Regions(regions) = &self.scope {
            environment.regions.retain(|region, _| regions.contains(region));
        }
        environment
    }
}
