//! Reads, hashes and writes at once: pages of the table, hashes on threads of their own, conditional writes by the
//! batch.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use serde::Serialize;
use sftp_authorizer::password::{Cost, Hardened};
use sftp_authorizer::{Attribute, Item};
use sftpctl_aws::{AwsError, BATCH, Statement};
use tokio::task::JoinSet;

use super::Options;
use super::found::{Found, found};
use crate::bulk::execute::{End, Resent, execute};
use crate::bulk::pace::{Ended, Limit, Pace, is_hopeless};
use crate::bulk::pages::Pages;
use crate::bulk::unwritten::Unwritten;
use crate::bulk::watch::{Progress, Watch};
use crate::change::timestamp;
use crate::import::compare::{IMPORTED, UPDATED, text};
use crate::password;
use crate::store::Accounts;

/// Passwords that a thread hashes before it reports: enough that it is never idle for long, and few, since a run that
/// is killed loses them.
const CHUNK: usize = 4;
/// Hashes that may wait for their writes while the table throttles.
const MOST_UNWRITTEN: usize = 8 * BATCH;
/// How often a write is tried that other writers overtake without changing the password.
const ATTEMPTS: usize = 5;

/// The attribute that is hardened.
const PASSWORD: &str = "password";

/// The result.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    pub hardened: u64,
    /// Accounts that got another password, or were removed, after they were read: by their owners, an import, or another
    /// machine that hardens. They are left as they are.
    pub overtaken: u64,
    /// Writes that the table throttled, and that were sent again.
    pub throttled: u64,
    /// Writes whose answers were lost, or that AWS could not carry out, and that were sent again.
    pub repeated: u64,
    /// Accounts that could not be written.
    pub failed: Vec<Unwritten>,
    /// Whether the run was asked to stop before its end.
    pub interrupted: bool,
}

impl Written {
    fn done(&self) -> u64 {
        self.hardened + self.overtaken + self.failed.len() as u64
    }
}

/// A run that ended early. What it hardened is in the table.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("a task failed: {0}")]
    Task(#[from] io::Error),
}

/// Hardens the passwords of a share, of which there are about `of`.
///
/// # Errors
/// The table cannot be read. What AWS refuses to write is in the result.
pub async fn run(accounts: &Arc<Accounts>, options: &Options, of: u64, watch: &dyn Watch) -> Result<Written, RunError> {
    let mut run = Run {
        accounts: Arc::clone(accounts),
        options: *options,
        waiting: VecDeque::new(),
        hashing: JoinSet::new(),
        hashed: Vec::new(),
        pace: Pace::new(),
        limit: Limit::new(options.writes_per_second),
        written: Written::default(),
    };
    let mut pages = Pages::of(accounts);
    let mut all_read = false;
    loop {
        if watch.is_stopping() || is_hopeless(run.written.failed.len(), run.written.hardened, of) {
            run.written.interrupted |= watch.is_stopping() && (!all_read || !run.waiting.is_empty());
            run.waiting.clear();
            all_read = true;
        }
        run.hash();
        run.write();
        if all_read && !run.has_more(all_read) && run.pace.is_idle() {
            return Ok(run.written);
        }
        let few_waiting = run.waiting.len() < options.cores.get() * CHUNK;
        tokio::select! {
            page = pages.next(), if !all_read && few_waiting => match page? {
                Some(items) => run.waiting.extend(items.into_iter().filter(|item| is_weak(item, options))),
                None => all_read = true,
            },
            Some(chunk) = run.hashing.join_next() => run.take_hashed(chunk.map_err(io::Error::other)?),
            batch = run.pace.next(), if !run.pace.is_idle() => {
                if let Some(batch) = batch? {
                    run.take_written(batch);
                }
            }
            // Nothing else keeps a hash from being written.
            () = run.limit.until_free(), if !run.hashed.is_empty() && run.pace.is_idle() => {}
        }
        watch.progress(Progress::Hardening { done: run.written.done(), of, throttled: run.written.throttled });
    }
}

