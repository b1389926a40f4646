//! Which homes a command is about, where they are on this machine, and where in S3.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::origin::{Machine, Origin};
use crate::commands::args::AwsArgs;
use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_accounts::{AccountError, Accounts};
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::spec::sftp_address::SftpAddress;
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_files::homes::record::{Line, VERSION};

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Selection {
    #[command(flatten)]
    pub(super) aws: AwsArgs,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    pub(super) origin: Origin,
    /// Cluster whose bucket gets the homes, in folders named after the organisations [default: the home folder of the
    /// organisation's account]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Folder of the manifests, one for each home [default: homes/ beside the state]
    #[arg(long, value_name = "DIR")]
    manifest: Option<PathBuf>,
}

#[derive(Clone, Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The home of this organisation (repeatable)
    #[arg(long, value_name = "N")]
    orgid: Vec<i64>,
    /// Every home in the folder
    #[arg(long)]
    all: bool,
    /// The homes of the organisations in a file, an ID to a line
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
}

/// A home on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) org_id: i64,
    /// On its machine.
    pub(super) path: PathBuf,
    /// That machine, if it is another one.
    from: Option<SftpAddress>,
}

/// Where a home goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) region: String,
    /// Ends with a slash.
    pub(super) prefix: String,
}

impl Selection {
    /// The environment, without AWS.
    pub(super) fn load(&self, printer: Printer) -> Result<Environment, CliError> {
        self.aws.load(None, printer)
    }

    /// The homes, by their organisations, and the machine that has them if it is another one.
    ///
    /// # Errors
    /// The list, the folder or the machine cannot be read.
    pub(super) async fn homes(&self, environment: &Environment) -> Result<(Vec<Chosen>, Machine), CliError> {
        let machine = self.origin.connect(environment).await?;
        let root = machine.root(self.origin.root(environment));
        let ids = match (&self.which.list, self.which.all) {
            (Some(file), _) => listed(file)?,
            (None, true) => machine.found(&root, &environment.homes).await?,
            (None, false) => self.which.orgid.clone(),
        };
        Ok((chosen(ids, &root, environment, machine.address()), machine))
    }

    /// The homes on this machine, whatever the environment file says: for what changes them.
    ///
    /// # Errors
    /// As [`Self::homes`]; or `--from` names another machine.
    pub(super) async fn homes_here(&self, environment: &Environment) -> Result<Vec<Chosen>, CliError> {
        self.origin.refuse_other()?;
        let root = Machine::Here.root(self.origin.root(environment));
        let ids = match (&self.which.list, self.which.all) {
            (Some(file), _) => listed(file)?,
            (None, true) => Machine::Here.found(&root, &environment.homes).await?,
            (None, false) => self.which.orgid.clone(),
        };
        Ok(chosen(ids, &root, environment, None))
    }

    /// Where the home of an organisation goes.
    pub(super) async fn place(
        &self,
        environment: &Environment,
        aws: &Arc<Aws>,
        org_id: i64,
    ) -> Result<Place, CliError> {
        if let Some(cluster) = &self.cluster {
            return self.in_cluster(environment, cluster, org_id);
        }
        let accounts = Accounts::new(Arc::clone(aws), environment);
        let account = match accounts.by_org(org_id).await {
            Ok(account) => account,
            Err(AccountError::Aws(error)) => return Err(error.into()),
            Err(error) => {
                let hint = "add the account first (sftpctl users import), or pass --cluster for a home without one";
                return Err(CliError::from_error(Exit::Refused, &error, Some(hint.to_owned())));
            }
        };
        let mut clusters = environment.clusters.iter();
        let cluster = clusters.find(|(name, _)| names::upload_bucket(environment, name) == account.home.bucket);
        let Some((_, cluster)) = cluster else {
            let message = format!(
                "the home of organisation {org_id}, {}, is not in a bucket of the environment",
                account.home.path()
            );
            return Err(CliError::new(Exit::Refused, message));
        };
        let (bucket, prefix) = (account.home.bucket.clone(), format!("{}/", account.home.folder));
        Ok(Place { bucket, region: cluster.region.clone(), prefix })
    }

    fn in_cluster(&self, environment: &Environment, name: &str, org_id: i64) -> Result<Place, CliError> {
        let Some(cluster) = environment.clusters.get(name) else {
            let known: Vec<&str> = environment.clusters.keys().map(String::as_str).collect();
            let message = format!("environment {} has no cluster {name}", environment.name);
            return Err(CliError::new(Exit::Usage, message).hint(format!("its clusters are {}", known.join(", "))));
        };
        let bucket = names::upload_bucket(environment, name);
        Ok(Place { bucket, region: cluster.region.clone(), prefix: format!("{org_id}/") })
    }

    /// The file of a home's manifest.
    pub(super) fn manifest(&self, environment: &Environment, org_id: i64) -> PathBuf {
        let folder = match (&self.manifest, self.aws.state_place(None, environment)) {
            (Some(folder), _) => folder.clone(),
            (None, StatePlace::Folder(path)) => path.join("homes").join(&environment.name),
            // The manifest belongs to the machine with the homes.
            (None, StatePlace::Bucket { .. }) => Path::new(".sftpctl/state/homes").join(&environment.name),
        };
        folder.join(format!("{org_id}.jsonl"))
    }
}

impl Chosen {
    /// Its path, with the machine if it is another one.
    pub(super) fn address(&self) -> String {
        let from = self.from.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{from}{}", self.path.display())
    }

    /// The first line of the manifest of a home that goes there.
    pub(super) fn line(&self, environment: &Environment, place: &Place) -> Line {
        Line::Home {
            version: VERSION,
            environment: environment.name.clone(),
            org_id: self.org_id,
            path: self.address(),
            bucket: place.bucket.clone(),
            prefix: place.prefix.clone(),
        }
    }
}

/// The organisations in a file; empty lines and lines that begin with `#` are none.
fn listed(file: &Path) -> Result<Vec<i64>, CliError> {
    let shown = file.display();
    let text = input_file::named(file, input_file::SMALL)?;
    let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
    lines
        .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, number)| {
            line.parse().map_err(|_| {
                CliError::new(Exit::Usage, format!("line {number} of {shown} is not an organisation's ID: `{line}`"))
            })
        })
        .collect()
}

/// The homes of organisations in a folder of a machine.
fn chosen(mut ids: Vec<i64>, root: &Path, environment: &Environment, from: Option<&SftpAddress>) -> Vec<Chosen> {
    ids.sort_unstable();
    ids.dedup();
    let chosen = |org_id| {
        let path = root.join(environment.homes.folder_of(org_id));
        Chosen { org_id, path, from: from.cloned() }
    };
    ids.into_iter().map(chosen).collect()
}
