//! `sftpctl status --why`: the last failure of the environment, from its records alone. It takes no lock, and reads
//! nothing of AWS but a bucket with the state.

use crate::commands::args::EnvArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::why::{Begun, Failed, WhyReport, render, standing};
use crate::report::{Printer, hints, streams};
use sftpctl_engine::state::lease::Lease;

/// Shows the last failure.
pub(super) async fn run(args: &EnvArgs, printer: Printer) -> Result<Exit, CliError> {
    let (environment, store) = args.open_records(Permissions::Reads, printer).await?;
    let state = store.load().await?.state;
    let (failure, journaled) = (store.failure().await?, store.journaled().await?);
    let now = jiff::Timestamp::now().as_second();
    let lease = store.lock().read().await?.map(|(lease, _)| lease).filter(|lease| is_held(lease, now));
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
    printer.emit("status-why/1", &report, || hints::completed_lines(&render(&report, now, streams::width())));
    Ok(Exit::Ok)
}

/// Whether a run seems to have the lock. A killed one cannot release it, but no longer renews it. By two machines' clocks, which
/// is enough to tell a person.
fn is_held(lease: &Lease, now: i64) -> bool {
    let age = lease.renewed.parse::<jiff::Timestamp>().map(|renewed| now.saturating_sub(renewed.as_second()));
    !lease.released && age.is_ok_and(|age| age.unsigned_abs() <= lease.seconds.saturating_mul(2) || age < 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_not_renewed_is_not_held() {
        let lease = |released: bool| -> Lease {
            serde_json::from_value(serde_json::json!({
                "version": 1, "serial": 1, "seconds": 20, "renewed": "2026-11-24T09:00:00Z", "released": released,
                "holder": {
                    "run": "r", "command": "deploy", "user": "u", "host": "h", "machine": "m", "process": 1,
                    "processStarted": 1, "since": "2026-11-24T09:00:00Z",
                },
            }))
            .unwrap()
        };
        let renewed = "2026-11-24T09:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
        assert!(is_held(&lease(false), renewed + 40) && !is_held(&lease(false), renewed + 41));
        assert!(!is_held(&lease(true), renewed));
    }
}