fn is_weak(item: &Item, options: &Options) -> bool {
    matches!(found(item, options), Found::Weak(_))
}

/// What is under way.
struct Run {
    accounts: Arc<Accounts>,
    options: Options,
    /// Items to hash.
    waiting: VecDeque<Item>,
    hashing: JoinSet<Vec<Hashed>>,
    /// Items to write.
    hashed: Vec<Hashed>,
    pace: Pace<Batch>,
    limit: Limit,
    written: Written,
}

/// An item as it was read, and its new password, or why it has none.
type Hashed = (Item, Result<String, String>);

/// What became of a batch.
#[derive(Default)]
struct Batch {
    hardened: u64,
    overtaken: u64,
    resent: Resent,
    failed: Vec<Unwritten>,
    /// Items that have another weak password now.
    again: Vec<Item>,
}

impl Ended for Batch {
    fn sent_again(&self) -> u64 {
        self.resent.all()
    }
}

impl Run {
    /// Whether anything is left to read, hash or begin to write.
    fn has_more(&self, all_read: bool) -> bool {
        !all_read || !self.waiting.is_empty() || !self.hashing.is_empty() || !self.hashed.is_empty()
    }

    /// Begins to hash, on each core that is free.
    fn hash(&mut self) {
        while self.hashing.len() < self.options.cores.get()
            && self.hashed.len() < MOST_UNWRITTEN
            && !self.waiting.is_empty()
        {
            let chunk: Vec<Item> = self.waiting.drain(..CHUNK.min(self.waiting.len())).collect();
            let cost = self.options.cost;
            self.hashing.spawn_blocking(move || chunk.into_iter().map(|item| hardened(item, cost)).collect());
        }
    }

    fn take_hashed(&mut self, chunk: Vec<Hashed>) {
        for (item, hash) in chunk {
            match hash {
                Ok(_) => self.hashed.push((item, hash)),
                Err(why) => self.written.failed.push(Unwritten::new(&item, why)),
            }
        }
    }

    /// Begins to write a full batch; or any, if none is in flight, so that no hash waits.
    fn write(&mut self) {
        let most = self.limit.most(BATCH);
        while self.pace.has_room()
            && self.limit.is_free()
            && !self.hashed.is_empty()
            && (self.hashed.len() >= most || self.pace.is_idle())
        {
            let batch: Vec<Hashed> = self.hashed.drain(..most.min(self.hashed.len())).collect();
            self.limit.take(batch.len());
            let writer = Writer { accounts: Arc::clone(&self.accounts), options: self.options };
            self.pace.spawn(async move { writer.write(batch).await });
        }
    }

    fn take_written(&mut self, batch: Batch) {
        self.written.hardened += batch.hardened;
        self.written.overtaken += batch.overtaken;
        self.written.throttled += batch.resent.throttled;
        self.written.repeated += batch.resent.repeated;
        self.written.failed.extend(batch.failed);
        self.waiting.extend(batch.again);
    }
}

fn hardened(item: Item, cost: Cost) -> Hashed {
    let hash = match password::harden(text(&item, PASSWORD).unwrap_or_default(), cost) {
        Ok(Hardened::Replaced(hash)) => Ok(hash),
        Ok(Hardened::Kept(kept)) => Err(format!("the stored password is kept: {kept:?}")),
        Err(error) => Err(error.to_string()),
    };
    (item, hash)
}

struct Writer {
    accounts: Arc<Accounts>,
    options: Options,
}

impl Writer {
    async fn write(&self, batch: Vec<Hashed>) -> Batch {
        let mut result = Batch::default();
        let hashed = batch.into_iter().filter_map(|(item, hash)| Some((item, hash.ok()?)));
        let hashed: Vec<(Item, String)> = hashed.collect();
        let now = timestamp();
        let statements = hashed.iter().map(|(item, hash)| statement(item, hash, &now)).collect();
        let ends = execute(&self.accounts, statements, &mut result.resent).await;
        for ((item, hash), end) in hashed.into_iter().zip(ends) {
            self.settle(item, &hash, end, &mut result).await;
        }
        result
    }

