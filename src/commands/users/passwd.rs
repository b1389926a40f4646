//! `sftpctl users passwd`.

use super::new_password::PasswordArgs;
use super::selection::Selection;
use super::{errors, result};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users passwd --env 99 --username jan\n  \
    sftpctl users passwd --env 99 --orgid 17578 --generate-password")]
pub(super) struct Args {
    #[command(flatten)]
    account: Selection,
    #[command(flatten)]
    password: PasswordArgs,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let accounts = args.account.accounts(printer).await?;
    let before = args.account.find(&accounts).await?;
    let password = args.password.read(&before.username)?;
    let account = accounts
        .set_password(&before, password.expose())
        .await
        .map_err(|error| errors::explain_change(error, |error| args.account.explain(error)))?;
    result::show(printer, &account, "has a new password", password.generated());
    Ok(Exit::Ok)
}
