//! `sftpctl bench`: the speed of an SFTP server, a bucket or a mount, and what fails or hangs there.

mod compare;
mod hosts;
mod logins;
mod measure;
mod merge;
mod over_ssh;
mod report;
mod results;
mod run;
mod schema;
mod sizes;
mod start;
mod target;
mod threads;
mod worker;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A target is a folder (most often a mount), s3://BUCKET/PREFIX, sftp://USER@HOST:PORT/PATH, or with --env \
    the environment's own SFTP server. Files are put into a folder of the run's own and deleted at its end. Nothing hangs: \
    each operation is done by a process of its own and has a deadline, and what is stuck is a result. docs/bench.md has the \
    details."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measure one transfer at a time, by size
    Sizes(sizes::Args),
    /// Measure several transfers at a time, by the number of threads
    Threads(threads::Args),
    /// Measure log-ins to an SFTP server
    Logins(logins::Args),
    /// Measure what a plan file says
    Run(run::Args),
    /// Measure from several machines at the same time
    Hosts(hosts::Args),
    /// Merge the results of several machines
    Merge(merge::Args),
    /// Show results as tables, CSV or a page with charts
    Report(report::Args),
    /// Compare two results
    Compare(compare::Args),
    /// Print the JSON Schema of plan files
    #[command(after_help = "Example:\n  sftpctl bench schema > bench-plan.schema.json")]
    Schema,
    /// Use a target, for the other commands: this may hang
    #[command(hide = true)]
    Worker(worker::Args),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::Sizes(args) => sizes::run(args, printer).await,
        Verb::Threads(args) => threads::run(args, printer).await,
        Verb::Logins(args) => logins::run(args, printer).await,
        Verb::Run(args) => run::run(args, printer).await,
        Verb::Hosts(args) => hosts::run(&args, printer).await,
        Verb::Merge(args) => merge::run(&args, printer),
        Verb::Report(args) => report::run(&args, printer),
        Verb::Compare(args) => compare::run(&args, printer),
        Verb::Schema => Ok(schema::run()),
        Verb::Worker(_) => worker::run().await,
    }
}
