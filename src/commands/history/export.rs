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
use crate::report::import::grouped;
use crate::report::{Printer, streams};
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::history::export::run::{Options, Progress, Watch, run as export};

/// Seconds until what was just written is exported: S3's clock and this one may differ.
const SETTLED: i64 = 60;
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
    /// The repository: a new folder, or that of an earlier export
    #[arg(long = "git", value_name = "DIR")]
    git: PathBuf,
    #[command(flatten)]
    files: Where,
    /// Larger files become pointers to their version
    #[arg(long, value_name = "BYTES", value_parser = values::size, default_value = "50M")]
    max_blob: u64,
    /// Seconds without a change that end a session
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(i64).range(0..=3600))]
    quiet: i64,
    /// Export sessions that ended before this time [default: a minute ago]
    #[arg(long, value_name = "TIME", value_parser = values::until)]
    until: Option<i64>,
}

/// Shows the progress, and knows whether to stop.
struct Shown {
    printer: Printer,
    stop: Stop,
    last: Mutex<Instant>,
}

impl Watch for Shown {
    fn progress(&self, progress: Progress) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < LINES {
            return;
        }
        *last = Instant::now();
        let Progress { listed, exported, commits } = progress;
        let (listed, exported, commits) = (grouped(listed), grouped(exported), grouped(commits));
        self.printer.note(|| format!("{listed} versions listed, {exported} changes exported in {commits} commits"));
    }

    fn stop(&self) -> bool {
        self.stop.requested()
    }
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, bucket, selection) = args.files.open("", Permissions::ReadsHistory, printer).await?;
    let stop = Stop::on_signals(|| streams::progress("stopping; what was exported is kept"), stop_now);
    let watch = Shown { printer, stop, last: Mutex::new(Instant::now()) };
    let options = Options {
        dir: args.git.clone(),
        bucket: selection.bucket.clone(),
        home: selection.home.clone(),
        quiet: args.quiet,
        max_blob: args.max_blob,
        until: args.until.unwrap_or_else(|| values::before_now(SETTLED)),
    };
    let done = export(&bucket, &options, &watch).await.map_err(errors::of_export)?;
    let view = ExportView::new(&environment.name, &selection, &args.git, &done);
    printer.emit("history-export/1", &view, || exported(&done, &args.git));
    Ok(if done.interrupted { Exit::Interrupted } else { Exit::Ok })
}
