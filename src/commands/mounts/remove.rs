//! `sftpctl mounts remove`.

use super::install::View;
use super::selection::{Installed, explain};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::mounts::changes;
use sftpctl_files::mounts::system::install::remove;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl mounts remove --at /sftp --dry-run\n  \
    sftpctl mounts remove --at /sftp\n\n\
    A mount that processes use is left as it is, and they are named (exit code 3). Uploads in progress come to their end. \
    The file with the keys, and the bucket, stay.")]
pub(super) struct Args {
    #[command(flatten)]
    mounts: Installed,
    /// Say what would be removed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Removes the mounts.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let options = args.mounts.system.options(args.dry_run)?;
    let mut done = Vec::new();
    for record in &args.mounts.records()? {
        done.extend(remove(record, &options).await.map_err(|error| explain(&error))?);
    }
    printer.emit("mounts-remove/1", &View { dry_run: args.dry_run, changes: &done }, || changes(&done, args.dry_run));
    Ok(Exit::Ok)
}
