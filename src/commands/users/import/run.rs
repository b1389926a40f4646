//! From the rows of a source to the table: review, report, refusals, confirmation, writes. `users import` and `users sync`
//! differ in what they write and how they end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::{self, SourceArgs};
use super::via_s3::ViaS3;
use crate::commands::args::{StateArgs, stop_now};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::commands::report_form::report_form;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::import::progress::Shown;
use crate::report::import::report_file;
use crate::report::import::{ImportView, PreWarm, ResumedView, estimate, grouped, outcomes, pre_warming, written};
use crate::report::report_file::Form;
use crate::report::{Printer, hints, streams};
use sftpctl_accounts::Accounts;
use sftpctl_accounts::import::check::Rules;
use sftpctl_accounts::import::digest::DigestKey;
use sftpctl_accounts::import::estimate::WRITE_UNITS_PER_SECOND;
use sftpctl_accounts::import::left_files;
use sftpctl_accounts::import::pre_warm::{self, Ended};
use sftpctl_accounts::import::review::{self, Counts, Options, Review, ReviewError};
use sftpctl_accounts::import::write::{self, Choices, Written};
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::text::{counted, either};
use sftpctl_engine::execute::stop::Stop;
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::store::{Store, terms};
use sftpctl_sources::mapping_file::{MappingFile, Wrong};

/// The arguments that both commands have.
#[derive(Debug, clap::Args)]
pub(in crate::commands::users) struct CommonArgs {
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// The cluster of rows that name none
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Write every rejected row with its reason, and every account that is changed or deleted, to this file: .csv, .json or
    /// .html
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Rejected rows that do not prevent the others from being written
    #[arg(long, value_name = "ROWS", default_value_t = 0)]
    reject_limit: u64,
    /// Replace accounts that have changed in both source and table, or that this source did not import; bring back
    /// removed ones
    #[arg(long)]
    overwrite: bool,
    /// Do not create the empty objects that show the home folders before the first upload
    #[arg(long)]
    no_home_folders: bool,
}

/// What a command does with a review.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands::users) struct Manner {
    /// The command's name, for the lock: `users import`.
    pub(in crate::commands::users) command: &'static str,
    /// Whether DynamoDB creates the table from the accounts.
    pub(in crate::commands::users) via_s3: bool,
    /// Write units a second that the table is to take at once before the writes begin.
    pub(in crate::commands::users) pre_warm: Option<u64>,
    /// Whether anything is written.
    pub(in crate::commands::users) writes: bool,
    /// How many accounts may be deleted that the source does not have any more; `None` deletes none.
    pub(in crate::commands::users) deletions: Option<Limit>,
    /// Whether differences end the command with their own exit code, if nothing is to be written.
    pub(in crate::commands::users) tells_differences: bool,
    /// Whether it is confirmed already.
    pub(in crate::commands::users) confirmed: bool,
    /// Seconds to wait for the lock.
    pub(in crate::commands::users) lock_timeout: u64,
}

/// A limit of deletions: a number, or a share of the accounts that were imported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::commands::users) enum Limit {
    Accounts(u64),
    Percent(f64),
}

impl Limit {
    /// Parses `20` or `1%`.
    pub(in crate::commands::users) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is neither a number of accounts nor a percentage such as 1%");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Self::Accounts).map_err(|_| wrong()),
        }
    }

    /// The number of accounts, of so many that were imported.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a number of accounts, rounded down"
    )]
    fn of(self, imported: u64) -> u64 {
        match self {
            Self::Accounts(accounts) => accounts,
            Self::Percent(percent) => (imported as f64 * percent / 100.0) as u64,
        }
    }
}

