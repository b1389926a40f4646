//! An inventory as a file: every entry as CSV or JSON lines; on a page only those that are more than a plain file.

use std::io;

use serde::Serialize;
use sftpctl_files::homes::entry::{Entry, Kind};
use sftpctl_files::homes::name::{Raw, unseen};
use sftpctl_files::homes::plan::{Fate, Planned};

use crate::report::report_file::{Form, ReportFile};

/// The columns of the file.
pub const COLUMNS: &[&str] = &["home", "path", "kind", "bytes", "fate", "key", "concerns", "detail"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    home: i64,
    path: &'a Raw,
    kind: Kind,
    bytes: u64,
    mode: String,
    uid: u32,
    gid: u32,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    concerns: Vec<&'static str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
}

/// Adds an entry to the file.
///
/// # Errors
/// The file cannot be written.
pub fn add(report: &mut ReportFile, home: i64, entry: &Entry, planned: &Planned) -> io::Result<()> {
    if report.form() == Form::Html && planned.concerns.is_empty() {
        return Ok(());
    }
    let detail = detail(entry);
    let facts = &entry.facts;
    let line = Line {
        home,
        path: &entry.path,
        kind: entry.kind(),
        bytes: if entry.kind() == Kind::File { facts.size } else { 0 },
        mode: format!("{:07o}", facts.mode),
        uid: facts.uid,
        gid: facts.gid,
        fate: planned.fate.as_str(),
        key: planned.key.as_deref(),
        concerns: planned.concerns.iter().map(|concern| concern.as_str()).collect(),
        detail: &detail,
    };
    let class = match planned.fate {
        Fate::Left(_) => "bad",
        Fate::Skipped(_) => "minor",
        _ => "",
    };
    let (home, path, bytes) = (home.to_string(), line.path.to_string(), line.bytes.to_string());
    let concerns = line.concerns.join(" ");
    let key = line.key.unwrap_or_default();
    let cells = [&home, &path, line.kind.as_str(), &bytes, line.fate, key, &concerns, &detail];
    report.row(class, &cells, &line)
}

/// What is not seen of its name, where a link leads, who has a file open, why it cannot be read.
fn detail(entry: &Entry) -> String {
    let unseen = unseen(&entry.path).into_iter();
    let link = entry.link.iter().map(|link| format!("-> {}", link.target));
    let opened = entry.opened.iter().map(|by| {
        let how = if by.writes { "writes" } else { "reads" };
        format!("{} (process {}) {how} it", by.command, by.pid)
    });
    unseen.chain(link).chain(opened).chain(entry.unreadable.clone()).collect::<Vec<_>>().join("; ")
}
