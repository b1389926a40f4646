//! Arguments that several commands share: the environment file, AWS, the state, the lock.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::permissions::Permissions;
use super::{environment_file, input_file};
use crate::error::CliError;
use crate::exit::{self, Exit};
use crate::local_cloud::{self, Grant};
use crate::report::hints::{self, Target};
use crate::report::{Printer, annotations, streams};
use sftpctl_aws::Aws;
use sftpctl_core::plan::selection::Selection;
use sftpctl_core::shell_word::shell_word;
use sftpctl_core::spec;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_engine::doctor;
use sftpctl_engine::run::error::RunError;
use sftpctl_engine::run::{self, AwsPlace, Options, Run};
use sftpctl_engine::state::store::Store;

/// The arguments that select the environment file.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// Name of the environment: environments/NAME.yaml
    #[arg(long, value_name = "NAME", required_unless_present = "env_file", conflicts_with = "env_file")]
    env: Option<String>,
    /// Path of the environment file
    #[arg(long, value_name = "PATH")]
    env_file: Option<PathBuf>,
    /// Also annotate faults of the file for a CI system: github
    #[arg(long, value_name = "SYSTEM", value_enum, hide_possible_values = true)]
    annotations: Option<Annotations>,
}

/// `--env` of a command that can do without an environment.
pub(super) fn optional_environment() -> clap::Arg {
    clap::Arg::new("env")
        .long("env")
        .value_name("NAME")
        .help("Name of the environment: environments/NAME.yaml")
        .display_order(0)
        .conflicts_with("env_file")
}

/// A CI system that shows faults beside their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Annotations {
    /// GitHub Actions: `::error file=…,line=…,col=…::`.
    Github,
}

impl FileArgs {
    /// The path of the file, and its text.
    pub(crate) fn read(&self) -> Result<(PathBuf, String), CliError> {
        let (path, text) = match (&self.env_file, &self.env) {
            (Some(path), _) => (path.clone(), input_file::read(path, input_file::SMALL)),
            (None, name) => {
                let path = environment_file::path_of(name.as_deref().unwrap_or_default());
                let text = environment_file::read_inside(&path);
                (path, text)
            }
        };
        match text {
            Ok(text) => Ok((path, text)),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(CliError::new(Exit::Usage, format!("{} is not valid UTF-8", path.display()))
                    .hint(format!("save it as UTF-8; `file {}` shows its encoding", word(&path))))
            }
            Err(error) if error.get_ref().is_some() && error.kind() == std::io::ErrorKind::PermissionDenied => {
                Err(CliError::new(Exit::Usage, format!("cannot read {}: {error}", path.display()))
                    .hint("put the file itself in the place of the link; --env-file takes any path"))
            }
            Err(error) => {
                let names: Vec<String> = std::fs::read_dir("environments")
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
                    .collect();
                let hint = if names.is_empty() {
                    "there is no folder `environments` here; --env-file takes any path".to_owned()
                } else {
                    format!("the environments here are {}", names.join(", "))
                };
                Err(CliError::new(Exit::Usage, format!("cannot read {}: {error}", path.display())).hint(hint))
            }
        }
    }

    /// Annotates the faults if `--annotations` is given. On stderr: stdout may be JSON, and GitHub reads both.
    pub(crate) fn annotate(&self, path: &str, faults: &spec::Faults) {
        if self.annotations == Some(Annotations::Github) {
            let workspace = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
            let here = std::env::current_dir().unwrap_or_default();
            let path = annotations::within(workspace.as_deref(), &here, Path::new(path));
            streams::progress(annotations::github(&path, faults.list()));
        }
    }

    pub(crate) fn load(&self, printer: Printer) -> Result<Environment, CliError> {
        let (path, source) = self.read()?;
        let shown = path.display().to_string();
        spec::load(&source, &shown).map_err(|faults| {
            self.annotate(&shown, &faults);
            CliError::from_faults(&faults, printer.has_color())
        })
    }

    /// These arguments for another process.
    fn arguments(&self) -> Vec<OsString> {
        match (&self.env_file, &self.env) {
            (Some(path), _) => vec!["--env-file".into(), path.into()],
            (None, name) => vec!["--env".into(), name.clone().unwrap_or_default().into()],
        }
    }

    fn words(&self) -> String {
        match (&self.env_file, &self.env) {
            (Some(path), _) => format!("--env-file {}", word(path)),
            (None, name) => format!("--env {}", shell_word(name.as_deref().unwrap_or_default())),
        }
    }
}

fn word(path: &Path) -> String {
    shell_word(&path.display().to_string())
}

