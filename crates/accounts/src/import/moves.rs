//! User names that pass from one organisation to another within one source: `a` gets the name that `b` gives up. Each
//! such account waits for the one before it, and two that exchange their names wait for each other; so they are put in
//! chains, whose accounts are written together. Where an organisation may have several accounts, one with another name
//! is another account: the name becomes free with the deletion of the old one.
//!
//! In memory, and therefore limited in number.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use sftp_authorizer::Item;

use super::absent::Absent;
use super::decide::{count_change, count_new, reject_late};
use super::homes::Homes;
use super::rejected::{Reason, Rejected, Whose};
use super::review::{Review, ReviewError};
use super::wanted::{Change, Claim, Wanted, key_of, label};
use crate::key::TableKey;

/// Names of a source that pass from one organisation to another.
pub(super) const MOST: usize = 2_000;
/// Accounts that one transaction can write: each is two of its hundred actions, and the last name may be freed (Amazon
/// DynamoDB API reference, TransactWriteItems).
pub(super) const AT_ONCE: usize = 49;

/// Said of an account that keeps a name although the source does not have it any more. `sync` is the command that deletes
/// it.
fn departing(sync: &str) -> String {
    format!(", and that account is not in the source any more: `{sync}` deletes it first")
}

/// How accounts that are written together depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Each gets the name that the one before it gives up.
    Line,
    /// In a line, the first gets the name of the last, too.
    Circle,
    /// They get folders of each other, and none gets the name of another.
    Folders,
}

/// Accounts that are written together.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) steps: Vec<Step>,
    pub(super) form: Form,
}

/// An account of a chain.
#[derive(Clone, Debug)]
pub(super) enum Step {
    New(Wanted),
    Changed(Change),
}

impl Step {
    /// The account, for people.
    pub(super) fn label(&self) -> String {
        match self {
            Self::New(wanted) => wanted.item.as_ref().map(label).unwrap_or_default(),
            Self::Changed(change) => label(&change.row),
        }
    }
}

/// The account that has a name or a folder in the table.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(super) org_id: i64,
    /// As of [`Claim`].
    pub(super) key: String,
}

/// The moves of a source. Accounts are named by their keys, as of [`Claim`].
#[derive(Debug)]
pub(crate) struct Moves {
    key: TableKey,
    /// By the account that gets a name: its claim, and the account that has the name in the table.
    wanted: BTreeMap<String, (Claim, Owner)>,
    owners: BTreeSet<String>,
    /// Owners that the source does not have any more, and that an import brought.
    departing: BTreeSet<String>,
    steps: BTreeMap<String, Step>,
    pub(super) homes: Homes,
}

impl Moves {
    pub(super) fn new(key: TableKey) -> Self {
        let (wanted, owners, departing, steps, homes) = Default::default();
        Self { key, wanted, owners, departing, steps, homes }
    }

    /// Keeps the claim of a name that the table has for `owner`; false if there are too many.
    pub(super) fn expect(&mut self, claim: &Claim, owner: &Owner) -> bool {
        if self.wanted.len() >= MOST && !self.wanted.contains_key(&claim.key) {
            return false;
        }
        self.wanted.insert(claim.key.clone(), (claim.clone(), owner.clone()));
        self.owners.insert(owner.key.clone());
        true
    }

    /// Whether an account waits for another, or another for it.
    pub(super) fn concern(&self, key: &str) -> bool {
        self.wanted.contains_key(key) || self.owners.contains(key)
    }

    /// Notes that the source does not have an account any more.
    pub(super) fn depart(&mut self, item: &Item) {
        self.departing.extend(key_of(self.key, item).filter(|key| self.owners.contains(key)));
    }

    /// Adds an account that would be written with a new name.
    pub(super) fn add(&mut self, key: String, step: Step) {
        self.steps.insert(key, step);
    }

