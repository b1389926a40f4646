//! One run on one environment: connect, look, plan, do, remember. The commands are thin over this.

pub mod adopt;
mod drift;
pub mod error;
mod name_conflicts;
mod recovery;
mod strays;
mod summary;

use self::error::RunError;
pub use self::strays::Orphans;
pub use self::summary::Ending;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::desired::{self, Inputs};
use crate::execute::deadlines::Deadlines;
use crate::execute::executor::{self, Context, Job, Task, lock};
use crate::execute::stop::Stop;
use crate::host_keys;
use crate::observe::Observed;
use crate::package;
use crate::resources::resource::Resource;
use crate::state::blob::Blobs;
use crate::state::bucket::Bucket;
use crate::state::folder::Folder;
use crate::state::journal::Entry;
use crate::state::lease::Machine as _;
use crate::state::machine::ThisMachine;
use crate::state::model::{LastRun, State};
use crate::state::store::{self, LockedStore, Store};
use sftpctl_aws::{Aws, ConnectOptions};
use sftpctl_core::events::{Event, Reporter, Summary};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Action, Actual, Owner, Removal, RemovalOptions};
use sftpctl_core::plan::graph::Edges;
use sftpctl_core::plan::model::Plan;
use sftpctl_core::plan::planner;
use sftpctl_core::plan::saved::Earlier;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::spec::state_place::StatePlace;

/// What a run needs to begin.
pub struct Options {
    /// The environment.
    pub environment: Environment,
    /// Named profile.
    pub profile: Option<String>,
    /// One endpoint for all services.
    pub endpoint_url: Option<String>,
    /// The local cloud: credentials are the account's own.
    pub local: bool,
    /// Only these regions; empty for all.
    pub regions: Vec<String>,
    /// Where the state is.
    pub state: StatePlace,
    /// The authorizer's binary.
    pub package: Option<PathBuf>,
    /// Takes events.
    pub reporter: Arc<dyn Reporter>,
    /// Ends the process at once: at the second wish to stop.
    pub abort: fn(),
}

/// The records of an environment.
pub fn store(aws: &Aws, environment: &Environment, place: &StatePlace) -> Store {
    let blobs: Arc<dyn Blobs> = match place {
        StatePlace::Folder(path) => Arc::new(Folder::new(path)),
        StatePlace::Bucket { bucket, prefix, region } => {
            let s3 = aws.s3(region.as_deref().unwrap_or(&environment.home_region));
            Arc::new(Bucket::new(s3, &environment.account, bucket, prefix, environment.state.kms_key.clone()))
        }
    };
    Store::new(blobs, &environment.name, &environment.account, Arc::new(ThisMachine))
}

/// Connects to an environment's account, and to no other.
///
/// # Errors
/// The credentials do not work, or belong to another account.
pub async fn connect(
    environment: &Environment,
    profile: Option<String>,
    endpoint_url: Option<String>,
    local: bool,
) -> Result<Arc<Aws>, RunError> {
    let aws = Aws::connect(ConnectOptions {
        profile,
        endpoint_url,
        local_account: local.then(|| environment.account.clone()),
        home_region: environment.home_region.clone(),
    })
    .await;
    let caller = aws.caller().await.map_err(RunError::Connect)?;
    if caller.account != environment.account {
        let (environment, account) = (environment.name.clone(), environment.account.clone());
        return Err(RunError::WrongAccount { environment, account, caller });
    }
    Ok(Arc::new(aws))
}

/// Fills in the id of the hosted zone, which a server's tags and every record need. Where there is none, or several, the
/// records say so when they are read.
async fn look_up_zone(aws: &Aws, environment: &mut Environment, state: &State) {
    let Some(dns) = environment.dns.as_mut().filter(|dns| dns.zone_id.is_none()) else { return };
    let remembered = state.identities.iter().find_map(|(id, identity)| {
        let (zone, name) = identity.split_once('/').filter(|_| id.local_name().starts_with("record/"))?;
        name.trim_end_matches('.').ends_with(&format!(".{}", dns.zone)).then(|| zone.to_owned())
    });
    dns.zone_id = match remembered {
        Some(zone) => Some(zone),
        None => match aws.route53().zones(&dns.zone).await.as_deref() {
            Ok([zone]) => Some(zone.clone()),
            _ => None,
        },
    };
}

