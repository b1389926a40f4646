//! Rows against items, account by account: what is written, what stays, what is rejected.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;

use sftp_authorizer::Item;
use sftp_authorizer::password::is_over;
use sftpctl_core::shell_word::shell_word;

use super::absent::Absent;
use super::compare::{self, HOME, IMPORTED, PASSWORD, Proof, Terms, UPDATED, Verdict, text};
use super::differences;
use super::held::Removal;
use super::moves::{Moves, Step};
use super::reading::on_all_processors;
use super::rejected::{Reason, Rejected, Whose, shown};
use super::review::{Review, ReviewError};
use super::row::Remark;
use super::wanted::{Change, Wanted, key_of, label};
use crate::bulk::watch::{Progress, Watch};
use crate::key::TableKey;
use crate::spill::{PARTS, Spill};

/// Hardened passwords that are computed between two looks at the request to stop.
const PROVEN_AT_ONCE: usize = 256;

/// Compares rows with items, by organisation.
pub(super) async fn compare_accounts(
    mut wanted: Spill<Wanted>,
    (mut held, mut removals, mut reserved): (Spill<Item>, Spill<Removal>, Option<Spill<Item>>),
    mut rejected: Spill<Rejected>,
    (terms, key): (&Terms, TableKey),
    (absent, moves): (&mut Absent, &mut Moves),
    (review, watch): (&mut Review, &dyn Watch),
) -> Result<(), ReviewError> {
    let mut proven = 0;
    for part in 0..PARTS {
        let mut faulty = HashSet::new();
        for fault in rejected.read(part)? {
            reject(review, part, &fault?, &mut faulty)?;
        }
        let mut items: HashMap<String, Item> = HashMap::new();
        for item in held.read(part)? {
            let item = item?;
            review.counts.of_former_name += u64::from(terms.has_former_name(&item));
            items.extend(key_of(key, &item).map(|key| (key, item)));
        }
        let mut removed: HashMap<String, String> = HashMap::new();
        for removal in removals.read(part)? {
            let Removal { key, time } = removal?;
            removed.insert(key, time);
        }
        let mut rows: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
        for wanted in wanted.read(part)? {
            let wanted = wanted?;
            rows.entry(wanted.key.clone()).or_default().push(wanted);
        }
        if let Some(reserved) = &mut reserved {
            for account in reserved.read(part)? {
                let account = account?;
                let key = key_of(key, &account);
                // An import that was killed has left the reservation of an account that this one adds.
                let is_coming = |rows: &Vec<Wanted>| rows.iter().any(|row| row.name() == text(&account, "username"));
                if key.as_ref().and_then(|key| rows.get(key)).is_some_and(is_coming) {
                    continue;
                }
                keep_stale(review, part, &account, key.as_ref().and_then(|key| items.get(key)))?;
            }
        }
        let mut unproven = Vec::new();
        for (key, mut claims) in rows {
            let item = items.remove(&key);
            if claims.len() > 1 {
                for (index, claim) in claims.iter().enumerate() {
                    let rival = claims.iter().enumerate().find(|(other, _)| *other != index);
                    let place = rival.map_or("", |(_, rival)| rival.place.as_str());
                    let fault = org_fault(claim, Reason::DuplicateOrg, format!("{place} has the same organisation ID"));
                    absent.spare(Some(claim.org_id), claim.name())?;
                    reject(review, part, &fault, &mut faulty)?;
                }
                continue;
            }
            let Some(claim) = claims.pop().filter(|claim| !faulty.contains(&claim.row)) else { continue };
            let removed = removed.get(&key).filter(|_| item.is_none() && !terms.overwrite);
            if let (Some(time), Some(row)) = (removed, &claim.item) {
                keep_out(review, &claim, row, time)?;
                continue;
            }
            let verdict = claim.item.as_ref().map(|row| compare::compare(row, item.as_ref(), terms, Proof::None));
            match verdict {
                None => {}
                Some(Verdict::Unproven) => unproven.extend(item.map(|item| (claim, item))),
                Some(verdict) => {
                    decide(review, part, (claim, item), verdict, (terms, &mut *absent, &mut *moves), &mut faulty)?;
                }
            }
        }
        while !unproven.is_empty() {
            if watch.is_stopping() {
                return Err(ReviewError::Interrupted);
            }
            let some = unproven.split_off(unproven.len().saturating_sub(PROVEN_AT_ONCE));
            proven += some.len() as u64;
            for (claim, item, proof) in on_all_processors(some, prove).await? {
                let verdict = claim.item.as_ref().map(|row| compare::compare(row, Some(&item), terms, proof));
                let Some(verdict) = verdict else { continue };
                let context = (terms, &mut *absent, &mut *moves);
                decide(review, part, (claim, Some(item)), verdict, context, &mut faulty)?;
            }
            watch.progress(Progress::Proving { done: proven });
        }
        for item in items.into_values() {
            let imported = text(&item, IMPORTED);
            if imported.is_none() {
                review.counts.only_in_table += 1;
                review.sample("only-in-table", || label(&item));
            } else if let Some(source) = terms.other_source(&item) {
                review.counts.of_other_sources += 1;
                review.sample("of-other-sources", || format!("{} of {source}", label(&item)));
            } else if imported == text(&item, UPDATED) {
                moves.depart(&item);
                absent.add(&item)?;
            } else {
                review.counts.removed_but_newer += 1;
                review.sample("removed-but-newer", || label(&item));
            }
        }
        review.counts.rejected += faulty.len() as u64;
    }
    Ok(())
}

