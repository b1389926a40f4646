//! `sftpctl mounts plan`.

use std::path::Path;

use serde::Serialize;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::mounts::{Mount, MountKind};

use super::file_systems::file_system;
use crate::commands::args::AwsArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::mounts::{PlanView, plan};
use sftpctl_files::mounts::record::Record;
use sftpctl_files::mounts::system::programs::installed;
use sftpctl_files::mounts::tool::{self, Tool};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl mounts plan --env 99\n  \
    sftpctl mounts plan --env 99 --host main\n  \
    sftpctl mounts plan --env 99 --host main --output json\n\n\
    The command lines are for the programs that are installed here, or else for their newest versions. With --output json, \
    the files that install would write are shown, too. AWS is asked only for the file systems of mounts of the kind s3files.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Role of the server in the environment file [default: all]
    #[arg(long, value_name = "ROLE")]
    host: Option<String>,
}

/// What is planned for all servers.
#[derive(Serialize)]
struct View<'a> {
    environment: &'a str,
    mounts: Vec<PlanView>,
}

/// Shows the mounts.
pub(super) async fn run(args: &Args, printer: Printer) -> Result<Exit, CliError> {
    let environment = args.aws.load(None, printer)?;
    let mut mounts = Vec::new();
    for (host, mount) in chosen(&environment, args.host.as_deref())? {
        check_endpoint(&args.aws, mount)?;
        let found = installed(mount.kind);
        let missing = found.as_ref().err().cloned();
        let newest = || Tool { program: tool::program(mount.kind).0.into(), version: tool::newest(mount.kind) };
        let record = Record::new(&environment, host, mount, found.unwrap_or_else(|_| newest()));
        let (file_system, unknown) = match file_system(&args.aws, mount, printer).await {
            Ok(found) => (found, None),
            Err(error) => (None, Some(format!("its file system is not known: {error}"))),
        };
        mounts.push(PlanView::new(&record.of(file_system), missing, unknown, Path::new("/usr/bin/sftpctl")));
    }
    let view = View { environment: &environment.name, mounts };
    printer.emit("mounts-plan/1", &view, || plan(&view.mounts));
    Ok(Exit::Ok)
}

/// Refuses mounts of AWS's S3 for an environment that is elsewhere.
pub(super) fn check_endpoint(aws: &AwsArgs, mount: &Mount) -> Result<(), CliError> {
    if !aws.is_elsewhere() || mount.endpoint.is_some() || mount.kind == MountKind::S3files {
        return Ok(());
    }
    let message = format!("{} would be a mount of AWS's S3: the environment file names no other for it", mount.at);
    Err(CliError::new(Exit::Usage, message).hint(
        "add `endpoint: URL` to the mount in a copy of the file; `sftpctl local status` shows that of the local cloud",
    ))
}

/// The mounts of a role, or of all.
pub(super) fn chosen<'a>(
    environment: &'a Environment,
    host: Option<&str>,
) -> Result<Vec<(&'a str, &'a Mount)>, CliError> {
    let is_chosen = |role: &str| host.is_none_or(|host| host == role);
    let mounts = environment.mounts.iter().filter(|(role, _)| is_chosen(role));
    let all: Vec<_> =
        mounts.flat_map(|(role, mounts)| mounts.iter().map(move |mount| (role.as_str(), mount))).collect();
    if !all.is_empty() {
        return Ok(all);
    }
    let roles: Vec<&str> = environment.mounts.keys().map(String::as_str).collect();
    let message = match host {
        Some(host) => format!("environment {} has no mounts for `{host}`", environment.name),
        None => format!("environment {} has no mounts", environment.name),
    };
    let hint = match roles.is_empty() {
        true => "add `mounts` to the environment file; docs/mounts.md has an example".to_owned(),
        false => format!("there are mounts for {}", roles.join(", ")),
    };
    Err(CliError::new(Exit::Usage, message).hint(hint))
}
