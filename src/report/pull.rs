//! What a pull does: an event for each file for programs; a line that changes, and what was left, for people.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use sftpctl_core::shown::Text;
use sftpctl_files::pull::{Event, Fetched, Summary, Watch};

use super::Printer;
use super::import::grouped;
use super::import::progress::{Shown, Stage};
use super::streams;
use sftpctl_core::text::{counted, either};

/// Files that are named for people; programs get all.
const NAMED: usize = 100;

/// Shows a pull.
pub struct PullShown {
    printer: Printer,
    shown: Shown,
    bucket: String,
    fetched: AtomicU64,
    listed: AtomicU64,
    bytes: AtomicU64,
    /// What was left: the lines of the first [`NAMED`], and the number of all.
    left: Mutex<(Text, usize)>,
    /// Names them at once, since the pull goes on.
    follows: bool,
}

/// An event of a file, as `pull-file/1`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum FileView<'a> {
    Wanted {
        bucket: &'a str,
        key: &'a str,
        size: u64,
    },
    Fetched {
        bucket: &'a str,
        key: &'a str,
        version: Option<&'a str>,
        etag: &'a str,
        size: u64,
        /// When the object was written.
        modified: String,
        crc64nvme: &'a str,
        /// What of it was compared with S3.
        compared: &'static str,
        path: String,
    },
    Hooked {
        bucket: &'a str,
        key: &'a str,
    },
    Quarantined {
        bucket: &'a str,
        key: &'a str,
        path: String,
        why: &'a str,
    },
    Left {
        bucket: &'a str,
        key: &'a str,
        why: &'a str,
    },
}

impl<'a> FileView<'a> {
    fn new(bucket: &'a str, event: Event<'a>) -> Self {
        match event {
            Event::Wanted { key, size } => Self::Wanted { bucket, key, size },
            Event::Fetched { file, path } => {
                let Fetched { key, version, etag, size, modified, crc64nvme, compared, mtime: _ } = file;
                let modified = jiff::Timestamp::from_second(*modified).unwrap_or_default();
                Self::Fetched {
                    bucket,
                    key,
                    version: version.as_deref(),
                    etag,
                    size: *size,
                    modified: modified.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                    crc64nvme,
                    compared: compared.as_str(),
                    path: path.display().to_string(),
                }
            }
            Event::Hooked { key } => Self::Hooked { bucket, key },
            Event::Quarantined { key, path, why } => {
                Self::Quarantined { bucket, key, path: path.display().to_string(), why }
            }
            Event::Left { key, why } => Self::Left { bucket, key, why },
        }
    }
}

impl PullShown {
    pub fn new(printer: Printer, shown: Shown, bucket: &str) -> Self {
        let counter = AtomicU64::default;
        let (fetched, listed, bytes) = (counter(), counter(), counter());
        let left = Mutex::default();
        Self { printer, shown, bucket: bucket.to_owned(), fetched, listed, bytes, left, follows: false }
    }

    /// For a pull that goes on: names what was left at once.
    #[must_use]
    pub fn following(self, follows: bool) -> Self {
        Self { follows, ..self }
    }

    /// Removes the line, and names what was left.
    pub fn finish(&self) {
        self.shown.finish();
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut names, count) = std::mem::take(&mut *left);
        if count > NAMED {
            names.line(format!("and {} more; `--output json` names all", grouped((count - NAMED) as u64)));
        }
        if !names.is_empty() {
            streams::progress(names);
        }
    }

    fn name(&self, line: String) {
        if self.follows {
            return self.shown.between(|| streams::progress(line));
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (names, count) = &mut *left;
        if *count < NAMED {
            names.line(line);
        }
        *count += 1;
    }

    fn progress(&self) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (done, listed, bytes) = (count(&self.fetched), count(&self.listed), count(&self.bytes));
        let stage = Stage { name: "pulling", done, bytes: Some(bytes), has_rate: true, ..Stage::default() };
        self.shown.stage(stage, |rate, _| {
            let rate = rate.map_or_else(String::new, |rate| format!(", {} a second", grouped(rate)));
            let (done, size) = (grouped(done), mebibytes(bytes));
            format!("pulling: {done} of {} listed so far{rate}, {size}", counted(listed, "object"))
        });
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", grouped(bytes.div_ceil(1 << 20)))
}