/// The arguments that select the environment and the endpoint of AWS.
#[derive(Clone, Debug, Args)]
pub(crate) struct AwsArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Use the local cloud, and start it if it is not running
    #[arg(long)]
    local: bool,
    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    profile: Option<String>,
    /// One endpoint for every AWS service
    #[arg(long, value_name = "URL", conflicts_with = "local")]
    endpoint_url: Option<String>,
}

impl AwsArgs {
    /// Whether AWS is the local cloud.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// Whether AWS is another than AWS's own.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for commands that are on Linux alone"))]
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.local || self.endpoint_url.is_some()
    }

    /// The profile and the endpoint, where they are given.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for commands that are on Linux alone"))]
    pub(crate) fn profile_and_endpoint(&self) -> (Option<String>, Option<String>) {
        (self.profile.clone(), self.endpoint_url.clone())
    }

    /// Whether an environment is named, by its name or by its file.
    pub(crate) fn names_an_environment(&self) -> bool {
        self.file.env.is_some() || self.file.env_file.is_some()
    }

    /// Loads the environment, and connects to AWS as its account, for a command with these permissions.
    pub(crate) async fn connect(
        &self,
        permissions: Permissions,
        printer: Printer,
    ) -> Result<(Environment, Arc<Aws>), CliError> {
        self.connect_for(permissions, None, printer).await
    }

    /// The environment limited to one of its clusters, as the only thing that a command knows of AWS: with the caller's own
    /// credentials, and not those of the roles that deploy.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for commands that are on Linux alone"))]
    pub(crate) async fn connect_to_cluster(
        &self,
        permissions: Permissions,
        cluster: &str,
        printer: Printer,
    ) -> Result<(Environment, Arc<Aws>), CliError> {
        let mut environment = self.load(None, printer)?;
        only_cluster(&mut environment, cluster)?;
        environment.assume_role = None;
        environment.regions.values_mut().for_each(|region| region.assume_role = None);
        let place = self.place(permissions, &environment, &[&self.state_place(None, &environment)]).await?;
        let aws = run::connect(&environment, place).await?;
        Ok((environment, aws))
    }

    /// As [`Self::connect`]; `state` is the value of `--state`.
    async fn connect_for(
        &self,
        permissions: Permissions,
        state: Option<&StatePlace>,
        printer: Printer,
    ) -> Result<(Environment, Arc<Aws>), CliError> {
        let environment = self.load(state, printer)?;
        let place = self.place(permissions, &environment, &[&self.state_place(state, &environment)]).await?;
        let aws = run::connect(&environment, place).await?;
        Ok((environment, aws))
    }

    /// AWS without a check of the account, for what everybody may read.
    pub(crate) async fn unchecked(&self, environment: &Environment) -> Result<Aws, CliError> {
        let place = self.place(Permissions::Reads, environment, &[&self.state_place(None, environment)]).await?;
        Ok(run::session(environment, place).await?)
    }

    /// The environment, if its file can be read and has no faults.
    pub(crate) fn quietly_loaded(&self) -> Option<Environment> {
        let (path, source) = self.file.read().ok()?;
        spec::load(&source, &path.display().to_string()).ok()
    }

    /// Loads the environment. Hints contain these arguments from now on.
    pub(crate) fn load(&self, state: Option<&StatePlace>, printer: Printer) -> Result<Environment, CliError> {
        let environment = self.file.load(printer)?;
        let state = state.map(|place| format!("--state {}", shell_word(&place.to_string())));
        hints::set(Target { environment: environment.name.clone(), words: self.words(), state });
        Ok(environment)
    }

    /// These arguments as text, for another command line.
    pub(crate) fn words(&self) -> String {
        let mut words = self.file.words();
        if self.local {
            words.push_str(" --local");
        }
        for (option, value) in [("--profile", &self.profile), ("--endpoint-url", &self.endpoint_url)] {
            if let Some(value) = value {
                words.push_str(&format!(" {option} {}", shell_word(value)));
            }
        }
        words
    }

    /// These arguments for another process.
    fn arguments(&self) -> Vec<OsString> {
        let mut all = self.file.arguments();
        if self.local {
            all.push("--local".into());
        }
        for (option, value) in [("--profile", &self.profile), ("--endpoint-url", &self.endpoint_url)] {
            if let Some(value) = value {
                all.extend([option.into(), value.into()]);
            }
        }
        all
    }

    /// Where AWS is; with `--local`, starts the local cloud first, and asks it for keys with the permissions of the
    /// command, as its policies give them on AWS. The roles of an environment have permissions of their own.
    async fn place(
        &self,
        permissions: Permissions,
        environment: &Environment,
        states: &[&StatePlace],
    ) -> Result<AwsPlace, CliError> {
        let (profile, local) = (self.profile.clone(), self.local);
        if !local {
            return Ok(AwsPlace { profile, endpoint_url: self.endpoint_url.clone(), local, local_keys: None });
        }
        let has_roles = environment.assume_role.is_some()
            || environment.regions.values().any(|region| region.assume_role.is_some());
        let zone = environment.dns.as_ref().map(|dns| dns.zone.as_str());
        let grant = Grant {
            account: &environment.account,
            purpose: format!("{} {permissions:?}", environment.name),
            policies: (!has_roles).then(|| permissions.documents(environment, states)),
        };
        let status = local_cloud::start(&grant, zone).await?;
        Ok(AwsPlace { profile, endpoint_url: status.endpoint, local, local_keys: status.keys })
    }

    /// The location of the state: `chosen`, or the default. The local cloud has its own.
    pub(crate) fn state_place(&self, chosen: Option<&StatePlace>, environment: &Environment) -> StatePlace {
        match (chosen, &environment.state.place) {
            (Some(place), _) => place.clone(),
            (None, _) if self.local => StatePlace::Folder(".sftpctl/local/state".into()),
            (None, Some(place)) => place.clone(),
            (None, None) => StatePlace::Folder(".sftpctl/state".into()),
        }
    }
}

