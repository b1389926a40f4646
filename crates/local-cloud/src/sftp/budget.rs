//! What one connection may hold: bytes of files in memory, and open handles, over all of its sessions.
//!
//! Neither limit can stop what has begun. A file opened for writing has its memory reserved, and one opened for reading
//! is read in small pieces, without reading ahead, where there is no memory left.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::part::Room;

/// Bytes of files that one connection holds to read ahead.
const READING: usize = 64 << 20;
/// Bytes of files that one connection holds until they are sent to S3, in memory or in files ([`super::part`]).
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
    room: Room,
}

#[cfg(test)]
impl Default for Budget {
    fn default() -> Self {
        Self::new(Room::new(&std::env::temp_dir()))
    }
}

impl Budget {
    /// That of a connection, whose parts share `room` with those of all others.
    pub(super) fn new(room: Room) -> Self {
        Self::with((READING, WRITING, MAX_HANDLES), room)
    }

    /// Bytes for reading and for writing, and handles.
    #[cfg(test)]
    pub(super) fn of(reading: usize, writing: usize, handles: usize) -> Self {
        Self::with((reading, writing, handles), Room::new(&std::env::temp_dir()))
    }

    fn with((reading, writing, handles): (usize, usize, usize), room: Room) -> Self {
        let semaphore = |size| Arc::new(Semaphore::new(size));
        Self { reading: semaphore(reading), writing: semaphore(writing), handles: semaphore(handles), room }
    }

    /// Where parts are collected.
    pub(super) fn room(&self) -> &Room {
        &self.room
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

/// A share of this size; `None` if there is not as much left.
pub(super) fn take(semaphore: &Arc<Semaphore>, amount: usize) -> Option<Share> {
    Arc::clone(semaphore).try_acquire_many_owned(u32::try_from(amount).ok()?).ok()
}
