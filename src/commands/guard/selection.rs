//! Arguments that the commands on the guard share.

use std::sync::Arc;

use crate::commands::args::AwsArgs;
use crate::commands::logs;
use crate::commands::permissions::Permissions;
use crate::commands::times;
use crate::error::{CliError, Reason};
use crate::exit::Exit;
use crate::report::Printer;
use crate::report::format::time;
use crate::report::guard::DecidedView;
use sftp_authorizer::guard::IpNet;
use sftp_authorizer::guard::by_hand::{Entry, MOST, Verb};
use sftpctl_accounts::guard::{self, GuardError, Guards};
use sftpctl_core::spec::model::Environment;

/// The longest time that an operator's decision holds, in seconds: a year.
const LONGEST: i64 = 366 * 24 * 3600;

#[derive(Debug, clap::Args)]
pub(super) struct Selection {
    #[command(flatten)]
    aws: AwsArgs,
    /// Only in this region (repeatable)
    #[arg(long = "region", value_name = "REGION")]
    regions: Vec<String>,
}

/// The guards of the chosen regions.
pub(super) struct Open {
    pub(super) environment: Environment,
    pub(super) guards: Guards,
    pub(super) regions: Vec<String>,
    pub(super) now: i64,
}

impl Selection {
    pub(super) async fn open(&self, printer: Printer) -> Result<Open, CliError> {
        let environment = self.aws.load(None, printer)?;
        if environment.guard.is_none() {
            let message = format!("environment {} has no guard", environment.name);
            return Err(CliError::new(Exit::Usage, message).reason(Reason::NoGuard).hint(format!(
                "set `guard: {{}}` in the environment file, and run `sftpctl deploy {}`",
                self.aws.words()
            )));
        }
        let regions = logs::regions(&environment, &self.regions)?;
        let (environment, aws) = self.aws.connect(Permissions::Guards, printer).await?;
        let guards = Guards::new(Arc::clone(&aws), &environment);
        Ok(Open { environment, guards, regions, now: jiff::Timestamp::now().as_second() })
    }
}

impl Open {
    /// Does something in every region. A region that fails does not keep the others from it.
    pub(super) async fn each(
        &self,
        printer: Printer,
        mut work: impl AsyncFnMut(&str) -> Result<(), GuardError>,
    ) -> Result<(), CliError> {
        let (mut is_partly_done, mut failed) = (false, None);
        for region in &self.regions {
            match work(region).await {
                Ok(()) => is_partly_done = true,
                Err(error) => {
                    let error = explain(region, &error);
                    if failed.is_some() {
                        printer.error(&error);
                    } else {
                        failed = Some(error);
                    }
                }
            }
        }
        match failed {
            None => Ok(()),
            Some(mut error) => {
                error.exit = if is_partly_done { Exit::Partly } else { error.exit };
                Err(error)
            }
        }
    }
}

/// An error in a region.
fn explain(region: &str, error: &GuardError) -> CliError {
    let (exit, hint) = match error {
        GuardError::Aws(error) if error.code.as_deref().is_some_and(|code| code.starts_with("ResourceNotFound")) => {
            (Exit::Failed, Some("deploy the environment first, which creates the guard's table".to_owned()))
        }
        GuardError::Aws(error) => (Exit::Failed, error.hint()),
        GuardError::TooMany(_) => {
            (Exit::Refused, Some(format!("{MOST} are possible: ban wider ranges, or end some bans")))
        }
        GuardError::Overtaken => (Exit::Failed, Some("rerun the same command".to_owned())),
    };
    let mut error = CliError::from_error(exit, error, hint);
    error.message = format!("{} in {region}", error.message);
    error
}

/// A range for a time, in the chosen regions.
#[derive(Debug, clap::Args)]
pub(super) struct Decision {
    /// An address, or a range such as 203.0.113.0/24
    #[arg(value_name = "RANGE", value_parser = range)]
    pub(super) range: IpNet,
    /// How long, as 30m, 24h or 7d
    #[arg(long = "for", value_name = "TIME", value_parser = seconds, default_value = "24h")]
    seconds: i64,
    #[command(flatten)]
    selection: Selection,
}

impl Decision {
    /// Writes it in every region. A region that fails does not keep the others from it.
    pub(super) async fn write(&self, verb: Verb, printer: Printer) -> Result<Exit, CliError> {
        let open = self.selection.open(printer).await?;
        let until = open.now + self.seconds;
        let entry = Entry { verb, range: self.range, until };
        let written = open
            .each(printer, async |region| {
                open.guards.set(region, entry, open.now).await?;
                let view = DecidedView::new(region, &entry);
                printer.emit("guard-decision/1", &view, || view.line());
                Ok(())
            })
            .await;
        if verb == Verb::Ban {
            remark_on_allow_list(&open, self.range, until, printer);
        }
        written.map(|()| Exit::Ok)
    }
}

/// A ban does nothing to what the environment file allows.
fn remark_on_allow_list(open: &Open, range: IpNet, until: i64, printer: Printer) {
    let allowed = open.environment.guard.iter().flat_map(|guard| &guard.allow);
    for text in
        allowed.filter(|text| text.parse::<IpNet>().is_ok_and(|own| own.contains(&range) || range.contains(&own)))
    {
        printer.note(|| {
            format!(
                "warning: `guard.allow` of the environment file has {text}, which is not banned until {}",
                time(until)
            )
        });
    }
}

pub(super) fn range(text: &str) -> Result<IpNet, String> {
    guard::range(text).map_err(|error| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

/// A time as `30m`, `24h` or `7d`.
fn seconds(text: &str) -> Result<i64, String> {
    let seconds = times::span(text).filter(|seconds| (1..=LONGEST).contains(seconds));
    seconds.ok_or_else(|| "expected a time such as 30m, 24h or 7d, at most 366d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_an_end() {
        for (text, expected) in [
            ("30m", Some(1800)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("366d", Some(LONGEST)),
            ("367d", None),
            ("0m", None),
            ("-1h", None),
            ("24", None),
            ("h", None),
            ("", None),
            ("99999999999999999d", None),
        ] {
            assert_eq!(seconds(text).ok(), expected, "{text}");
        }
    }
}
