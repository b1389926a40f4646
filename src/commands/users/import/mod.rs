//! `sftpctl users import`.

mod source;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commands::args::{LockTimeout, StateArgs, Yes, stop_now};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::import::progress::Shown;
use crate::report::import::report_file::{self, Form};
use crate::report::import::{ImportView, grouped, outcomes, written};
use crate::report::{Printer, streams};
use sftpctl_accounts::Accounts;
use sftpctl_accounts::import::check::Rules;
use sftpctl_accounts::import::digest::DigestKey;
use sftpctl_accounts::import::review::{self, Options, Review, ReviewError};
use sftpctl_accounts::import::write::{self, Choices, Written};
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::store::{Store, terms};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users import --env 99 --from csv:accounts.csv --dry-run --report rejected.html\n  \
    sftpctl users import --env 99 --from csv:accounts.csv --cluster 99-0\n  \
    sftpctl users import --env 99 --from csv:old.csv --inspect > mapping.yaml\n  \
    sftpctl users import --env 99 --from csv:old.csv --mapping mapping.yaml\n\n\
    Everything is checked before the first write. If more rows are rejected than --reject-limit allows, nothing is \
    written.\n\n\
    An import that was killed or interrupted needs nothing but the same command: what is in the table already is found \
    there. An account that was changed in the table after it was imported is never overwritten, unless --overwrite is \
    given.")]
pub(super) struct Args {
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    source: source::SourceArgs,
    /// The cluster of rows that name none
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Write every rejected row with its reason to this file: .csv, .json or .html
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Rejected rows that do not prevent the import of the others
    #[arg(long, value_name = "ROWS", default_value_t = 0)]
    reject_limit: u64,
    /// Check everything, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Replace accounts that were changed in the table, or were not imported
    #[arg(long)]
    overwrite: bool,
    /// Do not create the empty objects that show the home folders before the first upload
    #[arg(long)]
    no_home_folders: bool,
    #[command(flatten)]
    lock_timeout: LockTimeout,
    #[command(flatten)]
    yes: Yes,
}

/// Imports accounts, under the lock of commands that write many accounts.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    if args.source.inspects() {
        return args.source.inspect(printer).await;
    }
    let form = args.report.as_deref().map(report_form).transpose()?;
    let (environment, aws, store) = args.state.open(Permissions::ImportsUsers, printer).await?;
    if let Some(cluster) = args.cluster.as_ref().filter(|cluster| !environment.clusters.contains_key(*cluster)) {
        let known: Vec<&str> = environment.clusters.keys().map(String::as_str).collect();
        return Err(CliError::new(Exit::Usage, format!("environment {} has no cluster `{cluster}`", environment.name))
            .hint(format!("its clusters are {}", known.join(", "))));
    }
    let stop = Stop::on_signals(|| streams::progress("stopping; the writes in flight are finished"), stop_now);
    let import = Import { args: &args, form, environment: &environment, aws: &aws, store: &store, printer, stop };
    if args.dry_run {
        return import.run().await;
    }
    let terms = terms(environment.state.lease_seconds, args.lock_timeout.seconds);
    let lock = store.hold_accounts("users import", &aws, terms, &|line| streams::progress(line)).await;
    let lock = lock.map_err(busy)?;
    let result = import.run().await;
    aws.set_fence(None);
    let released = lock.release().await;
    let exit = result?;
    released?;
    Ok(exit)
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

fn report_form(path: &Path) -> Result<Form, CliError> {
    Form::of(path).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("the report {} has an unknown ending", path.display()))
            .hint("name it .csv, .json or .html")
    })
}

struct Import<'a> {
    args: &'a Args,
    form: Option<Form>,
    environment: &'a Environment,
    aws: &'a Arc<Aws>,
    store: &'a Store,
    printer: Printer,
    stop: Stop,
}

