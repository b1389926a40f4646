//! Manual pages of a command line, for the programs that have commands.

use std::io;
use std::path::Path;

use clap::Command;

/// The page of a command. One below another has its full name only after [`Command::build`].
///
/// # Errors
/// It cannot be rendered.
pub fn page(command: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    let page = String::from_utf8_lossy(&page).into_owned();
    let with_synopsis = page.split_once(".SH SYNOPSIS\n").and_then(|(before, rest)| {
        let (_, after) = rest.split_once("\n.SH ")?;
        Some(format!("{before}.SH SYNOPSIS\n{}\n.SH {after}", synopsis(command)))
    });
    Ok(with_synopsis.unwrap_or(page))
}

/// The usage as the help has it, in roff. That of `clap_mangen` has options without their values, and those that are
/// required last, as if they were positional.
fn synopsis(command: &Command) -> String {
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

/// Writes a page for a program and for each of its commands into a folder, which is created; returns their number.
///
/// # Errors
/// The folder cannot be created, or a page cannot be written.
pub fn write_all(mut program: Command, folder: &Path) -> io::Result<usize> {
    // Gives each command its full name, such as `sftpctl users add`, and the global options.
    program.build();
    std::fs::create_dir_all(folder)?;
    write(&program, program.get_name(), folder)
}

fn write(command: &Command, name: &str, folder: &Path) -> io::Result<usize> {
    std::fs::write(folder.join(format!("{name}.1")), page(command)?)?;
    let mut count = 1;
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        count += write(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    fn program() -> Command {
        let plan = Arg::new("plan").long("plan").value_name("FILE").required(true);
        let bench = Command::new("bench").arg(plan).arg(Arg::new("count").long("dry-run"));
        Command::new("tool").subcommand(bench).subcommand(Command::new("worker").hide(true))
    }

    #[test]
    fn a_synopsis_is_the_usage_of_the_help() {
        let mut program = program();
        program.build();
        let page = page(program.find_subcommand("bench").unwrap()).unwrap();
        let (_, synopsis) = page.split_once(".SH SYNOPSIS\n").unwrap();
        let usage = r"\fBtool bench\fR [OPTIONS] \-\-plan <FILE>";
        assert_eq!(synopsis.lines().next(), Some(usage), "{page}");
    }

    #[test]
    fn each_command_that_is_shown_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(write_all(program(), &dir.path().join("man1")).unwrap(), 2);
        let page = |name: &str| std::fs::read_to_string(dir.path().join("man1").join(name));
        assert!(page("tool-bench.1").unwrap().contains(r"\fBtool bench\fR"));
        assert!(page("tool-worker.1").is_err());
    }
}
