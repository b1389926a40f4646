//! `sftpctl users silent`.

use std::sync::Arc;

use serde::Serialize;

use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::format::time;
use crate::report::import::grouped;
use sftpctl_accounts::Accounts;
use sftpctl_accounts::audit::{self, Finding, Kind};
use sftpctl_accounts::logins::logins;
use sftpctl_activity::reach::{Reach, reach};
use sftpctl_core::text::counted;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users silent --env 99\n  \
    sftpctl users silent --env 99 --days 90 --output json > silent.jsonl\n\n\
    Reads the whole table and the log-ins in the servers' logs of all regions, and changes nothing. Disabled and expired \
    accounts are not shown. The logs reach as far back as `logs.retention_days` keeps them, and not before a region was \
    deployed: if that is less than --days, a warning says so, and the exit code is 6.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Accounts without a log-in in the last DAYS days
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3_653))]
    days: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountView<'a> {
    username: &'a str,
    #[serde(rename = "orgid")]
    org_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SilentView<'a> {
    environment: &'a str,
    days: u32,
    silent: u64,
    accounts: u64,
    regions: Vec<ReachView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReachView<'a> {
    region: &'a str,
    group: &'a str,
    /// From when on the log has lines; `null` without the group.
    since: Option<String>,
    /// Whether that is far enough back.
    covers: bool,
}

/// Whether a log covers the time from `from` on, in seconds since 1970.
fn covers(reach: &Reach, from: i64, now: i64) -> bool {
    // A minute for the clocks: "30 days" of a retention are not less than `--days 30`.
    reach.of.is_some() && reach.since(now).is_none_or(|since| since <= from + 60)
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::FindsSilentUsers, printer).await?;
    let now = jiff::Timestamp::now().as_second();
    let from = now - i64::from(args.days) * 86_400;
    let regions: Vec<String> = environment.regions.keys().cloned().collect();
    let reaches = reach(&aws, &environment, &regions).await?;
    let logins = logins(&aws, &environment, args.days, now).await.map_err(super::audit::failed)?;
    let accounts = Accounts::new(Arc::clone(&aws), &environment);
    let mut silent = 0;
    let mut found = |finding: Finding| {
        if finding.kind == Kind::NoLogin {
            silent += 1;
            let Finding { username, org_id, .. } = &finding;
            printer.emit("silent-account/1", &AccountView { username, org_id }, || {
                format!("{username} (organisation {org_id})")
            });
        }
    };
    let audited = audit::audit(&accounts, &environment, now, (Some(logins), None), &mut found).await;
    let sums = audited.map_err(super::audit::failed)?;
    let of = |reach: &'_ Reach| (reach.since(now).filter(|_| reach.of.is_some()).map(time), covers(reach, from, now));
    let short: Vec<&Reach> = reaches.iter().filter(|reach| !covers(reach, from, now)).collect();
    let view = SilentView {
        environment: &environment.name,
        days: args.days,
        silent,
        accounts: sums.accounts,
        regions: reaches
            .iter()
            .map(|reach| {
                let (since, covers) = of(reach);
                ReachView { region: &reach.region, group: &reach.group, since, covers }
            })
            .collect(),
    };
    printer.emit("silent/1", &view, || {
        let (days, all) = (counted(args.days.into(), "day"), grouped(sums.accounts));
        format!("{} of {all} without a log-in in the last {days}", counted(silent, "account"))
    });
    for reach in &short {
        let Reach { region, group, .. } = reach;
        printer.note(|| match of(reach).0 {
            Some(since) => format!("warning: {region}: the logs begin at {since}; log-ins before are not known"),
            None => format!("warning: {region}: the log group {group} does not exist; log-ins there are not known"),
        });
    }
    Ok(if short.is_empty() { Exit::Ok } else { Exit::Partly })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_covers_what_it_reaches_back_to() {
        let (now, day) = (100 * 86_400, 86_400);
        let covers =
            |of, days: i64| covers(&Reach { region: String::new(), group: String::new(), of }, now - days * day, now);
        assert!(covers(Some((Some(30), Some(0))), 30) && !covers(Some((Some(30), Some(0))), 31));
        assert!(!covers(Some((Some(30), Some(now - 5 * day))), 6) && covers(Some((Some(30), Some(now - 5 * day))), 5));
        assert!(covers(Some((None, None)), 3_000) && !covers(None, 1));
    }
}
