//! One entry of a home becomes an object: read once, with its checksum on the way, and never over what another writer
//! stored.
//!
//! Nothing is read before a write to decide whether it may be done: S3 itself compares what is at the key with what an
//! earlier line of the manifest says (`If-Match`, `If-None-Match`), so that there is no moment between the two. What is
//! sent has a line before it is sent, by which an object of a run that was killed is recognized as ours.

mod copied;
mod parts;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use sftpctl_aws::{AwsError, Expected, HeadFacts, Metadata, PRECONDITION_FAILED, Put, S3};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::concern::Concern;
use super::copy::{CopyError, locked};
use super::entry::{Entry, Facts};
use super::journal::Journal;
use super::metadata;
use super::name::Raw;
use super::pace::Pace;
use super::plan::Fate;
use super::record::{Line, Object, Sending};
use super::source::{Content, Source};
use super::totals::SINGLE;
use super::verify::read_back;
use super::watch::Watch;
use crate::checksum;
use sftpctl_core::text::counted;

/// Bytes of a permit for memory.
const UNIT: u64 = 16 << 10;

/// What all uploads of a home share.
pub(super) struct Uploader {
    pub(super) s3: S3,
    pub(super) bucket: String,
    pub(super) home: Arc<Source>,
    pub(super) journal: Arc<Mutex<Journal>>,
    pub(super) with_s3fs: bool,
    /// Bytes of an object that S3 copies with one call.
    pub(super) single_copy: u64,
    pub(super) pace: Arc<Pace>,
    pub(super) watch: Arc<dyn Watch>,
    pub(super) memory: Memory,
    /// Bytes that were sent.
    pub(super) sent: AtomicU64,
}

/// The bytes of files that may be in memory at once.
pub(super) struct Memory {
    free: Arc<Semaphore>,
    units: u32,
}

impl Memory {
    pub(super) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).max(1);
        Self { free: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Waits for memory. More than there is gets all of it, so that a part of any size can be sent.
    async fn take(&self, bytes: u64) -> io::Result<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX).saturating_add(1).min(self.units);
        Arc::clone(&self.free).acquire_many_owned(units).await.map_err(io::Error::other)
    }
}

/// What came of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Stored,
    /// It was read again, and is as it was stored.
    Unchanged,
    /// It is gone.
    Vanished,
    /// It changed while it was read.
    Changing,
    /// It was not sent, since the run is to stop.
    Stopped,
    Left(Concern, String),
}

/// An object that is to be written.
struct Wanted<'a> {
    path: &'a Raw,
    key: &'a str,
    facts: Facts,
    metadata: Metadata,
    known: Option<&'a Object>,
    /// Whether it stands for a folder, and has no content that could be lost.
    is_marker: bool,
}

impl Wanted<'_> {
    fn expected(&self) -> Expected<'_> {
        // An object of another key says nothing about this one.
        let known = self.known.filter(|known| known.key == self.key);
        known.map_or(Expected::Nothing, |known| Expected::Etag(&known.etag))
    }

    /// The stored object with this content, if there is one.
    fn same(&self, bytes: u64, crc: u64) -> Option<&Object> {
        self.known
            .filter(|known| known.bytes == bytes && known.key == self.key && known.crc64nvme == checksum::text(crc))
    }
}

