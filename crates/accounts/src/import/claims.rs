//! Claims of user names and folders, of which each has one holder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;

use serde::{Deserialize, Serialize};
use sftpctl_core::text::grouped;

use super::absent::Absent;
use super::homes::{self, Homes};
use super::moves::{self, Moves, Owner};
use super::rejected::{Reason, Rejected, Whose};
use super::wanted::Claim;
use crate::folders::{Folder, Manner, Shared};
use crate::spill::{PARTS, Spill};

/// Finds the names that several rows claim, or that the table has for another organisation. That one may give its name
/// up in the same source, which `moves` finds out, if there is one. Calls `variants` with the rows whose names differ only
/// by case from others, and all these names.
pub(crate) fn compare_names(
    mut claims: Spill<Claim>,
    mut held: Spill<Claim>,
    rejected: &mut Spill<Rejected>,
    absent: &mut Absent,
    (mut moves, mut variants): (Option<&mut Moves>, impl FnMut(&[&Claim], &[&str]) -> io::Result<()>),
) -> io::Result<()> {
    for part in 0..PARTS {
        let mut owners: HashMap<String, Vec<Owner>> = HashMap::new();
        for claim in held.read(part)? {
            let Claim { name, org_id, key, .. } = claim?;
            owners.entry(name).or_default().extend(org_id.map(|org_id| Owner { org_id, key }));
        }
        let mut names: BTreeMap<String, Vec<Claim>> = BTreeMap::new();
        for claim in claims.read(part)? {
            let claim = claim?;
            names.entry(claim.name.clone()).or_default().push(claim);
        }
        let mut folded: BTreeMap<String, Vec<&Claim>> = BTreeMap::new();
        for (name, claims) in &names {
            folded.entry(name.to_lowercase()).or_default().extend(claims);
            let others = owners.get(name).map_or(&[][..], Vec::as_slice);
            for claim in claims {
                if let Some(fault) = name_fault(claim, claims, others, moves.as_deref_mut()) {
                    absent.spare(claim.org_id, Some(name))?;
                    rejected.push(claim.key.as_bytes(), &fault)?;
                }
            }
        }
        let mut held: HashMap<String, Vec<&str>> = HashMap::new();
        for name in owners.keys() {
            held.entry(name.to_lowercase()).or_default().push(name);
        }
        for (name, claims) in folded {
            // An account that gets its own name in another case leaves the old one.
            let is_others =
                |name: &&&str| owners[**name].iter().any(|o| claims.iter().all(|c| c.org_id != Some(o.org_id)));
            let of_table = held.get(&name).into_iter().flatten().filter(is_others).copied();
            let all: BTreeSet<&str> = claims.iter().map(|claim| claim.name.as_str()).chain(of_table).collect();
            if all.len() > 1 {
                variants(&claims, &all.into_iter().collect::<Vec<_>>())?;
            }
        }
    }
    Ok(())
}

/// A claim of a folder, with what the other side has for the same account.
#[derive(Serialize, Deserialize)]
struct Holder {
    claim: Claim,
    /// For a row: the table has this folder for its account already. For an item: its row has another folder.
    is_other_side: bool,
    /// For a row: it gets the folder of accounts that leave it.
    takes_over: bool,
}

/// The rows' folders and the table's, by bucket and first folder.
fn holders(mut rows: Spill<Folder<Claim>>, mut held: Spill<Folder<Claim>>) -> io::Result<Spill<Folder<Holder>>> {
    let mut sides: [Spill<Folder<Claim>>; 2] = [Spill::new()?, Spill::new()?];
    for (side, of) in sides.iter_mut().zip([&mut rows, &mut held]) {
        for part in 0..PARTS {
            for folder in of.read(part)? {
                let folder = folder?;
                side.push(folder.of.key.as_bytes(), &folder)?;
            }
        }
    }
    let [mut rows, mut held] = sides;
    let mut all = Spill::new()?;
    for part in 0..PARTS {
        let rows = rows.read(part)?.collect::<io::Result<Vec<_>>>()?;
        let held = held.read(part)?.collect::<io::Result<Vec<_>>>()?;
        let paths = |of: &[Folder<Claim>]| -> HashMap<String, String> {
            of.iter().map(|folder| (folder.of.key.clone(), folder.path.clone())).collect()
        };
        let (of_rows, of_held) = (paths(&rows), paths(&held));
        let rows = rows.into_iter().map(|folder| {
            let is_there = of_held.get(&folder.of.key) == Some(&folder.path);
            (folder, is_there)
        });
        let held = held.into_iter().map(|folder| {
            let is_left = of_rows.get(&folder.of.key).is_some_and(|path| *path != folder.path);
            (folder, is_left)
        });
        for (Folder { path, org_id, of }, is_other_side) in rows.chain(held) {
            let folder = Folder { path, org_id, of: Holder { claim: of, is_other_side, takes_over: false } };
            all.push(folder.group().as_bytes(), &folder)?;
        }
    }
    Ok(all)
}

