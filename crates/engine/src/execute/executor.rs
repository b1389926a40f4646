//! Executes the steps: each begins when the steps that it needs are finished, in all regions at the same time.
//!
//! One step is a loop of *read, compare, mutate, wait until settled*, ended by a comparison without differences, so a
//! step does only the rest of the work that an earlier run left unfinished. A failed step blocks only the steps that
//! need it. Nothing is rolled back: the outcome says what exists, and the next run continues.

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

/// Mutations in one step before it counts as not converging.
const ROUNDS: usize = 16;
/// Steps in flight at once: enough for twenty regions, few enough for AWS's rate limits.
const IN_FLIGHT: usize = 48;

/// What to do with a resource.
#[derive(Clone, Debug)]
pub enum Task {
    /// Create or change it until it matches the environment file.
    Apply,
    Delete(RemovalOptions),
}

/// What all steps of a run share.
pub struct Context {
    pub aws: Arc<Aws>,
    pub reporter: Arc<dyn Reporter>,
    pub deadlines: Deadlines,
    pub stop: Stop,
    /// Records each mutation before it is called.
    pub journal: Arc<JournalWriter>,
    /// No call can succeed after this, so no other step begins.
    pub credentials_expired: AtomicBool,
}

impl Context {
    /// Whether no new step should begin.
    fn is_ending(&self) -> bool {
        self.stop.requested() || self.credentials_expired.load(Ordering::Relaxed)
    }
}

/// One step of a run.
#[derive(Clone)]
pub struct Job {
    pub resource: Arc<dyn Resource>,
    /// The planned change. Without one the resource is compared again only if another resource that it needs has
    /// changed.
    pub planned: Option<Change>,
    /// The identity that state remembers.
    pub known: Option<String>,
    /// Jobs that must finish first.
    pub after: BTreeSet<NodeId>,
}

/// How a run ended, step by step.
pub type Outcomes = BTreeMap<NodeId, Outcome>;

/// Runs all jobs and returns how each ended. `actual`, the resources as last read, is updated meanwhile.
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
            let changed = job.after.iter().any(|id| {
                matches!(outcomes.get(id), Some(Outcome::Changed | Outcome::Incomplete { .. } | Outcome::Deleted))
            });
            // A step that was stopped may still be changing what this one would repair.
            let repairs = blocker.is_some_and(|blocker| !matches!(outcomes.get(blocker), Some(Outcome::Stopped)))
                && matches!(task, Task::Apply)
                && job.resource.runs_after_failure(&lock(&actual));
            let skipped = match blocker {
                Some(_) if repairs && context.is_ending() => Some(Outcome::Stopped),
                Some(_) if repairs => None,
                Some(_) if job.planned.is_none() => Some(Outcome::Unchanged),
                Some(blocker) if matches!(outcomes.get(blocker), Some(Outcome::Stopped)) => Some(Outcome::Stopped),
                Some(blocker) => Some(Outcome::Blocked { by: blocker.clone() }),
                None if job.planned.is_none() && !changed => Some(Outcome::Unchanged),
                None if context.is_ending() => Some(Outcome::Stopped),
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
                // A panic must not count as success.
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
    // Other steps are still waiting only if a task was lost.
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
    let mut execution = StepExecution {
        context,
        job,
        actual,
        start,
        reported: job.planned.is_some(),
        reported_events: ReportedEvents::default(),
        attempt: 0,
        in_progress: false,
        created: None,
    };
    if let Some(change) = &job.planned {
        execution.report_start(change);
    }
    let is_deletion = job.planned.as_ref().is_some_and(|change| change.action == Action::Delete);
    let result = match task {
        // It is no longer in the environment file; no data is deleted with it.
        Task::Apply if is_deletion => execution.delete(RemovalOptions::default()).await,
        Task::Apply => execution.apply().await,
        Task::Delete(options) => execution.delete(*options).await,
    };
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(StepError::Resource(ResourceError::Kept(reason))) => Outcome::Kept { reason },
        Err(StepError::Resource(ResourceError::NotYet(reason))) => Outcome::Later { reason },
        Err(error) => execution.failed(error).await,
    };
    // A step without changes is not reported, unless reading failed.
    if execution.reported || matches!(outcome, Outcome::Failed { .. }) {
        let seconds = start.elapsed().as_secs_f64();
        context.reporter.event(&Event::StepFinished { step: id, outcome: outcome.clone(), seconds });
    }
    outcome
}

/// The progress of one step.
struct StepExecution<'a> {
    context: &'a Context,
    job: &'a Job,
    actual: &'a Mutex<Actual>,
    start: Instant,
    reported: bool,
    reported_events: ReportedEvents,
    attempt: u32,
    /// Whether AWS has reported an operation in progress since the last mutation.
    in_progress: bool,
    /// The identity of the resource that this step created, from AWS's response.
    created: Option<String>,
}

