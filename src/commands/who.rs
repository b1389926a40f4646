//! `sftpctl who`.

use std::sync::Arc;

use serde::Serialize;

use super::args::AwsArgs;
use super::logs::{now, regions, unread_views, warn};
use super::permissions::Permissions;
use super::times::{self, Time};
use super::users::errors;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::logs::{EventView, UnreadView, did};
use sftpctl_accounts::Accounts;
use sftpctl_activity::latest::Search;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl who /pl-pt99-5-uploads/17578/in/orders.csv --env 99\n  \
    sftpctl who s3://pl-pt99-5-uploads/17578/in/orders.csv --env 99\n  \
    sftpctl who in/orders.csv --env 99 --orgid 17578 --since 7d\n\n\
    Finds the last upload, deletion or renaming of the file in the servers' logs of all regions, the newest lines first, \
    by FilterLogEvents, which AWS does not charge for. What is done without the servers, as by `homes copy`, a pull or \
    S3's console, is not in these logs; CloudTrail has it where its data events are on.")]
pub(super) struct Args {
    /// The file: /BUCKET/KEY, s3://BUCKET/KEY, or with --username or --orgid below that customer's folder
    #[arg(value_name = "PATH")]
    path: String,
    #[command(flatten)]
    aws: AwsArgs,
    /// The path is below the folder of this account
    #[arg(long, value_name = "NAME", conflicts_with = "orgid")]
    username: Option<String>,
    /// The path is below the folder of this organisation's account
    #[arg(long, value_name = "N")]
    orgid: Option<i64>,
    /// Search from this time on: 1h, 7d, a date or a time [default: as far back as the logs are kept]
    #[arg(long, value_name = "TIME", value_parser = times::since)]
    since: Option<Time>,
    /// Only this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WhoView<'a> {
    environment: &'a str,
    path: &'a str,
    /// The last change; `null` if the logs have none.
    last: Option<&'a EventView>,
    /// From when on the logs were searched.
    since: String,
    unread: Vec<UnreadView>,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::ReadsLogs, printer).await?;
    let path = match (&args.username, args.orgid) {
        (None, None) => whole(&environment, &args.path, &args.aws.words())?,
        (name, id) => {
            let accounts = Accounts::new(Arc::clone(&aws), &environment);
            let (found, whose) = match (name, id) {
                (Some(name), _) => (accounts.by_name(name).await, format!("--username {}", shell_word(name))),
                (None, id) => {
                    let id = id.unwrap_or_default();
                    (accounts.by_org(id).await, format!("--orgid {id}"))
                }
            };
            let account = found.map_err(|error| errors::explain(error, &args.aws.words(), &whose))?;
            format!("{}/{}", account.home.path().trim_end_matches('/'), args.path.trim_start_matches('/'))
        }
    };
    let now_ms = now();
    let kept = i64::from(environment.logs.retention_days) * 86_400;
    let since = args.since.unwrap_or(Time::Before(kept)).seconds(now_ms / 1_000) * 1_000;
    let regions = regions(&environment, &args.regions)?;
    let search = Search { aws: &aws, environment: &environment, regions: &regions, period: (since, now_ms) };
    let found = search.change(&path).await;
    let last = found.event.map(EventView::new);
    let view = WhoView {
        environment: &environment.name,
        path: &path,
        last: last.as_ref(),
        since: crate::report::logs::time(since),
        unread: unread_views(&found.unread),
    };
    printer.emit("who/1", &view, || match &last {
        Some(last) => did(last),
        None => format!("nobody has changed {path} over SFTP since {}", view.since).into(),
    });
    warn(printer, &found.unread);
    Ok(if found.unread.is_empty() { Exit::Ok } else { Exit::Partly })
}

/// `/bucket/key` of a path that names the bucket.
fn whole(environment: &Environment, path: &str, words: &str) -> Result<String, CliError> {
    let path = path.strip_prefix("s3:/").unwrap_or(path);
    let buckets: Vec<String> =
        environment.clusters.keys().map(|cluster| names::upload_bucket(environment, cluster)).collect();
    let named = path.strip_prefix('/').and_then(|path| path.split_once('/')).filter(|(_, key)| !key.is_empty());
    match named {
        Some((bucket, _)) if buckets.iter().any(|known| known == bucket) => Ok(path.to_owned()),
        _ => Err(CliError::new(
            Exit::Usage,
            format!("{path} does not begin with an upload bucket of environment {}", environment.name),
        )
        .hint(format!(
            "pass /BUCKET/KEY with one of {}, or the customer: sftpctl who {} {words} --username NAME",
            buckets.join(", "),
            shell_word(path),
        ))),
    }
}
