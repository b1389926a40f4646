//! Brings back to the disk what was stored in S3 after the copy: a roll-back loses nothing of a customer's.

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex};

use sftpctl_aws::{HeadFacts, ObjectFacts, S3};
use tokio::task::JoinSet;

use super::copy::{CopyError, locked};
use super::entry::{Facts, Kind};
use super::journal::Journal;
use super::metadata::{self, Owned};
use super::name::Raw;
use super::objects::ByKey;
use super::put_back::{Begun, Folder, Labels, is_folder, kind, path_of};
use super::record::{Line, Object};
use super::watch::{Progress, Watch};
use crate::checksum::{self, Running};

/// Objects at once.
const AT_ONCE: usize = 16;
/// Objects that could not be brought back of which the reasons are kept.
const REASONS: usize = 10_000;

/// What was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// Objects that are new in S3 or have changed there, and are on the disk now.
    pub returned: u64,
    pub bytes: u64,
    /// Objects that are as they were copied.
    pub unchanged: u64,
    /// Keys that could not be brought back, with the reason; the first ones, and the count of all.
    pub left: Vec<(String, String)>,
    pub left_count: u64,
    /// Of these, the ones that failed: another attempt may bring them back.
    pub failed: u64,
    /// Files that were deleted in S3 after the copy, and are kept on the disk.
    pub deleted: u64,
    pub is_interrupted: bool,
}

impl Returned {
    fn leave(&mut self, key: String, why: String) {
        self.left_count += 1;
        if self.left.len() < REASONS {
            self.left.push((key, why));
        }
    }
}

enum Outcome {
    Returned(u64),
    Unchanged,
    /// It can never be brought back.
    Left(String),
    Failed(String),
}

/// Brings back what differs from the manifest.
///
/// # Errors
/// S3 or the manifest cannot be read or written.
pub async fn bring_back(
    folder: &Arc<Folder>,
    journal: &Arc<Mutex<Journal>>,
    (s3, bucket, prefix): (&S3, &str, &str),
    watch: &dyn Watch,
) -> Result<Returned, CopyError> {
    let mut known = ByKey::new(&locked(journal).manifest().objects);
    let mut result = Returned::default();
    let (mut tasks, mut folders, mut from) = (JoinSet::new(), Vec::new(), None);
    loop {
        let page = s3.page(bucket, prefix, false, 1000, from.as_deref()).await?;
        for object in page.objects {
            let old = known.take(&object.key);
            if old.as_ref().is_some_and(|old| Some(&old.etag) == object.etag.as_ref()) || object.key == prefix {
                result.unchanged += 1;
                continue;
            }
            if object.key.ends_with('/') {
                folders.push((object, old));
                continue;
            }
            while tasks.len() >= AT_ONCE {
                take(&mut result, tasks.join_next().await, watch)?;
            }
            tasks.spawn(one(Place::new(folder, journal, s3, bucket, prefix), object, old));
        }
        from = page.next;
        if from.is_none() || watch.is_stopping() {
            break;
        }
    }
    while let Some(ended) = tasks.join_next().await {
        take(&mut result, Some(ended), watch)?;
    }
    // The deepest first: what is put into a folder changes its time.
    for (object, old) in folders.into_iter().rev() {
        let ended = one(Place::new(folder, journal, s3, bucket, prefix), object, old).await;
        take(&mut result, Some(Ok(ended)), watch)?;
    }
    folder.close().map_err(CopyError::Read)?;
    result.is_interrupted = watch.is_stopping();
    if !result.is_interrupted {
        result.deleted = known.left();
    }
    locked(journal).sync()?;
    Ok(result)
}

type Ended = Result<Result<(String, Outcome), CopyError>, tokio::task::JoinError>;

fn take(result: &mut Returned, ended: Option<Ended>, watch: &dyn Watch) -> Result<(), CopyError> {
    let Some(ended) = ended else { return Ok(()) };
    match ended?? {
        (_, Outcome::Unchanged) => result.unchanged += 1,
        (_, Outcome::Returned(bytes)) => {
            result.returned += 1;
            result.bytes += bytes;
        }
        (key, Outcome::Left(why)) => result.leave(key, why),
        (key, Outcome::Failed(why)) => {
            result.failed += 1;
            result.leave(key, why);
        }
    }
    watch.progress(Progress::Returning { done: result.returned + result.unchanged, bytes: result.bytes });
    Ok(())
}

