//! `sftpctl teardown`.

use super::common::{Look, Patience, Target, confirm, confirm_by_name};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use crate::report::{plan_view, summary};
use sftpctl_core::model::{Action, RemovalOptions};
use sftpctl_engine::execute::executor::Task;
use sftpctl_engine::run::Run;

/// What goes, and how it is confirmed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl teardown --env 99\n  sftpctl teardown --env 99 --yes --delete-data\n  \
    sftpctl teardown --env prod --confirm prod\n  \
    sftpctl teardown --env 99 --orphans\n\n\
    Buckets with files and the table stay without --delete-data, and the next deploy takes them back.")]
pub(super) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    patience: Patience,
    /// Do not ask (not enough in production)
    #[arg(long)]
    yes: bool,
    /// Also delete customers' files, with all versions, and the accounts
    #[arg(long)]
    delete_data: bool,
    /// Remove what `drift` lists as orphans, and nothing else
    #[arg(long)]
    orphans: bool,
    /// With --orphans: also look in this region (repeatable) [default: the regions of the file and of the state]
    #[arg(long = "also-region", value_name = "REGION", requires = "orphans")]
    also_regions: Vec<String>,
    /// The environment's name, which production asks for
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

/// Shows what goes, asks, does it.
pub(super) async fn run(args: Args, look: Look) -> Result<Exit, CliError> {
    if !args.target.regions.is_empty() {
        return Err(CliError::new(
            Exit::Usage,
            "teardown takes a whole environment down; --region does not go with it",
        ));
    }
    let run = args.target.open(look).await?;
    run.locked("teardown", args.patience.lock_timeout, async |run| work(&args, run, look).await).await
}

async fn work(args: &Args, run: &mut Run, look: Look) -> Result<Exit, CliError> {
    let options = RemovalOptions { delete_data: args.delete_data };
    let seen = run.observe().await;
    match args.orphans {
        true => run.take_down_orphans(&seen, &args.also_regions).await?,
        false => run.take_down_everything(&seen).await?,
    }
    let observed = run.observe().await;
    let (plan, edges) = run.plan_teardown(&observed, options).await?;
    if look.output != Output::Json && !plan.is_empty() {
        output::data(&plan_view::render(&plan, output::width()));
    }
    let name = run.environment.name.clone();
    if plan.steps.iter().all(|step| step.change.action == Action::Keep) {
        run.nothing_to_do("teardown", &observed.actual).await?;
        match look.output {
            Output::Json => output::json("plan/1", &plan),
            _ => output::data(&format!("Nothing is left to take down of environment {name}.")),
        }
        return Ok(Exit::Ok);
    }
    let question = match args.orphans {
        true => format!("Remove these orphans of environment {name}? [y/N]"),
        false => format!("Take environment {name} down? [y/N]"),
    };
    match args.confirm.as_deref() {
        None if !run.environment.production && args.yes => {}
        None if !run.environment.production => confirm(&question, &["y", "yes"], "--yes").await?,
        typed => confirm_by_name(&name, typed, "take it down").await?,
    }
    let done = run.execute("teardown", (&plan, &edges), observed.actual, Task::Delete(options)).await?;
    if look.output != Output::Json {
        output::data(&format!("\n{}", summary::render(&done, output::width())));
    }
    Ok(run.ended(&done).into())
}
