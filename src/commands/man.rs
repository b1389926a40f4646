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
    let page = String::from_utf8_lossy(&page).into_owned();
    let with_synopsis = page.split_once(".SH SYNOPSIS\n").and_then(|(before, rest)| {
        let (_, after) = rest.split_once("\n.SH ")?;
        Some(format!("{before}.SH SYNOPSIS\n{}\n.SH {after}", synopsis(command)))
    });
    Ok(with_synopsis.unwrap_or(page))
}

/// The usage as the help has it, in roff. That of clap_mangen has options without their values, and those that are
/// required last, as if they were positional.
fn synopsis(command: &clap::Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let roff = |line: &str| {
        let line = line.trim();
        let line = line.strip_prefix(name).map_or_else(|| line.to_owned(), |rest| format!("\\fB{name}\\fR{rest}"));
        line.replace('-', "\\-")
    };
    let lines: Vec<String> = usage.trim_start_matches("Usage:").lines().map(roff).collect();
    lines.join("\n.br\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synopsis_is_the_usage_of_the_help() {
        let mut command = crate::commands::command();
        command.build();
        let bench = command.find_subcommand("bench").unwrap();
        let page = page(bench.find_subcommand("hosts").unwrap()).unwrap();
        let (_, synopsis) = page.split_once(".SH SYNOPSIS\n").unwrap();
        let usage = r"\fBsftpctl bench hosts\fR [OPTIONS] \-\-plan <FILE> \-\-start\-at <TIME>";
        assert_eq!(synopsis.split_once("\n.SH DESCRIPTION\n").unwrap().0, usage);
    }
}