/// The checksum of a file.
fn sum(mut file: std::fs::File) -> io::Result<u64> {
    let (mut sum, mut bytes) = (Running::default(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut bytes)? {
            0 => return Ok(sum.value()),
            count => sum.update(bytes.get(..count).unwrap_or_default()),
        }
    }
}

/// Where objects come from and go to.
struct Place {
    folder: Arc<Folder>,
    journal: Arc<Mutex<Journal>>,
    s3: S3,
    bucket: String,
    prefix: String,
}

impl Place {
    fn new(folder: &Arc<Folder>, journal: &Arc<Mutex<Journal>>, s3: &S3, bucket: &str, prefix: &str) -> Self {
        let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
        Self { folder: Arc::clone(folder), journal: Arc::clone(journal), s3: s3.clone(), bucket, prefix }
    }
}

async fn one(place: Place, object: ObjectFacts, old: Option<Object>) -> Result<(String, Outcome), CopyError> {
    let key = object.key;
    let found = path_of(&key, &place.prefix);
    // The path of an object that was copied is in the manifest: its name may have been decoded.
    let path = old.as_ref().map(|old| old.path.clone()).or_else(|| found.as_ref().map(|(path, _)| path.clone()));
    let (Some(path), Some((_, of_key))) = (path, found) else {
        return Ok((key, Outcome::Left("no file can have this name".to_owned())));
    };
    let Some(head) = place.s3.facts(&place.bucket, &key).await? else { return Ok((key, Outcome::Unchanged)) };
    if old.as_ref().is_some_and(|old| old.etag == head.etag) {
        return Ok((key, Outcome::Unchanged));
    }
    let outcome = match place.write(&path, &key, of_key, (&head, old.as_ref())).await {
        Ok(outcome) => outcome,
        Err(CopyError::Read(error)) => Outcome::Failed(error.to_string()),
        Err(error) => return Err(error),
    };
    Ok((key, outcome))
}

impl Place {
    async fn write(
        &self,
        path: &Raw,
        key: &str,
        of_key: Kind,
        (head, old): (&HeadFacts, Option<&Object>),
    ) -> Result<Outcome, CopyError> {
        let owned = metadata::read(&head.metadata);
        let set_id = |mode: u32| mode & 0o6000;
        // Of a file that had them when it was copied, for the same owner.
        let keeps_set_id = old.is_some_and(|old| {
            let mode = owned.mode.unwrap_or_default();
            set_id(old.mode) == set_id(mode) && owned.uid == Some(old.uid) && owned.gid == Some(old.gid)
        });
        let labels = Labels { owned, modified: head.modified.saturating_mul(1_000_000_000), keeps_set_id };
        let here = self.folder.look(path).map_err(CopyError::Read)?;
        let is_ours = match (&here, old) {
            (None, _) => true,
            // A folder holds what it holds.
            (Some(here), _) if of_key == Kind::Folder => is_folder(here),
            // Another name or other rights do not make it another file.
            (Some(here), Some(old)) => (here.size, here.mtime) == (old.stamp.size, old.stamp.mtime),
            (Some(_), None) => false,
        };
        if !is_ours && self.is_there((path, key), (of_key, &owned), here.as_ref(), head, &labels).await? {
            self.note(path, key, head, String::new())?;
            return Ok(Outcome::Returned(0));
        }
        if !is_ours {
            return Ok(Outcome::Left("something else of this name is in the home".to_owned()));
        }
        let mut crc64nvme = String::new();
        match kind(of_key, &owned) {
            Kind::Folder => self.folder.folder(path, &labels).map_err(CopyError::Read)?,
            Kind::Link => {
                let target = self.s3.range(&self.bucket, key, (0, 4096), Some(&head.etag)).await?.unwrap_or_default();
                self.folder.link(path, &target, &labels).map_err(CopyError::Read)?;
            }
            _ => crc64nvme = self.download(path, key, head, &labels).await?,
        }
        self.note(path, key, head, crc64nvme)?;
        Ok(Outcome::Returned(head.size))
    }

