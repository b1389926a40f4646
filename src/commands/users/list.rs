//! `sftpctl users list`.

use std::sync::Arc;

use super::result::now;
use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::account::{CSV_HEADER, csv, row, view};
use crate::report::format::Format;
use crate::report::{Printer, streams};
use sftp_authorizer::Account;
use sftpctl_accounts::Accounts;
use sftpctl_accounts::store::usernames;
use sftpctl_core::spec::names;
use sftpctl_core::text::{counted, either};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users list --env 99\n  \
    sftpctl users list --env 99 --cluster 99-5 --output csv > accounts.csv\n\n\
    The exit code is 1 if an item is malformed, or has a password or key that admits nobody; each is named on stderr.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Only accounts whose home is in this cluster's bucket
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
}

/// Lists the accounts page by page.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::ReadsUsers, printer).await?;
    let accounts = Accounts::new(Arc::clone(&aws), &environment);
    let bucket = args.cluster.as_ref().map(|cluster| names::upload_bucket(&environment, cluster));
    let (usernames, now) = (usernames(&environment), now());
    let is_csv = printer.format() == Format::Csv;
    if is_csv {
        streams::data(CSV_HEADER);
    }
    let (mut count, mut malformed, mut unusable, mut from) = (0_u64, 0_u64, 0_u64, None);
    loop {
        let (page, next) = accounts.page(from).await?;
        for account in page {
            match account {
                Ok(account) if bucket.as_ref().is_none_or(|bucket| *bucket == account.home.bucket) => {
                    count += 1;
                    let (faults, whose) = (account.faults(), whose(&account));
                    unusable += u64::try_from(faults.len()).unwrap_or(u64::MAX);
                    for fault in faults.iter().chain(&account.remarks(usernames)) {
                        streams::progress(format!("warning: in the item of {whose}, {fault}"));
                    }
                    let view = view(&account, now);
                    printer.emit("account/1", &view, || if is_csv { csv(&view) } else { row(&view) });
                }
                Ok(_) => {}
                Err(error) => {
                    malformed += 1;
                    streams::progress(format!("warning: {error}"));
                }
            }
        }
        from = next;
        if from.is_none() {
            break;
        }
    }
    if !is_csv {
        let faults = match unusable {
            0 => String::new(),
            _ => format!(", {unusable} unusable {}", either(unusable, "password or key", "passwords or keys")),
        };
        printer.note(|| format!("{}, {malformed} malformed{faults}", counted(count, "account")));
    }
    Ok(if malformed + unusable == 0 { Exit::Ok } else { Exit::Failed })
}

fn whose(account: &Account) -> String {
    format!("{} (organisation {})", account.username, account.org_id)
}
