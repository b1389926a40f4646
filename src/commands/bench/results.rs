//! Files of results that a command line names.

use std::path::Path;

use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_bench::compare::{NAME_2019, worksheet_2019};
use sftpctl_bench::record::{self, Line, Results, parse};
use sftpctl_core::shell_word::shell_word;

/// The results in a file; `2019` means the worksheet of 2019, unless there is a file of that name.
pub(super) fn read(path: &Path) -> Result<Results, CliError> {
    if path == Path::new(NAME_2019) && !path.exists() {
        return Ok(worksheet_2019());
    }
    let text = input_file::named(path, input_file::LARGE)?;
    of_text(path, &text)
}

/// The results in the text of a file.
pub(super) fn of_text(path: &Path, text: &str) -> Result<Results, CliError> {
    parse(text).map_err(|error| {
        let message = format!("{} is not a file of results: line {}: {}", path.display(), error.line, error.message);
        let hint = match error.line {
            0 | 1 => "name the file that `sftpctl bench` has written".to_owned(),
            // The others stand for themselves.
            line => format!(
                "if `sftpctl bench` has written it, delete the damaged line: sed -i {line}d {}",
                shell_word(&path.display().to_string())
            ),
        };
        CliError::new(Exit::Usage, message).hint(hint)
    })
}

/// Refuses to replace a file that is something else, such as a plan, or the results that are reported.
pub(super) fn only_over(path: &Path, is_ours: impl Fn(&str) -> bool, what: &str) -> Result<(), CliError> {
    if !path.exists() {
        return Ok(());
    }
    let refused = || {
        let path = path.display();
        CliError::new(Exit::Usage, format!("{path} exists, and is not a file {what}: it was not overwritten"))
            .hint("name another file, or delete this one")
    };
    let text = input_file::named(path, input_file::LARGE).map_err(|_| refused())?;
    if text.is_empty() || is_ours(&text) { Ok(()) } else { Err(refused()) }
}

/// Lines as the text of a file.
pub(super) fn to_text(lines: &[Line]) -> Result<String, CliError> {
    record::to_text(lines).map_err(|error| CliError::new(Exit::Failed, error.to_string()))
}
