//! Runs `sftpctl-local`, the local cloud: a separate program, so that the one with production credentials contains neither
//! an SSH server nor an emulator.

use std::ffi::OsString;
use std::process::{Output, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sftpctl_aws::SessionCredentials;
use tokio::io::AsyncWriteExt as _;

use crate::companion::Companion;
use crate::error::CliError;
use crate::exit::Exit;

const PROGRAM: &str = "sftpctl-local";
const COMPANION: Companion = Companion { name: PROGRAM, what: "the program of the local cloud" };

/// The output of `sftpctl-local status`.
#[derive(Debug, Deserialize)]
pub(crate) struct Status {
    /// The endpoint for AWS calls, if the local cloud is running.
    pub(crate) endpoint: Option<String>,
    /// The Transfer servers of every account and region.
    pub(crate) servers: Vec<Server>,
    /// Keys with the permissions that [`start`] asked for.
    pub(crate) keys: Option<SessionCredentials>,
}

/// What the local cloud is to let a command do.
#[derive(Debug, Serialize)]
pub(crate) struct Grant<'a> {
    pub(crate) account: &'a str,
    /// What the policies are for: those of an earlier environment file with the same purpose stay attached.
    pub(crate) purpose: String,
    /// IAM's policy documents; `None` for everything.
    pub(crate) policies: Option<Vec<Value>>,
}

/// One Transfer server of the local cloud.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Server {
    pub(crate) server_id: String,
    /// The port on 127.0.0.1 for SFTP clients, once the server has an endpoint.
    pub(crate) port: Option<u16>,
}

/// The output of `sftpctl-local --output json` when it fails.
#[derive(Debug, Deserialize)]
struct Failure {
    error: String,
    causes: Vec<String>,
    hint: Option<String>,
}

/// Starts the local cloud if it is not running, and ensures that `account` has the public hosted zone `zone`, which on
/// AWS exists before any deployment. The status has keys with the permissions of `grant`.
///
/// # Errors
/// The program is missing, or the local cloud does not start.
pub(crate) async fn start(grant: &Grant<'_>, zone: Option<&str>) -> Result<Status, CliError> {
    let zone = zone.map(|zone| ["--account", grant.account, "--zone", zone]);
    let zone = zone.as_ref().map_or(&[][..], |arguments| arguments.as_slice());
    output_of(&["start"], &[zone, &["--grant"]].concat(), &json!(grant).to_string()).await
}

/// The endpoint and the servers of the local cloud.
///
/// # Errors
/// The program is missing, or the local cloud's own files cannot be read.
pub(crate) async fn status() -> Result<Status, CliError> {
    output_of(&["status"], &[], "").await
}

/// Replaces this process with `sftpctl-local`, so that its exit code is this process's. Returns only if that fails.
pub(crate) fn exec(arguments: &[OsString]) -> CliError {
    COMPANION.exec(arguments)
}

/// Runs `sftpctl-local` with `input` on its standard input, and parses its output. Its progress is passed on to stderr.
async fn output_of(verb: &[&str], more: &[&str], input: &str) -> Result<Status, CliError> {
    let path = COMPANION.path();
    let mut command = tokio::process::Command::new(&path);
    command.args(verb).args(["--output", "json"]).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().map_err(|error| COMPANION.cannot_run(&path, &error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that has failed does not read it; its output says why.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(|error| COMPANION.cannot_run(&path, &error))?;
    parse(&output)
}

fn parse(output: &Output) -> Result<Status, CliError> {
    let text = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return serde_json::from_str(&text).map_err(|error| unreadable(output, &text, &error));
    }
    // A killed process has printed no JSON.
    let failure: Failure = serde_json::from_str(&text).map_err(|error| unreadable(output, &text, &error))?;
    // The end of a log is a line each.
    let mut lines = failure.error.lines().map(str::to_owned);
    let error = CliError::new(Exit::Usage, lines.next().unwrap_or_default());
    Err(CliError { causes: lines.chain(failure.causes).collect(), hint: failure.hint, ..error })
}

fn unreadable(output: &Output, text: &str, error: &serde_json::Error) -> CliError {
    let mut shown = CliError::new(Exit::Usage, format!("{PROGRAM} did not answer as expected ({})", output.status));
    shown.causes.push(error.to_string());
    shown.causes.extend((!text.trim().is_empty()).then(|| text.trim().to_owned()));
    shown.hint(format!("check that {PROGRAM} has the version of sftpctl, {}", env!("CARGO_PKG_VERSION")))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::*;

    fn parsed(status: i32, stdout: &str) -> Result<Status, CliError> {
        parse(&Output { status: ExitStatus::from_raw(status), stdout: stdout.into(), stderr: Vec::new() })
    }

    #[test]
    fn status_is_parsed() {
        let status = parsed(0, r#"{"schema":"sftpctl/local/1","endpoint":"http://x","servers":[]}"#).unwrap();
        assert_eq!((status.endpoint.as_deref(), status.servers.len()), (Some("http://x"), 0));
    }

    #[test]
    fn failure_becomes_the_error_of_this_command() {
        let error =
            parsed(2 << 8, r#"{"error":"no Python:\nend of log","causes":["a"],"hint":"install it"}"#).unwrap_err();
        assert_eq!((error.message.as_str(), error.hint.as_deref()), ("no Python:", Some("install it")));
        assert_eq!((error.exit, error.causes), (Exit::Usage, vec!["end of log".to_owned(), "a".to_owned()]));
    }

    #[test]
    fn a_killed_program_is_reported_as_killed() {
        let error = parsed(9, "").unwrap_err();
        assert!(error.message.contains("signal: 9"), "{}", error.message);
    }
}
