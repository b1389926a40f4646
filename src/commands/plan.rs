//! `sftpctl plan`: shows what a deployment would do.

use std::path::PathBuf;

use super::args::EnvArgs;
use super::permissions::Permissions;
use super::saved_plan_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::format::Format;
use crate::report::{Printer, markdown, plan_view, streams};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl plan --env 99\n  \
    sftpctl plan --env 99 --exit-code --output json\n  \
    sftpctl plan --env 99 --out plan.json\n  \
    sftpctl plan --env 99 --output markdown >> \"$GITHUB_STEP_SUMMARY\"")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    /// Exit with code 4 if there are changes
    #[arg(long)]
    exit_code: bool,
    /// Save the plan for `deploy --plan`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Shows the plan, and saves it with `--out`.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let mut run = args.env.open(Permissions::Reads, printer).await?;
    let observed = run.observe().await;
    let (plan, _) = run.plan(&observed)?;
    printer.emit("plan/1", &plan, || match printer.format() {
        Format::Markdown => markdown::render(&plan),
        _ => plan_view::render(&plan, streams::width()),
    });
    if let Some(path) = &args.out {
        saved_plan_file::write(path, &plan)?;
    }
    Ok(if args.exit_code && !plan.is_empty() { Exit::Changes } else { Exit::Ok })
}
