//! What one connection may hold: bytes of files in memory, and open handles, over all of its sessions.
//!
//! Neither limit can stop what has begun. A file opened for writing has its memory reserved, and one opened for reading
//! is read in small pieces, without reading ahead, where there is no memory left.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of files that one connection holds to read ahead.
const READING: usize = 64 << 20;
/// Bytes of files that one connection holds until they are sent to S3.
const WRITING: usize = 128 << 20;
/// Maximum number of open handles per connection.
pub(super) const MAX_HANDLES: usize = 256;

/// A part of the budget, returned when it is dropped.
pub(super) type Share = OwnedSemaphorePermit;

/// The budget of a connection, shared by its sessions.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    reading: Arc<Semaphore>,
    writing: Arc<Semaphore>,
    handles: Arc<Semaphore>,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(READING, WRITING, MAX_HANDLES)
    }
}

impl Budget {
    /// Bytes for reading and for writing, and handles.
    pub(super) fn of(reading: usize, writing: usize, handles: usize) -> Self {
        let semaphore = |size| Arc::new(Semaphore::new(size));
        Self { reading: semaphore(reading), writing: semaphore(writing), handles: semaphore(handles) }
    }

    /// Bytes to read ahead; `None` if the connection holds too many.
    pub(super) fn to_read(&self, bytes: usize) -> Option<Share> {
        take(&self.reading, bytes)
    }

    /// Bytes to hold until they are sent; `None` if the connection holds too many.
    pub(super) fn to_write(&self, bytes: usize) -> Option<Share> {
        take(&self.writing, bytes)
    }

    /// A handle; `None` if the connection has too many.
    pub(super) fn handle(&self) -> Option<Share> {
        take(&self.handles, 1)
    }
}

fn take(semaphore: &Arc<Semaphore>, amount: usize) -> Option<Share> {
    Arc::clone(semaphore).try_acquire_many_owned(u32::try_from(amount).ok()?).ok()
}
