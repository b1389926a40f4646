//! `sftpctl homes cutover`.

mod exchange;
mod freeze;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::account::{is_enabled, set_account};
use super::copy::How;
use super::selection::{Chosen, Place, Selection};
use crate::commands::args::{Yes, stop_now};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::homes::moved::MovedView;
use crate::report::{Printer, streams};
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::homes::copy::Options;
use sftpctl_files::homes::journal::{Journal, look_of};
use sftpctl_files::homes::pace::Pace;
use sftpctl_files::homes::record::{Line, Step};
use sftpctl_files::homes::swap::{self, InPlace};

pub(super) use freeze::thaw;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl homes cutover --env 99 --orgid 17578 --mount /sftp --freeze-command ./freeze\n  \
    sftpctl homes cutover --env 99 --orgid 17578 --mount /sftp --freeze-sshd --freeze-mode\n  \
    sftpctl homes cutover --env 99 --list wave-1.txt --mount /sftp --frozen --max-failures 3 --yes\n  \
    sftpctl homes cutover --env 99 --list wave-1.txt --mount /sftp --dry-run\n\n\
    For each home: freeze, last copy, verify, then the folder and a link to the mount change places in one step, what was \
    written into the folder at the last moment is brought over, and the account is enabled. Each step is in the manifest; \
    the same command goes on where a killed run stopped. A home that \
    fails before the exchange is thawed, and customers go on at the old server.\n\n\
    The commands get the home in SFTPCTL_HOME, and the organisation in SFTPCTL_ORGID. The old folder stays beside the \
    link, as .NAME.before-cutover, for `homes rollback`.")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    swap: Swap,
    /// Shell command that stops writes of a customer at the old server, and ends open sessions
    #[arg(long, value_name = "COMMAND", required_unless_present_any = ["dry_run", "frozen", "freeze_mode", "freeze_sshd"])]
    freeze_command: Option<String>,
    /// Take all rights from the home (mode 0), so that only root opens it, with or without a command
    #[arg(long)]
    freeze_mode: bool,
    /// Let sshd deny the users of the home new sessions, and end those that they have, with or without a command
    #[arg(long)]
    freeze_sshd: bool,
    /// Configuration of sshd; it includes the files of the folder FILE.d
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config")]
    sshd_config: PathBuf,
    /// File with the number of the process of sshd that listens
    #[arg(long, value_name = "FILE", default_value = "/run/sshd.pid", requires = "freeze_sshd")]
    sshd_pid_file: PathBuf,
    /// The homes are frozen already
    #[arg(long, conflicts_with_all = ["freeze_command", "freeze_mode", "freeze_sshd"])]
    frozen: bool,
    /// Shell command that undoes the freeze, for a home that could not be cut over
    #[arg(long, value_name = "COMMAND")]
    thaw_command: Option<String>,
    /// Say what would refuse a home, and do nothing: neither a freeze nor a copy
    #[arg(long)]
    dry_run: bool,
    /// Go on as long as no more homes than this have failed
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_failures: usize,
    /// Leave an account disabled that was disabled before the cut-over, and not by a roll-back
    #[arg(long)]
    leave_disabled: bool,
    /// Cut over homes that belong to root and that nobody else may write to, or that sshd locks users into
    #[arg(long)]
    allow_chroot: bool,
    #[command(flatten)]
    yes: Yes,
}

/// Where the link leads.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Swap {
    /// Folder at which the bucket is mounted; the link leads to the home's folder in it
    #[arg(long, value_name = "DIR")]
    mount: PathBuf,
}

impl Swap {
    /// The target of the link of a home, absolute.
    pub(super) fn target(&self, place: &Place) -> PathBuf {
        let target = self.mount.join(place.prefix.trim_end_matches('/'));
        std::path::absolute(&target).unwrap_or(target)
    }
}

/// Why a home was not cut over.
type Failure = String;

/// What would come of a home.
struct Rehearsal {
    what: &'static str,
    failure: Option<Failure>,
    notes: Vec<String>,
}

/// What came of a home.
enum Ended {
    /// With what is worth knowing.
    Moved(Vec<String>),
    /// It was cut over, but something that was written at the last moment is only in the old folder.
    Late(Vec<String>),
    Failed(Failure),
}

struct Run<'a> {
    args: &'a Args,
    environment: &'a Environment,
    aws: &'a Arc<Aws>,
    stop: Stop,
    printer: Printer,
}

/// An error as a reason.
fn words(error: CliError) -> Failure {
    let CliError { message, causes, hint, .. } = error;
    let what = [vec![message], causes].concat().join(": ");
    hint.map_or(what.clone(), |hint| format!("{what} ({hint})"))
}

