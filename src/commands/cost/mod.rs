//! `sftpctl cost`: what the environment costs in a month.

mod compare;
pub(super) mod inputs;

use std::collections::BTreeSet;
use std::path::PathBuf;

use self::inputs::CostInputs;
use super::args::FileArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::cost::{CostView, markdown, render};
use crate::report::cost_page::page;
use crate::report::format::Format;
use crate::report::report_file::{Form, write_page};
use sftpctl_core::cost::bill::Bill;
use sftpctl_core::cost::inventory::Inventory;
use sftpctl_core::cost::prices::Prices;
use sftpctl_core::cost::usage::Usage;
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::run::error::RunError;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:\n  \
    sftpctl cost --env 99\n  \
    sftpctl cost --env 99 --usage usage.yaml\n  \
    sftpctl cost --env 99 --output json\n  \
    sftpctl cost --env 99 --output markdown\n  \
    sftpctl cost --env 99 --report costs.html\n  \
    sftpctl cost compare --env 99\n\n\
    No call to AWS is made. What the environment file fixes has one amount; what depends on usage has the amounts of \
    the lowest and the highest usage. docs/cost.md describes the usage file and the table of prices.")]
pub(super) struct Args {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    inputs: CostInputs,
    #[command(flatten)]
    page: ReportPage,
    #[command(subcommand)]
    command: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Compare the environment with the old way: servers of one's own
    Compare(compare::Args),
}

pub(super) fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    if let Some(Verb::Compare(args)) = &args.command {
        return compare::run(args, printer);
    }
    let environment = args.file.load(printer)?;
    let (usage, prices) = args.inputs.read(&environment, printer)?;
    let bill = bill(&environment, &usage, &prices)?;
    let view = CostView::new(&bill, &usage, &prices);
    args.page.write(|| page(&view))?;
    printer.emit("cost/1", &view, || match printer.format() {
        Format::Markdown => markdown(&view),
        _ => render(&view),
    });
    Ok(Exit::Ok)
}

/// The file of a page for a browser.
#[derive(Clone, Debug, clap::Args)]
struct ReportPage {
    /// Also write a page with charts for a browser: FILE.html
    #[arg(long, value_name = "FILE", help_heading = "Cost")]
    report: Option<PathBuf>,
}

impl ReportPage {
    fn write(&self, page: impl FnOnce() -> String) -> Result<(), CliError> {
        let Some(path) = &self.report else { return Ok(()) };
        if Form::of(path) != Some(Form::Html) {
            return Err(CliError::new(Exit::Usage, format!("the report {} is not a page", path.display()))
                .hint("name it .html; --output json and --output markdown are the other forms"));
        }
        write_page(path, &page())
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))
    }
}

fn bill(environment: &Environment, usage: &Usage, prices: &Prices) -> Result<Bill, CliError> {
    let inventory = Inventory::of(environment, &BTreeSet::new()).map_err(RunError::from)?;
    Ok(Bill::of(&inventory, usage, prices))
}