/// Inspects the source, or reviews it, and writes what the manner allows.
pub(in crate::commands::users) async fn run(
    args: &CommonArgs,
    manner: Manner,
    printer: Printer,
) -> Result<Exit, CliError> {
    if args.source.inspects() {
        return inspect(args, printer).await;
    }
    args.source.check_options()?;
    if manner.deletions.is_some() {
        args.source.check_name()?;
    }
    let form = args.report.as_deref().map(report_form).transpose()?;
    if let Some(path) = &args.report {
        if let Some(input) = args.source.files().find(|input| is_same_file(input, path)) {
            return Err(CliError::new(Exit::Usage, format!("the report would replace {}", input.display()))
                .hint("pass another file with --report"));
        }
        if let Some(kept) = report_file::begin(path).map_err(|error| unwritable(path, &error))? {
            printer.note(|| format!("note: the report of a run whose writes did not end is kept: {}", kept.display()));
        }
    }
    let mapping = args.source.mapping_file(printer)?;
    let permissions = match manner {
        Manner { via_s3: true, .. } => Permissions::ImportsTable,
        Manner { pre_warm: Some(_), .. } => Permissions::PreWarms,
        _ => Permissions::ImportsUsers,
    };
    let (environment, aws, store) = args.state.open(permissions, printer).await?;
    if let Some(cluster) = args.cluster.as_ref().filter(|cluster| !environment.clusters.contains_key(*cluster)) {
        let known: Vec<&str> = environment.clusters.keys().map(String::as_str).collect();
        return Err(CliError::new(Exit::Usage, format!("environment {} has no cluster `{cluster}`", environment.name))
            .hint(format!("its clusters are {}", known.join(", "))));
    }
    if let Some(file) = &mapping {
        check_constants(file, &environment, printer)?;
    }
    let stop = Stop::on_signals(|| streams::progress("stopping; the writes in flight are finished"), stop_now);
    let place = args.state.place(&environment);
    let via_s3 = manner.via_s3.then(|| ViaS3::new(&aws, &environment, &place)).transpose()?;
    let run =
        Run { args, manner, form, mapping, environment: &environment, aws: &aws, store: &store, printer, stop, via_s3 };
    if !manner.writes {
        // What would stop the writes stops the rehearsal.
        store.check_place().await?;
        return run.run().await;
    }
    let terms = terms(environment.state.lease_seconds, manner.lock_timeout);
    let stop = run.stop.clone();
    let lock = tokio::select! {
        biased;
        lock = store.hold_accounts(manner.command, &aws, terms, &|line| streams::progress(line)) => lock.map_err(busy)?,
        () = stop.canceled() => {
            store.release_own_accounts_lock().await;
            return Err(CliError::new(Exit::Interrupted, "interrupted; nothing was written"));
        }
    };
    let result = run.run().await;
    aws.set_fence(None);
    let released = lock.release().await;
    let exit = result?;
    released?;
    Ok(exit)
}

/// Refuses a mapping file that gives every row a value that the environment does not have.
pub(in crate::commands::users) fn check_constants(
    file: &MappingFile,
    environment: &Environment,
    printer: Printer,
) -> Result<(), CliError> {
    let rules = Rules { environment, default_cluster: None };
    let wrong =
        |attribute: &str, value: &str| rules.constant(attribute, value).map(|(message, hint)| Wrong { message, hint });
    file.check_constants(wrong).map_err(|faults| CliError::from_faults(&faults, printer.has_color()))
}

/// Shows what the source's columns hold. AWS is called only for the database's password.
async fn inspect(args: &CommonArgs, printer: Printer) -> Result<Exit, CliError> {
    args.source.check_options()?;
    if !args.source.needs_aws() {
        return args.source.inspect(None, printer).await;
    }
    let (environment, aws, _) = args.state.open(Permissions::ImportsUsers, printer).await?;
    args.source.inspect(Some((&aws, &environment.home_region)), printer).await
}

/// Another command that writes many accounts holds the lock.
fn busy(error: StateError) -> CliError {
    match error {
        StateError::Locked { holder } => {
            CliError::new(Exit::Locked, format!("another command is writing accounts of this environment: {holder}"))
                .hint("wait for it, or pass --lock-timeout SECONDS")
        }
        error => error.into(),
    }
}

/// Whether two paths are one file, by any name.
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let id = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    id(one).is_some_and(|one| id(other) == Some(one))
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    // The error of a temporary file has a path of its own, which nobody has named.
    let error = error.to_string();
    let error = error.split(" at path \"").next().unwrap_or_default();
    CliError::new(Exit::Failed, format!("cannot write {}: {error}", path.display()))
}

struct Run<'a> {
    args: &'a CommonArgs,
    manner: Manner,
    form: Option<Form>,
    mapping: Option<MappingFile>,
    environment: &'a Environment,
    aws: &'a Arc<Aws>,
    store: &'a Store,
    printer: Printer,
    stop: Stop,
    via_s3: Option<ViaS3>,
}

