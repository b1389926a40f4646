//! What several commands share: where the environment is, where AWS is, how to look.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::exit::{CliError, Exit};
use crate::local_cloud;
use crate::report::annotations;
use crate::report::output::{self, Color, Output};
use sftpctl_aws::Aws;
use sftpctl_core::spec;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_engine::run::{self, Options, Run};
use sftpctl_engine::state::store::Store;

/// Form of the output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Human, plain or JSON.
    pub(crate) output: Output,
    /// When to color.
    pub(crate) color: Color,
}

/// Where the environment file is.
#[derive(Clone, Debug, Args)]
pub(crate) struct FileArgs {
    /// Name of the environment: environments/NAME.yaml
    #[arg(long, value_name = "NAME", required_unless_present = "env_file", conflicts_with = "env_file")]
    env: Option<String>,
    /// Path of the environment file
    #[arg(long, value_name = "PATH")]
    env_file: Option<PathBuf>,
    /// Also mark faults of the file for a CI system, in its own form
    #[arg(long, value_name = "SYSTEM", value_enum)]
    annotations: Option<Annotations>,
}

/// A CI system that shows faults beside the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Annotations {
    /// GitHub Actions: `::error file=…,line=…,col=…::`
    Github,
}

impl FileArgs {
    /// The path and its text.
    pub(crate) fn read(&self) -> Result<(PathBuf, String), CliError> {
        let path = match (&self.env_file, &self.env) {
            (Some(path), _) => path.clone(),
            (None, name) => Path::new("environments").join(format!("{}.yaml", name.as_deref().unwrap_or_default())),
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok((path, text)),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(CliError::new(Exit::Usage, format!("{} is no UTF-8 text", path.display()))
                    .hint("save it again in the encoding UTF-8; `file` tells which one it has now"))
            }
            Err(error) => {
                let there: Vec<String> = std::fs::read_dir("environments")
                    .into_iter()
                    .flatten()
                    .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
                    .collect();
                let hint = if there.is_empty() {
                    "there is no folder `environments` here; --env-file takes any path".to_owned()
                } else {
                    format!("environments here: {}", there.join(", "))
                };
                Err(CliError::new(Exit::Usage, format!("cannot read {}: {error}", path.display())).hint(hint))
            }
        }
    }

    /// Marks the faults where that is asked for. On stderr: stdout may be somebody's JSON, and GitHub reads both.
    pub(crate) fn annotate(&self, path: &str, faults: &spec::Faults) {
        if self.annotations == Some(Annotations::Github) {
            let workspace = std::env::var_os("GITHUB_WORKSPACE").map(PathBuf::from);
            let here = std::env::current_dir().unwrap_or_default();
            let path = annotations::within(workspace.as_deref(), &here, Path::new(path));
            output::progress(&annotations::github(&path, faults.list()));
        }
    }

    /// The environment.
    pub(crate) fn load(&self, look: Look) -> Result<Environment, CliError> {
        let (path, source) = self.read()?;
        let shown = path.display().to_string();
        spec::load(&source, &shown).map_err(|faults| {
            self.annotate(&shown, &faults);
            CliError::new(Exit::Usage, faults.render(look.color.wanted()))
        })
    }
}

/// Which environment, and where AWS is.
#[derive(Clone, Debug, Args)]
pub(crate) struct Target {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// Use the local cloud; it is started where it isn't running
    #[arg(long)]
    pub(crate) local: bool,
    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    pub(crate) profile: Option<String>,
    /// One endpoint for every AWS service
    #[arg(long, value_name = "URL", conflicts_with = "local")]
    pub(crate) endpoint_url: Option<String>,
    /// Only this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    pub(crate) regions: Vec<String>,
    /// Where the state is: a folder, or s3://BUCKET/PREFIX [default: `state.place` of the environment file, else
    /// .sftpctl/state; with --local .sftpctl/local/state]
    #[arg(long, value_name = "PLACE")]
    pub(crate) state: Option<StatePlace>,
    /// The authorizer's binary [default: sftp-authorizer beside this program]
    #[arg(long, value_name = "PATH", env = "SFTPCTL_PACKAGE")]
    pub(crate) package: Option<PathBuf>,
}

/// How long to wait for another run.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Patience {
    /// Wait so long for another run to finish; a run that was killed is never waited for longer than its lease
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) lock_timeout: u64,
}

impl Target {
    /// Where the state is; the local cloud's is apart.
    pub(crate) fn state_place(&self, environment: &Environment) -> StatePlace {
        let default = || match &environment.state.place {
            Some(place) if !self.local => place.clone(),
            _ => StatePlace::Folder(if self.local { ".sftpctl/local/state" } else { ".sftpctl/state" }.into()),
        };
        self.state.clone().unwrap_or_else(default)
    }

