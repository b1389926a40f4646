//! `sftpctl plan`: shows what a deployment would do.

use std::path::PathBuf;

use super::args::{EnvArgs, Part};
use super::cost::inputs::PlanCost;
use super::deploy::warn;
use super::permissions::Permissions;
use super::saved_plan_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::format::Format;
use crate::report::plan_view::{self, PlanView};
use crate::report::{Printer, clients, cost, graph, markdown, streams};
use sftpctl_core::check::Status;
use sftpctl_core::clients::change::policy_changes;
use sftpctl_core::plan::model::Plan;
use sftpctl_core::shown::Text;
use sftpctl_engine::run::Planned;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl plan --env 99\n  \
    sftpctl plan --env 99 --exit-code --output json\n  \
    sftpctl plan --env 99 --out plan.json\n  \
    sftpctl plan --env 99 --output markdown >> \"$GITHUB_STEP_SUMMARY\"\n  \
    sftpctl plan --env 99 --output dot | dot -T svg > plan.svg\n  \
    sftpctl plan --env 99 --skip us-east-2/server\n  \
    sftpctl plan --env 99 --usage usage.yaml --max-monthly-increase 50")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    #[command(flatten)]
    part: Part,
    /// Exit with code 4 if there are changes
    #[arg(long)]
    exit_code: bool,
    /// Save the plan for `deploy --plan`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    cost: PlanCost,
}

/// Shows the plan with what it changes of the costs, and saves it with `--out`.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let mut run = args.env.open_part(Permissions::Reads, args.part.selection(), printer).await?;
    let counting = args.cost.read(&run.environment, printer)?;
    let observed = run.observe().await;
    let Planned { plan, left_out, .. } = run.plan(&observed)?;
    let change = counting.change(&run.environment, &plan, &left_out)?;
    let policies = policy_changes(&plan);
    let moved = plan_view::moved(&run.environment);
    let moves = plan_view::moved_lines(&moved);
    let plan_view = PlanView { plan: &plan, left_out: &left_out, moved };
    let view = cost::PlanView { plan: plan_view, cost: &change, security_policies: &policies };
    printer.emit("plan/1", &view, || match printer.format() {
        Format::Dot => graph::dot(&plan),
        Format::Mermaid => graph::mermaid(&plan),
        Format::Markdown => {
            let policies = clients::policy_changes_markdown(&policies, &plan.environment);
            let text = with_moves(markdown::render(&plan, &left_out), moves);
            with_ends(text, &plan, || [policies, cost::change_markdown(&change)])
        }
        _ => {
            let policies = clients::policy_changes(&policies, &plan.environment, streams::width());
            let text = with_moves(plan_view::render(&plan, &left_out, streams::width()), moves);
            with_ends(text, &plan, || [policies, cost::change(&change)])
        }
    });
    if !plan.is_empty() {
        let report = run.examine_changes(&plan).await;
        warn(&report, Status::Failed);
        warn(&report, Status::Warning);
    }
    counting.check(&change)?;
    if let Some(path) = &args.out {
        saved_plan_file::write(path, &plan)?;
    }
    Ok(if args.exit_code && !plan.is_empty() { Exit::Changes } else { Exit::Ok })
}

/// A plan with the clusters that were renamed below it.
fn with_moves(mut text: Text, moves: Text) -> Text {
    if !moves.is_empty() {
        text.line("");
        text.extend(moves);
    }
    text
}

/// A plan that has steps ends with whom it shuts out, and what it changes of the costs.
fn with_ends(mut text: Text, plan: &Plan, ends: impl FnOnce() -> [Text; 2]) -> Text {
    if !plan.is_empty() {
        ends().into_iter().for_each(|end| text.extend(end));
    }
    text
}
