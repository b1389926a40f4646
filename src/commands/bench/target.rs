//! The target that a command line names.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret as _;

use crate::commands::args::AwsArgs;
use crate::commands::permissions::Permissions;
use crate::commands::{connect_info, input_file, login_checks, password_prompt};
use crate::error::CliError;
use crate::exit::Exit;
use crate::local_cloud::{self, Grant};
use crate::report::Printer;
use sftpctl_bench::plan::{Plan, Target};
use sftpctl_bench::target::{Access, Keys, Password, Place, without_password};
use sftpctl_core::shell_word::shell_word;
use sftpctl_engine::limited;

/// What is measured, and how to log in there.
#[derive(Debug, clap::Args)]
pub(super) struct TargetArgs {
    /// A folder, s3://BUCKET/PREFIX or sftp://USER@HOST:PORT/PATH [default: the SFTP server of the environment]
    #[arg(value_name = "TARGET")]
    target: Option<String>,
    #[command(flatten)]
    aws: AwsArgs,
    /// Region of the bucket, or of the environment's server [default: the environment's home region]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// User name at the environment's server
    #[arg(long, value_name = "NAME", conflicts_with = "target")]
    username: Option<String>,
    #[command(flatten)]
    ssh: SshArgs,
}

/// How to log in to an SFTP server. Without any of them: as `ssh` does, by the user's keys and agent.
#[derive(Debug, clap::Args)]
pub(super) struct SshArgs {
    /// File with the private key for the SFTP server
    #[arg(short = 'i', long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Read the password for the SFTP server from stdin
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// File with the password for the SFTP server, readable by you alone
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// File for `ssh -F`, in place of your own configuration
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,
}

/// How long to wait for what a path is.
const LOOK: Duration = Duration::from_secs(2);
/// The name of the target of a command line.
const NAME: &str = "target";

impl TargetArgs {
    /// The target, and what a worker needs for it.
    pub(super) async fn open(&self, printer: Printer) -> Result<(Target, Access), CliError> {
        let (at, any_host_key) = match &self.target {
            Some(at) => (at.clone(), false),
            None => {
                if !self.aws.names_an_environment() {
                    return Err(CliError::new(Exit::Usage, "nothing says what is measured").hint(
                        "name TARGET, or an environment's server and a user of it with --env NAME --username NAME",
                    ));
                }
                let Some(username) = &self.username else {
                    return Err(CliError::new(Exit::Usage, "the user at the environment's server is missing")
                        .hint("pass --username NAME"));
                };
                (self.server(username, printer).await?, self.aws.is_local())
            }
        };
        let target = Target {
            name: NAME.to_owned(),
            at,
            region: self.region.clone().filter(|_| self.target.is_some()),
            identity: self.ssh.identity.clone(),
            password_file: self.ssh.password_file.clone(),
            ssh_config: self.ssh.ssh_config.clone(),
        };
        let place = place(&target.at)?;
        if let Place::Folder(path) = &place {
            is_folder(path).await?;
        }
        if !matches!(place, Place::Bucket { .. }) && target.region.is_some() {
            return Err(CliError::new(Exit::Usage, "--region is for a bucket or an environment's server"));
        }
        let password = match (&self.ssh, &self.target) {
            (SshArgs { password_stdin: true, .. }, _) => {
                Some(password_prompt::read_stdin()?.expose_secret().to_owned())
            }
            (SshArgs { password_file: Some(path), .. }, _) => Some(password_of(path)?),
            // A customer of the environment has a password, if nothing else is said.
            (SshArgs { identity: None, .. }, None) => {
                let question = format!("Password of {}: ", self.username.as_deref().unwrap_or_default());
                Some(password_prompt::ask(&question, "--password-stdin")?.expose_secret().to_owned())
            }
            _ => None,
        };
        let access = match place {
            Place::Bucket { bucket, prefix } => self.bucket(&target, bucket, prefix, printer).await?,
            other => of_place(&target, other, password.map(Password), any_host_key, None),
        };
        Ok((target, access))
    }

    /// The address of the environment's server.
    async fn server(&self, username: &str, printer: Printer) -> Result<String, CliError> {
        let (environment, aws) = self.aws.connect(Permissions::Reads, printer).await?;
        let given: Vec<String> = self.region.iter().cloned().collect();
        let regions = login_checks::regions(&environment, &given)?;
        let region = regions.iter().find(|region| **region == environment.home_region).or(regions.first());
        let Some(region) = region else {
            return Err(CliError::new(Exit::Usage, format!("environment {} has no server", environment.name)));
        };
        let found = connect_info::address(&aws, &environment, region, self.aws.is_local()).await?;
        let Some((host, port)) = found else {
            return Err(CliError::new(Exit::Failed, format!("there is no server in {region} yet"))
                .hint(format!("deploy it: sftpctl deploy {}", self.aws.words())));
        };
        Ok(format!("sftp://{username}@{host}:{port}"))
    }

