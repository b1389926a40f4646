//! `sftpctl users audit`.

use std::sync::Arc;

use serde::Serialize;

use super::import::run::check_constants;
use super::import::source::{From, ReadingArgs, SourceArgs, unreadable};
use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::import::grouped;
use sftpctl_accounts::audit::{self, AuditError, Finding, Kind, Sums};
use sftpctl_accounts::logins::logins;
use sftpctl_accounts::source_only::rows_of;
use sftpctl_accounts::{Accounts, TableKey};
use sftpctl_core::shown::Text;
use sftpctl_core::text::counted;

/// Findings of each kind that people see without `--all`.
const SHOWN: u64 = 10;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users audit --env 99\n  \
    sftpctl users audit --env 99 --ignore legacy-hash --output json > audit.jsonl\n  \
    sftpctl users audit --env 99 --logins 90\n  \
    sftpctl users audit --env 99 --from csv:accounts.csv --mapping mapping.yaml\n\n\
    Reads the whole table and changes nothing. The exit code is 4 if there is a finding.\n\n\
    --from also reads a source of `users import`, and finds its accounts that the table does not have; what differs in \
    accounts that both have is shown by `sftpctl users sync`.\n\n\
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
    /// Also find accounts that only this source has, as of `users import`: csv:FILE, mysql://USER@HOST/DATABASE, …
    #[arg(long, value_name = "SOURCE", value_parser = From::parse)]
    from: Option<From>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Show every finding, not only the first ten of each kind
    #[arg(long)]
    all: bool,
}

fn kind(text: &str) -> Result<Kind, String> {
    let names: Vec<String> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == text);
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
    let source = match args.from {
        Some(from) => Some(SourceArgs::of(from, args.reading)),
        None => args.reading.check_none().map(|()| None)?,
    };
    let mapping = match &source {
        Some(source) => source.check_options().and_then(|()| source.mapping_file(printer))?,
        None => None,
    };
    // The password of a source's database may be a secret.
    let permissions = if source.is_some() { Permissions::ManagesUsers } else { Permissions::ReadsUsers };
    let (environment, aws) = args.aws.connect(permissions, printer).await?;
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
            printer.emit("audit-finding/1", &finding, || {
                format!("{}: {username} (organisation {org_id}): {what}", finding.kind.name())
            });
        }
    };
    let now = jiff::Timestamp::now().as_second();
    let logins = match args.logins {
        Some(days) => Some(logins(&aws, &environment, days, now).await.map_err(failed)?),
        None => None,
    };
    let source = match &source {
        Some(source) => {
            if let Some(file) = &mapping {
                check_constants(file, &environment, printer)?;
            }
            let secrets = Some((&*aws, &*environment.home_region));
            let mut rows = source.open((&environment.name, secrets), mapping.as_ref(), printer).await?;
            Some(rows_of(rows.as_mut(), &environment, TableKey::of(&environment)).await.map_err(failed)?)
        }
        None => None,
    };
    let audited = audit::audit(&accounts, &environment, now, (logins, source), &mut found).await;
    let mut sums = audited.map_err(failed)?;
    sums.by_kind.retain(|kind, _| !args.ignore.contains(kind));
    printer.emit("audit/1", &SumsView { environment: &environment.name, sums: &sums }, || text(&sums));
    Ok(if sums.by_kind.is_empty() { Exit::Ok } else { Exit::Changes })
}

pub(super) fn failed(error: AuditError) -> CliError {
    match error {
        AuditError::Aws(error) => error.into(),
        AuditError::Source(error) => unreadable(error),
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
