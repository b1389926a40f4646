//! `sftpctl status`: shows the resources that exist, or why the last run failed.

mod why;

use super::args::EnvArgs;
use super::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::status::{ResourceStatus, StatusReport, render};
use crate::report::{Printer, hints, streams};
use sftpctl_engine::clock;
use sftpctl_engine::state::expiry::Expiry;
use sftpctl_engine::state::model::LastRun;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl status --env 99\n  \
    sftpctl status --env 99 --output json\n  \
    sftpctl status --env 99 --why")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    /// Show why the last run with a failure failed, from the state alone, also while another run is at work
    #[arg(long, conflicts_with = "regions")]
    why: bool,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    if args.why {
        return why::run(&args.env, printer).await;
    }
    let mut run = args.env.open(Permissions::Reads, printer).await?;
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
    let (last_deploy, last_run) = (run.state.last_deploy.clone(), run.state.last_run.clone());
    let now = jiff::Timestamp::now().as_second();
    let expiry = run.environment.ttl.as_ref().map(|ttl| Expiry::of(ttl, &run.state, now));
    let end = expiry.and_then(Expiry::end);
    let report = StatusReport {
        environment: run.environment.name.clone(),
        account: run.environment.account.clone(),
        deploy_age_seconds: age(last_deploy.as_ref()),
        last_deploy,
        age_seconds: age(last_run.as_ref()),
        last_run,
        expires: end.and_then(|end| jiff::Timestamp::from_second(end).ok()).map(clock::rfc3339),
        expires_in_seconds: end.map(|end| end.saturating_sub(now)),
        orphans: run.orphan_names(&observed.actual).await,
        regions: run.regions(&observed.actual).await,
        resources,
    };
    printer.emit("status/1", &report, || hints::completed_lines(&render(&report, streams::width())));
    Ok(Exit::Ok)
}

/// Seconds since a run began.
fn age(run: Option<&LastRun>) -> Option<i64> {
    let started = run?.started.parse::<jiff::Timestamp>().ok()?;
    Some((jiff::Timestamp::now().as_second() - started.as_second()).max(0))
}