    /// Where AWS is: with `--local` the local cloud, which is started first.
    async fn endpoint(&self, environment: &Environment) -> Result<Option<String>, CliError> {
        if !self.local {
            return Ok(self.endpoint_url.clone());
        }
        let zone = environment.dns.as_ref().map(|dns| dns.zone.as_str());
        Ok(local_cloud::start(&environment.account, zone).await?.endpoint)
    }

    /// The environment, and AWS as its account.
    pub(crate) async fn connect(&self, look: Look) -> Result<(Environment, Arc<Aws>), CliError> {
        let environment = self.file.load(look)?;
        let endpoint_url = self.endpoint(&environment).await?;
        let aws = run::connect(&environment, self.profile.clone(), endpoint_url, self.local).await?;
        Ok((environment, aws))
    }

    /// Begins a run; with `--local` the local cloud is started first.
    pub(crate) async fn open(&self, look: Look) -> Result<Run, CliError> {
        let environment = self.file.load(look)?;
        spec::warnings(&environment).iter().for_each(|warning| output::progress(&format!("warning: {warning}")));
        let endpoint_url = self.endpoint(&environment).await?;
        Ok(Run::open(Options {
            state: self.state_place(&environment),
            environment,
            profile: self.profile.clone(),
            endpoint_url,
            local: self.local,
            regions: self.regions.clone(),
            package: self.package.clone(),
            reporter: output::reporter(look.output),
            abort: stop_now,
        })
        .await?)
    }
}

/// Which environment and where AWS is, for commands that deploy nothing.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    file: FileArgs,
    /// Use the local cloud; it is started where it isn't running
    #[arg(long)]
    local: bool,
    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    profile: Option<String>,
    /// One endpoint for every AWS service
    #[arg(long, value_name = "URL", conflicts_with = "local")]
    endpoint_url: Option<String>,
}

impl Place {
    /// The environment, and AWS as its account.
    pub(crate) async fn connect(&self, look: Look) -> Result<(Environment, Arc<Aws>), CliError> {
        self.target().connect(look).await
    }

    fn target(&self) -> Target {
        Target {
            file: self.file.clone(),
            local: self.local,
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            regions: Vec::new(),
            state: None,
            package: None,
        }
    }

    /// Whether it is the local cloud.
    pub(crate) fn is_local(&self) -> bool {
        self.local
    }
}

/// Which environment's records, and where they are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Records {
    #[command(flatten)]
    place: Place,
    /// Where the state is: a folder, or s3://BUCKET/PREFIX [default: as for deploy]
    #[arg(long, value_name = "PLACE")]
    state: Option<StatePlace>,
}

impl Records {
    /// Where they are.
    pub(crate) fn place(&self, environment: &Environment) -> StatePlace {
        Target { state: self.state.clone(), ..self.place.target() }.state_place(environment)
    }

    /// The environment, AWS, and its records.
    pub(crate) async fn open(&self, look: Look) -> Result<(Environment, Arc<Aws>, Store), CliError> {
        let target = Target { state: self.state.clone(), ..self.place.target() };
        let (environment, aws) = target.connect(look).await?;
        let store = run::store(&aws, &environment, &target.state_place(&environment));
        Ok((environment, aws, store))
    }
}

/// Ends the process at the second Ctrl-C.
fn stop_now() {
    output::progress("stopped now; run the same command again: it goes on where this one stopped");
    output::leave(Exit::Interrupted)
}

/// Asks; any other answer, or no terminal to ask on, is a refusal.
pub(crate) async fn confirm(question: &str, yes: &[&str], flag: &str) -> Result<(), CliError> {
    let asked = question.to_owned();
    // On a thread of its own: while somebody thinks, the lock is renewed, and Ctrl-C is heard.
    match tokio::task::spawn_blocking(move || output::ask(&asked)).await.ok().flatten() {
        Some(answer) if yes.iter().any(|yes| answer.eq_ignore_ascii_case(yes)) => Ok(()),
        Some(_) => Err(CliError::new(Exit::Refused, "not confirmed; nothing was changed")),
        None => Err(CliError::new(Exit::Refused, "there is no terminal to ask on; nothing was changed")
            .hint(format!("say {flag} to go on without asking"))),
    }
}

/// Asks for the environment's name, or takes it from `--confirm`: what production wants before anything of it goes.
pub(crate) async fn confirm_by_name(name: &str, typed: Option<&str>, what: &str) -> Result<(), CliError> {
    match typed {
        Some(typed) if typed == name => Ok(()),
        Some(typed) => Err(CliError::new(Exit::Refused, format!("--confirm says {typed}, the environment is {name}"))),
        None => {
            let question = format!("This is production. Type {name} to {what}:");
            confirm(&question, &[name], &format!("--confirm {name}")).await
        }
    }
}
