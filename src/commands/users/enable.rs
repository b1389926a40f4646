//! `sftpctl users enable`.

use super::result;
use super::selection::Selection;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  sftpctl users enable --env 99 --username jan")]
pub(super) struct Args {
    #[command(flatten)]
    account: Selection,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let accounts = args.account.accounts(printer).await?;
    let before = args.account.find(&accounts).await?;
    let account = accounts.set_disabled(before, false).await.map_err(|error| args.account.explain(error))?;
    let what = if result::is_expired(&account) { "enabled, but it has expired" } else { "enabled" };
    result::show(printer, &account, what, None);
    Ok(Exit::Ok)
}
