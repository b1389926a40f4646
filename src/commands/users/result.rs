//! The output after a change to an account.

use crate::report::account::view;
use crate::report::{Printer, streams};
use sftp_authorizer::Account;
use sftpctl_core::spec::model::Environment;

/// Now, in seconds since 1970.
pub(super) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Whether the account is refused because its time is over.
pub(super) fn is_expired(account: &Account) -> bool {
    account.expires.as_ref().is_some_and(|expires| expires.is_over(now()))
}

/// Says if the account's public keys are of no use.
pub(super) fn note_keys(environment: &Environment, account: &Account) {
    if !account.public_keys.is_empty() && !environment.server.takes_keys() {
        streams::progress("note: the servers take passwords only; set `server.authentication` in the environment file");
    }
}

/// Shows the account, the change, and the generated password, if any.
pub(super) fn show(printer: Printer, account: &Account, what: &str, generated: Option<&str>) {
    printer.note(|| format!("{} (organisation {}): {what}", account.username, account.org_id));
    let mut view = view(account, now());
    view.generated_password = generated;
    // Only the password goes to stdout, so that it can be piped into another program.
    printer.emit("account/1", &view, || generated.unwrap_or_default().to_owned());
}

/// Shows the change to an item that is not a valid account and therefore has no view.
pub(super) fn show_malformed(label: &str, what: &str) {
    streams::progress(format!("{label}: {what}"));
}
