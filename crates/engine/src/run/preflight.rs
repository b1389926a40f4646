//! The checks around a deployment: before the first one, and after one that failed.

use sftpctl_core::check::Report;
use sftpctl_core::model::Actual;
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
        let mut environment = self.environment.clone();
        if let Scope::Regions(regions) = &self.scope {
            environment.regions.retain(|region, _| regions.contains(region));
        }
        doctor::examine_quickly(&self.aws, environment, &self.state).await
    }
}
