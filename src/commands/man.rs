//! `sftpctl man`: manual pages.

use std::path::{Path, PathBuf};

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
    let mut command = super::command();
    let Some(dir) = &args.dir else {
        let page = page(&command)
            .map_err(|error| CliError::new(Exit::Usage, format!("cannot render the manual page: {error}")))?;
        streams::data(Text::verbatim(page.trim_end()));
        return Ok(Exit::Ok);
    };
    // Gives each command its full name, such as `sftpctl users add`, and the global options.
    command.build();
    let count = std::fs::create_dir_all(dir).and_then(|()| write_pages(&command, "sftpctl", dir)).map_err(|error| {
        CliError::new(Exit::Usage, format!("cannot write manual pages into {}: {error}", dir.display()))
    })?;
    streams::progress(format!("{count} manual pages written into {}", dir.display()));
    Ok(Exit::Ok)
}

fn page(command: &clap::Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Writes the pages of the command `name` and its subcommands; returns their number.
fn write_pages(command: &clap::Command, name: &str, dir: &Path) -> std::io::Result<usize> {
    std::fs::write(dir.join(format!("{name}.1")), page(command)?)?;
    let mut count = 1;
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        count += write_pages(below, &format!("{name}-{}", below.get_name()), dir)?;
    }
    Ok(count)
}
