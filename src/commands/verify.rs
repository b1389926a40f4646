//! `sftpctl verify`: logs a canary in at every server.

use std::sync::Arc;
use std::time::Duration;

use super::args::AwsArgs;
use super::permissions::Permissions;
use super::{login_checks, notify};
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::{self, Printer};
use sftpctl_aws::Aws;
use sftpctl_core::check::{Check, Status};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_engine::verify::{LoginCheck, Sender, waf};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl verify --env 99\n  sftpctl verify --env 99 --region us-west-2\n  \
    sftpctl verify --env 99 --put-metric\n\n\
    A canary account is created, logs in at every server, and is deleted. The exit code is 1 if a server refuses it. With \
    `waf` in the environment file, the metrics of AWS WAF then have to show that it sees customers' addresses; the exit \
    code is 1 if it does not.\n\n\
    On a schedule, --put-metric feeds the alarms of `alarms.no_canary_in_minutes` (docs/monitoring.md).")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Check only the server in this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
    /// Put 1 or 0 for each region into the metric of the alarm `no-canary`
    #[arg(long)]
    put_metric: bool,
    /// How long to wait for the metrics of AWS WAF
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    waf_wait: u32,
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let told = notify::Told::new("verify");
    let result = verify(&args, &told, printer).await;
    told.end(&args.aws, result, printer).await
}

async fn verify(args: &Args, told: &notify::Told, printer: Printer) -> Result<Exit, CliError> {
    let permissions = if args.put_metric { Permissions::ReportsCanaries } else { Permissions::ChecksLogins };
    let (environment, aws) = args.aws.connect(permissions, printer).await?;
    let regions = login_checks::regions(&environment, &args.regions)?;
    let mut counted = Vec::new();
    if environment.waf.is_some() {
        for region in &regions {
            counted.push((region, waf::before(&aws, &environment, region).await));
        }
    }
    let checks = login_checks::canary(&aws, &environment, &regions, &Sender::Verify).await?;
    told.learn_logins(&checks);
    let exit = login_checks::show(&checks, printer);
    if args.put_metric {
        put_metric(&aws, &environment, &checks).await?;
    }
    // Without a log-in there is nothing to wait for.
    if exit != Exit::Ok {
        return Ok(exit);
    }
    let limit = Duration::from_secs(args.waf_wait.into());
    let say = |sentence: String| printer.note(|| sentence);
    let mut checks: Vec<Check> = Vec::new();
    // One after the other: the metrics of all come meanwhile.
    for (region, before) in counted {
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

/// Reports each check to its region's CloudWatch. All are tried: one region that is down must not raise the others' alarms.
async fn put_metric(aws: &Arc<Aws>, environment: &Environment, checks: &[LoginCheck]) -> Result<(), CliError> {
    let mut failed = None;
    for check in checks {
        let namespace = names::metric_namespace(environment, &check.region);
        let value = if check.admitted { 1.0 } else { 0.0 };
        if let Err(error) = aws.cloudwatch(&check.region).put_value(&namespace, names::CANARY_METRIC, value).await {
            failed = Some(error);
        }
    }
    match failed {
        None => Ok(()),
        Some(error) => {
            let hint = "without it the alarm `no-canary` is raised; `sftpctl policy canary` prints what it needs";
            Err(CliError::from_error(Exit::Failed, &error, error.hint().or_else(|| Some(hint.to_owned()))))
        }
    }
}
