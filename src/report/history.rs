//! The past of files: versions, restorations, exports.

use std::path::Path;

use serde::{Serialize, Serializer};
use sftpctl_activity::authors::Author;
use sftpctl_core::shown::{Text, visible};
use sftpctl_files::history::export::run::Done;
use sftpctl_files::history::listing::Listed;
use sftpctl_files::history::restore::plan::{Action, Step};
use sftpctl_files::history::restore::run::{Restored, Summary};
use sftpctl_files::history::selection::Selection;

use super::import::grouped;
use sftpctl_core::text::{counted, either};

/// Who made a version, by the servers' logs; `None`: they do not say.
pub struct WhoView<'a>(pub Option<&'a Author>);

impl Serialize for WhoView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct View<'a> {
            user: Option<&'a str>,
            source: Option<&'a str>,
            session: Option<&'a str>,
            region: &'a str,
        }
        let view = self.0.map(|author| View {
            user: author.user.as_deref(),
            source: author.source.as_deref(),
            session: author.session.as_deref(),
            region: &author.region,
        });
        view.serialize(serializer)
    }
}

impl WhoView<'_> {
    fn words(&self) -> String {
        let Some(author) = self.0 else { return "unknown".to_owned() };
        let user = author.user.as_deref().map_or("a log-in that is not in the logs".into(), visible);
        let source = author.source.as_deref().map_or_else(String::new, |source| format!(" from {}", visible(source)));
        format!("{user}{source}")
    }
}

/// A version for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionView<'a> {
    path: &'a str,
    key: &'a str,
    version: &'a str,
    time: String,
    size: u64,
    deleted: bool,
    current: bool,
    /// The user ID that the file had where it was copied from.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// `null` if the logs do not say; absent without `--who`.
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<WhoView<'a>>,
}

impl<'a> VersionView<'a> {
    pub fn new(
        version: &'a Listed,
        path: &'a str,
        time: String,
        (owner, who): (Option<String>, Option<WhoView<'a>>),
    ) -> Self {
        Self {
            path,
            key: &version.key,
            version: &version.version,
            time,
            size: version.size,
            deleted: version.deleted,
            current: version.current,
            owner,
            who,
        }
    }
}

/// A version as a line, for people.
pub fn row(version: &VersionView<'_>) -> String {
    let what = if version.deleted { "deleted".to_owned() } else { format!("{} B", grouped(version.size)) };
    let current = if version.current { "current" } else { "" };
    let owner = version.owner.as_ref().map_or_else(String::new, |owner| format!("  (owner {})", visible(owner)));
    let who = version.who.as_ref().map_or_else(String::new, |who| format!("  by {}", who.words()));
    // The empty object that marks a folder has no name below it.
    let path = if version.path.is_empty() { "(the folder itself)".into() } else { visible(version.path) };
    format!("{}  {what:>16}  {current:<7}  {}  {path}{who}{owner}", version.time, version.version)
}

/// A version that was read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedView<'a> {
    pub path: &'a str,
    pub version: &'a str,
    pub time: String,
    pub size: u64,
    /// What the content was compared with.
    pub compared: &'static str,
    /// As in a [`VersionView`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub who: Option<WhoView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl SavedView<'_> {
    pub fn line(&self) -> String {
        let Self { path, version, time, size, compared, who, to } = self;
        let who = who.as_ref().map_or_else(String::new, |who| format!(", by {}", who.words()));
        let to = to.as_ref().map_or_else(String::new, |to| format!("; saved as {to}"));
        format!("{path} of {time}{who}, version {version}, {} B, compared: {compared}{to}", grouped(*size))
    }
}

/// A restoration for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreView<'a> {
    environment: &'a str,
    bucket: &'a str,
    prefix: String,
    to_copy: u64,
    bytes: u64,
    to_remove: u64,
    same: u64,
    kept: u64,
    samples: Vec<StepView<'a>>,
    dry_run: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    restored: Option<RestoredView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepView<'a> {
    key: &'a str,
    /// The version that is copied; absent if the file is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoredView<'a> {
    copied: u64,
    removed: u64,
    /// The first ones.
    overtaken: &'a [String],
    overtaken_count: u64,
    failed: Vec<FailedView<'a>>,
    failed_count: u64,
}

#[derive(Serialize)]
struct FailedView<'a> {
    key: &'a str,
    error: String,
}

impl<'a> RestoreView<'a> {
    pub fn new(
        environment: &'a str,
        selection: &'a Selection,
        summary: &'a Summary,
        dry_run: bool,
        done: Option<&'a Restored>,
    ) -> Self {
        Self {
            environment,
            bucket: &selection.bucket,
            prefix: selection.prefix(),
            to_copy: summary.copied,
            bytes: summary.bytes,
            to_remove: summary.removed,
            same: summary.same,
            kept: summary.kept,
            samples: summary.samples.iter().map(step_view).collect(),
            dry_run,
            restored: done.map(|done| RestoredView {
                copied: done.copied,
                removed: done.removed,
                overtaken: &done.overtaken,
                overtaken_count: done.overtaken_count,
                failed_count: done.failed_count,
                failed: done.failed.iter().map(|(key, error)| FailedView { key, error: error.to_string() }).collect(),
            }),
        }
    }
}

fn step_view(step: &Step) -> StepView<'_> {
    let version = match &step.action {
        Action::Copy { version, .. } => Some(version.as_str()),
        Action::Remove => None,
    };
    StepView { key: &step.key, version }
}

