//! `sftpctl mounts probe`: the helper process of `check`.

use std::path::PathBuf;

use crate::report::streams;
use sftpctl_core::shown::Text;
use sftpctl_files::mounts::system::probe::probe;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    sftpctl mounts probe --at /sftp --canary\n\n\
    Each line of output is what it begins with; the last one is how it ended. `sftpctl mounts check` runs it with a time \
    limit.")]
pub(super) struct Args {
    /// The mount point
    #[arg(long, value_name = "PATH")]
    at: PathBuf,
    /// Write, read and delete a canary
    #[arg(long)]
    canary: bool,
}

/// Uses the mount.
pub(super) fn run(args: &Args) {
    probe(&args.at, args.canary, |line| streams::data(Text::json(line)));
}
