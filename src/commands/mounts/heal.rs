//! `sftpctl mounts heal`.

use std::io::ErrorKind;
use std::time::Duration;

use super::selection::Looking;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::mounts::healed;
use sftpctl_files::mounts::system::heal::{Healed, Patience, heal};
use sftpctl_files::mounts::system::look::Seen;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl mounts heal\n  \
    sftpctl mounts heal --at /sftp --deadline 20\n\n\
    A healthy mount is left alone. One that hangs is aborted, which frees every process that waits for it with an error, \
    and started again; the processes that used it are named, since they may need a restart. docs/mounts.md says what is \
    done in which state.\n\n\
    The exit code is 0 if every mount is healthy now, 1 if one is not, and 3 if only a person can help.")]
pub(super) struct Args {
    #[command(flatten)]
    looking: Looking,
    /// How long a mount may take to start
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    wait: u64,
    /// How much longer a mount that does not answer is waited for, after it was called hung and before it is aborted
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=600))]
    confirm: u64,
}

/// Heals the mounts.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let options = args.looking.options()?;
    let patience = Patience { start: Duration::from_secs(args.wait), confirm: Duration::from_secs(args.confirm) };
    let mut all = Vec::new();
    for record in args.looking.mounts.here()? {
        let hung = |seen: &Seen| {
            let detail = seen.detail.clone().unwrap_or_default();
            printer
                .note(|| format!("{} hangs ({detail}); waiting {} s more before it is aborted", seen.at, args.confirm));
        };
        let result = heal(&record, &options, patience, hung).await;
        all.push(result.map_err(|error| {
            match error.kind() {
                ErrorKind::WouldBlock => {
                    CliError::new(Exit::Locked, format!("another heal is at work on {}", record.mount.at))
                        .hint("wait until it has ended")
                }
                _ => CliError::new(Exit::Usage, format!("cannot take the lock of {}: {error}", record.mount.at))
                    .hint("run it as root"),
            }
        })?);
    }
    printer.emit("mounts-heal/1", &serde_json::json!({ "mounts": all }), || healed(&all));
    Ok(match all.iter().all(Healed::is_healthy) {
        true => Exit::Ok,
        false if all.iter().any(Healed::is_refused) => Exit::Refused,
        false => Exit::Failed,
    })
}
