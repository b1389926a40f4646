//! `sftpctl status`.

use super::common::{Look, Target};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use crate::report::status::{ResourceStatus, StatusReport, render};

/// Shows what exists.
pub(super) async fn run(target: Target, look: Look) -> Result<Exit, CliError> {
    let mut session = target.open(look).await?;
    let observed = session.observe().await;
    let mut states = session.states(&observed);
    let resources = session
        .resources()
        .iter()
        .filter_map(|resource| {
            let (state, detail) = states.remove(resource.id())?;
            Some(ResourceStatus { id: resource.id().clone(), title: resource.title(), state, detail })
        })
        .collect();
    let last_run = session.state.last_run.clone();
    let age_seconds = last_run.as_ref().and_then(|run| run.started.parse::<jiff::Timestamp>().ok()).map(|then| {
        let seconds = jiff::Timestamp::now().as_second() - then.as_second();
        seconds.max(0)
    });
    let report = StatusReport {
        environment: session.environment.name.clone(),
        account: session.environment.account.clone(),
        last_run,
        age_seconds,
        regions: session.regions(&observed.world),
        resources,
    };
    match look.output {
        Output::Json => output::json("status/1", &report),
        _ => output::data(&render(&report, output::width())),
    }
    Ok(Exit::Ok)
}
