//! Accounts of the table that the source does not have any more. A rejected row is no proof of that: the account that
//! it may be about is spared, whether the row names its organisation or its user name.
//!
//! On disk in parts, as everything in a review: first compared by organisations, then by names.

use std::collections::HashSet;
use std::io;

use sftp_authorizer::Item;
use sftp_authorizer::question::is_user_name;

use super::compare::text;
use super::review::Review;
use super::wanted::{label, org_id};
use crate::bulk::spread::part_of;
use crate::spill::{PARTS, Spill};

/// Accounts that were imported and that no row is about, and what the rejected rows are about.
pub(crate) struct Absent {
    /// Whether an organisation may have several accounts: then only organisation and name together are an account.
    needs_both: bool,
    items: Spill<Item>,
    orgs: Spill<i64>,
    /// In lower case.
    names: Spill<String>,
    /// Rejected rows that do not say which account they are about, so that it may be any.
    nameless: u64,
}

impl Absent {
    pub(crate) fn new(needs_both: bool) -> io::Result<Self> {
        let (items, orgs, names) = (Spill::new()?, Spill::new()?, Spill::new()?);
        Ok(Self { needs_both, items, orgs, names, nameless: 0 })
    }

    /// Keeps what a row says about its account that is rejected by itself, and may not say which account it is about.
    pub(super) fn reject(&mut self, org_id: Option<i64>, name: Option<&str>) -> io::Result<()> {
        let has_name = name.is_some_and(|name| is_user_name(name.trim()));
        let is_nameless = match self.needs_both {
            true => org_id.is_none() || !has_name,
            false => org_id.is_none() && !has_name,
        };
        self.nameless += u64::from(is_nameless);
        self.spare(org_id, name)
    }

    /// Keeps what a rejected row says about its account.
    pub(super) fn spare(&mut self, org_id: Option<i64>, name: Option<&str>) -> io::Result<()> {
        if let Some(id) = org_id {
            self.orgs.push(&id.to_be_bytes(), &id)?;
        }
        if let Some(name) = name.map(|name| name.trim().to_lowercase()) {
            self.names.push(name.as_bytes(), &name)?;
        }
        Ok(())
    }

    /// Adds an account that no row is about.
    pub(super) fn add(&mut self, item: &Item) -> io::Result<()> {
        self.items.push(&org_id(item).unwrap_or_default().to_be_bytes(), item)
    }

    /// Whether an account that no row is about is gone: no rejected row may be about it.
    pub(super) fn is_gone(&mut self, org_id: i64, name: &str) -> io::Result<bool> {
        let (org, name) = (org_id.to_be_bytes(), name.to_lowercase());
        for spared in self.orgs.read(part_of(&org, PARTS))? {
            if spared? == org_id {
                return Ok(false);
            }
        }
        for spared in self.names.read(part_of(name.as_bytes(), PARTS))? {
            if spared? == name {
                return Ok(false);
            }
        }
        Ok(self.nameless == 0)
    }

    /// Gives the review the accounts that are gone from the source, without those that are spared.
    pub(super) fn settle(mut self, review: &mut Review) -> io::Result<()> {
        review.counts.nameless = self.nameless;
        let mut named: Spill<Item> = Spill::new()?;
        for part in 0..PARTS {
            let orgs = self.orgs.read(part)?.collect::<io::Result<HashSet<i64>>>()?;
            for item in self.items.read(part)? {
                let item = item?;
                match self.nameless > 0 || org_id(&item).is_some_and(|id| orgs.contains(&id)) {
                    true => spared(review, &item),
                    false => named.push(name(&item).as_bytes(), &item)?,
                }
            }
        }
        for part in 0..PARTS {
            let names = self.names.read(part)?.collect::<io::Result<HashSet<String>>>()?;
            for item in named.read(part)? {
                let item = item?;
                if names.contains(&name(&item)) {
                    spared(review, &item);
                    continue;
                }
                review.counts.removed += 1;
                review.sample("removed", || label(&item));
                review.work.delete(&item);
                review.removed.push_to(part, &item)?;
            }
        }
        Ok(())
    }
}

fn name(item: &Item) -> String {
    text(item, "username").unwrap_or_default().to_lowercase()
}

fn spared(review: &mut Review, item: &Item) {
    review.counts.spared += 1;
    review.sample("spared", || label(item));
}
