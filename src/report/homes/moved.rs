//! What a cut-over or a roll-back came to.

use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use sftpctl_core::shown::Text;
use sftpctl_files::homes::name::Raw;
use sftpctl_files::homes::returned::Returned;
use sftpctl_files::homes::watch::{Progress, Watch};

use super::shared_report::SharedReport;
use super::size;
use crate::report::report_file::ReportFile;
use sftpctl_core::text::{counted, either};

/// Reasons that are shown.
const SHOWN: usize = 5;

/// A home, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MovedView<'a> {
    pub org_id: i64,
    /// `cut over` or, after a dry run, `would be cut over` or `cut over already`; `rolled back` or, if there was nothing to
    /// roll back but the freeze, `thawed`. Beside a failure `not cut over`, `would be refused`, `not rolled back` or `not
    /// thawed`.
    pub what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub notes: &'a [String],
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub returned: Option<ReturnedView<'a>>,
}

/// What a roll-back has brought back, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReturnedView<'a> {
    returned: u64,
    bytes: u64,
    deleted: u64,
    beside_count: u64,
    /// At most 10,000 of them, as of the others.
    beside: Vec<BesideView<'a>>,
    left_count: u64,
    left: Vec<LeftView<'a>>,
}

#[derive(Serialize)]
struct BesideView<'a> {
    key: &'a str,
    path: &'a Raw,
}

#[derive(Serialize)]
struct LeftView<'a> {
    key: &'a str,
    why: &'a str,
}

impl<'a> ReturnedView<'a> {
    pub fn new(of: &'a Returned) -> Self {
        Self {
            returned: of.returned,
            bytes: of.bytes,
            deleted: of.deleted,
            beside_count: of.beside_count,
            beside: of.beside.iter().map(|(key, path)| BesideView { key, path }).collect(),
            left_count: of.left_count,
            left: of.left.iter().map(|(key, why)| LeftView { key, why }).collect(),
        }
    }
}

impl MovedView<'_> {
    /// A home, for people.
    pub fn text(&self) -> Text {
        let Self { org_id, what, failure, notes, .. } = self;
        let mut text = match failure {
            None => Text::from(format!("home {org_id}: {what}")),
            Some(why) => Text::from(format!("home {org_id}: {what}: {why}")),
        };
        notes.iter().for_each(|note| text.line(format!("  {note}")));
        text
    }
}

/// What was brought back, a line each.
pub fn notes(returned: &Returned) -> Vec<String> {
    let Returned { returned: count, bytes, beside, beside_count, left, left_count, deleted, .. } = returned;
    let mut notes = vec![format!("{} brought back, {}", counted(*count, "object"), size(*bytes))];
    if *deleted > 0 {
        let words = either(*deleted, "was deleted in S3 since, and is", "were deleted in S3 since, and are");
        notes.push(format!("{} {words} kept on the disk", counted(*deleted, "file")));
    }
    if *beside_count > 0 {
        let words = either(*beside_count, "is beside what has its name", "are beside what has their names");
        notes.push(format!("{} {words} on the disk:", counted(*beside_count, "object")));
        notes.extend(beside.iter().take(SHOWN).map(|(key, path)| format!("{key}: as {path}")));
        notes.extend(more(*beside_count));
    }
    if *left_count > 0 {
        notes.push(format!("{} could not be brought back:", counted(*left_count, "object")));
        notes.extend(left.iter().take(SHOWN).map(|(key, why)| format!("{key}: {why}")));
        notes.extend(more(*left_count));
    }
    notes
}

fn more(count: u64) -> Option<String> {
    let more = count.saturating_sub(SHOWN as u64);
    (more > 0).then(|| format!("and {}; --report FILE has all", counted(more, "other")))
}

/// The columns of the file with what is not under its own name.
pub const COLUMNS: &[&str] = &["home", "key", "path", "fate", "why"];

/// A file with every object that a roll-back does not bring back under its own name, written as it finds them.
pub struct Elsewhere {
    report: SharedReport,
    /// What the first of the two passes over a home has found is not written again.
    written: Mutex<HashSet<String>>,
}

impl Elsewhere {
    pub fn new(file: ReportFile) -> Self {
        Self { report: SharedReport::new(file), written: Mutex::default() }
    }

    /// The listener of a home's roll-back, which shows its progress as `shown` does.
    pub fn of<'a>(&'a self, org_id: i64, shown: &'a dyn Watch) -> impl Watch + 'a {
        ElsewhereOf { all: self, org_id, shown }
    }

    /// As [`SharedReport::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(&self, title: &str, summary: &Text) -> io::Result<()> {
        self.report.finish(title, summary)
    }
}

struct ElsewhereOf<'a> {
    all: &'a Elsewhere,
    org_id: i64,
    shown: &'a dyn Watch,
}

impl Watch for ElsewhereOf<'_> {
    fn progress(&self, progress: Progress) {
        self.shown.progress(progress);
    }

    fn elsewhere(&self, key: &str, at: Option<&Raw>, why: &str) {
        #[derive(Serialize)]
        struct Line<'a> {
            home: i64,
            key: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            path: Option<&'a Raw>,
            fate: &'a str,
            why: &'a str,
        }
        if !self.all.written.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned()) {
            return;
        }
        let (class, fate) = if at.is_some() { ("minor", "beside") } else { ("bad", "left") };
        let line = Line { home: self.org_id, key, path: at, fate, why };
        let (home, path) = (self.org_id.to_string(), at.map(ToString::to_string).unwrap_or_default());
        self.all.report.row(class, &[&home, key, &path, fate, why], &line);
    }

    fn is_stopping(&self) -> bool {
        self.shown.is_stopping()
    }
}