/// Limits an environment to one of its clusters.
pub(crate) fn only_cluster(environment: &mut Environment, cluster: &str) -> Result<(), CliError> {
    let known: Vec<String> = environment.clusters.keys().cloned().collect();
    if environment.only_cluster(cluster) {
        return Ok(());
    }
    let message = format!("environment {} has no cluster {cluster}", environment.name);
    Err(CliError::new(Exit::Usage, message).hint(format!("its clusters are {}", known.join(", "))))
}

/// The arguments of a run on an environment.
#[derive(Clone, Debug, Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    pub(crate) aws: AwsArgs,
    /// Limit the run to this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    pub(crate) regions: Vec<String>,
    /// Where the state is: a folder, or s3://BUCKET/PREFIX [default: `state.place` of the environment file, else
    /// .sftpctl/state; with --local .sftpctl/local/state]
    #[arg(long, value_name = "PLACE")]
    state: Option<StatePlace>,
    /// The authorizer's binary [default: sftp-authorizer beside this program]
    #[arg(long, value_name = "PATH", env = "SFTPCTL_PACKAGE")]
    package: Option<PathBuf>,
}

impl EnvArgs {
    /// These arguments for another environment file.
    pub(crate) fn of_file(&self, path: &Path) -> Self {
        let mut other = self.clone();
        other.aws.file = FileArgs { env: None, env_file: Some(path.to_owned()), ..other.aws.file };
        other
    }

    /// The environment, without AWS.
    pub(crate) fn load(&self, printer: Printer) -> Result<Environment, CliError> {
        self.aws.load(self.state.as_ref(), printer)
    }

    /// Starts a run of a command with these permissions; with `--local`, starts the local cloud first.
    pub(crate) async fn open(&self, permissions: Permissions, printer: Printer) -> Result<Run, CliError> {
        self.open_part(permissions, Selection::default(), printer).await
    }

    /// As [`Self::open`], for a run that deploys only a part of the environment.
    pub(crate) async fn open_part(
        &self,
        permissions: Permissions,
        selection: Selection,
        printer: Printer,
    ) -> Result<Run, CliError> {
        let environment = self.aws.load(self.state.as_ref(), printer)?;
        spec::warnings(&environment).iter().for_each(|warning| streams::progress(format!("warning: {warning}")));
        let state = self.aws.state_place(self.state.as_ref(), &environment);
        Ok(Run::open(Options {
            aws: self.aws.place(permissions, &environment, &[&state]).await?,
            state,
            environment,
            regions: self.regions.clone(),
            selection,
            package: self.package.clone(),
            reporter: printer.reporter(),
            abort: stop_now,
        })
        .await?)
    }

    /// AWS without a check of the account, unless `offline`, and what `doctor` examines.
    pub(crate) async fn for_doctor(
        &self,
        offline: bool,
        printer: Printer,
    ) -> Result<(Option<Arc<Aws>>, doctor::Options), CliError> {
        let mut environment = self.aws.load(self.state.as_ref(), printer)?;
        if let Some(unknown) = self.regions.iter().find(|region| !environment.regions.contains_key(*region)) {
            let known = environment.regions.keys().cloned().collect();
            return Err(
                RunError::UnknownRegion { environment: environment.name, region: unknown.clone(), known }.into()
            );
        }
        if !self.regions.is_empty() {
            environment.regions.retain(|region, _| self.regions.contains(region));
        }
        let place = self.aws.state_place(self.state.as_ref(), &environment);
        let aws = match offline {
            true => None,
            false => {
                let aws = self.aws.place(Permissions::Reads, &environment, &[&place]).await?;
                Some(Arc::new(run::session(&environment, aws).await?))
            }
        };
        Ok((aws, doctor::Options { environment, place, package: self.package.clone(), role: None }))
    }

