//! `sftpctl deploy`.

use std::path::PathBuf;

use super::common::{Look, Patience, Target, confirm, confirm_by_name};
use super::plan::saved;
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use crate::report::{plan_view, summary};
use sftpctl_core::model::Action;
use sftpctl_engine::execute::executor::Task;
use sftpctl_engine::run::{Earlier, Run};
use sftpctl_engine::verify::Sender;

/// What to deploy, and whether to ask.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl deploy --env 99\n  sftpctl deploy --env 99 --local --yes\n  \
    sftpctl plan --env 99 --out plan.json && sftpctl deploy --env 99 --plan plan.json --yes\n\n\
    It ends with a check: a canary account, made for it and removed after it, logs in at every server. Where one \
    refuses it, the next deploy checks again, with or without changes.\n\
    Servers, records and stacks that were taken out of the file go; buckets and tables never do.\n\
    A killed or failed deploy needs one thing: run it again.")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    patience: Patience,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Do exactly what this saved plan says, or nothing
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The environment's name, which production asks for where something goes that the file has dropped
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Do not log a canary account in at the end
    #[arg(long)]
    no_verify: bool,
}

/// Shows the plan, asks, does it.
pub(super) async fn run(args: Args, look: Look) -> Result<Exit, CliError> {
    let run = args.target.open(look).await?;
    run.locked("deploy", args.patience.lock_timeout, async |run| work(&args, run, look).await).await
}

async fn work(args: &Args, run: &mut Run, look: Look) -> Result<Exit, CliError> {
    let observed = run.observe().await;
    let (plan, edges) = run.plan(&observed)?;
    if let Some(path) = &args.plan {
        let saved = saved::read(path)?;
        let earlier = run.does_saved_plan(&saved::digest(&saved));
        saved::check(&saved, &plan, earlier)?;
        if earlier == Earlier::Whole && plan.is_empty() {
            output::progress(&format!("{} was done by the last run", path.display()));
        }
    }
    if look.output != Output::Json {
        output::data(&plan_view::render(&plan, output::width()));
    }
    if plan.is_empty() {
        // One that did not end may have made just now what AWS does not know everywhere.
        let killed = run.state.last_deploy.as_ref().is_none_or(|run| run.finished.is_none());
        run.nothing_to_do("deploy", &observed.actual).await?;
        if look.output == Output::Json {
            output::json("plan/1", &plan);
        } else {
            output::progress(&format!("{} AWS calls", run.calls()));
        }
        // The run that made it was killed before it looked, or was refused.
        let unverified = run.unverified();
        return if args.no_verify { Ok(Exit::Ok) } else { verify(run, &unverified, killed, look).await };
    }
    let name = &run.environment.name;
    let goes = plan.steps.iter().any(|step| step.change.action == Action::Delete);
    // A saved plan was looked at; a slip in a file that deploys itself was not.
    if run.environment.production && goes && args.plan.is_none() {
        confirm_by_name(name, args.confirm.as_deref(), "remove what the file has dropped").await?;
    } else if !args.yes {
        confirm(&format!("Deploy environment {name}? [y/N]"), &["y", "yes"], "--yes").await?;
    }
    let done = run.execute("deploy", (&plan, &edges), observed.actual, Task::Apply).await?;
    if look.output != Output::Json {
        output::data(&format!("\n{}", summary::render(&done, output::width())));
    }
    let ended = Exit::from(run.ended(&done));
    if args.no_verify || ended != Exit::Ok {
        return Ok(ended);
    }
    let fresh = plan.steps.iter().any(|step| step.change.action != Action::Delete);
    let served = run.served();
    verify(run, &served, fresh, look).await
}

/// A server that admits nobody is a failed deploy, and stays one until it does.
async fn verify(run: &mut Run, regions: &[String], fresh: bool, look: Look) -> Result<Exit, CliError> {
    if regions.is_empty() {
        return Ok(Exit::Ok);
    }
    if look.output != Output::Json {
        output::data("");
    }
    let sender = Sender::Deployment { fresh, servers: run.server_ids() };
    let exit = super::login::canary(run.aws(), &run.environment, regions, &sender, look).await?;
    if exit == Exit::Ok {
        run.verified(regions).await?;
    }
    Ok(exit)
}
