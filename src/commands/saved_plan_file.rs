//! Reads and writes saved plans.

use std::path::Path;

use super::input_file;
use crate::error::CliError;
use crate::exit::Exit;
use crate::report::report_file::replace;
use sftpctl_core::plan::model::Plan;
use sftpctl_core::plan::saved::{self, SavedPlanError};

/// Replaces the file as a whole. A link in its place is replaced, too: it may lead to a file of somebody's choice.
pub(super) fn write(path: &Path, plan: &Plan) -> Result<(), CliError> {
    replace(path, &saved::to_text(plan))
        .map_err(|error| CliError::new(Exit::Usage, format!("cannot write {}: {error}", path.display())))
}

pub(super) fn read(path: &Path) -> Result<Plan, CliError> {
    let text = input_file::named(path, input_file::LARGE)?;
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
