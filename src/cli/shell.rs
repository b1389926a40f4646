//! `sftpctl completions` and `sftpctl man`.

use clap::Args;
use clap_complete::Shell;

use crate::exit::{CliError, Exit};
use crate::report::output;

/// Which shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  sftpctl completions bash > /etc/bash_completion.d/sftpctl")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script.
pub(super) fn completions(args: &CompletionsArgs, command: &mut clap::Command) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "sftpctl", &mut script);
    output::data(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Ok)
}

/// Prints the page.
pub(super) fn man(command: clap::Command) -> Result<Exit, CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| CliError::from_error(Exit::Usage, &error, None))?;
    output::data(String::from_utf8_lossy(&page).trim_end());
    Ok(Exit::Ok)
}
