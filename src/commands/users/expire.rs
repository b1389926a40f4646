//! `sftpctl users expire`.

use super::selection::Selection;
use super::{errors, result};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users expire --env 99 --username jan --at 2026-12-31\n  \
    sftpctl users expire --env 99 --username jan --at 2026-12-31T18:00:00Z\n  \
    sftpctl users expire --env 99 --username jan --at never\n\n\
    A date counts to its end in UTC. From the time on, log-ins are refused; open sessions continue, and nothing is \
    deleted.")]
pub(super) struct Args {
    #[command(flatten)]
    account: Selection,
    /// Date, time of RFC 3339, or never
    #[arg(long, value_name = "TIME")]
    at: String,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let accounts = args.account.accounts(printer).await?;
    let before = args.account.find(&accounts).await?;
    let at = (args.at != "never").then_some(args.at.as_str());
    let account = accounts
        .set_expiry(&before, at)
        .await
        .map_err(|error| errors::explain_change(error, |error| args.account.explain(error)))?;
    let what = match (&account.expires, result::is_expired(&account)) {
        (None, _) => "does not expire".to_owned(),
        (Some(expires), false) => format!("expires: {}", expires.as_str()),
        (Some(expires), true) => format!("has expired: {}", expires.as_str()),
    };
    result::show(printer, &account, &what, None);
    Ok(Exit::Ok)
}
