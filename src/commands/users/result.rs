//! The output after a change to an account.

use crate::report::account::view;
use crate::report::{Printer, streams};
use sftp_authorizer::Account;

/// Shows the account, the change, and the generated password, if any.
pub(super) fn show(printer: Printer, account: &Account, what: &str, generated: Option<&str>) {
    printer.note(|| format!("{} (organisation {}): {what}", account.username, account.org_id));
    let mut view = view(account);
    view.generated_password = generated;
    // Only the password goes to stdout, so that it can be piped into another program.
    printer.emit("account/1", &view, || generated.unwrap_or_default().to_owned());
}

/// Shows the change to an item that is not a valid account and therefore has no view.
pub(super) fn show_malformed(label: &str, what: &str) {
    streams::progress(format!("{label}: {what}"));
}
