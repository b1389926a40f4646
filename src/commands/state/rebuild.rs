//! `sftpctl state rebuild`.

use serde::Serialize;

use crate::commands::args::{EnvArgs, LockTimeout};
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, streams};
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::run::Run;
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::store::{self, Store};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl state rebuild --env 99")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    #[command(flatten)]
    lock_timeout: LockTimeout,
}

/// The rebuilt state, as `state/1`.
#[derive(Serialize)]
struct RebuiltView {
    address: String,
    rebuilt: bool,
}

pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    if !args.env.regions.is_empty() {
        return Err(CliError::new(Exit::Usage, "the state covers all regions and is rebuilt from all of them")
            .hint("omit --region; nothing was changed"));
    }
    let (environment, store) = args.env.open_state(printer).await?;
    put_aside_if_damaged(args, &environment, &store).await?;
    let run = args.env.open(Permissions::ChangesState, printer).await?;
    run.locked("state rebuild", args.lock_timeout.seconds, async |run: &mut Run| run.rebuild().await).await?;
    let view = RebuiltView { address: store.address(), rebuilt: true };
    printer.emit("state/1", &view, || format!("{} was rebuilt from AWS.", view.address));
    Ok(Exit::Ok)
}

async fn put_aside_if_damaged(args: &Args, environment: &Environment, store: &Store) -> Result<(), CliError> {
    match store.load().await {
        Ok(_) => Ok(()),
        Err(StateError::Damaged { .. }) => {
            let terms = store::terms(environment.state.lease_seconds, args.lock_timeout.seconds);
            for address in store.put_aside(terms, &|line: &str| streams::progress(line)).await? {
                streams::progress(format!("put aside: {address}"));
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