/// Keeps the reservation of a name whose account is gone, or has another name.
fn keep_stale(review: &mut Review, part: usize, account: &Item, found: Option<&Item>) -> io::Result<()> {
    if found.is_some_and(|item| item.get("username") == account.get("username")) {
        return Ok(());
    }
    review.counts.stale_reservations += 1;
    review.sample("stale-reservations", || label(account));
    review.work.free();
    review.reserved.push_to(part, account)
}

/// What the operator should know of a new account: that nobody can log in with it, or that its capital letters count.
fn note_new(review: &mut Review, claim: &Wanted, row: &Item) -> io::Result<()> {
    let fault = review.admission.fault(row).filter(|_| text(row, "status") != Some("disabled"));
    if fault.is_some() {
        review.counts.shut_out += 1;
        review.sample("shut-out", || label(row));
    }
    let whose = Whose::new(Some(claim.org_id), claim.name());
    let mut note = |column: &str, before: &str, why: &str| {
        let (column, before, after, why) = (column.to_owned(), shown(before), String::new(), why.to_owned());
        review.note((claim.row, &claim.place), whose.clone(), Remark { column, before, after, why })
    };
    if let Some((column, value, why)) = fault {
        note(column, &value, why)?;
    }
    if let Some(name) = capitals(row) {
        note("username", name, "it has capital letters, and is admitted exactly as written")?;
    }
    Ok(())
}

/// Leaves out a row whose account was removed from the table.
fn keep_out(review: &mut Review, claim: &Wanted, row: &Item, time: &str) -> io::Result<()> {
    review.counts.kept_out += 1;
    review.sample("kept-out", || label(row));
    let why = format!("the account was removed from the table at {time}, and is kept out (--overwrite brings it back)");
    let remark = Remark { column: "username".into(), before: label(row), after: String::new(), why };
    review.note((claim.row, &claim.place), Whose::new(Some(claim.org_id), claim.name()), remark)
}

/// Computes whether an item's hardened password is over a row's hash.
fn prove((claim, item): (Wanted, Item)) -> (Wanted, Item, Proof) {
    let row = claim.item.as_ref().and_then(|row| text(row, PASSWORD));
    let is_over = row.zip(text(&item, PASSWORD)).is_some_and(|(row, stored)| is_over(stored, row));
    (claim, item, if is_over { Proof::Over } else { Proof::NotOver })
}

/// Counts a verdict, and keeps what is to be written.
fn decide(
    review: &mut Review,
    part: usize,
    (claim, item): (Wanted, Option<Item>),
    verdict: Verdict,
    (terms, absent, moves): (&Terms, &mut Absent, &mut Moves),
    faulty: &mut HashSet<u64>,
) -> Result<(), ReviewError> {
    let Some(row) = &claim.item else { return Ok(()) };
    let change = |item: Option<Item>, attributes| Change {
        number: claim.row,
        place: claim.place.clone(),
        written: claim.written.clone(),
        row: row.clone(),
        item: item.unwrap_or_default(),
        attributes,
        is_newer: false,
    };
    let is_set = |name: &str| match &verdict {
        Verdict::New => true,
        Verdict::Changed(attributes) | Verdict::Repaired { attributes, .. } => attributes.iter().any(|of| of == name),
        _ => false,
    };
    let is_renamed = is_set("username") && moves.concern(&claim.key);
    let is_moved = is_set(HOME) && moves.homes.concern(&claim.key);
    // One that only leaves a folder is written for its name; who waits for the folder is then rejected.
    if is_renamed && is_set(HOME) && moves.homes.takes(&claim.key) {
        let reason = "its user name and its home folder both pass to it from another organisation: change one of them \
                      first"
            .to_owned();
        absent.spare(Some(claim.org_id), claim.name())?;
        return Ok(reject(review, part, &org_fault(&claim, Reason::SharedHome, reason), faulty)?);
    }
    if matches!(verdict, Verdict::New) {
        note_new(review, &claim, row)?;
    }
    match verdict {
        Verdict::New if is_moved => moves.homes.add(claim.key.clone(), Step::New(claim)),
        Verdict::New if moves.concern(&claim.key) => moves.add(claim.key.clone(), Step::New(claim)),
        Verdict::New => {
            count_new(review, row);
            review.new.push_to(part, &claim)?;
        }
        Verdict::Same | Verdict::Unproven => count_same(review, row),
        Verdict::Renewed => {
            count_same(review, row);
            review.counts.renewed += 1;
            let change = change(item, Vec::new());
            review.work.change(&change);
            review.changed.push_to(part, &change)?;
        }
        Verdict::Newer => {
            review.counts.newer += 1;
            review.sample("newer", || label(row));
            count_capitals(review, row);
        }
        Verdict::Changed(attributes) => {
            let change = change(item, attributes);
            write_change(review, part, change, (&claim.key, moves))?;
        }
        Verdict::Repaired { attributes, is_newer } => {
            let change = Change { is_newer, ..change(item, attributes) };
            write_change(review, part, change, (&claim.key, moves))?;
        }
        Verdict::Malformed(reason) => {
            absent.spare(Some(claim.org_id), claim.name())?;
            reject(review, part, &org_fault(&claim, Reason::MalformedItem, reason), faulty)?;
        }
        Verdict::Conflict(attributes) => {
            let other = item.as_ref().and_then(|item| terms.other_source(item));
            let since = item.as_ref().and_then(|item| text(item, UPDATED));
            let since = since.map_or_else(String::new, |time| format!(" at {time}"));
            let attributes = attributes.join(", ");
            let reason = match other {
                Some(other) => format!(
                    "the account in the table was brought by another source, `{other}`, and differs in {attributes}; \
                     pass --source-name {} if it is the same source, or --overwrite to replace the account",
                    shell_word(other)
                ),
                None => format!(
                    "the account in the table was changed{since} by something else than this import, and differs in \
                     {attributes}; pass --overwrite to replace it"
                ),
            };
            absent.spare(Some(claim.org_id), claim.name())?;
            reject(review, part, &org_fault(&claim, Reason::Conflict, reason), faulty)?;
        }
    }
    Ok(())
}