/// A run.
pub struct Run {
    /// The environment.
    pub environment: Environment,
    /// What was remembered; updated while the run goes on.
    pub state: State,
    aws: Arc<Aws>,
    store: Store,
    /// Operations of a killed run of which nobody knows what came.
    unfinished: Vec<Entry>,
    locked_store: Option<LockedStore>,
    resources: Vec<Arc<dyn Resource>>,
    code: Arc<package::Package>,
    reporter: Arc<dyn Reporter>,
    abort: fn(),
    limited: bool,
    saved_plan: Option<String>,
    started: Instant,
    /// The wish to stop; never, before the lock is held.
    stop: Stop,
    /// Whether steps are in flight, which a wish to stop lets finish.
    begun: Arc<AtomicBool>,
    /// Whether the last run ended because the credentials did.
    credentials_over: bool,
}

impl Run {
    /// Reads state and package and connects; checks the account before anything else.
    ///
    /// # Errors
    /// The package or the state cannot be used, or the credentials belong to another account.
    pub async fn open(options: Options) -> Result<Self, RunError> {
        let mut environment = options.environment;
        let path = package::locate(options.package.as_deref());
        let code = package::build(&path, &environment.authorizer.architecture).map(Arc::new)?;
        if let Some(unknown) = options.regions.iter().find(|region| !environment.regions.contains_key(*region)) {
            let known: Vec<_> = environment.regions.keys().cloned().collect();
            return Err(RunError::UnknownRegion { environment: environment.name, region: unknown.clone(), known });
        }
        let aws = connect(&environment, options.profile, options.endpoint_url, options.local).await?;
        let store = store(&aws, &environment, &options.state);
        let remembered = store.load().await?;
        look_up_zone(&aws, &mut environment, &remembered.state).await;
        let host_keys = host_keys::read(&aws, &environment).await?;
        let adopted_tags = remembered.state.adopted_tags.clone();
        let servers = remembered.state.servers().into();
        let inputs = Inputs { code: Arc::clone(&code), host_keys: host_keys.into(), adopted_tags, servers };
        let begun = Instant::now();
        let mut resources = desired::resources(&environment, &inputs)?;
        tracing::debug!(microseconds = begun.elapsed().as_micros(), resources = resources.len(), "named");
        if !options.regions.is_empty() {
            let regions: BTreeSet<&str> = options.regions.iter().map(String::as_str).collect();
            resources = desired::limited(resources, &regions);
        }
        Ok(Self {
            state: remembered.state,
            unfinished: remembered.unfinished,
            environment,
            aws,
            store,
            locked_store: None,
            resources,
            code,
            reporter: options.reporter,
            abort: options.abort,
            limited: !options.regions.is_empty(),
            saved_plan: None,
            started: Instant::now(),
            stop: Stop::new().1,
            begun: Arc::default(),
            credentials_over: false,
        })
    }

    /// Does `work` while it holds the lock on the environment, and gives the lock back however the work ends. `patience`
    /// is how many seconds to wait for another run.
    ///
    /// # Errors
    /// Another run holds the lock; or the work's own.
    pub async fn locked<T, E: From<RunError>>(
        mut self,
        command: &str,
        patience: u64,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let terms = store::terms(self.environment.state.lease_seconds, patience);
        let begun = Arc::clone(&self.begun);
        let reporter = Arc::clone(&self.reporter);
        let heard = move || {
            if begun.load(Ordering::SeqCst) {
                reporter.event(&Event::Stopping);
            }
        };
        let interrupted = || E::from(RunError::Interrupted { command: command.to_owned() });
        // Before the lock is waited for: a job that is stopped while it waits ends as cleanly as any other.
        self.stop = Stop::on_signals(heard, self.abort);
        let (store, reporter) = (&self.store, &self.reporter);
        let waiting = |line: &str| reporter.note(line);
        let (locked, remembered) = tokio::select! {
            biased;
            began = store.begin(command, terms, &waiting) => began.map_err(RunError::from)?,
            () = self.stop.canceled() => {
                self.store.give_back().await;
                return Err(interrupted());
            }
        };
        let journal = Arc::clone(locked.journal());
        self.aws.set_fence(Some(Box::new(move || journal.is_over())));
        self.locked_store = Some(locked);
        (self.state, self.unfinished) = (remembered.state, remembered.unfinished);
        let (stop, begun) = (self.stop.clone(), Arc::clone(&self.begun));
        // Where no step is in flight there is nothing to finish: the lock is given back, and that is all.
        let idle = async {
            stop.canceled().await;
            if begun.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
        };
        let result = tokio::select! {
            biased;
            result = work(&mut self) => result,
            () = idle => Err(interrupted()),
        };
        self.aws.set_fence(None);
        if let Some(store) = self.locked_store.take()
            && let Err(error) = store.end().await
        {
            tracing::warn!(%error, "the last lines of the journal were not written; the next run looks by itself");
        }
        result
    }

