//! An upload: bytes are collected into parts, and one part is sent while the next one fills.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::storage::{Sink, StorageError};

/// S3's minimum part size.
const PART: usize = 5 << 20;
/// Maximum bytes buffered ahead of their turn; clients send a window of writes, nearly always in order.
const AHEAD: usize = 4 << 20;

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

type Sending = JoinHandle<(Box<dyn Sink>, Result<(), StorageError>)>;

enum Stage {
    Idle(Box<dyn Sink>),
    Sending(Sending),
    Failed,
}

pub(super) struct Writer {
    stage: Stage,
    buffer: BytesMut,
    ahead: BTreeMap<u64, Bytes>,
    written: u64,
    parts: usize,
}

impl Writer {
    pub(super) fn new(sink: Box<dyn Sink>) -> Self {
        Self { stage: Stage::Idle(sink), buffer: BytesMut::new(), ahead: BTreeMap::new(), written: 0, parts: 0 }
    }

    /// Bytes accepted so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Whether nothing has been written.
    pub(super) fn untouched(&self) -> bool {
        self.written == 0 && self.ahead.is_empty()
    }

    /// Writes bytes at `offset`.
    ///
    /// # Errors
    /// See [`WriteError`]; the upload cannot continue after one.
    pub(super) async fn write(&mut self, offset: u64, data: Vec<u8>) -> Result<(), WriteError> {
        if matches!(self.stage, Stage::Failed) {
            return Err(WriteError::Failed);
        }
        if offset != self.written {
            let waiting: usize = self.ahead.values().map(Bytes::len).sum();
            if offset < self.written || waiting + data.len() > AHEAD {
                // With a gap or a rewrite, the file would differ from what the client wrote.
                self.give_up();
                return Err(WriteError::NotInOrder);
            }
            self.ahead.insert(offset, data.into());
            return Ok(());
        }
        self.append(&data).await?;
        while let Some(data) = self.ahead.remove(&self.written) {
            self.append(&data).await?;
        }
        Ok(())
    }

    async fn append(&mut self, data: &[u8]) -> Result<(), WriteError> {
        self.buffer.extend_from_slice(data);
        self.written += data.len() as u64;
        // Parts grow with the object, because S3 accepts at most 10,000.
        let part = PART * (1 + self.parts / 1000);
        if self.buffer.len() >= part {
            let bytes = self.buffer.split().freeze();
            let mut sink = self.idle().await?;
            self.parts += 1;
            self.stage = Stage::Sending(tokio::spawn(async move {
                let result = sink.add(bytes).await;
                (sink, result)
            }));
            self.buffer.reserve(part);
        }
        Ok(())
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

    /// Creates the object.
    ///
    /// # Errors
    /// See [`WriteError`]; the object was not created.
    pub(super) async fn finish(mut self) -> Result<(), WriteError> {
        let sink = self.idle().await?;
        if !self.ahead.is_empty() {
            sink.abort().await;
            return Err(WriteError::NotInOrder);
        }
        let rest = self.buffer.split().freeze();
        Ok(sink.finish(rest).await?)
    }
}

impl Writer {
    /// Aborts the upload; later writes fail.
    fn give_up(&mut self) {
        self.ahead.clear();
        self.buffer.clear();
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
    /// Aborts the upload of a lost connection.
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use super::super::storage::{Memory, Storage as _, Version};
    use super::*;

    #[tokio::test]
    async fn writes_out_of_order_are_assembled() {
        let memory = Memory::default();
        let mut writer = Writer::new(memory.create("b", "k"));
        for (offset, data) in [(0, "ab"), (4, "ef"), (2, "cd"), (6, "g")] {
            writer.write(offset, data.as_bytes().to_vec()).await.unwrap();
        }
        assert!(memory.head("b", "k").await.unwrap().is_none());
        writer.finish().await.unwrap();
        let object = Version { bucket: "b", key: "k", etag: None };
        assert_eq!(memory.range(object, 0, 100).await.unwrap().unwrap(), "abcdefg");
    }

    #[tokio::test]
    async fn gaps_and_rewrites_are_refused() {
        let memory = Memory::default();
        let mut writer = Writer::new(memory.create("b", "k"));
        writer.write(0, vec![0; 10]).await.unwrap();
        assert!(matches!(writer.write(5, vec![1]).await, Err(WriteError::NotInOrder)));
        // Later writes in order would complete a file that differs from what the client wrote.
        assert!(matches!(writer.write(10, vec![1]).await, Err(WriteError::Failed)));
        assert!(matches!(writer.finish().await, Err(WriteError::Failed)));
        let mut writer = Writer::new(memory.create("b", "k"));
        writer.write(0, vec![0; 10]).await.unwrap();
        writer.write(20, vec![1]).await.unwrap();
        assert!(matches!(writer.finish().await, Err(WriteError::NotInOrder)));
        assert!(memory.head("b", "k").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn large_file_is_sent_in_parts() {
        let memory = Memory::default();
        let mut writer = Writer::new(memory.create("b", "k"));
        let chunk = vec![7; 1 << 20];
        for index in 0..12_u64 {
            writer.write(index << 20, chunk.clone()).await.unwrap();
        }
        assert_eq!(writer.parts, 2);
        writer.finish().await.unwrap();
        assert_eq!(memory.head("b", "k").await.unwrap().unwrap().size, 12 << 20);
    }
}