impl Watch for PullShown {
    fn event(&self, event: Event<'_>) {
        if self.printer.is_json() {
            self.printer.json("pull-file/1", &FileView::new(&self.bucket, event));
        } else {
            match event {
                Event::Wanted { key, size } => self.printer.text(|| format!("{:>14}  {key}", grouped(size))),
                Event::Left { key, why } => self.name(format!("left: {key}: {why}")),
                Event::Quarantined { key, path, why } => {
                    self.name(format!("quarantined: {key}: {why}; it is {}", path.display()));
                }
                Event::Fetched { .. } | Event::Hooked { .. } => {}
            }
        }
        if let Event::Fetched { .. } = event {
            self.fetched.fetch_add(1, Ordering::Relaxed);
            self.progress();
        }
    }

    fn said(&self, line: &str) {
        self.shown.between(|| streams::progress(line));
    }

    fn listed(&self, objects: u64) {
        self.listed.store(objects, Ordering::Relaxed);
        self.progress();
    }

    fn received(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.progress();
    }

    fn is_stopping(&self) -> bool {
        self.shown.is_stopping()
    }
}

/// The result of a pull, as `pull/1`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PullView<'a> {
    environment: &'a str,
    cluster: &'a str,
    bucket: &'a str,
    dry_run: bool,
    #[serde(flatten)]
    summary: Summary,
}

impl<'a> PullView<'a> {
    pub fn new(environment: &'a str, cluster: &'a str, bucket: &'a str, dry_run: bool, summary: Summary) -> Self {
        Self { environment, cluster, bucket, dry_run, summary }
    }
}

/// The result of a pull, for people.
pub fn summary(done: &Summary, is_dry: bool) -> Text {
    let Summary { unfinished, young, known, wanted, fetched, bytes, hooked, quarantined, gone, left, .. } = *done;
    let before = format!("{} {} pulled", grouped(known), either(known, "was", "were"));
    let mut text = match is_dry {
        true => Text::from(format!("{} would be pulled, {before} before", counted(wanted, "file"))),
        false => Text::from(format!("{} pulled ({}), {before} before", counted(fetched, "file"), mebibytes(bytes))),
    };
    for (count, one, many) in [
        (
            unfinished,
            "upload is not finished, by its name; left for a later run",
            "uploads are not finished, by their names; left for a later run",
        ),
        (
            young,
            "is new; left until a message or the next listing tells that it is whole",
            "are new; left until a message or the next listing tells that they are whole",
        ),
        (gone, "was deleted from S3 meanwhile", "were deleted from S3 meanwhile"),
        (hooked, "handed over to the hook", "handed over to the hook"),
        (
            quarantined,
            "moved into the quarantine, since the hook failed",
            "moved into the quarantine, since the hook failed",
        ),
        (
            left,
            "left or in quarantine; rerun the same command when the reason is gone",
            "left or in quarantine; rerun the same command when the reason is gone",
        ),
    ] {
        if count > 0 {
            text.line(format!("{} {}", grouped(count), either(count, one, many)));
        }
    }
    if is_dry {
        text.line("nothing was changed (--dry-run)");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sftpctl_files::pull::sums::Compared;

    use super::*;

    #[test]
    fn summary_names_what_is_left() {
        let done = Summary { fetched: 1200, bytes: 5 << 20, known: 3, left: 2, quarantined: 1, ..Summary::default() };
        assert_eq!(
            summary(&done, false).to_string(),
            "1,200 files pulled (5 MiB), 3 were pulled before\n\
             1 moved into the quarantine, since the hook failed\n\
             2 left or in quarantine; rerun the same command when the reason is gone"
        );
        let shown = summary(&Summary { wanted: 7, ..Summary::default() }, true).to_string();
        assert_eq!(shown, "7 files would be pulled, 0 were pulled before\nnothing was changed (--dry-run)");
    }

    #[test]
    fn event_of_a_file_has_its_facts() {
        let file = Fetched {
            key: "17578/a b".into(),
            etag: "\"e\"".into(),
            modified: 1_700_000_000,
            version: Some("v1".into()),
            size: 9,
            mtime: 1,
            crc64nvme: "rosUhgp5mIg=".into(),
            compared: Compared::Crc64Nvme,
        };
        let view = FileView::new("b", Event::Fetched { file: &file, path: Path::new("/to/17578/a b") });
        assert_eq!(
            serde_json::to_value(view).unwrap(),
            serde_json::json!({
                "event": "fetched", "bucket": "b", "key": "17578/a b", "version": "v1", "etag": "\"e\"", "size": 9,
                "modified": "2023-11-14T22:13:20Z", "crc64nvme": "rosUhgp5mIg=", "compared": "crc64nvme",
                "path": "/to/17578/a b",
            })
        );
    }
}
