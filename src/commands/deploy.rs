//! `sftpctl deploy`: from the environment file to a log-in.

use std::path::PathBuf;

use super::args::{EnvArgs, LockTimeout, Part, Yes};
use super::cost::inputs::{Counting, PlanCost};
use super::permissions::Permissions;
use super::prompt::{confirm, confirm_by_name};
use super::{login_checks, notify, saved_plan_file};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::plan_view::{self, PlanView};
use crate::report::{Printer, clients, cost, hints, streams, summary};
use sftpctl_core::check::{Report, Status};
use sftpctl_core::clients::change::policy_changes;
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Action, Actual};
use sftpctl_core::outage;
use sftpctl_core::plan::model::{Plan, Step};
use sftpctl_core::plan::saved::{self, Earlier};
use sftpctl_engine::execute::executor::Task;
use sftpctl_engine::run::{Planned, Run};
use sftpctl_engine::verify::Sender;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl deploy --env 99\n  \
    sftpctl deploy --env 99 --local --yes\n  \
    sftpctl plan --env 99 --out plan.json && sftpctl deploy --env 99 --plan plan.json --yes\n  \
    sftpctl deploy --env 99 --usage usage.yaml --max-monthly-increase 50\n  \
    sftpctl deploy --env 99 --skip us-east-2/server\n  \
    sftpctl deploy --env 99 --only stack --only '*/server-id'\n\n\
    The deployment ends with a check: a canary account, created for it and deleted after it, logs in at every server. \
    Where a server refuses it, the next deploy checks that server again, with or without changes.\n\n\
    Servers, records and stacks that are no longer in the environment file are deleted; buckets and tables never \
    are.\n\n\
    --only and --skip leave out the rest of the plan, list it, and end with 6; the next deploy without them does it. \
    A step that needs one that is left out is refused. PATTERN is a region or `global`, a kind as `server`, both as \
    us-east-2/server, a resource as `plan --output json` names it, or the words of the plan; * stands for any \
    characters.\n\n\
    After a failed, killed or interrupted deploy, rerun it to resume.")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    lock_timeout: LockTimeout,
    #[command(flatten)]
    yes: Yes,
    /// Follow this saved plan exactly, or do nothing
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The environment's name, to confirm deletions and outages in production
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// Skip the canary log-in after the deployment
    #[arg(long)]
    no_verify: bool,
    #[command(flatten)]
    cost: PlanCost,
}

/// Deploys under the environment's lock.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let told = notify::Told::new("deploy");
    let result = deploy_locked(&args, &told, printer).await;
    told.end(&args.env.aws, result, printer).await
}

async fn deploy_locked(args: &Args, told: &notify::Told, printer: Printer) -> Result<Exit, CliError> {
    let saved = args.plan.as_deref().map(saved_plan_file::read).transpose()?;
    let run = args.env.open_part(Permissions::Deploys, args.part.selection(), printer).await?;
    let counting = args.cost.read(&run.environment, printer)?;
    let work = async |run: &mut Run| deploy(args, (saved.as_ref(), told), &counting, run, printer).await;
    run.locked("deploy", args.lock_timeout.seconds, work).await
}

async fn deploy(
    args: &Args,
    (saved, told): (Option<&Plan>, &notify::Told),
    counting: &Counting,
    run: &mut Run,
    printer: Printer,
) -> Result<Exit, CliError> {
    let observed = run.observe().await;
    let Planned { plan, edges, left_out } = run.plan(&observed)?;
    check_saved_plan(args, saved, run, &plan)?;
    printer.text(|| plan_view::render(&plan, &left_out, streams::width()));
    printer.lines(plan_view::moved_lines(&plan_view::moved(&run.environment)));
    if plan.is_empty() {
        return record_and_check_again((args, told), run, (&plan, &left_out), &observed.actual, printer).await;
    }
    let change = counting.change(&run.environment, &plan, &left_out)?;
    printer.text(|| {
        let mut text = clients::policy_changes(&policy_changes(&plan), &plan.environment, streams::width());
        text.extend(cost::change(&change));
        text
    });
    counting.check(&change)?;
    check_before(args, run, &plan, &observed.actual).await?;
    confirm_plan(args, run, &plan).await?;
    let summary = run.execute("deploy", (&plan, &edges), observed.actual, Task::Apply).await?;
    told.learn_steps(&summary);
    printer.text(String::new);
    printer.text(|| hints::completed_lines(&summary::render(&summary, streams::width())));
    match Exit::from(run.ended(&summary)) {
        Exit::Ok => verify((args, told), run, run.served(), has_new_resources(&plan), printer).await,
        Exit::Partly if summary.failed + summary.not_begun == 0 && !summary.left_out.is_empty() => {
            let regions = run.whole_regions(&summary.left_out);
            let exit = verify((args, told), run, regions, has_new_resources(&plan), printer).await?;
            Ok(if exit == Exit::Ok { Exit::Partly } else { exit })
        }
        unfinished => {
            if matches!(unfinished, Exit::Failed | Exit::Partly) {
                check_after(args, run).await;
            }
            Ok(unfinished)
        }
    }
}

