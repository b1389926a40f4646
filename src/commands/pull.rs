//! `sftpctl pull`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::commands::args::{AwsArgs, stop_now};
use crate::commands::events_queue;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::import::progress::Shown;
use crate::report::pull::{PullShown, PullView, summary};
use crate::report::{Printer, streams};
use sftpctl_aws::OwnedBucket;
use sftpctl_core::spec::names;
use sftpctl_engine::execute::stop::Stop;
use sftpctl_files::pull::follow::{Following, follow};
use sftpctl_files::pull::hook::{Command, Hook};
use sftpctl_files::pull::rules::{Pattern, Rules};
use sftpctl_files::pull::run::{self, Options, Pulled};
use sftpctl_files::pull::{LedgerError, PullError, Summary, TargetError};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl pull --env 99 --cluster 99-5 --to /srv/incoming\n  \
    sftpctl pull --env 99 --cluster 99-5 --orgid 17578 --to /srv/incoming --dry-run\n  \
    sftpctl pull --env 99 --cluster 99-5 --to /srv/incoming --include '*.csv' --exclude '**/old/**'\n  \
    sftpctl pull --env 99 --cluster 99-5 --to /srv/incoming --hook '/opt/load-order {}'\n  \
    sftpctl pull --env 99 --cluster 99-5 --to /srv/incoming --watch\n  \
    sftpctl pull --env 99 --cluster 99-5 --orgid 17578 --to /srv/incoming --watch\n\n\
    A file appears under its name when it is whole, compared with S3's checksum and on the disk: /srv/incoming/17578/a.csv. \
    Each upload is taken once, also if the file is moved away afterwards; a ledger in DIR/.sftpctl-pull knows. A run that \
    was killed needs nothing but the same command.\n\n\
    The hook is a program, not a line for a shell; {} is the file. It also gets SFTPCTL_FILE, SFTPCTL_BUCKET, SFTPCTL_KEY, \
    SFTPCTL_VERSION, SFTPCTL_ETAG, SFTPCTL_SIZE, SFTPCTL_CRC64NVME and SFTPCTL_ATTEMPT. A file for which it fails too often \
    is moved to DIR/.sftpctl-quarantine.\n\n\
    The exit code is 6 if a file was left or is in quarantine; each is named. docs/pull.md has the details.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Cluster whose files are pulled
    #[arg(long, value_name = "NAME")]
    cluster: String,
    /// Only the files of this organisation
    #[arg(long, value_name = "N")]
    orgid: Option<i64>,
    /// Folder to pull into; it must exist
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Only keys that fit this pattern (repeatable)
    #[arg(long, value_name = "PATTERN")]
    include: Vec<Pattern>,
    /// No keys that fit this pattern (repeatable)
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<Pattern>,
    /// Also pull *.filepart, *.part, *.tmp and .in.*, which clients rename after the upload
    #[arg(long)]
    all_names: bool,
    /// Replace files that the pull has not written
    #[arg(long)]
    overwrite: bool,
    /// The ledger [default: DIR/.sftpctl-pull/ledger.jsonl]
    #[arg(long, value_name = "PATH")]
    ledger: Option<PathBuf>,
    /// Connections to S3 at once, up to 64
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    connections: u8,
    /// Run this program for each file
    #[arg(long, value_name = "COMMAND")]
    hook: Option<Command>,
    /// Hooks at once
    #[arg(long, value_name = "N", default_value = "1", requires = "hook")]
    hook_jobs: NonZeroUsize,
    /// Attempts of the hook for a file, with longer and longer pauses
    #[arg(long, value_name = "N", default_value_t = 3, requires = "hook")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    hook_attempts: u32,
    /// End a hook that takes longer; this counts as a failure
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, requires = "hook")]
    hook_timeout: u64,
    /// Bring files back from the quarantine, and run the hook for them again
    #[arg(long, requires = "hook")]
    retry_quarantined: bool,
    /// Say what would be pulled, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on, and pull files as they arrive; needs `files.events` in the environment file
    #[arg(long, conflicts_with = "dry_run")]
    watch: bool,
    /// With --watch: time from one listing to the next, which finds what no message told of
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 86_400,
        requires = "watch",
        value_parser = clap::value_parser!(u64).range(10..=604_800)
    )]
    list_every: u64,
    /// With --watch: how long a new object waits for the message that its upload is whole
    #[arg(long, value_name = "SECONDS", default_value_t = 120, requires = "watch")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=43_200))]
    settle: u64,
}

