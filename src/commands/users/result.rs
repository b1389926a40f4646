//! What a change to an account shows.

use crate::report::account::view;
use crate::report::{Printer, streams};
use sftp_authorizer::Account;

/// Shows the account, what was done to it, and a password that was generated for it.
pub(super) fn show(printer: Printer, account: &Account, what: &str, generated: Option<&str>) {
    printer.note(|| format!("{} (organisation {}): {what}", account.username, account.org_id));
    let mut view = view(account);
    view.generated_password = generated;
    // The password is the only data of the command, so that it can be piped to where it belongs.
    printer.emit("account/1", &view, || generated.unwrap_or_default().to_owned());
}

/// Shows what was done to an item that is not a valid account, and so has no view.
pub(super) fn show_malformed(label: &str, what: &str) {
    streams::progress(&format!("{label}: {what}"));
}