/// Before a first deployment, and before a server is moved: warns, or refuses what would certainly fail.
async fn check_before(args: &Args, run: &Run, plan: &Plan, actual: &Actual) -> Result<(), CliError> {
    let report = match run.is_first_deployment(actual) {
        true => run.examine().await,
        false => run.examine_changes(plan).await,
    };
    warn(&report, Status::Warning);
    if report.is_fit() {
        return Ok(());
    }
    let mut error = CliError::new(Exit::Failed, format!("environment {} cannot be deployed yet", report.environment))
        .hint(format!("nothing was changed; `sftpctl doctor {}` says what to do", args.env.words()));
    error.causes = report.sentences(Status::Failed);
    Err(error)
}

/// After a failed deployment: what may be the cause.
async fn check_after(args: &Args, run: &Run) {
    let report = run.examine().await;
    warn(&report, Status::Failed);
    warn(&report, Status::Warning);
    if !report.is_fit() {
        streams::progress(format!("hint: `sftpctl doctor {}` says what to do", args.env.words()));
    }
}

/// Prints the findings of this status.
pub(super) fn warn(report: &Report, status: Status) {
    report.sentences(status).iter().for_each(|sentence| streams::progress(format!("warning: {sentence}")));
}

/// With `--plan`: refuses any plan but the saved one, or the rest of it that an earlier run left.
fn check_saved_plan(args: &Args, saved: Option<&Plan>, run: &mut Run, plan: &Plan) -> Result<(), CliError> {
    let (Some(path), Some(saved)) = (&args.plan, saved) else { return Ok(()) };
    let earlier = run.does_saved_plan(&saved::digest(saved));
    saved::check(saved, plan, earlier).map_err(|stale| {
        CliError::from(stale).hint(format!(
            "plan again: sftpctl plan {}{} --out FILE",
            args.env.words(),
            args.part.words()
        ))
    })?;
    if earlier == Earlier::Whole && plan.is_empty() {
        streams::progress(format!("the last run finished {}", path.display()));
    }
    Ok(())
}

/// With nothing to do: records the run, and checks the servers that an earlier deployment left unchecked.
async fn record_and_check_again(
    (args, told): (&Args, &notify::Told),
    run: &mut Run,
    (plan, left_out): (&Plan, &[Step]),
    actual: &Actual,
    printer: Printer,
) -> Result<Exit, CliError> {
    // A killed deployment may have created resources moments ago that AWS has not propagated yet.
    let is_fresh = run.state.last_deploy.as_ref().is_none_or(|run| run.finished.is_none());
    run.nothing_to_do("deploy", actual).await?;
    printer.json("plan/1", &PlanView { plan, left_out, moved: plan_view::moved(&run.environment) });
    printer.note(|| format!("{} AWS calls", run.calls()));
    let left: Vec<NodeId> = left_out.iter().map(|step| step.id.clone()).collect();
    let whole = run.whole_regions(&left);
    let unverified = run.unverified().into_iter().filter(|region| whole.contains(region)).collect();
    let exit = verify((args, told), run, unverified, is_fresh, printer).await?;
    Ok(if exit == Exit::Ok && !left.is_empty() { Exit::Partly } else { exit })
}

/// Asks for confirmation. In production, deletions and outages require the environment's name unless they are in a
/// saved plan: a plan was reviewed, while an environment file that a pipeline deploys by itself may have an error.
async fn confirm_plan(args: &Args, run: &Run, plan: &Plan) -> Result<(), CliError> {
    let name = &run.environment.name;
    let deletes = plan.steps.iter().any(|step| step.change.action == Action::Delete);
    let outages = outage::regions(plan).join(", ");
    let grave = match (deletes, outages.as_str()) {
        (false, "") => None,
        (true, "") => Some("delete what is no longer in the environment file".to_owned()),
        (false, regions) => Some(format!("stop the servers of {regions} for some minutes")),
        (true, regions) => Some(format!(
            "delete what is no longer in the environment file, and stop the servers of {regions} for some minutes"
        )),
    };
    let grave = grave.filter(|_| run.environment.production && args.plan.is_none());
    if let Some(grave) = grave {
        confirm_by_name(name, args.confirm.as_deref(), &grave).await
    } else if args.yes.yes {
        Ok(())
    } else {
        confirm(&format!("Deploy environment {name}? [y/N]")).await
    }
}

fn has_new_resources(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| step.change.action != Action::Delete)
}

/// Logs a canary in. If a server refuses it, this deployment fails, and so do later ones until that server admits one.
async fn verify(
    (args, told): (&Args, &notify::Told),
    run: &mut Run,
    regions: Vec<String>,
    is_fresh: bool,
    printer: Printer,
) -> Result<Exit, CliError> {
    if args.no_verify || regions.is_empty() {
        return Ok(Exit::Ok);
    }
    printer.text(String::new);
    let sender = Sender::Deployment { fresh: is_fresh, servers: run.server_ids() };
    let checks = login_checks::canary(run.aws(), &run.environment, &regions, &sender).await?;
    told.learn_logins(&checks);
    let exit = login_checks::show(&checks, printer);
    if exit == Exit::Ok {
        run.verified(&regions).await?;
    }
    Ok(exit)
}
