//! `sftpctl local completions` and `sftpctl local man`.

use clap_complete::Shell;
use sftpctl_local_cloud::LocalError;

use super::commands;

/// Prints a completion script.
pub(super) fn completions(shell: Shell) {
    let mut command = commands::command();
    clap_complete::generate(shell, &mut command, "sftpctl-local", &mut std::io::stdout());
}

/// Prints the manual page.
pub(super) fn man() -> Result<(), LocalError> {
    clap_mangen::Man::new(commands::command().bin_name("sftpctl-local"))
        .render(&mut std::io::stdout())
        .map_err(LocalError::file("writing", "the manual page"))
}
