//! `sftpctl history list`.

use super::selection::{Found, Where};
use super::who::Who;
use super::{errors, values};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::history::{VersionView, row};
use crate::report::import::grouped;
use sftpctl_files::history::listing::{ListError, Period, list, owner};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl history list --env 99 --orgid 17578\n  \
    sftpctl history list --env 99 --username jan --path in/orders.csv\n  \
    sftpctl history list --env 99 --orgid 17578 --path in/ --who --since 2026-11-30\n  \
    sftpctl history list --env 99 --cluster 99-5 --path 17578/in/ --since 2026-11-01 --limit 100\n\n\
    A date counts in UTC, with --since from its beginning, with --until to its end. --who reads the servers' logs by \
    FilterLogEvents, which AWS does not charge for, but which takes time; a version that they have no line of has the author \
    `unknown`.")]
pub(super) struct Args {
    #[command(flatten)]
    files: Where,
    /// Only this file, or with a slash at its end this folder
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    path: String,
    /// Only versions from this date or time on
    #[arg(long, value_name = "TIME", value_parser = values::since)]
    since: Option<i64>,
    /// Only versions up to this date or time
    #[arg(long, value_name = "TIME", value_parser = values::until)]
    until: Option<i64>,
    /// Also show the owner of files that were copied from an old server; a call for each version
    #[arg(long)]
    owner: bool,
    #[command(flatten)]
    who: Who,
    /// Show at most so many, the newest
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Lists versions as they are sorted; memory stays flat.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let opened = args.files.find(&args.path, args.who.permissions(), printer).await?;
    let Found { environment, aws, bucket, selection, .. } = opened;
    let period = Period { since: args.since, until: args.until };
    let found = list(&bucket, &selection, period).await.map_err(errors::of_list)?;
    let authors = args.who.read((&aws, &environment), &selection, (args.since, args.until)).await;
    let limit = args.limit.unwrap_or(u64::MAX);
    let (mut shown, mut has_null) = (0, false);
    for version in found.versions {
        if shown == limit {
            break;
        }
        shown += 1;
        let version = version.map_err(|error| errors::of_list(ListError::Io(error)))?;
        has_null |= version.version == "null";
        let owner = if args.owner { owner(&bucket, &version).await? } else { None };
        let who = authors.as_ref().map(|found| found.of(&version.key, version.time(), version.deleted));
        let time = values::shown(version.time());
        let view = VersionView::new(&version, selection.path_of(&version.key), time, (owner, who));
        printer.emit("history-version/1", &view, || row(&view));
    }
    if has_null {
        printer.note(|| {
            "a version `null` is of a time at which the bucket kept no versions: those that it replaced are not in S3"
        });
    }
    if found.count == 0 {
        printer.note(|| "there are no versions; the path of a folder ends with a slash");
    } else if shown < found.count {
        printer.note(|| format!("{} older versions are not shown (--limit)", grouped(found.count - shown)));
    }
    Ok(authors.map_or(Exit::Ok, |found| found.warn(printer)))
}
