//! `sftpctl users audit`.

use std::sync::Arc;

use serde::Serialize;

use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::import::grouped;
use sftpctl_accounts::Accounts;
use sftpctl_accounts::audit::{self, AuditError, Finding, Kind, Sums};
use sftpctl_accounts::logins::logins;
use sftpctl_core::shown::Text;
use sftpctl_core::text::counted;

/// Findings of each kind that people see without `--all`.
const SHOWN: u64 = 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users audit --env 99\n  \
    sftpctl users audit --env 99 --ignore legacy-hash --output json > audit.jsonl\n  \
    sftpctl users audit --env 99 --logins 90\n\n\
    Reads the whole table and changes nothing. The exit code is 4 if there is a finding. Accounts that only a source has \
    are found by `sftpctl users sync`.\n\n\
    --logins reads the servers' structured logs in all regions, as far back as `logs.retention_days` keeps them. AWS takes \
    some minutes to write a log-in there, and logs nothing while a server's logs are broken.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Leave out a kind of findings, as JSON names it (repeatable)
    #[arg(long, value_name = "KIND", value_parser = kind)]
    ignore: Vec<Kind>,
    /// Also find accounts that have not logged in during the last DAYS days, by the servers' logs
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    logins: Option<u32>,
    /// Show every finding, not only the first ten of each kind
    #[arg(long)]
    all: bool,
}

fn kind(text: &str) -> Result<Kind, String> {
    let name = |kind: &Kind| serde_json::to_value(kind).ok().and_then(|name| name.as_str().map(str::to_owned));
    let names: Vec<String> = Kind::ALL.iter().filter_map(name).collect();
    let found = Kind::ALL.into_iter().find(|kind| name(kind).as_deref() == Some(text));
    found.ok_or_else(|| format!("the kinds are {}", names.join(", ")))
}

#[derive(Serialize)]
struct SumsView<'a> {
    environment: &'a str,
    #[serde(flatten)]
    sums: &'a Sums,
}

/// Checks all accounts.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::ManagesUsers, printer).await?;
    let kept = environment.logs.retention_days;
    if args.logins.is_some_and(|days| days > kept) {
        return Err(CliError::new(
            Exit::Usage,
            format!("the servers' logs are kept for {} only", counted(kept.into(), "day")),
        )
        .hint(format!("pass --logins {kept}, or have them kept for longer by `logs.retention_days`")));
    }
    let accounts = Accounts::new(Arc::clone(&aws), &environment);
    let mut shown = std::collections::BTreeMap::<Kind, u64>::new();
    let mut found = |finding: Finding| {
        if args.ignore.contains(&finding.kind) {
            return;
        }
        let count = shown.entry(finding.kind).or_default();
        *count += 1;
        if printer.is_json() || args.all || *count <= SHOWN {
            let Finding { username, org_id, what, .. } = &finding;
            printer.emit("audit-finding/1", &finding, || format!("{username} (organisation {org_id}): {what}"));
        }
    };
    let now = jiff::Timestamp::now().as_second();
    let logins = match args.logins {
        Some(days) => Some(logins(&aws, &environment, days, now).await.map_err(failed)?),
        None => None,
    };
    let audited = audit::audit(&accounts, &environment, now, logins, &mut found).await;
    let mut sums = audited.map_err(failed)?;
    sums.by_kind.retain(|kind, _| !args.ignore.contains(kind));
    printer.emit("audit/1", &SumsView { environment: &environment.name, sums: &sums }, || text(&sums));
    Ok(if sums.by_kind.is_empty() { Exit::Ok } else { Exit::Changes })
}

fn failed(error: AuditError) -> CliError {
    match error {
        AuditError::Aws(error) => error.into(),
        error => CliError::from_error(Exit::Failed, &error, None),
    }
}

fn text(sums: &Sums) -> Text {
    let mut text = Text::from(format!("{}, {} disabled", counted(sums.accounts, "account"), grouped(sums.disabled)));
    for (kind, count) in &sums.by_kind {
        text.line(format!("  {:>10}  {}", grouped(*count), kind.words(*count)));
    }
    if !sums.by_hash.is_empty() {
        text.line("stored passwords:");
    }
    for (form, hashes) in &sums.by_hash {
        let since = hashes.oldest.as_ref().map_or_else(String::new, |oldest| format!(", the oldest of {oldest}"));
        text.line(format!("  {:>10}  {form}{since}", grouped(hashes.count)));
    }
    text
}
