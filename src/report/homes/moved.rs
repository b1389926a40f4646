//! What a cut-over or a roll-back came to.

use serde::Serialize;
use sftpctl_core::shown::Text;
use sftpctl_files::homes::returned::Returned;

use super::size;
use sftpctl_core::text::{counted, either};

/// Reasons that are shown.
const SHOWN: usize = 5;

/// A home, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MovedView<'a> {
    pub org_id: i64,
    /// `cut over` or, after a dry run, `would be cut over` or `cut over already`; `rolled back` or, if there was nothing to
    /// roll back but the freeze, `thawed`.
    pub what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub notes: &'a [String],
}

impl MovedView<'_> {
    /// A home, for people.
    pub fn text(&self) -> Text {
        let Self { org_id, what, failure, notes } = self;
        let mut text = match failure {
            None => Text::from(format!("home {org_id}: {what}")),
            Some(why) if what.starts_with("would") => Text::from(format!("home {org_id}: would be refused: {why}")),
            Some(why) => Text::from(format!("home {org_id}: not {what}: {why}")),
        };
        notes.iter().for_each(|note| text.line(format!("  {note}")));
        text
    }
}

/// What was brought back, a line each.
pub fn notes(returned: &Returned) -> Vec<String> {
    let Returned { returned: count, bytes, left, left_count, deleted, .. } = returned;
    let mut notes = vec![format!("{} brought back, {}", counted(*count, "object"), size(*bytes))];
    if *deleted > 0 {
        let words = either(*deleted, "was deleted in S3 since, and is", "were deleted in S3 since, and are");
        notes.push(format!("{} {words} kept on the disk", counted(*deleted, "file")));
    }
    if *left_count > 0 {
        notes.push(format!("{} could not be brought back:", counted(*left_count, "object")));
        notes.extend(left.iter().take(SHOWN).map(|(key, why)| format!("{key}: {why}")));
    }
    notes
}
