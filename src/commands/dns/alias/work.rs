//! From a plan to the records: what is refused, the confirmation, the changes, the exit code.

use super::names::NameArgs;
use super::session::{Opened, Session};
use crate::commands::args::{StateArgs, Yes};
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::aliases::{AliasesView, found, sent, shown};
use crate::report::import::progress::Shown;
use sftpctl_core::aliases::decide::Plan;
use sftpctl_core::text::{counted, either};
use sftpctl_engine::aliases::Sent;

/// The arguments of every verb that changes records.
#[derive(Debug, clap::Args)]
pub(super) struct WorkArgs {
    #[command(flatten)]
    pub(super) state: StateArgs,
    #[command(flatten)]
    pub(super) names: NameArgs,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave names alone whose records point elsewhere, and change the others
    #[arg(long)]
    skip_foreign: bool,
}

impl WorkArgs {
    /// Shows a plan. Whether it is to be carried out.
    ///
    /// # Errors
    /// It has foreign records, which are not to be skipped.
    pub(super) fn admit(&self, session: &Session, view: &AliasesView<'_>) -> Result<bool, CliError> {
        let (plan, printer) = (view.plan, session.printer);
        printer.text(|| found(view));
        if !plan.foreign.is_empty() && !self.skip_foreign {
            printer.json("dns-alias/1", view);
            let count = plan.foreign.len() as u64;
            let (foreign, are) = (counted(count, "name"), either(count, "is", "are"));
            let message = format!("{foreign} {are} not as expected; nothing was changed");
            return Err(CliError::new(Exit::Refused, message)
                .hint("correct the names, or pass --skip-foreign to change only the others"));
        }
        if plan.changes.is_empty() || self.dry_run {
            printer.json("dns-alias/1", view);
            printer.text(|| if self.dry_run { "nothing was changed (--dry-run)" } else { "nothing to change" });
            return Ok(false);
        }
        Ok(true)
    }
}

/// Asks whether to go on.
pub(super) async fn confirmed(yes: Yes, question: impl FnOnce() -> String) -> Result<(), CliError> {
    if yes.yes { Ok(()) } else { confirm(&question()).await }
}

/// Sends the changes of a plan, and waits for the name servers.
pub(super) async fn carry_out(session: &Session, opened: &Opened, plan: &Plan) -> Sent {
    let display = Shown::new(session.printer.format(), opened.stop.clone());
    let sent = opened.zone.carry_out(&plan.changes, &opened.stop, &|progress| shown(&display, progress)).await;
    display.finish();
    sent
}

/// Shows the result, and ends the command with its exit code.
pub(super) fn end(session: &Session, mut view: AliasesView<'_>, result: Sent) -> Result<Exit, CliError> {
    view.set_sent(&result);
    session.printer.json("dns-alias/1", &view);
    session.printer.text(|| sent(&result));
    let code = exit(&result);
    match result.error {
        Some(error) => Err(CliError { exit: code, ..error.into() }),
        None => Ok(code),
    }
}

fn exit(sent: &Sent) -> Exit {
    match sent {
        Sent { interrupted: true, error: None, .. } => Exit::Interrupted,
        Sent { done: 0, error: Some(_), .. } => Exit::Failed,
        Sent { error: Some(_), .. } => Exit::Partly,
        Sent { overtaken, .. } if !overtaken.is_empty() => Exit::Partly,
        _ => Exit::Ok,
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_aws::AwsError;
    use sftpctl_core::aliases::decide::Foreign;

    use super::*;

    #[test]
    fn exit_code_says_whether_a_rerun_is_needed() {
        let error = || {
            let message = String::new();
            Some(AwsError { operation: "route53:GetChange", object: String::new(), code: None, message, status: None })
        };
        let foreign = vec![Foreign { name: String::new(), reason: String::new() }];
        for (sent, code) in [
            (Sent { done: 5, ..Sent::default() }, Exit::Ok),
            (Sent { done: 5, overtaken: foreign, ..Sent::default() }, Exit::Partly),
            (Sent { done: 5, error: error(), ..Sent::default() }, Exit::Partly),
            (Sent { error: error(), ..Sent::default() }, Exit::Failed),
            (Sent { done: 5, interrupted: true, ..Sent::default() }, Exit::Interrupted),
        ] {
            assert_eq!(exit(&sent), code, "{sent:?}");
        }
    }
}
