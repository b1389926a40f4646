//! `sftpctl homes rollback`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::account::{is_enabled, set_account};
use super::cutover::{Swap, note, thaw};
use super::selection::{Chosen, Place, Selection};
use crate::commands::args::{Yes, stop_now};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::commands::report_form::report_form;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::homes::moved::{COLUMNS, Elsewhere, MovedView, ReturnedView, notes};
use crate::report::import::progress::Shown;
use crate::report::report_file::ReportFile;
use crate::report::{Printer, streams};
use sftpctl_aws::Aws;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::shown::Text;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::homes::journal::Journal;
use sftpctl_files::homes::name::Raw;
use sftpctl_files::homes::put_back::Folder;
use sftpctl_files::homes::record::Step;
use sftpctl_files::homes::returned::{Returned, bring_back};
use sftpctl_files::homes::swap::{self, InPlace};
use sftpctl_files::homes::watch::Watch;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl homes rollback --env 99 --orgid 17578 --mount /sftp --thaw-command ./thaw\n  \
    sftpctl homes rollback --env 99 --list wave-1.txt --mount /sftp --yes --report elsewhere.csv\n\n\
    For each home: the account is disabled, what was stored in S3 since the copy is brought back to the disk with its \
    owners and times, the old folder and the link change places again, and what arrived meanwhile is brought back, too. \
    Nothing is deleted, in S3 or on the disk: files that were deleted in S3 are counted, and kept. An object whose name \
    something else has on the disk is put beside it, as NAME.from-s3.\n\n\
    A home that a cut-over has frozen and not exchanged, because it was killed, is thawed.")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    swap: Swap,
    /// Shell command that lets the customer write at the old server again
    #[arg(long, value_name = "COMMAND")]
    thaw_command: Option<String>,
    /// Write what is not brought back under its own name to this file: .csv, .json (an object to a line) or .html
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    yes: Yes,
}

const WHAT: &str = "rolled back";
const NOT: &str = "not rolled back";

/// Rolls the homes back one after the other.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let form = args.report.as_deref().map(report_form).transpose()?;
    let unwritten = |error: std::io::Error| CliError::new(Exit::Failed, format!("cannot write the report: {error}"));
    let report = args.report.as_deref().zip(form).map(|(path, form)| ReportFile::begin(path, form, COLUMNS));
    let report = report.transpose().map_err(unwritten)?.map(Elsewhere::new);
    let (environment, aws) = args.selection.aws.connect(Permissions::MovesHomes, printer).await?;
    let mut homes = args.selection.homes_here(&environment).await?;
    // Of all homes, those are meant that a cut-over has begun with.
    if args.selection.is_of_all() {
        homes.retain(|home| args.selection.manifest(&environment, home.org_id).exists() || swap::is_moved(&home.path));
    }
    let none = || {
        let hint = format!("run: sftpctl homes status {} --all", args.selection.aws.words());
        CliError::new(Exit::Refused, "no home was cut over").hint(hint)
    };
    if homes.is_empty() {
        return Err(none());
    }
    if !args.yes.yes {
        let (count, name) = (counted(homes.len() as u64, "home"), &environment.name);
        confirm(&format!("Roll {count} of environment {name} back to the old server? [y/N]")).await?;
    }
    let stop = Stop::on_signals(|| streams::progress("stopping; the calls in flight are finished"), stop_now);
    let is_alone = homes.len() == 1 && !args.selection.is_of_all();
    let run = Run { args: &args, environment: &environment, aws: &aws, stop, report: report.as_ref(), printer };
    let (mut exit, mut summary, mut untouched) = (Exit::Ok, Text::default(), 0_u64);
    let count = homes.len() as u64;
    for home in homes {
        if run.stop.requested() {
            exit = Exit::Interrupted;
            break;
        }
        match run.one(&home).await {
            Ok(Ended::Interrupted) => {
                exit = Exit::Interrupted;
                break;
            }
            Ok(Ended::NotMoved) if args.selection.is_of_all() => {
                printer.note(|| format!("home {} was not cut over", home.org_id));
                untouched += 1;
            }
            Ok(Ended::NotMoved) if is_alone => {
                return Err(CliError::new(Exit::Refused, format!("home {} was not cut over", home.org_id)));
            }
            Ok(Ended::NotMoved) => {
                summary.extend(run.show(&home, NOT, Some("it was not cut over"), None));
                exit = Exit::Partly;
            }
            Ok(Ended::Done(is_complete, text)) => {
                summary.extend(text);
                if !is_complete {
                    exit = Exit::Partly;
                }
            }
            Err(error) if is_alone => return Err(error),
            // A home that cannot be rolled back does not keep the others waiting.
            Err(error) => {
                printer.error(&error);
                exit = Exit::Partly;
            }
        }
    }
    if let Some(report) = &report {
        report.finish(&format!("Homes of environment {}", environment.name), &summary).map_err(unwritten)?;
    }
    if untouched == count && exit == Exit::Ok {
        return Err(none());
    }
    Ok(exit)
}

