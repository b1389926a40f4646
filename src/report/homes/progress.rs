//! The progress of a command on homes.

use sftpctl_files::homes::watch::{Progress, Watch};

use super::size;
use crate::report::import::grouped;
use crate::report::import::progress::{Shown, Stage};
use crate::report::span::span;

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

    fn is_stopping(&self) -> bool {
        Shown::is_stopping(self)
    }
}

fn words(progress: Progress, rate: Option<u64>, left: Option<u64>) -> String {
    let rate = rate.map_or_else(String::new, |rate| format!(", {} a second", grouped(rate)));
    let left = left.map_or_else(String::new, |left| format!(", {} left", span(left)));
    match progress {
        Progress::Reading { entries } => format!("reading: {} entries", grouped(entries)),
        Progress::Copying { done, found, bytes } => {
            format!("copying: {} of {} entries so far{rate}, {} sent", grouped(done), grouped(found), size(bytes))
        }
        Progress::Verifying { done, of } => {
            format!("verifying: {} of {} objects{rate}{left}", grouped(done), grouped(of))
        }
        Progress::Returning { done, bytes } => {
            format!("bringing back: {} objects{rate}, {}", grouped(done), size(bytes))
        }
    }
}
