//! `sftpctl mounts status`.

use super::selection::Installed;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::mounts::{SeenView, seen};
use sftpctl_files::mounts::system::look::look;
use sftpctl_files::mounts::system::processes::users;
use sftpctl_files::mounts::system::programs::installed;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl mounts status\n  \
    sftpctl mounts status --at /sftp --output json\n\n\
    Nothing is written to the mounts. The exit code is 0 whatever their state; `mounts check` is for monitoring.")]
pub(super) struct Args {
    #[command(flatten)]
    mounts: Installed,
    /// Without an answer for so long, a mount hangs
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    deadline: u64,
}

/// Shows the mounts.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let options = args.mounts.look(args.deadline, false)?;
    let mut all = Vec::new();
    for record in args.mounts.here()? {
        let found = look(&record, &options).await;
        let users = users(record.at(), found.entries.last().map(|entry| entry.device));
        let version = installed(record.mount.kind).ok().map(|tool| tool.version);
        let newer = version.filter(|version| *version != record.tool.version).map(|version| version.to_string());
        all.push((found, users, newer));
    }
    let views = all.iter().map(|(found, users, newer)| SeenView::new(found).with(users, newer.clone()));
    let views: Vec<SeenView<'_>> = views.collect();
    printer.emit("mounts-status/1", &serde_json::json!({ "mounts": views }), || seen(&views));
    Ok(Exit::Ok)
}
