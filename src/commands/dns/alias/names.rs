//! The names of a command: arguments, and a file.

use std::path::PathBuf;

use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_core::aliases::name::{Pattern, in_file};
use sftpctl_core::text::{counted, either};

/// Faults that are shown of a file.
const FAULTS: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct NameArgs {
    /// An organisation's ID, a label, or a full host name (repeatable)
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// A file with a name on each line, or a CSV with the names in its first column
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// `1 name is`, `2 names are`.
fn are(names: u64) -> String {
    format!("{} {}", counted(names, "name"), either(names, "is", "are"))
}

fn is_like_a_name(text: &str) -> bool {
    text.len() <= 253 && text.chars().all(|c| c.is_alphanumeric() || "-_. ".contains(c))
}

impl NameArgs {
    /// The full names, each once, in order. `taken` are names of the environment's own.
    ///
    /// # Errors
    /// The file cannot be read, or a name is not valid.
    pub(super) fn full(&self, pattern: &Pattern, taken: &[String]) -> Result<Vec<String>, CliError> {
        let text = match &self.file {
            None => String::new(),
            Some(path) => input_file::named(path, input_file::LARGE)?,
        };
        let given = self.names.iter().map(|name| (None, name.as_str()));
        let listed = in_file(&text).into_iter().map(|(line, name)| (Some(line), name));
        let (mut names, mut faults) = (Vec::new(), Vec::new());
        for (line, name) in given.chain(listed) {
            let checked = match pattern.full(name) {
                Ok(full) if taken.contains(&full) => Err(format!("{full} is a host of the environment itself")),
                Ok(full) => Ok(full),
                Err(error) => Err(error.to_string()),
            };
            match checked {
                Ok(full) => names.push(full),
                Err(fault) => faults.push(match line {
                    // A file may be another than the one that was meant: what no name is like is not shown.
                    Some(line) if !is_like_a_name(name) => format!("line {line}: this is not a host name"),
                    Some(line) => format!("line {line}: {fault}"),
                    None => fault,
                }),
            }
        }
        if !faults.is_empty() {
            let mut error =
                CliError::new(Exit::Usage, format!("{} not valid; nothing was changed", are(faults.len() as u64)))
                    .hint(format!("a name is an organisation's ID, a label, or a host name such as {pattern}"));
            faults.truncate(FAULTS);
            error.causes = faults;
            return Err(error);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// As [`Self::full`]; at least one.
    ///
    /// # Errors
    /// As there, or there is none.
    pub(super) fn some(&self, pattern: &Pattern, taken: &[String]) -> Result<Vec<String>, CliError> {
        match self.full(pattern, taken)? {
            names if names.is_empty() => {
                Err(CliError::new(Exit::Usage, "no names are given").hint("pass --name 17578, or --file names.txt"))
            }
            names => Ok(names),
        }
    }
}
