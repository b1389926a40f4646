//! `sftpctl local completions` and `sftpctl local man`.

use std::io::Write as _;
use std::path::Path;

use clap_complete::Shell;
use sftpctl_local_cloud::LocalError;

use super::commands;
use super::output::progress;

/// Prints a completion script.
pub(super) fn completions(shell: Shell) {
    let mut command = commands::command();
    clap_complete::generate(shell, &mut command, "sftpctl-local", &mut std::io::stdout());
}

/// Prints the manual page, or writes a page for each command into a folder, which is created.
pub(super) fn man(into: Option<&Path>) -> Result<(), LocalError> {
    let command = commands::command().bin_name("sftpctl-local");
    let Some(folder) = into else {
        let page = sftpctl_manual::page(&command).map_err(LocalError::file("rendering", "the manual page"))?;
        return std::io::stdout().write_all(page.as_bytes()).map_err(LocalError::file("writing", "the manual page"));
    };
    let count =
        sftpctl_manual::write_all(command, folder).map_err(LocalError::file("writing manual pages into", folder))?;
    progress(format!("{count} manual pages written into {}", folder.display()));
    Ok(())
}