    /// Gives the review the chains, and rejects the accounts whose names do not become free. With `deletes`, accounts
    /// that the source does not have any more give theirs up.
    pub(super) fn settle(
        mut self,
        review: &mut Review,
        absent: &mut Absent,
        (deletes, sync): (bool, &str),
    ) -> Result<(), ReviewError> {
        // By the account that gives a name up: the one that gets it. Names that several rows claim are rejected.
        let next: BTreeMap<String, String> = self
            .wanted
            .iter()
            .filter(|(key, _)| self.steps.contains_key(*key))
            .map(|(key, (_, owner))| (owner.key.clone(), key.clone()))
            .collect();
        let free: Vec<String> = self.steps.keys().filter(|key| !self.wanted.contains_key(*key)).cloned().collect();
        for first in free {
            let steps = self.chain(first, &next).into_iter().map(|(_, step)| step).collect();
            keep(review, Chain { steps, form: Form::Line })?;
        }
        // What is left waits for a name that is not given up, or is in a circle.
        let waits = |(claim, owner): &(Claim, Owner)| {
            let is_waiting = self.steps.contains_key(&claim.key) && !self.steps.contains_key(&owner.key);
            is_waiting.then(|| (claim.clone(), owner.clone()))
        };
        for (claim, owner) in self.wanted.values().filter_map(waits).collect::<Vec<_>>() {
            let is_departing = self.departing.contains(&owner.key) && absent.is_gone(owner.org_id, &claim.name)?;
            let chain = self.chain(claim.key, &next);
            if is_departing && deletes {
                let steps: Vec<Step> = chain.into_iter().map(|(_, step)| step).collect();
                count(review, &steps)?;
                review.after_deletions.push(Chain { steps, form: Form::Line });
                continue;
            }
            let mut reason = "has this user name in the table".to_owned();
            if is_departing {
                reason.push_str(&departing(sync));
            }
            let mut owner = owner.org_id;
            for (key, step) in chain {
                self.reject(review, absent, &key, format!("organisation {owner} {reason}"))?;
                reason = "has this user name in the table, and its own row, which gives it up, is rejected".to_owned();
                owner = step_org(&step);
            }
        }
        while let Some(first) = self.steps.keys().next().cloned() {
            let steps = self.chain(first, &next);
            if steps.len() <= AT_ONCE {
                let steps = steps.into_iter().map(|(_, step)| step).collect();
                keep(review, Chain { steps, form: Form::Circle })?;
                continue;
            }
            let reason = format!(
                "{} organisations exchange their user names in a circle, and at most {AT_ONCE} can be changed together: \
                 give one of them another name first",
                steps.len()
            );
            for (key, _) in steps {
                self.reject(review, absent, &key, reason.clone())?;
            }
        }
        self.homes.settle(review, absent)
    }

    /// Takes an account, and those that wait for it one after the other.
    fn chain(&mut self, first: String, next: &BTreeMap<String, String>) -> Vec<(String, Step)> {
        let (mut chain, mut at) = (Vec::new(), Some(first));
        while let Some((key, step)) = at.and_then(|key| self.steps.remove_entry(&key)) {
            at = next.get(&key).cloned();
            chain.push((key, step));
        }
        chain
    }

    fn reject(&self, review: &mut Review, absent: &mut Absent, key: &str, reason: String) -> Result<(), ReviewError> {
        let Some((claim, _)) = self.wanted.get(key) else { return Ok(()) };
        absent.spare(claim.org_id, Some(&claim.name))?;
        Ok(reject_late(review, &name_taken(claim, reason))?)
    }
}

/// The rejection of a row whose name another organisation has.
pub(super) fn name_taken(claim: &Claim, reason: String) -> Rejected {
    Rejected {
        row: claim.row,
        place: claim.place.clone(),
        whose: Whose::new(claim.org_id, Some(&claim.name)),
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
pub(super) fn count(review: &mut Review, steps: &[Step]) -> io::Result<()> {
    for step in steps {
        match step {
            Step::New(wanted) => {
                if let Some(row) = &wanted.item {
                    count_new(review, row);
                }
            }
            Step::Changed(change) => count_change(review, change)?,
        }
    }
    Ok(())
}

/// Counts the accounts of a chain, and keeps it; an account that nobody waits for is changed like any other.
fn keep(review: &mut Review, chain: Chain) -> Result<(), ReviewError> {
    count(review, &chain.steps)?;
    match <[Step; 1]>::try_from(chain.steps) {
        Ok([Step::Changed(change)]) => review.changed.push_to(0, &change)?,
        Ok([step @ Step::New(_)]) => review.chains.push(Chain { steps: vec![step], form: Form::Line }),
        Err(steps) => review.chains.push(Chain { steps, form: chain.form }),
    }
    Ok(())
}
