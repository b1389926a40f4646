//! `sftpctl users sync`.

use super::import::run::{self, CommonArgs, Limit, Manner};
use crate::commands::args::LockTimeout;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users sync --env 99 --from csv:accounts.csv\n  \
    sftpctl users sync --env 99 --from csv:accounts.csv --delete\n  \
    sftpctl users sync --env 99 --from csv:accounts.csv --apply\n  \
    sftpctl users sync --env 99 --from csv:accounts.csv --apply --delete --max-delete 1%\n\n\
    Without --apply, the exit code is 4 if the source and the table differ, also in rows that are rejected or accounts \
    that are newer in the table; it is 3 if --reject-limit or --max-delete would refuse the writes. --delete without \
    --apply shows what both would do. With --apply it is 0 if all that was to be written is written, whatever stays \
    different. Only accounts that were imported, and that \
    nobody has changed in the table since, are changed or deleted; the others are listed. Files are never deleted.\n\n\
    For cron and pipelines: it asks nothing, and ends with 5 while an import or another sync writes.")]
pub(super) struct Args {
    #[command(flatten)]
    common: CommonArgs,
    /// Write the differences to the table
    #[arg(long, conflicts_with = "inspect")]
    apply: bool,
    /// Also delete accounts that were imported and that the source does not have any more; without --apply, show what
    /// both would do
    #[arg(long, conflicts_with = "inspect")]
    delete: bool,
    /// Most accounts to delete: a number, or a share of those that were imported
    #[arg(long, value_name = "LIMIT", default_value = "1%", value_parser = Limit::parse, requires = "delete")]
    max_delete: Limit,
    #[command(flatten)]
    lock_timeout: LockTimeout,
}

/// Compares a source with the table, and with `--apply` makes the table follow it.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let manner = Manner {
        command: "users sync",
        via_s3: false,
        pre_warm: None,
        writes: args.apply,
        deletions: args.delete.then_some(args.max_delete),
        tells_differences: true,
        confirmed: true,
        lock_timeout: args.lock_timeout.seconds,
    };
    run::run(&args.common, manner, printer).await
}