impl StepExecution<'_> {
    fn resource(&self) -> &dyn Resource {
        self.job.resource.as_ref()
    }

    fn report_start(&mut self, change: &Change) {
        self.reported = true;
        self.context.reporter.event(&Event::StepStarted {
            step: self.resource().id().clone(),
            kind: self.resource().kind(),
            title: self.resource().title(),
            change: change.clone(),
        });
    }

    /// The change that is still needed. It compares under the lock, because comparing does not wait for anything: in an
    /// environment with a thousand buckets, a copy of the map for each poll of each step would take megabytes.
    fn diff(&self, live: Option<&Live>) -> Option<Change> {
        self.job.resource.diff(live, &lock(self.actual))
    }

    fn event(&self, event: Event) {
        if self.reported {
            self.context.reporter.event(&event);
        }
    }

    fn is_past_deadline(&self) -> bool {
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

    /// The resource's identity, if this run or an earlier one knows it.
    fn known(&self) -> Option<String> {
        let actual = lock(self.actual);
        let live = actual.get(self.resource().id()).and_then(Option::as_ref);
        // The owner of what is being created may not be known yet: it has no tags.
        let is_ours = |live: &&Live| live.owner == Owner::Ours && !matches!(live.settled, Settled::Pending(_));
        let ours = live.filter(is_ours).map(|live| live.identity.clone());
        ours.or_else(|| self.created.clone()).or_else(|| self.job.known.clone())
    }

    /// Reads until AWS responds; a slow or throttled poll is not a failure before the deadline.
    async fn read(&mut self) -> Result<Option<Live>, StepError> {
        loop {
            let known = self.known();
            match self.resource().read(&self.context.aws, known.as_deref()).await {
                Ok(live) => {
                    if live.is_none() {
                        self.context.journal.seen_gone(self.resource().id());
                    }
                    lock(self.actual).insert(self.resource().id().clone(), live.clone());
                    return Ok(live);
                }
                Err(error) if error.is_transient() && self.is_past_deadline() => {
                    return Err(self.timed_out(&format!("not readable ({error})")));
                }
                Err(error) if error.is_transient() => self.retry(error.to_string()).await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Pauses before another attempt; fails if a stop is requested meanwhile.
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
    async fn wait_until_settled(&mut self) -> Result<Option<Live>, StepError> {
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
            self.in_progress = true;
            if self.is_past_deadline() {
                return Err(self.timed_out(&status));
            }
            // A CI system kills a job seconds after it asks it to end, and AWS may need minutes.
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
        let lines = self.job.resource.progress(&self.context.aws, &mut self.reported_events).await;
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
        let mut live = self.wait_until_settled().await?;
        let mut mutated = false;
        let mut recovery = None;
        let mut without_effect = 0;
        let mut rounds = 0;
        while rounds < ROUNDS {
            rounds += 1;
            if let Some(Live { owner: Owner::Foreign(what), .. }) = &live {
                return Err(ResourceError::Refused(format!("{what}; it is left unchanged")).into());
            }
            if mutated
                && let Some(failed) = &live
                && let Settled::Failed(status) = &failed.settled
            {
                self.unless_for_now(failed, status.clone()).await?;
                rounds = 0;
            }
            let Some(change) = self.diff(live.as_ref()) else {
                if !mutated {
                    return Ok(Outcome::Unchanged);
                }
                // The last events, of an operation that ended between two looks, too.
                self.progress().await;
                let left = self.reported_events.left();
                return Ok(left.map_or(Outcome::Changed, |reason| Outcome::Incomplete { reason }));
            };
            // A recovery that failed twice will not succeed the third time.
            if recovery == Some(change.action)
                && let Some(Live { settled: Settled::Failed(status), .. }) = &live
            {
                return Err(self.ended_in(status.clone()).await);
            }
            if !self.reported {
                self.report_start(&change);
            }
            let call = self.mutate(Mutation::Apply(&change, live.as_ref())).await?;
            // The failure of a leftover that was deleted or recovered is not a failure of the next mutation.
            recovery = matches!(change.action, Action::Recreate | Action::Recover).then_some(change.action);
            mutated = recovery.is_none();
            let before = live.take();
            live = self.wait_for_effect(before.as_ref(), &change).await?;
            // Accepted but not visible: creating it again would create a second one.
            if before.is_none() && live.is_none() && self.resource().found_by_listing() {
                return Err(StepError::NotVisible { what: self.resource().title(), why: None });
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

    /// Waits until the mutation is visible. AWS's reads may lag behind its writes, so an unchanged result is read again
    /// for a while before it is believed.
    async fn wait_for_effect(&mut self, before: Option<&Live>, change: &Change) -> Result<Option<Live>, StepError> {
        let start = Instant::now();
        let by_listing = before.is_none() && self.resource().found_by_listing();
        let patience = if by_listing { self.context.deadlines.unseen().max(wait::READ_LAG) } else { wait::READ_LAG };
        self.in_progress = false;
        loop {
            let live = self.wait_until_settled().await?;
            let unchanged = match (before, &live) {
                (None, None) => true,
                (Some(before), Some(after)) => before == after && self.diff(live.as_ref()).as_ref() == Some(change),
                _ => false,
            };
            if !unchanged || self.in_progress || start.elapsed() > patience {
                return Ok(live);
            }
            wait::for_poll(start.elapsed()).await;
        }
    }

    /// Waits until a deletion is visible, as [`StepExecution::wait_for_effect`] does for other mutations.
    async fn wait_for_deletion(&mut self, before: &Live) -> Result<Option<Live>, StepError> {
        let start = Instant::now();
        self.in_progress = false;
        loop {
            let live = self.wait_until_settled().await?;
            if live.as_ref() != Some(before) || self.in_progress || start.elapsed() > wait::READ_LAG {
                return Ok(live);
            }
            wait::for_poll(start.elapsed()).await;
        }
    }

    async fn delete(&mut self, options: RemovalOptions) -> Result<Outcome, StepError> {
        let mut tried = false;
        let mut live = self.wait_until_settled().await?;
        for _ in 0..ROUNDS {
            let Some(existing) = live else { return Ok(Outcome::Deleted) };
            if let Owner::Foreign(what) = &existing.owner {
                return Ok(Outcome::Kept { reason: format!("{what}; it is left unchanged") });
            }
            if tried && let Settled::Failed(status) = &existing.settled {
                return Err(self.ended_in(status.clone()).await);
            }
            let call = self.mutate(Mutation::Delete(&existing, options)).await?;
            live = self.wait_for_deletion(&existing).await?;
            self.record(&call, live.as_ref());
            tried = true;
        }
        if live.is_none() {
            return Ok(Outcome::Deleted);
        }
        Err(StepError::DoesNotConverge { what: self.resource().title(), differs: "it still exists".into() })
    }

    /// Waits before another attempt if the failure passes by itself.
    ///
    /// # Errors
    /// It does not, or its time is over; or a stop is requested.
    async fn unless_for_now(&mut self, live: &Live, status: String) -> Result<(), StepError> {
        let failed = self.ended_in(status).await;
        let cause = match &failed {
            StepError::EndedIn { causes, .. } => causes.iter().find(|cause| self.resource().is_for_now(live, cause)),
            _ => None,
        };
        match cause.cloned() {
            Some(cause) if !self.is_past_deadline() => self.retry(cause).await,
            _ => Err(failed),
        }
    }

    async fn ended_in(&self, status: String) -> StepError {
        StepError::EndedIn {
            what: self.resource().title(),
            status,
            causes: self.resource().causes(&self.context.aws).await,
            left: self.left(),
        }
    }

    /// What exists in AWS after a failure, for the report.
    fn left(&self) -> String {
        match lock(self.actual).get(self.resource().id()) {
            None => "unknown: it could not be read".to_owned(),
            Some(None) => "nothing".to_owned(),
            Some(Some(live)) => match &live.settled {
                Settled::Ready => match self.resource().out_of_use(live) {
                    Some(why) => format!("{} ({why})", live.identity),
                    None => format!("{}, usable", live.identity),
                },
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
            // With the state in S3, the first call to be refused is often the journal's.
            StepError::Journal(StateError::Aws { source, .. }) => source.is_credentials(),
            _ => false,
        };
        if credentials {
            self.context.credentials_expired.store(true, Ordering::Relaxed);
        }
        let (causes, left) = match &error {
            StepError::EndedIn { causes, left, .. } => (causes.clone(), left.clone()),
            // No mutation was called; the user needs to know why the journal could not be written.
            StepError::Journal(error) if self.created.is_none() => {
                (error.source().map(ToString::to_string).into_iter().collect(), self.left())
            }
            _ => {
                // The call may have taken effect without a response: the resource is read, to report what exists.
                let known = self.known();
                let result = self.resource().read(&self.context.aws, known.as_deref()).await;
                let mut actual = lock(self.actual);
                match result {
                    // AWS responded that it created the resource, so it may exist although it is not visible yet.
                    Ok(None) if self.created.is_some() => drop(actual.remove(self.resource().id())),
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
