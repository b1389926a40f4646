//! Accounts that are written together, since one gets the name or the folder that another gives up.

use sftp_authorizer::{Attribute, Item};
use sftpctl_aws::{AwsError, Write, Written as AllOrNone};

use super::super::compare::text;
use super::super::moves::{AT_ONCE, Chain, Form, Step};
use super::super::wanted::{Change, label};
use super::markers::{LAST_ATTEMPTS, no_marker};
use super::{Added, Batch, NEW, Of, Writer};
use crate::key::{REMOVED, RESERVED_BY};
use crate::store::unchanged_item;

/// Actions of a transaction (Amazon DynamoDB API reference, TransactWriteItems).
const WRITES: usize = 100;

/// An account of a chain.
enum Passing {
    Added(Added),
    Changed(Change),
}

impl Passing {
    fn of(&self) -> Of<'_> {
        match self {
            Self::Added(added) => added.of(),
            Self::Changed(change) => Of::change(change),
        }
    }
}

/// Keeps accounts that were to be written together as not written: why, and which of them is at fault.
fn miss_all(some: &[Passing], result: &mut Batch, (why, fault, overtaken): (&str, Option<usize>, bool)) {
    let faulty = fault.and_then(|at| some.get(at)).map(|passing| label(passing.of().item));
    for (at, passing) in some.iter().enumerate() {
        let why = match &faulty {
            Some(faulty) if fault != Some(at) => {
                format!("it is written together with {faulty}: {why}")
            }
            _ => why.to_owned(),
        };
        result.miss(&passing.of(), why, overtaken);
    }
}

fn org_id(item: &Item) -> Attribute {
    item.get("orgid").cloned().unwrap_or(Attribute::Other)
}

impl Writer {
    /// Writes a chain of accounts, each part of it in one transaction, so that no account is without its name at any time.
    pub(super) async fn exchange(&self, chain: Chain) -> Batch {
        let mut result = Batch::default();
        let steps = chain.steps.into_iter().flat_map(|step| match step {
            Step::New(wanted) => self.added([wanted]).into_iter().map(Passing::Added).collect::<Vec<_>>(),
            Step::Changed(change) => vec![Passing::Changed(change)],
        });
        let steps: Vec<Passing> = steps.collect();
        let mut is_stuck = false;
        for some in steps.chunks(AT_ONCE) {
            if is_stuck {
                let why = "an account before it, which gives up the user name, was not written";
                some.iter().for_each(|passing| result.overtaken(&passing.of(), why));
            } else {
                is_stuck = !self.pass_on(some, chain.form, &mut result).await;
            }
        }
        result
    }

    /// Writes accounts in one transaction; false if they were not written.
    async fn pass_on(&self, some: &[Passing], form: Form, result: &mut Batch) -> bool {
        let folders = some.iter().filter_map(|passing| match passing {
            Passing::Added(added) => Some(added.clone()),
            // The folder may become another, too; to put a marker that is there again does no harm.
            Passing::Changed(change) => change.is_moved().then(|| Added::of_change(change)),
        });
        let marked = self.with_markers(folders.collect(), LAST_ATTEMPTS).await;
        result.folders_resent.add(marked.resent);
        if let Some((_, error)) = marked.later.into_iter().chain(marked.missed).next() {
            miss_all(some, result, (&no_marker(error), None, false));
            return false;
        }
        let refused = match self.write_passed_on(some, form).await {
            Err(error) => {
                miss_all(some, result, (&error.to_string(), None, false));
                return false;
            }
            Ok(AllOrNone::Done) => None,
            Ok(AllOrNone::Refused(failed)) => Some(failed),
        };
        // After a refusal: the items have it already if an earlier attempt was carried out.
        if let Some(failed) = refused
            && !self.are_there(some).await
        {
            let first = failed.first().copied().unwrap_or_default();
            let (at, why) = match first.checked_sub(some.len()) {
                None => (first, "the account was changed by another writer"),
                Some(name) => (name, "another writer has taken the user name"),
            };
            miss_all(some, result, (why, Some(at), true));
            return false;
        }
        for passing in some {
            match passing {
                Passing::Added(_) => result.new += 1,
                Passing::Changed(change) => result.count(change),
            }
        }
        true
    }

