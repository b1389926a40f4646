//! Walks the steps: each begins when what it needs is finished, regions side by side.
//!
//! One step is a loop of *read, compare, mutate, wait until settled*, ended by a comparison without differences; so a
//! step that finds half of its work done by an earlier run does only the rest. A failed step blocks what needs it and
//! nothing else. Nothing is rolled back: the outcome says what exists, and the next run continues.

mod mutation;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::mutation::Mutation;
use super::deadlines::Deadlines;
use super::stop::Stop;
use crate::execute::error::StepError;
use crate::resources::resource::{ReportedEvents, Resource, ResourceError};
use crate::state::error::StateError;
use crate::state::writer::JournalWriter;
use crate::wait;
use sftpctl_aws::Aws;
use sftpctl_core::events::{Event, Outcome, Reporter};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Action, Actual, Change, Live, Owner, RemovalOptions, Settled};

/// Mutations of one step before it counts as not converging.
const ROUNDS: usize = 16;
/// Steps in flight at once: enough for twenty regions, few enough for AWS's rate limits.
const IN_FLIGHT: usize = 48;

/// What to do with a resource.
#[derive(Clone, Debug)]
pub enum Task {
    /// Bring it to what is wanted.
    Apply,
    /// Delete it.
    Delete(RemovalOptions),
}

/// What a run needs besides the steps.
pub struct Context {
    pub aws: Arc<Aws>,
    pub reporter: Arc<dyn Reporter>,
    pub deadlines: Deadlines,
    pub stop: Stop,
    /// Records each mutation before it is called.
    pub journal: Arc<JournalWriter>,
    /// Set when no call can succeed any more: then no other step begins.
    pub over: AtomicBool,
}

impl Context {
    /// Whether no new step should begin.
    fn ends(&self) -> bool {
        self.stop.requested() || self.over.load(Ordering::Relaxed)
    }
}

/// One step of a run.
#[derive(Clone)]
pub struct Job {
    pub resource: Arc<dyn Resource>,
    /// The change that was planned; `None` if it is only compared again if something it needs has changed.
    pub planned: Option<Change>,
    /// The identity that state remembers.
    pub known: Option<String>,
    /// Jobs that come first.
    pub after: BTreeSet<NodeId>,
}

/// How a run ended, step by step.
pub type Outcomes = BTreeMap<NodeId, Outcome>;

/// Runs all jobs and returns how each ended. `actual` holds what is known and is kept up to date.
pub async fn run(context: Arc<Context>, jobs: Vec<Job>, task: Task, actual: Arc<Mutex<Actual>>) -> Outcomes {
    let permits = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut waiting: BTreeMap<NodeId, Job> = jobs.into_iter().map(|job| (job.resource.id().clone(), job)).collect();
    let names: BTreeSet<NodeId> = waiting.keys().cloned().collect();
    let mut outcomes = Outcomes::new();
    let mut running: JoinSet<(NodeId, Outcome)> = JoinSet::new();
    let mut tasks: BTreeMap<tokio::task::Id, NodeId> = BTreeMap::new();
    loop {
        let ready: Vec<NodeId> = waiting
            .iter()
            .filter(|(_, job)| job.after.iter().all(|id| outcomes.contains_key(id) || !names.contains(id)))
            .map(|(id, _)| id.clone())
            .collect();
        let mut settled_now = false;
        for id in ready {
            let Some(job) = waiting.remove(&id) else { continue };
            let blocker = job.after.iter().find(|id| {
                matches!(
                    outcomes.get(*id),
                    Some(Outcome::Failed { .. } | Outcome::Later { .. } | Outcome::Blocked { .. } | Outcome::Stopped)
                )
            });
            let changed =
                job.after.iter().any(|id| matches!(outcomes.get(id), Some(Outcome::Changed | Outcome::Deleted)));
            let skipped = match blocker {
                Some(_) if job.planned.is_none() => Some(Outcome::Unchanged),
                Some(blocker) if matches!(outcomes.get(blocker), Some(Outcome::Stopped)) => Some(Outcome::Stopped),
                Some(blocker) => Some(Outcome::Blocked { by: blocker.clone() }),
                None if job.planned.is_none() && !changed => Some(Outcome::Unchanged),
                None if context.ends() => Some(Outcome::Stopped),
                None => None,
            };
            if let Some(outcome) = skipped {
                if job.planned.is_some() {
                    context.reporter.event(&Event::StepFinished {
                        step: id.clone(),
                        outcome: outcome.clone(),
                        seconds: 0.0,
                    });
                }
                outcomes.insert(id, outcome);
                settled_now = true;
                continue;
            }
            let (context, task, actual, permits) =
                (Arc::clone(&context), task.clone(), Arc::clone(&actual), Arc::clone(&permits));
            let task = running.spawn(async move {
                // The semaphore is never closed; without a permit the step would only run a little early.
                let _permit = permits.acquire_owned().await.ok();
                let outcome = step(&context, &job, &task, &actual).await;
                (job.resource.id().clone(), outcome)
            });
            tasks.insert(task.id(), id);
        }
        if settled_now {
            continue;
        }
        match running.join_next().await {
            Some(Ok((id, outcome))) => {
                outcomes.insert(id, outcome);
            }
            Some(Err(error)) => {
                // A bug must not look like success.
                if let Some(id) = tasks.get(&error.id()).cloned() {
                    let outcome = Outcome::Failed {
                        error: format!("internal error: {error}"),
                        causes: Vec::new(),
                        left: "unknown".to_owned(),
                        hint: Some("please report it; rerun the same command to resume".into()),
                    };
                    context.reporter.event(&Event::StepFinished {
                        step: id.clone(),
                        outcome: outcome.clone(),
                        seconds: 0.0,
                    });
                    outcomes.insert(id, outcome);
                }
            }
            None => break,
        }
    }
    // Only a step whose task was lost can leave others waiting.
    outcomes.extend(waiting.into_keys().map(|id| (id, Outcome::Stopped)));
    outcomes
}

