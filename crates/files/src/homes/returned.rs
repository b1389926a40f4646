//! Brings back to the disk what was stored in S3 after the copy: a roll-back loses nothing of a customer's.

use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use sftpctl_aws::{HeadFacts, ObjectFacts, S3};
use tokio::task::JoinSet;

use super::copy::{CopyError, locked};
use super::entry::{Facts, Kind};
use super::journal::Journal;
use super::metadata::{self, Owned};
use super::name::Raw;
use super::objects::ByKey;
use super::put_back::{Begun, Folder, Labels, aside, is_blocked, is_folder, kind, path_of};
use super::record::{Line, Object, Step};
use super::upload::is_fatal;
use super::watch::{Progress, Watch};
use crate::checksum::{self, Running};

/// Objects at once.
const AT_ONCE: usize = 16;
/// Objects that could not be brought back of which the reasons are kept.
const REASONS: usize = 10_000;
/// Bytes of a link's target at most (symlink(2)).
const LINK: u64 = 4095;
/// Seconds by which this machine's clock may be ahead of S3's.
const CLOCKS: i64 = 300;

/// What was brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returned {
    /// Objects that are new in S3 or have changed there, and are on the disk now.
    pub returned: u64,
    pub bytes: u64,
    /// Objects that are as they were copied.
    pub unchanged: u64,
    /// Keys whose names something else has on the disk, with the paths at which they are instead; the first ones, and the
    /// count of all.
    pub beside: Vec<(String, Raw)>,
    pub beside_count: u64,
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
    /// Adds what a later pass has brought back: what is left is what that one has left.
    pub fn add(&mut self, later: Self) {
        self.returned += later.returned;
        self.bytes += later.bytes;
        self.unchanged = later.unchanged;
        self.beside_count += later.beside_count;
        self.beside.extend(later.beside);
        self.beside.truncate(REASONS);
        (self.left, self.left_count, self.failed) = (later.left, later.left_count, later.failed);
        self.deleted = later.deleted;
        self.is_interrupted = later.is_interrupted;
    }

    fn leave(&mut self, key: String, why: String, watch: &dyn Watch) {
        watch.elsewhere(&key, None, &why);
        self.left_count += 1;
        if self.left.len() < REASONS {
            self.left.push((key, why));
        }
    }
}

enum Outcome {
    Returned(u64),
    Unchanged,
    /// Something else has its name, or that of a folder above it.
    Taken,
    /// It is at another path, since something else has its name.
    Beside(Raw, u64),
    /// It can never be brought back.
    Left(String),
    Failed(String),
}

/// An object, and what the manifest has of it.
struct Item {
    object: ObjectFacts,
    old: Option<Object>,
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
    let since = since(&locked(journal).manifest().steps);
    let place = || Place::new(folder, journal, s3, bucket, prefix);
    let mut result = Returned::default();
    let (mut tasks, mut folders, mut taken, mut from) = (JoinSet::new(), Vec::new(), Vec::new(), None);
    loop {
        let page = s3.page(bucket, prefix, false, 1000, from.as_deref()).await?;
        for object in page.objects {
            let old = known.take(&object.key);
            // Other rights leave the ETag as it is, and make another version.
            let is_old = object.modified < since;
            let is_same = old.as_ref().is_some_and(|old| Some(&old.etag) == object.etag.as_ref());
            if is_old && is_same || object.key == prefix {
                result.unchanged += 1;
                continue;
            }
            if object.key.ends_with('/') {
                folders.push(Item { object, old });
                continue;
            }
            while tasks.len() >= AT_ONCE {
                take(&mut result, tasks.join_next().await, &mut taken, watch)?;
            }
            tasks.spawn(one(place(), Item { object, old }));
        }
        from = page.next;
        if from.is_none() || watch.is_stopping() {
            break;
        }
    }
    while let Some(ended) = tasks.join_next().await {
        take(&mut result, Some(ended), &mut taken, watch)?;
    }
    // The deepest first: what is put into a folder changes its time.
    for item in folders.into_iter().rev() {
        let ended = one(place(), item).await;
        take(&mut result, Some(Ok(ended)), &mut taken, watch)?;
    }
    // One after the other, since each needs a name that is free; folders last, and the deepest of them first.
    taken.sort_unstable_by(|a, b| {
        let [a, b] = [a, b].map(|item: &Item| (&item.object.key, item.object.key.ends_with('/')));
        a.1.cmp(&b.1).then(if a.1 { b.0.cmp(a.0) } else { a.0.cmp(b.0) })
    });
    for item in taken {
        if watch.is_stopping() {
            break;
        }
        let ended = beside(place(), item).await;
        take(&mut result, Some(Ok(ended)), &mut Vec::new(), watch)?;
    }
    folder.close().map_err(CopyError::Read)?;
    result.is_interrupted = watch.is_stopping();
    if !result.is_interrupted {
        result.deleted = known.left();
    }
    locked(journal).sync()?;
    Ok(result)
}

