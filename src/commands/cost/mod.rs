//! `sftpctl cost`: what the environment costs in a month.

mod compare;
pub(super) mod inputs;
mod refresh;

use std::path::PathBuf;

use self::inputs::CostInputs;
use super::args::AwsArgs;
use super::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::cost::{CostView, markdown, render};
use crate::report::cost_page::page;
use crate::report::format::Format;
use crate::report::report_file::{Form, replace};
use crate::report::{Printer, streams};
use sftpctl_core::cost::bill::Bill;
use sftpctl_core::cost::inventory::Inventory;
use sftpctl_core::cost::prices::Prices;
use sftpctl_core::cost::usage::Usage;
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::run::error::RunError;
use sftpctl_engine::usage::measure;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:\n  \
    sftpctl cost --env 99\n  \
    sftpctl cost --env 99 --usage usage.yaml\n  \
    sftpctl cost --env 99 --measured 30d\n  \
    sftpctl cost --env 99 --refresh prices.toml\n  \
    sftpctl cost --env 99 --output json\n  \
    sftpctl cost --env 99 --output markdown\n  \
    sftpctl cost --env 99 --report costs.html\n  \
    sftpctl cost compare --env 99\n\n\
    Only --measured and --refresh call AWS. What the environment file fixes has one amount; what depends on usage has the amounts of \
    the lowest and the highest usage. docs/cost.md describes the usage file and the table of prices.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    #[command(flatten)]
    inputs: CostInputs,
    /// Take the usage from CloudWatch, of so many days: 30d
    #[arg(long, value_name = "DAYS", value_parser = days, help_heading = "Cost")]
    measured: Option<u32>,
    /// Write AWS's prices of today into a file for --prices, and compute with them
    #[arg(long, value_name = "FILE", conflicts_with = "prices", help_heading = "Cost")]
    refresh: Option<PathBuf>,
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

/// Days, as `30d` or `30`. CloudWatch has values of a whole day for 455 days.
fn days(text: &str) -> Result<u32, String> {
    let days = text.strip_suffix('d').unwrap_or(text).parse().ok().filter(|days| (1..=455).contains(days));
    days.ok_or_else(|| "expected a number of days from 1 to 455, such as 30d".to_owned())
}

pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    if let Some(Verb::Compare(args)) = &args.command {
        return compare::run(args, printer);
    }
    args.page.check()?;
    let (environment, aws) = match args.measured {
        None => (args.aws.load(None, printer)?, None),
        Some(days) => {
            let (environment, aws) = args.aws.connect(Permissions::Reads, printer).await?;
            (environment, Some((aws, days)))
        }
    };
    let (mut usage, mut prices) = args.inputs.read(&environment, printer)?;
    if let Some(path) = &args.refresh {
        refresh::refresh(&args.aws, &environment, &mut prices, path).await?;
    }
    if let Some((aws, days)) = aws {
        let now = jiff::Timestamp::now().as_second();
        for region in measure(&aws, &environment, days, now, &mut usage).await? {
            streams::progress(format!("warning: CloudWatch has no traffic of {region} in the last {days} days"));
        }
    }
    let bill = bill(&environment, &usage, &prices)?;
    inputs::warn_of_old_prices(bill.oldest_price());
    let view = CostView::new(&bill, &usage);
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
    /// Refuses a name of another form, before anything is read.
    fn check(&self) -> Result<(), CliError> {
        match &self.report {
            Some(path) if Form::of(path) != Some(Form::Html) => {
                Err(CliError::new(Exit::Usage, format!("the report {} is not a page", path.display()))
                    .hint("name it .html; --output json and --output markdown are the other forms"))
            }
            _ => Ok(()),
        }
    }

    fn write(&self, page: impl FnOnce() -> String) -> Result<(), CliError> {
        let Some(path) = &self.report else { return Ok(()) };
        replace(path, &page())
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))
    }
}

fn bill(environment: &Environment, usage: &Usage, prices: &Prices) -> Result<Bill, CliError> {
    let inventory = Inventory::of(environment).map_err(RunError::from)?;
    Ok(Bill::of(&inventory, usage, prices))
}