    /// Also reads what AWS services make again by themselves; for teardown. `actual` tells the ids in some of the names.
    pub fn with_leftovers(&mut self, actual: &Actual) {
        let ours = |id: &NodeId| {
            let live = actual.get(id).and_then(Option::as_ref)?;
            (live.owner == Owner::Ours).then_some(live)
        };
        let mut past = desired::History { deployed: self.state.last_run.is_some(), ..desired::History::default() };
        for region in self.environment.regions.keys() {
            let api = ours(&names::stack_node(region)).and_then(|stack| stack.outputs.get("ApiId"));
            past.apis.extend(api.map(|api| (region.clone(), api.clone())));
            let server = ours(&names::server_node(region)).map(|server| (region.clone(), server.identity.clone()));
            past.servers.extend(server);
        }
        let remembered = self.state.identities.iter();
        let groups = remembered.filter(|(id, _)| id.local_name().starts_with("log-group/"));
        past.log_groups = groups.map(|(id, name)| (id.place().to_owned(), name.clone())).collect();
        self.resources.extend(desired::leftovers(&self.environment, &past));
    }

    /// Says that this run does a saved plan of this digest, and tells what the run before it did of it.
    pub fn does_saved_plan(&mut self, digest: &str) -> Earlier {
        self.saved_plan = Some(digest.to_owned());
        match self.state.last_run.as_ref().filter(|run| run.plan.as_deref() == Some(digest)) {
            None => Earlier::Nothing,
            Some(run) if run.outcome == "done" => Earlier::Whole,
            Some(_) => Earlier::Part,
        }
    }

    /// The resources of this run.
    pub fn resources(&self) -> &[Arc<dyn Resource>] {
        &self.resources
    }

    /// Makes the state anew from AWS alone.
    ///
    /// # Errors
    /// AWS cannot be read, or the state cannot be written.
    pub async fn rebuild(&mut self) -> Result<(), RunError> {
        self.state.identities.clear();
        let observed = self.observe().await;
        if let Some((id, error)) = observed.unreadable.iter().find(|(_, error)| !error.is("NoSuchHostedZone")) {
            return Err(RunError::NotRebuilt { id: id.clone(), error: error.clone() });
        }
        self.state.learn(&observed.actual);
        match &mut self.locked_store {
            Some(store) => Ok(store.save(&mut self.state).await?),
            None => Err(RunError::NoLock),
        }
    }

