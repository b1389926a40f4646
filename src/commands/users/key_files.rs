//! Files with public keys, as arguments.

use std::path::PathBuf;

use crate::commands::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_accounts::rules;

/// The public keys in all of these files.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<String>, CliError> {
    let mut public_keys = Vec::new();
    for file in files {
        let text = input_file::named(file, input_file::SMALL)?;
        let keys = rules::public_keys(&file.display().to_string(), &text);
        public_keys.extend(keys.map_err(|error| CliError::from_error(Exit::Usage, &error, None))?);
    }
    Ok(public_keys)
}
