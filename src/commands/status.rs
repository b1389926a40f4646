//! `sftpctl status`.

use super::common::{Look, Target};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use crate::report::status::{ResourceStatus, StatusReport, render};
use sftpctl_engine::state::model::LastRun;

/// Shows what exists.
pub(super) async fn run(target: Target, look: Look) -> Result<Exit, CliError> {
    let mut run = target.open(look).await?;
    let observed = run.observe().await;
    let mut states = run.states(&observed);
    let resources = run
        .resources()
        .iter()
        .filter_map(|resource| {
            let (state, detail) = states.remove(resource.id())?;
            Some(ResourceStatus { id: resource.id().clone(), title: resource.title(), state, detail })
        })
        .collect();
    let now = jiff::Timestamp::now().as_second();
    let age = |run: &Option<LastRun>| {
        let then = run.as_ref()?.started.parse::<jiff::Timestamp>().ok()?;
        Some((now - then.as_second()).max(0))
    };
    let (last_deploy, last_run) = (run.state.last_deploy.clone(), run.state.last_run.clone());
    let report = StatusReport {
        environment: run.environment.name.clone(),
        account: run.environment.account.clone(),
        deploy_age_seconds: age(&last_deploy),
        last_deploy,
        age_seconds: age(&last_run),
        last_run,
        orphans: run.orphan_names(&observed.actual).await,
        regions: run.regions(&observed.actual),
        resources,
    };
    match look.output {
        Output::Json => output::json("status/1", &report),
        _ => output::data(&render(&report, output::width())),
    }
    Ok(Exit::Ok)
}
