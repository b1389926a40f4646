//! Where files are stored: S3 ([`super::buckets`]), or memory for measuring the endpoint by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use sftpctl_aws::{ObjectFacts, ObjectPage};

/// A storage error, with a message for the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct StorageError(pub(crate) String);

impl From<sftpctl_aws::AwsError> for StorageError {
    fn from(error: sftpctl_aws::AwsError) -> Self {
        Self(error.to_string())
    }
}

#[async_trait]
pub(crate) trait Storage: Send + Sync {
    /// Size and time of an object; `None` if it does not exist.
    async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectFacts>, StorageError>;
    /// One page of a folder.
    async fn page(&self, bucket: &str, prefix: &str, max: i32, from: Option<&str>) -> Result<ObjectPage, StorageError>;
    /// Some bytes of an object; `None` if it does not exist.
    async fn range(&self, bucket: &str, key: &str, start: u64, length: u64) -> Result<Option<Bytes>, StorageError>;
    /// Streams an object from `start` to its end; `None` if it does not exist.
    async fn open(&self, bucket: &str, key: &str, start: u64) -> Result<Option<Box<dyn Source>>, StorageError>;
    /// Begins an upload. The object exists once the upload is finished.
    fn create(&self, bucket: &str, key: &str) -> Box<dyn Sink>;
    async fn copy(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), StorageError>;
    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StorageError>;
}

/// An object that is being read.
#[async_trait]
pub(crate) trait Source: Send {
    /// The bytes that follow; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError>;
}

/// An object that is being written.
#[async_trait]
pub(crate) trait Sink: Send {
    /// Adds a part; all but the last have at least 5 MiB.
    async fn add(&mut self, part: Bytes) -> Result<(), StorageError>;
    /// Creates the object from the parts and `last`.
    async fn finish(self: Box<Self>, last: Bytes) -> Result<(), StorageError>;
    /// Discards the parts.
    async fn abort(self: Box<Self>);
}

type Objects = BTreeMap<(String, String), Vec<Bytes>>;

#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Objects>>);

impl Memory {
    fn objects(&self) -> std::sync::MutexGuard<'_, Objects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(parts: &[Bytes]) -> u64 {
    parts.iter().map(|part| part.len() as u64).sum()
}

#[async_trait]
impl Storage for Memory {
    async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectFacts>, StorageError> {
        let objects = self.objects();
        let parts = objects.get(&(bucket.to_owned(), key.to_owned()));
        Ok(parts.map(|parts| ObjectFacts { key: key.to_owned(), size: size(parts), modified: 0 }))
    }

    async fn page(&self, bucket: &str, prefix: &str, max: i32, from: Option<&str>) -> Result<ObjectPage, StorageError> {
        let objects = self.objects();
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let mut page = ObjectPage::default();
        let mut last = String::new();
        for ((_, key), parts) in objects.iter().filter(|((name, key), _)| name == bucket && key.starts_with(prefix)) {
            let rest = &key[prefix.len()..];
            let shown = rest.split_once('/').map_or(key.clone(), |(folder, _)| format!("{prefix}{folder}/"));
            if shown == last || from.is_some_and(|from| shown.as_str() <= from) {
                continue;
            }
            if page.objects.len() + page.folders.len() >= max {
                page.next = Some(last);
                break;
            }
            if shown == *key {
                page.objects.push(ObjectFacts { key: key.clone(), size: size(parts), modified: 0 });
            } else {
                page.folders.push(shown.clone());
            }
            last = shown;
        }
        Ok(page)
    }

    async fn range(&self, bucket: &str, key: &str, start: u64, length: u64) -> Result<Option<Bytes>, StorageError> {
        let objects = self.objects();
        let Some(parts) = objects.get(&(bucket.to_owned(), key.to_owned())) else { return Ok(None) };
        let mut at = 0_u64;
        for part in parts {
            let end = at + part.len() as u64;
            if start < end {
                let from = usize::try_from(start - at).unwrap_or(usize::MAX);
                let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(part.len());
                return Ok(Some(part.slice(from..to)));
            }
            at = end;
        }
        Ok(Some(Bytes::new()))
    }

    async fn open(&self, bucket: &str, key: &str, start: u64) -> Result<Option<Box<dyn Source>>, StorageError> {
        let (memory, bucket, key) = (self.clone(), bucket.to_owned(), key.to_owned());
        Ok(Some(Box::new(MemorySource { memory, bucket, key, at: start })))
    }

    fn create(&self, bucket: &str, key: &str) -> Box<dyn Sink> {
        Box::new(MemorySink { memory: self.clone(), name: (bucket.to_owned(), key.to_owned()), parts: Vec::new() })
    }

    async fn copy(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), StorageError> {
        let mut objects = self.objects();
        let parts = objects.get(&(from.0.to_owned(), from.1.to_owned())).cloned();
        let parts = parts.ok_or_else(|| StorageError("no such object".to_owned()))?;
        objects.insert((to.0.to_owned(), to.1.to_owned()), parts);
        Ok(())
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StorageError> {
        self.objects().remove(&(bucket.to_owned(), key.to_owned()));
        Ok(())
    }
}

struct MemorySource {
    memory: Memory,
    bucket: String,
    key: String,
    at: u64,
}

#[async_trait]
impl Source for MemorySource {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        let bytes = self.memory.range(&self.bucket, &self.key, self.at, 1 << 20).await?;
        self.at += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Ok(bytes.filter(|bytes| !bytes.is_empty()))
    }
}

struct MemorySink {
    memory: Memory,
    name: (String, String),
    parts: Vec<Bytes>,
}

#[async_trait]
impl Sink for MemorySink {
    async fn add(&mut self, part: Bytes) -> Result<(), StorageError> {
        self.parts.push(part);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, last: Bytes) -> Result<(), StorageError> {
        self.parts.push(last);
        self.memory.objects().insert(self.name, self.parts);
        Ok(())
    }

    async fn abort(self: Box<Self>) {}
}
