//! Arguments that several of the commands share, and how the errors of an installation become one of the program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::mounts::MountKind;
use sftpctl_files::mounts::record::Record;
use sftpctl_files::mounts::system::cache::{self, Refusal};
use sftpctl_files::mounts::system::install::{self, InstallError, records};
use sftpctl_files::mounts::system::look;

/// The mounts of this server.
#[derive(Debug, clap::Args)]
pub(super) struct Installed {
    /// Only the mount at this path [default: all of this server]
    #[arg(long, value_name = "PATH")]
    at: Option<PathBuf>,
    #[command(flatten)]
    pub(super) system: System,
}

/// How mounts are looked at.
#[derive(Debug, clap::Args)]
pub(super) struct Looking {
    #[command(flatten)]
    pub(super) mounts: Installed,
    /// Without an answer for so long, a mount hangs
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    deadline: u64,
    /// Only ask for a name that does not exist, and write nothing
    #[arg(long)]
    no_canary: bool,
}

impl Looking {
    pub(super) fn options(&self) -> Result<look::Options, CliError> {
        self.mounts.look(self.deadline, !self.no_canary)
    }
}

/// The system that is worked on.
#[derive(Debug, clap::Args)]
pub(super) struct System {
    /// Work on the system below this folder, without systemd
    #[arg(long, value_name = "DIR", default_value = "/", hide_default_value = true)]
    root: PathBuf,
}

impl System {
    /// The root folder, as a path without links.
    pub(super) fn root(&self) -> Result<PathBuf, CliError> {
        let unusable = |error| CliError::new(Exit::Usage, format!("cannot use {}: {error}", self.root.display()));
        self.root.canonicalize().map_err(unusable)
    }

    pub(super) fn options(&self, is_dry: bool) -> Result<install::Options, CliError> {
        Ok(install::Options { root: self.root()?, sftpctl: own_path()?, is_dry })
    }
}

impl Installed {
    /// The records of the chosen mounts, as they were installed.
    pub(super) fn records(&self) -> Result<Vec<Record>, CliError> {
        let root = self.system.root()?;
        let mut all = records(&root).map_err(|error| explain(&error))?;
        let known: Vec<String> = all.iter().map(|record| record.mount.at.clone()).collect();
        if let Some(at) = &self.at {
            all.retain(|record| record.at() == at || record.clone().below(&root).at() == at);
        }
        if !all.is_empty() {
            return Ok(all);
        }
        let message = match &self.at {
            Some(at) if !known.is_empty() => format!("no mount is installed at {}", at.display()),
            _ => "no mount is installed on this server".to_owned(),
        };
        let hint = match known.is_empty() {
            true => "sftpctl mounts install --env NAME --host ROLE".to_owned(),
            false => format!("there are mounts at {}", known.join(", ")),
        };
        Err(CliError::new(Exit::Usage, message).hint(hint))
    }

    /// The records of the chosen mounts, as they are on the system that is worked on.
    pub(super) fn here(&self) -> Result<Vec<Record>, CliError> {
        let root = self.system.root()?;
        Ok(self.records()?.into_iter().map(|record| record.below(&root)).collect())
    }

    pub(super) fn look(&self, deadline: u64, with_canary: bool) -> Result<look::Options, CliError> {
        let (root, sftpctl) = (self.system.root()?, own_path()?);
        Ok(look::Options { root, sftpctl, deadline: Duration::from_secs(deadline), with_canary })
    }
}

fn own_path() -> Result<PathBuf, CliError> {
    let path = std::env::current_exe().and_then(|path| path.canonicalize());
    path.map_err(|error| CliError::new(Exit::Failed, format!("cannot find this program: {error}")))
}

/// The error of an installation.
pub(super) fn explain(error: &InstallError) -> CliError {
    let (exit, hint) = match error {
        InstallError::NoCredentials(path, _) => (
            Exit::Usage,
            Some(format!("write the keys into {path}, as docs/mounts.md says, and rerun the same command")),
        ),
        InstallError::ForeignCredentials(path) => (Exit::Refused, Some(format!("chown root: {}", shell_word(path)))),
        InstallError::PointIsFile(path) => (Exit::Refused, Some(format!("move {path} away"))),
        InstallError::PointInUse { path, .. } => (
            Exit::Refused,
            Some(format!(
                "move away what is in {path}: it would be hidden below the mount, and the folder cannot be protected"
            )),
        ),
        InstallError::Cache(Refusal::Io { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => {
            (Exit::Usage, Some("run it as root".to_owned()))
        }
        InstallError::Cache(refusal) => (Exit::Refused, cure(refusal)),
        InstallError::PointIsLink { path, target } => (
            Exit::Refused,
            Some(format!(
                "remove the link (`rm {}`), and the mount gets a folder of its own there; or name the folder itself as `at` in \
                 the environment file, if it is that: {target}",
                shell_word(path)
            )),
        ),
        InstallError::Linked(_) => (Exit::Usage, Some("name the folder itself as `at`".to_owned())),
        InstallError::Busy { .. } => (Exit::Refused, Some("end these processes first".to_owned())),
        InstallError::Locked { .. } => (Exit::Locked, Some("wait until it has ended".to_owned())),
        InstallError::NotUnmounted { .. } => {
            (Exit::Failed, Some("rerun the same command when it is no longer in use".into()))
        }
        InstallError::OldSystemd { kind: MountKind::S3files, .. } => (
            Exit::Refused,
            Some(
                "upgrade the server, as to RHEL 9, Amazon Linux 2023, Debian 11 or Ubuntu 20.04; or mount the bucket by another \
                 kind: s3fs, mountpoint or rclone"
                    .to_owned(),
            ),
        ),
        InstallError::OldSystemd { .. } => (
            Exit::Refused,
            Some("upgrade the server, as to RHEL 8, Amazon Linux 2023, Debian 9 or Ubuntu 18.04".to_owned()),
        ),
        InstallError::Systemd(_) => (Exit::Failed, Some("journalctl -u 'sftpctl-mount-*' shows why".to_owned())),
        InstallError::Io { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
            (Exit::Usage, Some("run it as root".to_owned()))
        }
        InstallError::Io { .. } => (Exit::Failed, None),
        InstallError::Conflict { other, .. } => {
            (Exit::Refused, Some(format!("change the mount, or: sftpctl mounts remove --at {other}")))
        }
        InstallError::ForeignRecord(_) => {
            (Exit::Refused, Some("find out who made it, delete it, and install the mounts again".to_owned()))
        }
        InstallError::Damaged { .. } | InstallError::Invalid { .. } => {
            (Exit::Usage, Some("install the mounts again".to_owned()))
        }
    };
    CliError::from_error(exit, error, hint)
}

/// What to do about a folder that cannot be one for temporary data.
fn cure(refusal: &Refusal) -> Option<String> {
    Some(match refusal {
        Refusal::Linked(_) => "name the folder itself as `cache`".to_owned(),
        Refusal::Untrusted(_) => {
            "name a folder as `cache` that is root's, as all above it, and that others cannot write".to_owned()
        }
        Refusal::Foreign { path, name } => format!(
            "name a new or empty folder as `cache`. If all in it may be deleted: echo {name} >{path}/{}",
            cache::MARKER
        ),
        Refusal::OfAnother { .. } => "each mount has a folder of its own: name another one as `cache`".to_owned(),
        Refusal::Mounted(path) => format!("umount {path}, or name another folder as `cache`"),
        Refusal::Io { .. } => return None,
    })
}

/// A path of the root, for a person.
pub(super) fn is_whole(root: &Path) -> bool {
    root == Path::new("/")
}
