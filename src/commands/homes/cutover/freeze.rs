//! Before and around the exchange of a home: what refuses it, the freeze, and the thaw.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Failure, Home, Run};
use crate::commands::homes::hook::Hook;
use crate::commands::homes::inventory;
use crate::commands::homes::origin::blocking;
use crate::commands::homes::selection::Chosen;
use crate::error::CliError;
use sftpctl_files::homes::copy::Options;
use sftpctl_files::homes::journal::Journal;
use sftpctl_files::homes::record::{RIGHTS, Step};
use sftpctl_files::homes::sshd::{Denial, Sshd};
use sftpctl_files::homes::swap::{self, Refusal};

/// How long a mount may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

impl Run<'_> {
    pub(super) fn sshd(&self) -> Sshd {
        Sshd { config: self.args.sshd_config.clone(), pid_file: self.args.sshd_pid_file.clone() }
    }

    /// What can be checked before customers notice anything.
    pub(super) async fn check(
        &self,
        chosen: &Chosen,
        target: &Path,
        options: &Options,
        rights: Option<u32>,
    ) -> Result<Result<(), Refusal>, CliError> {
        let opened = inventory::open_as((&chosen.path, &chosen.path), &options.plan)?.with_rights(rights);
        if let Err(refusal) = swap::check(&opened, self.args.allow_chroot) {
            return Ok(Err(refusal));
        }
        if let Err(refusal) = swap::check_kept(&chosen.path, target) {
            return Ok(Err(refusal));
        }
        if !self.args.allow_chroot {
            let (sshd, path) = (self.sshd(), chosen.path.clone());
            match blocking(move || sshd.chroots(&path)).await? {
                Ok(chroots) => {
                    if let Some((user, folder)) = chroots.into_iter().next() {
                        return Ok(Err(Refusal::Locked { user, folder }));
                    }
                }
                Err(error) => {
                    let org_id = chosen.org_id;
                    self.printer.note(|| format!("home {org_id}: sshd could not say whom it locks into it: {error}"));
                }
            }
        }
        // A dead mount does not answer, and must not stop this process.
        let folder = target.to_owned();
        let look = tokio::task::spawn_blocking(move || folder.is_dir());
        let is_there = tokio::time::timeout(ANSWER, look).await;
        Ok(if matches!(is_there, Ok(Ok(true))) { Ok(()) } else { Err(Refusal::NoTarget(target.to_owned())) })
    }

    /// Stops writes at the old server. The rights of a home are noted before they are taken.
    pub(super) async fn freeze(&self, home: Home<'_>) -> Result<Result<(), Failure>, CliError> {
        let rights = home.journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().rights_before_freeze();
        let detail = match (swap::rights(&home.chosen.path), rights) {
            // A run that was killed has taken them.
            (Ok(0), Some(rights)) => format!("{RIGHTS}{rights:o}"),
            _ if !self.args.freeze_mode => String::new(),
            (Ok(rights), _) => format!("{RIGHTS}{rights:o}"),
            (Err(error), _) => return Ok(Err(self.thawed_if_frozen(home, error.to_string()).await)),
        };
        let sshd = self.sshd();
        let denial = self.args.freeze_sshd.then(|| sshd.denial(&home.chosen.path, home.chosen.org_id));
        let denial = match denial.transpose() {
            Ok(denial) => denial,
            Err(error) => return Ok(Err(self.thawed_if_frozen(home, error.to_string()).await)),
        };
        // Before the command, so that a roll-back knows of it, wherever this run is killed.
        home.note(Step::Frozen, detail)?;
        if let Some(freeze) = Hook::of(self.args.freeze_command.as_deref(), home.chosen)
            && let Err(why) = freeze.run().await
        {
            return Ok(Err(self.thawed(home, why).await));
        }
        if self.args.freeze_mode
            && let Err(error) = swap::set_rights(&home.chosen.path, 0)
        {
            return Ok(Err(self.thawed(home, error.to_string()).await));
        }
        match denial {
            Some(denial) => self.deny(home, denial).await,
            None => Ok(Ok(())),
        }
    }

    /// Lets sshd deny the users of the home. What it is told is noted before, so that any later run can undo it.
    async fn deny(&self, home: Home<'_>, denial: Denial) -> Result<Result<(), Failure>, CliError> {
        home.note(Step::Denied, serde_json::to_string(&denial).unwrap_or_default())?;
        let Err(error) = blocking(move || denial.begin()).await? else { return Ok(Ok(())) };
        // What was done before it is undone, too.
        Ok(Err(self.thawed(home, error.to_string()).await))
    }

    /// Thaws a home that was not cut over for this reason. Returns it, with what failed of the thaw.
    pub(super) async fn thawed(&self, home: Home<'_>, failure: Failure) -> Failure {
        let failed = thaw(self.args.thaw_command.as_deref(), home.chosen, &home.chosen.path, home.journal).await;
        // A thaw that failed is repeated by `homes rollback`, or the next run.
        let failed = failed.or_else(|| home.note(Step::Thawed, String::new()).err().map(|error| error.to_string()));
        failure + &failed.map(|why| format!("; the thaw failed: {why}")).unwrap_or_default()
    }

    /// As [`Self::thawed`], unless neither this run nor one that was killed has frozen it.
    pub(super) async fn thawed_if_frozen(&self, home: Home<'_>, failure: Failure) -> Failure {
        if home.is_frozen() { self.thawed(home, failure).await } else { failure }
    }
}

/// Lets the customer write at the old server again: the rights of the folder at this path, and the user's command. Returns
/// what failed.
pub(in crate::commands::homes) async fn thaw(
    command: Option<&str>,
    chosen: &Chosen,
    folder: &Path,
    journal: &Mutex<Journal>,
) -> Option<Failure> {
    let rights = journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().rights_before_freeze();
    let taken = rights.filter(|_| swap::rights(folder).is_ok_and(|rights| rights == 0));
    let given = taken.and_then(|rights| swap::set_rights(folder, rights).err().map(|error| error.to_string()));
    let denial = journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().denial();
    let admitted = match denial {
        Some(denial) => match blocking(move || denial.end()).await {
            Ok(ended) => ended.err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        },
        None => None,
    };
    let ran = match Hook::of(command, chosen) {
        Some(hook) => hook.run().await.err(),
        None => None,
    };
    given.or(admitted).or(ran)
}