pub(crate) fn lock(actual: &Mutex<Actual>) -> std::sync::MutexGuard<'_, Actual> {
    actual.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One step, with its events.
async fn step(context: &Context, job: &Job, task: &Task, actual: &Mutex<Actual>) -> Outcome {
    let start = Instant::now();
    let resource = &job.resource;
    let id = resource.id().clone();
    let mut walk = Walk {
        context,
        job,
        actual,
        start,
        reported: job.planned.is_some(),
        seen: ReportedEvents::default(),
        attempt: 0,
        at_work: false,
        made: None,
    };
    if let Some(change) = &job.planned {
        walk.tell(change);
    }
    let goes = job.planned.as_ref().is_some_and(|change| change.action == Action::Delete);
    let result = match task {
        // Taken out of the file; no data goes with it.
        Task::Apply if goes => walk.delete(RemovalOptions::default()).await,
        Task::Apply => walk.apply().await,
        Task::Delete(options) => walk.delete(*options).await,
    };
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(StepError::Resource(ResourceError::Kept(reason))) => Outcome::Kept { reason },
        Err(StepError::Resource(ResourceError::NotYet(reason))) => Outcome::Later { reason },
        Err(error) => walk.failed(error).await,
    };
    // A step without changes is not reported, unless reading failed.
    if walk.reported || matches!(outcome, Outcome::Failed { .. }) {
        let seconds = start.elapsed().as_secs_f64();
        context.reporter.event(&Event::StepFinished { step: id, outcome: outcome.clone(), seconds });
    }
    outcome
}

/// The state of one step.
struct Walk<'a> {
    context: &'a Context,
    job: &'a Job,
    actual: &'a Mutex<Actual>,
    start: Instant,
    reported: bool,
    seen: ReportedEvents,
    attempt: u32,
    /// Whether AWS reported an operation in progress since the last mutation.
    at_work: bool,
    /// The identity of what this step created, from AWS's answer.
    made: Option<String>,
}

