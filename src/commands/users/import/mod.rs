//! `sftpctl users import`.

mod database;
pub(super) mod run;
pub(super) mod source;
mod via_s3;

use std::num::NonZeroU32;

use crate::commands::args::{LockTimeout, Yes};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use run::{CommonArgs, Manner};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users import --env 99 --from csv:accounts.csv --dry-run --report rejected.html\n  \
    sftpctl users import --env 99 --from csv:accounts.csv --cluster 99-0\n  \
    sftpctl users import --env 99 --from csv:old.csv --inspect > mapping.yaml\n  \
    sftpctl users import --env 99 --from csv:old.csv --mapping mapping.yaml\n  \
    sftpctl users import --env 99 --from shadow:old-server --cluster 99-0\n  \
    sftpctl users import --env 99 --from mysql://reader@db/shop --table customers --ca-file ca.pem\n  \
    sftpctl users import --env 99 --from csv:accounts.csv --pre-warm 20000 --dry-run\n  \
    sftpctl users import --env 99 --from csv:accounts.csv --via-s3\n\n\
    Everything is checked before the first write. If more rows are rejected than --reject-limit allows, nothing is \
    written.\n\n\
    An import that was killed or interrupted needs nothing but the same command: what is in the table already is found \
    there. An account that was changed in the table after it was imported is kept; if its row has changed as well, \
    the row is rejected, unless --overwrite is given.\n\n\
    --via-s3 is for tens of millions of accounts: DynamoDB imports them without write units, into a table that it \
    creates. Deploy the environment afterwards. No home folders are created.")]
pub(super) struct Args {
    #[command(flatten)]
    common: CommonArgs,
    /// Check everything, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Before the first deployment: let DynamoDB create the table from objects beside the state, which is in a bucket
    #[arg(long)]
    via_s3: bool,
    /// First have the table and its index take so many write units a second at once: AWS charges for this once, and it
    /// cannot be lowered again
    #[arg(long, value_name = "UNITS", conflicts_with = "via_s3")]
    pre_warm: Option<NonZeroU32>,
    #[command(flatten)]
    lock_timeout: LockTimeout,
    #[command(flatten)]
    yes: Yes,
}

/// Imports accounts, under the lock of commands that write many accounts.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let manner = Manner {
        command: "users import",
        via_s3: args.via_s3,
        pre_warm: args.pre_warm.map(|writes| u64::from(writes.get())),
        writes: !args.dry_run,
        deletions: None,
        tells_differences: false,
        confirmed: args.yes.yes,
        lock_timeout: args.lock_timeout.seconds,
    };
    run::run(&args.common, manner, printer).await
}