impl Run<'_> {
    async fn run(&self) -> Result<Exit, CliError> {
        let shown = Shown::new(self.printer.format(), self.stop.clone());
        if let Some(via_s3) = &self.via_s3 {
            let resumed = via_s3.resume(self.manner.writes, &shown).await;
            shown.finish();
            if let Some(import) = resumed? {
                let view = ResumedView { environment: &self.environment.name, imported: import.imported };
                self.printer.emit("users-import-resumed/1", &view, || view.words());
                return Ok(Exit::Ok);
            }
        }
        // Nothing is written before its end, and a source may be a pipe that never ends: one signal is enough.
        let review = tokio::select! {
            review = self.review(&shown) => review,
            () = self.stop.canceled() => Err(CliError::new(Exit::Interrupted, "interrupted; nothing was written")),
        };
        shown.finish();
        let mut review = review?;
        if let (Some(path), Some(form)) = (&self.args.report, self.form) {
            let deletes = self.manner.deletions.is_some();
            report_file::write(path, form, &mut review, deletes).map_err(|error| unwritable(path, &error))?;
        }
        let all = self.args.report.as_ref().map(|path| format!("{} has them all", path.display()));
        self.printer.text(|| outcomes(&review, all.as_deref().unwrap_or("--report FILE has them all")));
        if self.writes(&review) > 0 {
            if self.via_s3.is_some() {
                self.printer.text(|| "without --via-s3:");
            }
            self.printer.text(|| estimate(&review.estimate(self.environment, self.rate(), self.choices())));
        }
        let pre_warm = self.pre_warm().await?;
        if let Some(pre_warm) = pre_warm {
            self.printer.text(|| pre_warming(&pre_warm));
        }
        self.refuse_rejected(&review, pre_warm)?;
        self.refuse_deletions(&review, pre_warm)?;
        if let Some(via_s3) = self.via_s3.as_ref().filter(|_| self.writes(&review) > 0) {
            streams::progress(via_s3.estimate(&mut review, self.environment).await?);
        }
        if !self.manner.writes || self.writes(&review) == 0 {
            self.show(&review, pre_warm, None);
            return Ok(self.unwritten(&review));
        }
        self.confirm(&review).await?;
        if let Some(path) = &self.args.report {
            report_file::writes_begin(path).map_err(|error| unwritable(path, &error))?;
        }
        let shown = Shown::new(self.printer.format(), self.stop.clone());
        if let Some(PreWarm { writes, .. }) = pre_warm {
            let warmed = pre_warm::pre_warm(&self.accounts(), writes, &shown).await;
            if let Err(error) = warmed.map_err(unwarmed).and_then(warm) {
                shown.finish();
                return Err(error);
            }
        }
        let result = match &self.via_s3 {
            Some(via_s3) => via_s3.write(&mut review, self.environment, &shown).await,
            None => write::write(&mut review, (self.aws, self.environment), self.choices(), &shown)
                .await
                .map_err(|error| CliError::new(Exit::Partly, format!("a temporary file: {error}"))),
        };
        shown.finish();
        let result = result?;
        let missed = result.overtaken + result.failed + result.unchecked;
        if let (Some(path), Some(form), true) = (&self.args.report, self.form, missed > 0) {
            let deletes = self.manner.deletions.is_some();
            report_file::write(path, form, &mut review, deletes).map_err(|error| unwritable(path, &error))?;
        }
        self.show(&review, pre_warm, Some(&result));
        if let (Some(path), Exit::Ok) = (&self.args.report, exit(&result)) {
            report_file::writes_ended(path).map_err(|error| unwritable(path, &error))?;
        }
        Ok(exit(&result))
    }

    async fn review(&self, shown: &Shown) -> Result<Review, CliError> {
        let mapping = self.mapping.as_ref();
        let secrets = Some((&**self.aws, &*self.environment.home_region));
        let mut rows = self.args.source.open((&self.environment.name, secrets), mapping, self.printer).await?;
        let own = DigestKey::random();
        // Without a key there is no digest to compare with, and a run that writes nothing keeps none.
        let key = match self.manner.writes {
            true => self.store.accounts_key(&own.text()).await?,
            false => self.store.known_accounts_key(&own.text()).await?,
        };
        let key = DigestKey::parse(&key).ok_or_else(|| {
            CliError::new(Exit::Usage, "the key of the accounts' digests, which is kept with the state, is damaged")
                .hint("restore it from a backup of the state")
        })?;
        let rules = Rules { environment: self.environment, default_cluster: self.args.cluster.clone() };
        let has_table = self.via_s3.is_none();
        let deletes = self.manner.deletions.is_some();
        let source = self.args.source.name(mapping);
        let former_source = self.args.source.former_name(mapping);
        let cluster =
            self.args.cluster.as_ref().map(|name| format!(" --cluster {}", shell_word(name))).unwrap_or_default();
        let sync = format!("{}{cluster} --apply --delete", self.args.source.command("sync", &self.environment.name));
        let sync = hints::complete(&sync);
        let overwrite = self.args.overwrite;
        let options = Options { rules, key, overwrite, source, former_source, deletes, sync, has_table };
        let reviewed = review::review(rows.as_mut(), &self.accounts(), &options, shown).await;
        let mut review = reviewed.map_err(|error| unreviewed(error, &self.environment.name))?;
        if has_table {
            let noted = left_files::note(&mut review, self.aws, self.environment).await;
            noted.map_err(|error| unreviewed(error.into(), &self.environment.name))?;
        }
        Ok(review)
    }

    fn accounts(&self) -> Accounts {
        Accounts::new(Arc::clone(self.aws), self.environment)
    }

    /// Write units a second that the table takes at once.
    fn rate(&self) -> u64 {
        self.manner.pre_warm.unwrap_or_default().max(WRITE_UNITS_PER_SECOND)
    }

    /// What pre-warming would change; `None` without it, or if the table takes as much already.
    async fn pre_warm(&self) -> Result<Option<PreWarm>, CliError> {
        let Some(writes) = self.manner.pre_warm else { return Ok(None) };
        let now = pre_warm::warm(&self.accounts()).await.map_err(unwarmed)?;
        let regions = self.environment.table.regions.iter().chain([&self.environment.home_region]);
        let regions = regions.collect::<BTreeSet<_>>().len() as u64;
        Ok(Some(PreWarm { now, writes, regions }).filter(|pre_warm| pre_warm.now < writes))
    }

    /// The number of accounts that would be written.
    fn changes(&self, review: &Review) -> u64 {
        let deletions = if self.manner.deletions.is_some() { review.counts.removed } else { 0 };
        review.counts.new + review.counts.changed + deletions
    }

    /// The number of accounts that would be written, with those that only get a digest, and of names that are freed.
    fn writes(&self, review: &Review) -> u64 {
        self.changes(review) + review.counts.renewed + review.counts.stale_reservations
    }

    fn choices(&self) -> Choices {
        Choices { markers: !self.args.no_home_folders, deletes: self.manner.deletions.is_some() }
    }

    /// The exit code where nothing is written.
    fn unwritten(&self, review: &Review) -> Exit {
        let is_told = self.manner.tells_differences && !self.manner.writes;
        if is_told && differs(review.counts) { Exit::Changes } else { Exit::Ok }
    }

    /// Refuses to write if more rows are rejected than allowed.
    fn refuse_rejected(&self, review: &Review, pre_warm: Option<PreWarm>) -> Result<(), CliError> {
        let rejected = review.counts.rejected;
        if rejected <= self.args.reject_limit {
            return Ok(());
        }
        let limit = format!("correct the rows, or pass --reject-limit {rejected}");
        self.show_json(review, pre_warm, None);
        let (of, are) = (counted(review.counts.read, "row"), either(rejected, "is", "are"));
        let message = format!("{} of {of} {are} rejected; nothing was written", grouped(rejected));
        Err(CliError::new(Exit::Refused, message).hint(match &self.args.report {
            Some(path) => format!("see {}; {limit}", path.display()),
            None => format!("pass --report rejected.html to see why; {limit}"),
        }))
    }

    /// Refuses to delete more accounts than allowed: a source that was read in part would empty the table.
    fn refuse_deletions(&self, review: &Review, pre_warm: Option<PreWarm>) -> Result<(), CliError> {
        let counts = review.counts;
        let Some(limit) = self.manner.deletions else { return Ok(()) };
        let allowed = limit.of(counts.removed
            + counts.spared
            + counts.removed_but_newer
            + counts.same
            + counts.newer
            + counts.changed);
        if counts.removed <= allowed {
            return Ok(());
        }
        self.show_json(review, pre_warm, None);
        let message = format!(
            "{} would be deleted, and --max-delete allows {}; nothing was written",
            counted(counts.removed, "account"),
            grouped(allowed)
        );
        let hint = format!("check that the source is complete; to delete them, pass --max-delete {}", counts.removed);
        Err(CliError::new(Exit::Refused, message).hint(hint))
    }

    async fn confirm(&self, review: &Review) -> Result<(), CliError> {
        if self.manner.confirmed {
            return Ok(());
        }
        confirm(&question(review.counts, self.manner.deletions.is_some(), &self.environment.name)).await
    }

    fn show(&self, review: &Review, pre_warm: Option<PreWarm>, result: Option<&Written>) {
        self.show_json(review, pre_warm, result);
        match result {
            Some(result) => self.printer.text(|| written(result)),
            None if self.writes(review) == 0 => self.printer.text(|| "nothing to write"),
            None if self.manner.deletions.is_some() && review.counts.removed > 0 => {
                let deleted = counted(review.counts.removed, "account");
                self.printer.text(|| format!("nothing was written; --apply deletes {deleted}"));
            }
            None => self.printer.text(|| "nothing was written"),
        }
    }

    fn show_json(&self, review: &Review, pre_warm: Option<PreWarm>, written: Option<&Written>) {
        let view = ImportView {
            environment: &self.environment.name,
            counts: review.counts,
            rejected_by_reason: &review.reasons,
            samples: &review.samples,
            remarks: &review.remarks,
            dry_run: !self.manner.writes,
            estimate: review.estimate(self.environment, self.rate(), self.choices()),
            pre_warm,
            written,
        };
        self.printer.json("users-import/1", &view);
    }
}

