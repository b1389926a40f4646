//! `sftpctl history watch`.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::export::{How, SETTLED, Shown};
use super::selection::Found;
use super::{errors, values};
use crate::commands::events_queue;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::history::{ExportView, exported};
use sftpctl_aws::{AwsError, Queue};
use sftpctl_files::history::export::run::{ExportError, run as export};
use sftpctl_files::history::source::FetchError;
use sftpctl_files::notice;

/// How long one call waits for messages, and for how long a killed run's do not come again.
const CALL: Duration = Duration::from_secs(20);
const HIDDEN: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl history watch --git history/17578 --env 99 --orgid 17578\n  \
    sftpctl history watch --git history/99-5 --env 99 --cluster 99-5 --interval 600\n  \
    sftpctl history watch --git history/99-5 --env 99 --cluster 99-5 --events --interval 86400\n\n\
    The bucket is listed at each interval, and what is new is exported as `history export` does: the same commits. With \
    --events it is also listed when the session of an upload or a rename has ended, by the messages of a queue of its own \
    (`files.history_events`), which `pull --watch` does not read; deletions wait for the interval. One `history watch` \
    takes messages from a cluster's queue. A fault of S3 or the network is told, and the next interval tries again; anything else ends it. Ctrl-C or SIGTERM ends it \
    with 0, once the commits at hand are complete.")]
pub(super) struct Args {
    #[command(flatten)]
    how: How,
    /// Seconds between the end of an export and the next one
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// Export what is older than this: S3's clock and this machine's may differ
    #[arg(long, value_name = "SECONDS", default_value_t = SETTLED, value_parser = clap::value_parser!(i64).range(0..=3600))]
    delay: i64,
    /// Also export what messages of the cluster's queue tell of; needs `files.history_events` in the environment file
    #[arg(long)]
    events: bool,
}

/// Exports again and again, until it is asked to stop.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let How { git, files, .. } = &args.how;
    let found = files.find("", Permissions::ReadsHistory, printer).await?;
    let Found { environment, aws, cluster, bucket, selection } = found;
    let queue = match args.events {
        true => Some(events_queue::of_history(&aws, &environment, (&cluster, &selection.region), "--events").await?),
        false => None,
    };
    let shown = Shown::new(printer);
    while !shown.stop.requested() {
        let options = args.how.options(&selection, values::before_now(args.delay));
        match export(&bucket, &options, &shown).await {
            Ok(done) if done.progress.commits + done.resumed > 0 => {
                let view = ExportView::new(&environment.name, &selection, git, &done);
                printer.emit("history-export/1", &view, || exported(&done, git));
            }
            Ok(_) => {}
            Err(error) if is_passing(&error) => printer.error(&errors::of_export(error)),
            Err(error) => return Err(errors::of_export(error)),
        }
        let due = Instant::now() + Duration::from_secs(args.interval);
        let told = match &queue {
            // Ends early on a request to stop.
            Some(queue) => tokio::select! {
                told = told(queue, (&bucket.name, &selection.home), due) => told,
                () = shown.stop.canceled() => Ok(false),
            },
            None => Ok(false),
        };
        let due = match told {
            // When the session has ended, and is old enough to be exported.
            Ok(true) => due.min(Instant::now() + args.how.quiet() + Duration::from_secs(args.delay.unsigned_abs() + 1)),
            Ok(false) => due,
            Err(error) if error.is_transient() => {
                printer.error(&CliError::from_error(Exit::Failed, &error, error.hint()));
                due
            }
            Err(error) => return Err(error.into()),
        };
        let _ = timeout(due.saturating_duration_since(Instant::now()), shown.stop.canceled()).await;
    }
    Ok(Exit::Ok)
}

/// Waits until a message tells of a file with this beginning of its key, or until `due`: whether one has. What the messages
/// tell of, the next export finds, so that they are deleted; one that is killed before it begins with an export.
async fn told(queue: &Queue, (bucket, home): (&str, &str), due: Instant) -> Result<bool, AwsError> {
    while Instant::now() < due {
        let wait = CALL.min(due.saturating_duration_since(Instant::now()));
        let messages = queue.receive(wait, HIDDEN).await?;
        let is_told = messages.iter().any(|message| {
            let notice = notice::read(&message.body, bucket);
            notice.key().is_some_and(|key| key.starts_with(home))
        });
        let receipts: Vec<String> = messages.into_iter().map(|message| message.receipt).collect();
        queue.delete(&receipts).await?;
        if is_told {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the next attempt may succeed without anybody's help.
fn is_passing(error: &ExportError) -> bool {
    match error {
        ExportError::Aws(error) | ExportError::Fetch(FetchError::Aws(error)) => error.is_transient(),
        // It was deleted between the listing and its download, or was cut off.
        ExportError::Fetch(_) => true,
        _ => false,
    }
}
