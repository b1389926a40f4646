//! One pull: list, fetch, place, hand over.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{Stream, StreamExt as _, stream};
use sftpctl_aws::{AwsError, ListedObject, OwnedBucket, S3};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;

use super::commit::{Committed, commit, path_of, recover, unreachable_folder};
use super::fetch::{Complete, FetchError, Fetcher};
use super::hook::Hook;
use super::ledger::{Entry, Fetched, Progress, Record};
use super::ledger_file::LedgerFile;
use super::rules::Rules;
use super::select::{Decided, Decision, Selection};
use super::target::{Leftover, OWN_FOLDER, Place, Target};
use super::{Event, PullError, Summary, Watch};

/// The ledger's name in the pull's own folder.
const LEDGER: &str = "ledger.jsonl";
/// Files that get their names together at most: those that are complete at the moment. As many wait meanwhile, each with a
/// descriptor, of which a process may have 1,024.
const BATCH: usize = 128;
/// Why an object is left that Transfer says is not the whole file.
pub(super) const PARTIAL: &str = "its upload broke off before the end; it is pulled when it has been uploaded again";
/// Objects that may not be read, after which a pull that could read none ends.
const DENIED: usize = 20;

/// What is pulled, and how.
#[derive(Clone, Debug)]
pub struct Options {
    pub bucket: OwnedBucket,
    /// Only keys that begin so: `17578/`.
    pub prefix: String,
    pub to: PathBuf,
    /// The ledger, if it is not in the target folder.
    pub ledger: Option<PathBuf>,
    pub rules: Rules,
    /// Replace files that the pull has not written.
    pub overwrite: bool,
    /// At least 1.
    pub connections: usize,
    pub hook: Option<Hook>,
    /// Bring files back from the quarantine, and run the hook for them again.
    pub retry_quarantined: bool,
}

impl Options {
    fn ledger(&self) -> PathBuf {
        self.ledger.clone().unwrap_or_else(|| self.to.join(OWN_FOLDER).join(LEDGER))
    }
}

/// The end of a pull.
#[derive(Debug, Default)]
pub struct Pulled {
    pub summary: Summary,
    /// What ended it early. What is in the summary was done before.
    pub error: Option<PullError>,
}

/// Says what a pull would fetch, and changes nothing.
///
/// # Errors
/// The ledger cannot be read, or a page of the listing.
pub async fn preview(s3: &S3, options: &Options, watch: &dyn Watch) -> Result<Summary, PullError> {
    let ledger = LedgerFile::look(&options.ledger(), &options.bucket.name)?;
    let (mut summary, mut selection) = (Summary::default(), Selection::new(options.rules.clone()));
    for (key, progress) in ledger.unfinished() {
        left(&mut summary, watch, key, unfinished_words(progress));
    }
    for (key, _) in ledger.superseded() {
        left(&mut summary, watch, key, "an earlier version of it is in quarantine");
    }
    let mut from = None;
    loop {
        let page = s3.listed(&options.bucket, &options.prefix, from.as_deref()).await?;
        for wanted in wanted(selection.page(page.objects, &ledger), &mut summary, watch) {
            summary.wanted += 1;
            watch.event(Event::Wanted { key: &wanted.object.key, size: wanted.object.size });
        }
        watch.listed(summary.listed);
        from = page.next;
        summary.interrupted = watch.is_stopping();
        if from.is_none() || summary.interrupted {
            return Ok(summary);
        }
    }
}

fn unfinished_words(progress: &Progress) -> &'static str {
    match progress {
        Progress::Placing { .. } => "an earlier run was killed before it got its name",
        Progress::HookDue(_) => "its hook has not succeeded yet",
        Progress::Quarantined { .. } | Progress::Done => "it is in quarantine",
    }
}

fn left(summary: &mut Summary, watch: &dyn Watch, key: &str, why: &str) {
    summary.left += 1;
    watch.event(Event::Left { key, why });
}

/// The objects of a page that are to be fetched; counts the others.
fn wanted(page: Vec<Decided>, summary: &mut Summary, watch: &dyn Watch) -> Vec<Decided> {
    let mut wanted = Vec::new();
    for decided in page {
        summary.listed += 1;
        match &decided.decision {
            Decision::Skip => summary.skipped += 1,
            Decision::Unfinished => summary.unfinished += 1,
            Decision::Have => summary.known += 1,
            Decision::Young => summary.young += 1,
            Decision::Partial => left(summary, watch, &decided.object.key, PARTIAL),
            Decision::Refuse(why) => left(summary, watch, &decided.object.key, &why.to_string()),
            Decision::Fetch(_) => wanted.push(decided),
        }
    }
    wanted
}