/// What is asked before the writes.
fn question(counts: Counts, deletes: bool, environment: &str) -> String {
    let Counts { new, changed, renewed, removed, .. } = counts;
    let removed = if deletes { removed } else { 0 };
    if new + changed + removed == 0 {
        let accounts = counted(renewed, "account");
        return format!(
            "Write a new digest and the source's name to {accounts} of environment {environment}, and nothing else? [y/N]"
        );
    }
    let deleted = if removed > 0 { format!(", and delete {}", grouped(removed)) } else { String::new() };
    let new = counted(new, "account");
    format!("Add {new} to environment {environment}, change {}{deleted}? [y/N]", grouped(changed))
}

/// Whether anything but accounts that are the same was counted; accounts that are none of this source's do not count.
fn differs(counts: Counts) -> bool {
    counts.same != counts.read || counts.removed + counts.removed_but_newer + counts.spared > 0
}

fn unreviewed(error: ReviewError, environment: &str) -> CliError {
    match error {
        ReviewError::Source(error) => source::unreadable(error),
        ReviewError::Aws(error) if error.is("ResourceNotFound") => CliError::from(error)
            .hint(format!("there is no account table: deploy environment {environment} first, or pass --via-s3")),
        ReviewError::Aws(error) => error.into(),
        ReviewError::Interrupted => CliError::new(Exit::Interrupted, error.to_string()),
        ReviewError::Spill(_) => CliError::from_error(Exit::Failed, &error, None)
            .hint("set TMPDIR to a folder with about 1 GB of free space for each million accounts"),
        ReviewError::Hash(_) => CliError::from_error(Exit::Failed, &error, None),
    }
}