impl Uploader {
    /// Uploads an entry that is to be an object with this key. `known` is what was stored of it before.
    pub(super) async fn upload(
        &self,
        entry: &Entry,
        (fate, key): (Fate, &str),
        known: Option<&Object>,
    ) -> Result<Outcome, CopyError> {
        let want = |facts: Facts| Wanted {
            path: &entry.path,
            key,
            facts,
            metadata: metadata::of(&entry.path, &facts, self.with_s3fs),
            known,
            is_marker: fate == Fate::Folder,
        };
        let opened = match fate {
            Fate::Folder => return self.whole(&want(entry.facts), Bytes::new(), checksum::of(b"")).await,
            Fate::LinkMarker => {
                let target = entry.link.as_ref().map(|link| link.target.0.clone()).unwrap_or_default();
                let crc = checksum::of(&target);
                return self.whole(&want(entry.facts), Bytes::from(target), crc).await;
            }
            _ => self.home.open(&entry.path, fate == Fate::LinkCopy).await,
        };
        let (file, now) = match opened {
            Ok(opened) => opened,
            Err(error) if self.home.lost().is_some() => return Err(CopyError::of(&self.home, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Vanished),
            Err(error) => return Ok(Outcome::Left(Concern::Unreadable, error.to_string())),
        };
        let file = Arc::new(file);
        let wanted = want(now);
        match self.file(&wanted, &file).await {
            // Nothing else would be read either; what was sent is in the manifest.
            Err(CopyError::Read(error)) if self.home.lost().is_some() => Err(CopyError::of(&self.home, error)),
            Err(CopyError::Read(error)) => Ok(Outcome::Left(Concern::Unreadable, error.to_string())),
            outcome => outcome,
        }
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        locked(&self.journal)
    }

    async fn file(&self, wanted: &Wanted<'_>, file: &Arc<Content>) -> Result<Outcome, CopyError> {
        let size = wanted.facts.size;
        if size > SINGLE {
            return self.in_parts(wanted, file).await;
        }
        let _memory = self.memory.take(size).await.map_err(CopyError::Read)?;
        let (body, crc) = read(file, 0, size).await?;
        if body.len() as u64 != size || is_changed(file, &wanted.facts).await? {
            return Ok(Outcome::Changing);
        }
        self.whole(wanted, body, crc).await
    }

    /// Stores a body of at most [`SINGLE`] bytes.
    async fn whole(&self, wanted: &Wanted<'_>, body: Bytes, crc: u64) -> Result<Outcome, CopyError> {
        let size = body.len() as u64;
        if let Some(same) = wanted.same(size, crc) {
            return self.same(wanted, same).await;
        }
        if !self.pace.take(size, &*self.watch).await {
            return Ok(Outcome::Stopped);
        }
        let before = self.sending(wanted, size, Some(crc))?;
        let error = match self.put(wanted, &body, crc, wanted.expected()).await {
            Ok(put) => return self.stored(wanted, (size, crc), put),
            Err(error) => error,
        };
        if !is_conflict(&error) {
            return refused(error);
        }
        let found = self.facts(wanted.key).await?;
        // The marker that `users add` made, or a client's mkdir, has nothing to lose.
        let marker = found.as_ref().filter(|found| wanted.is_marker && found.size == 0);
        match marker {
            Some(marker) => match self.put(wanted, &body, crc, Expected::Etag(&marker.etag)).await {
                Ok(put) => self.stored(wanted, (size, crc), put),
                // Someone has written it just now.
                Err(error) if is_conflict(&error) => {
                    let found = self.facts(wanted.key).await?;
                    self.settle(wanted, (size, crc), found, &before).await
                }
                Err(error) => refused(error),
            },
            None => self.settle(wanted, (size, crc), found, &before).await,
        }
    }

    /// Notes what is going to be sent. Returns what earlier attempts have sent of the path, whose answers nobody has got.
    fn sending(&self, wanted: &Wanted<'_>, bytes: u64, crc: Option<u64>) -> Result<Vec<Sending>, CopyError> {
        let mut journal = self.journal();
        let before = journal.manifest().sending.get(wanted.path).cloned().unwrap_or_default();
        let (path, key, stamp) = (wanted.path.clone(), wanted.key.to_owned(), wanted.facts.stamp());
        let at = jiff::Timestamp::now().as_second();
        journal.append(Line::Sending(Sending { path, key, stamp, bytes, crc64nvme: crc.map(checksum::text), at }))?;
        Ok(before)
    }

    async fn put(&self, wanted: &Wanted<'_>, body: &Bytes, crc: u64, expected: Expected<'_>) -> Result<Put, AwsError> {
        let place = (self.bucket.as_str(), wanted.key);
        let crc = checksum::text(crc);
        let put = self.s3.put_whole(place, body.clone(), &crc, &wanted.metadata, expected).await?;
        self.sent.fetch_add(body.len() as u64, Ordering::Relaxed);
        Ok(put)
    }

    /// The content is stored already; its metadata may not be.
    async fn same(&self, wanted: &Wanted<'_>, same: &Object) -> Result<Outcome, CopyError> {
        let size = (same.bytes, checksum::parse(&same.crc64nvme).unwrap_or_default());
        if same.has_rights_of(&wanted.facts) && same.stamp.mtime == wanted.facts.mtime {
            let put = Put { etag: same.etag.clone(), version: same.version.clone() };
            self.noted(wanted, size, put, same.is_read)?;
            return Ok(Outcome::Unchanged);
        }
        self.copy((&same.key, &same.etag), wanted, size).await
    }

    /// Stores another name of a file that is stored already.
    pub(super) async fn another_name(
        &self,
        entry: &Entry,
        key: &str,
        (first, known): (&Object, Option<&Object>),
    ) -> Result<Outcome, CopyError> {
        let wanted = Wanted {
            path: &entry.path,
            key,
            facts: entry.facts,
            metadata: metadata::of(&entry.path, &entry.facts, self.with_s3fs),
            known,
            is_marker: false,
        };
        let crc = checksum::parse(&first.crc64nvme).unwrap_or_default();
        if let Some(same) = wanted.same(first.bytes, crc) {
            return self.same(&wanted, same).await;
        }
        self.copy((&first.key, &first.etag), &wanted, (first.bytes, crc)).await
    }

    /// Copies an object inside the bucket; a large one in parts.
    async fn copy(
        &self,
        from: (&str, &str),
        wanted: &Wanted<'_>,
        (size, crc): (u64, u64),
    ) -> Result<Outcome, CopyError> {
        if size > self.single_copy {
            return self.copy_in_parts(from, wanted, (size, crc)).await;
        }
        let before = self.sending(wanted, size, Some(crc))?;
        match self.s3.copy_whole(&self.bucket, from, wanted.key, &wanted.metadata, wanted.expected()).await {
            Ok(put) => self.stored(wanted, (size, crc), put),
            Err(error) if is_conflict(&error) => {
                let facts = self.facts(wanted.key).await?;
                self.settle(wanted, (size, crc), facts, &before).await
            }
            Err(error) => refused(error),
        }
    }

    /// Notes what was stored.
    fn stored(&self, wanted: &Wanted<'_>, sum: (u64, u64), put: Put) -> Result<Outcome, CopyError> {
        self.noted(wanted, sum, put, false)
    }

    /// Notes what is stored. `is_read`: S3 has no checksum of it, and its content was read.
    fn noted(
        &self,
        wanted: &Wanted<'_>,
        (bytes, crc): (u64, u64),
        put: Put,
        is_read: bool,
    ) -> Result<Outcome, CopyError> {
        let Facts { mode, uid, gid, .. } = wanted.facts;
        let Put { etag, version } = put;
        self.journal().append(Line::Object(Object {
            path: wanted.path.clone(),
            key: wanted.key.to_owned(),
            stamp: wanted.facts.stamp(),
            mode,
            uid,
            gid,
            bytes,
            crc64nvme: checksum::text(crc),
            etag,
            version,
            is_read,
        }))?;
        Ok(Outcome::Stored)
    }

    async fn facts(&self, key: &str) -> Result<Option<HeadFacts>, CopyError> {
        Ok(self.s3.facts(&self.bucket, key).await?)
    }

    /// Something else is at the key than was expected: the same content, of an earlier attempt or of the customer, does
    /// as well; anything else is kept.
    async fn settle(
        &self,
        wanted: &Wanted<'_>,
        (size, crc): (u64, u64),
        found: Option<HeadFacts>,
        before: &[Sending],
    ) -> Result<Outcome, CopyError> {
        let Some(found) = found else {
            let detail = match wanted.known {
                Some(_) => "the object was deleted since it was stored",
                None => "someone else is writing it just now",
            };
            return Ok(Outcome::Left(Concern::Conflict, detail.to_owned()));
        };
        if let Some(sent) = before.iter().find(|sent| sent.is(wanted.key, &found)) {
            let is_current = (sent.bytes, sent.crc64nvme.as_deref()) == (size, Some(&checksum::text(crc)));
            if is_current && found.metadata == wanted.metadata {
                return self.stored(wanted, (size, crc), Put { etag: found.etag, version: found.version });
            }
            // A run that was killed has stored an earlier state. It is noted, and replaced by the next attempt.
            self.journal().append(Line::Object(sent.stored(&found)))?;
            return Ok(Outcome::Changing);
        }
        let stored = match &found.crc64nvme {
            Some(stored) => Some(stored.clone()),
            // Of a client that sent another checksum.
            None if found.size == size => read_back(&self.s3, &self.bucket, wanted.key, &found).await?,
            None => None,
        };
        if found.size == size && stored.as_deref() == Some(&checksum::text(crc)) {
            let is_read = found.crc64nvme.is_none();
            return self.noted(wanted, (size, crc), Put { etag: found.etag, version: found.version }, is_read);
        }
        Ok(Outcome::Left(Concern::Conflict, of_someone_else(found.size, found.modified)))
    }
}

impl Sending {
    /// Whether the object at a key is what was sent: content, and the time of modification in the metadata, which a
    /// customer's upload does not have.
    fn is(&self, key: &str, found: &HeadFacts) -> bool {
        self.key == key
            && self.bytes == found.size
            && self.crc64nvme.is_some()
            && self.crc64nvme == found.crc64nvme
            && metadata::read(&found.metadata).mtime == Some(self.stamp.mtime)
    }