/// A plan, for people.
pub fn planned(summary: &Summary, selection: &Selection) -> Text {
    let mut text = Text::default();
    for step in &summary.samples {
        let path = visible(selection.path_of(&step.key));
        text.line(match (&step.action, &step.current) {
            (Action::Copy { version, .. }, Some(_)) => format!("  ~ {path}  version {version} again"),
            (Action::Copy { version, .. }, None) => format!("  + {path}  version {version} again"),
            (Action::Remove, _) => format!("  - {path}  did not exist then"),
        });
    }
    let more = summary.changes().saturating_sub(summary.samples.len() as u64);
    if more > 0 {
        text.line(format!("  and {} more", grouped(more)));
    }
    let Summary { copied, bytes, removed, same, kept, .. } = summary;
    for (count, words) in [
        (*copied, format!("files get a version of then ({} B)", grouped(*bytes))),
        (*removed, "files are marked as deleted (--exact)".to_owned()),
        (*kept, "files did not exist then, and are kept; --exact removes them".to_owned()),
        (*same, "files are as they were".to_owned()),
    ] {
        if count > 0 {
            text.line(format!("{:>12}  {words}", grouped(count)));
        }
    }
    text
}

/// Files that are named to people.
const FEW: usize = 20;

fn more(text: &mut Text, word: &str, count: u64) {
    let rest = count.saturating_sub(FEW as u64);
    if rest > 0 {
        text.line(format!("{word}: and {} more", grouped(rest)));
    }
}

/// The result of a restoration, for people.
pub fn restored(done: &Restored, selection: &Selection) -> Text {
    let mut text = Text::from(format!("{} restored, {} removed", counted(done.copied, "file"), grouped(done.removed)));
    for key in done.overtaken.iter().take(FEW) {
        text.line(format!("kept: {}: it was changed meanwhile", visible(selection.path_of(key))));
    }
    more(&mut text, "kept", done.overtaken_count);
    for (key, error) in done.failed.iter().take(FEW) {
        text.line(format!("failed: {}: {error}", visible(selection.path_of(key))));
    }
    more(&mut text, "failed", done.failed_count);
    if done.interrupted || done.failed_count > 0 {
        text.line("rerun the same command to resume");
    }
    text
}

/// An export for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExportView<'a> {
    environment: &'a str,
    bucket: &'a str,
    prefix: &'a str,
    repository: String,
    /// The last commit; absent in an empty repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'a str>,
    versions: u64,
    changes: u64,
    commits: u64,
    resumed_commits: u64,
    open_changes: u64,
    escaped: u64,
    pointers: u64,
    expired: u64,
    vanished: u64,
    bytes: u64,
    interrupted: bool,
}

impl<'a> ExportView<'a> {
    pub fn new(environment: &'a str, selection: &'a Selection, repository: &Path, done: &'a Done) -> Self {
        Self {
            environment,
            bucket: &selection.bucket,
            prefix: &selection.home,
            repository: repository.display().to_string(),
            commit: done.commit.as_deref(),
            versions: done.progress.listed,
            changes: done.progress.exported,
            commits: done.progress.commits,
            resumed_commits: done.resumed,
            open_changes: done.open,
            escaped: done.escaped,
            pointers: done.pointers,
            expired: done.expired,
            vanished: done.vanished,
            bytes: done.bytes,
            interrupted: done.interrupted,
        }
    }
}

/// The result of an export, for people.
pub fn exported(done: &Done, repository: &Path) -> Text {
    let (commits, changes) = (counted(done.progress.commits, "commit"), counted(done.progress.exported, "change"));
    let mut text = Text::from(format!("{commits} with {changes} added to {}", repository.display()));
    let are = either(done.progress.listed, "is", "are");
    text.line(format!("{} {are} in the bucket", counted(done.progress.listed, "version")));
    let samples: Vec<String> = done.samples.iter().map(|key| visible(key).into_owned()).collect();
    for (count, one, many) in [
        (done.resumed, "commit was there from a run that was killed", "commits were there from a run that was killed"),
        (
            done.open,
            "change belongs to a session that may go on; a later run exports it",
            "changes belong to sessions that may go on; a later run exports them",
        ),
        (done.pointers, "large file is a pointer to its version", "large files are pointers to their versions"),
        (
            done.expired,
            "file has lost its last exported version in the bucket: by a rule, a deletion, or suspended versioning",
            "files have lost their last exported version in the bucket: by a rule, a deletion, or suspended versioning",
        ),
        (
            done.vanished,
            "file has no version left in the bucket, and stays in the repository",
            "files have no version left in the bucket, and stay in the repository",
        ),
        (
            done.escaped,
            &*format!("file has another path than its key: {}", samples.join(", ")),
            &*format!("files have another path than their key: {}", samples.join(", ")),
        ),
    ] {
        if count > 0 {
            text.line(format!("{:>12}  {}", grouped(count), either(count, one, many)));
        }
    }
    text.line(match &done.commit {
        Some(commit) => format!("main is {commit}"),
        None => "the repository is still empty".to_owned(),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marker_of_a_folder_has_words_for_its_name() {
        let line = |path| {
            let time = "2026-01-01T00:00:00Z".to_owned();
            let (deleted, current, owner, who) = (false, true, None, None);
            row(&VersionView { path, key: path, version: "v1", time, size: 0, deleted, current, owner, who })
        };
        assert!(line("").ends_with("v1  (the folder itself)"), "{}", line(""));
        assert!(line("order.txt").ends_with("v1  order.txt"));
    }
}
