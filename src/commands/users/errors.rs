//! Exit codes and hints for account errors. Pure.

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_accounts::AccountError;
use sftpctl_accounts::change::ChangeError;
use sftpctl_accounts::create::CreateError;

/// `aws` and `who` are the arguments that select the environment and the account.
pub(in crate::commands) fn explain(error: AccountError, aws: &str, who: &str) -> CliError {
    let (exit, hint) = match &error {
        AccountError::Aws(error) => (Exit::Failed, error.hint()),
        AccountError::NameTaken(_) | AccountError::OrgTaken(_) => {
            (Exit::Refused, Some(format!("see whose it is: sftpctl users show {aws} {who}")))
        }
        AccountError::Changed(_) => (Exit::Refused, Some("rerun the same command".to_owned())),
        AccountError::Missing(_) => (Exit::Usage, Some(format!("see the accounts: sftpctl users list {aws}"))),
        AccountError::Duplicate { .. } => {
            (Exit::Refused, Some(format!("remove all but one of them: sftpctl users remove {aws} --orgid N")))
        }
        AccountError::Several { .. } => {
            (Exit::Usage, Some(format!("select one of them: --username NAME instead of {who}")))
        }
        AccountError::Malformed { .. } => (
            Exit::Refused,
            Some(format!("correct the item in the table, or remove it: sftpctl users remove {aws} {who}")),
        ),
    };
    CliError::from_error(exit, &error, hint)
}

/// As [`explain`], for a new account with this user name and organisation ID.
pub(super) fn explain_create(error: CreateError, aws: &str, username: &str, org_id: i64) -> CliError {
    let exit = match error {
        CreateError::Account(error) => {
            let who = match &error {
                AccountError::OrgTaken(_) => format!("--orgid {org_id}"),
                _ => format!("--username {}", sftpctl_core::shell_word::shell_word(username)),
            };
            return explain(error, aws, &who);
        }
        CreateError::SharedFolder(_) => Exit::Refused,
        CreateError::Marker { .. } | CreateError::Hash(_) | CreateError::Aws(_) => Exit::Failed,
        CreateError::Rule(_)
        | CreateError::InvalidHome(_)
        | CreateError::UnknownBucket { .. }
        | CreateError::UnknownCluster { .. } => Exit::Usage,
    };
    CliError::from_error(exit, &error, error.hint())
}

/// As [`explain`], for a changed account; the argument `explain` adds the account to the hint.
pub(super) fn explain_change(error: ChangeError, explain: impl FnOnce(AccountError) -> CliError) -> CliError {
    match error {
        ChangeError::Rule(error) => CliError::from_error(Exit::Usage, &error, error.hint()),
        ChangeError::Hash(error) => CliError::from_error(Exit::Failed, &error, None),
        ChangeError::Account(error) => explain(error),
    }
}
