//! The report of an import: every rejected row with its reasons, every account that is changed or deleted, and every
//! remark.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sftpctl_accounts::import::differences::{Difference, Outcome};
use sftpctl_accounts::import::rejected::{Rejected, Whose};
use sftpctl_accounts::import::review::{Noted, Review};
use sftpctl_accounts::import::row::Remark;
use sftpctl_accounts::import::write::Missed;
use sftpctl_core::text::counted;

use super::outcomes;
use crate::report::report_file::{Form, ReportFile};

/// A line of the report.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    row: u64,
    place: &'a str,
    /// `rejected`, `changed`, `folder-changed`, `disabled`, `enabled`, `deleted`, `gone`, `remark`, or of the writes
    /// `overtaken`, `failed` or `unchecked`.
    what: &'static str,
    column: &'a str,
    value: &'a str,
    /// What the value is taken as, where that is another form.
    #[serde(skip_serializing_if = "str::is_empty")]
    taken: &'a str,
    reason: &'a str,
    /// The organisation and the user name, of lines about an account.
    #[serde(skip_serializing_if = "str::is_empty")]
    org_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
}

impl<'a> From<&'a Rejected> for Line<'a> {
    fn from(from: &'a Rejected) -> Self {
        let Rejected { row, place, whose: Whose { org_id, username }, column, value, reason, kind: _ } = from;
        Line { row: *row, place, what: "rejected", column, value, taken: "", reason, org_id, username }
    }
}

impl<'a> From<&'a Noted> for Line<'a> {
    fn from(from: &'a Noted) -> Self {
        let Noted { row, place, whose: Whose { org_id, username }, remark } = from;
        let Remark { column, before, after, why } = remark;
        let what = "remark";
        Line { row: *row, place, what, column, value: before, taken: after, reason: why, org_id, username }
    }
}

impl<'a> From<&'a Missed> for Line<'a> {
    fn from(from: &'a Missed) -> Self {
        let Missed { row, place, account, written, overtaken, unchecked } = from;
        let what = match (unchecked, overtaken) {
            (true, _) => "unchecked",
            (_, true) => "overtaken",
            _ => "failed",
        };
        let value = written.as_ref().unwrap_or(&account.username);
        let (org_id, username) = (&account.org_id, &account.username);
        Line { row: *row, place, what, column: "username", value, taken: "", reason: &account.why, org_id, username }
    }
}

/// The line of an account that differs. One that the source does not have any more is deleted only where `deletes`.
fn difference(from: &Difference, deletes: bool) -> Line<'_> {
    let Difference { row, place, org_id, username, outcome, attributes, before, after } = from;
    let (what, reason) = match outcome {
        Outcome::Changed => ("changed", "these attributes get what the source has"),
        Outcome::FolderChanged => {
            ("folder-changed", "the files stay in the old folder, and have to be copied to the new one")
        }
        Outcome::Disabled => ("disabled", "the customer is admitted no more"),
        Outcome::Enabled => ("enabled", "the customer is admitted again"),
        Outcome::Gone if deletes => ("deleted", "the source does not have it any more; the files stay in the folder"),
        Outcome::Gone => ("gone", "the source does not have it any more; it is kept"),
    };
    Line { row: *row, place, what, column: attributes, value: before, taken: after, reason, org_id, username }
}

/// Removes the report of an earlier run, and finds out whether the new one can be written, before the source is read.
/// That of a run whose writes did not end is kept: what they changed is in no other report. Returns where.
///
/// # Errors
/// The folder cannot be written, or the report's place is a folder.
pub fn begin(path: &Path) -> io::Result<Option<PathBuf>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::NamedTempFile::new_in(folder)?;
    let mark = mark(path);
    if mark.exists() && path.is_file() {
        let free = (1_u32..).map(|number| beside(path, &number.to_string())).find(|kept| !kept.exists());
        let kept = free.unwrap_or_else(|| beside(path, "0"));
        std::fs::rename(path, &kept)?;
        removed(&mark)?;
        return Ok(Some(kept));
    }
    removed(path).map(|()| None)
}

/// A file beside the report: `rejected.csv.1`.
fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    PathBuf::from(name)
}

/// What is beside the report while its run writes.
fn mark(path: &Path) -> PathBuf {
    beside(path, "unfinished")
}

/// Marks the report before the writes.
///
/// # Errors
/// The mark cannot be written.
pub fn writes_begin(path: &Path) -> io::Result<()> {
    // A link that somebody has put there is replaced, not followed.
    removed(&mark(path))?;
    std::fs::File::create_new(mark(path)).map(drop)
}

