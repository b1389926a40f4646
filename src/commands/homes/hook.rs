//! Commands of the user that freeze a home, or undo that.

use std::process::Stdio;

use sftpctl_files::said::Said;

use super::selection::Chosen;
use crate::report::streams;

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

    /// Runs it; the error says how it ended. What it prints goes to stderr, since stdout is for results, and cannot
    /// command the terminal.
    pub(super) async fn run(&self) -> Result<(), String> {
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", self.command]).stdin(Stdio::null());
        command.env("SFTPCTL_HOME", &self.home.path).env("SFTPCTL_ORGID", self.home.org_id.to_string());
        let cannot = |error| format!("cannot run /bin/sh: {error}");
        let show = |line: &str| streams::progress(line);
        let mut said = Said::of(&mut command).map_err(cannot)?;
        let mut child = command.spawn().map_err(cannot)?;
        drop(command);
        let ended = said.until_end_of(&mut child, &show).await.map_err(cannot)?;
        said.finish(&show);
        if ended.success() { Ok(()) } else { Err(format!("`{}` ended with {ended}", self.command)) }
    }
}
