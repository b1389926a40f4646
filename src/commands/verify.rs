//! `sftpctl verify`: logs a canary in at every server.

use std::time::Duration;

use futures_util::future::join_all;

use super::args::AwsArgs;
use super::login_checks;
use super::permissions::Permissions;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{self, Printer};
use sftpctl_core::check::{Check, Status};
use sftpctl_engine::verify::{Sender, waf};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl verify --env 99\n  sftpctl verify --env 99 --region us-west-2\n\n\
    A canary account is created, logs in at every server, and is deleted. The exit code is 1 if a server refuses it. With \
    `waf` in the environment file, the metrics of AWS WAF then have to show that it sees customers' addresses; the exit \
    code is 1 if it does not.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Check only the server in this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// How long to wait for the metrics of AWS WAF
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    waf_wait: u32,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (environment, aws) = args.aws.connect(Permissions::Deploys, printer).await?;
    let regions = login_checks::regions(&environment, &args.regions)?;
    if environment.waf.is_none() {
        return login_checks::send_canary(&aws, &environment, &regions, &Sender::Verify, printer).await;
    }
    let before = join_all(regions.iter().map(|region| waf::before(&aws, &environment, region))).await;
    let exit = login_checks::send_canary(&aws, &environment, &regions, &Sender::Verify, printer).await?;
    let limit = Duration::from_secs(args.waf_wait.into());
    let say = |sentence: String| printer.note(|| sentence);
    let (aws, environment, say) = (&aws, &environment, &say);
    let proofs = regions.iter().zip(before).map(|(region, before)| async move {
        match before {
            Ok(before) => waf::prove(aws, environment, region, before, limit, say).await,
            Err(error) => waf::unreadable(region, &error),
        }
    });
    let checks: Vec<Check> = join_all(proofs).await;
    for check in &checks {
        printer.emit("check/1", check, || report::login::check(check));
    }
    let untold = checks.iter().any(|check| check.status == Status::Failed);
    Ok(if untold { Exit::Failed } else { exit })
}
