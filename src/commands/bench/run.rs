//! `sftpctl bench run`: what a plan file says.

use std::path::PathBuf;

use super::measure::{ResultsArgs, go, go_over_ssh};
use super::{over_ssh, target};
use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_bench::plan::{self, File, Plan};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench run --plan plan.yaml\n  \
    sftpctl bench run --plan plan.yaml --host-name app-1 --start-at 2027-01-15T02:00:00Z\n\n\
    `sftpctl bench schema` describes every setting of a plan. Rerun the same command to resume a run that was killed: what \
    is in its file of results is not measured again.")]
pub(super) struct Args {
    /// Plan file
    #[arg(long, value_name = "FILE", required_unless_present = "over_ssh")]
    plan: Option<PathBuf>,
    /// Take the plan from stdin, send the results to stdout, and stop at the end of stdin: for `bench hosts --start`
    #[arg(long, hide = true, conflicts_with_all = ["plan", "results"])]
    over_ssh: bool,
    /// Take earlier results after the plan, and go on from them
    #[arg(long, hide = true, requires = "over_ssh")]
    resume: bool,
    /// Time at which all machines begin, in UTC
    #[arg(long, value_name = "TIME")]
    start_at: Option<jiff::Timestamp>,
    /// Profile of the AWS configuration, for buckets
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// One endpoint for S3, for buckets
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
    #[command(flatten)]
    results: ResultsArgs,
}

/// What the text of a plan file of this name says.
pub(super) fn parse(text: &str, name: &str, printer: Printer) -> Result<File, CliError> {
    plan::load(text, name).map_err(|faults| CliError::from_faults(&faults, printer.has_color()))
}

/// Measures what the plan says.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let access = |plan: &Plan| target::of_plan(plan, args.profile.as_ref(), args.endpoint_url.as_ref());
    let Some(path) = &args.plan else {
        let taken = over_ssh::take(args.resume)?;
        let plan = parse(&taken.plan, "the plan", printer)?.plan;
        let access = access(&plan)?;
        return go_over_ssh(plan, access, &args.results, args.start_at, taken, printer).await;
    };
    let plan = parse(&input_file::named(path, input_file::SMALL)?, &path.display().to_string(), printer)?.plan;
    let access = access(&plan)?;
    go(plan, access, &args.results, args.start_at, printer).await
}