    async fn bucket(
        &self,
        target: &Target,
        bucket: String,
        prefix: String,
        printer: Printer,
    ) -> Result<Access, CliError> {
        let Some(region) = target.region.clone() else {
            return Err(CliError::new(Exit::Usage, "the region of the bucket is missing").hint("pass --region REGION"));
        };
        let (profile, mut endpoint) = self.aws.profile_and_endpoint();
        let mut keys = None;
        if self.aws.is_local() {
            if !self.aws.names_an_environment() {
                return Err(CliError::new(Exit::Usage, "--local needs an account")
                    .hint("pass --env NAME: its account is that of the bucket"));
            }
            let environment = self.aws.load(None, printer)?;
            let account = &environment.account;
            let grant = Grant { account, purpose: format!("bench {account}"), policies: None };
            let status = local_cloud::start(&grant, None).await?;
            endpoint = status.endpoint;
            keys = status.keys.map(|keys| Keys {
                access_key: keys.access_key,
                secret_key: keys.secret_key,
                token: keys.token,
            });
        }
        Ok(Access::Bucket { bucket, prefix, region, profile, endpoint, keys })
    }
}

fn place(at: &str) -> Result<Place, CliError> {
    at.parse().map_err(|error: String| {
        let refused = |at: &str| CliError::new(Exit::Usage, format!("invalid target `{at}`: {error}"));
        match without_password(at) {
            Some(shown) => refused(&shown).hint("pass the password with --password-stdin or --password-file FILE"),
            None => refused(at),
        }
    })
}

/// Refuses a path at which there is no folder, before there are results. What a dead or hung mount says is a result.
async fn is_folder(path: &Path) -> Result<(), CliError> {
    let wrong = |what: &str| {
        Err(CliError::new(Exit::Usage, format!("{} {what}", path.display())).hint("name the folder that is measured"))
    };
    let (of, (send, looked)) = (path.to_owned(), tokio::sync::oneshot::channel());
    // The runtime would wait at its end for a thread of its own that hangs.
    std::thread::spawn(move || {
        let _ = send.send(of.metadata().map(|facts| facts.is_dir()));
    });
    match tokio::time::timeout(LOOK, looked).await {
        Ok(Ok(Err(error))) if error.kind() == io::ErrorKind::NotFound => wrong("does not exist"),
        Ok(Ok(Ok(false))) => wrong("is not a folder"),
        _ => Ok(()),
    }
}

/// The path from the root: a worker has another folder than this process.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn of_place(
    target: &Target,
    place: Place,
    password: Option<Password>,
    any_host_key: bool,
    bucket: Option<(Option<String>, Option<String>)>,
) -> Access {
    match place {
        Place::Folder(path) => Access::Folder { path },
        Place::Sftp(address) => Access::Sftp {
            address: address.to_string(),
            identity: target.identity.as_deref().map(absolute),
            password,
            config: target.ssh_config.as_deref().map(absolute),
            checks_host_key: !any_host_key,
        },
        Place::Bucket { bucket: name, prefix } => {
            let (profile, endpoint) = bucket.unwrap_or_default();
            let region = target.region.clone().unwrap_or_default();
            Access::Bucket { bucket: name, prefix, region, profile, endpoint, keys: None }
        }
    }
}

/// What workers need for the targets of a plan.
pub(super) fn of_plan(
    plan: &Plan,
    profile: Option<&String>,
    endpoint: Option<&String>,
) -> Result<BTreeMap<String, Access>, CliError> {
    let mut all = BTreeMap::new();
    for target in &plan.targets {
        let place = place(&target.at)?;
        if matches!(place, Place::Bucket { .. }) && target.region.is_none() {
            return Err(CliError::new(Exit::Usage, format!("target {} has no region", target.name))
                .hint("add `region: REGION` beside `at`"));
        }
        let password = target.password_file.as_deref().map(password_of).transpose()?.map(Password);
        let aws = Some((profile.cloned(), endpoint.cloned()));
        all.insert(target.name.clone(), of_place(target, place, password, false, aws));
    }
    Ok(all)
}

/// The password in a file that nobody else may read.
fn password_of(path: &Path) -> Result<String, CliError> {
    let shown = path.display();
    let bytes =
        limited::read_private(path, input_file::SMALL).map_err(|error| match limited::is_not_private(&error) {
            true => CliError::new(Exit::Refused, format!("{shown} has a password, and others may read it"))
                .hint(format!("chmod 600 {}", shell_word(&shown.to_string()))),
            false => CliError::new(Exit::Usage, format!("cannot read the password from {shown}: {error}")),
        })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| CliError::new(Exit::Usage, format!("the password in {shown} is not UTF-8")))?;
    Ok(password_prompt::without_line_end(&text).to_owned())
}
