//! `sftpctl verify`: logs a canary in at every server.

use std::time::Duration;

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
    let mut before = Vec::new();
    for region in &regions {
        before.push(waf::before(&aws, &environment, region).await);
    }
    let exit = login_checks::send_canary(&aws, &environment, &regions, &Sender::Verify, printer).await?;
    // Without a log-in there is nothing to wait for.
    if exit != Exit::Ok {
        return Ok(exit);
    }
    let limit = Duration::from_secs(args.waf_wait.into());
    let say = |sentence: String| printer.note(|| sentence);
    let mut checks: Vec<Check> = Vec::new();
    // One after the other: the metrics of all come meanwhile.
    for (region, before) in regions.iter().zip(before) {
        checks.push(match before {
            Ok(before) => waf::prove(&aws, &environment, region, before, limit, &say).await,
            Err(error) => waf::unreadable(region, &error),
        });
    }
    for check in &checks {
        printer.emit("check/1", check, || report::login::check(check));
    }
    let untold = checks.iter().any(|check| check.status == Status::Failed);
    Ok(if untold { Exit::Failed } else { exit })
}
