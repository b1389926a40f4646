//! The machine that has the homes: this one, or another one over SFTP.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_core::freeze;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::{Environment, Homes};
use sftpctl_core::spec::sftp_address::SftpAddress;
use sftpctl_files::homes::sftp::ssh::Connection;

/// Where the homes are.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Origin {
    /// Machine that has the homes: sftp://USER@HOST:PORT/FOLDER by the system's `ssh`, or `here` [default: `homes.from` of
    /// the environment file, else here]
    #[arg(long, value_name = "MACHINE", value_parser = clap::value_parser!(From))]
    from: Option<From>,
    /// Folder that holds the homes [default: `homes.root` of the environment file, else /home]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Configuration file of `ssh`, in place of the user's
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,
}

/// The value of `--from`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Here,
    There(SftpAddress),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "here" {
            return Ok(Self::Here);
        }
        text.parse().map(Self::There).map_err(|why| format!("{why}; or `here`"))
    }
}

/// The machine with the homes, reached.
#[derive(Clone, Debug)]
pub(super) enum Machine {
    Here,
    There(Arc<Connection>),
}

impl Origin {
    /// The other machine, if there is one.
    fn address<'a>(&'a self, environment: &'a Environment) -> Option<&'a SftpAddress> {
        match &self.from {
            Some(From::Here) => None,
            Some(From::There(address)) => Some(address),
            None => environment.homes.from.as_ref(),
        }
    }

    /// The arguments by which another command finds the same homes on this machine.
    pub(super) fn words(&self) -> String {
        let from = if self.from == Some(From::Here) { " --from here" } else { "" };
        let root = self.root.as_deref().map(|root| format!(" --root {}", shell_word(&root.display().to_string())));
        format!("{from}{}", root.unwrap_or_default())
    }

    /// The folder with the homes.
    pub(super) fn root<'a>(&'a self, environment: &'a Environment) -> &'a Path {
        let of_address = self.from.as_ref().and_then(|from| match from {
            From::There(address) => address.path.as_deref().map(Path::new),
            From::Here => None,
        });
        self.root.as_deref().or(of_address).unwrap_or(Path::new(&environment.homes.root))
    }

    /// Connects to the other machine, if there is one.
    ///
    /// # Errors
    /// `ssh` does not come to an SFTP server there.
    pub(super) async fn connect(&self, environment: &Environment) -> Result<Machine, CliError> {
        let Some(address) = self.address(environment).cloned() else { return Ok(Machine::Here) };
        if !self.root(environment).is_absolute() {
            let message = format!("{} is not an absolute path on {address}", self.root(environment).display());
            return Err(CliError::new(Exit::Usage, message).hint("pass --root with a folder of that machine: /home"));
        }
        let config = self.ssh_config.clone();
        let machine = address.machine();
        let connected = blocking(move || Connection::open(&address, config.as_ref())).await?;
        connected.map(|connection| Machine::There(Arc::new(connection))).map_err(|error| {
            let hint = format!("try it: sftp {machine}; a key must do without a question, and the host must be known");
            CliError::new(Exit::Failed, format!("cannot reach {machine}: {error}")).hint(hint)
        })
    }

    /// Refuses a source on another machine.
    ///
    /// # Errors
    /// `--from` names one.
    pub(super) fn refuse_other(&self) -> Result<(), CliError> {
        let Some(From::There(address)) = &self.from else { return Ok(()) };
        let message = format!("the homes on {} change places there, not over SFTP", address.machine());
        let hint = "run the command on that machine, without --from; the manifests of `copy` may be brought along \
                    (--manifest), so that nothing is sent twice";
        Err(CliError::new(Exit::Usage, message).hint(hint))
    }
}

impl Machine {
    /// Its address, if it is another one.
    pub(super) fn address(&self) -> Option<&SftpAddress> {
        match self {
            Self::Here => None,
            Self::There(connection) => Some(connection.address()),
        }
    }

    /// Whether the other machine does not answer any more.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self, Self::There(connection) if connection.lost().is_some())
    }

    /// A folder with homes; one on this machine may be relative.
    pub(super) fn root(&self, root: &Path) -> PathBuf {
        match self {
            Self::Here => std::path::absolute(root).unwrap_or_else(|_| root.to_owned()),
            Self::There(_) => root.to_owned(),
        }
    }

    /// The organisations with a home in a folder.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) async fn found(&self, root: &Path, rule: &Homes) -> Result<Vec<i64>, CliError> {
        let unreadable = |error: std::io::Error| {
            let machine = self.address().map(ToString::to_string).unwrap_or_default();
            CliError::new(Exit::Usage, format!("cannot read {machine}{}: {error}", root.display()))
                .hint("`homes.root` in the environment file, or --root, says where the homes are")
        };
        let org_of = |name: &[u8]| std::str::from_utf8(name).ok().and_then(|name| rule.org_of(name));
        if let Self::There(connection) = self {
            let (connection, root) = (Arc::clone(connection), root.as_os_str().as_bytes().to_vec());
            let names = blocking(move || connection.folders(&root)).await?.map_err(unreadable)?;
            return Ok(names.iter().filter_map(|name| org_of(name)).collect());
        }
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(root).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            // A home that was cut over is a link, and its folder is kept beside it.
            let is_home = entry.file_type().is_ok_and(|kind| kind.is_dir() || kind.is_symlink());
            let name = entry.file_name();
            let name = freeze::home_of_kept(name.as_bytes()).unwrap_or(name.as_bytes());
            ids.extend(Some(name).filter(|_| is_home).and_then(org_of));
        }
        Ok(ids)
    }
}

/// Does what waits on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, CliError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| CliError::new(Exit::Failed, error.to_string()))
}
