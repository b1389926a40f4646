//! `sftpctl users disable`.

use super::result;
use super::selection::{Selection, label};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl users disable --env 99 --username jan")]
pub(super) struct Args {
    #[command(flatten)]
    account: Selection,
}

/// Disables the account, even if its item is malformed: a later repair must not enable it.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let accounts = args.account.accounts(printer).await?;
    if let Some(item) = args.account.find_malformed(&accounts).await? {
        accounts.end_malformed(&item, false).await.map_err(|error| args.account.explain(error))?;
        result::show_malformed(&label(&item), "disabled; it is still malformed");
        return Ok(Exit::Ok);
    }
    let before = args.account.find(&accounts).await?;
    let account = accounts.set_disabled(before, true).await.map_err(|error| args.account.explain(error))?;
    result::show(printer, &account, "disabled", None);
    Ok(Exit::Ok)
}