/// Pulls what is new. Every file that is left is told and counted.
///
/// # Errors
/// The target folder or the ledger cannot be used: nothing was done.
pub async fn pull(s3: &S3, options: &Options, watch: &dyn Watch) -> Result<Pulled, PullError> {
    let run = Run::open(s3, options, watch)?;
    if let Err(error) = run.recover().await {
        run.fail(error);
    }
    run.round(Source::Listing { until: None }).await;
    Ok(run.end())
}

/// What a round looks at.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// All objects, but those that were written after `until` (seconds since 1970).
    Listing { until: Option<i64> },
    /// Objects of these keys.
    Keys(Vec<String>),
}

/// What [`Run::page`] returns: objects to fetch, and the state of the listing unless it has ended.
type Page = (Vec<Decided>, Option<(Selection, Option<String>)>);

pub(super) struct Run<'a> {
    s3: &'a S3,
    pub(super) options: &'a Options,
    target: Arc<Target>,
    ledger: Arc<Mutex<LedgerFile>>,
    summary: Mutex<Summary>,
    /// The first error that ends the pull.
    fatal: Mutex<Option<PullError>>,
    /// Objects that may not be read.
    denied: AtomicUsize,
    watch: &'a dyn Watch,
    /// Parts of files that earlier runs have left.
    leftovers: Mutex<HashMap<String, Leftover>>,
    /// Keys of files that did not fit the disk, and whether they are to be tried again.
    postponed: Mutex<BTreeMap<String, bool>>,
}

