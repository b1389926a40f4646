//! `sftpctl mounts install`.

use serde::Serialize;

use super::file_systems::file_system;
use super::plan::{check_endpoint, chosen};
use super::selection::{System, explain, is_whole};
use crate::commands::args::AwsArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::mounts::changes;
use sftpctl_files::mounts::record::Record;
use sftpctl_files::mounts::system::install::{Change, install};
use sftpctl_files::mounts::system::programs::{has_systemd, installed};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl mounts install --env 99 --host main --dry-run\n  \
    sftpctl mounts install --env 99 --host main\n  \
    sftpctl mounts install --env 99 --host agent --root /mnt/image\n\n\
    Run it as root on the server. A second run changes nothing; after an upgrade of the program of a mount it adapts \
    the options. Where systemd manages the server, the mounts are started; elsewhere `sftpctl mounts heal` starts them, \
    by a line in cron.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Role of the server in the environment file
    #[arg(long, value_name = "ROLE")]
    host: String,
    #[command(flatten)]
    system: System,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View<'a> {
    pub(super) dry_run: bool,
    pub(super) changes: &'a [Change],
}

/// Installs the mounts of a role.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let environment = args.aws.load(None, printer)?;
    let mounts = chosen(&environment, Some(&args.host))?;
    let mut records = Vec::new();
    for (host, mount) in mounts {
        check_endpoint(&args.aws, mount)?;
        let tool = installed(mount.kind).map_err(|why| {
            CliError::new(Exit::Usage, format!("{} cannot be mounted: {why}", mount.at))
                .hint("install it from the distribution's or AWS's packages, and rerun the same command")
        })?;
        let file_system = file_system(&args.aws, mount, printer).await?;
        records.push(Record::new(&environment, host, mount, tool).of(file_system));
    }
    let options = args.system.options(args.dry_run)?;
    let mut done = Vec::new();
    for record in &records {
        done.extend(install(record, &options).await.map_err(|error| explain(&error))?);
    }
    let is_left_to_cron = !args.dry_run && is_whole(&options.root) && !has_systemd(&options.root);
    printer.emit("mounts-install/1", &View { dry_run: args.dry_run, changes: &done }, || {
        let mut text = changes(&done, args.dry_run);
        if is_left_to_cron {
            text.line("systemd does not manage this server: `sftpctl mounts heal` starts the mounts; let cron run it");
        }
        text
    });
    Ok(Exit::Ok)
}