impl Import<'_> {
    async fn run(&self) -> Result<Exit, CliError> {
        let shown = Shown::new(self.printer.format(), self.stop.clone());
        let review = self.review(&shown).await;
        shown.finish();
        let mut review = review?;
        if let (Some(path), Some(form)) = (&self.args.report, self.form) {
            report_file::write(path, form, &mut review)
                .map_err(|error| CliError::new(Exit::Failed, format!("cannot write {}: {error}", path.display())))?;
        }
        self.printer.text(|| outcomes(&review));
        self.refuse_rejected(&review)?;
        if self.args.dry_run || review.counts.new + review.counts.changed == 0 {
            self.show(&review, None);
            return Ok(Exit::Ok);
        }
        self.confirm(&review).await?;
        let shown = Shown::new(self.printer.format(), self.stop.clone());
        let choices = Choices { markers: !self.args.no_home_folders };
        let result = write::write(&mut review, (self.aws, self.environment), choices, &shown).await;
        shown.finish();
        let result = result.map_err(|error| CliError::new(Exit::Partly, format!("a temporary file: {error}")))?;
        self.show(&review, Some(&result));
        Ok(exit(&result))
    }

    async fn review(&self, shown: &Shown) -> Result<Review, CliError> {
        let mut rows = self.args.source.open(self.printer)?;
        let own = DigestKey::random();
        let key = self.store.accounts_key(&own.text()).await?;
        let key = DigestKey::parse(&key).ok_or_else(|| {
            CliError::new(Exit::Usage, "the key of the accounts' digests, which is kept with the state, is damaged")
                .hint("restore it from a backup of the state")
        })?;
        let rules = Rules { environment: self.environment, default_cluster: self.args.cluster.clone() };
        let options = Options { rules, key, overwrite: self.args.overwrite };
        let accounts = Accounts::new(Arc::clone(self.aws), self.environment);
        review::review(rows.as_mut(), &accounts, &options, shown).await.map_err(unreviewed)
    }

    /// Refuses to write if more rows are rejected than allowed.
    fn refuse_rejected(&self, review: &Review) -> Result<(), CliError> {
        let rejected = review.counts.rejected;
        if rejected <= self.args.reject_limit {
            return Ok(());
        }
        let error = CliError::new(
            Exit::Refused,
            format!("{} of {} rows are rejected; nothing was written", grouped(rejected), grouped(review.counts.read)),
        );
        let hint = match &self.args.report {
            Some(path) => format!("see {}; correct the rows, or pass --reject-limit {rejected}", path.display()),
            None => {
                format!("pass --report rejected.html to see why; correct the rows, or pass --reject-limit {rejected}")
            }
        };
        self.show_json(review, None);
        Err(error.hint(hint))
    }

    async fn confirm(&self, review: &Review) -> Result<(), CliError> {
        if self.args.yes.yes {
            return Ok(());
        }
        let (new, changed) = (grouped(review.counts.new), grouped(review.counts.changed));
        confirm(&format!("Add {new} accounts to environment {}, and change {changed}? [y/N]", self.environment.name))
            .await
    }

    fn show(&self, review: &Review, result: Option<&Written>) {
        self.show_json(review, result);
        match result {
            Some(result) => self.printer.text(|| written(result)),
            None if self.args.dry_run => self.printer.text(|| "nothing was written (--dry-run)"),
            None => self.printer.text(|| "nothing to write"),
        }
    }

    fn show_json(&self, review: &Review, written: Option<&Written>) {
        let view = ImportView {
            environment: &self.environment.name,
            counts: review.counts,
            rejected_by_reason: &review.reasons,
            samples: &review.samples,
            remarks: &review.remarks,
            dry_run: self.args.dry_run,
            written,
        };
        self.printer.json("import/1", &view);
    }
}

fn unreviewed(error: ReviewError) -> CliError {
    match error {
        ReviewError::Source(error) => source::unreadable(error),
        ReviewError::Aws(error) => error.into(),
        ReviewError::Interrupted => CliError::new(Exit::Interrupted, error.to_string()),
        ReviewError::Spill(_) => CliError::from_error(Exit::Failed, &error, None)
            .hint("set TMPDIR to a folder with about 1 GB of free space for each million accounts"),
        ReviewError::Hash(_) => CliError::from_error(Exit::Failed, &error, None),
    }
}

/// The exit code of the writes.
fn exit(result: &Written) -> Exit {
    match result {
        Written { interrupted: true, .. } => Exit::Interrupted,
        Written { new: 0, changed: 0, failed, .. } if !failed.is_empty() => Exit::Failed,
        Written { failed, overtaken, .. } if !failed.is_empty() || !overtaken.is_empty() => Exit::Partly,
        _ => Exit::Ok,
    }
}
