//! `sftpctl lock show`.

use super::{LockView, unlocked};
use crate::commands::args::StateArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_core::shown::Text;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl lock show --env 99\n\n\
    The exit code is 5 if another run holds the lock.")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
}

/// Shows who holds the lock.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, _, store) = args.state.open(Permissions::Reads, printer).await?;
    let found = store.lock().read().await?;
    let lock = found.map(|(lease, _)| lease).filter(|lease| !lease.released);
    let view = LockView { lock, ..LockView::default() };
    printer.emit("lock/1", &view, || match &view.lock {
        None => Text::from(unlocked(&environment.name)),
        Some(lease) => Text::from_iter([
            lease.holder.describe(),
            format!("renewed {}; expires {} s after its last renewal", lease.renewed, lease.seconds),
        ]),
    });
    Ok(if view.lock.is_some() { Exit::Locked } else { Exit::Ok })
}
