//! Claims of user names and folders, of which each has one holder.

use std::collections::{BTreeMap, HashMap};
use std::io;

use super::absent::Absent;
use super::moves::{self, Moves};
use super::rejected::{Reason, Rejected};
use super::review::{Review, ReviewError};
use super::wanted::Claim;
use crate::folders::{self, Folder};
use crate::spill::{PARTS, Spill};

/// Finds the names that several rows claim, or that the table has for another organisation. That one may give its name
/// up in the same source, which `moves` finds out, if there is one.
pub(super) fn compare_names(
    mut claims: Spill<Claim>,
    mut held: Spill<Claim>,
    rejected: &mut Spill<Rejected>,
    absent: &mut Absent,
    (review, mut moves): (&mut Review, Option<&mut Moves>),
) -> Result<(), ReviewError> {
    for part in 0..PARTS {
        let mut owners: HashMap<String, Vec<i64>> = HashMap::new();
        for claim in held.read(part)? {
            let claim = claim?;
            owners.entry(claim.name).or_default().extend(claim.org_id);
        }
        let mut names: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
        for claim in claims.read(part)? {
            let claim = claim?;
            names.entry(claim.name.clone()).or_default().push(claim);
        }
        let mut folded: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (name, claims) in &names {
            folded.entry(name.to_lowercase()).or_default().push(name);
            let others = owners.get(name).map_or(&[][..], Vec::as_slice);
            for claim in claims {
                if let Some(fault) = name_fault(claim, claims, others, moves.as_deref_mut()) {
                    absent.spare(claim.org_id, Some(name))?;
                    rejected.push(claim.key.as_bytes(), &fault)?;
                }
            }
        }
        for (_, variants) in folded.into_iter().filter(|(_, names)| names.len() > 1) {
            review.counts.case_variants += variants.len() as u64;
            review.sample("case-variants", || variants.join(", "));
        }
    }
    Ok(())
}

/// Finds the rows whose folder another organisation has, in the source or in the table, or whose folder meets it.
pub(super) fn compare_folders(
    mut folders: [Spill<Folder<Claim>>; 2],
    rejected: &mut Spill<Rejected>,
    absent: &mut Absent,
) -> io::Result<()> {
    for part in 0..PARTS {
        let mut all = Vec::new();
        for spill in &mut folders {
            for folder in spill.read(part)? {
                all.push(folder?);
            }
        }
        folders::shared(&all, |folder, rival| {
            let claim = &folder.of;
            if claim.row == 0 {
                return Ok(());
            }
            let fault = Rejected {
                row: claim.row,
                place: claim.place.clone(),
                column: "home".to_owned(),
                value: String::new(),
                reason: rival.words(folder),
                kind: Reason::SharedHome,
            };
            absent.spare(claim.org_id, Some(&claim.name))?;
            rejected.push(claim.key.as_bytes(), &fault)
        })?;
    }
    Ok(())
}

/// Why a claim of a name is refused.
fn name_fault(claim: &Claim, claims: &[Claim], others: &[i64], moves: Option<&mut Moves>) -> Option<Rejected> {
    let rivals: Vec<&str> =
        claims.iter().filter(|other| other.row != claim.row).map(|other| other.place.as_str()).take(3).collect();
    if !rivals.is_empty() {
        let more = claims.len().saturating_sub(1 + rivals.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let reason = format!("{}{more} has the same user name", rivals.join(", "));
        return Some(Rejected { kind: Reason::DuplicateName, ..moves::name_taken(claim, reason) });
    }
    let own = claim.org_id?;
    let owner = *others.iter().find(|owner| own != **owner)?;
    let mut reason = format!("organisation {owner} has this user name in the table");
    if let Some(moves) = moves.filter(|_| others.len() == 1) {
        if moves.expect(claim, own, owner) {
            return None;
        }
        reason
            .push_str(&format!("; at most {} names of a source can pass to other organisations at once", moves::MOST));
    }
    Some(moves::name_taken(claim, reason))
}
