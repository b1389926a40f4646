//! A download: reads an object chunk by chunk, and fetches the next chunk while the client reads one.
//!
//! The first chunk is requested by itself, which suffices for a small file. The rest is streamed from one answer as
//! long as the client reads sequentially. (With an emulator that reads the whole object for each range, a gigabyte
//! would take minutes otherwise.) Where the connection's [`Budget`] has no room for a chunk, only what the client asks
//! for is read.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::budget::{Budget, Share};
use super::storage::{Source, Storage, StorageError, Version};
use super::told::{Object, Teller};
use sftpctl_aws::ObjectFacts;

/// Bytes per chunk.
const CHUNK: u64 = 4 << 20;
const CHUNK_BYTES: usize = 4 << 20;

type Fetched = Result<Option<Bytes>, StorageError>;
type Fetch = JoinHandle<(Option<Stream>, Share, Fetched)>;

/// A chunk that is being fetched; nobody waits for it any more once this is dropped.
struct AbortOnDrop(Fetch);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An answer that is still being read, and those of its bytes that belong to the next chunk.
struct Stream {
    source: Box<dyn Source>,
    rest: Bytes,
}

/// The object as it was when it was opened. Every request names its version: an object that is replaced during a
/// download is never a mixture of both.
struct OpenObject {
    bucket: String,
    facts: ObjectFacts,
}

impl OpenObject {
    fn version(&self) -> Version<'_> {
        Version { bucket: &self.bucket, key: &self.facts.key, etag: self.facts.etag.as_deref() }
    }
}

pub(super) struct Reader {
    storage: Arc<dyn Storage>,
    object: Arc<OpenObject>,
    budget: Budget,
    /// Chunks by their offset; two at most.
    chunks: VecDeque<(u64, Bytes, Share)>,
    next: Option<(u64, AbortOnDrop)>,
    /// The stream that `next` continues.
    stream: Option<Stream>,
    /// Bytes that the client has read.
    sent: u64,
}

impl Reader {
    pub(super) fn new(storage: Arc<dyn Storage>, bucket: &str, facts: ObjectFacts, budget: &Budget) -> Self {
        let object = Arc::new(OpenObject { bucket: bucket.to_owned(), facts });
        Self { storage, object, budget: budget.clone(), chunks: VecDeque::new(), next: None, stream: None, sent: 0 }
    }

    /// Tells that the download has ended; whole if the client has closed the file.
    pub(super) fn tell(&self, teller: Option<&Teller>, is_whole: bool) {
        let Some(teller) = teller else { return };
        let object = Object { bucket: self.object.bucket.clone(), key: self.object.facts.key.clone() };
        teller.download(&object, self.sent, is_whole);
    }

    /// The object as it was when it was opened.
    pub(super) fn facts(&self) -> &ObjectFacts {
        &self.object.facts
    }

    /// Bytes from `offset`, as many as there are up to `length`; none at the end.
    ///
    /// # Errors
    /// A storage error, or the object has been deleted or replaced.
    pub(super) async fn read(&mut self, offset: u64, length: u32) -> Result<Bytes, StorageError> {
        let bytes = self.bytes(offset, length).await?;
        self.sent += bytes.len() as u64;
        Ok(bytes)
    }