/// What came of a home.
enum Ended {
    /// With what was shown; whether nothing is left to be done.
    Done(bool, Text),
    /// No cut-over has changed it.
    NotMoved,
    Interrupted,
}

struct Run<'a> {
    args: &'a Args,
    environment: &'a Environment,
    aws: &'a Arc<Aws>,
    stop: Stop,
    report: Option<&'a Elsewhere>,
    printer: Printer,
}

impl Run<'_> {
    /// Shows what came of a home, and returns it for people.
    fn show(&self, home: &Chosen, what: &'static str, failure: Option<&str>, all: Option<&Returned>) -> Text {
        let notes = all.map(notes).unwrap_or_default();
        self.show_notes(home, what, failure, all, &notes)
    }

    fn show_notes(
        &self,
        home: &Chosen,
        what: &'static str,
        failure: Option<&str>,
        all: Option<&Returned>,
        notes: &[String],
    ) -> Text {
        let view = MovedView { org_id: home.org_id, what, failure, notes, returned: all.map(ReturnedView::new) };
        self.printer.emit("homes-rollback/1", &view, || view.text());
        view.text()
    }

    async fn one(&self, home: &Chosen) -> Result<Ended, CliError> {
        let Self { args, environment, aws, .. } = self;
        let place = args.selection.place(environment, aws, home.org_id).await?;
        let path = args.selection.manifest(environment, home.org_id);
        let target = args.swap.target(&place);
        let in_place = swap::in_place(&home.path, &target).map_err(|error| unknown(home, &target, &error))?;
        // No manifest is begun here.
        if in_place == InPlace::Folder && path.symlink_metadata().is_err() {
            return Ok(Ended::NotMoved);
        }
        let journal = Arc::new(Mutex::new(Journal::open(&path, &home.line(environment, &place))?));
        let manifest = || journal.lock().unwrap_or_else(PoisonError::into_inner);
        let has_exchanged = || manifest().manifest().has(Step::Exchanged);
        // A cut-over may have been killed between the exchange and its line; without it this would pass for a home that was
        // only frozen, once the folder is back.
        if in_place == InPlace::Link && !has_exchanged() {
            note(&journal, Step::Exchanged, target.display().to_string())?;
        }
        let (was_moved, is_frozen, inode) = {
            let journal = manifest();
            let manifest = journal.manifest();
            let inode = manifest.objects.get(&Raw::default()).map(|home| home.stamp.inode);
            let was_moved = manifest.has(Step::Exchanged) || manifest.has(Step::RolledBack);
            (was_moved, manifest.is_frozen(), inode)
        };
        if in_place == InPlace::Folder && is_frozen {
            let failure = thaw(args.thaw_command.as_deref(), home, &home.path, &journal).await;
            if failure.is_none() {
                note(&journal, Step::Thawed, String::new())?;
            }
            let notes = ["it was not cut over: the customer goes on at the old server".to_owned()];
            let what = if failure.is_none() { "thawed" } else { "not thawed" };
            let text = self.show_notes(home, what, failure.as_deref(), None, &notes);
            return Ok(Ended::Done(failure.is_none(), text));
        }
        if in_place == InPlace::Folder && !was_moved {
            return Ok(Ended::NotMoved);
        }
        if in_place == InPlace::Folder && swap::is_another(&home.path, inode) {
            return Err(another(home, &target));
        }
        self.back(home, (&place, &target, in_place), &journal).await
    }

    /// Brings a home back that was cut over. While the link is in its place, customers go on in S3.
    async fn back(
        &self,
        home: &Chosen,
        (place, target, in_place): (&Place, &Path, InPlace),
        journal: &Arc<Mutex<Journal>>,
    ) -> Result<Ended, CliError> {
        let result = self.disabled(home, (place, target, in_place), journal).await;
        let is_link = swap::in_place(&home.path, target).is_ok_and(|in_place| in_place == InPlace::Link);
        let enabled = if is_link { self.enable_again(home, journal).await } else { Ok(()) };
        match (result, enabled) {
            (Ok(Ended::Done(..) | Ended::NotMoved), Err(error)) => Err(error),
            // What stopped the roll-back comes last.
            (result, Err(error)) => {
                self.printer.error(&error);
                result
            }
            (result, Ok(())) => result,
        }
    }

    /// Enables the account again, if a roll-back has disabled it.
    async fn enable_again(&self, home: &Chosen, journal: &Mutex<Journal>) -> Result<(), CliError> {
        if !journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().is_disabled {
            return Ok(());
        }
        let (org_id, words) = (home.org_id, self.args.selection.aws.words());
        set_account(self.aws, self.environment, org_id, false).await.map_err(|error| {
            let enable = format!("sftpctl users enable {words} --orgid {org_id}");
            error.hint(format!("rerun the same command, or enable the account, which may be disabled: {enable}"))
        })?;
        note(journal, Step::Enabled, String::new())
    }

    /// Disables the account, and brings a home back.
    async fn disabled(
        &self,
        home: &Chosen,
        (place, target, in_place): (&Place, &Path, InPlace),
        journal: &Arc<Mutex<Journal>>,
    ) -> Result<Ended, CliError> {
        let Self { args, environment, aws, .. } = self;
        // One that was disabled before stays so, whatever becomes of this.
        if is_enabled(aws, environment, home.org_id).await? == Some(true) {
            note(journal, Step::Disabled, String::new())?;
            set_account(aws, environment, home.org_id, true).await?;
        }
        let before = match in_place {
            InPlace::Link => swap::kept(&home.path),
            InPlace::Folder => home.path.clone(),
        };
        let work = Work {
            aws,
            place,
            journal,
            stop: &self.stop,
            org_id: home.org_id,
            report: self.report,
            printer: self.printer,
        };
        let mut all = work.bring_back(&before).await?;
        if all.is_interrupted {
            return Ok(Ended::Interrupted);
        }
        // What another attempt may bring back must be there before the folder is in use again.
        if all.failed > 0 && in_place == InPlace::Link {
            let why =
                format!("{} failed, and customers go on in S3; rerun the same command", counted(all.failed, "object"));
            let text = self.show(home, NOT, Some(&why), Some(&all));
            return Ok(Ended::Done(false, text));
        }
        note(journal, Step::BroughtBack, String::new())?;
        swap::exchange_back(&home.path, target)
            .map_err(|error| CliError::new(Exit::Failed, format!("home {}: {error}", home.org_id)))?;
        // What the application wrote through the mount may have been on its way.
        let late = work.bring_back(&home.path).await?;
        if late.is_interrupted {
            return Ok(Ended::Interrupted);
        }
        let failure = thaw(args.thaw_command.as_deref(), home, &home.path, journal).await;
        // A thaw that failed is repeated by the same command.
        if failure.is_none() {
            note(journal, Step::RolledBack, String::new())?;
        }
        all.add(late);
        let failure = failure.map(|why| format!("the folder is back; the thaw failed: {why}"));
        let what = if failure.is_none() { WHAT } else { NOT };
        let text = self.show(home, what, failure.as_deref(), Some(&all));
        Ok(Ended::Done(all.left_count == 0 && failure.is_none(), text))
    }
}