/// DynamoDB refused to pre-warm the table, or to describe it.
fn unwarmed(error: AwsError) -> CliError {
    let hint = "nothing was written; pass a value that the account's quota for a table allows, or leave --pre-warm out";
    CliError::from_error(Exit::Failed, &error, Some(hint.to_owned()))
}

/// Whether the writes may begin.
fn warm(ended: Ended) -> Result<(), CliError> {
    match ended {
        Ended::Warm => Ok(()),
        Ended::Unchanged => {
            Err(CliError::new(Exit::Failed, "DynamoDB has accepted --pre-warm, and shows no effect of it")
                .hint("nothing was written; rerun the same command, or leave --pre-warm out"))
        }
        Ended::Interrupted => Err(CliError::new(Exit::Interrupted, "interrupted; nothing was written")
            .hint("DynamoDB goes on with the pre-warming; rerun the same command, which waits for it")),
    }
}

/// The exit code of the writes.
fn exit(result: &Written) -> Exit {
    match result {
        Written { interrupted: true, .. } => Exit::Interrupted,
        Written { new: 0, changed: 0, renewed: 0, deleted: 0, freed: 0, failed: 1.., .. } => Exit::Failed,
        Written { failed, overtaken, unchecked, .. } if failed + overtaken + unchecked > 0 => Exit::Partly,
        _ => Exit::Ok,
    }
}

#[cfg(test)]
mod tests;
