//! `sftpctl local completions` and `sftpctl local man`.

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
    let mut command = commands::command().bin_name("sftpctl-local");
    let Some(folder) = into else {
        return clap_mangen::Man::new(command)
            .render(&mut std::io::stdout())
            .map_err(LocalError::file("writing", "the manual page"));
    };
    // Gives each command its full name, such as `sftpctl-local faults add`, and the global options.
    command.build();
    let count = std::fs::create_dir_all(folder)
        .and_then(|()| write_pages(&command, "sftpctl-local", folder))
        .map_err(LocalError::file("writing manual pages into", folder))?;
    progress(format!("{count} manual pages written into {}", folder.display()));
    Ok(())
}

/// Writes the pages of the command `name` and its subcommands; returns their number.
fn write_pages(command: &clap::Command, name: &str, folder: &Path) -> std::io::Result<usize> {
    let mut page = std::fs::File::create(folder.join(format!("{name}.1")))?;
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    let mut count = 1;
    for below in command.get_subcommands().filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        count += write_pages(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    Ok(count)
}
