//! `sftpctl mounts`: upload buckets as folders of application servers, watched and brought back.

mod check;
mod file_systems;
mod heal;
mod install;
mod plan;
mod probe;
mod remove;
mod selection;
mod status;

use clap::Subcommand;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "`mounts` in the environment file says what is mounted on which servers. `plan` and `install` read it, and \
    AWS only for file systems of Amazon S3 Files; the others need only what `install` has noted on the server. docs/mounts.md says what works on which kind of mount, \
    and what each state means."
)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what would be mounted how, and what will work there; changes nothing
    Plan(plan::Args),
    /// Install the mounts of a server: systemd units, protected mount points, folders for temporary data
    Install(install::Args),
    /// Show the mounts of this server, and which processes use them
    Status(status::Args),
    /// Check that the mounts of this server work; never hangs
    Check(check::Args),
    /// Bring the mounts of this server back that do not work
    Heal(heal::Args),
    /// Unmount, and remove what install has made
    Remove(remove::Args),
    /// Use a mount once, for `check`: this may hang
    #[command(hide = true)]
    Probe(probe::Args),
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    match args.verb {
        Verb::Plan(args) => plan::run(&args, printer).await,
        Verb::Install(args) => install::run(&args, printer).await,
        Verb::Status(args) => status::run(&args, printer).await,
        Verb::Check(args) => check::run(&args, printer).await,
        Verb::Heal(args) => heal::run(&args, printer).await,
        Verb::Remove(args) => remove::run(&args, printer).await,
        Verb::Probe(args) => {
            probe::run(&args);
            Ok(Exit::Ok)
        }
    }
}
