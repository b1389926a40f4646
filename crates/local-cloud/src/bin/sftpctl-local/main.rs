//! `sftpctl-local`, the local cloud. `sftpctl local …` runs this program, which it finds beside itself or on the
//! `PATH`.

mod commands;
mod faults;
mod manners;
mod output;
mod shell;

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;

use clap::FromArgMatches as _;
use sftpctl_core::{search_path, shown};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use self::commands::LocalArgs;

/// Exit code for usage and configuration errors and for a local cloud that does not start, as in `sftpctl`.
const FAILED: u8 = 2;

/// Starts this program again if the `PATH` has parts that mean the current folder, for it and all programs that it runs.
/// Returns only if it has none, or with an error.
fn leave_current_folder() -> std::io::Result<()> {
    let path = std::env::var_os("PATH").and_then(|path| search_path::without_current_folder(&path));
    let Some(path) = path else { return Ok(()) };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    Err(command.args(arguments).env("PATH", path).exec())
}

#[tokio::main]
async fn main() -> ExitCode {
    if let Err(error) = leave_current_folder() {
        let _ = writeln!(std::io::stderr(), "error: cannot leave the current folder out of the PATH: {error}");
        return ExitCode::from(FAILED);
    }
    sftpctl_local_cloud::close_to_others();
    let matches = commands::command().try_get_matches();
    let args = match matches.and_then(|matches| LocalArgs::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            output::usage_error(&error);
            return ExitCode::from(FAILED);
        }
        Err(error) => error.exit(),
    };
    let level = match args.verbose {
        0 => "warn",
        1 => "warn,sftpctl_local_cloud=info,sftpctl_aws=info",
        _ => "info,sftpctl_local_cloud=debug,sftpctl_aws=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let fields = debug_fn(|out, field, value| shown::log_field(out, field.name(), value)).delimited(" ");
    // At the level `trace` the SDK logs answers as they are, with secrets.
    let without_secrets =
        FilterFn::new(|event| !event.target().starts_with("aws_") || *event.level() <= LevelFilter::DEBUG);
    let log =
        tracing_subscriber::fmt::layer().fmt_fields(fields).with_writer(std::io::stderr).with_ansi(args.color.wanted());
    tracing_subscriber::registry().with(log.with_filter(filter).with_filter(without_secrets)).init();
    match args.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error, args.output, FAILED);
            ExitCode::from(FAILED)
        }
    }
}
