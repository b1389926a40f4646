//! What a copy or a comparison came to.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::Serialize;
use sftpctl_core::shown::Text;
use sftpctl_files::homes::concern::Concern;
use sftpctl_files::homes::copy::{Copied, Left};
use sftpctl_files::homes::name::Raw;
use sftpctl_files::homes::record::{Pass, Verified};
use sftpctl_files::homes::verify::{Comparison, Difference};
use sftpctl_files::homes::watch::{Fate, Progress, Watch};

use super::shared_report::SharedReport;
use super::size;
use crate::report::import::grouped;
use crate::report::report_file::ReportFile;
use sftpctl_core::text::{counted, either};

/// The columns of the file with what is not stored.
pub const COLUMNS: &[&str] = &["home", "path", "fate", "why", "detail"];
/// Reasons and samples that are shown to people.
const SHOWN: usize = 5;

/// A copy for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyView<'a> {
    pub org_id: i64,
    pub is_complete: bool,
    pub interrupted: bool,
    #[serde(flatten)]
    pub pass: &'a Pass,
    pub left_by_reason: BTreeMap<&'static str, u64>,
    pub skipped_by_reason: BTreeMap<&'static str, u64>,
}

/// A home that is not copied, since it was cut over, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MovedAlready {
    org_id: i64,
    cut_over: bool,
}

impl MovedAlready {
    pub fn new(org_id: i64) -> Self {
        Self { org_id, cut_over: true }
    }
}

fn by_word(counts: &BTreeMap<Concern, u64>) -> BTreeMap<&'static str, u64> {
    counts.iter().map(|(concern, count)| (concern.as_str(), *count)).collect()
}

impl<'a> CopyView<'a> {
    pub fn new(org_id: i64, copied: &'a Copied) -> Self {
        Self {
            org_id,
            is_complete: copied.is_complete(),
            interrupted: copied.is_interrupted,
            pass: &copied.pass,
            left_by_reason: by_word(&copied.left_by_reason),
            skipped_by_reason: by_word(&copied.skipped_by_reason),
        }
    }
}

/// A copy for people.
pub fn copied(org_id: i64, copied: &Copied) -> Text {
    let Pass { entries, stored, unchanged, skipped, left, bytes, gone, .. } = copied.pass;
    let mut text = Text::from(format!(
        "home {org_id}: {}: {} stored ({} sent), {} unchanged, {} skipped, {} left",
        counted(entries, "entry"),
        grouped(stored),
        size(bytes),
        grouped(unchanged),
        grouped(skipped),
        grouped(left)
    ));
    for (concern, count) in &copied.left_by_reason {
        text.line(format!("  left: {} {}: {}", grouped(*count), concern.as_str(), concern.words()));
        for Left { path, detail, .. } in copied.left.iter().filter(|left| left.why == *concern).take(SHOWN) {
            let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            text.line(format!("    {path}{detail}"));
        }
    }
    if gone > 0 {
        text.line(format!(
            "  {} {} no entry in the home any more; pass --gone delete or --gone keep",
            counted(gone, "object"),
            either(gone, "has", "have")
        ));
        copied.gone.iter().take(SHOWN).for_each(|path| text.line(format!("    {path}")));
    }
    if copied.is_interrupted {
        text.line("  interrupted; rerun the same command to resume");
    }
    text
}

/// A file with every entry that is not stored, written as the copy finds them.
pub struct NotStored {
    report: SharedReport,
}

impl NotStored {
    pub fn new(file: ReportFile) -> Self {
        Self { report: SharedReport::new(file) }
    }

    /// The listener of a home's copy, which shows its progress as `shown` does.
    pub fn of(self: &Arc<Self>, org_id: i64, shown: Arc<dyn Watch>) -> Arc<dyn Watch> {
        Arc::new(NotStoredOf { all: Arc::clone(self), org_id, shown })
    }

    /// As [`SharedReport::finish`].
    ///
    /// # Errors
    /// As there.
    pub fn finish(&self, title: &str, summary: &Text) -> io::Result<()> {
        self.report.finish(title, summary)
    }
}

