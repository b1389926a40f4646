//! `sftpctl guard`: who is banned for trying passwords.

mod allow;
mod ban;
mod list;
mod selection;
mod unban;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The guard is a setting of the environment file: `guard: {}`. Each region has its own; without --region \
    a command applies to all. docs/guard.md describes what is counted, and what a ban is."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List who is banned or allowed, and who is close to a ban
    List(list::Args),
    /// Allow an address or a range for a time: it is neither banned nor counted
    Allow(allow::Args),
    /// Ban an address or a range for a time; open sessions continue
    Ban(ban::Args),
    /// End bans of an address, a range or a user name, and forget the points
    Unban(unban::Args),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::List(args) => list::run(&args, printer).await,
        Verb::Allow(args) => allow::run(&args, printer).await,
        Verb::Ban(args) => ban::run(&args, printer).await,
        Verb::Unban(args) => unban::run(args, printer).await,
    }
}
