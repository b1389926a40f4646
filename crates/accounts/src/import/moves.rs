//! User names that pass from one organisation to another within one source: `a` gets the name that `b` gives up. Each
//! such account waits for the one before it, and two that exchange their names wait for each other; so they are put in
//! chains, whose accounts are written together.
//!
//! In memory, and therefore limited in number.

use std::collections::{BTreeMap, BTreeSet};

use sftp_authorizer::Item;

use super::absent::Absent;
use super::decide::{count_change, count_new, reject_late};
use super::rejected::{Reason, Rejected};
use super::review::{Review, ReviewError};
use super::wanted::{Change, Claim, Wanted};

/// Names of a source that pass from one organisation to another.
pub(super) const MOST: usize = 2_000;
/// Accounts that one transaction can write: each is two of its hundred actions, and the last name may be freed (Amazon
/// DynamoDB API reference, TransactWriteItems).
pub(super) const AT_ONCE: usize = 49;

/// Said of an organisation that keeps a name although the source does not have it any more.
const DEPARTING: &str =
    ", and is not in the source any more: `sftpctl users sync --apply --delete` deletes its account first";

/// Accounts of which each gets the name that the one before it gives up; in a circle, the first that of the last.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) steps: Vec<Step>,
    pub(super) is_circle: bool,
}

/// An account of a chain.
#[derive(Clone, Debug)]
pub(super) enum Step {
    New(Wanted),
    Changed(Change),
}

/// The moves of a source.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// By the organisation that gets a name: its claim, and the organisation that has the name in the table.
    wanted: BTreeMap<i64, (Claim, i64)>,
    owners: BTreeSet<i64>,
    /// Owners that the source does not have any more, and whose accounts an import brought.
    departing: BTreeSet<i64>,
    /// By organisation.
    steps: BTreeMap<i64, Step>,
}

impl Moves {
    /// Keeps the claim of a name that the table has for `owner`; false if there are too many.
    pub(super) fn expect(&mut self, claim: &Claim, org_id: i64, owner: i64) -> bool {
        if self.wanted.len() >= MOST && !self.wanted.contains_key(&org_id) {
            return false;
        }
        self.wanted.insert(org_id, (claim.clone(), owner));
        self.owners.insert(owner);
        true
    }

    /// Whether an account waits for another, or another for it.
    pub(super) fn concern(&self, org_id: i64) -> bool {
        self.wanted.contains_key(&org_id) || self.owners.contains(&org_id)
    }

    /// Notes that the source does not have an account any more.
    pub(super) fn depart(&mut self, item: &Item) {
        self.departing.extend(super::wanted::org_id(item).filter(|org_id| self.owners.contains(org_id)));
    }

    /// Adds an account that would be written with a new name.
    pub(super) fn add(&mut self, org_id: i64, step: Step) {
        self.steps.insert(org_id, step);
    }