/// A path as a word of a command that can be copied.
fn word(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// What is in the place of a home cannot be told.
fn unknown(home: &Chosen, target: &Path, error: &std::io::Error) -> CliError {
    let (path, kept, link) = (word(&home.path), swap::kept(&home.path), word(target));
    let error = CliError::new(Exit::Failed, format!("home {}: {error}", home.org_id));
    if kept.is_dir() && home.path.symlink_metadata().is_err() {
        let kept = kept.display();
        return error.hint(format!(
            "its folder is kept as {kept}, and the link is gone: put it back (ln -s {link} {path}), and rerun the \
             command"
        ));
    }
    error.hint(format!(
        "a home is a folder, or the link of its cut-over to {} with the folder beside it: check --root and --mount; \
         `homes status` shows which homes are known",
        target.display()
    ))
}

/// The folder in the place of the link is not the one that was cut over.
fn another(home: &Chosen, target: &Path) -> CliError {
    let (path, kept, link) = (word(&home.path), swap::kept(&home.path), word(target));
    let message = format!("home {}: {} is not the folder that was cut over", home.org_id, home.path.display());
    let hint = if kept.is_dir() {
        format!(
            "that one is kept as {}: move the new folder away, put the link back (ln -s {link} {path}), and rerun the \
             command",
            kept.display()
        )
    } else {
        format!(
            "find that one; or, to bring everything back into this one: mv {path} {} && ln -s {link} {path}",
            word(&kept)
        )
    };
    CliError::new(Exit::Refused, message).hint(hint)
}

/// What the two passes of a roll-back share.
struct Work<'a> {
    aws: &'a Arc<Aws>,
    place: &'a Place,
    journal: &'a Arc<Mutex<Journal>>,
    stop: &'a Stop,
    org_id: i64,
    report: Option<&'a Elsewhere>,
    printer: Printer,
}

impl Work<'_> {
    async fn bring_back(&self, folder: &Path) -> Result<Returned, CliError> {
        let opened = Folder::open(folder)
            .map_err(|error| CliError::new(Exit::Failed, format!("cannot open {}: {error}", folder.display())))?;
        let shown = Shown::new(self.printer.format(), self.stop.clone());
        let (s3, Place { bucket, prefix, .. }) = (self.aws.s3(&self.place.region), self.place);
        let reported = self.report.map(|report| report.of(self.org_id, &shown));
        let watch = reported.as_ref().map_or(&shown as &dyn Watch, |reported| reported);
        let result = bring_back(&Arc::new(opened), self.journal, (&s3, bucket, prefix), watch).await;
        shown.finish();
        Ok(result?)
    }
}
