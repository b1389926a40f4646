//! `sftpctl test-login` and `sftpctl verify`.

use std::io::{IsTerminal as _, Read as _};
use std::sync::Arc;

use clap::Args;
use secrecy::{ExposeSecret as _, SecretString};

use super::common::{Look, Place};
use crate::exit::{CliError, Exit};
use crate::report::login;
use crate::report::output::{self, Output};
use sftpctl_aws::Aws;
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::verify::login::Attempt;
use sftpctl_engine::verify::{self, LoginCheck, Sender};

/// Who logs in, and where.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sftpctl test-login --env 99 --username my1sftp\n  \
    sftpctl test-login --env 99 --username my1sftp --all-regions --password-stdin < secret.txt\n\n\
    The Transfer server asks its identity provider as it would for a customer; nothing is uploaded. Exit code 1 where\n\
    the customer would not get in.")]
pub(super) struct TestArgs {
    #[command(flatten)]
    place: Place,
    /// The user name
    #[arg(long, value_name = "NAME")]
    username: String,
    /// Read the password from stdin; otherwise it is asked for
    #[arg(long)]
    password_stdin: bool,
    /// Every region with a server [default: the home region, or the first with a server]
    #[arg(long, conflicts_with = "regions")]
    all_regions: bool,
    /// This region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Address that the customer would come from
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    source_ip: std::net::IpAddr,
}

/// Which environment.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sftpctl verify --env 99\n\n\
    Makes an account of its own, logs it in at every server, and removes it. Exit code 1 where a server admits nobody.")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    place: Place,
    /// Only this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
}

/// Regions with a server, or those of them that were asked for.
fn regions(environment: &Environment, asked: &[String]) -> Result<Vec<String>, CliError> {
    let with_server: Vec<String> =
        environment.regions.iter().filter(|(_, region)| region.server).map(|(name, _)| name.clone()).collect();
    if let Some(other) = asked.iter().find(|region| !with_server.contains(region)) {
        return Err(CliError::new(Exit::Usage, format!("environment {} has no server in {other}", environment.name))
            .hint(format!("servers are in: {}", with_server.join(", "))));
    }
    Ok(if asked.is_empty() { with_server } else { asked.to_vec() })
}

/// Tries a customer's log-in.
pub(super) async fn test(args: TestArgs, look: Look) -> Result<Exit, CliError> {
    let (environment, aws) = args.place.connect(look).await?;
    let mut chosen = regions(&environment, &args.regions)?;
    if !args.all_regions && args.regions.is_empty() {
        let first = chosen.iter().find(|region| **region == environment.home_region).or(chosen.first()).cloned();
        chosen = first.into_iter().collect();
    }
    let password = password(args.password_stdin, &args.username)?;
    let source_ip = args.source_ip.to_string();
    let attempt = Attempt { username: &args.username, password: password.expose_secret(), source_ip: &source_ip };
    let mut checks = Vec::new();
    for region in &chosen {
        checks.push(verify::check(&aws, &environment, region, None, attempt).await);
    }
    Ok(told(&checks, look))
}

/// Logs a canary in.
pub(super) async fn verify(args: VerifyArgs, look: Look) -> Result<Exit, CliError> {
    let (environment, aws) = args.place.connect(look).await?;
    let chosen = regions(&environment, &args.regions)?;
    canary(&aws, &environment, &chosen, &Sender::Anybody, look).await
}

/// Logs a canary in and tells; exit code 1 where it is refused.
pub(super) async fn canary(
    aws: &Arc<Aws>,
    environment: &Environment,
    regions: &[String],
    sender: &Sender,
    look: Look,
) -> Result<Exit, CliError> {
    if regions.is_empty() {
        return Ok(Exit::Ok);
    }
    let checks = verify::verify(aws, environment, regions, sender).await.map_err(|error| fault(&error))?;
    Ok(told(&checks, look))
}

/// A verification that could not be made.
fn fault(error: &verify::canary::VerifyError) -> CliError {
    use verify::canary::VerifyError;
    let hint = match error {
        VerifyError::Aws(error) => error.hint(),
        VerifyError::Busy => Some("wait until they are over".to_owned()),
        VerifyError::NoCluster | VerifyError::Hash(_) => None,
    };
    CliError::from_error(Exit::Failed, error, hint)
}

fn told(checks: &[LoginCheck], look: Look) -> Exit {
    for check in checks {
        match look.output {
            Output::Json => output::json("login/1", check),
            _ => output::data(&login::render(check)),
        }
    }
    if checks.iter().all(|check| check.admitted) { Exit::Ok } else { Exit::Failed }
}

fn password(from_stdin: bool, username: &str) -> Result<SecretString, CliError> {
    let unreadable = |error: std::io::Error| CliError::from_error(Exit::Usage, &error, None);
    if from_stdin {
        let mut text = String::new();
        std::io::stdin().take(64 << 10).read_to_string(&mut text).map_err(unreadable)?;
        let text = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text);
        return Ok(SecretString::from(text));
    }
    if !std::io::stdin().is_terminal() {
        return Err(
            CliError::new(Exit::Usage, "there is no terminal to ask for the password on").hint("say --password-stdin")
        );
    }
    rpassword::prompt_password(format!("Password of {username}: ")).map(SecretString::from).map_err(unreadable)
}
