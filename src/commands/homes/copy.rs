//! `sftpctl homes copy`.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::ValueEnum;

use super::decisions::Decisions;
use super::inventory;
use super::origin::blocking;
use super::selection::{Place, Selection};
use crate::commands::args::stop_now;
use crate::commands::permissions::Permissions;
use crate::commands::report_form::report_form;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::homes::copied::{self, CopyView, MovedAlready, NotStored, copied as text};
use crate::report::import::progress::Shown;
use crate::report::report_file::ReportFile;
use crate::report::{Printer, streams};
use sftpctl_aws::Aws;
use sftpctl_core::shown::Text;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::homes::copy::{Copied, Gone, Options, copy};
use sftpctl_files::homes::journal::Journal;
use sftpctl_files::homes::pace::{Hours, Pace};
use sftpctl_files::homes::plan::MOST_PER_PUT;
use sftpctl_files::homes::source::Source;
use sftpctl_files::homes::watch::Watch;

/// The longest that one attempt to send a part may take.
const ATTEMPT: Duration = Duration::from_mins(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl homes copy --env 99 --orgid 17578\n  \
    sftpctl homes copy --env 99 --all --links marker --skip fifo,socket --report left.html\n  \
    sftpctl homes copy --env 99 --list wave-1.txt --bandwidth 20 --hours 22-06\n  \
    sftpctl homes copy --env 99 --all --from sftp://root@old-server\n\n\
    The same command again copies what has changed since, and what an earlier run left; a run that was killed needs \
    nothing else. What a customer has stored in S3 meanwhile is never replaced.\n\n\
    The exit code is 0 only if every entry is stored, or skipped by an option; otherwise it is 6, and the report says \
    what is left and why.")]
pub(super) struct Args {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    pub(super) how: How,
    /// Write what is left to this file: .csv, .json (an object to a line) or .html
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// How homes are copied.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct How {
    #[command(flatten)]
    decisions: Decisions,
    /// Give objects the metadata of s3fs too, for a mount by it
    #[arg(long)]
    s3fs_metadata: bool,
    /// Objects whose files are not in the home any more: delete (unless someone else has written them) or keep
    #[arg(long, value_name = "HOW", value_enum, hide_possible_values = true)]
    gone: Option<GoneChoice>,
    /// Send at most so many MB a second
    #[arg(long, value_name = "MB")]
    bandwidth: Option<f64>,
    /// Send only at these hours, by this machine's clock: 22-06
    #[arg(long, value_name = "FROM-TO", value_parser = clap::value_parser!(Hours))]
    hours: Option<Hours>,
    /// Bytes of an object that S3 copies with one call, for tests
    #[arg(long, value_name = "BYTES", hide = true, default_value_t = MOST_PER_PUT)]
    single_copy: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum GoneChoice {
    Delete,
    Keep,
}

impl How {
    /// The pace of all homes together.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be positive; a rate")]
    pub(super) fn pace(&self) -> Result<Arc<Pace>, CliError> {
        if self.bandwidth.is_some_and(|megabytes| !(megabytes.is_finite() && megabytes > 0.0)) {
            return Err(CliError::new(Exit::Usage, "--bandwidth must be more than 0"));
        }
        Ok(Arc::new(Pace::new(self.bandwidth.map(|megabytes| (megabytes * 1e6) as u64), self.hours)))
    }

    /// The options for the home of a place.
    pub(super) fn options(&self, place: &Place, pace: &Arc<Pace>) -> Options {
        Options {
            plan: self.decisions.options(place.prefix.clone()),
            with_s3fs: self.s3fs_metadata,
            gone: match self.gone {
                None => Gone::Report,
                Some(GoneChoice::Delete) => Gone::Delete,
                Some(GoneChoice::Keep) => Gone::Keep,
            },
            single_copy: self.single_copy,
            pace: Arc::clone(pace),
            compares: true,
        }
    }
}

/// Copies the homes one after the other.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let pace = args.how.pace()?;
    let form = args.report.as_deref().map(report_form).transpose()?;
    let unwritten = |error: std::io::Error| CliError::new(Exit::Failed, format!("cannot write the report: {error}"));
    let report = args.report.as_deref().zip(form);
    let report = report.map(|(path, form)| ReportFile::begin(path, form, copied::COLUMNS));
    let report = report.transpose().map_err(unwritten)?.map(|file| Arc::new(NotStored::new(file)));
    let (environment, aws) = args.selection.aws.connect(Permissions::MovesHomes, printer).await?;
    let (homes, machine) = args.selection.homes(&environment).await?;
    let stop = Stop::on_signals(|| streams::progress("stopping; the calls in flight are finished"), stop_now);
    let (mut exit, mut summary) = (Exit::Ok, Text::default());
    let is_alone = homes.len() == 1 && !args.selection.is_of_all();
    for home in homes {
        match home.check_not_moved(&args.selection) {
            Ok(()) => {}
            Err(error) if is_alone => return Err(error),
            Err(error) => {
                printer.emit("homes-copy/1", &MovedAlready::new(home.org_id), || error.message);
                continue;
            }
        }
        let place = match args.selection.place(&environment, &aws, home.org_id).await {
            Ok(place) => place,
            // A home without an account does not keep the others waiting.
            Err(error) if error.exit == Exit::Refused && !is_alone => {
                printer.error(&error);
                exit = Exit::Partly;
                continue;
            }
            Err(error) => return Err(error),
        };
        let options = args.how.options(&place, &pace);
        let (from, plan, chosen) = (machine.clone(), options.plan.clone(), home.clone());
        let opened = match blocking(move || inventory::open(&from, &chosen, &plan, None)).await? {
            Ok(opened) => opened,
            Err(error) if machine.is_lost() || is_alone => return Err(error),
            Err(error) => {
                printer.error(&error);
                exit = Exit::Partly;
                continue;
            }
        };
        let path = args.selection.manifest(&environment, home.org_id);
        let journal = match Journal::open(&path, &home.line(&environment, &place)) {
            Ok(journal) => Arc::new(Mutex::new(journal)),
            Err(error) if is_alone => return Err(error.into()),
            // Nor does one that another run works on, or whose manifest is damaged.
            Err(error) => {
                printer.error(&error.into());
                exit = Exit::Partly;
                continue;
            }
        };
        let shown = Arc::new(Shown::new(printer.format(), stop.clone()));
        let watch: Arc<dyn Watch> = Arc::<Shown>::clone(&shown);
        let rights = journal.lock().unwrap_or_else(PoisonError::into_inner).manifest().rights_before_freeze();
        let (org_id, opened) = (home.org_id, opened.with_rights(rights));
        let watch = report.as_ref().map_or_else(|| Arc::clone(&watch), |report| report.of(org_id, Arc::clone(&watch)));
        let result = one(&aws, opened, (&place, &options), &journal, watch).await;
        shown.finish();
        let result = result?;
        printer.emit("homes-copy/1", &CopyView::new(org_id, &result), || text(org_id, &result));
        summary.extend(text(org_id, &result));
        if result.is_interrupted {
            exit = Exit::Interrupted;
            break;
        }
        if !result.is_complete() {
            exit = Exit::Partly;
        }
    }
    if let Some(report) = report {
        report.finish(&format!("Homes of environment {}", environment.name), &summary).map_err(unwritten)?;
    }
    Ok(exit)
}

/// One pass over a home.
pub(super) async fn one(
    aws: &Arc<Aws>,
    home: Source,
    (place, options): (&Place, &Options),
    journal: &Arc<Mutex<Journal>>,
    watch: Arc<dyn Watch>,
) -> Result<Copied, CliError> {
    let s3 = aws.s3(&place.region).with_attempts_of(ATTEMPT);
    Ok(copy(Arc::new(home), Arc::clone(journal), (s3, &place.bucket), options, watch).await?)
}