    /// Plans a deployment; refuses with every finding at once where it must not begin.
    ///
    /// # Errors
    /// Foreign resources of our names, missing permissions, a missing zone.
    pub fn plan(&self, observed: &Observed) -> Result<(Plan, Edges), RunError> {
        Self::decided(observed)?;
        let mut findings = planner::foreign(&observed.actual);
        for (id, error) in &observed.unreadable {
            // A service's own trouble is the step's; what a person must settle stops the run before its first write.
            let settle = error.is("AccessDenied")
                || error.is("AccessDeniedException")
                || error.is("NoSuchHostedZone")
                || error.is_credentials()
                || error.is("UnauthorizedOperation");
            if settle {
                let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                findings.push(format!("{id}: {error}{hint}"));
            }
        }
        findings.extend(observed.taken.iter().cloned());
        for resource in &self.resources {
            let live = observed.actual.get(resource.id()).and_then(Option::as_ref);
            findings.extend(live.and_then(|live| resource.refusal(live)));
        }
        findings.dedup();
        if !findings.is_empty() {
            let adoptable = planner::foreign_ids(&observed.actual).into_iter().map(str::to_owned).collect();
            return Err(RunError::NotDeployable { environment: self.environment.name.clone(), findings, adoptable });
        }
        let begun = Instant::now();
        let plan = planner::deploy(
            &self.environment.name,
            &self.environment.account,
            &self.resources,
            &self.retired(),
            &observed.actual,
        )?;
        tracing::debug!(microseconds = begun.elapsed().as_micros(), "planned");
        Ok(plan)
    }

    /// Refuses to take anything down while something could not be read: what is not seen may be in use.
    ///
    /// # Errors
    /// What could not be read.
    pub fn readable(observed: &Observed) -> Result<(), RunError> {
        match observed.unreadable.iter().find(|(_, error)| !error.is("NoSuchHostedZone")) {
            None => Ok(()),
            Some((id, error)) => Err(RunError::Unreadable { id: id.clone(), error: error.clone() }),
        }
    }

    /// Plans a teardown.
    ///
    /// # Errors
    /// A resource could not be looked into, or one is protected: then nothing goes, since what was deleted before it would
    /// be gone for nothing.
    pub async fn plan_teardown(&self, observed: &Observed, options: RemovalOptions) -> Result<(Plan, Edges), RunError> {
        Self::decided(observed)?;
        Self::readable(observed)?;
        let mut removals = Vec::new();
        for resource in &self.resources {
            let Some(Some(live)) = observed.actual.get(resource.id()) else { continue };
            let removal = match &live.owner {
                Owner::Foreign(what) => Removal::Keep(what.clone()),
                Owner::Ours => resource.removal(&self.aws, live, options).await.map_err(RunError::Removal)?,
            };
            removals.push((resource.id().clone(), removal));
        }
        let refusals = removals.iter().filter_map(|(_, removal)| match removal {
            Removal::Refuse(why) => Some(why.clone()),
            _ => None,
        });
        let refusals: Vec<String> = refusals.collect();
        if !refusals.is_empty() {
            return Err(RunError::NotRemovable { environment: self.environment.name.clone(), refusals });
        }
        Ok(planner::teardown(&self.environment.name, &self.environment.account, &self.resources, &removals)?)
    }

    /// Does what the plan says, and tells the summary.
    ///
    /// # Errors
    /// State cannot be written. Steps that fail are no error: they are in the summary.
    pub async fn execute(
        &mut self,
        command: &str,
        (plan, edges): (&Plan, &Edges),
        actual: Actual,
        task: Task,
    ) -> Result<Summary, RunError> {
        self.state.begins(self.this_run(command));
        self.state.learn(&actual);
        let served = self.served();
        match task {
            Task::Apply => self.state.unverified.extend(served),
            Task::Delete(_) => self.state.unverified.retain(|region| !served.contains(region)),
        }
        let Some(store) = &mut self.locked_store else {
            return Err(RunError::NoLock);
        };
        store.save(&mut self.state).await?;
        let journal = Arc::clone(store.journal());
        let jobs: Vec<Job> = self.jobs(plan, edges, &task);
        let context = Arc::new(Context {
            aws: Arc::clone(&self.aws),
            reporter: Arc::clone(&self.reporter),
            deadlines: Deadlines::new(self.environment.deadlines.clone()),
            stop: self.stop.clone(),
            journal,
            over: AtomicBool::new(false),
        });
        let stop = self.stop.clone();
        self.begun.store(true, Ordering::SeqCst);
        let actual = Arc::new(Mutex::new(actual));
        let outcomes = executor::run(Arc::clone(&context), jobs, task, Arc::clone(&actual)).await;
        self.credentials_over = context.over.load(Ordering::Relaxed);
        let actual = lock(&actual).clone();
        self.state.learn(&actual);
        let summary = self.summary(command, plan, &outcomes, &actual);
        let outcome = match summary.failed + summary.not_begun + summary.later.len() {
            0 => "done",
            _ if stop.requested() => "stopped",
            _ => "failed",
        };
        self.state.ends(outcome, ThisMachine.now());
        self.reporter.event(&Event::Finished { summary: summary.clone() });
        if let Some(store) = &mut self.locked_store {
            // The work is done, or not, as the summary says; only the memory of it is in the journal alone.
            store
                .save(&mut self.state)
                .await
                .map_err(|error| if summary.changed > 0 { RunError::Unsaved(error) } else { RunError::State(error) })?;
        }
        // What comes now is not this run's work: a wish to stop ends it at once.
        if !stop.requested() {
            self.begun.store(false, Ordering::SeqCst);
        }
        Ok(summary)
    }

