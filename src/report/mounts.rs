//! Mounts on a server: their plan, changes, states and what healing did. Pure.

use std::path::Path;

use serde::Serialize;
use sftpctl_core::shown::Text;
use sftpctl_core::spec::mounts::MountKind;
use sftpctl_files::mounts::consequences::{self, advice};
use sftpctl_files::mounts::launch::launch;
use sftpctl_files::mounts::record::Record;
use sftpctl_files::mounts::state::State;
use sftpctl_files::mounts::system::heal::Healed;
use sftpctl_files::mounts::system::install::{Change, What};
use sftpctl_files::mounts::system::look::Seen;
use sftpctl_files::mounts::system::processes::User;
use sftpctl_files::mounts::tool::warnings;
use sftpctl_files::mounts::units::files;

use sftpctl_core::shell_word::shell_word;

/// A planned mount.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    host: String,
    at: String,
    kind: MountKind,
    bucket: String,
    region: String,
    /// The version that the options are for.
    version: String,
    /// Why the program is not there; absent if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
    /// Why the file system is not known; absent if it is, and for kinds without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
    advice: &'static str,
    consequences: Vec<Consequence>,
    warnings: Vec<String>,
    command: Vec<String>,
    files: Vec<FileView>,
}

#[derive(Serialize)]
struct Consequence {
    what: &'static str,
    answer: &'static str,
}

#[derive(Serialize)]
struct FileView {
    path: String,
    text: String,
}

impl PlanView {
    /// `missing` says why the program is not there, and `unknown` why the file system is not known; `sftpctl` is the path of this program on the server.
    pub fn new(record: &Record, missing: Option<String>, unknown: Option<String>, sftpctl: &Path) -> Self {
        let kind = record.mount.kind;
        let answers = consequences::ALL.iter().map(|row| Consequence { what: row.what, answer: row.of(kind) });
        let launch = launch(record);
        let files = if launch.is_some() { files(record, sftpctl) } else { Vec::new() };
        Self {
            host: record.host.clone(),
            at: record.mount.at.clone(),
            kind,
            bucket: record.bucket.clone(),
            region: record.region.clone(),
            version: record.tool.version.to_string(),
            missing,
            unknown,
            advice: advice(kind),
            consequences: answers.collect(),
            warnings: warnings(&record.mount, record.tool.version),
            command: launch.map_or_else(Vec::new, |launch| launch.arguments),
            files: files.into_iter().map(|file| FileView { path: file.path, text: file.text }).collect(),
        }
    }
}

/// The plan, for people.
pub fn plan(mounts: &[PlanView]) -> Text {
    let mut text = Text::default();
    for mount in mounts {
        let PlanView { host, at, kind, bucket, region, version, .. } = mount;
        let version = if mount.missing.is_some() { String::new() } else { format!(" {version}") };
        text.line(format!("{at} on {host}: bucket {bucket} in {region}, by {}{version}", kind.as_str()));
        text.line(format!("  made for {}", mount.advice));
        for Consequence { what, answer } in &mount.consequences {
            text.line(format!("  {what}: {answer}"));
        }
        mount.warnings.iter().for_each(|warning| text.line(format!("  warning: {warning}")));
        for lacking in [&mount.missing, &mount.unknown].into_iter().flatten() {
            text.line(format!("  warning: {lacking}"));
        }
        match mount.command.as_slice() {
            // Its file system is not known.
            [] => {}
            words => {
                let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
                text.line(format!("  command: {}", words.join(" ")));
                let units = mount.files.iter().filter_map(|file| file.path.strip_prefix("/etc/systemd/system/"));
                text.line(format!("  units: {}", units.collect::<Vec<_>>().join(", ")));
            }
        }
    }
    text
}

/// What was changed, or would be, for people.
pub fn changes(changes: &[Change], is_dry: bool) -> Text {
    let mut text = Text::default();
    for Change { path, what, note } in changes.iter().filter(|change| change.what != What::Unchanged) {
        let what = match (what, is_dry) {
            (What::Created, false) => "created",
            (What::Created, true) => "would be created",
            (What::Changed, false) => "changed",
            (What::Changed, true) => "would be changed",
            (What::Removed, false) => "removed",
            (What::Removed, true) => "would be removed",
            (What::Left | What::Unchanged, _) => "left",
        };
        let note = note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
        text.line(format!("{path}: {what}{note}"));
    }
    if text.is_empty() {
        text.line("everything is as it should be");
    }
    text
}

/// A mount that was looked at.
#[derive(Serialize)]
pub struct SeenView<'a> {
    #[serde(flatten)]
    seen: &'a Seen,
    words: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<&'a [User]>,
    /// The version that is installed now, if it is not the one whose options the mount has.
    #[serde(skip_serializing_if = "Option::is_none")]
    newer: Option<String>,
}

impl<'a> SeenView<'a> {
    pub fn new(seen: &'a Seen) -> Self {
        Self { seen, words: seen.state.words(), users: None, newer: None }
    }

    /// With who uses it, and the version that is installed now if it is another one.
    #[must_use]
    pub fn with(mut self, users: &'a [User], newer: Option<String>) -> Self {
        (self.users, self.newer) = (Some(users), newer);
        self
    }
}

/// The mounts that were looked at, for people.
pub fn seen(mounts: &[SeenView<'_>]) -> Text {
    let mut text = Text::default();
    for SeenView { seen, users, newer, .. } in mounts {
        text.line(line(seen));
        named(&mut text, users.unwrap_or_default());
        if let Some(version) = newer {
            text.line(format!("  version {version} is installed now: `sftpctl mounts install` adapts the options"));
        }
    }
    text
}

fn line(seen: &Seen) -> String {
    let Seen { at, bucket, state, .. } = seen;
    let canary = if seen.canary { ", and a canary came back as it was written" } else { "" };
    let detail = seen.detail.as_ref().map_or_else(String::new, |detail| format!(" ({detail})"));
    let bare = match seen.is_protected {
        Some(false) => "; root can write into the mount point",
        None if *state == State::NotMounted => "; whether root can write into the mount point could not be found out",
        Some(true) | None => "",
    };
    let waiting = match seen.waiting {
        Some(count) if count > 0 => format!("; {count} requests wait"),
        _ => String::new(),
    };
    format!("{at} ({bucket}): {}: {}{canary}{detail}{bare}{waiting}", state.as_str(), state.words())
}

fn named(text: &mut Text, users: &[User]) {
    for User { pid, command, by, path } in users {
        let how = match by.as_str() {
            "mount" => "has it in a namespace of its own".to_owned(),
            "cwd" => format!("works in /{path}"),
            by => format!("has /{path} open ({by})"),
        };
        text.line(format!("  used by {pid} ({command}): {how}"));
    }
}

/// What healing did, for people.
pub fn healed(mounts: &[Healed]) -> Text {
    let mut text = Text::default();
    for healed in mounts {
        text.line(line(&healed.before));
        named(&mut text, &healed.users);
        for done in &healed.actions {
            let error = done.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
            let action = serde_json::to_value(done.action).unwrap_or_default();
            text.line(format!("  {}{error}", action.as_str().unwrap_or_default()));
        }
        if let Some(after) = &healed.after {
            text.line(match after.state {
                State::Healthy => format!("  {} is healthy again", after.at),
                _ => format!("  now {}", line(after)),
            });
        }
        if healed.is_refused() {
            text.line("  only a person can help here; docs/mounts.md says how");
        }
        healed.log.iter().for_each(|line| text.line(format!("  its program wrote: {line}")));
    }
    text
}
