//! One run of an export.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::Either;
use futures_util::stream::FuturesOrdered;
use tokio::task::{JoinError, JoinHandle};

use super::commit::{self, Blob};
use super::paths;
use super::repository::{Commits, GitError, Import, Repository};
use super::sessions::{Op, Session, Sessions};
use super::state::{self, Exported, Known, Pending, Scope};
use super::timeline::{Change, Content, NULL, Timeline};
use crate::history::listing::Versions;
use crate::history::source::{FetchError, Source, Wanted};
use sftpctl_aws::AwsError;
use sftpctl_sorter::{Sorted, Sorter};

/// Bytes of contents in memory; a single content may have more.
const BYTES: u64 = 64 << 20;
/// What a content takes besides its bytes.
const OVERHEAD: u64 = 64 << 10;
/// Contents that are read at once.
const AT_ONCE: usize = 64;
/// What git writes to the disk at once: so much is lost at most when a run is killed.
const CHECKPOINT_COMMITS: u64 = 5_000;
const CHECKPOINT_BYTES: u64 = 256 << 20;

/// What to export, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository.
    pub dir: PathBuf,
    pub bucket: String,
    /// A customer's folder, with a slash at its end, which is not part of the paths; empty for the whole bucket.
    pub home: String,
    /// Seconds without a change that end a session.
    pub quiet: i64,
    /// Bytes; larger files become pointers.
    pub max_blob: u64,
    /// Sessions that ended before this time are exported. Seconds since 1970.
    pub until: i64,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Versions in the bucket.
    pub listed: u64,
    /// Changes that the repository has from this run.
    pub exported: u64,
    pub commits: u64,
}

/// Whoever waits for a run.
pub trait Watch: Sync {
    /// Called now and then.
    fn progress(&self, progress: Progress);
    /// Whether the run should end soon.
    fn stop(&self) -> bool;
}

/// What a run did.
#[derive(Clone, Debug, Default)]
pub struct Done {
    pub progress: Progress,
    /// Changes of sessions that may still go on.
    pub open: u64,
    /// Commits that an earlier run had left without a note.
    pub resumed: u64,
    /// Files with another path than their key.
    pub escaped: u64,
    /// Some of their keys.
    pub samples: Vec<String>,
    /// Large files, which are pointers.
    pub pointers: u64,
    /// Files of which the bucket no longer has the version that was exported last: a rule, or somebody, has deleted it, or
    /// another has replaced it while versioning was suspended.
    pub expired: u64,
    /// Files of which the bucket has no version at all any more, and no marker of a deletion. They stay in the repository.
    pub vanished: u64,
    /// Bytes that were downloaded.
    pub bytes: u64,
    /// The last commit.
    pub commit: Option<String>,
    pub interrupted: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("a file of the export failed: in the folder that TMPDIR names, or in the repository")]
    Io(#[from] io::Error),
    #[error("a file in the folder sftpctl of the repository is not as an export writes it")]
    Damaged(#[source] io::Error),
    #[error("the repository was exported with other settings: {before}; now: {now}")]
    OtherScope { before: String, now: String },
    #[error("the repository's branch main has been changed since the last export")]
    OtherCommits,
    #[error("{key} would become {path} in the repository, which git would misunderstand: a fault of this program")]
    Path { key: String, path: String },
    #[error("a task ended early")]
    Task(#[from] JoinError),
}

/// Why a file of an earlier run is not used.
fn unreadable(error: io::Error) -> ExportError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => ExportError::Damaged(error),
        _ => ExportError::Io(error),
    }
}

fn shown(scope: &Scope) -> String {
    let Scope { bucket, prefix, quiet, max_blob, .. } = scope;
    format!("{bucket}/{prefix}, sessions end after {quiet} s, files up to {max_blob} bytes")
}

