//! `sftpctl bench report`: results as tables, CSV, or a page with charts.

use std::path::PathBuf;

use super::results;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::bench::page::{BEGINNING, page};
use crate::report::bench::{csv, text};
use crate::report::report_file::replace;
use crate::report::{Printer, streams};
use sftpctl_bench::summary::Report;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl bench report bench.jsonl\n  \
    sftpctl bench report bench.jsonl --html bench.html\n  \
    sftpctl bench report bench.jsonl --csv bench.csv\n  \
    sftpctl bench report 2019\n\n\
    The page is one file that loads nothing, and prints. `2019` is the worksheet of 2019. With --output json, everything that \
    the tables say is one line of JSON.")]
pub(super) struct Args {
    /// Results of a run, or of several merged ones
    #[arg(value_name = "RESULTS")]
    results: PathBuf,
    /// Write a page with charts to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write every row as CSV to this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Title of the page
    #[arg(long, value_name = "TEXT", default_value = "Measurements", requires = "html")]
    title: String,
}

/// Shows the results.
pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let results = results::read(&args.results)?;
    let report = Report::of(&results);
    let table = format!("{}\n", csv(&report));
    let head = table.lines().next().unwrap_or_default();
    if args.html.is_some() && args.html == args.csv {
        return Err(CliError::new(Exit::Usage, "--html and --csv name the same file").hint("name two files"));
    }
    for (path, beginning) in
        args.html.iter().map(|path| (path, BEGINNING)).chain(args.csv.iter().map(|path| (path, head)))
    {
        results::only_over(path, |text| text.starts_with(beginning), "of `sftpctl bench report`")?;
    }
    let write = |path: &PathBuf, content: String| {
        replace(path, &content)
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))
    };
    if let Some(path) = &args.html {
        write(path, page(&args.title, &results, &report))?;
    }
    if let Some(path) = &args.csv {
        write(path, table.clone())?;
    }
    let written: Vec<String> = args.html.iter().chain(&args.csv).map(|path| path.display().to_string()).collect();
    if written.is_empty() || printer.is_json() {
        printer.emit("bench-report/1", &report, || text(&report));
    } else {
        written.iter().for_each(|path| streams::progress(format!("wrote {path}")));
    }
    Ok(Exit::Ok)
}
