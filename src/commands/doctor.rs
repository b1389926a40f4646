//! `sftpctl doctor`: everything that can be known before the first change.

use super::args::EnvArgs;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::doctor::render;
use crate::report::hints;
use sftpctl_engine::doctor::{examine, examine_offline};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl doctor --env 99\n  \
    sftpctl doctor --env 99 --all\n  \
    sftpctl doctor --env 99 --as arn:aws:iam::111111111111:role/deployer --output json\n  \
    sftpctl doctor --env 99 --offline\n\n\
    Nothing is changed. The exit code is 1 if a finding stops a deployment; warnings and unknown answers do not. \
    `doctor: { ignore: [{ check: D012-lambda-concurrency, reason: … }] }` in the environment file ignores a finding. \
    docs/doctor.md describes every check.")]
pub(super) struct Args {
    #[command(flatten)]
    env: EnvArgs,
    /// Check the permissions of this role instead of the caller's
    #[arg(long = "as", value_name = "ROLE_ARN", value_parser = principal)]
    role: Option<String>,
    /// Check only what needs no AWS
    #[arg(long, conflicts_with = "role")]
    offline: bool,
    /// Also show the checks that passed, were skipped or ignored, or got no answer
    #[arg(long, visible_alias = "details")]
    all: bool,
}

/// The ARN of a role or user, which the policy simulator takes.
fn principal(text: &str) -> Result<String, String> {
    let resource = text.strip_prefix("arn:").and_then(|rest| rest.splitn(5, ':').nth(4)).unwrap_or_default();
    match resource.starts_with("role/") || resource.starts_with("user/") {
        true => Ok(text.to_owned()),
        false => Err("expected the ARN of a role: arn:aws:iam::111111111111:role/deployer".to_owned()),
    }
}

pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let (aws, mut options) = args.env.for_doctor(args.offline, printer).await?;
    options.role = args.role;
    let report = match aws {
        Some(aws) => examine(&aws, options).await,
        None => examine_offline(options).await,
    };
    printer.emit("doctor/1", &report, || hints::completed_lines(&render(&report, args.all)));
    Ok(if report.is_fit() { Exit::Ok } else { Exit::Failed })
}

#[cfg(test)]
mod tests {
    use super::principal;

    #[test]
    fn only_roles_and_users_have_policies() {
        for (text, expected) in [
            ("arn:aws:iam::111111111111:role/a/b", true),
            ("arn:aws:iam::111111111111:user/u", true),
            ("arn:aws:sts::111111111111:assumed-role/a/s", false),
            ("deployer", false),
        ] {
            assert_eq!(principal(text).is_ok(), expected, "{text}");
        }
    }
}
