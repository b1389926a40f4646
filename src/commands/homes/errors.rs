//! Errors of homes as errors of the command.

use std::path::Path;

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_core::shell_word::shell_word;
use sftpctl_files::homes::copy::CopyError;
use sftpctl_files::homes::journal::{JournalError, NO_FILE};

fn word(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        let (exit, hint) = match &error {
            JournalError::Busy { .. } => (Exit::Locked, "wait until the other run on this home has ended"),
            JournalError::Io { .. } => (Exit::Failed, "check the folder of --manifest, and the space on its disk"),
            JournalError::Damaged { .. } | JournalError::Foreign { .. } => {
                (Exit::Usage, "restore the file; or move it away: the next copy compares every object again")
            }
            JournalError::NotOurs { why: NO_FILE, path } => {
                let hint = format!("move it away (`mv {0} {0}.away`), or pass another --manifest", word(path));
                return Self::from_error(Exit::Refused, &error, Some(hint));
            }
            JournalError::NotOurs { .. } => {
                (Exit::Refused, "look at it; if it is yours, `chown` and `chmod go-w` it, or pass another --manifest")
            }
            JournalError::Newer { .. } => (Exit::Usage, "upgrade sftpctl"),
            JournalError::Other { .. } => {
                (Exit::Usage, "pass the arguments of the first copy, or another --manifest for another target")
            }
        };
        Self::from_error(exit, &error, Some(hint.to_owned()))
    }
}

impl From<CopyError> for CliError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Aws(error) => error.into(),
            CopyError::Journal(error) => error.into(),
            CopyError::Lost { .. } => {
                let hint = "rerun the same command to resume: what is in the manifest is not sent again";
                Self::from_error(Exit::Failed, &error, Some(hint.to_owned()))
            }
            CopyError::Home { .. } | CopyError::Read(_) | CopyError::Task(_) => {
                Self::from_error(Exit::Failed, &error, None)
            }
        }
    }
}
