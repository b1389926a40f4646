//! Commands of the user that freeze a home, or undo that.

use std::process::Stdio;

use super::selection::Chosen;

/// A shell command about a home.
pub(super) struct Hook<'a> {
    command: &'a str,
    home: &'a Chosen,
}

impl<'a> Hook<'a> {
    /// The command, if there is one.
    pub(super) fn of(command: Option<&'a str>, home: &'a Chosen) -> Option<Self> {
        command.map(|command| Self { command, home })
    }

    /// Runs it; the error says how it ended. What it writes goes to stderr, since stdout is for results.
    pub(super) async fn run(&self) -> Result<(), String> {
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", self.command]).stdin(Stdio::null()).stdout(std::io::stderr());
        command.env("SFTPCTL_HOME", &self.home.path).env("SFTPCTL_ORGID", self.home.org_id.to_string());
        match command.status().await {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{}` ended with {status}", self.command)),
            Err(error) => Err(format!("cannot run /bin/sh: {error}")),
        }
    }
}