struct NotStoredOf {
    all: Arc<NotStored>,
    org_id: i64,
    shown: Arc<dyn Watch>,
}

impl Watch for NotStoredOf {
    fn progress(&self, progress: Progress) {
        self.shown.progress(progress);
    }

    fn not_stored(&self, path: &Raw, fate: Fate, detail: &str) {
        #[derive(Serialize)]
        struct Line<'a> {
            home: i64,
            path: &'a Raw,
            fate: &'a str,
            why: &'a str,
            detail: &'a str,
        }
        let (class, fate, why, detail) = match fate {
            Fate::Left(why) => ("bad", "left", why.as_str(), detail),
            Fate::Skipped(why) => ("minor", "skipped", why.as_str(), detail),
            Fate::Gone => ("bad", "left", "gone", "the object has no entry in the home any more"),
        };
        let line = Line { home: self.org_id, path, fate, why, detail };
        let (home, path) = (self.org_id.to_string(), path.to_string());
        self.all.report.row(class, &[&home, &path, fate, why, detail], &line);
    }

    fn waiting(&self, words: &str) {
        self.shown.waiting(words);
    }

    fn is_stopping(&self) -> bool {
        self.shown.is_stopping()
    }
}

/// A comparison for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyView<'a> {
    pub org_id: i64,
    pub objects: u64,
    pub bytes: u64,
    pub interrupted: bool,
    pub differences: &'a BTreeMap<Difference, u64>,
    pub samples: &'a [(Raw, Difference)],
    /// Entries that the last copy left, and objects without an entry.
    pub left: u64,
    pub gone: u64,
    /// Entries that are not as they were copied; absent if a link is in the place of the home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<u64>,
    pub changed_samples: &'a [Raw],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<&'a Verified>,
}

impl<'a> VerifyView<'a> {
    pub fn new(org_id: i64, of: &'a Comparison) -> Self {
        let Comparison { objects, bytes, differences, samples, signed, is_interrupted, .. } = of;
        Self {
            org_id,
            objects: *objects,
            bytes: *bytes,
            interrupted: *is_interrupted,
            differences,
            samples,
            left: of.left,
            gone: of.gone,
            changed: of.changed,
            changed_samples: of.changed_samples.get(..SHOWN).unwrap_or(&of.changed_samples),
            signed: signed.as_ref(),
        }
    }
}

/// A comparison for people.
pub fn compared(org_id: i64, of: &Comparison) -> Text {
    let mut text = Text::from(format!("home {org_id}: {} compared, {}", counted(of.objects, "object"), size(of.bytes)));
    for (difference, count) in &of.differences {
        text.line(format!("  {} {}", grouped(*count), difference.words()));
        let samples = of.samples.iter().filter(|(_, sample)| sample == difference).take(SHOWN);
        samples.for_each(|(path, _)| match path.0.is_empty() {
            true => text.line("    the home itself"),
            false => text.line(format!("    {path}")),
        });
    }
    for (count, what, [one, many]) in [
        (of.left, "entry", ["was left by the last copy", "were left by the last copy"]),
        (of.gone, "object", ["has no entry in the home any more", "have no entry in the home any more"]),
        (
            of.changed.unwrap_or_default(),
            "entry",
            [
                "is new, gone, or has changed since it was copied",
                "are new, gone, or have changed since they were copied",
            ],
        ),
    ] {
        if count > 0 {
            text.line(format!("  {} {}", counted(count, what), either(count, one, many)));
        }
    }
    of.changed_samples.iter().take(SHOWN).for_each(|path| text.line(format!("    {path}")));
    if !of.is_complete() {
        text.line("  not signed off: rerun `sftpctl homes copy`, and decide on what it leaves");
    }
    if let Some(Verified { digest, .. }) = &of.signed {
        text.line(format!("  signed off: sha256 {digest}"));
    }
    if of.is_interrupted {
        text.line("  interrupted");
    }
    text
}
