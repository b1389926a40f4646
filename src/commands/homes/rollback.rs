//! `sftpctl homes rollback`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::cutover::{Swap, note, set_account, thaw};
use super::selection::{Place, Selection};
use crate::commands::args::{Yes, stop_now};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::homes::moved::{MovedView, notes};
use crate::report::import::progress::Shown;
use crate::report::{Printer, streams};
use sftpctl_aws::Aws;
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::homes::journal::Journal;
use sftpctl_files::homes::put_back::Folder;
use sftpctl_files::homes::record::Step;
use sftpctl_files::homes::returned::{Returned, bring_back};
use sftpctl_files::homes::swap::{self, InPlace};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl homes rollback --env 99 --orgid 17578 --mount /sftp --thaw-command ./thaw\n  \
    sftpctl homes rollback --env 99 --list wave-1.txt --mount /sftp --yes\n\n\
    For each home: the account is disabled, what was stored in S3 since the copy is brought back to the disk with its \
    owners and times, the old folder and the link change places again, and what arrived meanwhile is brought back, too. \
    Nothing is deleted, in S3 or on the disk: files that were deleted in S3 are counted, and kept.\n\n\
    A home that a cut-over has frozen and not exchanged, because it was killed, is thawed.")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    swap: Swap,
    /// Shell command that lets the customer write at the old server again
    #[arg(long, value_name = "COMMAND")]
    thaw_command: Option<String>,
    #[command(flatten)]
    yes: Yes,
}

const WHAT: &str = "rolled back";

/// Rolls the homes back one after the other.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.selection.aws.connect(Permissions::MovesHomes, printer).await?;
    let homes = args.selection.homes_here(&environment).await?;
    if !args.yes.yes {
        let (count, name) = (counted(homes.len() as u64, "home"), &environment.name);
        confirm(&format!("Roll {count} of environment {name} back to the old server? [y/N]")).await?;
    }
    let stop = Stop::on_signals(|| streams::progress("stopping; the calls in flight are finished"), stop_now);
    let mut exit = Exit::Ok;
    for home in homes {
        let place = args.selection.place(&environment, &aws, home.org_id).await?;
        let path = args.selection.manifest(&environment, home.org_id);
        let journal = Arc::new(Mutex::new(Journal::open(&path, &home.line(&environment, &place))?));
        let target = args.swap.target(&place);
        let in_place = swap::in_place(&home.path, &target)
            .map_err(|error| CliError::new(Exit::Failed, format!("home {}: {error}", home.org_id)))?;
        let has_exchanged = || journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().has(Step::Exchanged);
        // A cut-over may have been killed between the exchange and its line; without it this would pass for a home that was
        // only frozen, once the folder is back.
        if in_place == InPlace::Link && !has_exchanged() {
            note(&journal, Step::Exchanged, target.display().to_string())?;
        }
        let (was_moved, is_frozen) = {
            let journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
            let manifest = journal.manifest();
            (manifest.has(Step::Exchanged) || manifest.has(Step::RolledBack), manifest.is_frozen())
        };
        if in_place == InPlace::Folder && is_frozen {
            let failure = thaw(args.thaw_command.as_deref(), &home, &home.path, &journal).await;
            match &failure {
                None => note(&journal, Step::Thawed, String::new())?,
                Some(_) => exit = Exit::Partly,
            }
            let notes = ["it was not cut over: the customer goes on at the old server".to_owned()];
            let view = MovedView { org_id: home.org_id, what: "thawed", failure: failure.as_deref(), notes: &notes };
            printer.emit("homes-rollback/1", &view, || view.text());
            continue;
        }
        if in_place == InPlace::Folder && !was_moved {
            return Err(CliError::new(Exit::Refused, format!("home {} was not cut over", home.org_id)));
        }
        set_account(&aws, &environment, home.org_id, true).await?;
        let before = match in_place {
            InPlace::Link => swap::kept(&home.path),
            InPlace::Folder => home.path.clone(),
        };
        let work = Work { aws: &aws, place: &place, journal: &journal, stop: &stop, printer };
        let mut all = work.bring_back(&before).await?;
        if all.is_interrupted {
            return Ok(Exit::Interrupted);
        }
        // What another attempt may bring back must be there before the folder is in use again.
        if all.failed > 0 && in_place == InPlace::Link {
            let why =
                format!("{} failed, and customers go on in S3; rerun the same command", counted(all.failed, "object"));
            let view = MovedView { failure: Some(&why), notes: &notes(&all), org_id: home.org_id, what: WHAT };
            printer.emit("homes-rollback/1", &view, || view.text());
            set_account(&aws, &environment, home.org_id, false).await?;
            exit = Exit::Partly;
            continue;
        }
        note(&journal, Step::BroughtBack, String::new())?;
        swap::exchange_back(&home.path, &target)
            .map_err(|error| CliError::new(Exit::Failed, format!("home {}: {error}", home.org_id)))?;
        // What the application wrote through the mount may have been on its way.
        let late = work.bring_back(&home.path).await?;
        if late.is_interrupted {
            return Ok(Exit::Interrupted);
        }
        let failure = thaw(args.thaw_command.as_deref(), &home, &home.path, &journal).await;
        // A thaw that failed is repeated by the same command.
        if failure.is_none() {
            note(&journal, Step::RolledBack, String::new())?;
        }
        all.returned += late.returned;
        all.bytes += late.bytes;
        all.deleted = late.deleted;
        (all.left, all.left_count, all.failed) = (late.left, late.left_count, late.failed);
        let failure = failure.map(|why| format!("the folder is back; the thaw failed: {why}"));
        let notes = notes(&all);
        let view = MovedView { org_id: home.org_id, what: WHAT, failure: failure.as_deref(), notes: &notes };
        printer.emit("homes-rollback/1", &view, || view.text());
        if all.left_count > 0 || failure.is_some() {
            exit = Exit::Partly;
        }
    }
    Ok(exit)
}

/// What the two passes of a roll-back share.
struct Work<'a> {
    aws: &'a Arc<Aws>,
    place: &'a Place,
    journal: &'a Arc<Mutex<Journal>>,
    stop: &'a Stop,
    printer: Printer,
}

impl Work<'_> {
    async fn bring_back(&self, folder: &Path) -> Result<Returned, CliError> {
        let opened = Folder::open(folder)
            .map_err(|error| CliError::new(Exit::Failed, format!("cannot open {}: {error}", folder.display())))?;
        let shown = Shown::new(self.printer.format(), self.stop.clone());
        let (s3, Place { bucket, prefix, .. }) = (self.aws.s3(&self.place.region), self.place);
        let result = bring_back(&Arc::new(opened), self.journal, (&s3, bucket, prefix), &shown).await;
        shown.finish();
        Ok(result?)
    }
}