/// Keeps a change, or has it wait for a name or a folder that passes on.
fn write_change(review: &mut Review, part: usize, change: Change, (key, moves): (&str, &mut Moves)) -> io::Result<()> {
    if moves.concern(key) && change.is_renamed() {
        moves.add(key.to_owned(), Step::Changed(change));
        return Ok(());
    }
    if moves.homes.concern(key) && change.is_moved() {
        moves.homes.add(key.to_owned(), Step::Changed(change));
        return Ok(());
    }
    count_change(review, &change)?;
    review.changed.push_to(part, &change)
}

/// Counts an account that the table has as the source has it.
fn count_same(review: &mut Review, row: &Item) {
    count_capitals(review, row);
    review.counts.same += 1;
    review.sample("same", || label(row));
}

/// Counts an account that is added.
pub(super) fn count_new(review: &mut Review, row: &Item) {
    count_capitals(review, row);
    review.counts.new += 1;
    review.sample("new", || label(row));
    review.work.add(row, review.is_indexed);
}

/// Counts an account that is changed, and keeps what the report says of it.
pub(super) fn count_change(review: &mut Review, change: &Change) -> io::Result<()> {
    let Change { row, attributes, .. } = change;
    count_capitals(review, row);
    review.counts.changed += 1;
    if let Some((old, new)) = differences::folders(change) {
        review.counts.folder_changed += 1;
        review.sample("folder-changed", || format!("{}: {old} → {new}", label(row)));
    }
    review.sample("changed", || format!("{}: {}", label(row), attributes.join(", ")));
    review.work.change(change);
    differences::keep(&mut review.differing, change, &review.admission)
}

/// The user name, if it has capital letters. Where names are compared without case, they are stored in lower case.
fn capitals(row: &Item) -> Option<&str> {
    text(row, "username").filter(|name| name.contains(|c: char| c.is_ascii_uppercase()))
}

fn count_capitals(review: &mut Review, row: &Item) {
    if let Some(name) = capitals(row) {
        review.counts.capitals += 1;
        review.sample("capitals", || name.to_owned());
    }
}

/// Rejects a row after the others were compared.
pub(super) fn reject_late(review: &mut Review, fault: &Rejected) -> io::Result<()> {
    review.counts.rejected += 1;
    reject(review, 0, fault, &mut HashSet::new())
}

fn org_fault(claim: &Wanted, kind: Reason, reason: String) -> Rejected {
    let (column, value) = ("orgid".to_owned(), claim.org_id.to_string());
    let whose = Whose::new(Some(claim.org_id), claim.name());
    Rejected { row: claim.row, place: claim.place.clone(), whose, column, value, reason, kind }
}

fn reject(review: &mut Review, part: usize, fault: &Rejected, faulty: &mut HashSet<u64>) -> io::Result<()> {
    // A row with several faults is a sample once.
    if faulty.insert(fault.row) {
        review.sample_rejected(fault.row, || fault.words());
    }
    *review.reasons.entry(fault.kind).or_default() += 1;
    review.rejected.push_to(part, fault)
}