    /// Whether a run that was killed before it could note it has brought the object back already.
    async fn is_there(
        &self,
        (path, key): (&Raw, &str),
        (of_key, owned): (Kind, &Owned),
        here: Option<&Facts>,
        head: &HeadFacts,
        labels: &Labels,
    ) -> Result<bool, CopyError> {
        let Some(here) = here else { return Ok(false) };
        let is_alike = here.kind() == kind(of_key, owned)
            && here.size == head.size
            && here.mtime == labels.owned.mtime.unwrap_or(labels.modified);
        match here.kind() {
            _ if !is_alike => Ok(false),
            Kind::Link => {
                let target = self.folder.target(path).map_err(CopyError::Read)?;
                Ok(self.stored(key, head).await? == checksum::text(checksum::of(&target)))
            }
            Kind::File => {
                let file = self.folder.read(path).map_err(CopyError::Read)?;
                let sum = tokio::task::spawn_blocking(move || sum(file)).await?.map_err(CopyError::Read)?;
                Ok(self.stored(key, head).await? == checksum::text(sum))
            }
            _ => Ok(false),
        }
    }

    /// The checksum of an object: as S3 keeps it, or of its content. Objects in parts may be without one.
    async fn stored(&self, key: &str, head: &HeadFacts) -> Result<String, CopyError> {
        if let Some(stored) = &head.crc64nvme {
            return Ok(stored.clone());
        }
        let mut sum = Running::default();
        // S3 refuses a range of an object without content.
        if head.size > 0
            && let Some(mut download) = self.s3.open(&self.bucket, key, 0, Some(&head.etag)).await?
        {
            while let Some(bytes) = download.next().await? {
                sum.update(&bytes);
            }
        }
        Ok(checksum::text(sum.value()))
    }

    /// Writes a file; returns its checksum.
    async fn download(&self, path: &Raw, key: &str, head: &HeadFacts, labels: &Labels) -> Result<String, CopyError> {
        let mut begun = self.folder.begin(path).map_err(CopyError::Read)?;
        let received = self.receive(&mut begun, key, head).await;
        match received {
            Ok(sum) => {
                self.folder.finish(begun, labels).map_err(CopyError::Read)?;
                Ok(sum)
            }
            Err(error) => {
                self.folder.discard(&begun);
                Err(error)
            }
        }
    }

    async fn receive(&self, begun: &mut Begun, key: &str, head: &HeadFacts) -> Result<String, CopyError> {
        let (mut sum, mut size) = (Running::default(), 0);
        // S3 refuses a range of an object without content.
        let download = match head.size {
            0 => None,
            _ => self.s3.open(&self.bucket, key, 0, Some(&head.etag)).await?,
        };
        if let Some(mut download) = download {
            while let Some(bytes) = download.next().await? {
                sum.update(&bytes);
                size += bytes.len() as u64;
                begun.file.write_all(&bytes).map_err(CopyError::Read)?;
            }
        }
        let sum = checksum::text(sum.value());
        let is_whole = size == head.size && head.crc64nvme.as_ref().is_none_or(|expected| *expected == sum);
        if !is_whole {
            return Err(CopyError::Read(io::Error::other("the content is not what S3 says of it")));
        }
        Ok(sum)
    }

    /// Notes that the entry is as it is in S3, so that another run leaves it alone.
    fn note(&self, path: &Raw, key: &str, head: &HeadFacts, crc64nvme: String) -> Result<(), CopyError> {
        let Some(facts) = self.folder.look(path).map_err(CopyError::Read)? else { return Ok(()) };
        let object = Object {
            path: path.clone(),
            key: key.to_owned(),
            stamp: facts.stamp(),
            mode: facts.mode,
            uid: facts.uid,
            gid: facts.gid,
            bytes: head.size,
            crc64nvme: head.crc64nvme.clone().unwrap_or(crc64nvme),
            etag: head.etag.clone(),
            version: head.version.clone(),
        };
        Ok(locked(&self.journal).append(Line::Object(object))?)
    }
}
