//! `sftpctl bench threads`: several transfers at a time.

use super::measure::{DeadlineArgs, ResultsArgs, go_one};
use super::target::TargetArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_bench::content::Content;
use sftpctl_bench::plan::{MOST_THREADS, Operation, Plan, Threads};
use sftpctl_bench::size::Size;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench threads /sftp\n  \
    sftpctl bench threads /sftp --threads 1,2,4,8 --iterations 10 --operations put,get\n  \
    sftpctl bench threads s3://uploads/bench --region us-west-2\n\n\
    Each thread is a process of its own, and puts, gets, or does both in turn. Without options: 1 to 15 threads, 30 transfers \
    of 5 MB each, as in 2019. The report says where it stops growing, and whether the host or the service limits it.")]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Numbers of threads: 1,2,4 or 1-15
    #[arg(long, value_name = "NUMBERS", default_value = "1-15", value_delimiter = ',', value_parser = numbers)]
    threads: Vec<Numbers>,
    /// Transfers of each thread; an interval takes six in all
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    iterations: u32,
    /// Transfers of each thread before them that do not count
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1000))]
    warmup: u32,
    /// Sizes of the files
    #[arg(long, value_name = "SIZES", default_value = "5MB", value_delimiter = ',')]
    sizes: Vec<Size>,
    /// What is in the files: text, binary
    #[arg(long, value_name = "CONTENTS", default_value = "text", value_delimiter = ',', value_parser = content)]
    content: Vec<Content>,
    /// What the threads do: put, get, both
    #[arg(long, value_name = "WORDS", default_value = "put,get,both", value_delimiter = ',', value_parser = operation)]
    operations: Vec<Operation>,
    #[command(flatten)]
    deadline: DeadlineArgs,
    #[command(flatten)]
    results: ResultsArgs,
}

/// One number, or several in a row.
#[derive(Clone, Debug)]
pub(super) struct Numbers(Vec<u32>);

/// Numbers of threads, each once.
pub(super) fn all(numbers: &[Numbers]) -> Vec<u32> {
    let mut all: Vec<u32> = numbers.iter().flat_map(|numbers| &numbers.0).copied().collect();
    all.sort_unstable();
    all.dedup();
    all
}

pub(super) fn numbers(text: &str) -> Result<Numbers, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse::<u32>(), last.trim().parse::<u32>()) {
        (Ok(first), Ok(last)) if (1..=MOST_THREADS).contains(&first) && (first..=MOST_THREADS).contains(&last) => {
            Ok(Numbers((first..=last).collect()))
        }
        _ => Err(format!("expected numbers from 1 to {MOST_THREADS}, such as 1,2,4 or 1-15")),
    }
}

pub(super) fn content(text: &str) -> Result<Content, String> {
    let found = Content::ALL.into_iter().find(|content| content.as_str() == text);
    found.ok_or_else(|| "expected text or binary".to_owned())
}

fn operation(text: &str) -> Result<Operation, String> {
    let found = Operation::ALL.into_iter().find(|operation| operation.action().as_str() == text);
    found.ok_or_else(|| "expected put, get or both".to_owned())
}

/// Measures by threads.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (target, access) = args.target.open(printer).await?;
    let threads = Threads {
        sizes: args.sizes.clone(),
        content: args.content.clone(),
        threads: all(&args.threads),
        iterations: args.iterations,
        warmup: args.warmup,
        operations: args.operations.clone(),
    };
    let plan = Plan { threads: Some(threads), ..args.deadline.plan(target) };
    go_one(plan, access, &args.results, printer).await
}