/// Cuts over the homes one after the other.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let pace = args.how.pace()?;
    let (environment, aws) = args.selection.aws.connect(Permissions::MovesHomes, printer).await?;
    let homes = args.selection.homes_here(&environment).await?;
    if !args.yes.yes && !args.dry_run {
        let (count, name) = (counted(homes.len() as u64, "home"), &environment.name);
        confirm(&format!("Cut over {count} of environment {name}? [y/N]")).await?;
    }
    let stop = Stop::on_signals(|| streams::progress("stopping before the next home"), stop_now);
    let run = Run { args: &args, environment: &environment, aws: &aws, stop, printer };
    let is_alone = homes.len() == 1 && !args.selection.is_of_all();
    let (mut done, mut late, mut failed, mut failure) = (0, 0, 0, Exit::Refused);
    for home in homes {
        if run.stop.requested() {
            return Ok(Exit::Interrupted);
        }
        let ended = run.shown(&home, &pace).await;
        // A signal ends the user's commands, too.
        let is_interrupted = run.stop.requested() && !matches!(ended, Ok(Ended::Moved(_)));
        match ended {
            Ok(Ended::Moved(_)) => done += 1,
            Ok(Ended::Late(_)) => late += 1,
            Ok(Ended::Failed(_)) => failed += 1,
            Err(error) if is_alone => return Err(error),
            // A home that cannot be cut over, such as one without an account, does not keep the others waiting.
            Err(error) => {
                printer.error(&error);
                (failed, failure) = (failed + 1, error.exit);
            }
        }
        if is_interrupted {
            return Ok(Exit::Interrupted);
        }
        // A rehearsal has all that would be refused.
        if failed > args.max_failures && !args.dry_run {
            break;
        }
    }
    Ok(match (done, late, failed) {
        (_, 0, 0) => Exit::Ok,
        (0, 0, _) => failure,
        _ => Exit::Partly,
    })
}

/// A home on its way, with its manifest.
#[derive(Clone, Copy)]
struct Home<'a> {
    chosen: &'a Chosen,
    place: &'a Place,
    options: &'a Options,
    journal: &'a Arc<Mutex<Journal>>,
    target: &'a Path,
}

impl Home<'_> {
    fn has(self, step: Step) -> bool {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().has(step)
    }

    /// Whether this run has frozen it, or one that was killed.
    fn is_frozen(self) -> bool {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().is_frozen()
    }

    /// Whether a roll-back has disabled the account.
    fn is_disabled(self) -> bool {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().is_disabled
    }

    fn note(self, step: Step, detail: String) -> Result<(), CliError> {
        note(self.journal, step, detail)
    }
}