/// The folders that the source moves accounts out of, if they are few.
#[derive(Default)]
struct Left(BTreeMap<String, Vec<Owner>>);

impl Left {
    fn of(holders: impl Iterator<Item = io::Result<Folder<Holder>>>) -> io::Result<Self> {
        let mut left: BTreeMap<String, Vec<Owner>> = BTreeMap::new();
        let mut count = 0;
        for folder in holders {
            let Folder { path, org_id, of } = folder?;
            if of.claim.row == 0 && of.is_other_side {
                count += 1;
                left.entry(path).or_default().push(Owner { org_id, key: of.claim.key });
            }
            if count > homes::MOST {
                return Ok(Self::default());
            }
        }
        Ok(Self(left))
    }

    /// The accounts of other organisations that leave this folder; none if some leave one inside it or around it.
    fn owners(&self, path: &str, org_id: i64) -> Vec<Owner> {
        let is_others = |owner: &&Owner| owner.org_id != org_id;
        let has_others = |owners: &Vec<Owner>| owners.iter().any(|owner| is_others(&owner));
        let inside = format!("{path}/");
        let mut below = self.0.range(inside.clone()..).take_while(|(path, _)| path.starts_with(&inside));
        let is_around = |end: usize| path.get(..end).and_then(|path| self.0.get(path)).is_some_and(has_others);
        if below.any(|(_, owners)| has_others(owners)) || path.match_indices('/').any(|(end, _)| is_around(end)) {
            return Vec::new();
        }
        self.0.get(path).into_iter().flatten().filter(is_others).cloned().collect()
    }
}

/// Finds the rows whose folder another organisation has, in the source or in the table, or whose folder meets it. A row
/// that leaves its account where it is does not meet one that its own row moves away: the source mends what they shared.
/// Nor does one that gets the folder of such accounts, with which `homes` has it written together, if there is one.
pub(crate) fn compare_folders(
    [rows, held]: [Spill<Folder<Claim>>; 2],
    rejected: &mut Spill<Rejected>,
    absent: &mut Absent,
    mut homes: Option<&mut Homes>,
) -> io::Result<()> {
    let mut holders = holders(rows, held)?;
    for part in 0..PARTS {
        let left = if homes.is_some() { Left::of(holders.read(part)?)? } else { Left::default() };
        let mut shared = Shared::new();
        for folder in holders.read(part)? {
            let mut folder = folder?;
            let Folder { path, org_id, of } = &mut folder;
            if let Some(homes) = homes.as_deref_mut().filter(|_| of.claim.row != 0 && !of.is_other_side) {
                let owners = left.owners(path, *org_id);
                of.takes_over = !owners.is_empty() && homes.expect(&of.claim, path, owners);
            }
            shared.add(folder)?;
        }
        let manner = |of: &Holder| {
            let is_row = of.claim.row != 0;
            let ignores_left = is_row && (of.is_other_side || of.takes_over);
            Manner { is_asked: is_row, ignores_left, is_left: !is_row && of.is_other_side }
        };
        shared.find(manner, |folder, rival| {
            let claim = &folder.of.claim;
            let fault = Rejected {
                row: claim.row,
                place: claim.place.clone(),
                whose: Whose::new(claim.org_id, Some(&claim.name)),
                column: "home".to_owned(),
                value: super::rejected::shown(&format!("/{}", folder.path)),
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
fn name_fault(claim: &Claim, claims: &[Claim], others: &[Owner], moves: Option<&mut Moves>) -> Option<Rejected> {
    let rivals: Vec<&str> =
        claims.iter().filter(|other| other.row != claim.row).map(|other| other.place.as_str()).take(3).collect();
    if !rivals.is_empty() {
        let more = claims.len().saturating_sub(1 + rivals.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let reason = format!("{}{more} has the same user name", rivals.join(", "));
        return Some(Rejected { kind: Reason::DuplicateName, ..moves::name_taken(claim, reason) });
    }
    let own = claim.org_id?;
    let owner = others.iter().find(|owner| own != owner.org_id)?;
    let mut reason = format!("organisation {} has this user name in the table", owner.org_id);
    if let Some(moves) = moves.filter(|_| others.len() == 1) {
        if moves.expect(claim, owner) {
            return None;
        }
        reason.push_str(&format!(
            ", and at most {} names of a source can pass to other organisations in one run: pass --reject-limit, and \
             rerun for the others",
            grouped(moves::MOST as u64)
        ));
    }
    Some(moves::name_taken(claim, reason))
}
