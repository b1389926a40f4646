//! `sftpctl lock`.

use clap::{Args, Subcommand};
use serde_json::json;

use super::common::{Look, Records, confirm};
use crate::exit::{CliError, Exit};
use crate::report::output::{self, Output};
use sftpctl_engine::state::error::StateError;

/// The lock on an environment.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sftpctl lock show --env 99\n  sftpctl lock break --env 99\n\n\
    A run that is alive renews its lock; the lock of one that was killed is free after its lease, by itself. Breaking it\n\
    is for those who will not wait: the run that held it, if it lives after all, changes nothing more.")]
pub(super) struct LockArgs {
    #[command(subcommand)]
    command: LockCommand,
}

#[derive(Debug, Subcommand)]
enum LockCommand {
    /// Show who works on the environment; exit code 5 where somebody does
    Show(Records),
    /// Free the lock whoever holds it
    Break {
        #[command(flatten)]
        records: Records,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// Shows or breaks it.
pub(super) async fn run(args: LockArgs, look: Look) -> Result<Exit, CliError> {
    match args.command {
        LockCommand::Show(records) => show(&records, look).await,
        LockCommand::Break { records, yes } => break_open(&records, yes, look).await,
    }
}

async fn show(records: &Records, look: Look) -> Result<Exit, CliError> {
    let (environment, _, store) = records.open(look).await?;
    let found = store.lock().look().await?;
    let lease = found.map(|(lease, _)| lease).filter(|lease| !lease.released);
    match (&lease, look.output) {
        (_, Output::Json) => output::json("lock/1", &json!({ "lock": lease })),
        (None, _) => output::data(&format!("Nobody works on environment {}.", environment.name)),
        (Some(lease), _) => output::data(&format!(
            "{}\nrenewed {}; free by itself after {} s without renewal",
            lease.holder.describe(),
            lease.renewed,
            lease.seconds
        )),
    }
    Ok(if lease.is_some() { Exit::Locked } else { Exit::Ok })
}

async fn break_open(records: &Records, yes: bool, look: Look) -> Result<Exit, CliError> {
    let (environment, _, store) = records.open(look).await?;
    let lock = store.lock();
    let found = match lock.look().await {
        Err(error @ StateError::DamagedLock { .. }) => {
            if !yes {
                output::progress(&error.to_string());
                confirm("Remove the damaged lock? A run that holds it stops. [y/N]", &["y", "yes"], "--yes").await?;
            }
            lock.break_damaged().await?;
            match look.output {
                Output::Json => output::json("lock/1", &json!({ "lock": null, "damaged": true })),
                _ => output::data("The lock is free. It was damaged."),
            }
            return Ok(Exit::Ok);
        }
        found => found?,
    };
    let Some((lease, _)) = found.filter(|(lease, _)| !lease.released) else {
        match look.output {
            Output::Json => output::json("lock/1", &json!({ "lock": null })),
            _ => output::data(&format!("Nobody works on environment {}.", environment.name)),
        }
        return Ok(Exit::Ok);
    };
    let who = lease.holder.describe();
    if !yes {
        output::progress(&who);
        confirm("Break the lock? A run that lives stops in the middle of its work. [y/N]", &["y", "yes"], "--yes")
            .await?;
    }
    lock.break_open(&lease.holder).await?;
    match look.output {
        Output::Json => output::json("lock/1", &json!({ "lock": null, "broken": lease })),
        _ => output::data(&format!("The lock is free. It was held by: {who}")),
    }
    Ok(Exit::Ok)
}
