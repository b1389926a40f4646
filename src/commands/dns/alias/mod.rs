//! `sftpctl dns alias`: customers' host names.

mod add;
mod cut_over;
mod list;
mod names;
mod remove;
mod session;
mod work;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A name is an organisation's ID or a free label, which `dns.customer_aliases` of the environment file \
    makes a host name of (site-files-17578.xx.net), or that whole host name. Only records that point to a host of the \
    environment, or to the old host that is named, are ever changed. docs/aliases.md describes a cut-over."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create aliases that do not exist yet
    Add(add::Args),
    /// Remove aliases that point to the environment
    Remove(remove::Args),
    /// List the customers' aliases of the zone, and where they point
    List(list::Args),
    /// Move aliases from an old host to the environment, or back
    Move(cut_over::Args),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::Add(args) => add::run(args, printer).await,
        Verb::Remove(args) => remove::run(args, printer).await,
        Verb::List(args) => list::run(args, printer).await,
        Verb::Move(args) => cut_over::run(args, printer).await,
    }
}
