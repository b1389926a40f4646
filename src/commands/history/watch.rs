//! `sftpctl history watch`.

use std::time::Duration;

use super::export::{How, SETTLED, Shown};
use super::{errors, values};
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::history::{ExportView, exported};
use sftpctl_files::history::export::run::{ExportError, run as export};
use sftpctl_files::history::source::FetchError;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl history watch --git history/17578 --env 99 --orgid 17578\n  \
    sftpctl history watch --git history/99-5 --env 99 --cluster 99-5 --interval 600\n\n\
    The bucket is listed at each interval, and what is new is exported as `history export` does: the same commits. A fault \
    of S3 or the network is told, and the next interval tries again; anything else ends it. Ctrl-C or SIGTERM ends it \
    with 0, once the commits at hand are complete.")]
pub(super) struct Args {
    #[command(flatten)]
    how: How,
    /// Seconds between the end of an export and the next one
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// Export what is older than this: S3's clock and this machine's may differ
    #[arg(long, value_name = "SECONDS", default_value_t = SETTLED, value_parser = clap::value_parser!(i64).range(0..=3600))]
    delay: i64,
}

/// Exports again and again, until it is asked to stop.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let How { git, files, .. } = &args.how;
    let (environment, bucket, selection) = files.open("", Permissions::ReadsHistory, printer).await?;
    let shown = Shown::new(printer);
    while !shown.stop.requested() {
        let options = args.how.options(&selection, values::before_now(args.delay));
        match export(&bucket, &options, &shown).await {
            Ok(done) if done.progress.commits + done.resumed > 0 => {
                let view = ExportView::new(&environment.name, &selection, git, &done);
                printer.emit("history-export/1", &view, || exported(&done, git));
            }
            Ok(_) => {}
            Err(error) if is_passing(&error) => printer.error(&errors::of_export(error)),
            Err(error) => return Err(errors::of_export(error)),
        }
        // Ends early on a request to stop.
        let _ = tokio::time::timeout(Duration::from_secs(args.interval), shown.stop.canceled()).await;
    }
    Ok(Exit::Ok)
}

/// Whether the next attempt may succeed without anybody's help.
fn is_passing(error: &ExportError) -> bool {
    match error {
        ExportError::Aws(error) | ExportError::Fetch(FetchError::Aws(error)) => error.is_transient(),
        // It was deleted between the listing and its download, or was cut off.
        ExportError::Fetch(_) => true,
        _ => false,
    }
}
