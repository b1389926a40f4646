//! `sftpctl state move`.

use serde::Serialize;

use crate::commands::args::{LockTimeout, StateArgs, Yes};
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{Printer, streams};
use sftpctl_core::shown::Text;
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_engine::run;
use sftpctl_engine::state::same_place::is_same_place;
use sftpctl_engine::state::{relocate, store};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl state move --env 99 --to s3://company-sftpctl/state")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
    /// The new place: a folder, or s3://BUCKET/PREFIX
    #[arg(long, value_name = "PLACE")]
    to: StatePlace,
    #[command(flatten)]
    lock_timeout: LockTimeout,
    #[command(flatten)]
    yes: Yes,
}

/// The moved state, as `state/1`.
#[derive(Serialize)]
struct MovedView {
    address: String,
    place: String,
}

pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws, from) = args.state.open_to_move(&args.to, printer).await?;
    let (from_place, to) = (args.state.place(&environment), run::store(&aws, &environment, &args.to));
    if is_same_place(&from_place, &args.to) {
        return Err(CliError::new(Exit::Usage, format!("the state is already at {}", to.address())));
    }
    if !args.yes.yes {
        confirm(&format!("Move {} to {}? [y/N]", from.address(), to.address())).await?;
    }
    let terms = store::terms(environment.state.lease_seconds, args.lock_timeout.seconds);
    relocate::relocate((&from, &from_place), (&to, &args.to), terms, &|line: &str| streams::progress(line)).await?;
    let view = MovedView { address: to.address(), place: args.to.to_string() };
    printer.emit("state/1", &view, || {
        Text::from_iter([
            format!("The state is at {} now.", view.address),
            format!("Add it to the environment file: state: {{ place: \"{}\" }}", view.place),
        ])
    });
    Ok(Exit::Ok)
}
