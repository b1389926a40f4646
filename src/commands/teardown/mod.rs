//! `sftpctl teardown`: deletes an environment, its orphans, or the environments whose time is over.

mod expired;

use std::path::PathBuf;

use super::args::{EnvArgs, LockTimeout, Yes};
use super::notify::Told;
use super::permissions::Permissions;
use super::prompt::{confirm, confirm_by_name};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, plan_view, streams, summary};
use sftpctl_core::model::{Action, RemovalOptions};
use sftpctl_engine::execute::executor::Task;
use sftpctl_engine::run::Run;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl teardown --env 99\n  \
    sftpctl teardown --env 99 --yes --delete-data\n  \
    sftpctl teardown --env prod --confirm prod\n  \
    sftpctl teardown --env 99 --orphans\n  \
    sftpctl teardown --env 99 --expired --yes\n  \
    sftpctl teardown --folder environments --expired --yes\n\n\
    Without --delete-data, buckets with files and the table are kept, and the next deploy uses them again. So are fixed \
    addresses without --release-addresses, which are billed (`sftpctl cost`).\n\n\
    --expired is for a job that runs by the clock: it deletes what has lived for the `ttl` of its file since its last \
    deployment, says of every other environment why it is kept, and ends with 0 if there is none. Customers' files and \
    accounts are deleted only where the file says `ttl: { after: 8h, delete_data: true }`.")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    #[command(flatten)]
    lock_timeout: LockTimeout,
    #[command(flatten)]
    yes: Yes,
    /// Also delete customers' files, with all versions, and the accounts
    #[arg(long)]
    delete_data: bool,
    /// Also release the fixed addresses, which customers' firewalls know, and others may get
    #[arg(long)]
    release_addresses: bool,
    /// Delete what `drift` lists as orphans, and nothing else
    #[arg(long)]
    orphans: bool,
    /// With --orphans: also look in this region (repeatable) [default: those of the file and the state]
    #[arg(long = "also-region", value_name = "REGION", requires = "orphans")]
    also_regions: Vec<String>,
    /// Only if the environment's time is over: its `ttl`, counted from its last deployment
    #[arg(long, conflicts_with_all = ["delete_data", "orphans", "confirm"])]
    expired: bool,
    /// With --expired: each environment whose file is in this folder
    #[arg(long, value_name = "PATH", requires = "expired", conflicts_with_all = ["env", "env_file"])]
    folder: Option<PathBuf>,
    /// The environment's name, which production needs instead of --yes
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
}

/// What is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Everything,
    Orphans,
}

/// Deletes the environment under its lock.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    if !args.env.regions.is_empty() {
        return Err(CliError::new(
            Exit::Usage,
            "teardown deletes a whole environment and cannot be limited by --region",
        )
        .hint("omit --region; nothing was changed"));
    }
    if args.expired {
        return expired::run(&args, printer).await;
    }
    let told = Told::new("teardown");
    let result = teardown_locked(&args, &told, printer).await;
    told.end(&args.env.aws, result, printer).await
}

async fn teardown_locked(args: &Args, told: &Told, printer: Printer) -> Result<Exit, CliError> {
    let run = args.env.open(Permissions::TearsDown, printer).await?;
    let options = RemovalOptions { delete_data: args.delete_data, release_addresses: args.release_addresses };
    let scope = if args.orphans { Scope::Orphans } else { Scope::Everything };
    let work = async |run: &mut Run| teardown((args, told), scope, options, run, printer).await;
    run.locked("teardown", args.lock_timeout.seconds, work).await
}

async fn teardown(
    (args, told): (&Args, &Told),
    scope: Scope,
    options: RemovalOptions,
    run: &mut Run,
    printer: Printer,
) -> Result<Exit, CliError> {
    let first = run.observe().await;
    match scope {
        Scope::Orphans => run.take_down_orphans(&first, &args.also_regions).await?,
        Scope::Everything => run.take_down_everything(&first).await?,
    }
    let observed = run.observe().await;
    let (plan, edges) = run.plan_teardown(&observed, options).await?;
    if !plan.is_empty() {
        printer.text(|| plan_view::render(&plan, &[], streams::width()));
    }
    let name = run.environment.name.clone();
    if plan.steps.iter().all(|step| step.change.action == Action::Keep) {
        run.nothing_to_do("teardown", &observed.actual).await?;
        printer.emit("plan/1", &plan, || format!("Nothing is left to delete of environment {name}."));
        return Ok(Exit::Ok);
    }
    confirm_deletion(args, &name, run.environment.production).await?;
    let summary = run.execute("teardown", (&plan, &edges), observed.actual, Task::Delete(options)).await?;
    told.learn_steps(&summary);
    printer.text(String::new);
    printer.text(|| summary::render(&summary, streams::width()));
    Ok(run.ended(&summary).into())
}

async fn confirm_deletion(args: &Args, name: &str, is_production: bool) -> Result<(), CliError> {
    let question = match args.orphans {
        true => format!("Delete these orphans of environment {name}? [y/N]"),
        false => format!("Delete environment {name}? [y/N]"),
    };
    match args.confirm.as_deref() {
        None if !is_production && args.yes.yes => Ok(()),
        None if !is_production => confirm(&question).await,
        typed => confirm_by_name(name, typed, "delete it").await,
    }
}
