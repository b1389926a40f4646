//! Folders of the old server that rows of several organisations name. Each organisation gets a folder of its own, so
//! that what they shared there is nobody's alone.

use std::collections::HashMap;
use std::io;

use serde::{Deserialize, Serialize};
use sftpctl_core::text::counted;

use super::rejected::Whose;
use super::review::Review;
use super::row::Remark;
use crate::spill::{PARTS, Spill};

/// A row's folder on the old server.
#[derive(Serialize, Deserialize)]
pub(super) struct OldFolder {
    /// Without `/` at its end.
    pub(super) path: String,
    pub(super) org_id: i64,
    /// The user name.
    pub(super) name: String,
    /// The row's number, and its place, as of [`Wanted`](super::wanted::Wanted).
    pub(super) row: u64,
    pub(super) place: String,
}

/// A folder's first row, and the first of another organisation.
struct Sharing {
    first: (i64, String),
    other: Option<(i64, String)>,
}

/// Adds a note to each row whose folder another organisation names, and one to the source with their number.
pub(super) fn note_shared(mut folders: Spill<OldFolder>, review: &mut Review) -> io::Result<()> {
    let (mut rows, mut sample) = (0, None);
    for part in 0..PARTS {
        let mut sharing: HashMap<String, Sharing> = HashMap::new();
        for folder in folders.read(part)? {
            let OldFolder { path, org_id, place, .. } = folder?;
            let found = sharing.entry(path).or_insert_with(|| Sharing { first: (org_id, place.clone()), other: None });
            if found.first.0 != org_id && found.other.is_none() {
                found.other = Some((org_id, place));
            }
        }
        sharing.retain(|_, sharing| sharing.other.is_some());
        if sharing.is_empty() {
            continue;
        }
        for folder in folders.read(part)? {
            let OldFolder { path, org_id, name, row, place } = folder?;
            let Some(Sharing { first, other: Some(other) }) = sharing.get(&path) else { continue };
            let (rival, at) = if first.0 == org_id { other } else { first };
            rows += 1;
            let before = super::rejected::shown(&path);
            sample.get_or_insert_with(|| format!("`{before}` ({place}, {at})"));
            let why = format!("organisation {rival} has this folder of the old server, too ({at}): each gets its own");
            let remark = Remark { column: "home".to_owned(), before, after: org_id.to_string(), why };
            review.note((row, &place), Whose::new(Some(org_id), Some(&name)), remark)?;
        }
    }
    if let Some(sample) = sample {
        review.remarks.push(format!(
            "{} of several organisations name one folder of the old server, such as {sample}: each organisation gets a \
             folder of its own. Decide whose the files in the old one are before they are copied",
            counted(rows, "row")
        ));
    }
    Ok(())
}
