//! `sftpctl cost compare`: the environment beside servers of one's own.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::inputs::{self, CostInputs};
use super::{ReportPage, bill};
use crate::commands::args::FileArgs;
use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::cost::{comparison, comparison_markdown};
use crate::report::cost_page::comparison_page;
use crate::report::format::Format;
use sftpctl_core::cost::old_way::{Comparison, INPUTS, OldWay};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl cost compare --env 99\n  \
    sftpctl cost compare --env 99 --write-inputs old-way.yaml\n  \
    sftpctl cost compare --env 99 --inputs old-way.yaml --usage usage.yaml\n\n\
    Without --inputs, the old way is that of the design of 2019: twelve servers with six disks.")]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    cost: CostInputs,
    /// The servers, disks and reservations of the old way, in YAML
    #[arg(long, value_name = "FILE", conflicts_with = "write_inputs", help_heading = "Cost")]
    inputs: Option<PathBuf>,
    /// Write the inputs of the design of 2019 into a new file, to be edited
    #[arg(long, value_name = "FILE", conflicts_with = "report", help_heading = "Cost")]
    write_inputs: Option<PathBuf>,
    #[command(flatten)]
    page: ReportPage,
}

pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    args.page.check()?;
    let environment = args.file.load(printer)?;
    if let Some(path) = &args.write_inputs {
        write(path)?;
        printer.note(|| format!("wrote {}; edit it, and pass it with --inputs", path.display()));
        return Ok(Exit::Ok);
    }
    let (usage, prices) = args.cost.read(&environment, printer)?;
    let (text, path) = match &args.inputs {
        Some(path) => (input_file::named(path, input_file::SMALL)?, path.display().to_string()),
        None => (INPUTS.to_owned(), "inputs".to_owned()),
    };
    let old =
        OldWay::load(&text, &path).map_err(|faults| CliError::from_faults(&faults, printer.has_color()))?.bill(&prices);
    let bill = bill(&environment, &usage, &prices)?;
    inputs::warn_of_old_prices(bill.oldest_price());
    let view = Comparison::of(&bill, old);
    args.page.write(|| comparison_page(&view, &bill))?;
    printer.emit("cost-compare/1", &view, || match printer.format() {
        Format::Markdown => comparison_markdown(&view, &bill),
        _ => comparison(&view, &bill),
    });
    Ok(Exit::Ok)
}

/// A file that is there already may have somebody's figures, and stays.
fn write(path: &Path) -> Result<(), CliError> {
    let write = || std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(INPUTS.as_bytes());
    write().map_err(|error| {
        CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display()))
            .hint("name a file that does not exist")
    })
}
