//! `sftpctl history`: the past of customers' files, from the versions that S3 keeps. docs/history.md.

mod errors;
mod export;
mod list;
mod restore;
mod selection;
mod show;
pub(super) mod values;
mod watch;
mod who;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "S3 keeps a version of a file each time that it is written or deleted, until a lifecycle rule of the \
    bucket removes it. docs/history.md says what can be known from them, and what cannot."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the versions of a file or a folder, the newest first
    List(list::Args),
    /// Show one version of a file, or save it
    Show(show::Args),
    /// Restore a file or a folder as of a time
    Restore(Box<restore::Args>),
    /// Export the history of a customer or a cluster into a git repository
    Export(Box<export::Args>),
    /// Keep such a repository up to date, until it is stopped
    Watch(Box<watch::Args>),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::List(args) => list::run(args, printer).await,
        Verb::Show(args) => show::run(args, printer).await,
        Verb::Restore(args) => restore::run(*args, printer).await,
        Verb::Export(args) => export::run(*args, printer).await,
        Verb::Watch(args) => watch::run(*args, printer).await,
    }
}