/// The run itself also stops after a fatal error.
impl Watch for Run<'_> {
    fn event(&self, event: Event<'_>) {
        self.watch.event(event);
    }

    fn said(&self, line: &str) {
        self.watch.said(line);
    }

    fn listed(&self, objects: u64) {
        self.watch.listed(objects);
    }

    fn received(&self, bytes: u64) {
        self.watch.received(bytes);
    }

    fn is_stopping(&self) -> bool {
        self.watch.is_stopping() || self.fatal.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl<'a> Run<'a> {
    /// Opens the target folder and the ledger, which no other pull can use until this ends.
    pub(super) fn open(s3: &'a S3, options: &'a Options, watch: &'a dyn Watch) -> Result<Self, PullError> {
        let target = Arc::new(Target::open(&options.to)?);
        let ledger = LedgerFile::open(&options.ledger(), &options.bucket.name)?;
        Ok(Self {
            s3,
            options,
            target,
            ledger: Arc::new(Mutex::new(ledger)),
            summary: Mutex::default(),
            fatal: Mutex::default(),
            denied: AtomicUsize::new(0),
            watch,
            leftovers: Mutex::default(),
            postponed: Mutex::default(),
        })
    }

    pub(super) fn end(self) -> Pulled {
        let interrupted = self.watch.is_stopping();
        let summary = Summary { interrupted, ..*self.summary() };
        Pulled { summary, error: self.fatal.into_inner().unwrap_or_else(PoisonError::into_inner) }
    }
}

impl Run<'_> {
    fn summary(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, LedgerFile> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fail(&self, error: PullError) {
        self.fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }

    pub(super) fn left(&self, key: &str, why: &str) {
        left(&mut self.summary(), self.watch, key, why);
    }

    /// Does blocking work on the ledger and the target folder.
    async fn with_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Target, &mut LedgerFile) -> Result<T, PullError> + Send + 'static,
    ) -> Result<T, PullError> {
        let (target, ledger) = (Arc::clone(&self.target), Arc::clone(&self.ledger));
        let work = move || work(&target, &mut ledger.lock().unwrap_or_else(PoisonError::into_inner));
        match spawn_blocking(work).await {
            Ok(result) => result,
            Err(error) => Err(PullError::Disk(std::io::Error::other(error))),
        }
    }

    pub(super) async fn append(&self, record: Record) -> Result<(), PullError> {
        self.with_ledger(move |_, ledger| Ok(ledger.append(vec![record])?)).await
    }

    /// Completes what earlier runs left. Before a listing: a newer version of a file must not arrive while its hook runs.
    pub(super) async fn recover(&self) -> Result<(), PullError> {
        let overwrite = self.options.overwrite;
        let recovered = self.with_ledger(move |target, ledger| recover(target, ledger, overwrite)).await?;
        recovered.left.iter().for_each(|(key, why)| self.left(key, why));
        recovered.placed.iter().for_each(|complete| self.placed(complete));
        *self.leftovers.lock().unwrap_or_else(PoisonError::into_inner) =
            self.target.leftovers().map_err(PullError::Disk)?;
        self.hand_over_earlier().await
    }

    /// Fetches, places and hands over what is new.
    pub(super) async fn round(&self, source: Source) {
        if self.is_stopping() {
            return;
        }
        let connections = Semaphore::new(self.options.connections);
        let fetcher = Fetcher {
            s3: self.s3,
            bucket: &self.options.bucket,
            target: Arc::clone(&self.target),
            connections: &connections,
            at_once: self.options.connections,
            leftovers: &self.leftovers,
            watch: self,
        };
        let (complete, completed) = mpsc::channel(BATCH);
        let (due, hooks) = mpsc::channel(BATCH);
        // Twice as many files as connections: one is written while another arrives.
        let files_at_once = self.options.connections * 2;
        let fetcher = &fetcher;
        let fetching = async move {
            // With the last file the sender is gone, which ends the other two.
            let complete = &complete;
            self.wanted(source)
                .for_each_concurrent(files_at_once, |wanted| self.fetch(fetcher, wanted, complete))
                .await;
        };
        let hooking = stream::unfold(hooks, |mut hooks| async { Some((hooks.recv().await?, hooks)) });
        let at_once = self.options.hook.as_ref().map_or(1, |hook| hook.at_once.max(1));
        tokio::join!(
            fetching,
            self.place(completed, due),
            hooking.for_each_concurrent(at_once, |file| self.hand_over(file)),
        );
    }

    /// The objects that are to be fetched.
    fn wanted(&self, source: Source) -> stream::BoxStream<'_, Decided> {
        match source {
            Source::Listing { until } => self.listed_objects(until).boxed(),
            Source::Keys(keys) => {
                let found = stream::iter(keys).map(|key| self.found(key)).buffer_unordered(self.options.connections);
                found.flat_map(stream::iter).boxed()
            }
        }
    }

    /// The object of a key, if it is to be fetched.
    async fn found(&self, key: String) -> Option<Decided> {
        let facts = match self.s3.download_facts(&self.options.bucket, &key).await {
            Ok(Some(facts)) => facts,
            Ok(None) => {
                self.summary().gone += 1;
                return None;
            }
            Err(error) => {
                // The answer to a HEAD has no code.
                if error.is_access_denied() || error.status == Some(403) {
                    self.denied(&key, error);
                } else if is_fatal(&error) || error.is_transient() {
                    self.fail(error.into());
                } else {
                    self.left(&key, &error.to_string());
                }
                return None;
            }
        };
        let object = ListedObject { key, size: facts.size, etag: facts.etag, modified: facts.modified };
        let mut selection = Selection::new(self.options.rules.clone());
        let decided = self.with_ledger(move |_, ledger| Ok(selection.page(vec![object], ledger.ledger()))).await;
        match decided {
            Ok(decided) => wanted(decided, &mut self.summary(), self.watch).pop(),
            Err(error) => {
                self.fail(error);
                None
            }
        }
    }

    /// The objects of a listing that are to be fetched, page by page.
    fn listed_objects(&self, until: Option<i64>) -> impl Stream<Item = Decided> {
        let first = Some((Selection::new(self.options.rules.clone()).until(until), None::<String>));
        let pages = stream::unfold(first, async |state| {
            let (selection, from) = state.filter(|_| !self.is_stopping())?;
            match self.page(selection, from.as_deref()).await {
                Ok(next) => Some(next),
                Err(error) => {
                    self.fail(error);
                    None
                }
            }
        });
        pages.flat_map(stream::iter)
    }

    /// The objects of a page that are to be fetched, and where the listing goes on.
    async fn page(&self, mut selection: Selection, from: Option<&str>) -> Result<Page, PullError> {
        let page = self.s3.listed(&self.options.bucket, &self.options.prefix, from).await?;
        let (objects, selection) =
            self.with_ledger(move |_, ledger| Ok((selection.page(page.objects, ledger.ledger()), selection))).await?;
        let mut summary = self.summary();
        let wanted = wanted(objects, &mut summary, self.watch);
        self.watch.listed(summary.listed);
        Ok((wanted, page.next.map(|next| (selection, Some(next)))))
    }

    async fn fetch(&self, fetcher: &Fetcher<'_>, wanted: Decided, complete: &mpsc::Sender<Complete>) {
        let Decided { object, decision: Decision::Fetch(path), ours } = wanted else { return };
        if self.is_stopping() {
            return;
        }
        let key = object.key.clone();
        match self.target.place_of(&path, ours, self.options.overwrite) {
            Ok(place) => {
                if let Some(why) = place.obstacle() {
                    return self.left(&key, why);
                }
            }
            Err(error) => return self.left(&key, &unreachable_folder(&error)),
        }
        match fetcher.fetch(object, path).await {
            // The receiver is gone only after a fatal error.
            Ok(file) => drop(complete.send(file).await),
            Err(FetchError::Gone) => self.summary().gone += 1,
            Err(FetchError::Interrupted) => {}
            Err(FetchError::Aws(error)) if error.is_access_denied() => self.denied(&key, error),
            Err(FetchError::Aws(error)) if is_fatal(&error) => self.fail(error.into()),
            Err(error @ FetchError::NoRoom { .. }) => self.postpone(&key, &error.to_string()),
            Err(FetchError::Io(error)) => self.fail(PullError::Disk(error)),
            Err(FetchError::Replaced) => self.left(&key, "it is replaced again and again; not fetched"),
            Err(error) => self.left(&key, &error.to_string()),
        }
    }

    /// Leaves a file that does not fit the disk, while others do. It is told once.
    fn postpone(&self, key: &str, why: &str) {
        let is_told = self.postponed.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), true);
        if is_told.is_none() {
            self.left(key, why);
        }
    }

    /// The files that did not fit the disk at the last attempt, to be tried again.
    pub(super) fn postponed(&self) -> Vec<String> {
        let mut postponed = self.postponed.lock().unwrap_or_else(PoisonError::into_inner);
        let due = postponed.iter_mut();
        due.filter_map(|(key, is_due)| std::mem::take(is_due).then(|| key.clone())).collect()
    }

    /// Leaves an object that may not be read, as one of another key is. Where nothing may be read, the pull ends.
    fn denied(&self, key: &str, error: AwsError) {
        let denied = self.denied.fetch_add(1, Ordering::Relaxed) + 1;
        let may_read = self.summary().fetched > 0;
        self.left(key, &error.to_string());
        if denied >= DENIED && !may_read {
            self.fail(error.into());
        }
    }

    /// Gives files their names, as many together as are complete.
    async fn place(&self, mut completed: mpsc::Receiver<Complete>, due: mpsc::Sender<Fetched>) {
        let mut batch = Vec::new();
        while completed.recv_many(&mut batch, BATCH).await > 0 {
            let files = std::mem::take(&mut batch);
            let how = (self.options.hook.is_some(), self.options.overwrite);
            let Committed { placed, left } =
                match self.with_ledger(move |target, ledger| commit(target, ledger, files, how)).await {
                    Ok(committed) => committed,
                    Err(error) => return self.fail(error),
                };
            left.iter().for_each(|(key, why)| self.left(key, why));
            for complete in placed {
                self.placed(&complete);
                let is_due = self.ledger().ledger().get(&complete.file.key).is_some_and(is_hook_due);
                if is_due {
                    // The receiver lives as long as this sender.
                    let _ = due.send(complete.file).await;
                }
            }
        }
    }

    /// Counts a file that has its name, and tells of it.
    fn placed(&self, Complete { file, path, .. }: &Complete) {
        let mut summary = self.summary();
        summary.fetched += 1;
        summary.bytes += file.size;
        drop(summary);
        self.watch.event(Event::Fetched { file, path: &self.target.full(path.as_str()) });
    }

    /// Runs the hooks that earlier runs still owe, and tells what is in quarantine.
    async fn hand_over_earlier(&self) -> Result<(), PullError> {
        let (mut due, mut quarantined) = (Vec::new(), Vec::new());
        for (_, progress) in self.ledger().ledger().unfinished() {
            match progress {
                Progress::HookDue(file) => due.push((**file).clone()),
                Progress::Quarantined { file, path } => quarantined.push(((**file).clone(), path.clone())),
                Progress::Placing { .. } | Progress::Done => {}
            }
        }
        let superseded = self.ledger().ledger().superseded().to_vec();
        for (key, place) in superseded {
            if self.is_quarantined(&place).await? {
                let place = self.target.full(&place);
                self.left(&key, &format!("an earlier version of it is in quarantine: {}", place.display()));
            } else {
                self.append(Record::Settled { key, path: Some(place) }).await?;
            }
        }
        for (file, place) in quarantined {
            let key = file.key.clone();
            if !self.is_quarantined(&place).await? {
                // Back in its place, by somebody or by a run that was killed; or taken away, which settles it.
                if self.is_in_place(&file) {
                    self.append(Record::Restored { key }).await?;
                    due.push(file);
                } else {
                    self.append(Record::Settled { key, path: Some(place) }).await?;
                }
                continue;
            }
            if !self.options.retry_quarantined || self.options.hook.is_none() {
                self.left(&key, &format!("it is in quarantine: {}", self.target.full(&place).display()));
                continue;
            }
            let path = path_of(&key);
            match path.map_or_else(|| Ok(()), |path| self.target.restore(&place, &path)) {
                Ok(()) => {
                    self.append(Record::Restored { key }).await?;
                    due.push(file);
                }
                Err(error) => self.left(&key, &format!("it stays in quarantine: {}", unreachable_folder(&error))),
            }
        }
        let at_once = self.options.hook.as_ref().map_or(1, |hook| hook.at_once.max(1));
        stream::iter(due).for_each_concurrent(at_once, |file| self.hand_over(file)).await;
        Ok(())
    }

    /// Runs the hook for a file; moves the file into the quarantine if it fails.
    async fn hand_over(&self, file: Fetched) {
        let Some(hook) = self.options.hook.as_ref() else {
            return self.left(&file.key, "its hook has not succeeded yet; pass --hook");
        };
        if self.is_stopping() {
            return self.left(&file.key, "its hook has not run yet");
        }
        let key = &file.key;
        if !self.is_in_place(&file) {
            self.left(key, "it was changed or taken away before its hook succeeded; the hook is not run");
            let settled = self.append(Record::Settled { key: key.clone(), path: None }).await;
            return settled.unwrap_or_else(|error| self.fail(error));
        }
        let path = self.target.full(key);
        let (is_stopping, show) = (|| self.is_stopping(), |line: &str| self.watch.said(line));
        let outcome = hook.run(&self.options.bucket.name, &file, &path, (&is_stopping, &show)).await;
        let recorded = match outcome {
            Ok(()) => self.append(Record::Hooked { key: key.clone() }).await.map(|()| {
                self.summary().hooked += 1;
                self.watch.event(Event::Hooked { key });
            }),
            // Not all attempts were made.
            Err(why) if self.is_stopping() => return self.left(key, &why),
            Err(why) => self.quarantine(&file, &why).await,
        };
        if let Err(error) = recorded {
            self.fail(error);
        }
    }

    /// Whether the file that was placed is in its place, unchanged.
    fn is_in_place(&self, file: &Fetched) -> bool {
        let place = path_of(&file.key).map(|path| self.target.place_of(&path, Some(file.facts()), false));
        matches!(place, Some(Ok(Place::Replaceable)))
    }

    async fn is_quarantined(&self, place: &str) -> Result<bool, PullError> {
        let (target, place) = (Arc::clone(&self.target), place.to_owned());
        super::fetch::blocking(move || target.is_quarantined(&place)).await.map_err(PullError::Disk)
    }

    /// Moves a file into the quarantine, and writes before where to: after a kill in between it is in its place.
    async fn quarantine(&self, file: &Fetched, why: &str) -> Result<(), PullError> {
        let Some(path) = path_of(&file.key) else { return Ok(()) };
        let failed = |error: std::io::Error| {
            self.left(&file.key, &format!("{why}, and it cannot be moved into the quarantine: {error}"));
        };
        let moved = match self.target.free_in_quarantine(&path) {
            Ok(moved) => moved,
            Err(error) => {
                failed(error);
                return Ok(());
            }
        };
        let record = Record::Quarantined { key: file.key.clone(), path: moved.clone(), why: why.to_owned() };
        self.append(record).await?;
        let (target, to) = (Arc::clone(&self.target), moved.clone());
        if let Err(error) = super::fetch::blocking(move || target.quarantine(&path, &to)).await {
            failed(error);
            return self.append(Record::Restored { key: file.key.clone() }).await;
        }
        let mut summary = self.summary();
        summary.quarantined += 1;
        summary.left += 1;
        drop(summary);
        self.watch.event(Event::Quarantined { key: &file.key, path: Path::new(&self.target.full(&moved)), why });
        Ok(())
    }
}

fn is_hook_due(entry: &Entry) -> bool {
    matches!(entry.progress(), Progress::HookDue(_))
}

/// Whether no other file would fare better.
fn is_fatal(error: &AwsError) -> bool {
    error.is_credentials() || error.is_clock()
}
