//! `sftpctl man`: manual pages.

use std::path::PathBuf;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::streams;
use sftpctl_core::shown::Text;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  sftpctl man | man -l -\n  sftpctl man --dir ~/.local/share/man/man1")]
pub(super) struct Args {
    /// Write a page for each command into this folder instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the page, or writes all of them.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let command = super::command();
    let Some(dir) = &args.dir else {
        let page = sftpctl_manual::page(&command)
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot render the manual page: {error}")))?;
        streams::data(Text::verbatim(page.trim_end()));
        return Ok(Exit::Ok);
    };
    let count = sftpctl_manual::write_all(command, dir).map_err(|error| {
        CliError::new(Exit::Usage, format!("cannot write manual pages into {}: {error}", dir.display()))
    })?;
    streams::progress(format!("{count} manual pages written into {}", dir.display()));
    Ok(Exit::Ok)
}
