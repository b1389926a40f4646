//! Where files are stored: S3 ([`super::buckets`]), or memory for measuring the endpoint by itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use sftpctl_aws::{ObjectFacts, ObjectPage};

/// A storage error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StorageError {
    /// One handle reads one version of an object.
    #[error("the file has been replaced since it was opened")]
    Replaced,
    /// An object was to be created, and there is one.
    #[error("the file exists")]
    Exists,
    /// With a message for the log.
    #[error("{0}")]
    Other(String),
}

impl From<sftpctl_aws::AwsError> for StorageError {
    fn from(error: sftpctl_aws::AwsError) -> Self {
        if error.is(sftpctl_aws::PRECONDITION_FAILED) { Self::Replaced } else { Self::Other(error.to_string()) }
    }
}

/// The content of an object at one time. Other content is refused with [`StorageError::Replaced`].
#[derive(Clone, Copy)]
pub(crate) struct Version<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    /// `None` accepts any content.
    pub(crate) etag: Option<&'a str>,
}

#[async_trait]
pub(crate) trait Storage: Send + Sync {
    /// Size and time of an object; `None` if it does not exist.
    async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectFacts>, StorageError>;
    /// One page of a folder.
    async fn page(&self, bucket: &str, prefix: &str, max: i32, from: Option<&str>) -> Result<ObjectPage, StorageError>;
    /// Some bytes of an object from `start`; `None` if it does not exist.
    async fn range(&self, object: Version<'_>, start: u64, length: u64) -> Result<Option<Bytes>, StorageError>;
    /// Streams an object from `start` to its end; `None` if it does not exist.
    async fn open(&self, object: Version<'_>, start: u64) -> Result<Option<Box<dyn Source>>, StorageError>;
    /// Begins an upload. The object exists once the upload is finished. `only_new` refuses to replace one with
    /// [`StorageError::Exists`], even one that was created during the upload.
    fn create(&self, bucket: &str, key: &str, only_new: bool) -> Box<dyn Sink>;
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
    /// Creates the object from the parts and `last`; returns its ETag.
    async fn finish(self: Box<Self>, last: Bytes) -> Result<String, StorageError>;
    /// Discards the parts.
    async fn abort(self: Box<Self>);
}

type Name = (String, String);

#[derive(Default)]
struct Objects {
    by_name: BTreeMap<Name, Object>,
    written: u64,
}

#[derive(Clone)]
struct Object {
    parts: Vec<Bytes>,
    etag: String,
}

impl Objects {
    fn get(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.by_name.get(&(bucket.to_owned(), key.to_owned()))
    }

    /// Returns the ETag.
    fn insert(&mut self, name: Name, parts: Vec<Bytes>) -> String {
        self.written += 1;
        let etag = self.written.to_string();
        self.by_name.insert(name, Object { parts, etag: etag.clone() });
        etag
    }
}

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
        Ok(objects.get(bucket, key).map(|object| ObjectFacts {
            key: key.to_owned(),
            size: size(&object.parts),
            modified: 0,
            etag: Some(object.etag.clone()),
        }))
    }

    async fn page(&self, bucket: &str, prefix: &str, max: i32, from: Option<&str>) -> Result<ObjectPage, StorageError> {
        let objects = self.objects();
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        let mut page = ObjectPage::default();
        let mut last = String::new();
        let below = |(name, key): &Name| name == bucket && key.starts_with(prefix);
        for ((_, key), object) in objects.by_name.iter().filter(|(name, _)| below(name)) {
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
                let size = size(&object.parts);
                page.objects.push(ObjectFacts { key: key.clone(), size, modified: 0, etag: None });
            } else {
                page.folders.push(shown.clone());
            }
            last = shown;
        }
        Ok(page)
    }

    async fn range(&self, object: Version<'_>, start: u64, length: u64) -> Result<Option<Bytes>, StorageError> {
        let objects = self.objects();
        let Some(found) = objects.get(object.bucket, object.key) else { return Ok(None) };
        if object.etag.is_some_and(|etag| etag != found.etag) {
            return Err(StorageError::Replaced);
        }
        let mut at = 0_u64;
        for part in &found.parts {
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

    async fn open(&self, object: Version<'_>, start: u64) -> Result<Option<Box<dyn Source>>, StorageError> {
        let objects = self.objects();
        let Some(found) = objects.get(object.bucket, object.key) else { return Ok(None) };
        if object.etag.is_some_and(|etag| etag != found.etag) {
            return Err(StorageError::Replaced);
        }
        // As an answer of S3, it goes on with what it has begun, whatever becomes of the object.
        let (mut memory, name) = (Objects::default(), (object.bucket.to_owned(), object.key.to_owned()));
        memory.insert(name.clone(), found.parts.clone());
        Ok(Some(Box::new(MemorySource { memory: Memory(Arc::new(Mutex::new(memory))), name, at: start })))
    }

    fn create(&self, bucket: &str, key: &str, only_new: bool) -> Box<dyn Sink> {
        let name = (bucket.to_owned(), key.to_owned());
        Box::new(MemorySink { memory: self.clone(), name, only_new, parts: Vec::new() })
    }

    async fn copy(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), StorageError> {
        let mut objects = self.objects();
        let object = objects.get(from.0, from.1).cloned();
        let object = object.ok_or_else(|| StorageError::Other("no such object".to_owned()))?;
        objects.insert((to.0.to_owned(), to.1.to_owned()), object.parts);
        Ok(())
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StorageError> {
        self.objects().by_name.remove(&(bucket.to_owned(), key.to_owned()));
        Ok(())
    }
}

struct MemorySource {
    memory: Memory,
    name: Name,
    at: u64,
}

#[async_trait]
impl Source for MemorySource {
    async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        let object = Version { bucket: &self.name.0, key: &self.name.1, etag: None };
        let bytes = self.memory.range(object, self.at, 1 << 20).await?;
        self.at += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        Ok(bytes.filter(|bytes| !bytes.is_empty()))
    }
}

struct MemorySink {
    memory: Memory,
    name: Name,
    only_new: bool,
    parts: Vec<Bytes>,
}

#[async_trait]
impl Sink for MemorySink {
    async fn add(&mut self, part: Bytes) -> Result<(), StorageError> {
        self.parts.push(part);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, last: Bytes) -> Result<String, StorageError> {
        self.parts.push(last);
        let mut objects = self.memory.objects();
        if self.only_new && objects.by_name.contains_key(&self.name) {
            return Err(StorageError::Exists);
        }
        Ok(objects.insert(self.name, self.parts))
    }

    async fn abort(self: Box<Self>) {}
}