/// Exports what the repository does not have yet.
///
/// # Errors
/// What was exported before an error stays; the next run goes on from there.
pub async fn run<S: Source>(source: &S, options: &Options, watch: &dyn Watch) -> Result<Done, ExportError> {
    let repository = Repository::open(&options.dir).await?;
    let scope = Scope::new(&options.bucket, &options.home, options.quiet, options.max_blob);
    let known = Known::open(&repository.dir).map_err(unreadable)?;
    if let Some(known) = &known
        && known.scope != scope
    {
        return Err(ExportError::OtherScope { before: shown(&known.scope), now: shown(&scope) });
    }
    let commit = known.as_ref().and_then(|known| known.commit.clone());
    if known.is_none() {
        // From now on the repository belongs to this scope, even if this run is killed.
        state::save(&repository.dir, &scope, None, Sorter::new())?;
    }
    let mut run = Run {
        source,
        options,
        watch,
        done: Done { commit: commit.clone(), ..Done::default() },
        exported: Sorter::new(),
        number: 0,
    };
    // Nothing but the commits of a run that was killed may have moved the branch.
    let (head, pending) = (repository.head().await?, Pending::open(&repository.dir).map_err(unreadable)?);
    let earlier = match &head {
        None if commit.is_some() => return Err(ExportError::OtherCommits),
        None => None,
        Some(_) if head == commit => None,
        Some(head) => {
            let is_killed = pending.is_some_and(|pending| pending.from == commit);
            if !is_killed || !repository.is_all_ours(&options.bucket, commit.as_deref(), head).await? {
                return Err(ExportError::OtherCommits);
            }
            Some((repository.commits_after(commit.as_deref(), head)?, head.clone()))
        }
    };
    let changes = run.changes(known).await?;
    run.commit(&repository, changes, earlier, &Pending { from: commit }).await?;
    let Run { mut done, exported, .. } = run;
    if done.progress.commits + done.resumed > 0 {
        done.commit = repository.head().await?;
        state::save(&repository.dir, &scope, done.commit.as_deref(), exported)?;
        repository.check().await?;
    }
    Pending::remove(&repository.dir)?;
    Ok(done)
}

struct Run<'a, S> {
    source: &'a S,
    options: &'a Options,
    watch: &'a dyn Watch,
    done: Done,
    /// What the repository has from this run.
    exported: Sorter<Exported>,
    number: u64,
}

/// Sessions that have ended, in their order.
struct Ended<'a> {
    changes: Sorted<Change>,
    sessions: Sessions,
    ready: VecDeque<Session>,
    options: &'a Options,
    is_over: bool,
    /// Changes that were taken in.
    taken: u64,
}

impl Ended<'_> {
    fn next(&mut self) -> io::Result<Option<Session>> {
        while self.ready.is_empty() && !self.is_over {
            match self.changes.next().transpose()? {
                Some(change) => {
                    self.taken += 1;
                    self.ready.extend(self.sessions.add(change));
                }
                None => {
                    self.is_over = true;
                    self.ready.extend(self.sessions.until(self.options.until));
                }
            }
        }
        Ok(self.ready.pop_front())
    }
}

/// A piece of the stream.
enum Piece {
    Plain(Vec<u8>),
    Content {
        path: String,
        blob: Blob,
        read: u64,
    },
    /// The end of a commit, and its changes.
    End(Arc<Session>),
}

type Fetched = Result<Result<Piece, FetchError>, JoinError>;
/// A piece that is read, or one that is there.
type Begun = Either<JoinHandle<Result<Piece, FetchError>>, Ready<Fetched>>;

