//! Writes a run's journal while it goes on: an intent is durable before its call, outcomes go with the next write.
//!
//! All steps of a run share one document, so their lines are written together: at most one write at a time, and what is
//! announced meanwhile goes into the next. Every write expects the one before, which is what stops a run that has lost
//! its lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::StateError;
use super::exclusive_doc::Owned;
use super::journal::{Entry, Event, Journal};
use super::lease::Machine;
use super::lease_keeper::LeaseGuard;
use super::write_stats::Meter;
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::Action;

/// The journal of a run that is under way.
pub struct JournalWriter {
    machine: Arc<dyn Machine>,
    grip: Arc<LeaseGuard>,
    meter: Meter,
    run: String,
    count: AtomicU64,
    queue: Mutex<Vec<Entry>>,
    document: tokio::sync::Mutex<Document>,
}

struct Document {
    journal: Journal,
    file: Owned,
    /// It has lines that are not written yet.
    behind: bool,
}

impl JournalWriter {
    /// A writer for a journal that was just written.
    pub(super) fn new(
        machine: Arc<dyn Machine>,
        grip: Arc<LeaseGuard>,
        meter: Meter,
        journal: Journal,
        file: Owned,
    ) -> Self {
        Self {
            machine,
            grip,
            meter,
            run: journal.header().run.clone(),
            count: AtomicU64::new(0),
            queue: Mutex::default(),
            document: tokio::sync::Mutex::new(Document { journal, file, behind: false }),
        }
    }

    /// What this run's writes of journal and state cost.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The run that writes it.
    pub(super) fn run(&self) -> &str {
        &self.run
    }

    /// Announces an operation, durably, and names it: letters, digits and dashes, as AWS takes client tokens.
    ///
    /// # Errors
    /// The journal cannot be written, or this run has lost its lock; then the operation must not be called.
    pub async fn intend(&self, node: &NodeId, action: Action, title: &str) -> Result<String, StateError> {
        self.grip.sure().await?;
        let operation = format!("sftpctl-{}-{}", self.run, self.count.fetch_add(1, Ordering::Relaxed));
        self.queue(&operation, node, Event::Intent { action, title: title.to_owned() });
        self.flush().await?;
        Ok(operation)
    }

    /// AWS's answer says by what it finds what it made; whether it shows is another matter.
    pub fn made(&self, operation: &str, node: &NodeId, identity: &str) {
        self.queue(operation, node, Event::Made { identity: identity.to_owned() });
    }

    /// It took effect: what AWS finds the resource by now, `None` for nothing.
    pub fn done(&self, operation: &str, node: &NodeId, identity: Option<&str>) {
        self.queue(operation, node, Event::Done { identity: identity.map(str::to_owned) });
    }

    /// It went wrong.
    pub fn failed(&self, operation: &str, node: &NodeId, error: &str) {
        self.queue(operation, node, Event::Failed { error: error.to_owned() });
    }

    fn queue(&self, operation: &str, node: &NodeId, event: Event) {
        let entry = Entry { operation: operation.to_owned(), node: node.clone(), at: self.machine.now(), event };
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// Writes everything that was said so far.
    ///
    /// # Errors
    /// As for [`JournalWriter::intend`].
    pub async fn flush(&self) -> Result<(), StateError> {
        let mut document = self.document.lock().await;
        let lines = std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner));
        for line in lines {
            // Only a slip in this program could make it illegal, and the journal is no place to fail for it.
            match document.journal.add(line) {
                Ok(()) => document.behind = true,
                Err(reason) => tracing::error!(reason, "a line does not fit into the journal"),
            }
        }
        self.grip.lost()?;
        if !document.behind {
            return Ok(());
        }
        let content = document.journal.write();
        match self.meter.time(document.file.put(&content)).await {
            Ok(()) => {
                document.behind = false;
                Ok(())
            }
            Err(StateError::Conflict { address }) => Err(self.grip.lose(&format!("{address} is another run's now"))),
            Err(error) => Err(error),
        }
    }

    /// Makes sure of the lock where it may be over: a run that was paused goes on where nobody has followed it.
    ///
    /// # Errors
    /// [`StateError::Fenced`] where another run has taken it; or it cannot be renewed.
    pub async fn sure(&self) -> Result<(), StateError> {
        self.grip.sure().await
    }

    /// Whether this run may change nothing any more: it lost its lock, or was paused for so long that it may have.
    pub fn is_over(&self) -> bool {
        self.grip.is_over()
    }

    /// Writes everything, or an empty journal where nothing is open and the state, as it was `saved` last, has every
    /// identity that the lines tell: what is remembered there needs no journal.
    pub(super) async fn close(&self, saved: &BTreeMap<NodeId, String>) -> Result<(), StateError> {
        self.flush().await?;
        let mut document = self.document.lock().await;
        let told: BTreeMap<_, _> = document.journal.identities().into_iter().collect();
        let remembered = told.iter().all(|(node, identity)| saved.get(*node).map(String::as_str) == *identity);
        if remembered && document.journal.unfinished().is_empty() && !document.journal.entries().is_empty() {
            document.journal = Journal::new(document.journal.header().clone());
            document.behind = true;
        }
        drop(document);
        self.flush().await
    }
}
