//! `sftpctl mounts check`.

use std::time::{Duration, Instant};

use super::selection::Looking;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::mounts::{SeenView, seen};
use sftpctl_files::mounts::state::State;
use sftpctl_files::mounts::system::look::look;
use sftpctl_files::mounts::system::processes::pause;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl mounts check\n  \
    sftpctl mounts check --at /sftp --output json\n  \
    sftpctl mounts check --at /sftp --no-canary --wait 60\n\n\
    A helper process uses the mount: it asks S3 for a name that does not exist, and writes, reads and deletes a canary. If \
    it does not answer in time, the mount hangs, and the helper is killed. Run it as root, or without a canary.\n\n\
    The exit code is 0 if every mount is healthy, and 1 if one is not; docs/mounts.md lists the states.")]
pub(super) struct Args {
    #[command(flatten)]
    looking: Looking,
    /// Look again until every mount is healthy, or for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 0, hide_default_value = true)]
    wait: u64,
}

/// Checks the mounts.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let options = args.looking.options()?;
    let limit = Instant::now() + Duration::from_secs(args.wait);
    let mut all = Vec::new();
    for record in args.looking.mounts.here()? {
        let found = loop {
            let found = look(&record, &options).await;
            if found.state == State::Healthy || Instant::now() >= limit {
                break found;
            }
            pause().await;
        };
        all.push(found);
    }
    let views: Vec<SeenView<'_>> = all.iter().map(SeenView::new).collect();
    printer.emit("mounts-check/1", &serde_json::json!({ "mounts": views }), || seen(&views));
    Ok(if all.iter().all(|found| found.state == State::Healthy) { Exit::Ok } else { Exit::Failed })
}