/// Removes the mark, after everything was written.
///
/// # Errors
/// It cannot be removed.
pub fn writes_ended(path: &Path) -> io::Result<()> {
    removed(&mark(path))
}

/// Removes a file; a missing one is fine.
fn removed(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The columns.
const COLUMNS: [&str; 9] =
    ["row", "place", "what", "column", "value", "taken as", "reason", "organisation", "user name"];

/// Writes the report, before the writes and after them if some accounts were not written. `deletes` is whether accounts
/// are deleted that the source does not have any more.
///
/// # Errors
/// The file, or a temporary one, cannot be written.
pub fn write(path: &Path, form: Form, review: &mut Review, deletes: bool) -> io::Result<()> {
    let mut report = ReportFile::begin(path, form, &COLUMNS)?;
    let mut result = Ok(());
    let mut put = |class, line: Line<'_>| {
        if result.is_ok() {
            let row = line.row.to_string();
            let Line { place, what, column, value, taken, reason, org_id, username, .. } = &line;
            let cells: [&str; 9] = [row.as_str(), place, what, column, value, taken, reason, org_id, username];
            result = report.row(class, &cells, &line);
        }
    };
    review.rejected(|rejected| put("bad", rejected.into()))?;
    let (mut missed, mut unchecked) = (0_u64, 0_u64);
    review.missed(|one| {
        *(if one.unchecked { &mut unchecked } else { &mut missed }) += 1;
        put("bad", one.into());
    })?;
    review.differences(|one| put("minor", difference(one, deletes)))?;
    review.noted(|noted| put("minor", noted.into()))?;
    result?;
    let not_written = if missed > 0 { format!(", {} not written", counted(missed, "account")) } else { String::new() };
    let unchecked = match unchecked {
        0 => String::new(),
        _ => format!(", {} with a user name that may be another's", counted(unchecked, "account")),
    };
    let title = format!("Import: {} rejected{not_written}{unchecked}", counted(review.counts.rejected, "row"));
    report.finish(&title, &outcomes(review, "they are all in the table below"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_another_form_is_told_before_and_after() {
        let remark = Remark {
            column: "home".into(),
            before: "/home/MÃ¼ller".into(),
            after: "/home/Müller".into(),
            why: "encoded twice".into(),
        };
        let whose = Whose { org_id: "7".into(), username: "jan".into() };
        let noted = Noted { row: 1, place: "line 2".into(), whose, remark };
        let line = serde_json::to_value(Line::from(&noted)).unwrap();
        assert_eq!((&line["orgId"], &line["username"]), (&"7".into(), &"jan".into()));
        assert_eq!((&line["value"], &line["taken"]), (&"/home/MÃ¼ller".into(), &"/home/Müller".into()));
    }

    #[test]
    fn an_account_that_is_gone_is_deleted_only_by_a_sync_that_deletes() {
        let gone = Difference {
            row: 0,
            place: String::new(),
            org_id: "7".into(),
            username: "jan".into(),
            outcome: Outcome::Gone,
            attributes: "HomeDirectory".into(),
            before: "/bkt/7".into(),
            after: String::new(),
        };
        let line = serde_json::to_value(difference(&gone, true)).unwrap();
        let parts = [&line["what"], &line["value"], &line["orgId"], &line["username"]];
        assert_eq!(parts, ["deleted", "/bkt/7", "7", "jan"]);
        assert_eq!(difference(&gone, false).what, "gone");
    }

    #[test]
    fn no_report_of_an_earlier_run_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.csv");
        begin(&path).unwrap();
        std::fs::write(&path, "old").unwrap();
        begin(&path).unwrap();
        assert!(!path.exists());
        assert!(begin(&dir.path().join("none/r.csv")).is_err());
        // Unless its run was killed while it wrote.
        for kept in ["r.csv.1", "r.csv.2"] {
            std::fs::write(&path, kept).unwrap();
            writes_begin(&path).unwrap();
            assert_eq!(begin(&path).unwrap(), Some(dir.path().join(kept)));
            assert_eq!(std::fs::read_to_string(dir.path().join(kept)).unwrap(), kept);
        }
        let other = dir.path().join("other");
        std::fs::write(&other, "theirs").unwrap();
        std::os::unix::fs::symlink(&other, dir.path().join("r.csv.unfinished")).unwrap();
        std::fs::write(&path, "of a run that ended").unwrap();
        writes_begin(&path).unwrap();
        writes_ended(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&other).unwrap(), "theirs");
        assert_eq!(begin(&path).unwrap(), None);
        assert!(begin(dir.path()).is_err(), "a folder");
    }
}
