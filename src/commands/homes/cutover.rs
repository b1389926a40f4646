//! `sftpctl homes cutover`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::copy::{self, How};
use super::hook::Hook;
use super::inventory;
use super::selection::{Chosen, Place, Selection};
use crate::commands::args::{Yes, stop_now};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::homes::copied::{compared, copied};
use crate::report::homes::moved::MovedView;
use crate::report::import::progress::Shown;
use crate::report::{Printer, streams};
use sftpctl_accounts::{AccountError, Accounts};
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::homes::copy::Options;
use sftpctl_files::homes::journal::Journal;
use sftpctl_files::homes::record::{Line, Step};
use sftpctl_files::homes::swap::{self, InPlace, Refusal};
use sftpctl_files::homes::verify::verify;
use sftpctl_files::homes::watch::Watch;

/// How long a mount may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl homes cutover --env 99 --orgid 17578 --mount /sftp --freeze-command ./freeze\n  \
    sftpctl homes cutover --env 99 --list wave-1.txt --mount /sftp --frozen --max-failures 3 --yes\n\n\
    For each home: freeze, last copy, verify, then the folder and a link to the mount change places in one step, and the \
    account is enabled. Each step is in the manifest; the same command goes on where a killed run stopped. A home that \
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
    #[arg(long, value_name = "COMMAND", required_unless_present = "frozen", conflicts_with = "frozen")]
    freeze_command: Option<String>,
    /// The homes are frozen already
    #[arg(long)]
    frozen: bool,
    /// Shell command that undoes the freeze, for a home that could not be cut over
    #[arg(long, value_name = "COMMAND")]
    thaw_command: Option<String>,
    /// Go on as long as no more homes than this have failed
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_failures: usize,
    /// Cut over homes that belong to root and that nobody else may write to
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

struct Run<'a> {
    args: &'a Args,
    environment: &'a Environment,
    aws: &'a Arc<Aws>,
    stop: Stop,
    printer: Printer,
}

/// Cuts over the homes one after the other.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let pace = args.how.pace()?;
    let (environment, aws) = args.selection.aws.connect(Permissions::MovesHomes, printer).await?;
    let homes = args.selection.homes(&environment)?;
    if !args.yes.yes {
        let (count, name) = (homes.len(), &environment.name);
        confirm(&format!("Cut over {count} homes of environment {name}? [y/N]")).await?;
    }
    let stop = Stop::on_signals(|| streams::progress("stopping before the next home"), stop_now);
    let run = Run { args: &args, environment: &environment, aws: &aws, stop, printer };
    let (mut done, mut failed) = (0, 0);
    for home in homes {
        if run.stop.requested() {
            return Ok(Exit::Interrupted);
        }
        let place = args.selection.place(&environment, &aws, home.org_id).await?;
        let options = args.how.options(&place, &pace);
        let failure = run.one(&home, (&place, &options)).await?;
        let view = MovedView { org_id: home.org_id, what: "cut over", failure: failure.as_deref(), notes: &[] };
        printer.emit("homes-cutover/1", &view, || view.text());
        match failure {
            None => done += 1,
            Some(_) => failed += 1,
        }
        if failed > args.max_failures {
            break;
        }
    }
    Ok(match (done, failed) {
        (_, 0) => Exit::Ok,
        (0, _) => Exit::Refused,
        _ => Exit::Partly,
    })
}