impl<S: Source> Run<'_, S> {
    /// All changes up to the end that the repository does not have, in their order.
    async fn changes(&mut self, mut known: Option<Known>) -> Result<Sorted<Change>, ExportError> {
        let mut versions = Versions::of(self.source.clone(), self.options.home.clone());
        let mut timeline = Timeline::new(&self.options.home);
        let mut sorter = Sorter::new();
        let until = self.options.until;
        while let Some(all) = versions.next_key().await? {
            self.done.progress.listed += all.len() as u64;
            self.watch.progress(self.done.progress);
            let key = all.first().map(|version| version.key.clone()).unwrap_or_default();
            let recorded = match &mut known {
                Some(known) => known.of(&key)?,
                None => None,
            };
            for change in timeline.key(all, recorded).into_iter().filter(|change| change.time <= until) {
                sorter.push(change)?;
            }
        }
        for change in timeline.finish().into_iter().filter(|change| change.time <= until) {
            sorter.push(change)?;
        }
        if let Some(known) = &mut known {
            known.finish()?;
            self.done.vanished = known.vanished;
        }
        self.done.expired = timeline.expired;
        Ok(sorter.sorted()?)
    }

    /// Writes the sessions as commits. `earlier` are commits that a killed run has written.
    async fn commit(
        &mut self,
        repository: &Repository,
        changes: Sorted<Change>,
        earlier: Option<(Commits, String)>,
        pending: &Pending,
    ) -> Result<(), ExportError> {
        let author = (!self.options.home.is_empty()).then(|| self.options.home.trim_end_matches('/').to_owned());
        let sessions = Sessions::new(self.options.quiet, author);
        let mut ended =
            Ended { changes, sessions, ready: VecDeque::new(), options: self.options, is_over: false, taken: 0 };
        let mut first = match earlier {
            Some(earlier) => self.resume(repository, &mut ended, earlier).await?,
            None => ended.next()?,
        };
        if first.is_none() {
            self.done.open = ended.taken - self.number;
            return Ok(());
        }
        pending.save(&repository.dir)?;
        let mut import = Import::start(repository).await?;
        let mut pieces: FuturesOrdered<Begun> = FuturesOrdered::new();
        let (mut waiting, mut costs): (VecDeque<Wait>, VecDeque<u64>) = (VecDeque::new(), VecDeque::new());
        let (mut held, mut from) = (0, self.done.commit.clone());
        let (mut commits, mut bytes) = (0, 0);
        loop {
            // Begin to read ahead, as far as there is room.
            loop {
                if waiting.is_empty() && !self.watch.stop() {
                    match first.take() {
                        Some(session) => self.divide(session, from.take(), &mut waiting)?,
                        None => {
                            first = ended.next()?;
                            if first.is_none() {
                                break;
                            }
                            continue;
                        }
                    }
                }
                let Some(next) = waiting.front() else { break };
                let cost = next.cost();
                if !costs.is_empty() && (held + cost > BYTES || costs.len() >= AT_ONCE) {
                    break;
                }
                let Some(next) = waiting.pop_front() else { break };
                held += cost;
                costs.push_back(cost);
                pieces.push_back(self.begin(next));
            }
            let Some(piece) = pieces.next().await else { break };
            held -= costs.pop_front().unwrap_or_default();
            match piece?? {
                Piece::Plain(plain) => import.write(&plain).await?,
                Piece::Content { path, blob, read } => {
                    self.done.bytes += read;
                    bytes += read;
                    self.done.pointers += u64::from(matches!(blob, Blob::Pointer { .. }));
                    import.write(&commit::file(&path, blob)).await?;
                }
                Piece::End(session) => {
                    commits += 1;
                    self.done.progress.commits += 1;
                    self.record(&session)?;
                    self.watch.progress(self.done.progress);
                    if commits >= CHECKPOINT_COMMITS || bytes >= CHECKPOINT_BYTES {
                        (commits, bytes) = (0, 0);
                        import.write(b"checkpoint\n").await?;
                    }
                }
            }
        }
        import.finish().await?;
        self.done.interrupted = self.watch.stop();
        self.done.open = ended.taken - self.number;
        Ok(())
    }

    /// Passes over the sessions whose commits a killed run has written. Returns the first other one.
    async fn resume(
        &mut self,
        repository: &Repository,
        ended: &mut Ended<'_>,
        (mut earlier, head): (Commits, String),
    ) -> Result<Option<Session>, ExportError> {
        loop {
            let session = ended.next()?;
            match (earlier.next().await?, &session) {
                (Some(found), Some(session)) if found.digest == commit::digest(session) => {
                    self.done.commit = Some(found.id);
                    self.done.resumed += 1;
                    self.record(session)?;
                }
                (None, _) => return Ok(session),
                // The bucket has changed in the past: versions have expired, or an upload in parts was completed.
                (Some(_), _) => {
                    repository.set_head(self.done.commit.as_deref(), &head).await?;
                    return Ok(session);
                }
            }
        }
    }

    fn record(&mut self, session: &Session) -> io::Result<()> {
        for change in &session.changes {
            self.number += 1;
            self.done.progress.exported += 1;
            let (key, version) = (change.key.clone(), change.version.clone());
            let deleted = change.is_deletion();
            let etag = (version == NULL && !deleted).then(|| change.what.content().etag.clone());
            let (number, step, time) = (self.number, change.step, change.time);
            self.exported.push(Exported { key, number, version, step, time, deleted, etag })?;
        }
        Ok(())
    }

    /// A session as pieces of the stream.
    fn divide(
        &mut self,
        session: Session,
        from: Option<String>,
        pieces: &mut VecDeque<Wait>,
    ) -> Result<(), ExportError> {
        // `git fast-import` takes any path: a last look at what escaping must have prevented.
        if let Some(change) = session.changes.iter().find(|change| !paths::is_harmless(&change.path)) {
            return Err(ExportError::Path { key: change.key.clone(), path: change.path.clone() });
        }
        let ops = session.ops(self.options.max_blob);
        let head = commit::head(&session, &self.options.bucket, &ops, &commit::digest(&session), from.as_deref());
        pieces.push_back(Wait::Plain(head));
        for op in &ops {
            let Op::Write(change, content) = op else {
                pieces.push_back(Wait::Plain(commit::line(op)));
                continue;
            };
            let path = change.key.strip_prefix(&self.options.home).unwrap_or(&change.key);
            if paths::is_escaped(path) {
                self.done.escaped += 1;
                if self.done.samples.len() < 10 {
                    self.done.samples.push(change.key.clone());
                }
            }
            let (key, version, Content { etag, size }) =
                (change.key.clone(), change.version.clone(), Content::clone(content));
            let (wanted, is_large) = (Wanted { key, version, size, etag }, size > self.options.max_blob);
            pieces.push_back(Wait::Content { path: change.path.clone(), wanted, is_large });
        }
        pieces.push_back(Wait::End(Arc::new(session)));
        Ok(())
    }

    fn begin(&self, wait: Wait) -> Begun {
        let there = |piece| Either::Right(ready(Ok(Ok(piece))));
        match wait {
            Wait::Plain(bytes) => there(Piece::Plain(bytes)),
            Wait::End(session) => there(Piece::End(session)),
            Wait::Content { path, wanted, .. } if wanted.size == 0 => {
                there(Piece::Content { path, blob: Blob::Whole(Vec::new()), read: 0 })
            }
            Wait::Content { path, wanted, is_large } => {
                let source = self.source.clone();
                Either::Left(tokio::spawn(async move {
                    let (read, version) = (wanted.size, wanted.version.clone());
                    let blob = match is_large {
                        true => Blob::Pointer { sha256: source.sha256(wanted).await?, size: read, version },
                        false => Blob::Whole(source.content(wanted).await?),
                    };
                    Ok(Piece::Content { path, blob, read })
                }))
            }
        }
    }
}

/// A piece of the stream that was not begun yet.
enum Wait {
    Plain(Vec<u8>),
    Content { path: String, wanted: Wanted, is_large: bool },
    End(Arc<Session>),
}

impl Wait {
    /// Bytes that it may take in memory.
    fn cost(&self) -> u64 {
        match self {
            Self::Plain(bytes) => bytes.len() as u64,
            // Of a large file only its digest is kept.
            Self::Content { is_large: true, .. } => OVERHEAD,
            Self::Content { wanted, .. } => wanted.size + OVERHEAD,
            Self::End(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests;
