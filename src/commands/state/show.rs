//! `sftpctl state show`.

use serde::Serialize;

use crate::commands::args::StateArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_core::shown::Text;
use sftpctl_engine::state::journal::Entry;
use sftpctl_engine::state::model::State;
use sftpctl_engine::state::store::Remembered;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl state show --env 99")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
}

/// The state, as `state/1`.
#[derive(Serialize)]
struct StateView<'a> {
    state: &'a State,
    unfinished: &'a [Entry],
}

pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, _, store) = args.state.open(Permissions::Reads, printer).await?;
    let remembered = store.load().await?;
    let view = StateView { state: &remembered.state, unfinished: &remembered.unfinished };
    printer.emit("state/1", &view, || {
        let title = format!("Environment {} in account {}: {}", environment.name, environment.account, store.address());
        [vec![title], lines(&remembered)].concat().into_iter().collect::<Text>()
    });
    Ok(Exit::Ok)
}

fn lines(remembered: &Remembered) -> Vec<String> {
    let mut lines = Vec::new();
    match &remembered.state.last_run {
        None if !remembered.found => lines.push("nothing is remembered".to_owned()),
        None => {}
        Some(run) => lines.push(format!("last run: {} {}, begun {}", run.command, run.outcome, run.started)),
    }
    let identities = remembered.state.identities.iter();
    lines.extend(identities.map(|(node, identity)| format!("  {node:<44} {identity}")));
    let unfinished = remembered.unfinished.iter();
    lines.extend(unfinished.map(|entry| format!("unfinished: {} ({}, {})", entry.node, entry.operation, entry.at)));
    lines
}
