//! The form of a report's file, from the command line.

use std::path::Path;

use crate::error::CliError;
use crate::exit::Exit;
use crate::report::report_file::Form;

/// The form that a file's name asks for.
pub(super) fn report_form(path: &Path) -> Result<Form, CliError> {
    Form::of(path).ok_or_else(|| {
        CliError::new(Exit::Usage, format!("the report {} has an unknown ending", path.display()))
            .hint("name it .csv, .json or .html")
    })
}
