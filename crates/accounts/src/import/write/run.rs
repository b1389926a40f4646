//! How far the writes of an import are, and which may begin.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use sftpctl_aws::AwsError;

use super::kept_names::AT_ONCE;
use super::markers::{Marked, no_marker};
use super::{Added, Batch, Missed, NAMED, Writer, Written};
use crate::bulk::pace::{Pace, is_hopeless};
use crate::bulk::watch::{Folders, Progress, Watch};
use crate::spill::Spill;

/// The writes of a run. Two paces: that of the markers, which S3 sets, and that of the table. New accounts pass from one
/// to the other.
pub(super) struct Run<'a> {
    pub(super) writer: Arc<Writer>,
    marking: Pace<Marked>,
    pub(super) writing: Pace<Batch>,
    /// Batches of new accounts whose markers are there.
    marked: VecDeque<Vec<Added>>,
    /// The number of those so far.
    taken: u64,
    /// New accounts that are written, and whose names are still to be checked.
    there: Vec<Added>,
    pub(super) result: Written,
    pub(super) missed: &'a mut Spill<Missed>,
    of: u64,
    watch: &'a dyn Watch,
}

impl<'a> Run<'a> {
    pub(super) fn new(writer: Arc<Writer>, (of, watch): (u64, &'a dyn Watch), missed: &'a mut Spill<Missed>) -> Self {
        Self {
            writer,
            marking: Pace::new(),
            writing: Pace::new(),
            marked: VecDeque::new(),
            taken: 0,
            there: Vec::new(),
            result: Written::default(),
            missed,
            of,
            watch,
        }
    }

    /// Whether S3 has not taken one of so many markers, and nothing else was written.
    pub(super) fn is_without_markers(&self, later: u64) -> bool {
        later >= NAMED as u64 && self.taken == 0 && self.result.written() == 0
    }

    /// Whether the table takes nothing.
    pub(super) fn is_hopeless(&self) -> bool {
        is_hopeless(usize::try_from(self.result.failed).unwrap_or(usize::MAX), self.result.written(), self.of)
    }

    /// Whether markers may be put: not for many more batches than the table takes.
    pub(super) fn has_room_to_mark(&self) -> bool {
        self.marking.has_room() && self.marked.len() < 2 * self.writing.at_once()
    }

    /// Begins with the markers of new accounts, if they are to get any.
    pub(super) fn mark(&mut self, added: Vec<Added>, attempts: u32) {
        if added.is_empty() {
            return;
        }
        if self.writer.choices.markers {
            let writer = Arc::clone(&self.writer);
            self.marking.spawn(async move { writer.with_markers(added, attempts).await });
        } else {
            self.marked.push_back(added);
        }
    }

    /// Begins to write a batch of new accounts that have their markers. False if there is none.
    pub(super) fn add(&mut self) -> bool {
        let Some(batch) = self.marked.pop_front() else { return false };
        self.write(|writer| async move { writer.add(batch).await });
        true
    }

    /// Whether the writes of all accounts that have begun with their markers have begun.
    pub(super) fn is_added(&self) -> bool {
        self.marked.is_empty() && self.marking.is_idle()
    }

    pub(super) fn write<F>(&mut self, batch: impl FnOnce(Arc<Writer>) -> F)
    where
        F: Future<Output = Batch> + Send + 'static,
    {
        self.writing.spawn(batch(Arc::clone(&self.writer)));
    }

    /// Begins to check the names of new accounts, if there are so many.
    fn check_names(&mut self, least: usize) {
        while self.there.len() >= least.max(1) {
            let some = self.there.split_off(self.there.len().saturating_sub(AT_ONCE));
            self.write(|writer| async move { writer.with_names(some).await });
        }
    }

    /// Counts accounts that are not written, since S3 has not taken a single marker.
    pub(super) fn fail(&mut self, some: &[Added]) -> io::Result<()> {
        let mut batch = Batch::default();
        some.iter().for_each(|added| batch.failed(&added.of(), no_marker("S3 takes no objects for now")));
        self.result.add(batch, self.missed)
    }

    /// Waits for markers or writes, and gives the accounts whose markers S3 does not take; `None` if nothing is in flight.
    pub(super) async fn next(&mut self) -> io::Result<Option<Vec<(Added, AwsError)>>> {
        let mut later = Vec::new();
        if self.marking.is_idle() && self.writing.is_idle() {
            self.check_names(1);
        }
        tokio::select! {
            marked = self.marking.next(), if !self.marking.is_idle() => {
                let Some(marked) = marked? else { return Ok(None) };
                self.taken += marked.kept.len() as u64;
                self.marked.extend(Some(marked.kept).filter(|kept| !kept.is_empty()));
                later = marked.later;
                let mut batch = Batch { folders_resent: marked.resent, ..Batch::default() };
                marked.missed.iter().for_each(|(added, error)| batch.failed(&added.of(), no_marker(error)));
                self.result.add(batch, self.missed)?;
            }
            batch = self.writing.next(), if !self.writing.is_idle() => {
                let Some(mut batch) = batch? else { return Ok(None) };
                self.there.append(&mut batch.there);
                self.result.add(batch, self.missed)?;
                self.check_names(AT_ONCE);
            }
            else => return Ok(None),
        }
        self.watch.progress(self.progress());
        Ok(Some(later))
    }

    fn progress(&self) -> Progress {
        let at_once = self.marking.at_once() as u64;
        let folders = Folders { throttled: self.result.folders_throttled, at_once };
        Progress::Writing {
            done: self.result.done(),
            of: self.of,
            throttled: self.result.throttled,
            at_once: self.writing.at_once() as u64,
            folders: self.writer.choices.markers.then_some(folders),
        }
    }
}
