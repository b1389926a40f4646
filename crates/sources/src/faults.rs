//! The faults of a file that is not what its kind requires: up to twenty, each with its line. No value is shown, since
//! any of them may be a password. Pure.

use sftpctl_accounts::import::row::RowsError;
use sftpctl_core::shown::visible;

/// Faults that are shown.
const MOST: usize = 20;

/// Faults of one file.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    lines: Vec<(u64, String)>,
    hint: Option<String>,
    has_more: bool,
}

impl Faults {
    /// Adds a fault. A line has only its first.
    pub(crate) fn add(&mut self, line: u64, message: impl Into<String>) {
        if self.lines.iter().any(|(known, _)| *known == line) {
            return;
        }
        if self.is_full() {
            self.has_more = true;
        } else {
            self.lines.push((line, message.into()));
        }
    }

    /// What to do. The first hint stays.
    pub(crate) fn hint(&mut self, hint: &str) {
        self.hint.get_or_insert_with(|| hint.to_owned());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether no more of them are shown.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= MOST
    }

    /// All of them as one error.
    pub(crate) fn into_error(self, file: &str) -> RowsError {
        let mut lines = self.lines;
        lines.sort_by_key(|(line, _)| *line);
        let count = lines.len();
        let file = visible(file);
        let mut message = match (count, self.has_more || count >= MOST) {
            (_, true) => format!("{file} cannot be read; its first {count} faults:"),
            (1, _) => format!("{file} cannot be read:"),
            _ => format!("{file} cannot be read; its {count} faults:"),
        };
        for (line, text) in lines {
            message.push_str(&format!("\nline {line}: {text}"));
        }
        RowsError { message, hint: self.hint, is_usage: true }
    }
}

/// One fault of a file as a whole.
pub(crate) fn refused(file: &str, why: impl std::fmt::Display, hint: impl Into<String>) -> RowsError {
    RowsError { message: format!("{}: {why}", visible(file)), hint: Some(hint.into()), is_usage: true }
}
