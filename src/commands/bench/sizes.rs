//! `sftpctl bench sizes`: one transfer at a time.

use super::measure::{DeadlineArgs, ResultsArgs, go_one};
use super::target::TargetArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_bench::plan::{Plan, Sizes};
use sftpctl_bench::size::Size;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench sizes /sftp\n  \
    sftpctl bench sizes /sftp --sizes 1MB,5MB,50MB --content text --repeat 10\n  \
    sftpctl bench sizes s3://uploads/bench --region us-west-2\n  \
    sftpctl bench sizes sftp://jan@sftp.example.com/uploads -i ~/.ssh/id_ed25519\n  \
    sftpctl bench sizes --env 99 --username jan --password-stdin < file\n\n\
    Without --sizes, files of 1 MB to 5 GB are put and fetched, as in 2019: 425 GB in all. The same file of results again \
    resumes a run that was killed. The exit code is 1 if an operation did not succeed, and 6 if some were not tried.")]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Sizes of the files [default: 1MB,5MB,10MB,50MB,100MB,200MB,500MB,1GB,2GB,5GB]
    #[arg(long, value_name = "SIZES", value_delimiter = ',')]
    sizes: Vec<Size>,
    /// What is in the files: text, binary [default: both]
    #[arg(long, value_name = "CONTENTS", value_delimiter = ',', value_parser = super::threads::content)]
    content: Vec<sftpctl_bench::content::Content>,
    /// Repetitions of each transfer; an interval takes six
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    repeat: u32,
    /// Repetitions before them that do not count
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1000))]
    warmup: u32,
    /// Do not read the files of a folder a second time, from caches
    #[arg(long)]
    no_cached: bool,
    #[command(flatten)]
    deadline: DeadlineArgs,
    #[command(flatten)]
    results: ResultsArgs,
}

/// Measures by size.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (target, access) = args.target.open(printer).await?;
    let base = Sizes::default();
    let or = |given: &Vec<Size>, base: Vec<Size>| if given.is_empty() { base } else { given.clone() };
    let sizes = Sizes {
        sizes: or(&args.sizes, base.sizes),
        content: if args.content.is_empty() { base.content } else { args.content.clone() },
        repeat: args.repeat,
        warmup: args.warmup,
        cached: !args.no_cached,
    };
    let plan = Plan { sizes: Some(sizes), ..args.deadline.plan(target) };
    go_one(plan, access, &args.results, printer).await
}
