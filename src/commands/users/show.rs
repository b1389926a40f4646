//! `sftpctl users show`.

use std::sync::Arc;

use serde::Serialize;

use super::result::now;
use super::selection::Selection;
use crate::commands::logs::{self, unread_views, warn};
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::account::{lines, view};
use crate::report::logs::{EventView, UnreadView, did};
use crate::report::{Printer, streams};
use sftp_authorizer::Account;
use sftpctl_accounts::Accounts;
use sftpctl_accounts::store::usernames;
use sftpctl_activity::latest::Search;
use sftpctl_aws::Aws;
use sftpctl_core::shown::Text;
use sftpctl_core::spec::model::Environment;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users show --env 99 --username jan\n  \
    sftpctl users show --env 99 --username jan --activity\n  \
    sftpctl users show --env 99 --orgid 17578 --output json\n\n\
    --activity searches the servers' logs of all regions for the last log-in of this name and the last upload below the \
    account's folder, as far back as `logs.retention_days` keeps them. It needs the policy `logs` as well. The exit code is \
    6 if a region's logs cannot be read.")]
pub(super) struct Args {
    #[command(flatten)]
    account: Selection,
    /// Also show the last log-in and the last upload, by the servers' logs
    #[arg(long)]
    activity: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ActivityView<'a> {
    username: &'a str,
    last_log_in: Option<&'a EventView>,
    last_upload: Option<&'a EventView>,
    /// From when on the logs were searched.
    since: String,
    unread: Vec<UnreadView>,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let permissions = if args.activity { Permissions::FindsSilentUsers } else { Permissions::ReadsUsers };
    let (environment, aws) = args.account.aws.connect(permissions, printer).await?;
    let accounts = Accounts::new(Arc::clone(&aws), &environment);
    let account = args.account.find(&accounts).await?;
    let view = view(&account, now());
    printer.emit("account/1", &view, || lines(&view));
    let exit = if args.activity { activity(&aws, &environment, &account, printer).await } else { Exit::Ok };
    for remark in account.remarks(usernames(&environment)) {
        streams::progress(format!("warning: {remark}"));
    }
    Ok(exit)
}

async fn activity(aws: &Aws, environment: &Environment, account: &Account, printer: Printer) -> Exit {
    let regions: Vec<String> = environment.regions.keys().cloned().collect();
    let now = logs::now();
    let since = now - i64::from(environment.logs.retention_days) * 86_400_000;
    let search = Search { aws, environment, regions: &regions, period: (since, now) };
    let log_in = search.log_in(&account.username, usernames(environment)).await;
    let upload = search.upload(&format!("{}/", account.home.path().trim_end_matches('/'))).await;
    // Both read the same groups.
    let mut unread = log_in.unread;
    let is_new = |of: &sftpctl_activity::feed::Unread| !unread.iter().any(|known| known.group == of.group);
    let more: Vec<_> = upload.unread.into_iter().filter(is_new).collect();
    unread.extend(more);
    let (log_in, upload) = (log_in.event.map(EventView::new), upload.event.map(EventView::new));
    let view = ActivityView {
        username: &account.username,
        last_log_in: log_in.as_ref(),
        last_upload: upload.as_ref(),
        since: crate::report::logs::time(since),
        unread: unread_views(&unread),
    };
    printer.emit("account-activity/1", &view, || {
        let mut text = Text::default();
        for (name, found) in [("last log-in", &log_in), ("last upload", &upload)] {
            match found {
                Some(event) => {
                    text.line(format!("{name}:"));
                    text.extend(did(event));
                }
                None => text.line(format!("{name}: none since {}", view.since)),
            }
        }
        text
    });
    warn(printer, &unread);
    if unread.is_empty() { Exit::Ok } else { Exit::Partly }
}
