//! `sftpctl users harden`.

use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::time::Duration;

use crate::commands::args::{AwsArgs, Yes, stop_now};
use crate::commands::permissions::Permissions;
use crate::commands::prompt::confirm;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::harden::{HardenView, estimate, found, written};
use crate::report::import::progress::Shown;
use crate::report::{Printer, streams};
use sftp_authorizer::password::Cost;
use sftpctl_accounts::Accounts;
use sftpctl_accounts::harden::part::Part;
use sftpctl_accounts::harden::run::{self, RunError, Written};
use sftpctl_accounts::harden::survey::{self, Survey, SurveyError};
use sftpctl_accounts::harden::{Options, estimate as time};
use sftpctl_core::text::counted;
use sftpctl_engine::execute::stop::Stop;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    sftpctl users harden --env 99 --dry-run\n  \
    sftpctl users harden --env 99 --yes\n  \
    sftpctl users harden --env 99 --yes --part 1/3 --cores 8\n  \
    sftpctl users harden --env 99 --memory-kib 32768 --passes 3\n\n\
    Each password that came from another server is stored as Argon2id over its old hash; no password is needed for it, \
    and customers log in throughout. yescrypt, strong bcrypt and PBKDF2, and what costs as much already, stay as they \
    are.\n\n\
    An old server cannot use a hardened password: before the first run, keep an export (`sftpctl users export \
    --with-hashes`) as long as you may go back to it.\n\n\
    A run that was killed or interrupted needs nothing but the same command. There is no lock: an account that gets \
    another password meanwhile keeps that.")]
pub(super) struct Args {
    #[command(flatten)]
    aws: AwsArgs,
    /// Hashes at once [default: the processors of this machine]
    #[arg(long, value_name = "N", value_parser = cores)]
    cores: Option<NonZeroUsize>,
    /// Only this share of the accounts: each of N machines takes another K of 1 to N
    #[arg(long, value_name = "K/N", default_value_t = Part::ALL, hide_default_value = true)]
    part: Part,
    /// Memory of Argon2id, up to 65536 KiB
    #[arg(long, value_name = "KIB", default_value_t = Cost::DEFAULT.memory_kib())]
    memory_kib: u32,
    /// Passes of Argon2id over its memory, up to 10
    #[arg(long, value_name = "N", default_value_t = Cost::DEFAULT.passes())]
    passes: u32,
    /// Begin at most so many writes in a second
    #[arg(long, value_name = "N")]
    max_writes_per_second: Option<NonZeroU32>,
    /// Count the passwords and estimate the time, and write nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    yes: Yes,
}

fn cores(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number of at least 1".to_owned())
}

/// Hardens the passwords of a share of the accounts, without a lock.
pub(super) async fn run(args: Args, printer: Printer) -> Result<Exit, CliError> {
    let cost = Cost::new(args.memory_kib, args.passes).map_err(|error| {
        CliError::from_error(Exit::Usage, &error, Some("change --memory-kib or --passes".to_owned()))
    })?;
    let here = || std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let cores = args.cores.unwrap_or_else(here);
    let options = Options { cost, cores, part: args.part, writes_per_second: args.max_writes_per_second };
    let (environment, aws) = args.aws.connect(Permissions::ManagesUsers, printer).await?;
    let accounts = Arc::new(Accounts::new(Arc::clone(&aws), &environment));
    let stop = Stop::on_signals(|| streams::progress("stopping; the writes in flight are finished"), stop_now);

    let shown = Shown::new(printer.format(), stop.clone());
    let survey = survey::survey(&accounts, &options, &shown).await;
    shown.finish();
    let survey = survey.map_err(unread)?;
    printer.text(|| found(&options, &survey));
    let (one, all) = estimated(&survey, &options).await?;
    let show = |written: Option<&Written>| {
        let view = HardenView::new(&environment.name, &options, &survey, all, (args.dry_run, written));
        printer.json("harden/1", &view);
    };
    let count = survey.to_harden();
    if count == 0 {
        show(None);
        printer.text(|| "nothing to harden");
        return Ok(Exit::Ok);
    }
    let takes = estimate(all, one, &options);
    printer.text(|| format!("hardening takes {takes}"));
    if args.dry_run {
        show(None);
        printer.text(|| "nothing was written (--dry-run)");
        return Ok(Exit::Ok);
    }
    if !args.yes.yes {
        let (passwords, name) = (counted(count, "password"), &environment.name);
        confirm(&format!("Harden {passwords} of environment {name}, which takes {takes}? [y/N]")).await?;
    }
    let shown = Shown::new(printer.format(), stop);
    let result = run::run(&accounts, &options, count, &shown).await;
    shown.finish();
    let result = result.map_err(ended_early)?;
    show(Some(&result));
    printer.text(|| written(&result));
    Ok(exit(&result))
}

/// The time of one hash, and of all. Nothing is measured if there is nothing to do.
async fn estimated(survey: &Survey, options: &Options) -> Result<(Duration, Duration), CliError> {
    let (count, cost) = (survey.to_harden(), options.cost);
    if count == 0 {
        return Ok((Duration::ZERO, Duration::ZERO));
    }
    let failed = |error: &dyn std::error::Error| CliError::new(Exit::Failed, error.to_string());
    let one = tokio::task::spawn_blocking(move || time::of_one(cost)).await.map_err(|error| failed(&error))?;
    let one = one.map_err(|error| failed(&error))?;
    Ok((one, time::of_all(count, one, options)))
}

fn unread(error: SurveyError) -> CliError {
    match error {
        SurveyError::Aws(error) => error.into(),
        SurveyError::Interrupted => CliError::new(Exit::Interrupted, error.to_string()),
    }
}

/// The table could not be read to its end; what was hardened is in it.
fn ended_early(error: RunError) -> CliError {
    match error {
        RunError::Aws(error) => error.into(),
        RunError::Task(_) => CliError::from_error(Exit::Partly, &error, Some("rerun the same command".to_owned())),
    }
}

/// The exit code of the writes.
fn exit(result: &Written) -> Exit {
    match result {
        Written { interrupted: true, .. } => Exit::Interrupted,
        Written { hardened: 0, failed, .. } if !failed.is_empty() => Exit::Failed,
        Written { failed, .. } if !failed.is_empty() => Exit::Partly,
        _ => Exit::Ok,
    }
}

#[cfg(test)]
mod tests {
    use sftpctl_accounts::bulk::unwritten::Unwritten;

    use super::*;

    #[test]
    fn exit_code_says_whether_a_rerun_is_needed() {
        let failed = || vec![Unwritten { username: String::new(), org_id: String::new(), why: String::new() }];
        for (result, code) in [
            (Written { hardened: 5, overtaken: 3, ..Written::default() }, Exit::Ok),
            (Written { hardened: 5, failed: failed(), ..Written::default() }, Exit::Partly),
            (Written { failed: failed(), ..Written::default() }, Exit::Failed),
            (Written { interrupted: true, failed: failed(), ..Written::default() }, Exit::Interrupted),
        ] {
            assert_eq!(exit(&result), code, "{result:?}");
        }
    }
}
