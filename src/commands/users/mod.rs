//! `sftpctl users`: the customers' accounts.

mod add;
mod audit;
mod disable;
mod enable;
pub(super) mod errors;
mod expire;
mod export;
mod harden;
mod import;
mod key_files;
mod list;
mod new_password;
mod passwd;
mod remove;
mod result;
mod selection;
mod set;
mod show;
mod silent;
mod sync;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "A password is read from stdin, asked for on the terminal, or generated; it is never an argument, \
    which other users of the machine could see."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add an account and its home folder
    Add(add::Args),
    /// Set a new password
    Passwd(passwd::Args),
    /// Refuse an account's log-ins from now on; open sessions continue
    Disable(disable::Args),
    /// Enable a disabled account
    Enable(enable::Args),
    /// Set the time from which an account's log-ins are refused
    Expire(expire::Args),
    /// Change an account's note, regions, address ranges or public keys
    Set(set::Args),
    /// Remove an account; its files are kept
    Remove(remove::Args),
    /// Bring the accounts of another system over, by the million
    Import(Box<import::Args>),
    /// Compare the accounts of another system with the table, and make the table follow it
    Sync(Box<sync::Args>),
    /// Check all accounts: duplicates, weak hashes, what nobody can log in with
    Audit(audit::Args),
    /// Harden the passwords that came from another server, without knowing them
    Harden(harden::Args),
    /// Write the accounts as JSON lines, CSV, or passwd and shadow
    Export(export::Args),
    /// List accounts that have not logged in for some days, by the servers' logs
    Silent(silent::Args),
    /// Show an account, without its password
    Show(show::Args),
    /// List accounts, page by page as they are read
    List(list::Args),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::Add(args) => add::run(args, printer).await,
        Verb::Passwd(args) => passwd::run(args, printer).await,
        Verb::Disable(args) => disable::run(args, printer).await,
        Verb::Enable(args) => enable::run(args, printer).await,
        Verb::Expire(args) => expire::run(args, printer).await,
        Verb::Set(args) => set::run(args, printer).await,
        Verb::Remove(args) => remove::run(args, printer).await,
        Verb::Import(args) => import::run(*args, printer).await,
        Verb::Sync(args) => sync::run(*args, printer).await,
        Verb::Audit(args) => audit::run(args, printer).await,
        Verb::Harden(args) => harden::run(args, printer).await,
        Verb::Export(args) => export::run(args, printer).await,
        Verb::Silent(args) => silent::run(args, printer).await,
        Verb::Show(args) => show::run(args, printer).await,
        Verb::List(args) => list::run(args, printer).await,
    }
}
