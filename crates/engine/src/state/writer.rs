//! Writes a run's journal: an intent is durable before its call, outcomes are written with the next intent.
//!
//! All steps of a run share one document, so their lines are written together: one write at a time, and lines that are
//! added meanwhile are part of the next. Every write expects the version of the one before, which stops a run that has
//! lost its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::StateError;
use super::exclusive_doc::ExclusiveDoc;
use super::journal::{Entry, Event, Journal};
use super::lease::Machine;
use super::lease_guard::LeaseGuard;
use super::write_stats::WriteStats;
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::Action;

/// The journal of the run that is in progress.
pub struct JournalWriter {
    machine: Arc<dyn Machine>,
    guard: Arc<LeaseGuard>,
    write_stats: WriteStats,
    run: String,
    count: AtomicU64,
    queue: Mutex<Vec<Entry>>,
    /// Resources that AWS no longer showed after their last line.
    gone: Mutex<BTreeSet<NodeId>>,
    document: tokio::sync::Mutex<Document>,
}

struct Document {
    journal: Journal,
    file: ExclusiveDoc,
    /// The journal has lines that are not written yet.
    unwritten: bool,
}

impl JournalWriter {
    /// A writer for a journal that was just written.
    pub(super) fn new(
        machine: Arc<dyn Machine>,
        guard: Arc<LeaseGuard>,
        write_stats: WriteStats,
        journal: Journal,
        file: ExclusiveDoc,
    ) -> Self {
        Self {
            machine,
            guard,
            write_stats,
            run: journal.header().run.clone(),
            count: AtomicU64::new(0),
            queue: Mutex::default(),
            gone: Mutex::default(),
            document: tokio::sync::Mutex::new(Document { journal, file, unwritten: false }),
        }
    }

    /// The cost of this run's writes of journal and state.
    pub(super) fn write_stats(&self) -> &WriteStats {
        &self.write_stats
    }

    /// The name of the run.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// Records an intent, durably, and returns the name of the operation. It consists of letters, digits and dashes, so
    /// that AWS accepts it as a client token.
    ///
    /// # Errors
    /// The journal cannot be written, or this run has lost its lock; then the call must not be sent.
    pub async fn intend(&self, node: &NodeId, action: Action, title: &str) -> Result<String, StateError> {
        self.guard.ensure_held().await?;
        let operation = format!("sftpctl-{}-{}", self.run, self.count.fetch_add(1, Ordering::Relaxed));
        self.queue(&operation, node, Event::Intent { action, title: title.to_owned() });
        self.flush().await?;
        Ok(operation)
    }

    /// Records the identity of a new resource from AWS's answer; the resource need not be visible yet.
    pub fn created(&self, operation: &str, node: &NodeId, identity: &str) {
        self.queue(operation, node, Event::Made { identity: identity.to_owned() });
    }

    /// Records that the operation took effect, with the identity of the resource, `None` if it is gone.
    pub fn done(&self, operation: &str, node: &NodeId, identity: Option<&str>) {
        self.queue(operation, node, Event::Done { identity: identity.map(str::to_owned) });
    }

    /// Notes that AWS does not show the resource. An operation that is done may still have been deleting it; the state
    /// then need not have the identity of its line.
    pub fn seen_gone(&self, node: &NodeId) {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).insert(node.clone());
    }

    /// Records that the operation failed.
    pub fn failed(&self, operation: &str, node: &NodeId, error: &str) {
        self.queue(operation, node, Event::Failed { error: error.to_owned() });
    }

    fn queue(&self, operation: &str, node: &NodeId, event: Event) {
        let entry = Entry { operation: operation.to_owned(), node: node.clone(), at: self.machine.now(), event };
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Writes all lines that are waiting.
    ///
    /// # Errors
    /// As for [`JournalWriter::intend`].
    pub async fn flush(&self) -> Result<(), StateError> {
        let mut document = self.document.lock().await;
        let lines = std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner));
        for line in lines {
            // Only a bug in sftpctl leads to an invalid line, and the run must not fail because of it.
            match document.journal.add(line) {
                Ok(()) => document.unwritten = true,
                Err(reason) => tracing::error!(reason, "a line does not fit into the journal"),
            }
        }
        self.guard.check()?;
        if !document.unwritten {
            return Ok(());
        }
        let content = document.journal.write();
        match self.write_stats.time(document.file.put(&content)).await {
            Ok(()) => {
                document.unwritten = false;
                Ok(())
            }
            Err(StateError::Conflict { address }) => {
                Err(self.guard.lose(&format!("{address} was written by another run")))
            }
            Err(error) => Err(error),
        }
    }

    /// Confirms that the lock is still held if its lease may have expired: a run that was paused continues if no other
    /// run has taken the lock.
    ///
    /// # Errors
    /// [`StateError::Fenced`] if another run has taken the lock; or the lock cannot be renewed.
    pub async fn ensure_held(&self) -> Result<(), StateError> {
        self.guard.ensure_held().await
    }

    /// Whether this run must not change anything any more: it lost its lock, or was paused for so long that it may have
    /// lost it.
    pub fn may_be_lost(&self) -> bool {
        self.guard.may_be_lost()
    }

    /// Writes all lines; or an empty journal if every operation has its outcome and `saved`, the identities of the last
    /// written state, has every identity of the lines, except of resources that have been seen gone since.
    pub(super) async fn close(&self, saved: &BTreeMap<NodeId, String>) -> Result<(), StateError> {
        self.flush().await?;
        let mut document = self.document.lock().await;
        let identities: BTreeMap<_, _> = document.journal.identities().into_iter().collect();
        let gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = |node: &NodeId| saved.get(node).map(String::as_str);
        let remembered = identities.iter().all(|(node, identity)| match known(node) {
            None if gone.contains(*node) => true,
            saved => saved == *identity,
        });
        if remembered && document.journal.unfinished().is_empty() && !document.journal.entries().is_empty() {
            document.journal = Journal::new(document.journal.header().clone());
            document.unwritten = true;
        }
        drop(document);
        self.flush().await
    }
}