/// Pulls what is new.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect_to_cluster(Permissions::PullsFiles, &args.cluster, printer).await?;
    let Some(cluster) = environment.clusters.get(&args.cluster) else {
        return Err(CliError::new(Exit::Usage, format!("there is no cluster {}", args.cluster)));
    };
    let s3 = aws.s3(&cluster.region);
    let bucket =
        OwnedBucket { name: names::upload_bucket(&environment, &args.cluster), account: environment.account.clone() };
    let is_dry = args.dry_run;
    let view = |summary: Summary| PullView::new(&environment.name, &args.cluster, &bucket.name, is_dry, summary);
    let options = options(&args, bucket.clone());
    let stop = Stop::on_signals(
        || streams::progress("stopping; small files in flight are finished, large ones go on next time"),
        stop_now,
    );
    let shown = PullShown::new(printer, Shown::new(printer.format(), stop), &bucket.name);
    let shown = shown.following(args.watch);
    let result = match is_dry {
        true => run::preview(&s3, &options, &shown).await.map(|summary| Pulled { summary, error: None }),
        false if args.watch => {
            let queue = events_queue::of_pull(&aws, &environment, (&args.cluster, &cluster.region), "--watch").await?;
            if let Some(org_id) = args.orgid {
                streams::progress(format!(
                    "messages about files of others than organisation {org_id} are taken from the queue and dropped; a pull \
                     of all finds those files by its listing"
                ));
            }
            let following = Following {
                list_every: Duration::from_secs(args.list_every),
                settle: Duration::from_secs(args.settle),
            };
            follow(&s3, &queue, &options, following, &shown).await
        }
        false => run::pull(&s3, &options, &shown).await,
    };
    shown.finish();
    let Pulled { summary: done, error } = result.map_err(|error| explain(error, Summary::default()))?;
    printer.emit("pull/1", &view(done), || summary(&done, is_dry));
    match error {
        Some(error) => Err(explain(error, done)),
        // To be stopped is how it ends.
        None if args.watch => Ok(exit(Summary { interrupted: false, ..done })),
        None => Ok(exit(done)),
    }
}

fn options(args: &Args, bucket: OwnedBucket) -> Options {
    let hook = args.hook.clone().map(|command| Hook {
        command,
        attempts: args.hook_attempts,
        timeout: Duration::from_secs(args.hook_timeout),
        at_once: args.hook_jobs.get(),
    });
    Options {
        bucket,
        prefix: args.orgid.map(|orgid| format!("{orgid}/")).unwrap_or_default(),
        to: args.to.clone(),
        ledger: args.ledger.clone(),
        rules: Rules { include: args.include.clone(), exclude: args.exclude.clone(), all_names: args.all_names },
        overwrite: args.overwrite,
        connections: usize::from(args.connections),
        hook,
        retry_quarantined: args.retry_quarantined,
    }
}

/// The exit code of a pull that came to its end.
fn exit(summary: Summary) -> Exit {
    match summary {
        Summary { interrupted: true, .. } => Exit::Interrupted,
        Summary { left: 0, .. } => Exit::Ok,
        _ => Exit::Partly,
    }
}

/// The error of a pull that had done this before.
fn explain(error: PullError, done: Summary) -> CliError {
    let (exit, hint) = match &error {
        PullError::Aws(error) => (Exit::Failed, error.hint()),
        PullError::Disk(_) => (Exit::Failed, Some("free space or repair the disk, then rerun the same command".into())),
        PullError::Target(TargetError::Unusable { .. }) => (
            Exit::Usage,
            Some(
                "the folder must exist and be yours to write; it is not created, since its disk may not be mounted"
                    .into(),
            ),
        ),
        PullError::Target(TargetError::NotOurs { .. }) => {
            (Exit::Refused, Some("pull as the user who owns it, or remove it to begin anew".into()))
        }
        PullError::Target(TargetError::Locked { .. }) | PullError::Ledger(LedgerError::Locked { .. }) => {
            (Exit::Locked, Some("wait until it has ended".into()))
        }
        PullError::Ledger(LedgerError::NotOurs { .. }) => (
            Exit::Refused,
            Some("look who owns it and who may write to it; then `chown` and `chmod go-w` it, or remove it".into()),
        ),
        PullError::Ledger(LedgerError::Damaged { .. }) => (
            Exit::Usage,
            Some("use the folder of this bucket, or move the ledger away to pull every file again".into()),
        ),
        PullError::Ledger(LedgerError::Io { .. }) => (
            Exit::Failed,
            Some("pass a plain file as --ledger, or one that does not exist yet, on a disk with free space".into()),
        ),
    };
    let exit = if exit == Exit::Failed && done.fetched > 0 { Exit::Partly } else { exit };
    CliError::from_error(exit, &error, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_with_0_that_left_something() {
        let left = Summary { fetched: 5, left: 1, ..Summary::default() };
        for (summary, code) in [
            (Summary { fetched: 5, known: 7, unfinished: 1, gone: 1, ..Summary::default() }, Exit::Ok),
            (left, Exit::Partly),
            (Summary { interrupted: true, ..left }, Exit::Interrupted),
        ] {
            assert_eq!(exit(summary), code, "{summary:?}");
        }
        let full = || PullError::Disk(std::io::Error::other("full"));
        assert_eq!(explain(full(), Summary::default()).exit, Exit::Failed);
        assert_eq!(explain(full(), left).exit, Exit::Partly);
        let locked = || PullError::Target(TargetError::Locked { path: PathBuf::new() });
        assert_eq!(explain(locked(), Summary::default()).exit, Exit::Locked);
    }
}
