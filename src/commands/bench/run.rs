//! `sftpctl bench run`: what a plan file says.

use std::path::PathBuf;

use super::measure::{ResultsArgs, go};
use super::target;
use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_bench::plan::{self, Plan};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench run --plan plan.yaml\n  \
    sftpctl bench run --plan plan.yaml --host-name app-1 --start-at 2027-01-15T02:00:00Z\n\n\
    `sftpctl bench schema` describes every setting of a plan. The same file of results again resumes a run that was killed: \
    what is in it is not measured again.")]
pub(super) struct Args {
    /// Plan file
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
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

/// The plan in a file.
pub(super) fn read(path: &std::path::Path, printer: Printer) -> Result<Plan, CliError> {
    let text = input_file::named(path, input_file::SMALL)?;
    let faults = |faults| CliError::from_faults(&faults, printer.has_color());
    plan::load(&text, &path.display().to_string()).map_err(faults)
}

/// Measures what the plan says.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let plan = read(&args.plan, printer)?;
    let access = target::of_plan(&plan, args.profile.as_ref(), args.endpoint_url.as_ref())?;
    go(plan, access, &args.results, args.start_at, printer).await
}
