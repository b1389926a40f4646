//! `sftpctl lock`: the lock on an environment.

mod break_lock;
mod show;

use clap::Subcommand;
use serde::Serialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_engine::state::lease::Lease;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A run renews its lock; the lock of a killed run expires with its lease. Breaking it saves that \
    wait: if its holder is still running after all, it makes no more changes."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show who holds the lock
    Show(show::Args),
    /// Break the lock, whoever holds it
    Break(break_lock::Args),
}

/// The lock of `lock/1`.
#[derive(Debug, Default, Serialize)]
struct LockView {
    /// Who holds it now.
    lock: Option<Lease>,
    /// Who held it until it was broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Lease>,
    /// Whether its document was damaged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    damaged: bool,
}

/// Runs the verb.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::Show(args) => show::run(&args, printer).await,
        Verb::Break(args) => break_lock::run(&args, printer).await,
    }
}

fn not_locked(environment: &str) -> String {
    format!("Environment {environment} is not locked.")
}
