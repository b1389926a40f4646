//! The bytes of a part until they are sent to S3.
//!
//! All connections together hold only so much of their parts in memory, whatever their number. A part that finds no
//! room there is collected in a file without a name, in the folder of the local cloud. It does not wait for room: a
//! client may take as long as it likes with its part, and would keep the others from theirs.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;

use super::budget::{Share, take};

/// Bytes of parts in memory, over all connections.
const MEMORY: usize = 48 << 20;
/// Parts in files that are in memory at once to be sent. More would not be faster: MiniStack works on one request of S3
/// at a time, since its handlers run in the event loop of one process (`ministack/app.py`, `services/s3.py`).
const SENT_AT_ONCE: usize = 4;
/// Bytes of a part that need no room: a small file should not take that of a large one. A file gets as much at a time.
const FREE: usize = 256 << 10;
/// By how much a part may be larger than its size: the last write to it, of the length of a packet at most.
const MORE: usize = 256 << 10;

/// Room for parts in memory, shared by all connections.
#[derive(Debug, Clone)]
pub(super) struct Room {
    memory: Arc<Semaphore>,
    sent: Arc<Semaphore>,
    folder: Arc<PathBuf>,
}

impl Room {
    /// Files for what finds no room are created in `folder`.
    pub(super) fn new(folder: &Path) -> Self {
        Self::of(MEMORY, folder)
    }

    /// Room for this number of bytes.
    fn of(bytes: usize, folder: &Path) -> Self {
        let semaphore = |size| Arc::new(Semaphore::new(size));
        Self { memory: semaphore(bytes), sent: semaphore(SENT_AT_ONCE), folder: Arc::new(folder.to_owned()) }
    }
}

/// What has arrived of a part.
#[derive(Debug, Default)]
pub(super) struct Part {
    place: Place,
    /// The bytes in memory: of a part in a file, only the latest.
    bytes: BytesMut,
}

#[derive(Debug, Default)]
enum Place {
    /// It has only bytes that need no room.
    #[default]
    Small,
    Memory(Share),
    File(Arc<File>, u64),
}

impl Part {
    /// Bytes that have arrived.
    pub(super) fn len(&self) -> usize {
        let in_file = if let Place::File(_, length) = &self.place { *length } else { 0 };
        usize::try_from(in_file).unwrap_or(usize::MAX).saturating_add(self.bytes.len())
    }

    /// Adds bytes to a part that will have `size` bytes, and those of its last write that are too many.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) async fn add(&mut self, data: &[u8], size: usize, room: &Room) -> io::Result<()> {
        self.bytes.extend_from_slice(data);
        if self.bytes.len() < FREE {
            return Ok(());
        }
        if matches!(self.place, Place::Small) {
            self.place = match take(&room.memory, size + MORE) {
                Some(share) => {
                    // At once: growing would copy it, and end with room for twice as much.
                    self.bytes.reserve((size + MORE).saturating_sub(self.bytes.len()));
                    Place::Memory(share)
                }
                None => Place::File(Arc::new(file(&room.folder).await?), 0),
            };
        }
        if let Place::File(file, length) = &mut self.place {
            let (to, at, bytes) = (Arc::clone(file), *length, self.bytes.split().freeze());
            *length += bytes.len() as u64;
            // The bytes come back, and with them the memory for the next ones.
            let bytes = blocking(move || to.write_all_at(&bytes, at).map(|()| bytes)).await?;
            self.bytes = bytes.try_into_mut().unwrap_or_default();
            self.bytes.clear();
        }
        Ok(())
    }

    /// All bytes, in memory, and what to keep until they are sent.
    ///
    /// # Errors
    /// Those of the file.
    pub(super) async fn load(self, room: &Room) -> io::Result<(Bytes, Option<Share>)> {
        let (file, length) = match self.place {
            Place::Small => return Ok((self.bytes.freeze(), None)),
            Place::Memory(share) => return Ok((self.bytes.freeze(), Some(share))),
            Place::File(file, length) => (file, length),
        };
        // Never closed.
        let share = Arc::clone(&room.sent).acquire_owned().await.ok();
        let latest = self.bytes;
        let bytes = blocking(move || {
            let stored = usize::try_from(length).map_err(io::Error::other)?;
            let mut all = vec![0; stored + latest.len()];
            let (from_file, rest) = all.split_at_mut(stored);
            file.read_exact_at(from_file, 0)?;
            rest.copy_from_slice(&latest);
            Ok(Bytes::from(all))
        });
        Ok((bytes.await?, share))
    }
}

/// A file without a name.
async fn file(folder: &Arc<PathBuf>) -> io::Result<File> {
    let folder = Arc::clone(folder);
    blocking(move || tempfile::tempfile_in(&*folder)).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 1 << 20;
    const WRITE: usize = 100_000;

    /// A part of `SIZE` bytes and the rest of its last write, each `seed`.
    async fn filled(seed: u8, room: &Room) -> Part {
        let mut part = Part::default();
        while part.len() < SIZE {
            part.add(&[seed; WRITE], SIZE, room).await.unwrap();
        }
        part
    }

    #[tokio::test]
    async fn parts_beyond_the_memory_are_in_files_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::of(3 * (SIZE + MORE), folder.path());
        let mut parts = Vec::new();
        for seed in 0..20 {
            parts.push(filled(seed, &room).await);
        }
        let held: usize = parts.iter().map(|part| part.bytes.capacity()).sum();
        assert!(held <= 3 * (SIZE + MORE) + 17 * (FREE + WRITE), "{held} bytes are held");
        assert_eq!(parts.iter().filter(|part| matches!(part.place, Place::File(..))).count(), 17);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "a file has a name");
        for (seed, part) in (0..).zip(parts) {
            let length = part.len();
            let (bytes, _share) = part.load(&room).await.unwrap();
            assert_eq!(bytes.len(), length);
            assert!(bytes.iter().all(|byte| *byte == seed), "{seed}");
        }
        // The room is free again.
        assert!(matches!(filled(0, &room).await.place, Place::Memory(_)));
    }

    #[tokio::test]
    async fn no_more_parts_are_loaded_from_files_than_are_sent_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::of(0, folder.path());
        let mut loaded = Vec::new();
        for seed in 0..SENT_AT_ONCE {
            let part = filled(u8::try_from(seed).unwrap(), &room).await;
            loaded.push(part.load(&room).await.unwrap());
        }
        let next = filled(0, &room).await;
        let loading = next.load(&room);
        tokio::pin!(loading);
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(loading.as_mut().poll(context).is_pending())).await
        );
        // One that has been sent makes room.
        loaded.pop();
        loading.await.unwrap();
    }

    #[tokio::test]
    async fn small_file_takes_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::of(SIZE + MORE, folder.path());
        let mut small = Part::default();
        small.add(&[1; FREE - 1], SIZE, &room).await.unwrap();
        assert!(matches!(filled(2, &room).await.place, Place::Memory(_)));
        assert_eq!(small.load(&room).await.unwrap().0.len(), FREE - 1);
    }
}
