//! `sftpctl dns`: DNS records beyond those of a deployment.

mod alias;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Debug, Subcommand)]
enum Noun {
    /// Manage customers' host names, one CNAME per organisation to the environment's host
    Alias(Box<alias::Args>),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.noun {
        Noun::Alias(args) => alias::run(*args, printer).await,
    }
}
