//! `sftpctl history export`.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::selection::Where;
use super::{errors, values};
use crate::commands::args::stop_now;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::history::{ExportView, exported};
use crate::report::{Printer, streams};
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::history::export::run::{Options, Progress, Watch, run as export};
use sftpctl_files::history::selection::Selection;

/// Seconds until what was just written is exported: S3's clock and this one may differ.
pub(super) const SETTLED: i64 = 60;
/// The least time between two lines of progress.
const LINES: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl history export --git history/17578 --env 99 --orgid 17578\n  \
    sftpctl history export --git history/99-5 --env 99 --cluster 99-5 --max-blob 10M\n  \
    sftpctl history export --git history/17578 --env 99 --orgid 17578 --until 2100-01-01\n\n\
    Each session of a customer becomes a commit. The next run adds what is new, a run that was killed is resumed by the \
    same command, and the same history always has the same commit IDs. A session is exported once it has ended; --until \
    in the future takes those that may still go on.\n\n\
    docs/history.md says what becomes of names such as `.git/config`, and of large files.")]
pub(super) struct Args {
    #[command(flatten)]
    how: How,
    /// Export sessions that ended before this time [default: a minute ago]
    #[arg(long, value_name = "TIME", value_parser = values::until)]
    until: Option<i64>,
}

/// What is exported, where to, and how.
#[derive(Debug, clap::Args)]
pub(super) struct How {
    /// The repository: a new folder, or that of an earlier export
    #[arg(long = "git", value_name = "DIR")]
    pub(super) git: PathBuf,
    #[command(flatten)]
    pub(super) files: Where,
    /// Larger files become pointers to their version
    #[arg(long, value_name = "BYTES", value_parser = values::size, default_value = "50M")]
    max_blob: u64,
    /// Seconds without a change that end a session
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(i64).range(0..=3600))]
    quiet: i64,
}

impl How {
    /// Without a change for so long, a session has ended.
    pub(super) fn quiet(&self) -> Duration {
        Duration::from_secs(self.quiet.unsigned_abs())
    }

    /// The options of an export of the sessions that ended before this time.
    pub(super) fn options(&self, selection: &Selection, until: i64) -> Options {
        Options {
            dir: self.git.clone(),
            bucket: selection.bucket.clone(),
            home: selection.home.clone(),
            quiet: self.quiet,
            max_blob: self.max_blob,
            until,
        }
    }
}

/// Shows the progress, and knows whether to stop.
pub(super) struct Shown {
    printer: Printer,
    pub(super) stop: Stop,
    last: Mutex<Instant>,
}

impl Shown {
    /// Shows it until a signal asks to stop.
    pub(super) fn new(printer: Printer) -> Self {
        let stop = Stop::on_signals(|| streams::progress("stopping; what was exported is kept"), stop_now);
        Self { printer, stop, last: Mutex::new(Instant::now()) }
    }
}

impl Watch for Shown {
    fn progress(&self, progress: Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < LINES {
            return;
        }
        *last = Instant::now();
        let Progress { listed, exported, commits } = progress;
        let (listed, exported) = (counted(listed, "version"), counted(exported, "change"));
        self.printer.note(|| format!("{listed} listed, {exported} exported in {}", counted(commits, "commit")));
    }

    fn stop(&self) -> bool {
        self.stop.requested()
    }
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let How { git, files, .. } = &args.how;
    let (environment, bucket, selection) = files.open("", Permissions::ReadsHistory, printer).await?;
    let options = args.how.options(&selection, args.until.unwrap_or_else(|| values::before_now(SETTLED)));
    let done = export(&bucket, &options, &Shown::new(printer)).await.map_err(errors::of_export)?;
    let view = ExportView::new(&environment.name, &selection, git, &done);
    printer.emit("history-export/1", &view, || exported(&done, git));
    Ok(if done.interrupted { Exit::Interrupted } else { Exit::Ok })
}