    /// Writes accounts and names. Once more over reservations of others, if that is what refuses the names: their
    /// accounts may be gone.
    async fn write_passed_on(&self, some: &[Passing], form: Form) -> Result<AllOrNone, AwsError> {
        let (home, table) = (self.accounts.home(), self.accounts.table());
        let mut writes = self.passed_on(some, form);
        let written = home.write_items(table, &writes).await?;
        match &written {
            AllOrNone::Refused(failed) => {
                let (mut failed, freed) = (failed.clone(), 2 * some.len());
                // A name that nobody of them gets is another's by now, whose reservation stays.
                let mut at = 0;
                writes.retain(|_| {
                    at += 1;
                    at <= freed || !failed.contains(&(at - 1))
                });
                failed.retain(|at| *at < freed);
                match self.take_over(some, &failed, &mut writes).await? {
                    true => home.write_items(table, &writes).await,
                    false => Ok(AllOrNone::Refused(failed)),
                }
            }
            AllOrNone::Done => Ok(written),
        }
    }

    /// Has the writes take over the reservations that have refused them; false if they cannot, or an account did.
    async fn take_over(&self, some: &[Passing], failed: &[usize], writes: &mut Vec<Write>) -> Result<bool, AwsError> {
        for failed in failed {
            let passing = failed.checked_sub(some.len()).and_then(|at| some.get(at));
            let (Some(passing), Some(write)) = (passing, writes.get_mut(*failed)) else { return Ok(false) };
            let Some(name) = text(passing.of().item, "username") else { return Ok(false) };
            let stale = self.accounts.taking_over(name, org_id(passing.of().item)).await?;
            let Some(stale) = stale else { return Ok(false) };
            *write = stale.reservation;
            // A transaction cannot contain an item twice: that of a chain is there as it was read, or is not there.
            match some.iter().find(|passing| org_id(passing.of().item) == stale.owner) {
                Some(Passing::Changed(change)) if text(&change.item, "username") == Some(name) => return Ok(false),
                Some(_) => {}
                None => writes.push(stale.check),
            }
        }
        Ok(writes.len() <= WRITES)
    }

    /// The writes of a transaction: each account, each name, and the names that nobody gets.
    fn passed_on(&self, some: &[Passing], form: Form) -> Vec<Write> {
        let key = self.accounts.key();
        let accounts = some.iter().map(|passing| match passing {
            Passing::Added(added) => {
                Write::Put { item: added.item.clone(), condition: Some(NEW.to_owned()), values: Vec::new() }
            }
            Passing::Changed(change) => {
                let (condition, values) = unchanged_item(&change.item);
                let changes = self.set(change);
                Write::Update { key: key.key_of_item(&change.item), changes, condition: Some(condition), values }
            }
        });
        let org_id = |passing: &Passing| org_id(passing.of().item);
        let before = some.iter().map(Some);
        let first = if form == Form::Circle { some.last() } else { None };
        let before = std::iter::once(first).chain(before).map(|before| before.filter(|_| form != Form::Folders));
        let names = some.iter().zip(before).map(|(passing, before)| {
            let own = org_id(passing);
            // Free, its own, the mark of an account that was removed, or of the account that gives it up.
            let mut condition = format!("{NEW} OR {RESERVED_BY} = :org OR attribute_exists({REMOVED})");
            let mut values = vec![(":org".to_owned(), own)];
            if let Some(before) = before {
                condition.push_str(&format!(" OR {RESERVED_BY} = :before"));
                values.push((":before".to_owned(), org_id(before)));
            }
            Write::Put { item: self.reservation_of(passing.of().item), condition: Some(condition), values }
        });
        let mut writes: Vec<Write> = accounts.chain(names).collect();
        let freed: &[Passing] = match form {
            Form::Circle => &[],
            Form::Line => some.last().map(std::slice::from_ref).unwrap_or_default(),
            Form::Folders => some,
        };
        for freed in freed {
            if let Passing::Changed(Change { item, .. }) = freed
                && let (Some(name), own) = (text(item, "username"), self::org_id(item))
                && text(freed.of().item, "username") != Some(name)
            {
                writes.push(Write::Delete {
                    key: key.reservation_key(name),
                    condition: Some(format!("{NEW} OR {RESERVED_BY} = :org")),
                    values: vec![(":org".to_owned(), own)],
                });
            }
        }
        writes
    }

    /// Whether all of these accounts are in the table as they were to be written.
    async fn are_there(&self, some: &[Passing]) -> bool {
        for passing in some {
            let Ok(Some(found)) = self.found(passing.of().item).await else { return false };
            let is_there = match passing {
                Passing::Added(added) => found == added.item,
                Passing::Changed(change) => self.has_all(&found, change),
            };
            if !is_there {
                return false;
            }
        }
        true
    }
}
