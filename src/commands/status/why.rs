//! `sftpctl status --why`: the last failure of the environment, from its records alone. It takes no lock, and reads
//! nothing of AWS but a bucket with the state.

use crate::commands::args::EnvArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::why::{Begun, Failed, WhyReport, render, standing};
use crate::report::{Printer, hints, streams};

/// Shows the last failure.
pub(super) async fn run(args: &EnvArgs, printer: Printer) -> Result<Exit, CliError> {
    let (environment, store) = args.open_records(Permissions::Reads, printer).await?;
    let state = store.load().await?.state;
    let (failure, journaled) = (store.failure().await?, store.journaled().await?);
    let lease = store.lock().read().await?.map(|(lease, _)| lease).filter(|lease| !lease.released);
    let report = WhyReport {
        environment: environment.name,
        account: environment.account,
        standing: standing(failure.as_ref(), state.last_run.as_ref()),
        failure,
        last_run: state.last_run,
        lock_held_by: lease.map(|lease| lease.holder.describe()),
        journal_failures: journaled.failed.into_iter().map(Failed::from).collect(),
        without_outcome: journaled.open.into_iter().map(Begun::from).collect(),
        unverified: state.unverified.into_iter().collect(),
    };
    let now = jiff::Timestamp::now().as_second();
    printer.emit("status-why/1", &report, || hints::completed_lines(&render(&report, now, streams::width())));
    Ok(Exit::Ok)
}