    /// Gives the review the chains, and rejects the accounts whose names do not become free. With `deletes`, accounts
    /// that the source does not have any more give theirs up.
    pub(super) fn settle(mut self, review: &mut Review, absent: &mut Absent, deletes: bool) -> Result<(), ReviewError> {
        // By the organisation that gives a name up: the one that gets it. Names that several rows claim are rejected.
        let next: BTreeMap<i64, i64> = self
            .wanted
            .iter()
            .filter(|(org_id, _)| self.steps.contains_key(org_id))
            .map(|(org_id, (_, owner))| (*owner, *org_id))
            .collect();
        let free: Vec<i64> = self.steps.keys().filter(|org_id| !self.wanted.contains_key(org_id)).copied().collect();
        for first in free {
            let chain = self.chain(first, &next);
            keep(review, Chain { steps: chain, is_circle: false })?;
        }
        // What is left waits for a name that is not given up, or is in a circle.
        let waiting = self.steps.keys().filter(|org_id| !self.has_step(self.owner_of(**org_id))).copied();
        for first in waiting.collect::<Vec<i64>>() {
            let mut owner = self.owner_of(first);
            let name = self.wanted.get(&first).map(|(claim, _)| claim.name.clone()).unwrap_or_default();
            let is_departing = self.departing.contains(&owner) && absent.is_gone(owner, &name)?;
            if is_departing && deletes {
                let steps = self.chain(first, &next);
                count(review, &steps);
                review.after_deletions.push(Chain { steps, is_circle: false });
                continue;
            }
            let mut reason = "has this user name in the table".to_owned();
            if is_departing {
                reason.push_str(DEPARTING);
            }
            for step in self.chain(first, &next) {
                let org_id = step_org(&step);
                self.reject(review, absent, org_id, format!("organisation {owner} {reason}"))?;
                reason = "has this user name in the table, and its own row, which gives it up, is rejected".to_owned();
                owner = org_id;
            }
        }
        while let Some(first) = self.steps.keys().next().copied() {
            let steps = self.chain(first, &next);
            if steps.len() <= AT_ONCE {
                keep(review, Chain { steps, is_circle: true })?;
                continue;
            }
            let reason = format!(
                "{} organisations exchange their user names in a circle, and at most {AT_ONCE} can be changed together: \
                 give one of them another name first",
                steps.len()
            );
            for step in steps {
                self.reject(review, absent, step_org(&step), reason.clone())?;
            }
        }
        Ok(())
    }

    fn owner_of(&self, org_id: i64) -> i64 {
        self.wanted.get(&org_id).map_or(0, |(_, owner)| *owner)
    }

    fn has_step(&self, org_id: i64) -> bool {
        self.steps.contains_key(&org_id)
    }

    /// Takes the account of an organisation, and those that wait for it one after the other.
    fn chain(&mut self, first: i64, next: &BTreeMap<i64, i64>) -> Vec<Step> {
        let (mut chain, mut org_id) = (Vec::new(), Some(first));
        while let Some(step) = org_id.and_then(|org_id| self.steps.remove(&org_id)) {
            chain.push(step);
            org_id = org_id.and_then(|org_id| next.get(&org_id)).copied();
        }
        chain
    }

    fn reject(&self, review: &mut Review, absent: &mut Absent, org_id: i64, reason: String) -> Result<(), ReviewError> {
        let Some((claim, _)) = self.wanted.get(&org_id) else { return Ok(()) };
        absent.spare(claim.org_id, Some(&claim.name))?;
        Ok(reject_late(review, &name_taken(claim, reason))?)
    }
}

/// The rejection of a row whose name another organisation has.
pub(super) fn name_taken(claim: &Claim, reason: String) -> Rejected {
    Rejected {
        row: claim.row,
        place: claim.place.clone(),
        column: "username".to_owned(),
        value: super::rejected::shown(claim.written.as_ref().unwrap_or(&claim.name)),
        reason,
        kind: Reason::NameTaken,
    }
}

fn step_org(step: &Step) -> i64 {
    match step {
        Step::New(wanted) => wanted.org_id,
        Step::Changed(change) => super::wanted::org_id(&change.row).unwrap_or_default(),
    }
}

/// Counts the accounts of a chain.
fn count(review: &mut Review, steps: &[Step]) {
    for step in steps {
        match step {
            Step::New(wanted) => {
                if let Some(row) = &wanted.item {
                    count_new(review, row);
                }
            }
            Step::Changed(change) => count_change(review, change),
        }
    }
}

/// Counts the accounts of a chain, and keeps it; an account that nobody waits for is changed like any other.
fn keep(review: &mut Review, chain: Chain) -> Result<(), ReviewError> {
    count(review, &chain.steps);
    match <[Step; 1]>::try_from(chain.steps) {
        Ok([Step::Changed(change)]) => review.changed.push_to(0, &change)?,
        Ok([step @ Step::New(_)]) => review.chains.push(Chain { steps: vec![step], is_circle: false }),
        Err(steps) => review.chains.push(Chain { steps, is_circle: chain.is_circle }),
    }
    Ok(())
}
