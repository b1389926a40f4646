//! Finds and runs `sftpctl-local`, the local cloud: a program of its own, so that what gets production credentials carries
//! neither an SSH server nor an emulator. It is looked for as git looks for its commands: beside this program, then on
//! the `PATH`.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::exit::{CliError, Exit};

/// The program.
const PROGRAM: &str = "sftpctl-local";

/// What `sftpctl-local status` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    /// Where AWS calls go, while it runs.
    pub(crate) endpoint: Option<String>,
    /// The Transfer servers of every account and region.
    pub(crate) servers: Vec<Server>,
}

/// One Transfer server of the local cloud.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Server {
    /// `s-…`
    pub(crate) server_id: String,
    /// The port on 127.0.0.1 for SFTP clients, once the server has an endpoint.
    pub(crate) port: Option<u16>,
}

/// What `sftpctl-local --output json` says when it fails.
#[derive(Debug, Deserialize)]
struct Failure {
    error: String,
    causes: Vec<String>,
    hint: Option<String>,
}

/// Starts the local cloud where it is not running, and makes sure that `account` has the public hosted zone `zone`, which is
/// there on AWS before any deployment.
///
/// # Errors
/// The program is missing, or the local cloud does not start.
pub(crate) async fn start(account: &str, zone: Option<&str>) -> Result<Status, CliError> {
    let zone = zone.map(|zone| ["--account", account, "--zone", zone]);
    ask(&["start"], zone.as_ref().map_or(&[], |arguments| arguments.as_slice())).await
}

/// What runs.
///
/// # Errors
/// The program is missing, or the local cloud's own files cannot be read.
pub(crate) async fn status() -> Result<Status, CliError> {
    ask(&["status"], &[]).await
}

/// Becomes `sftpctl-local` with these arguments. Comes back only where that fails.
///
/// # Errors
/// The program is missing, or cannot be run.
pub(crate) fn become_it(arguments: &[OsString]) -> CliError {
    let mut command = command();
    command.args(arguments);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        not_run(&command.exec())
    }
    #[cfg(not(unix))]
    {
        CliError::new(Exit::Usage, "the local cloud runs on Linux and macOS only")
    }
}

/// Runs it with these arguments and reads its answer. What it says of its progress goes to standard error as it comes.
async fn ask(verb: &[&str], more: &[&str]) -> Result<Status, CliError> {
    let mut command = tokio::process::Command::from(command());
    command.args(verb).args(["--output", "json"]).args(more).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output().await.map_err(|error| not_run(&error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let unreadable = || CliError::new(Exit::Usage, format!("{PROGRAM} gave an answer that cannot be read: {text}"));
    if output.status.success() {
        return serde_json::from_str(&text).map_err(|_| unreadable());
    }
    let failure: Failure = serde_json::from_str(&text).map_err(|_| unreadable())?;
    Err(CliError { exit: Exit::Usage, message: failure.error, causes: failure.causes, hint: failure.hint })
}

fn command() -> Command {
    Command::new(beside().unwrap_or_else(|| PathBuf::from(PROGRAM)))
}

/// The program beside this one.
fn beside() -> Option<PathBuf> {
    let here = std::env::current_exe().ok()?;
    let path = here.parent().map(Path::to_owned)?.join(PROGRAM).with_extension(std::env::consts::EXE_EXTENSION);
    path.is_file().then_some(path)
}

fn not_run(error: &std::io::Error) -> CliError {
    let error = match error.kind() {
        std::io::ErrorKind::NotFound => {
            CliError::new(Exit::Usage, format!("the local cloud needs the program {PROGRAM}, which was not found"))
        }
        _ => CliError::new(Exit::Usage, format!("cannot run {PROGRAM}: {error}")),
    };
    error.hint(
        "install it beside sftpctl or on the PATH; in a checkout: cargo build --bins, or with --release as sftpctl was",
    )
}

/// The arguments of `sftpctl local`, with what was said before `local`.
pub(crate) fn arguments(output: &OsStr, color: &OsStr, verbose: u8, rest: &[OsString]) -> Vec<OsString> {
    let mut all: Vec<OsString> = vec!["--output".into(), output.into(), "--color".into(), color.into()];
    all.extend((0..verbose).map(|_| OsString::from("--verbose")));
    all.extend(rest.iter().cloned());
    all
}
