//! `sftpctl state`: shows and moves what sftpctl remembers between runs.

mod list;
mod rebuild;
mod relocate;
mod show;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(after_help = "State is a help, never the truth: everything in it can be found in AWS again by name and tag.")]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the environments that have state in the same place
    List(list::Args),
    /// Show what is remembered, and what a killed run left unfinished
    Show(show::Args),
    /// Rebuild the state from AWS alone; a damaged one is put aside
    Rebuild(rebuild::Args),
    /// Move the state to another place; if interrupted, rerun the command to finish
    Move(relocate::Args),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::List(args) => list::run(&args, printer).await,
        Verb::Show(args) => show::run(&args, printer).await,
        Verb::Rebuild(args) => rebuild::run(&args, printer).await,
        Verb::Move(args) => relocate::run(&args, printer).await,
    }
}
