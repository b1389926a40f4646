//! An upload: bytes are collected into parts ([`super::part`]), and one part is sent while the next one fills.
//!
//! A file opened for writing has the room for one part and for bytes ahead of their turn from the beginning, so that
//! it can always be finished. If the connection's [`Budget`] has no room for a second part, the client waits while the
//! first one is sent.

use std::mem::take;

use tokio::task::JoinHandle;

use super::ahead::Ahead;
use super::budget::{Budget, Share};
use super::part::Part;
use super::storage::{Sink, StorageError};

/// S3's minimum part size.
const PART: usize = 5 << 20;
/// Maximum bytes buffered ahead of their turn; clients send a window of writes, nearly always in order.
const AHEAD: usize = 4 << 20;
/// Number of parts of one size. S3 accepts at most 10,000 parts, so that later ones are larger.
const PARTS: usize = 1000;

/// Why bytes were not accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// Out of sequence: S3 cannot change an object that has been written.
    #[error("objects in S3 are written from their beginning to their end")]
    NotInOrder,
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// An earlier write failed.
    #[error("the upload has failed")]
    Failed,
}

/// A part could not be written to its file, or read from it.
fn not_kept(error: &std::io::Error) -> StorageError {
    StorageError::Other(format!("a part cannot be kept on the disk until it is sent: {error}"))
}

type Sending = JoinHandle<(Box<dyn Sink>, Result<(), StorageError>)>;

enum Stage {
    Idle(Box<dyn Sink>),
    Sending(Sending),
    Failed,
}

pub(super) struct Writer {
    stage: Stage,
    filling: Part,
    ahead: Ahead,
    written: u64,
    parts: usize,
    budget: Budget,
    /// The size of a part. It grows with the object where the budget has room.
    part: usize,
    /// For one part, and bytes ahead of their turn.
    _reserved: Share,
    grown: Option<Share>,
}

impl Writer {
    /// An upload to `sink`; `None` if the connection has no memory for another one.
    pub(super) fn new(sink: Box<dyn Sink>, budget: &Budget) -> Option<Self> {
        Some(Self {
            stage: Stage::Idle(sink),
            filling: Part::default(),
            ahead: Ahead::default(),
            written: 0,
            parts: 0,
            budget: budget.clone(),
            part: PART,
            _reserved: budget.to_write(PART + AHEAD)?,
            grown: None,
        })
    }

    /// Bytes accepted so far, without those ahead of their turn.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The end of all bytes accepted so far.
    pub(super) fn end(&self) -> u64 {
        self.ahead.end().unwrap_or(self.written)
    }

    /// Whether nothing has been written.
    pub(super) fn untouched(&self) -> bool {
        self.written == 0 && self.ahead.is_empty()
    }

    /// Writes bytes at `offset`. As in a file, later bytes replace earlier ones; but those that had their turn stay.
    ///
    /// # Errors
    /// See [`WriteError`]; the upload cannot continue after one.
    pub(super) async fn write(&mut self, offset: u64, data: Vec<u8>) -> Result<(), WriteError> {
        if matches!(self.stage, Stage::Failed) {
            return Err(WriteError::Failed);
        }
        if data.is_empty() {
            return Ok(());
        }
        if offset == self.written && self.ahead.is_empty() {
            return self.append(&data).await;
        }
        let is_far = offset != self.written && self.ahead.held() + data.len() > AHEAD;
        if offset < self.written || is_far || offset.checked_add(data.len() as u64).is_none() {
            // With a gap or a rewrite, the file would differ from what the client wrote.
            self.give_up();
            return Err(WriteError::NotInOrder);
        }
        self.ahead.put(offset, data.into());
        while let Some(data) = self.ahead.take(self.written) {
            self.append(&data).await?;
        }
        Ok(())
    }

    async fn append(&mut self, data: &[u8]) -> Result<(), WriteError> {
        if let Err(error) = self.filling.add(data, self.part, self.budget.room()).await {
            self.give_up();
            return Err(not_kept(&error).into());
        }
        self.written += data.len() as u64;
        if self.filling.len() >= self.part {
            self.send().await?;
        }
        Ok(())
    }