impl Run<'_> {
    /// Cuts over a home or rehearses it, and shows what came of it.
    async fn shown(&self, home: &Chosen, pace: &Arc<Pace>) -> Result<Ended, CliError> {
        let place = self.args.selection.place(self.environment, self.aws, home.org_id).await?;
        let options = self.args.how.options(&place, pace);
        if self.args.dry_run {
            let Rehearsal { what, failure, notes } = self.rehearse(home, (&place, &options)).await?;
            self.show(home, what, failure.as_deref(), &notes);
            return Ok(failure.map_or_else(|| Ended::Moved(notes), Ended::Failed));
        }
        let ended = self.one(home, (&place, &options)).await?;
        match &ended {
            Ended::Moved(notes) | Ended::Late(notes) => self.show(home, "cut over", None, notes),
            Ended::Failed(why) => self.show(home, "not cut over", Some(why), &[]),
        }
        Ok(ended)
    }

    fn show(&self, home: &Chosen, what: &'static str, failure: Option<&str>, notes: &[String]) {
        let view = MovedView { org_id: home.org_id, what, failure, notes, returned: None };
        self.printer.emit("homes-cutover/1", &view, || view.text());
    }

    /// Cuts over a home, or says why not.
    async fn one(&self, chosen: &Chosen, (place, options): (&Place, &Options)) -> Result<Ended, CliError> {
        let path = self.args.selection.manifest(self.environment, chosen.org_id);
        let journal = Arc::new(Mutex::new(Journal::open(&path, &chosen.line(self.environment, place))?));
        let target = &self.args.swap.target(place);
        let home = Home { chosen, place, options, journal: &journal, target };
        match swap::in_place(&chosen.path, target) {
            Ok(InPlace::Link) => {}
            Ok(InPlace::Folder) => {
                if let Some(failure) = self.exchange(home).await? {
                    return Ok(Ended::Failed(failure));
                }
            }
            Err(error) => return Ok(Ended::Failed(error.to_string())),
        }
        // A run may have been killed between the exchange and its line.
        if !home.has(Step::Exchanged) {
            home.note(Step::Exchanged, target.display().to_string())?;
        }
        let late = if home.has(Step::Late) { Vec::new() } else { self.late(home).await? };
        let mut notes = late;
        let is_late = !notes.is_empty();
        if !home.has(Step::Enabled) || home.is_disabled() {
            notes.extend(self.enable(home).await?);
        }
        Ok(if is_late { Ended::Late(notes) } else { Ended::Moved(notes) })
    }

    /// Freezes a home, copies and exchanges it. Returns what failed, after which it is thawed.
    async fn exchange(&self, home: Home<'_>) -> Result<Option<Failure>, CliError> {
        let Home { chosen, options, target, .. } = home;
        let rights = home.journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().rights_before_freeze();
        let checked = match self.check(chosen, target, options, rights).await {
            Ok(checked) => checked.map_err(|refusal| refusal.to_string()),
            Err(error) if home.is_frozen() => Err(words(error)),
            Err(error) => return Err(error),
        };
        if let Err(failure) = checked {
            return Ok(Some(self.thawed_if_frozen(home, failure).await));
        }
        match self.freeze(home).await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => return Ok(Some(format!("the freeze failed: {why}"))),
            Err(error) => {
                let failure = format!("the freeze failed: {}", words(error));
                return Ok(Some(self.thawed_if_frozen(home, failure).await));
            }
        }
        // No error leaves it frozen, of AWS or of the manifest.
        let failure = self.while_frozen(home).await.unwrap_or_else(|error| Some(words(error)));
        Ok(match failure {
            Some(failure) => Some(self.thawed(home, failure).await),
            None => None,
        })
    }

    /// Enables the account, unless it is to be left disabled. What it says of one that somebody else has disabled.
    async fn enable(&self, home: Home<'_>) -> Result<Option<String>, CliError> {
        let org_id = home.chosen.org_id;
        let was_disabled = is_enabled(self.aws, self.environment, org_id).await? == Some(false);
        let is_of_others = was_disabled && !home.is_disabled();
        let words = self.args.selection.aws.words();
        if is_of_others && self.args.leave_disabled {
            return Ok(Some(format!(
                "the account was disabled before, and stays so: sftpctl users enable {words} --orgid {org_id} enables it"
            )));
        }
        if was_disabled {
            set_account(self.aws, self.environment, org_id, false).await?;
        }
        home.note(Step::Enabled, String::new())?;
        Ok(is_of_others.then(|| {
            format!(
                "the account was disabled before, and is enabled now: sftpctl users disable {words} --orgid {org_id} \
                 disables it again"
            )
        }))
    }

    /// What a cut-over of a home would come to.
    async fn rehearse(&self, chosen: &Chosen, (place, options): (&Place, &Options)) -> Result<Rehearsal, CliError> {
        let target = self.args.swap.target(place);
        let mut rehearsal = Rehearsal { what: "would be cut over", failure: None, notes: Vec::new() };
        let refused = "would be refused";
        match swap::in_place(&chosen.path, &target) {
            Ok(InPlace::Link) => return Ok(Rehearsal { what: "cut over already", ..rehearsal }),
            Ok(InPlace::Folder) => {}
            Err(error) => return Ok(Rehearsal { what: refused, failure: Some(error.to_string()), ..rehearsal }),
        }
        let path = self.args.selection.manifest(self.environment, chosen.org_id);
        let manifest = look_of(&path, &chosen.line(self.environment, place))?;
        let rights = manifest.and_then(|manifest| manifest.rights_before_freeze());
        let checked = self.check(chosen, &target, options, rights).await?;
        let is_ended = self.args.freeze_sshd || !(self.args.frozen || self.args.freeze_mode);
        let checked = match (checked, swap::check_closed(&chosen.path)) {
            // Their sessions end with the freeze.
            (Ok(()), Err(open)) if is_ended || self.args.freeze_command.is_some() => {
                rehearsal.notes.push(format!("unless the freeze ends them, {open}"));
                Ok(())
            }
            (Ok(()), closed) => closed,
            (refused, _) => refused,
        };
        let sshd = self.sshd();
        let denial = self.args.freeze_sshd.then(|| sshd.denial(&chosen.path, chosen.org_id)).transpose();
        rehearsal.failure =
            checked.err().map(|error| error.to_string()).or_else(|| denial.err().map(|error| error.to_string()));
        if rehearsal.failure.is_some() {
            rehearsal.what = refused;
        }
        Ok(rehearsal)
    }
}

/// Writes a step to the manifest, and to the disk.
pub(super) fn note(journal: &Mutex<Journal>, step: Step, detail: String) -> Result<(), CliError> {
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
    journal.append(Line::Step { step, at, detail })?;
    Ok(journal.sync()?)
}
