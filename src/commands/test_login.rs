//! `sftpctl test-login`: tries a customer's log-in.

use secrecy::ExposeSecret as _;

use super::args::AwsArgs;
use super::permissions::Permissions;
use super::{login_checks, password_prompt};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_engine::verify;
use sftpctl_engine::verify::Attempt;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl test-login --env 99 --username jan\n  \
    sftpctl test-login --env 99 --username jan --all-regions --password-stdin < file\n\n\
    The Transfer server asks its identity provider as it would for a customer; nothing is uploaded. The exit code is 1 \
    if a server refuses the log-in.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// The customer's user name
    #[arg(long, value_name = "NAME")]
    username: String,
    /// Read the password from stdin instead of the terminal
    #[arg(long)]
    password_stdin: bool,
    /// Try every region with a server [default: the home region, or the first with a server]
    #[arg(long, conflicts_with = "regions")]
    all_regions: bool,
    /// Try this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Address that the customer would connect from
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    source_ip: std::net::IpAddr,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::TestsLogins, printer).await?;
    let mut regions = login_checks::regions(&environment, &args.regions)?;
    if !args.all_regions && args.regions.is_empty() {
        let first = regions.iter().find(|region| **region == environment.home_region).or(regions.first()).cloned();
        regions = first.into_iter().collect();
    }
    let password = if args.password_stdin {
        password_prompt::read_stdin()?
    } else {
        password_prompt::ask(&format!("Password of {}: ", args.username), "--password-stdin")?
    };
    let source_ip = args.source_ip.to_string();
    let attempt = Attempt { username: &args.username, password: password.expose_secret(), source_ip: &source_ip };
    let mut checks = Vec::new();
    for region in &regions {
        checks.push(verify::check(&aws, &environment, region, None, attempt).await);
    }
    Ok(login_checks::show(&checks, printer))
}
