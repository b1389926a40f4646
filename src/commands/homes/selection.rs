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
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::spec::sftp_address::SftpAddress;
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_files::homes::journal::home_of;
use sftpctl_files::homes::record::{Line, VERSION};
use sftpctl_files::homes::swap;

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

    /// The homes to be read, by their organisations, and the machine that has them if it is another one.
    ///
    /// # Errors
    /// The list, the folder or the machine cannot be read; or there is no home.
    pub(super) async fn homes(&self, environment: &Environment) -> Result<(Vec<Chosen>, Machine), CliError> {
        self.homes_of(environment, false).await
    }

    /// As [`Self::homes`]; of all, also those that are not in the folder any more and have a manifest.
    ///
    /// # Errors
    /// As [`Self::homes`].
    pub(super) async fn known_homes(&self, environment: &Environment) -> Result<(Vec<Chosen>, Machine), CliError> {
        self.homes_of(environment, true).await
    }

    async fn homes_of(&self, environment: &Environment, known: bool) -> Result<(Vec<Chosen>, Machine), CliError> {
        let machine = self.origin.connect(environment).await?;
        let root = machine.root(self.origin.root(environment));
        let chosen = self.chosen(environment, &machine, &root, known).await?;
        Ok((chosen, machine))
    }

    /// The homes on this machine, whatever the environment file says: for what changes them. Of all, also those that are not
    /// in the folder any more and have a manifest.
    ///
    /// # Errors
    /// As [`Self::homes`]; or `--from` names another machine.
    pub(super) async fn homes_here(&self, environment: &Environment) -> Result<Vec<Chosen>, CliError> {
        self.origin.refuse_other()?;
        let root = Machine::Here.root(self.origin.root(environment));
        self.chosen(environment, &Machine::Here, &root, true).await
    }

    /// The arguments of another command about a home on this machine, such as one in a hint.
    fn words(&self, org_id: i64) -> String {
        let mut words = format!("{} --orgid {org_id}{}", self.aws.words(), self.origin.words());
        if let Some(cluster) = &self.cluster {
            words.push_str(&format!(" --cluster {}", shell_word(cluster)));
        }
        if let Some(folder) = &self.manifest {
            words.push_str(&format!(" --manifest {}", shell_word(&folder.display().to_string())));
        }
        words
    }

    /// Whether every home in the folder is meant, and not certain ones.
    pub(super) fn is_of_all(&self) -> bool {
        self.which.all
    }

    async fn chosen(
        &self,
        environment: &Environment,
        machine: &Machine,
        root: &Path,
        known: bool,
    ) -> Result<Vec<Chosen>, CliError> {
        let address = machine.address();
        match (&self.which.list, self.which.all) {
            (Some(file), _) => match listed(file)? {
                ids if ids.is_empty() => {
                    let message = format!("{} names no organisation", file.display());
                    Err(CliError::new(Exit::Usage, message).hint("write an ID to a line"))
                }
                ids => Ok(chosen(ids, root, environment, address)),
            },
            (None, true) => {
                let mut ids = machine.found(root, &environment.homes).await?;
                if known {
                    ids.extend(self.with_manifests(environment, root, address));
                }
                if ids.is_empty() {
                    let machine = address.map(ToString::to_string).unwrap_or_default();
                    let message = format!("there is no home in {machine}{}", root.display());
                    let hint = "`homes` in the environment file, or --root, says where the homes are";
                    return Err(CliError::new(Exit::Usage, message).hint(hint));
                }
                Ok(chosen(ids, root, environment, address))
            }
            (None, false) => Ok(chosen(self.which.orgid.clone(), root, environment, address)),
        }
    }

    /// The organisations of this folder that have a manifest.
    fn with_manifests(&self, environment: &Environment, root: &Path, from: Option<&SftpAddress>) -> Vec<i64> {
        let folder = self.manifests(environment);
        let ids = std::fs::read_dir(folder).into_iter().flatten().flatten().filter_map(|entry| {
            entry.file_name().to_str()?.strip_suffix(".jsonl")?.parse().ok().filter(|id: &i64| *id >= 0)
        });
        let is_here = |chosen: &Chosen| {
            let home = home_of(&self.manifest(environment, chosen.org_id));
            let address = chosen.address();
            home.is_some_and(|home| home == address || SftpAddress::path_of(&home).as_ref() == Some(&address))
        };
        chosen(ids.collect(), root, environment, from).into_iter().filter(is_here).map(|home| home.org_id).collect()
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
        let Some((_, cluster)) = names::cluster_of(environment, &account.home.bucket) else {
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

    /// The folder of the manifests.
    fn manifests(&self, environment: &Environment) -> PathBuf {
        match (&self.manifest, self.aws.state_place(None, environment)) {
            (Some(folder), _) => folder.clone(),
            (None, StatePlace::Folder(path)) => path.join("homes").join(&environment.name),
            // The manifest belongs to the machine with the homes.
            (None, StatePlace::Bucket { .. }) => Path::new(".sftpctl/state/homes").join(&environment.name),
        }
    }

    /// The file of a home's manifest.
    pub(super) fn manifest(&self, environment: &Environment, org_id: i64) -> PathBuf {
        self.manifests(environment).join(format!("{org_id}.jsonl"))
    }
}

impl Chosen {
    /// Its path, with the machine if it is another one.
    pub(super) fn address(&self) -> String {
        let from = self.from.as_ref().map(ToString::to_string).unwrap_or_default();
        format!("{from}{}", self.path.display())
    }

    /// Refuses a home on this machine that was cut over: its folder is read no more.
    ///
    /// # Errors
    /// It was cut over.
    pub(super) fn check_not_moved(&self, selection: &Selection) -> Result<(), CliError> {
        if self.from.is_some() || !swap::is_moved(&self.path) {
            return Ok(());
        }
        let message = format!("home {} was cut over: its files are in S3, and a link is in its place", self.org_id);
        let words = selection.words(self.org_id);
        Err(CliError::new(Exit::Refused, message).hint(format!(
            "`sftpctl homes status {words}` and `sftpctl homes verify {words}` show it; with the folder of the mount \
             as DIR, `sftpctl homes rollback {words} --mount DIR` puts the folder back"
        )))
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