/// Seconds since 1970 before which everything was written that the cut-over found in S3.
fn since(steps: &[(Step, String, String)]) -> i64 {
    let frozen = steps.iter().find(|(step, ..)| *step == Step::Frozen);
    let at = frozen.and_then(|(_, at, _)| at.parse::<jiff::Timestamp>().ok());
    at.map_or(i64::MIN, |at| at.as_second().saturating_sub(CLOCKS))
}

type Ended = Result<Result<(Item, Outcome), CopyError>, tokio::task::JoinError>;

fn take(
    result: &mut Returned,
    ended: Option<Ended>,
    taken: &mut Vec<Item>,
    watch: &dyn Watch,
) -> Result<(), CopyError> {
    let Some(ended) = ended else { return Ok(()) };
    let (item, outcome) = ended??;
    let key = item.object.key.clone();
    match outcome {
        Outcome::Unchanged => result.unchanged += 1,
        Outcome::Returned(bytes) => {
            result.returned += 1;
            result.bytes += bytes;
        }
        Outcome::Taken => taken.push(item),
        Outcome::Beside(path, bytes) => {
            watch.elsewhere(&key, Some(&path), "something else of this name is in the home");
            result.returned += 1;
            result.bytes += bytes;
            result.beside_count += 1;
            if result.beside.len() < REASONS {
                result.beside.push((key, path));
            }
        }
        Outcome::Left(why) => result.leave(key, why, watch),
        Outcome::Failed(why) => {
            result.failed += 1;
            result.leave(key, why, watch);
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

/// What an object becomes on the disk.
struct Wanted {
    /// Its own path.
    path: Raw,
    key: String,
    of_key: Kind,
    owned: Owned,
    labels: Labels,
    head: HeadFacts,
    old: Option<Object>,
}

impl Wanted {
    fn kind(&self) -> Kind {
        kind(self.of_key, &self.owned)
    }
}

/// Brings an object back under its own name.
async fn one(place: Place, item: Item) -> Result<(Item, Outcome), CopyError> {
    let done = match place.wanted(&item).await {
        Ok(Ok(wanted)) => place.write(&wanted).await,
        Ok(Err(outcome)) => Ok(outcome),
        Err(error) => Err(error),
    };
    Ok((item, outcome(done)?))
}

/// Brings an object back under another name.
async fn beside(place: Place, item: Item) -> Result<(Item, Outcome), CopyError> {
    let done = match place.wanted(&item).await {
        Ok(Ok(wanted)) => place.write_beside(&wanted).await,
        Ok(Err(outcome)) => Ok(outcome),
        Err(error) => Err(error),
    };
    Ok((item, outcome(done)?))
}

/// What fails with one object does not stop the others: one that was overwritten meanwhile (412), or that S3 has in an
/// archive (`InvalidObjectState`).
fn outcome(done: Result<Outcome, CopyError>) -> Result<Outcome, CopyError> {
    match done {
        Err(CopyError::Read(error)) => Ok(Outcome::Failed(error.to_string())),
        Err(CopyError::Aws(error)) if !is_fatal(&error) => Ok(Outcome::Failed(error.to_string())),
        done => done,
    }
}

impl Place {
    /// What is to be done about an object, if anything.
    async fn wanted(&self, Item { object, old }: &Item) -> Result<Result<Wanted, Outcome>, CopyError> {
        let key = object.key.clone();
        let found = path_of(&key, &self.prefix);
        // The path of an object that was copied is in the manifest: its name may have been decoded.
        let path = old.as_ref().map(|old| old.path.clone()).or_else(|| found.as_ref().map(|(path, _)| path.clone()));
        let (Some(path), Some((_, of_key))) = (path, found) else {
            return Ok(Err(Outcome::Left("no file can have this name".to_owned())));
        };
        let Some(head) = self.s3.facts(&self.bucket, &key).await? else { return Ok(Err(Outcome::Unchanged)) };
        let before = old.as_ref().map(before);
        let mut owned = metadata::read_since(&head.metadata, before.as_ref());
        let is_same = |old: &Object| head.size == old.bytes && head.crc64nvme.as_ref() == Some(&old.crc64nvme);
        if let Some(old) = old {
            if old.etag == head.etag {
                // What metadata does not say is as before.
                owned = Owned {
                    uid: owned.uid.or(Some(old.uid)),
                    gid: owned.gid.or(Some(old.gid)),
                    mode: owned.mode.or(Some(old.mode)),
                    mtime: owned.mtime.or(Some(old.stamp.mtime)),
                };
                if old.is_of_version(&head) || before == Some(owned) {
                    return Ok(Err(Outcome::Unchanged));
                }
            }
            // Content that was written since, by a program that knows no times.
            if old.etag != head.etag && !is_same(old) && owned.mtime == Some(old.stamp.mtime) && of_key == Kind::File {
                owned.mtime = None;
            }
        }
        let set_id = |mode: u32| mode & 0o6000;
        // Of a file that had them when it was copied, for the same owner.
        let keeps_set_id = old.as_ref().is_some_and(|old| {
            let mode = owned.mode.unwrap_or_default();
            set_id(old.mode) == set_id(mode) && owned.uid == Some(old.uid) && owned.gid == Some(old.gid)
        });
        let labels = Labels { owned, modified: head.modified.saturating_mul(1_000_000_000), keeps_set_id };
        Ok(Ok(Wanted { path, key, of_key, owned, labels, head, old: old.clone() }))
    }

    async fn write(&self, wanted: &Wanted) -> Result<Outcome, CopyError> {
        let Wanted { path, old, head, .. } = wanted;
        let here = match self.folder.look(path) {
            Err(error) if is_blocked(&error) => return Ok(Outcome::Taken),
            here => here.map_err(CopyError::Read)?,
        };
        let is_ours = match (&here, old) {
            (None, _) => true,
            // A folder holds what it holds.
            (Some(here), _) if wanted.of_key == Kind::Folder => is_folder(here),
            // Another name or other rights do not make it another file.
            (Some(here), Some(old)) => !is_folder(here) && (here.size, here.mtime) == (old.stamp.size, old.stamp.mtime),
            (Some(_), None) => false,
        };
        if is_ours {
            let has_content = here.is_some_and(|here| here.kind() == Kind::File)
                && wanted.kind() == Kind::File
                && old.as_ref().is_some_and(|old| old.etag == head.etag);
            return self.put(path, wanted, has_content).await;
        }
        match self.is_there(path, wanted, here.as_ref()).await? {
            Some(sum) => {
                self.note(path, wanted, sum)?;
                Ok(Outcome::Returned(0))
            }
            None => Ok(Outcome::Taken),
        }
    }

    /// Writes an object at the first path that is free.
    async fn write_beside(&self, wanted: &Wanted) -> Result<Outcome, CopyError> {
        let enterable = self.folder.enterable(&wanted.path).map_err(CopyError::Read)?;
        let above = Raw(enterable.parent().to_vec());
        for number in 0.. {
            let path = above.join(&aside(enterable.name(), number));
            let here = self.folder.look(&path).map_err(CopyError::Read)?;
            let is_folder = wanted.of_key == Kind::Folder && here.as_ref().is_some_and(is_folder);
            let is_free = here.is_none() || is_folder;
            let is_own = !is_free && number == 0 && enterable == wanted.path;
            let there = if is_free || is_own { None } else { self.is_there(&path, wanted, here.as_ref()).await? };
            let bytes = match (is_free, there) {
                (true, _) => match self.put(&path, wanted, false).await? {
                    Outcome::Returned(bytes) => bytes,
                    other => return Ok(other),
                },
                // Of a run that was killed.
                (false, Some(sum)) => {
                    self.note(&path, wanted, sum)?;
                    0
                }
                (false, None) => continue,
            };
            self.note_own(&path, wanted)?;
            return Ok(Outcome::Beside(path, bytes));
        }
        Ok(Outcome::Failed("no name is free".to_owned()))
    }

    /// Writes an object, and notes it. `has_content`: only its labels are others.
    async fn put(&self, path: &Raw, wanted: &Wanted, has_content: bool) -> Result<Outcome, CopyError> {
        let Wanted { key, head, labels, .. } = wanted;
        let sum = match wanted.kind() {
            Kind::Folder => {
                self.folder.folder(path, labels).map_err(CopyError::Read)?;
                self.stored(key, head).await?
            }
            Kind::Link => {
                let target = match head.size {
                    1..=LINK => {
                        self.s3.range(&self.bucket, key, (0, LINK), Some(&head.etag)).await?.unwrap_or_default()
                    }
                    _ => Bytes::new(),
                };
                if target.is_empty() || target.contains(&0) {
                    return Ok(Outcome::Left("no link can have this target".to_owned()));
                }
                self.folder.link(path, &target, labels).map_err(CopyError::Read)?;
                checksum::text(checksum::of(&target))
            }
            _ if has_content => {
                self.folder.relabel(path, labels).map_err(CopyError::Read)?;
                wanted.old.as_ref().map(|old| old.crc64nvme.clone()).unwrap_or_default()
            }
            _ => self.download(path, key, head, labels).await?,
        };
        self.note(path, wanted, sum)?;
        Ok(Outcome::Returned(if has_content { 0 } else { head.size }))
    }

    /// The checksum of an object that is there already: a run that was killed before it could note it has brought it back.
    async fn is_there(&self, path: &Raw, wanted: &Wanted, here: Option<&Facts>) -> Result<Option<String>, CopyError> {
        let Wanted { key, head, labels, .. } = wanted;
        let Some(here) = here else { return Ok(None) };
        let is_alike = here.kind() == wanted.kind()
            && here.size == head.size
            && here.mtime == labels.owned.mtime.unwrap_or(labels.modified);
        let sum = match here.kind() {
            _ if !is_alike => return Ok(None),
            Kind::Link => checksum::of(&self.folder.target(path).map_err(CopyError::Read)?),
            Kind::File => {
                let file = self.folder.read(path).map_err(CopyError::Read)?;
                tokio::task::spawn_blocking(move || sum(file)).await?.map_err(CopyError::Read)?
            }
            _ => return Ok(None),
        };
        let sum = checksum::text(sum);
        Ok(if self.stored(key, head).await? == sum { Some(sum) } else { None })
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
    fn note(&self, path: &Raw, wanted: &Wanted, sum: String) -> Result<(), CopyError> {
        let Some(facts) = self.folder.look(path).map_err(CopyError::Read)? else { return Ok(()) };
        let object = object(path, wanted, &facts, sum);
        Ok(locked(&self.journal).append(Line::Object(object))?)
    }

    /// Notes of an object that is at another path now that the file which has its name may take its place in S3, unless
    /// that is a folder, or in none: the next copy sends both.
    fn note_own(&self, at: &Raw, wanted: &Wanted) -> Result<(), CopyError> {
        let own = match self.folder.look(&wanted.path) {
            Ok(Some(own)) if wanted.of_key == Kind::File && !is_folder(&own) && *at != wanted.path => own,
            _ => return Ok(()),
        };
        let Some(noted) = locked(&self.journal).manifest().objects.get(at) else { return Ok(()) };
        let unlike = Facts { size: u64::MAX, ..own };
        let own = object(&wanted.path, wanted, &unlike, noted.crc64nvme);
        let mut journal = locked(&self.journal);
        journal.append(Line::Gone { path: at.clone(), deleted: false })?;
        Ok(journal.append(Line::Object(own))?)
    }
}

/// The line of an object that is on the disk.
fn object(path: &Raw, Wanted { key, head, .. }: &Wanted, facts: &Facts, sum: String) -> Object {
    Object {
        path: path.clone(),
        key: key.clone(),
        stamp: facts.stamp(),
        mode: facts.mode,
        uid: facts.uid,
        gid: facts.gid,
        bytes: head.size,
        is_read: head.crc64nvme.is_none(),
        crc64nvme: head.crc64nvme.clone().unwrap_or(sum),
        etag: head.etag.clone(),
        version: head.version.clone(),
    }
}

/// The metadata with which an object was copied.
fn before(old: &Object) -> Owned {
    Owned { uid: Some(old.uid), gid: Some(old.gid), mode: Some(old.mode), mtime: Some(old.stamp.mtime) }
}