    /// A run that found nothing to do is a run: whoever looks sees that what a killed one had begun is done.
    ///
    /// # Errors
    /// State cannot be written.
    pub async fn nothing_to_do(&mut self, command: &str, actual: &Actual) -> Result<(), RunError> {
        self.state.learn(actual);
        // Whoever does the plan of the run before once more still finds it done.
        let done = self.state.last_run.as_ref().filter(|run| run.outcome == "done");
        self.saved_plan = self.saved_plan.take().or_else(|| done?.plan.clone());
        self.state.begins(self.this_run(command));
        self.state.ends("done", ThisMachine.now());
        match &mut self.locked_store {
            Some(store) => Ok(store.save(&mut self.state).await?),
            None => Ok(()),
        }
    }

    fn this_run(&self, command: &str) -> LastRun {
        let holder = ThisMachine.holder("", command);
        LastRun {
            command: command.to_owned(),
            started: ThisMachine.now(),
            finished: None,
            outcome: "running".into(),
            by: format!("sftpctl {}", env!("CARGO_PKG_VERSION")),
            who: Some(format!("{} on {}", holder.user, holder.host)),
            plan: self.saved_plan.clone(),
        }
    }

    fn jobs(&self, plan: &Plan, edges: &Edges, task: &Task) -> Vec<Job> {
        let retired = self.retired();
        self.resources
            .iter()
            .chain(retired.iter().filter(|resource| plan.step(resource.id()).is_some()))
            .filter_map(|resource| {
                let planned = plan.step(resource.id()).map(|step| step.change.clone());
                let kept = planned.as_ref().is_some_and(|c| c.action == Action::Keep);
                if matches!(task, Task::Delete(_)) && (planned.is_none() || kept) {
                    return None;
                }
                Some(Job {
                    known: self.state.identities.get(resource.id()).cloned(),
                    after: edges.get(resource.id()).cloned().unwrap_or_default(),
                    resource: Arc::clone(resource),
                    planned,
                })
            })
            .collect()
    }

    /// AWS.
    pub fn aws(&self) -> &Arc<Aws> {
        &self.aws
    }

    /// Regions with a server that this run is about.
    pub fn served(&self) -> Vec<String> {
        let ours = |region: &str| self.resources.iter().any(|resource| *resource.id() == names::server_node(region));
        self.environment.regions.keys().filter(|region| ours(region)).cloned().collect()
    }

    /// Ids of their servers by region, as far as they are remembered.
    pub fn server_ids(&self) -> BTreeMap<String, String> {
        let known = |region: String| {
            let id = self.state.identities.get(&names::server_node(&region))?.clone();
            Some((region, id))
        };
        self.served().into_iter().filter_map(known).collect()
    }

    /// Those of them whose server has admitted nobody since it was worked on.
    pub fn unverified(&self) -> Vec<String> {
        self.served().into_iter().filter(|region| self.state.unverified.contains(region)).collect()
    }

    /// Servers of these regions have admitted somebody.
    ///
    /// # Errors
    /// State cannot be written.
    pub async fn verified(&mut self, regions: &[String]) -> Result<(), RunError> {
        self.state.unverified.retain(|region| !regions.contains(region));
        match &mut self.locked_store {
            Some(store) => Ok(store.save(&mut self.state).await?),
            None => Ok(()),
        }
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.aws.calls()
    }
}