    async fn bytes(&mut self, offset: u64, length: u32) -> Result<Bytes, StorageError> {
        let end = offset.saturating_add(u64::from(length)).min(self.object.facts.size);
        if offset >= end {
            return Ok(Bytes::new());
        }
        let start = offset - offset % CHUNK;
        let Some(first) = self.chunk(start).await? else { return self.exactly(offset, end - offset).await };
        let from = usize::try_from(offset % CHUNK).unwrap_or(usize::MAX).min(first.len());
        let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX);
        if from + wanted <= first.len() || first.len() < CHUNK_BYTES {
            return Ok(first.slice(from..(from + wanted).min(first.len())));
        }
        // A read across the border of two chunks.
        let mut whole = BytesMut::from(&first[from..]);
        let rest = (wanted - whole.len()) as u64;
        match self.chunk(start + CHUNK).await? {
            Some(second) => whole.extend_from_slice(&second[..second.len().min(wanted - whole.len())]),
            None => whole.extend_from_slice(&self.exactly(start + CHUNK, rest).await?),
        }
        Ok(whole.freeze())
    }

    /// Reads these bytes alone.
    async fn exactly(&mut self, start: u64, length: u64) -> Result<Bytes, StorageError> {
        part(&*self.storage, &self.object, start, length).await?.ok_or_else(deleted)
    }

    /// The chunk at `start`; `None` if there is no memory for it.
    async fn chunk(&mut self, start: u64) -> Result<Option<Bytes>, StorageError> {
        if let Some((_, bytes, _)) = self.chunks.iter().find(|(have, ..)| *have == start) {
            return Ok(Some(bytes.clone()));
        }
        let (share, fetched) = match self.next.take() {
            Some((at, mut fetch)) if at == start => match (&mut fetch.0).await {
                Ok((stream, share, fetched)) => {
                    self.stream = stream;
                    (share, fetched)
                }
                Err(error) => return Err(StorageError::Other(error.to_string())),
            },
            other => {
                drop(other);
                self.stream = None;
                let Some(share) = self.share() else { return Ok(None) };
                (share, part(&*self.storage, &self.object, start, CHUNK).await)
            }
        };
        let bytes = fetched?.ok_or_else(deleted)?;
        while self.chunks.len() >= 2 {
            self.chunks.pop_front();
        }
        self.chunks.push_back((start, bytes.clone(), share));
        let after = start + CHUNK;
        if after < self.object.facts.size
            && let Some(share) = self.budget.to_read(CHUNK_BYTES)
        {
            let (storage, object) = (Arc::clone(&self.storage), Arc::clone(&self.object));
            let stream = self.stream.take();
            let fetch = tokio::spawn(async move {
                let (stream, fetched) = onward(&*storage, &object, after, stream).await;
                (stream, share, fetched)
            });
            self.next = Some((after, AbortOnDrop(fetch)));
        }
        Ok(Some(bytes))
    }

    /// Memory for a chunk, if need be that of earlier ones.
    fn share(&mut self) -> Option<Share> {
        self.budget.to_read(CHUNK_BYTES).or_else(|| {
            self.chunks.clear();
            self.budget.to_read(CHUNK_BYTES)
        })
    }
}

fn deleted() -> StorageError {
    StorageError::Other("the object has been deleted".to_owned())
}

/// Reads the chunk at `start` from a stream, which is opened if there is none.
async fn onward(
    storage: &dyn Storage,
    object: &OpenObject,
    start: u64,
    stream: Option<Stream>,
) -> (Option<Stream>, Fetched) {
    let stream = match stream {
        Some(stream) => Some(stream),
        None => match storage.open(object.version(), start).await {
            Ok(source) => source.map(|source| Stream { source, rest: Bytes::new() }),
            Err(error) => return (None, Err(error)),
        },
    };
    let Some(mut stream) = stream else { return (None, Ok(None)) };
    match stream.take(usize::try_from(CHUNK.min(object.facts.size.saturating_sub(start))).unwrap_or(usize::MAX)).await {
        Ok(bytes) => (Some(stream), Ok(Some(bytes))),
        // S3 closes the connection if the client pauses for minutes.
        Err(_) => (None, part(storage, object, start, CHUNK).await),
    }
}

impl Stream {
    /// Reads exactly `want` bytes.
    async fn take(&mut self, want: usize) -> Result<Bytes, StorageError> {
        let mut taken = BytesMut::with_capacity(want);
        while taken.len() < want {
            if self.rest.is_empty() {
                let ended = || StorageError::Other("the object ended before its size".to_owned());
                self.rest = self.source.next().await?.ok_or_else(ended)?;
            }
            let part = self.rest.split_to(self.rest.len().min(want - taken.len()));
            taken.extend_from_slice(&part);
        }
        Ok(taken.freeze())
    }
}

