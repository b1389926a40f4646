//! A report to which several listeners add rows.

use std::io;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use sftpctl_core::shown::Text;

use crate::report::report_file::ReportFile;

/// A report that is written as rows are found. An error ends it, and is returned by [`Self::finish`].
pub struct SharedReport {
    /// Or the first error.
    file: Mutex<io::Result<ReportFile>>,
}

impl SharedReport {
    pub fn new(file: ReportFile) -> Self {
        Self { file: Mutex::new(Ok(file)) }
    }

    /// Adds a row, as [`ReportFile::row`] does.
    pub fn row(&self, class: &'static str, cells: &[&str], object: &impl Serialize) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(Err(error)) = file.as_mut().map(|file| file.row(class, cells, object)) {
            *file = Err(error);
        }
    }

    /// Puts the file in its place. Nothing is added to it any more.
    ///
    /// # Errors
    /// It, or a row of it, cannot be written.
    pub fn finish(&self, title: &str, summary: &Text) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *file, Err(io::Error::other("the report is complete")))?.finish(title, summary)
    }
}
