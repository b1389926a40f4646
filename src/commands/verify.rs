//! `sftpctl verify`: logs a canary in at every server.

use super::args::AwsArgs;
use super::login_checks;
use super::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use sftpctl_engine::verify::Sender;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl verify --env 99\n  sftpctl verify --env 99 --region us-west-2\n\n\
    A canary account is created, logs in at every server, and is deleted. The exit code is 1 if a server refuses it.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Check only the server in this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::Deploys, printer).await?;
    let regions = login_checks::regions(&environment, &args.regions)?;
    login_checks::send_canary(&aws, &environment, &regions, &Sender::Verify, printer).await
}