impl Run<'_> {
    /// Cuts over a home, or says why not.
    async fn one(&self, home: &Chosen, (place, options): (&Place, &Options)) -> Result<Option<Failure>, CliError> {
        let path = self.args.selection.manifest(self.environment, home.org_id);
        let journal = Arc::new(Mutex::new(Journal::open(&path, &home.line(self.environment, place))?));
        let target = self.args.swap.target(place);
        match swap::in_place(&home.path, &target) {
            Ok(InPlace::Link) => {}
            Ok(InPlace::Folder) => {
                if let Err(refusal) = self.check(home, &target, options).await? {
                    return Ok(Some(refusal.to_string()));
                }
                if let Some(freeze) = Hook::of(self.args.freeze_command.as_deref(), home)
                    && let Err(why) = freeze.run().await
                {
                    return Ok(Some(format!("the freeze failed: {why}")));
                }
                note(&journal, Step::Frozen, String::new())?;
                if let Some(failure) = self.while_frozen(home, (place, options), (&journal, &target)).await? {
                    let thawed = match Hook::of(self.args.thaw_command.as_deref(), home) {
                        Some(thaw) => thaw.run().await.err().map(|why| format!("; the thaw failed: {why}")),
                        None => None,
                    };
                    return Ok(Some(failure + &thawed.unwrap_or_default()));
                }
            }
            Err(error) => return Ok(Some(error.to_string())),
        }
        let (has_exchanged, has_enabled) = {
            let journal = journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            (journal.manifest().has(Step::Exchanged), journal.manifest().has(Step::Enabled))
        };
        // A run may have been killed between the exchange and its line.
        if !has_exchanged {
            note(&journal, Step::Exchanged, target.display().to_string())?;
        }
        if !has_enabled {
            set_account(self.aws, self.environment, home.org_id, false).await?;
            note(&journal, Step::Enabled, String::new())?;
        }
        Ok(None)
    }

    /// What can be checked before customers notice anything.
    async fn check(&self, home: &Chosen, target: &Path, options: &Options) -> Result<Result<(), Refusal>, CliError> {
        let opened = inventory::open(&home.path, &options.plan)?;
        if let Err(refusal) = swap::check(&opened, self.args.allow_chroot) {
            return Ok(Err(refusal));
        }
        // A dead mount does not answer, and must not stop this process.
        let folder = target.to_owned();
        let look = tokio::task::spawn_blocking(move || folder.is_dir());
        let is_there = tokio::time::timeout(ANSWER, look).await;
        Ok(if matches!(is_there, Ok(Ok(true))) { Ok(()) } else { Err(Refusal::NoTarget(target.to_owned())) })
    }

    /// The last copy, the comparison and the exchange.
    async fn while_frozen(
        &self,
        home: &Chosen,
        (place, options): (&Place, &Options),
        (journal, target): (&Arc<Mutex<Journal>>, &Path),
    ) -> Result<Option<Failure>, CliError> {
        if let Err(refusal) = swap::check_closed(&home.path) {
            return Ok(Some(refusal.to_string()));
        }
        let shown = Arc::new(Shown::new(self.printer.format(), self.stop.clone()));
        let watch: Arc<dyn Watch> = Arc::<Shown>::clone(&shown);
        let result = copy::one((self.environment, self.aws), home, (place, options), journal, watch).await;
        shown.finish();
        let result = result?;
        self.printer.note(|| copied(home.org_id, &result));
        if !result.is_complete() {
            return Ok(Some(format!("{} entries are left, and {} objects gone", result.pass.left, result.pass.gone)));
        }
        note(journal, Step::Copied, String::new())?;
        let shown = Shown::new(self.printer.format(), self.stop.clone());
        let result = verify(journal, (&self.aws.s3(&place.region), &place.bucket), false, &shown).await;
        shown.finish();
        let result = result?;
        self.printer.note(|| compared(home.org_id, &result));
        let Some(signed) = result.signed else { return Ok(Some("objects in S3 differ from the home".to_owned())) };
        note(journal, Step::Verified, signed.digest)?;
        if let Err(refusal) = swap::check_closed(&home.path) {
            return Ok(Some(refusal.to_string()));
        }
        Ok(swap::exchange(&home.path, target).err().map(|error| format!("the exchange failed: {error}")))
    }
}

/// Writes a step to the manifest, and to the disk.
pub(super) fn note(journal: &Mutex<Journal>, step: Step, detail: String) -> Result<(), CliError> {
    let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut journal = journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    journal.append(Line::Step { step, at, detail })?;
    Ok(journal.sync()?)
}

/// Enables or disables the account of an organisation; one without an account is fine.
pub(super) async fn set_account(
    aws: &Arc<Aws>,
    environment: &Environment,
    org_id: i64,
    disabled: bool,
) -> Result<(), CliError> {
    let accounts = Accounts::new(Arc::clone(aws), environment);
    let failed = |error: AccountError| CliError::from_error(Exit::Partly, &error, None);
    match accounts.by_org(org_id).await {
        Ok(account) if account.disabled == disabled => Ok(()),
        Ok(account) => accounts.set_disabled(account, disabled).await.map(drop).map_err(failed),
        Err(AccountError::Missing(_)) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}
