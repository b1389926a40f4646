//! Reads and writes saved plans.

use std::io::Write as _;
use std::path::Path;

use super::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use sftpctl_core::plan::model::Plan;
use sftpctl_core::plan::saved::{self, SavedPlanError};

/// Replaces the file as a whole. A link in its place is replaced, too: it may lead to a file of somebody's choice.
pub(super) fn write(path: &Path, plan: &Plan) -> Result<(), CliError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(saved::to_text(plan).as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))
}

pub(super) fn read(path: &Path) -> Result<Plan, CliError> {
    let text = input_file::read(path, input_file::LARGE)
        .map_err(|error| CliError::new(Exit::Usage, format!("cannot read {}: {error}", path.display())))?;
    saved::parse(&text).map_err(|error| {
        let message = format!("cannot use {} as a saved plan: {error}", path.display());
        let is_newer = matches!(error, SavedPlanError::Newer { .. });
        let hint = if is_newer {
            "upgrade sftpctl, or plan again with this version"
        } else {
            "plan again with `sftpctl plan --out`"
        };
        CliError::new(Exit::Usage, message).hint(hint)
    })
}
