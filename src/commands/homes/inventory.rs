//! `sftpctl homes inventory`.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decisions::Decisions;
use super::origin::Machine;
use super::selection::{Chosen, Selection};
use crate::commands::args::stop_now;
use crate::commands::report_form::report_form;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::homes::found::{InventoryView, Rates, found};
use crate::report::homes::inventory_file;
use crate::report::import::progress::Shown;
use crate::report::report_file::ReportFile;
use crate::report::{Printer, streams};
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::homes::inventory::inventory;
use sftpctl_files::homes::plan::Options;
use sftpctl_files::homes::sftp::remote::Remote;
use sftpctl_files::homes::source::Source;
use sftpctl_files::homes::totals::Totals;
use sftpctl_files::homes::walk::Home;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl homes inventory --env 99 --orgid 17578\n  \
    sftpctl homes inventory --env 99 --all --report homes.html\n  \
    sftpctl homes inventory --env 99 --all --name-charset cp1252 --links marker --skip fifo,socket\n\n\
    Each line is something that S3 cannot keep as it is, or that is worth knowing, with what happens to it under the \
    options. What is LEFT needs a decision: another option, or --skip with its word.\n\n\
    Names are shown with `\\x` and two digits for each byte that is not part of UTF-8. Nothing is changed, and no link is \
    followed.")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    decisions: Decisions,
    /// Write every entry to this file: .csv, .json (an object to a line) or .html (a page of what is special)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// MB a second to assume for the estimate of time
    #[arg(long, value_name = "MB", default_value_t = 20.0)]
    rate: f64,
    /// Requests a second to assume for the estimate of time
    #[arg(long, value_name = "N", default_value_t = 500.0)]
    requests: f64,
}

/// Reads the homes on a thread of its own.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let environment = args.selection.load(printer)?;
    let (homes, machine) = args.selection.homes(&environment).await?;
    let form = args.report.as_deref().map(report_form).transpose()?;
    let unwritten = |error: std::io::Error| CliError::new(Exit::Usage, format!("cannot write the report: {error}"));
    let report = args.report.as_deref().zip(form);
    let report = report.map(|(path, form)| ReportFile::begin(path, form, inventory_file::COLUMNS));
    let mut report = report.transpose().map_err(unwritten)?;
    let stop = Stop::on_signals(|| streams::progress("stopping"), stop_now);
    let shown = Arc::new(Shown::new(printer.format(), stop));
    let (rates, decisions) =
        (Rates { bytes_per_second: args.rate * 1e6, requests_per_second: args.requests }, args.decisions);
    let is_alone = homes.len() == 1 && !args.selection.is_of_all();
    let selection = &args.selection;
    let (moved, homes): (Vec<_>, Vec<_>) = homes.into_iter().partition(|home| home.check_not_moved(selection).is_err());
    for home in moved {
        match home.check_not_moved(selection) {
            Err(error) if is_alone => return Err(error),
            Err(error) => printer.note(|| error.message),
            Ok(()) => {}
        }
    }
    let watch = Arc::clone(&shown);
    let read = tokio::task::spawn_blocking(move || {
        let (mut totals, mut exit) = (Totals::default(), Exit::Ok);
        for chosen in homes {
            let org_id = chosen.org_id;
            let options = decisions.options(format!("{org_id}/"));
            let home = match open(&machine, &chosen, &options, None) {
                Ok(home) => home,
                Err(error) if machine.is_lost() || is_alone => return Err(error),
                Err(error) => {
                    watch.between(|| printer.error(&error));
                    exit = Exit::Partly;
                    continue;
                }
            };
            let read = inventory(&home, &options, &mut totals, &*watch, &mut |entry, planned| match &mut report {
                Some(report) => inventory_file::add(report, org_id, entry, planned),
                None => Ok(()),
            });
            read.map_err(|error| match error.kind() {
                ErrorKind::Interrupted => CliError::new(Exit::Interrupted, "interrupted; nothing was written"),
                _ => CliError::new(Exit::Usage, format!("cannot read {}: {error}", chosen.address())),
            })?;
        }
        Ok::<_, CliError>((totals, report, exit))
    });
    let read = read.await.map_err(|error| CliError::new(Exit::Usage, error.to_string()));
    shown.finish();
    let (totals, report, exit) = read??;
    let text = found(&totals, rates);
    if let Some(report) = report {
        report.finish(&format!("Homes of environment {}", environment.name), &text).map_err(unwritten)?;
    }
    printer.emit("homes-inventory/1", &InventoryView::new(&environment.name, &totals, rates), || text);
    Ok(exit)
}

/// Opens a home on its machine, which is waited for. One that was frozen by its mode has the rights of before.
pub(super) fn open(
    machine: &Machine,
    home: &Chosen,
    options: &Options,
    rights: Option<u32>,
) -> Result<Source, CliError> {
    match machine {
        Machine::Here => {
            open_as((&home.path, &home.path), options).map(|opened| Source::Here(opened.with_rights(rights)))
        }
        Machine::There(connection) => {
            let path = home.path.as_os_str().as_bytes();
            let opened = Remote::open(Arc::clone(connection), path, options.charset);
            opened.map(Source::There).map_err(|error| unopened(&home.address(), &error))
        }
    }
}

/// Opens a home on this machine that was at another path before.
pub(super) fn open_as((path, before): (&Path, &Path), options: &Options) -> Result<Home, CliError> {
    Home::open_as(path, before, options.charset).map_err(|error| unopened(&path.display().to_string(), &error))
}

fn unopened(path: &str, error: &std::io::Error) -> CliError {
    CliError::new(Exit::Usage, format!("cannot open the home {path}: {error}"))
        .hint("a home is a folder, not a link; `homes` in the environment file, --from and --root say where it is")
}
