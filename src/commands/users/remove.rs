//! `sftpctl users remove`.

use super::result;
use super::selection::{Selection, label};
use crate::commands::args::Yes;
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users remove --env 99 --username jan\n  \
    sftpctl users remove --env 99 --orgid 17578 --yes")]
pub(super) struct Args {
    #[command(flatten)]
    account: Selection,
    #[command(flatten)]
    yes: Yes,
}

/// Removes the account, even if its item is malformed.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let accounts = args.account.accounts(printer).await?;
    if let Some(item) = args.account.find_malformed(&accounts).await? {
        if !args.yes.yes {
            confirm(&format!("Remove the malformed item of {}? [y/N]", label(&item))).await?;
        }
        accounts.end_malformed(&item, true).await.map_err(|error| args.account.explain(error))?;
        result::show_malformed(&label(&item), "removed");
        return Ok(Exit::Ok);
    }
    let account = args.account.find(&accounts).await?;
    if !args.yes.yes {
        confirm(&format!("Remove the account {} (organisation {})? [y/N]", account.username, account.org_id)).await?;
    }
    accounts.remove(&account).await.map_err(|error| args.account.explain(error))?;
    result::show(printer, &account, &format!("removed; its files in {} are kept", account.home.path()), None);
    Ok(Exit::Ok)
}