    /// Sends a part, and waits for it if there is no memory to fill another one meanwhile.
    async fn send(&mut self) -> Result<(), WriteError> {
        let part = take(&mut self.filling);
        let mut sink = self.idle().await?;
        self.parts += 1;
        let second = self.budget.to_write(self.part);
        let waits = second.is_none();
        let room = self.budget.room().clone();
        self.stage = Stage::Sending(tokio::spawn(async move {
            let result = match part.load(&room).await {
                Ok((bytes, held)) => {
                    let result = sink.add(bytes).await;
                    drop(held);
                    result
                }
                Err(error) => Err(not_kept(&error)),
            };
            drop(second);
            (sink, result)
        }));
        if waits {
            let sink = self.idle().await?;
            self.stage = Stage::Idle(sink);
        }
        self.grow();
        Ok(())
    }

    fn grow(&mut self) {
        let part = PART * (1 + self.parts / PARTS);
        if part > self.part
            && let Some(share) = self.budget.to_write(part - self.part)
        {
            self.part = part;
            match &mut self.grown {
                Some(grown) => grown.merge(share),
                none => *none = Some(share),
            }
        }
    }

    /// Waits until no part is being sent.
    async fn idle(&mut self) -> Result<Box<dyn Sink>, WriteError> {
        match std::mem::replace(&mut self.stage, Stage::Failed) {
            Stage::Idle(sink) => Ok(sink),
            Stage::Failed => Err(WriteError::Failed),
            Stage::Sending(sending) => match sending.await {
                Ok((sink, Ok(()))) => Ok(sink),
                Ok((sink, Err(error))) => {
                    sink.abort().await;
                    Err(error.into())
                }
                Err(_) => Err(WriteError::Failed),
            },
        }
    }

    /// Creates the object; returns its ETag.
    ///
    /// # Errors
    /// See [`WriteError`]; the object was not created.
    pub(super) async fn finish(mut self) -> Result<String, WriteError> {
        let sink = self.idle().await?;
        if !self.ahead.is_empty() {
            sink.abort().await;
            return Err(WriteError::NotInOrder);
        }
        match take(&mut self.filling).load(self.budget.room()).await {
            Ok((rest, _held)) => Ok(sink.finish(rest).await?),
            Err(error) => {
                sink.abort().await;
                Err(not_kept(&error).into())
            }
        }
    }

    /// Creates an object of the bytes that had their turn; returns its ETag.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub(super) async fn finish_early(mut self) -> Result<String, WriteError> {
        self.ahead = Ahead::default();
        self.finish().await
    }
}

impl Writer {
    /// Aborts the upload; later writes fail.
    fn give_up(&mut self) {
        self.ahead = Ahead::default();
        self.filling = Part::default();
        let stage = std::mem::replace(&mut self.stage, Stage::Failed);
        if matches!(stage, Stage::Failed) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                match stage {
                    Stage::Idle(sink) => sink.abort().await,
                    Stage::Sending(sending) => {
                        if let Ok((sink, _)) = sending.await {
                            sink.abort().await;
                        }
                    }
                    Stage::Failed => {}
                }
            });
        }
    }
}

impl Drop for Writer {
    /// Aborts an upload that was not finished.
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::storage::{Memory, Storage as _, Version};
    use super::*;

    fn writer(memory: &Memory) -> Writer {
        Writer::new(memory.create("b", "k", false), &Budget::default()).unwrap()
    }

    async fn content(memory: &Memory) -> Vec<u8> {
        let mut content = Vec::new();
        loop {
            let object = Version { bucket: "b", key: "k", etag: None };
            let bytes = memory.range(object, content.len() as u64, u64::MAX).await.unwrap().unwrap();
            if bytes.is_empty() {
                return content;
            }
            content.extend_from_slice(&bytes);
        }
    }

    #[tokio::test]
    async fn writes_out_of_order_are_assembled() {
        let memory = Memory::default();
        let mut writer = writer(&memory);
        for (offset, data) in [(0, "ab"), (4, "ef"), (2, "cd"), (6, "g")] {
            writer.write(offset, data.as_bytes().to_vec()).await.unwrap();
        }
        assert!(memory.head("b", "k").await.unwrap().is_none());
        writer.finish().await.unwrap();
        assert_eq!(content(&memory).await, b"abcdefg");
    }

