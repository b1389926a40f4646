//! `sftpctl bench merge`: the results of several machines as those of one.

use std::path::PathBuf;

use serde::Serialize;

use super::results;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::report_file::replace;
use sftpctl_bench::record::{Line, merge};
use sftpctl_core::text::counted;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    sftpctl bench merge app-1.jsonl app-2.jsonl --into all.jsonl\n\n\
    The results must have the same plan. Values of the same cell are pooled, and what all machines moved in a second is \
    added up.")]
pub(super) struct Args {
    /// Results of the machines
    #[arg(value_name = "RESULTS", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// File to write
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    into: String,
    runs: usize,
    samples: usize,
}

/// Merges the files.
pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let mut files = Vec::new();
    for path in &args.files {
        files.push((path.display().to_string(), results::read(path)?));
    }
    let lines = merge(files).map_err(|error| {
        CliError::new(Exit::Usage, format!("these results cannot be merged: {error}"))
            .hint("measure with one plan file on every machine; `sftpctl bench compare` compares different runs")
    })?;
    results::only_over(&args.into, |text| sftpctl_bench::record::parse(text).is_ok(), "of results")?;
    replace(&args.into, &results::to_text(&lines)?)
        .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", args.into.display())))?;
    let count = |is: fn(&Line) -> bool| lines.iter().filter(|line| is(line)).count();
    let view = View {
        into: args.into.display().to_string(),
        runs: count(|line| matches!(line, Line::Run(_))),
        samples: count(|line| matches!(line, Line::Sample(_))),
    };
    printer.emit("bench-merge/1", &view, || {
        format!("{}: {}, {}", view.into, counted(view.runs as u64, "run"), counted(view.samples as u64, "operation"))
    });
    Ok(Exit::Ok)
}
