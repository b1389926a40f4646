//! Home folders that pass from one organisation to another within one source: `a` gets the folder that `b` leaves, with
//! the files in it. Such accounts are written together, so that no two organisations have one folder at any time.
//!
//! In memory, and therefore limited in number. A folder inside another one, or around it, does not pass on.

use std::collections::{BTreeMap, BTreeSet};

use sftpctl_core::text::{counted, either};

use super::absent::Absent;
use super::decide::{count_change, count_new, reject_late};
use super::moves::{Chain, Form, Owner, Step};
use super::rejected::{Reason, Rejected, Whose};
use super::review::{Review, ReviewError};
use super::wanted::Claim;

/// Folders of a source that pass from one organisation to another.
pub(super) const MOST: usize = 2_000;
/// Accounts that one transaction can write: each is at most three of its hundred actions (Amazon DynamoDB API reference,
/// TransactWriteItems).
pub(super) const AT_ONCE: usize = 33;
/// Accounts that a remark names.
const NAMED: usize = 5;

/// An account that gets a folder.
#[derive(Debug)]
struct Taking {
    claim: Claim,
    /// `bucket/folder`.
    path: String,
    /// The accounts that have the folder in the table.
    owners: Vec<Owner>,
}

/// The folders of a source that pass on. Accounts are named by their keys, as of [`Claim`].
#[derive(Debug, Default)]
pub(crate) struct Homes {
    wanted: BTreeMap<String, Taking>,
    owners: BTreeSet<String>,
    steps: BTreeMap<String, Step>,
}

impl Homes {
    /// Keeps that a row gets a folder which these accounts have in the table, and leave; false if there are too many.
    pub(super) fn expect(&mut self, claim: &Claim, path: &str, owners: Vec<Owner>) -> bool {
        if self.wanted.len() >= MOST {
            return false;
        }
        self.owners.extend(owners.iter().map(|owner| owner.key.clone()));
        self.wanted.insert(claim.key.clone(), Taking { claim: claim.clone(), path: path.to_owned(), owners });
        true
    }

    /// Whether an account waits for another, or another for it.
    pub(super) fn concern(&self, key: &str) -> bool {
        self.wanted.contains_key(key) || self.owners.contains(key)
    }

    /// Whether an account gets a folder that another leaves.
    pub(super) fn takes(&self, key: &str) -> bool {
        self.wanted.contains_key(key)
    }

    /// Adds an account that would be written with a new folder.
    pub(super) fn add(&mut self, key: String, step: Step) {
        self.steps.insert(key, step);
    }

    /// Gives the review the accounts that are written together, and rejects those whose folders are not left.
    pub(super) fn settle(mut self, review: &mut Review, absent: &mut Absent) -> Result<(), ReviewError> {
        let stays = |steps: &BTreeMap<String, Step>, taking: &Taking| {
            let owner = taking.owners.iter().find(|owner| !steps.contains_key(&owner.key))?;
            steps.contains_key(&taking.claim.key).then_some(owner.org_id)
        };
        while let Some((taking, owner)) =
            self.wanted.values().find_map(|taking| Some((taking, stays(&self.steps, taking)?)))
        {
            reject(
                review,
                absent,
                taking,
                format!(
                    "organisation {owner} has the folder, and its row does not leave it, or changes its user name, too"
                ),
            )?;
            self.steps.remove(&taking.claim.key);
        }
        let mut beside: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for taking in self.wanted.values().filter(|taking| self.steps.contains_key(&taking.claim.key)) {
            for owner in &taking.owners {
                beside.entry(&taking.claim.key).or_default().push(&owner.key);
                beside.entry(&owner.key).or_default().push(&taking.claim.key);
            }
        }
        let (mut taken, mut named) = (0, Vec::new());
        while let Some(first) = self.steps.keys().next().cloned() {
            let (mut open, mut group) = (vec![first.as_str()], Vec::new());
            while let Some(key) = open.pop() {
                if let Some(entry) = self.steps.remove_entry(key) {
                    open.extend(beside.get(key).into_iter().flatten());
                    group.push(entry);
                }
            }
            if group.len() == 1 {
                group.into_iter().try_for_each(|(_, step)| alone(review, step))?;
                continue;
            }
            if group.len() > AT_ONCE {
                let reason = format!(
                    "{} accounts get home folders of each other, and at most {AT_ONCE} can be changed together: give one of \
                     them another folder first",
                    group.len()
                );
                for (key, step) in group {
                    match self.wanted.get(&key) {
                        Some(taking) => reject(review, absent, taking, reason.clone())?,
                        None => alone(review, step)?,
                    }
                }
                continue;
            }
            let takes = group.iter().filter(|(key, _)| self.wanted.contains_key(key));
            for (_, step) in takes {
                taken += 1;
                if named.len() < NAMED {
                    named.push(step.label());
                }
            }
            let steps: Vec<Step> = group.into_iter().map(|(_, step)| step).collect();
            super::moves::count(review, &steps)?;
            review.chains.push(Chain { steps, form: Form::Folders });
        }
        if taken > 0 {
            review.remarks.push(format!(
                "{} {} a home folder that another organisation leaves, with the files in it: {}",
                counted(taken, "account"),
                either(taken, "gets", "get"),
                named.join("; ")
            ));
        }
        Ok(())
    }
}

/// Keeps an account that nobody waits for.
fn alone(review: &mut Review, step: Step) -> Result<(), ReviewError> {
    match step {
        Step::New(wanted) => {
            wanted.item.iter().for_each(|row| count_new(review, row));
            review.new.push(wanted.key.as_bytes(), &wanted)?;
        }
        Step::Changed(change) => {
            count_change(review, &change)?;
            review.changed.push_to(0, &change)?;
        }
    }
    Ok(())
}

fn reject(review: &mut Review, absent: &mut Absent, taking: &Taking, reason: String) -> Result<(), ReviewError> {
    let Taking { claim, path, .. } = taking;
    absent.spare(claim.org_id, Some(&claim.name))?;
    let fault = Rejected {
        row: claim.row,
        place: claim.place.clone(),
        whose: Whose::new(claim.org_id, Some(&claim.name)),
        column: "home".to_owned(),
        value: super::rejected::shown(&format!("/{path}")),
        reason,
        kind: Reason::SharedHome,
    };
    Ok(reject_late(review, &fault)?)
}