    /// Notes what became of a write. One that was refused is tried again if only other attributes have changed.
    async fn settle(&self, mut item: Item, hash: &str, mut end: End, result: &mut Batch) {
        let mut attempts = 1;
        loop {
            match end {
                End::Done => return result.hardened += 1,
                End::Failed(why) => return result.failed.push(Unwritten::new(&item, why)),
                End::Taken if attempts == ATTEMPTS => {
                    let why = "other writers changed the account again and again".to_owned();
                    return result.failed.push(Unwritten::new(&item, why));
                }
                End::Taken => attempts += 1,
            }
            let key = self.accounts.key().key_of_item(&item);
            let now_there = match self.accounts.home().item(self.accounts.table(), &key).await {
                Ok(Some(now_there)) => now_there,
                Ok(None) => return result.overtaken += 1,
                Err(error) => return result.failed.push(Unwritten::new(&item, error.to_string())),
            };
            if text(&now_there, PASSWORD) == Some(hash) {
                // An earlier attempt was carried out, and its answer lost.
                return result.hardened += 1;
            }
            if text(&now_there, PASSWORD) != text(&item, PASSWORD) {
                if is_weak(&now_there, &self.options) {
                    return result.again.push(now_there);
                }
                return result.overtaken += 1;
            }
            item = now_there;
            let again = vec![statement(&item, hash, &timestamp())];
            end = execute(&self.accounts, again, &mut result.resent).await.pop().unwrap_or(End::Taken);
        }
    }
}

/// The write of a hardened password, if the item has the password and the time of the last change that it was read with.
/// Hardening is not a change by somebody: an item that is as an import left it (`importedAt` equals `updatedAt`) stays so.
fn statement(item: &Item, hash: &str, now: &str) -> Statement {
    let now = Attribute::Text(now.to_owned());
    let mut set = vec![(PASSWORD.to_owned(), Attribute::Text(hash.to_owned())), (UPDATED.to_owned(), now.clone())];
    if item.contains_key(IMPORTED) && item.get(IMPORTED) == item.get(UPDATED) {
        set.push((IMPORTED.to_owned(), now));
    }
    let expected = ["orgid", "username", PASSWORD, UPDATED];
    let expected = expected.map(|name| (name.to_owned(), item.get(name).cloned()));
    Statement::Update { set, expected: expected.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(pairs: &[(&str, &str)]) -> Item {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Attribute::Text((*value).to_owned()))).collect()
    }

    #[test]
    fn write_is_conditional_on_what_was_read() {
        let read = item(&[("orgid", "7"), ("username", "jan"), ("password", "old"), ("note", "x")]);
        let Statement::Update { set, expected } = statement(&read, "new", "t2") else { panic!() };
        assert_eq!(set.into_iter().collect::<Item>(), item(&[("password", "new"), ("updatedAt", "t2")]));
        let values: Item = expected.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
        assert_eq!(values, item(&[("orgid", "7"), ("username", "jan"), ("password", "old")]));
        assert!(expected.contains(&("updatedAt".to_owned(), None)), "it still has none");
    }

    #[test]
    fn an_item_as_imported_stays_as_imported() {
        let set = |imported: &str| {
            let read = item(&[("username", "jan"), ("updatedAt", "t1"), ("importedAt", imported)]);
            let Statement::Update { set, .. } = statement(&read, "new", "t2") else { panic!() };
            set.into_iter().collect::<Item>()
        };
        assert_eq!(set("t1"), item(&[("password", "new"), ("updatedAt", "t2"), ("importedAt", "t2")]));
        assert_eq!(set("t0"), item(&[("password", "new"), ("updatedAt", "t2")]), "somebody has changed it since");
    }
}
