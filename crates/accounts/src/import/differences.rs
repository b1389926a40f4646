//! The accounts that are changed, disabled, enabled or deleted, one by one, for the report: after an import the operator
//! has to know whose files to copy from where, and which folders have files that nobody's account leads to.

use std::io;

use serde::{Deserialize, Serialize};
use sftp_authorizer::Item;

use super::admission::Admission;
use super::compare::{HOME, text};
use super::rejected::shown;
use super::review::Review;
use super::wanted::{Change, org_id};
use crate::spill::{PARTS, Spill};

/// What becomes of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Attributes get other values.
    Changed,
    /// The home folder becomes another one; the files stay in the old one.
    FolderChanged,
    /// The customer is admitted no more: disabled, ended, or limited to regions without a server.
    Disabled,
    Enabled,
    /// The account was imported, and the source does not have it any more.
    Gone,
}

/// What becomes of one account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Difference {
    /// The number of the row in the source, from 1; 0 for an account that the source does not have any more.
    pub row: u64,
    pub place: String,
    /// The organisation's ID; empty if the item has none.
    pub org_id: String,
    pub username: String,
    pub outcome: Outcome,
    /// The attributes that get other values, separated by commas.
    pub attributes: String,
    /// The folder that it has, and the one that it gets; empty for every other outcome.
    pub before: String,
    pub after: String,
}

impl Difference {
    fn new(item: &Item, outcome: Outcome, attributes: &str) -> Self {
        Self {
            row: 0,
            place: String::new(),
            org_id: org_id(item).map_or_else(String::new, |id| id.to_string()),
            username: shown(text(item, "username").unwrap_or_default()),
            outcome,
            attributes: attributes.to_owned(),
            before: String::new(),
            after: String::new(),
        }
    }

    /// An account that the source does not have any more, with the folder whose files stay.
    pub(super) fn gone(item: &Item) -> Self {
        Self { before: home(item), ..Self::new(item, Outcome::Gone, HOME) }
    }
}

fn home(item: &Item) -> String {
    shown(text(item, HOME).unwrap_or_default())
}

/// The folders of an account before and after a change, if they are two.
pub(super) fn folders(change: &Change) -> Option<(&str, &str)> {
    let (old, new) = text(&change.item, HOME).zip(text(&change.row, HOME))?;
    (old != new && change.is_moved()).then_some((old, new))
}

/// The lines of a changed account: all attributes, and what an operator looks for by itself. No value of a password is in
/// them.
fn of_change(change: &Change, admission: &Admission) -> Vec<Difference> {
    let of = |outcome, attributes: &str| Difference {
        row: change.number,
        place: change.place.clone(),
        ..Difference::new(&change.row, outcome, attributes)
    };
    let mut all = vec![of(Outcome::Changed, &change.attributes.join(", "))];
    if let Some((old, new)) = folders(change) {
        all.push(Difference { before: shown(old), after: shown(new), ..of(Outcome::FolderChanged, HOME) });
    }
    if let Some((is_shut_out, by)) = admission.turn(change) {
        all.push(of(if is_shut_out { Outcome::Disabled } else { Outcome::Enabled }, &by));
    }
    all
}

impl Review {
    /// Calls `take` with what becomes of every account that differs: those that the source does not have any more, then
    /// the others in the order of the source.
    ///
    /// # Errors
    /// A temporary file cannot be read.
    pub fn differences(&mut self, mut take: impl FnMut(&Difference)) -> io::Result<()> {
        for part in 0..PARTS {
            for item in self.removed.read(part)? {
                take(&Difference::gone(&item?));
            }
        }
        let rows = self.counts.read;
        super::review::in_order(&mut self.differing, rows, |difference| difference.row, take)
    }
}

/// Keeps the lines of a changed account.
pub(super) fn keep(differing: &mut Spill<Difference>, change: &Change, admission: &Admission) -> io::Result<()> {
    of_change(change, admission)
        .iter()
        .try_for_each(|difference| differing.push(&difference.row.to_be_bytes(), difference))
}
