//! `sftpctl history restore`.

use super::selection::Where;
use super::show::WhichArgs;
use super::{errors, values};
use crate::commands::args::{Yes, stop_now};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::history::{RestoreView, planned, restored};
use crate::report::{Printer, streams};
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::history::restore::run::{Restored, SINGLE_COPY, plan, run as restore};
use sftpctl_files::history::show::{Which, find};

/// Seconds of a day.
const DAY: i64 = 86_400;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl history restore in/ --env 99 --orgid 17578 --at 2026-11-30T18:00:00Z --dry-run\n  \
    sftpctl history restore in/orders.csv --env 99 --orgid 17578 --version ID\n  \
    sftpctl history restore 17578/ --env 99 --cluster 99-5 --at 2026-11-30 --exact\n\n\
    A version becomes the current one by a copy inside S3; those in between are kept, so that another restoration can \
    undo it. A file that is written meanwhile is not overwritten, and a run that was killed is resumed by the same \
    command.")]
pub(super) struct Args {
    /// The file, or with a slash at its end the folder, below the customer's folder; `/` for all of it
    #[arg(value_name = "PATH")]
    path: String,
    #[command(flatten)]
    files: Where,
    #[command(flatten)]
    which: WhichArgs,
    /// Also mark files as deleted that did not exist then
    #[arg(long)]
    exact: bool,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    yes: Yes,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let which = args.which.which();
    let path = if args.path == "/" { "" } else { args.path.as_str() };
    if matches!(which, Which::Version(_)) && (path.is_empty() || path.ends_with('/')) {
        return Err(CliError::new(Exit::Usage, "--version names the version of one file, not of a folder")
            .hint("pass --at TIME for a folder"));
    }
    let permissions = if args.dry_run { Permissions::ReadsHistory } else { Permissions::RestoresHistory };
    let (environment, bucket, selection) = args.files.open(path, permissions, printer).await?;
    if let (Which::At(time), Some(days)) = (&which, environment.files.keep_old_versions_days)
        && *time < values::before_now(i64::from(days) * DAY)
    {
        let gone = format!(
            "S3 deletes versions {} after they were replaced (`files.keep_old_versions_days`), so that files of \
             then may have none left",
            counted(days.into(), "day")
        );
        if args.exact {
            let hint = "pass a time within these days, or leave --exact out: files without a version of then are kept";
            return Err(CliError::new(Exit::Refused, format!("{gone}, and --exact would remove them")).hint(hint));
        }
        printer.note(|| format!("{gone}; such files are kept as they are"));
    }
    let is_versioned = bucket.s3.is_versioned(&bucket.name, &environment.account).await?;
    if !is_versioned {
        let name = &bucket.name;
        let message = format!("{name} does not keep versions now: a restoration would overwrite contents for good");
        return Err(CliError::new(Exit::Refused, message).hint(format!(
            "turn versioning on: aws s3api put-bucket-versioning --bucket {name} --region {} \
             --versioning-configuration Status=Enabled",
            selection.region
        )));
    }
    if matches!(which, Which::Version(_)) {
        // A version that is not there would otherwise be "nothing to restore".
        let list = format!("sftpctl history list {}", args.files.words());
        let found = find(&bucket, &selection.prefix(), &which, values::shown).await;
        found.map_err(|error| errors::of_show(error, &list))?;
    }
    let plan = plan(&bucket, &selection, &which, args.exact).await.map_err(errors::of_list)?;
    let summary = plan.summary.clone();
    printer.text(|| planned(&summary, &selection));
    let show = |done: Option<&Restored>| {
        let view = RestoreView::new(&environment.name, &selection, &summary, args.dry_run, done);
        printer.json("history-restore/1", &view);
    };
    if summary.changes() + summary.same + summary.kept + summary.absent == 0 {
        let message = format!("nothing has ever been stored at or below {}", args.path);
        let hint = format!("a folder ends with `/`; `sftpctl history list {}` shows what there is", args.files.words());
        return Err(CliError::new(Exit::Usage, message).hint(hint));
    }
    if summary.changes() == 0 {
        show(None);
        printer.text(|| "nothing to restore");
        return Ok(Exit::Ok);
    }
    if args.dry_run {
        show(None);
        printer.text(|| "nothing was changed (--dry-run)");
        return Ok(Exit::Ok);
    }
    if !args.yes.yes {
        let (changes, bucket) = (counted(summary.changes(), "file"), &selection.bucket);
        confirm(&format!("Change {changes} in {bucket}? Their versions are kept. [y/N]")).await?;
    }
    let stop = Stop::on_signals(|| streams::progress("stopping; the copies in flight are finished"), stop_now);
    let done = restore(&bucket, plan, SINGLE_COPY, &|| stop.requested()).await;
    let done = done.map_err(|error| CliError::new(Exit::Partly, format!("the plan could not be read: {error}")))?;
    show(Some(&done));
    printer.text(|| restored(&done, &selection));
    Ok(exit(&done))
}

fn exit(done: &Restored) -> Exit {
    let is_some = done.copied + done.removed > 0;
    match done {
        Restored { interrupted: true, .. } => Exit::Interrupted,
        Restored { failed_count: 0, overtaken_count: 0, .. } => Exit::Ok,
        Restored { overtaken_count, .. } if is_some || *overtaken_count > 0 => Exit::Partly,
        _ => Exit::Failed,
    }
}
