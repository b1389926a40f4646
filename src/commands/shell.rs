//! `sftpctl completions` and `sftpctl man`.

use std::path::{Path, PathBuf};

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

/// Where to.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  sftpctl man | man -l -\n  sftpctl man --dir ~/.local/share/man/man1")]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the page, or writes all of them.
pub(super) fn man(args: &ManArgs, mut command: clap::Command) -> Result<Exit, CliError> {
    let fault = |error: std::io::Error| CliError::from_error(Exit::Usage, &error, None);
    let Some(dir) = &args.dir else {
        output::data(page(&command).map_err(fault)?.trim_end());
        return Ok(Exit::Ok);
    };
    // Gives each command its full name, `sftpctl local start`, and the options that are global.
    command.build();
    let cannot = |error: std::io::Error| {
        CliError::new(Exit::Usage, format!("cannot write manual pages into {}: {error}", dir.display()))
    };
    std::fs::create_dir_all(dir).map_err(cannot)?;
    let count = write_pages(&command, "sftpctl", dir).map_err(cannot)?;
    output::progress(&format!("{count} manual pages written into {}", dir.display()));
    Ok(Exit::Ok)
}

fn page(command: &clap::Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Writes the page of a command called `name` and of those below it; says how many.
fn write_pages(command: &clap::Command, name: &str, dir: &Path) -> std::io::Result<usize> {
    std::fs::write(dir.join(format!("{name}.1")), page(command)?)?;
    let mut count = 1;
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        count += write_pages(below, &format!("{name}-{}", below.get_name()), dir)?;
    }
    Ok(count)
}
