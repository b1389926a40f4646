//! One pass over a home: every entry that is not stored as it is now becomes an object.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sftpctl_aws::{AwsError, S3};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};

use super::concern::Concern;
use super::entry::{Entry, Kind};
use super::journal::{Journal, JournalError};
use super::name::Raw;
use super::objects::{ByKey, Packed};
use super::pace::Pace;
use super::plan::{self, Fate, plan};
use super::record::{Begun, Line, Object, Pass};
use super::seen::Seen;
use super::source::Source;
use super::upload::{Memory, Outcome, Uploader, of_someone_else};
use super::watch::{self, Progress, Watch};

/// Bytes of files that are in memory at once.
const MEMORY: u64 = 40 << 20;
/// Entries at once.
const AT_ONCE: usize = 64;
/// How often an entry that changes while it is read is read again in a pass.
const ROUNDS: usize = 2;
/// Entries that stay behind of which the reasons are kept; the others are counted.
const REASONS: usize = 10_000;

/// A copy that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("cannot read {path}")]
    Home { path: PathBuf, source: io::Error },
    /// The machine with the homes does not answer any more.
    #[error("the connection for {path} is lost: {why}")]
    Lost { path: PathBuf, why: String },
    /// Of a file; it becomes an outcome of its entry.
    #[error("cannot read a file")]
    Read(#[source] io::Error),
    /// A task ended early: a fault of the program.
    #[error("a part of the copy ended early")]
    Task(#[from] JoinError),
}

impl CopyError {
    /// A home that cannot be read: because its machine is gone, or for itself.
    pub(super) fn of(home: &Source, source: io::Error) -> Self {
        match home.lost() {
            Some(why) => Self::Lost { path: home.path(), why },
            None => Self::Home { path: home.path(), source },
        }
    }
}

/// What becomes of an object whose entry is not in the home any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gone {
    /// It stays, and the pass says so.
    #[default]
    Report,
    /// It stays, as the user decided.
    Keep,
    /// It is deleted unless someone else has written it since.
    Delete,
}

/// How a home is copied.
#[derive(Clone, Debug)]
pub struct Options {
    pub plan: plan::Options,
    /// Whether objects get the metadata of s3fs, too.
    pub with_s3fs: bool,
    pub gone: Gone,
    /// Bytes of an object that S3 copies with one call: [`plan::MOST_PER_PUT`].
    pub single_copy: u64,
    pub pace: Arc<Pace>,
    /// Whether objects that are gone from S3 are sent again, and those of other writers found: unless customers go on there.
    pub compares: bool,
}

/// An entry that stays behind without a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub path: Raw,
    pub why: Concern,
    /// More about it.
    pub detail: String,
}

/// What a pass came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    pub pass: Pass,
    /// The first entries that stay behind, and the counts of all.
    pub left: Vec<Left>,
    pub left_by_reason: BTreeMap<Concern, u64>,
    pub skipped_by_reason: BTreeMap<Concern, u64>,
    /// Objects whose entries are not in the home any more, the first ones.
    pub gone: Vec<Raw>,
    /// Whether the user asked to stop before the end.
    pub is_interrupted: bool,
}

impl Copied {
    /// Whether every entry is accounted for.
    pub fn is_complete(&self) -> bool {
        !self.is_interrupted && self.pass.is_complete()
    }

    fn leave(&mut self, path: &Raw, why: Concern, detail: String) {
        self.pass.left += 1;
        *self.left_by_reason.entry(why).or_default() += 1;
        if self.left.len() < REASONS {
            self.left.push(Left { path: path.clone(), why, detail });
        }
    }
}

/// Copies what is not stored yet. The journal has every object as soon as it is stored.
///
/// # Errors
/// The home or the manifest cannot be read or written, or S3 refuses the caller.
pub async fn copy(
    home: Arc<Source>,
    journal: Arc<Mutex<Journal>>,
    (s3, bucket): (S3, &str),
    options: &Options,
    watch: Arc<dyn Watch>,
) -> Result<Copied, CopyError> {
    let uploader = Arc::new(Uploader {
        s3,
        bucket: bucket.to_owned(),
        home,
        journal,
        with_s3fs: options.with_s3fs,
        single_copy: options.single_copy,
        pace: Arc::clone(&options.pace),
        watch,
        memory: Memory::new(MEMORY),
        sent: AtomicU64::new(0),
    });
    let mut copier = Copier {
        options,
        uploader,
        tasks: JoinSet::new(),
        result: Copied::default(),
        seen: Seen::default(),
        stale: HashMap::new(),
        firsts: HashMap::new(),
        others: Vec::new(),
        again: Vec::new(),
        gone_when_opened: 0,
    };
    copier.run().await?;
    Ok(copier.result)
}