    /// The environment and its records, which are only read. The account is not checked: AWS is asked for nothing else,
    /// and records name their account.
    pub(crate) async fn open_records(
        &self,
        permissions: Permissions,
        printer: Printer,
    ) -> Result<(Environment, Store), CliError> {
        let environment = self.load(printer)?;
        let place = self.aws.state_place(self.state.as_ref(), &environment);
        let aws = self.aws.place(permissions, &environment, &[&place]).await?;
        let store = run::store(&run::session(&environment, aws).await?, &environment, &place);
        Ok((environment, store))
    }

    /// The environment and its state, without a run.
    pub(crate) async fn open_state(&self, printer: Printer) -> Result<(Environment, Store), CliError> {
        let (environment, aws) = self.aws.connect_for(Permissions::ChangesState, self.state.as_ref(), printer).await?;
        let store = run::store(&aws, &environment, &self.aws.state_place(self.state.as_ref(), &environment));
        Ok((environment, store))
    }

    /// These arguments without the regions as text, for another command line.
    pub(crate) fn words(&self) -> String {
        let mut words = self.aws.words();
        if let Some(place) = &self.state {
            words.push_str(&format!(" --state {}", shell_word(&place.to_string())));
        }
        if let Some(path) = &self.package {
            words.push_str(&format!(" --package {}", word(path)));
        }
        words
    }
}

/// The arguments that select an environment's state.
#[derive(Clone, Debug, Args)]
pub(crate) struct StateArgs {
    #[command(flatten)]
    aws: AwsArgs,
    /// Where the state is: a folder, or s3://BUCKET/PREFIX [default: as for deploy]
    #[arg(long, value_name = "PLACE")]
    state: Option<StatePlace>,
}

impl StateArgs {
    /// The environment, without AWS.
    pub(crate) fn load(&self, printer: Printer) -> Result<Environment, CliError> {
        self.aws.load(self.state.as_ref(), printer)
    }

    /// The arguments without the state for another process, and the state.
    pub(crate) fn arguments(&self) -> (Vec<OsString>, Option<OsString>) {
        (self.aws.arguments(), self.state.as_ref().map(|place| place.to_string().into()))
    }

    pub(crate) fn place(&self, environment: &Environment) -> StatePlace {
        self.aws.state_place(self.state.as_ref(), environment)
    }

    /// The environment, AWS, and the state, for a command that moves the state to another place.
    pub(crate) async fn open_to_move(
        &self,
        to: &StatePlace,
        printer: Printer,
    ) -> Result<(Environment, Arc<Aws>, Store), CliError> {
        let environment = self.aws.load(self.state.as_ref(), printer)?;
        let from = self.place(&environment);
        let place = self.aws.place(Permissions::ChangesState, &environment, &[&from, to]).await?;
        let aws = run::connect(&environment, place).await?;
        let store = run::store(&aws, &environment, &from);
        Ok((environment, aws, store))
    }

    /// The environment, AWS, and the state, for a command with these permissions.
    pub(crate) async fn open(
        &self,
        permissions: Permissions,
        printer: Printer,
    ) -> Result<(Environment, Arc<Aws>, Store), CliError> {
        let (environment, aws) = self.aws.connect_for(permissions, self.state.as_ref(), printer).await?;
        let store = run::store(&aws, &environment, &self.place(&environment));
        Ok((environment, aws, store))
    }
}

/// The arguments that limit a deployment to a part of the environment.
#[derive(Clone, Debug, Args)]
pub(crate) struct Part {
    /// Only what PATTERN names: a region, a kind, a resource, or the words of a step (repeatable)
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// All but what PATTERN names (repeatable)
    #[arg(long, value_name = "PATTERN")]
    skip: Vec<String>,
}

impl Part {
    pub(crate) fn selection(&self) -> Selection {
        Selection { only: self.only.clone(), skip: self.skip.clone() }
    }

    /// These arguments as text, for another command line.
    pub(crate) fn words(&self) -> String {
        let option = |name: &str, patterns: &[String]| {
            patterns.iter().map(|pattern| format!(" --{name} {}", shell_word(pattern))).collect::<String>()
        };
        option("only", &self.only) + &option("skip", &self.skip)
    }
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct LockTimeout {
    /// Seconds to wait for another run's lock; a killed run's lock expires with its lease
    #[arg(long = "lock-timeout", value_name = "SECONDS", default_value_t = 0)]
    pub(crate) seconds: u64,
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Yes {
    /// Skip the confirmation prompt
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Ends the process at the second request to stop.
pub(super) fn stop_now() {
    streams::progress("stopped; rerun the same command to resume");
    exit::leave(Exit::Interrupted)
}