impl Walk<'_> {
    fn resource(&self) -> &dyn Resource {
        self.job.resource.as_ref()
    }

    fn tell(&mut self, change: &Change) {
        self.reported = true;
        self.context.reporter.event(&Event::StepStarted {
            step: self.resource().id().clone(),
            kind: self.resource().kind(),
            title: self.resource().title(),
            change: change.clone(),
        });
    }

    /// What differs from what is wanted. Under the lock, since comparing does not wait for anything: a copy of the map
    /// for each poll of each step would be megabytes where an environment has a thousand buckets.
    fn diff(&self, live: Option<&Live>) -> Option<Change> {
        self.job.resource.diff(live, &lock(self.actual))
    }

    fn event(&self, event: Event) {
        if self.reported {
            self.context.reporter.event(&event);
        }
    }

    /// Whether the deadline is over.
    fn late(&self) -> bool {
        self.start.elapsed() > self.context.deadlines.of(self.resource().kind())
    }

    fn timed_out(&self, status: &str) -> StepError {
        ResourceError::TimedOut {
            what: self.resource().title(),
            status: status.to_owned(),
            waited: self.start.elapsed(),
        }
        .into()
    }

    /// Its identity, as far as this run or an earlier one knows it.
    fn known(&self) -> Option<String> {
        let actual = lock(self.actual);
        let live = actual.get(self.resource().id()).and_then(Option::as_ref);
        let seen = live.filter(|live| live.owner == Owner::Ours).map(|live| live.identity.clone());
        seen.or_else(|| self.made.clone()).or_else(|| self.job.known.clone())
    }

    /// Reads until an answer comes; a slow or throttled poll is never a failure before the deadline.
    async fn read(&mut self) -> Result<Option<Live>, StepError> {
        loop {
            let known = self.known();
            match self.resource().read(&self.context.aws, known.as_deref()).await {
                Ok(live) => {
                    lock(self.actual).insert(self.resource().id().clone(), live.clone());
                    return Ok(live);
                }
                Err(error) if error.is_transient() && self.late() => {
                    return Err(self.timed_out(&format!("not readable ({error})")));
                }
                Err(error) if error.is_transient() => self.retry(error.to_string()).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Pauses before another attempt; fails if the run is asked to stop meanwhile.
    async fn retry(&mut self, reason: String) -> Result<(), StepError> {
        self.event(Event::StepRetried { step: self.resource().id().clone(), reason: reason.clone() });
        let context = self.context;
        tokio::select! {
            () = wait::for_another_attempt(self.attempt) => {}
            () = context.stop.canceled() => {
                let status = format!("being retried ({reason})");
                return Err(StepError::Stopped { what: self.resource().title(), status });
            }
        }
        self.attempt += 1;
        Ok(())
    }

    /// Reads until no operation is in progress.
    async fn settled(&mut self) -> Result<Option<Live>, StepError> {
        let start = Instant::now();
        let mut last = String::new();
        loop {
            let live = self.read().await?;
            let Some(Settled::Pending(status)) = live.as_ref().map(|live| live.settled.clone()) else {
                if !last.is_empty() {
                    self.progress().await;
                }
                return Ok(live);
            };
            self.at_work = true;
            if self.late() {
                return Err(self.timed_out(&status));
            }
            // A CI system kills a job seconds after it asked it to end, and AWS may need minutes.
            if self.context.stop.requested() {
                return Err(StepError::Stopped { what: self.resource().title(), status });
            }
            if status != last {
                self.event(Event::StepWaiting { step: self.resource().id().clone(), status: status.clone() });
                last = status;
            }
            self.progress().await;
            wait::for_poll(start.elapsed()).await;
        }
    }

    async fn progress(&mut self) {
        if !self.reported {
            return;
        }
        let lines = self.job.resource.progress(&self.context.aws, &mut self.seen).await;
        for line in lines {
            self.event(Event::StepNews { step: self.resource().id().clone(), line });
        }
    }

    /// Records the outcome of a mutation.
    fn record(&self, call: &str, live: Option<&Live>) {
        let (journal, node) = (&self.context.journal, self.resource().id());
        match live {
            Some(Live { settled: Settled::Failed(status), .. }) => journal.failed(call, node, status),
            live => journal.done(call, node, live.map(|live| live.identity.as_str())),
        }
    }

    async fn apply(&mut self) -> Result<Outcome, StepError> {
        let mut live = self.settled().await?;
        let mut mutated = false;
        let mut recovery = None;
        let mut without_effect = 0;
        for _ in 0..ROUNDS {
            if let Some(Live { owner: Owner::Foreign(what), .. }) = &live {
                return Err(ResourceError::Refused(format!("{what}; it is left unchanged")).into());
            }
            if mutated && let Some(Live { settled: Settled::Failed(status), .. }) = &live {
                return Err(self.ended_in(status.clone()).await);
            }
            let Some(change) = self.diff(live.as_ref()) else {
                return Ok(if mutated { Outcome::Changed } else { Outcome::Unchanged });
            };
            // What failed twice in the same way will not succeed the third time.
            if recovery == Some(change.action)
                && let Some(Live { settled: Settled::Failed(status), .. }) = &live
            {
                return Err(self.ended_in(status.clone()).await);
            }
            if !self.reported {
                self.tell(&change);
            }
            let call = self.mutate(Mutation::Apply(&change, live.as_ref())).await?;
            // A failed left-over that was removed, or brought to its end, is no failure of what comes next.
            recovery = matches!(change.action, Action::Recreate | Action::Recover).then_some(change.action);
            mutated = recovery.is_none();
            let before = live.take();
            live = self.settled_after(before.as_ref(), &change).await?;
            // Accepted but not visible: created again, it would exist twice.
            if before.is_none() && live.is_none() && self.resource().found_by_listing() {
                return Err(StepError::Unseen { what: self.resource().title(), why: None });
            }
            self.record(&call, live.as_ref());
            // AWS accepted it twice without an effect: repeating it will not help.
            without_effect += u32::from(live == before);
            if without_effect == 2 {
                break;
            }
        }
        let differs = self
            .diff(live.as_ref())
            .map(|c| c.properties.iter().map(|p| p.name.clone()).collect::<Vec<_>>().join(", "));
        Err(StepError::DoesNotConverge { what: self.resource().title(), differs: differs.unwrap_or_default() })
    }

    /// Waits until the mutation shows. AWS's reads may lag behind its writes: the same answer as before is looked at
    /// again for a while before it is believed.
    async fn settled_after(&mut self, before: Option<&Live>, change: &Change) -> Result<Option<Live>, StepError> {
        let start = Instant::now();
        let unsure = before.is_none() && self.resource().found_by_listing();
        let patience = if unsure { self.context.deadlines.unseen().max(wait::SHOWN) } else { wait::SHOWN };
        self.at_work = false;
        loop {
            let live = self.settled().await?;
            let unseen = match (before, &live) {
                (None, None) => true,
                (Some(before), Some(there)) => before == there && self.diff(live.as_ref()).as_ref() == Some(change),
                _ => false,
            };
            if !unseen || self.at_work || start.elapsed() > patience {
                return Ok(live);
            }
            wait::for_poll(start.elapsed()).await;
        }
    }

    /// Waits until a deletion shows, as [`Walk::settled_after`] does for other mutations.
    async fn gone_after(&mut self, before: &Live) -> Result<Option<Live>, StepError> {
        let start = Instant::now();
        self.at_work = false;
        loop {
            let live = self.settled().await?;
            if live.as_ref() != Some(before) || self.at_work || start.elapsed() > wait::SHOWN {
                return Ok(live);
            }
            wait::for_poll(start.elapsed()).await;
        }
    }

    async fn delete(&mut self, options: RemovalOptions) -> Result<Outcome, StepError> {
        let mut tried = false;
        let mut live = self.settled().await?;
        for _ in 0..ROUNDS {
            let Some(there) = live else { return Ok(Outcome::Deleted) };
            if let Owner::Foreign(what) = &there.owner {
                return Ok(Outcome::Kept { reason: format!("{what}; it is left unchanged") });
            }
            if tried && let Settled::Failed(status) = &there.settled {
                return Err(self.ended_in(status.clone()).await);
            }
            let call = self.mutate(Mutation::Delete(&there, options)).await?;
            live = self.gone_after(&there).await?;
            self.record(&call, live.as_ref());
            tried = true;
        }
        if live.is_none() {
            return Ok(Outcome::Deleted);
        }
        Err(StepError::DoesNotConverge { what: self.resource().title(), differs: "it still exists".into() })
    }

    async fn ended_in(&self, status: String) -> StepError {
        StepError::EndedIn {
            what: self.resource().title(),
            status,
            causes: self.resource().causes(&self.context.aws).await,
            left: self.left(),
        }
    }

    /// What exists now: nothing, a part, or unknown.
    fn left(&self) -> String {
        match lock(self.actual).get(self.resource().id()) {
            None => "unknown: it could not be read".to_owned(),
            Some(None) => "nothing".to_owned(),
            Some(Some(live)) => match &live.settled {
                Settled::Ready => format!("{}, usable", live.identity),
                Settled::Pending(status) | Settled::Failed(status) => {
                    let status = status.split(':').next().unwrap_or_default();
                    format!("{} ({status})", live.identity)
                }
            },
        }
    }

    async fn failed(&mut self, error: StepError) -> Outcome {
        let credentials = match &error {
            StepError::Resource(ResourceError::Aws(error)) => error.is_credentials(),
            // With state in S3 the first call that is refused is often the journal's.
            StepError::Journal(StateError::Aws { source, .. }) => source.is_credentials(),
            _ => false,
        };
        if credentials {
            self.context.over.store(true, Ordering::Relaxed);
        }
        let (causes, left) = match &error {
            StepError::EndedIn { causes, left, .. } => (causes.clone(), left.clone()),
            // Nothing was called; a person needs to know why the journal could not be written.
            StepError::Journal(error) if self.made.is_none() => {
                (error.source().map(ToString::to_string).into_iter().collect(), self.left())
            }
            _ => {
                // The call may have taken effect although no answer came: read it, and say what exists.
                let known = self.known();
                let looked = self.resource().read(&self.context.aws, known.as_deref()).await;
                let mut actual = lock(self.actual);
                match looked {
                    // AWS said that it created it: that it is not visible yet does not prove that it does not exist.
                    Ok(None) if self.made.is_some() => drop(actual.remove(self.resource().id())),
                    Ok(live) => drop(actual.insert(self.resource().id().clone(), live)),
                    Err(_) => {}
                }
                drop(actual);
                (Vec::new(), self.left())
            }
        };
        Outcome::Failed { hint: error.hint(), error: error.to_string(), causes, left }
    }
}