/// Reads `length` bytes, or those up to the end, by ranges, since storage may return fewer bytes at a time.
async fn part(storage: &dyn Storage, object: &OpenObject, start: u64, length: u64) -> Fetched {
    let want = length.min(object.facts.size.saturating_sub(start));
    let Some(first) = storage.range(object.version(), start, want).await? else { return Ok(None) };
    if first.len() as u64 >= want {
        return Ok(Some(first));
    }
    let mut whole = BytesMut::from(first);
    while (whole.len() as u64) < want {
        match storage.range(object.version(), start + whole.len() as u64, want - whole.len() as u64).await? {
            None => return Ok(None),
            Some(rest) if rest.is_empty() => break,
            Some(rest) => whole.extend_from_slice(&rest),
        }
    }
    Ok(Some(whole.freeze()))
}

#[cfg(test)]
mod tests {
    use super::super::storage::Memory;
    use super::*;

    async fn put(memory: &Memory, content: &[u8]) -> ObjectFacts {
        let mut sink = memory.create("b", "k", false);
        for part in content.chunks(2_999_999) {
            sink.add(Bytes::copy_from_slice(part)).await.unwrap();
        }
        sink.finish(Bytes::new()).await.unwrap();
        memory.head("b", "k").await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn handle_reads_one_version() {
        let size = 12 << 20;
        let (old, new) = (vec![b'A'; size], vec![b'B'; size + 5]);
        // Replaced before the first read, within the first chunk, and while the stream is open: `read` bytes before.
        for read in [0_u64, 100, 5 << 20] {
            let memory = Memory::default();
            let facts = put(&memory, &old).await;
            let mut reader = Reader::new(Arc::new(memory.clone()), "b", facts, &Budget::default());
            let mut at = 0;
            while at < read {
                at += reader.read(at, 32_768).await.unwrap().len() as u64;
            }
            put(&memory, &new).await;
            // Onward to the end, then back to the beginning.
            for at in (at..size as u64).step_by(32_768).chain([0]) {
                match reader.read(at, 32_768).await {
                    Ok(bytes) => assert!(bytes.iter().all(|byte| *byte == b'A'), "{read}: new bytes at {at}"),
                    Err(error) => assert_eq!(error, StorageError::Replaced),
                }
            }
        }
    }

    #[tokio::test]
    async fn all_read_patterns_return_the_same_bytes() {
        let memory = Memory::default();
        let content: Vec<u8> = (0..9_000_001_u32).map(|n| (n % 251) as u8).collect();
        let facts = put(&memory, &content).await;
        // Without memory for a chunk, for one, for two, and for reading ahead, too.
        for chunks in 0..4 {
            let budget = Budget::of(chunks * CHUNK_BYTES, 0, 0);
            let mut reader = Reader::new(Arc::new(memory.clone()), "b", facts.clone(), &budget);
            for step in [32_768_usize, 261_120, 1_000_003] {
                let mut at = 0;
                while at < content.len() {
                    let got = reader.read(at as u64, u32::try_from(step).unwrap()).await.unwrap();
                    assert_eq!(got, content[at..(at + step).min(content.len())], "{at} {step} {chunks}");
                    at += got.len();
                }
            }
            for at in [8_999_999_u64, 0, 4_194_303, 9_000_001, 100_000_000] {
                let got = reader.read(at, 10).await.unwrap();
                let from = usize::try_from(at).unwrap().min(content.len());
                assert_eq!(got, content[from..(from + 10).min(content.len())], "{at}");
            }
            drop(reader);
            // The chunk that was being fetched gives its memory back, too.
            while budget.to_read(chunks * CHUNK_BYTES).is_none() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn many_readers_hold_no_more_than_the_budget() {
        let memory = Memory::default();
        let facts = put(&memory, &vec![b'A'; 12 << 20]).await;
        let budget = Budget::of(5 * CHUNK_BYTES, 0, 0);
        let reader = || Reader::new(Arc::new(memory.clone()), "b", facts.clone(), &budget);
        let mut readers: Vec<_> = std::iter::repeat_with(reader).take(40).collect();
        for at in (0..12 << 20).step_by(1 << 20) {
            for reader in &mut readers {
                assert_eq!(reader.read(at, 32_768).await.unwrap().len(), 32_768);
            }
            let held: usize =
                readers.iter().map(|reader| reader.chunks.len() + usize::from(reader.next.is_some())).sum();
            assert!(held <= 5, "{held} chunks");
        }
    }
}