    /// The line of the object that was stored, with the rights that it has in S3.
    fn stored(&self, found: &HeadFacts) -> Object {
        let owned = metadata::read(&found.metadata);
        Object {
            path: self.path.clone(),
            key: self.key.clone(),
            stamp: self.stamp,
            mode: owned.mode.unwrap_or_default(),
            uid: owned.uid.unwrap_or_default(),
            gid: owned.gid.unwrap_or_default(),
            bytes: self.bytes,
            crc64nvme: self.crc64nvme.clone().unwrap_or_default(),
            etag: found.etag.clone(),
            version: found.version.clone(),
            is_read: false,
        }
    }
}

/// What is said of an object that another writer has stored.
pub(super) fn of_someone_else(bytes: u64, modified: i64) -> String {
    let at = jiff::Timestamp::from_second(modified).map(|at| at.to_string()).unwrap_or_default();
    format!("an object of {} was written at {at} by someone else", counted(bytes, "byte"))
}

/// Whether something else is at the key than was expected. 409 answers two writes at the same time (S3 user guide, "How
/// to prevent object overwrites with conditional writes"), 404 an expected object that is gone.
fn is_conflict(error: &AwsError) -> bool {
    [PRECONDITION_FAILED, "ConditionalRequestConflict", "NoSuchKey"].iter().any(|code| error.is(code))
        || error.status == Some(412)
}

/// Whether an error concerns the whole run: without permissions nothing else would succeed either.
pub(super) fn is_fatal(error: &AwsError) -> bool {
    error.is_credentials() || error.is_access_denied() || error.is_clock() || error.is("NoSuchBucket")
}

/// An error that concerns one entry, or the whole run.
fn refused(error: AwsError) -> Result<Outcome, CopyError> {
    if is_fatal(&error) { Err(error.into()) } else { Ok(Outcome::Left(Concern::Failed, error.to_string())) }
}

/// Bytes of a file and their checksum; fewer bytes if it ends before.
async fn read(file: &Arc<Content>, start: u64, length: u64) -> Result<(Bytes, u64), CopyError> {
    let file = Arc::clone(file);
    let read = move || {
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        let mut filled = 0;
        while let Some(rest @ [_, ..]) = bytes.get_mut(filled..) {
            match file.read_at(rest, start + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        let crc = checksum::of(&bytes);
        Ok((Bytes::from(bytes), crc))
    };
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other).flatten().map_err(CopyError::Read)
}

/// Whether a file is no longer in the state in which it was opened.
async fn is_changed(file: &Arc<Content>, before: &Facts) -> Result<bool, CopyError> {
    Ok(file.facts().await.map_err(CopyError::Read)?.stamp() != before.stamp())
}