    #[tokio::test]
    async fn gaps_and_rewrites_are_refused() {
        let memory = Memory::default();
        let mut uploaded = writer(&memory);
        uploaded.write(0, vec![0; 10]).await.unwrap();
        assert!(matches!(uploaded.write(5, vec![1]).await, Err(WriteError::NotInOrder)));
        // Later writes in order would complete a file that differs from what the client wrote.
        assert!(matches!(uploaded.write(10, vec![1]).await, Err(WriteError::Failed)));
        assert!(matches!(uploaded.finish().await, Err(WriteError::Failed)));
        let mut uploaded = writer(&memory);
        uploaded.write(0, vec![0; 10]).await.unwrap();
        uploaded.write(20, vec![1]).await.unwrap();
        assert!(matches!(uploaded.finish().await, Err(WriteError::NotInOrder)));
        let mut uploaded = writer(&memory);
        assert!(matches!(uploaded.write(u64::MAX, vec![1, 2]).await, Err(WriteError::NotInOrder)));
        assert!(memory.head("b", "k").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn large_file_is_sent_in_parts() {
        let memory = Memory::default();
        let mut writer = writer(&memory);
        let chunk = vec![7; 1 << 20];
        for index in 0..12_u64 {
            writer.write(index << 20, chunk.clone()).await.unwrap();
        }
        assert_eq!(writer.parts, 2);
        writer.finish().await.unwrap();
        assert_eq!(memory.head("b", "k").await.unwrap().unwrap().size, 12 << 20);
    }

    #[tokio::test]
    async fn uploads_are_finished_with_the_memory_they_began_with() {
        // For two uploads, and no byte more.
        let budget = Budget::of(0, 2 * (PART + AHEAD), 0);
        let memory = Memory::default();
        let begin = |key: &str| Writer::new(memory.create("b", key, false), &budget);
        let (mut one, mut two) = (begin("1").unwrap(), begin("2").unwrap());
        assert!(begin("3").is_none());
        for index in 0..12_u64 {
            for writer in [&mut one, &mut two] {
                writer.write(index << 20, vec![7; 1 << 20]).await.unwrap();
                assert!(!matches!(writer.stage, Stage::Sending(_)), "more than the budget");
            }
        }
        one.finish().await.unwrap();
        assert_eq!(memory.head("b", "1").await.unwrap().unwrap().size, 12 << 20);
        drop(two);
        assert!(begin("3").is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// An object is exactly what a file system would have after the same writes, or an error was returned.
        #[test]
        fn acknowledged_writes_are_never_lost_or_mixed(
            writes in prop::collection::vec((0..12_u64, 0..7_usize), 1..14),
            ordered in any::<bool>(),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let memory = Memory::default();
                let mut writer = writer(&memory);
                let mut file: Vec<Option<u8>> = Vec::new();
                for (number, (offset, length)) in (1..).zip(writes) {
                    // Mostly in order: every sequence of random offsets alone would soon be refused.
                    let offset = if ordered { writer.written() + offset % 4 } else { offset };
                    let data = vec![number; length];
                    if writer.write(offset, data.clone()).await.is_err() {
                        assert!(writer.finish().await.is_err(), "an upload goes on after an error");
                        return;
                    }
                    let start = usize::try_from(offset).unwrap();
                    if length > 0 {
                        file.resize(file.len().max(start + length), None);
                        file[start..start + length].fill(Some(number));
                    }
                    assert_eq!(writer.end(), file.len() as u64);
                }
                let whole: Option<Vec<u8>> = file.into_iter().collect();
                match (writer.finish().await, whole) {
                    (Ok(_), whole) => assert_eq!(Some(content(&memory).await), whole),
                    (Err(error), Some(_)) => panic!("a whole file was refused: {error}"),
                    (Err(_), None) => assert!(memory.head("b", "k").await.unwrap().is_none()),
                }
            });
        }
    }
}
