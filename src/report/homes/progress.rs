//! The progress of a command on homes.

use sftpctl_files::homes::watch::{Progress, Watch};

use super::size;
use crate::report::import::grouped;
use crate::report::import::progress::{Shown, Stage};
use crate::report::span::span;
use crate::report::streams;
use sftpctl_core::text::counted;

impl Watch for Shown {
    fn progress(&self, progress: Progress) {
        let stage = match progress {
            Progress::Reading { entries } => Stage { name: "reading", done: entries, ..Stage::default() },
            Progress::Copying { done, found: _, bytes } => {
                Stage { name: "copying", done, bytes: Some(bytes), has_rate: true, ..Stage::default() }
            }
            Progress::Verifying { done, of } => {
                Stage { name: "verifying", done, of: Some(of), has_rate: true, ..Stage::default() }
            }
            Progress::Returning { done, bytes } => {
                Stage { name: "returning", done, bytes: Some(bytes), has_rate: true, ..Stage::default() }
            }
        };
        self.stage(stage, |rate, left| words(progress, rate, left));
    }

    fn waiting(&self, words: &str) {
        self.between(|| streams::progress(words));
    }

    fn is_stopping(&self) -> bool {
        Shown::is_stopping(self)
    }
}

fn words(progress: Progress, rate: Option<u64>, left: Option<u64>) -> String {
    let rate = rate.map_or_else(String::new, |rate| format!(", {} a second", grouped(rate)));
    let left = left.map_or_else(String::new, |left| format!(", {} left", span(left)));
    match progress {
        Progress::Reading { entries } => format!("reading: {}", counted(entries, "entry")),
        Progress::Copying { done, found, bytes } => {
            format!("copying: {} of {} so far{rate}, {} sent", grouped(done), counted(found, "entry"), size(bytes))
        }
        Progress::Verifying { done, of } => {
            format!("verifying: {} of {}{rate}{left}", grouped(done), counted(of, "object"))
        }
        Progress::Returning { done, bytes } => {
            format!("bringing back: {}{rate}, {}", counted(done, "object"), size(bytes))
        }
    }
}
