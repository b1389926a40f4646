//! `sftpctl bench logins`: log-ins a second, and how long each takes.

use super::measure::{DeadlineArgs, ResultsArgs, go_one};
use super::target::TargetArgs;
use super::threads::{Numbers, all, numbers};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_bench::plan::{Logins, Plan};
use sftpctl_bench::target::Access;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench logins --env 99 --username jan --password-stdin < file\n  \
    sftpctl bench logins sftp://jan@sftp.example.com --threads 1,4,16 -i ~/.ssh/id_ed25519\n\n\
    Each log-in is a new `ssh`: connection, key exchange, authentication, and the first answer of SFTP. Failed log-ins may \
    ban this machine's address: see `sftpctl guard list`.")]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Numbers of threads that log in: 1,2,4 or 1-15
    #[arg(long, value_name = "NUMBERS", default_value = "1,2,4,8", value_delimiter = ',', value_parser = numbers)]
    threads: Vec<Numbers>,
    /// Log-ins of each thread; an interval takes six in all
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iterations: u32,
    /// Log-ins of each thread before them that do not count
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1000))]
    warmup: u32,
    #[command(flatten)]
    deadline: DeadlineArgs,
    #[command(flatten)]
    results: ResultsArgs,
}

/// Measures log-ins.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (target, access) = args.target.open(printer).await?;
    if !matches!(access, Access::Sftp { .. }) {
        return Err(CliError::new(Exit::Usage, format!("{} has no log-in", target.at))
            .hint("name sftp://USER@HOST:PORT, or an environment with --env"));
    }
    let logins = Logins { threads: all(&args.threads), iterations: args.iterations, warmup: args.warmup };
    let plan = Plan { logins: Some(logins), ..args.deadline.plan(target) };
    go_one(plan, access, &args.results, printer).await
}
