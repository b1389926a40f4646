//! `sftpctl homes`: customers' home directories on the old server, and the folders in S3 that they become.

mod account;
mod copy;
mod cutover;
mod decisions;
mod errors;
mod hook;
mod inventory;
mod origin;
mod rollback;
mod selection;
mod status;
mod verify;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The commands run on the old server; `inventory`, `copy` and `verify` also read another machine \
    over SFTP (--from). `homes` in the environment file says where the homes are. docs/homes.md has the whole way, with its limits."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what is in homes, what S3 cannot keep, and what a copy would do; needs no network
    Inventory(inventory::Args),
    /// Copy what is not in S3 yet, or has changed since
    Copy(copy::Args),
    /// Compare every object with the manifest of its home, and sign the manifest off
    Verify(verify::Args),
    /// Put links to S3 in the place of homes: freeze, last copy, verify, exchange, enable
    Cutover(cutover::Args),
    /// Put the folders back, with what was stored in S3 since
    Rollback(rollback::Args),
    /// Show how far each home is
    Status(status::Args),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::Inventory(args) => inventory::run(args, printer).await,
        Verb::Copy(args) => copy::run(args, printer).await,
        Verb::Verify(args) => verify::run(args, printer).await,
        Verb::Cutover(args) => cutover::run(args, printer).await,
        Verb::Rollback(args) => rollback::run(args, printer).await,
        Verb::Status(args) => status::run(&args, printer).await,
    }
}
