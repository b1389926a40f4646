//! `sftpctl state list`.

use serde::Serialize;

use crate::commands::args::StateArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_core::shown::Text;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl state list --env 99")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
}

/// The environments, as `states/1`.
#[derive(Serialize)]
struct EnvironmentsView {
    environments: Vec<String>,
}

pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let (_, _, store) = args.state.open(Permissions::Reads, printer).await?;
    let view = EnvironmentsView { environments: store.environments().await? };
    printer.emit("states/1", &view, || Text::from_iter(&view.environments));
    Ok(Exit::Ok)
}
