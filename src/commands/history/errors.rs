//! Exit codes and hints for errors of histories. Pure.

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_files::history::export::repository::GitError;
use sftpctl_files::history::export::run::ExportError;
use sftpctl_files::history::listing::ListError;
use sftpctl_files::history::show::ShowError;
use sftpctl_files::history::source::FetchError;

const RERUN: &str = "rerun the same command to resume";

pub(super) fn of_list(error: ListError) -> CliError {
    match error {
        ListError::Aws(error) => error.into(),
        ListError::Io(_) => CliError::from_error(Exit::Failed, &error, None),
    }
}

/// `list` is the command that lists the versions of the file.
pub(super) fn of_show(error: ShowError, list: &str) -> CliError {
    let see = || Some(format!("see its versions: {list}"));
    match error {
        ShowError::Aws(error) => error.into(),
        ShowError::NoFile { .. } => {
            let hint = "a path begins below the customer's folder, without a slash; with --cluster it is the whole key";
            CliError::from_error(Exit::Usage, &error, Some(hint.to_owned()))
        }
        ShowError::NoVersion { .. } | ShowError::NotThen { .. } => CliError::from_error(Exit::Usage, &error, see()),
        ShowError::Changed { .. } => CliError::from_error(Exit::Failed, &error, Some("rerun the command".to_owned())),
        ShowError::Io(_) => CliError::from_error(Exit::Failed, &error, None),
    }
}

pub(super) fn of_export(error: ExportError) -> CliError {
    let (exit, hint) = match &error {
        ExportError::Aws(error) | ExportError::Fetch(FetchError::Aws(error)) => {
            return CliError { hint: error.hint().or(Some(RERUN.to_owned())), ..error.clone().into() };
        }
        ExportError::Fetch(_) | ExportError::Task(_) => (Exit::Partly, RERUN),
        ExportError::Io(_) | ExportError::Git(GitError::Io(_)) => (Exit::Failed, "check the free space, then rerun"),
        ExportError::Damaged(_) => (Exit::Refused, "export into a folder that is new or empty"),
        ExportError::OtherScope { .. } => (
            Exit::Usage,
            "pass the same options as before, or another --git; commits with other options would be others",
        ),
        ExportError::OtherCommits => (
            Exit::Refused,
            "nothing but exports may write to the branch main of this repository; export into another one",
        ),
        ExportError::Path { .. } => (Exit::Failed, "report it, with the key"),
        ExportError::Git(GitError::Setting { .. }) => {
            (Exit::Refused, "remove the setting, or pass a folder that is new or empty")
        }
        ExportError::Git(GitError::Value { .. }) => {
            (Exit::Refused, "restore the setting, or export into a folder that is new or empty")
        }
        ExportError::Git(GitError::Unusable { .. }) => {
            (Exit::Refused, "repair what git names, or export into a folder that is new or empty")
        }
        ExportError::Git(GitError::Unsafe { .. }) => (Exit::Refused, "pass a folder that is new or empty"),
        ExportError::Git(GitError::Missing) => (Exit::Usage, "install it: apt-get install git, or dnf install git"),
        ExportError::Git(GitError::Other { .. }) => (Exit::Usage, "pass a folder that is new or empty"),
        ExportError::Git(GitError::Locked { .. }) => (Exit::Locked, "wait for its end"),
        ExportError::Git(GitError::Start(_) | GitError::Failed { .. }) => (Exit::Failed, RERUN),
    };
    CliError::from_error(exit, &error, Some(hint.to_owned()))
}
