//! `sftpctl users show`.

use super::result::now;
use super::selection::Selection;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::account::{lines, view};
use crate::report::{Printer, streams};
use sftpctl_accounts::store::usernames;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users show --env 99 --username jan\n  \
    sftpctl users show --env 99 --orgid 17578 --output json")]
pub(super) struct Args {
    #[command(flatten)]
    account: Selection,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, accounts) = args.account.connect(printer).await?;
    let account = args.account.find(&accounts).await?;
    let view = view(&account, now());
    printer.emit("account/1", &view, || lines(&view));
    for remark in account.remarks(usernames(&environment)) {
        streams::progress(format!("warning: {remark}"));
    }
    Ok(Exit::Ok)
}
