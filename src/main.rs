//! Parses the command line, runs it, and ends with its exit code.

use std::io::Write as _;

use sftpctl::commands::{self, Cli};
use sftpctl::exit::{self, Exit};
use sftpctl_core::{search_path, shown};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

#[tokio::main]
async fn main() {
    if let Err(error) = leave_current_folder() {
        let _ = writeln!(std::io::stderr(), "error: cannot leave the current folder out of the PATH: {error}");
        exit::leave(Exit::Usage)
    }
    answer_ssh();
    let cli = commands::parse(std::env::args_os().collect());
    log_to_stderr(&cli);
    let exit = commands::run(cli).await;
    // Dropping the runtime would wait for the thread that reads the answer to an abandoned prompt.
    exit::leave(exit)
}

/// `ssh` runs this program to learn a password (`sftpctl bench`).
#[cfg(target_os = "linux")]
fn answer_ssh() {
    use std::os::unix::ffi::OsStrExt as _;
    if let Some(password) = std::env::var_os(sftpctl_files::homes::sftp::ssh::PASSWORD) {
        let _ = std::io::stdout().write_all(&[password.as_bytes(), b"\n"].concat());
        exit::leave(Exit::Ok)
    }
}

#[cfg(not(target_os = "linux"))]
fn answer_ssh() {}

/// Starts this program again if the `PATH` has parts that mean the current folder, for it and all programs that it runs.
/// Returns only if it has none, or with an error.
#[cfg(unix)]
fn leave_current_folder() -> std::io::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let path = std::env::var_os("PATH").and_then(|path| search_path::without_current_folder(&path));
    let Some(path) = path else { return Ok(()) };
    let mut arguments = std::env::args_os();
    let mut command = std::process::Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    Err(command.args(arguments).env("PATH", path).exec())
}

#[cfg(not(unix))]
fn leave_current_folder() -> std::io::Result<()> {
    Ok(())
}

/// At the level `trace` the SDK logs answers as they are, and those of DynamoDB contain stored passwords.
fn without_secrets() -> FilterFn {
    FilterFn::new(|event| !event.target().starts_with("aws_") || *event.level() <= LevelFilter::DEBUG)
}

fn log_to_stderr(cli: &Cli) {
    let level = match cli.verbose {
        // The SDK reports every provider of credentials that fails, and connections that it will not use again, in a form for
        // programmers; the error of the call is shown anyway.
        0 => "warn,aws_config=error,aws_smithy_runtime=off",
        1 => {
            "warn,aws_smithy_runtime=off,sftpctl=info,sftpctl_engine=info,sftpctl_aws=info,sftpctl_accounts=info,sftpctl_files=info"
        }
        _ => "info,sftpctl=debug,sftpctl_engine=debug,sftpctl_aws=debug,sftpctl_accounts=debug,sftpctl_files=debug",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| level.into());
    let fields = debug_fn(|out, field, value| shown::log_field(out, field.name(), value)).delimited(" ");
    let log =
        tracing_subscriber::fmt::layer().fmt_fields(fields).with_writer(std::io::stderr).with_ansi(cli.color.is_on());
    tracing_subscriber::registry().with(log.with_filter(filter).with_filter(without_secrets())).init();
}
