//! `sftpctl bench compare`: two results beside each other.

use std::path::PathBuf;

use super::results;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::bench::{CompareView, comparison};
use sftpctl_bench::compare::compare;
use sftpctl_bench::summary::Report;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench compare before.jsonl after.jsonl\n  \
    sftpctl bench compare 2019 bench.jsonl\n\n\
    Targets of the same name are compared; if a side has only one target, it is compared with each of the other's. The \
    second is called faster or slower only if the intervals of the medians (95 %) do not overlap. `2019` is the worksheet \
    of 2019, whose values are single ones: no verdict follows from them.")]
pub(super) struct Args {
    /// Results to compare with
    #[arg(value_name = "FIRST")]
    first: PathBuf,
    /// Results that are compared
    #[arg(value_name = "SECOND")]
    second: PathBuf,
}

/// Compares the results.
pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let (first, second) = (results::read(&args.first)?, results::read(&args.second)?);
    let pairs = compare(&Report::of(&first), &Report::of(&second));
    if pairs.is_empty() {
        return Err(CliError::new(Exit::Usage, "the two have nothing in common to compare")
            .hint("measure the same sizes, contents and numbers of threads, under the same name of the target"));
    }
    printer.emit("bench-compare/1", &CompareView { pairs: &pairs }, || comparison(&pairs));
    Ok(Exit::Ok)
}