/// An entry on its way.
#[derive(Clone, Debug)]
struct Job {
    entry: Entry,
    fate: Fate,
    key: String,
}

/// An object of the manifest that S3 has no more.
#[derive(Clone, Debug)]
struct Stale {
    /// As the manifest has it.
    etag: String,
    /// Size and time of modification of what another writer has stored there; without, the entry is sent again.
    replaced: Option<(u64, i64)>,
}

struct Copier<'a> {
    options: &'a Options,
    uploader: Arc<Uploader>,
    tasks: JoinSet<Result<(Job, Outcome), CopyError>>,
    result: Copied,
    /// Paths of the home.
    seen: Seen,
    /// Paths whose objects are not those of the manifest any more.
    stale: HashMap<Raw, Stale>,
    /// Of files with several names, the first path.
    firsts: HashMap<(u64, u64), Raw>,
    others: Vec<Job>,
    again: Vec<Job>,
    gone_when_opened: u64,
}

impl Copier<'_> {
    async fn run(&mut self) -> Result<(), CopyError> {
        self.result.pass.began = now();
        if self.options.compares {
            self.list().await?;
        }
        for round in 0.. {
            let vanished = self.vanished();
            self.round().await?;
            // What was gone may have been moved to a place that had been read already.
            let is_moving = self.vanished() > vanished;
            if !is_moving || self.uploader.watch.is_stopping() {
                break;
            }
            if round >= ROUNDS {
                let detail = "entries were moved or deleted while it was read";
                self.result.pass.entries += 1;
                self.leave(&Raw::default(), Concern::Changing, detail.to_owned());
                break;
            }
        }
        self.result.is_interrupted = self.uploader.watch.is_stopping();
        if !self.result.is_interrupted {
            self.gone().await?;
        }
        self.result.pass.ended = now();
        self.result.pass.bytes = self.uploader.sent.load(Ordering::Relaxed);
        let mut journal = self.uploader.journal();
        if !self.result.is_interrupted {
            journal.append(Line::Pass(self.result.pass.clone()))?;
        }
        Ok(journal.sync()?)
    }

    /// Finds the objects of the manifest that S3 has no more, or that others have replaced: their entries may be as they were
    /// stored, and would not be looked at.
    async fn list(&mut self) -> Result<(), CopyError> {
        let mut known = ByKey::new(&self.uploader.journal().manifest().objects);
        if known.is_empty() {
            return Ok(());
        }
        let Uploader { s3, bucket, watch, .. } = &*self.uploader;
        let mut from = None;
        loop {
            let page = s3.page(bucket, &self.options.plan.prefix, false, 1000, from.as_deref()).await?;
            for found in page.objects {
                let Some(object) = known.take(&found.key) else { continue };
                let etag = found.etag.unwrap_or_default();
                if object.bytes != found.size || object.etag.trim_matches('"') != etag.trim_matches('"') {
                    let replaced = Some((found.size, found.modified));
                    self.stale.insert(object.path, Stale { etag: object.etag, replaced });
                }
            }
            from = page.next;
            if watch.is_stopping() {
                return Ok(());
            }
            if from.is_none() {
                break;
            }
        }
        let missing = known.into_left().filter_map(|packed| packed.object());
        self.stale.extend(missing.map(|object| (object.path, Stale { etag: object.etag, replaced: None })));
        Ok(())
    }

    /// Entries that were gone when they were looked at.
    fn vanished(&self) -> u64 {
        self.uploader.home.vanished() + self.gone_when_opened
    }

    /// Reads the home, and stores what earlier rounds have not seen.
    async fn round(&mut self) -> Result<(), CopyError> {
        let mut entries = self.walk();
        while let Some(entry) = entries.recv().await {
            self.take(entry?).await?;
            if self.uploader.watch.is_stopping() {
                break;
            }
        }
        // The walk ends with the next entry.
        drop(entries);
        self.finish_with_changing().await?;
        for job in std::mem::take(&mut self.others) {
            self.start(job).await?;
        }
        self.finish_with_changing().await
    }

    /// Waits for all tasks, and tries what changed meanwhile again.
    async fn finish_with_changing(&mut self) -> Result<(), CopyError> {
        self.finish_tasks().await?;
        for _ in 0..ROUNDS {
            for job in std::mem::take(&mut self.again) {
                self.start(job).await?;
            }
            self.finish_tasks().await?;
        }
        for job in std::mem::take(&mut self.again) {
            self.leave(&job.entry.path, Concern::Changing, String::new());
        }
        Ok(())
    }

    /// Reads the home on a thread of its own.
    fn walk(&self) -> mpsc::Receiver<Result<Entry, CopyError>> {
        let (sender, entries) = mpsc::channel(1000);
        let home = Arc::clone(&self.uploader.home);
        tokio::task::spawn_blocking(move || {
            let opened = home.opened();
            let walked = home.walk(&opened, &mut |entry| {
                sender.blocking_send(Ok(entry)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
            });
            if let Err(source) = walked {
                let _ = sender.blocking_send(Err(CopyError::of(&home, source)));
            }
        });
        entries
    }

    /// Takes an entry of the walk.
    async fn take(&mut self, entry: Entry) -> Result<(), CopyError> {
        // An entry that is skipped now may have been stored before, and is not gone.
        if !self.seen.insert(&entry.path) {
            return Ok(());
        }
        self.result.pass.entries += 1;
        let planned = plan(&entry, &self.options.plan);
        let key = match (planned.fate, planned.key) {
            (Fate::Skipped(why), _) => return self.skip(&entry.path, why),
            (Fate::Left(why), _) => {
                let detail = entry.unreadable.clone().unwrap_or_default();
                self.leave(&entry.path, why, detail);
                return Ok(());
            }
            (_, key) => key.unwrap_or_default(),
        };
        let job = Job { entry, fate: planned.fate, key };
        let facts = job.entry.facts;
        if job.fate == Fate::Object && facts.names > 1 {
            let first = self.firsts.entry((facts.device, facts.inode)).or_insert_with(|| job.entry.path.clone());
            if *first != job.entry.path {
                self.others.push(job);
                return Ok(());
            }
        }
        self.start(job).await
    }

    /// Notes an entry that stays behind without a decision.
    fn leave(&mut self, path: &Raw, why: Concern, detail: String) {
        self.uploader.watch.not_stored(path, watch::Fate::Left(why), &detail);
        self.result.leave(path, why, detail);
    }

    /// Notes an entry that stays behind as an option says.
    fn skip(&mut self, path: &Raw, why: Concern) -> Result<(), CopyError> {
        self.uploader.watch.not_stored(path, watch::Fate::Skipped(why), "");
        self.result.pass.skipped += 1;
        *self.result.skipped_by_reason.entry(why).or_default() += 1;
        let mut journal = self.uploader.journal();
        if !journal.manifest().skipped.contains(path) {
            journal.append(Line::Skipped { path: path.clone() })?;
        }
        Ok(())
    }

    /// Begins with an entry, once there is room.
    async fn start(&mut self, job: Job) -> Result<(), CopyError> {
        if self.uploader.watch.is_stopping() {
            return Ok(());
        }
        let writes = job.entry.kind() == Kind::File && job.entry.opened.iter().any(|opened| opened.writes);
        let replaced = self.stale.get(&job.entry.path).and_then(|stale| stale.replaced);
        // What has another size is someone else's, unless a run that was killed has sent it; nothing need be read.
        let is_other =
            job.fate == Fate::Object && !self.uploader.journal().manifest().sending.contains_key(&job.entry.path);
        if let Some((bytes, modified)) = replaced.filter(|(bytes, _)| is_other && *bytes != job.entry.facts.size) {
            return self.count(&job, Outcome::Left(Concern::Conflict, of_someone_else(bytes, modified)), writes);
        }
        let known = self.known(&job.entry.path);
        if known.as_ref().is_some_and(|known| known.is_of(&job.entry.facts, &job.key)) {
            return self.count(&job, Outcome::Unchanged, writes);
        }
        let first = (job.fate == Fate::Object)
            .then(|| self.firsts.get(&(job.entry.facts.device, job.entry.facts.inode)))
            .flatten()
            .filter(|first| **first != job.entry.path)
            .and_then(|first| self.known(first))
            // Its content is that of this state of the file.
            .filter(|first| first.stamp == job.entry.facts.stamp());
        while self.tasks.len() >= AT_ONCE {
            self.next().await?;
        }
        while self.tasks.len() > AT_ONCE / 2 && self.finish_one()? {}
        let uploader = Arc::clone(&self.uploader);
        self.tasks.spawn(async move {
            let outcome = match &first {
                Some(first) => uploader.another_name(&job.entry, &job.key, (first, known.as_ref())).await?,
                None => uploader.upload(&job.entry, (job.fate, &job.key), known.as_ref()).await?,
            };
            Ok((job, outcome))
        });
        Ok(())
    }

    fn known(&self, path: &Raw) -> Option<Object> {
        if self.stale.contains_key(path) {
            return None;
        }
        self.uploader.journal().manifest().objects.get(path)
    }

    async fn finish_tasks(&mut self) -> Result<(), CopyError> {
        while !self.tasks.is_empty() {
            self.next().await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<(), CopyError> {
        if let Some(ended) = self.tasks.join_next().await {
            self.ended(ended?)?;
        }
        Ok(())
    }

    /// Takes a task that has ended; `false` if none has.
    fn finish_one(&mut self) -> Result<bool, CopyError> {
        let Some(ended) = self.tasks.try_join_next() else { return Ok(false) };
        self.ended(ended?)?;
        Ok(true)
    }

    fn ended(&mut self, ended: Result<(Job, Outcome), CopyError>) -> Result<(), CopyError> {
        let (job, outcome) = ended?;
        if outcome == Outcome::Changing {
            let noted = self.uploader.journal().manifest().objects.get(&job.entry.path).map(|object| object.etag);
            if self.stale.get(&job.entry.path).is_some_and(|stale| noted.as_ref() != Some(&stale.etag)) {
                self.stale.remove(&job.entry.path);
            }
            self.again.push(job);
            return Ok(());
        }
        let writes = job.entry.kind() == Kind::File && job.entry.opened.iter().any(|opened| opened.writes);
        self.count(&job, outcome, writes)
    }

    fn count(&mut self, job: &Job, outcome: Outcome, writes: bool) -> Result<(), CopyError> {
        if matches!(outcome, Outcome::Stored | Outcome::Unchanged) {
            self.stale.remove(&job.entry.path);
        }
        match outcome {
            // It was whole when it was read, but is not final.
            Outcome::Stored | Outcome::Unchanged if writes => {
                let by = job.entry.opened.iter().filter(|opened| opened.writes);
                let by: Vec<String> = by.map(|by| format!("{} (process {})", by.command, by.pid)).collect();
                self.leave(&job.entry.path, Concern::OpenForWriting, format!("by {}", by.join(", ")));
            }
            Outcome::Stored => self.result.pass.stored += 1,
            Outcome::Unchanged => self.result.pass.unchanged += 1,
            Outcome::Vanished => {
                self.result.pass.entries -= 1;
                self.gone_when_opened += 1;
                self.seen.remove(&job.entry.path);
            }
            Outcome::Left(Concern::Conflict, _) if self.options.plan.skip.contains(&Concern::Conflict) => {
                // The object is not that of the entry any more.
                if self.uploader.journal().manifest().objects.get(&job.entry.path).is_some() {
                    let path = job.entry.path.clone();
                    self.uploader.journal().append(Line::Gone { path, deleted: false })?;
                }
                self.skip(&job.entry.path, Concern::Conflict)?;
            }
            Outcome::Left(why, detail) => self.leave(&job.entry.path, why, detail),
            Outcome::Changing | Outcome::Stopped => {}
        }
        let Pass { entries, stored, unchanged, skipped, left, .. } = self.result.pass;
        self.uploader.watch.progress(Progress::Copying {
            done: stored + unchanged + skipped + left,
            found: entries,
            bytes: self.uploader.sent.load(Ordering::Relaxed),
        });
        Ok(())
    }

    /// Objects whose entries are not in the home any more, and parts of files that are not.
    async fn gone(&mut self) -> Result<(), CopyError> {
        let begun: Vec<Begun> = {
            let journal = self.uploader.journal();
            let begun = journal.manifest().begun.iter();
            begun.filter(|(path, _)| !self.seen.contains(&path.0)).map(|(_, begun)| begun.clone()).collect()
        };
        for Begun { key, upload, .. } in begun {
            self.uploader.end(&key, upload).await?;
        }
        let gone: Vec<Object> = {
            let journal = self.uploader.journal();
            let objects = journal.manifest().objects.all();
            objects.filter(|object| !self.seen.contains(object.path())).filter_map(Packed::object).collect()
        };
        for object in gone {
            // There is nothing to decide about.
            if self.stale.get(&object.path).is_some_and(|stale| stale.replaced.is_none()) {
                self.uploader.journal().append(Line::Gone { path: object.path, deleted: false })?;
                continue;
            }
            let deleted = match self.options.gone {
                Gone::Report => {
                    self.uploader.watch.not_stored(&object.path, watch::Fate::Gone, "");
                    self.result.pass.gone += 1;
                    if self.result.gone.len() < REASONS {
                        self.result.gone.push(object.path);
                    }
                    continue;
                }
                Gone::Keep => false,
                Gone::Delete => {
                    let Uploader { s3, bucket, .. } = &*self.uploader;
                    match s3.delete_if(bucket, &object.key, &object.etag).await {
                        Ok(()) => true,
                        // Someone else has written it since; that is not ours to delete.
                        Err(error) if error.status == Some(412) => false,
                        Err(error) => return Err(error.into()),
                    }
                }
            };
            self.uploader.journal().append(Line::Gone { path: object.path, deleted })?;
        }
        Ok(())
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// The journal, also after a panic elsewhere.
pub(super) fn locked(journal: &Mutex<Journal>) -> std::sync::MutexGuard<'_, Journal> {
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}
