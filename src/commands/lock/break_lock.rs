//! `sftpctl lock break`.

use super::{LockView, unlocked};
use crate::commands::args::{StateArgs, Yes};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, streams};
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::lease::Lock;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl lock break --env 99")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    yes: Yes,
}

/// Breaks the lock, even if its document is damaged.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, _, store) = args.state.open(Permissions::ChangesState, printer).await?;
    let lock = store.lock();
    let found = match lock.read().await {
        Err(error @ StateError::DamagedLock { .. }) => return break_damaged(args, &lock, &error, printer).await,
        found => found?,
    };
    let Some((lease, _)) = found.filter(|(lease, _)| !lease.released) else {
        printer.emit("lock/1", &LockView::default(), || unlocked(&environment.name));
        return Ok(Exit::Ok);
    };
    let holder = lease.holder.describe();
    if !args.yes.yes {
        streams::progress(holder.as_str());
        confirm("Break the lock? If its holder is still running, it will stop partway. [y/N]").await?;
    }
    lock.break_open(&lease.holder).await?;
    let view = LockView { broken: Some(lease), ..LockView::default() };
    printer.emit("lock/1", &view, || format!("The lock is free. It was held by: {holder}"));
    Ok(Exit::Ok)
}

async fn break_damaged(args: &Args, lock: &Lock, error: &StateError, printer: Printer) -> Result<Exit, CliError> {
    if !args.yes.yes {
        streams::progress(error.to_string());
        confirm("Remove the damaged lock? If a run holds it, that run will stop partway. [y/N]").await?;
    }
    lock.break_damaged().await?;
    let view = LockView { damaged: true, ..LockView::default() };
    printer.emit("lock/1", &view, || "The lock is free. It was damaged.".to_owned());
    Ok(Exit::Ok)
}
