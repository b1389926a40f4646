//! One run on one environment: connect, read, plan, execute, remember. The commands are thin layers over this.

pub mod adopt;
mod connect;
mod drift;
pub mod error;
mod execution;
mod failure;
mod name_conflicts;
mod planning;
mod preflight;
mod recovery;
mod scope;
mod selected;
mod strays;
mod summary;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use sftpctl_aws::Aws;
use sftpctl_core::events::{Event, Reporter};
use sftpctl_core::plan::saved::Earlier;
use sftpctl_core::plan::selection::Selection;
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use sftpctl_core::spec::state_place::StatePlace;

use self::connect::look_up_zone;
pub use self::connect::{AwsPlace, connect, session, store};
use self::error::RunError;
pub(crate) use self::name_conflicts::name_conflicts_in;
use self::scope::Scope;
pub use self::selected::Planned;
pub use self::strays::Orphans;
pub use self::summary::Ending;
use crate::desired::{self, Inputs};
use crate::execute::stop::Stop;
use crate::host_keys;
use crate::package;
use crate::resources::resource::Resource;
use crate::state::journal::Entry;
use crate::state::model::State;
use crate::state::store::{self, LockedStore, Store};

/// Inputs of a run.
pub struct Options {
    pub environment: Environment,
    pub aws: AwsPlace,
    /// Limits the run to these regions; empty for all.
    pub regions: Vec<String>,
    /// Limits a deployment to some resources.
    pub selection: Selection,
    pub state: StatePlace,
    /// Path of the authorizer's binary; `None` for the one beside the running program.
    pub package: Option<PathBuf>,
    pub reporter: Arc<dyn Reporter>,
    /// Ends the process immediately, at the second request to stop.
    pub abort: fn(),
}

/// One run on one environment.
pub struct Run {
    pub environment: Environment,
    /// The state, updated during the run.
    pub state: State,
    aws: Arc<Aws>,
    store: Store,
    /// Operations of a killed run whose outcome is unknown.
    unfinished: Vec<Entry>,
    locked_store: Option<LockedStore>,
    resources: Vec<Arc<dyn Resource>>,
    code: Arc<package::Package>,
    reporter: Arc<dyn Reporter>,
    abort: fn(),
    scope: Scope,
    selection: Selection,
    saved_plan: Option<String>,
    started: Instant,
    /// The request to stop; signals are handled from the moment the lock is requested.
    stop: Stop,
    /// Whether steps are in flight, which continue to their end after a request to stop.
    begun: Arc<AtomicBool>,
    /// Whether the last execution ended because the credentials expired.
    credentials_expired: bool,
}

impl Run {
    /// Reads the package, connects, checks the account, and reads the state.
    ///
    /// # Errors
    /// The package or the state cannot be used, the credentials belong to another account, or the selection names a
    /// resource that does not exist.
    pub async fn open(options: Options) -> Result<Self, RunError> {
        let mut environment = options.environment;
        let path = package::locate(options.package.as_deref());
        let code = package::build(&path, &environment.authorizer.architecture).map(Arc::new)?;
        if let Some(unknown) = options.regions.iter().find(|region| !environment.regions.contains_key(*region)) {
            let known: Vec<_> = environment.regions.keys().cloned().collect();
            return Err(RunError::UnknownRegion { environment: environment.name, region: unknown.clone(), known });
        }
        let aws = connect(&environment, options.aws).await?;
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
        let scope = match options.regions.is_empty() {
            true => Scope::Whole,
            false => Scope::Regions(options.regions.into_iter().collect()),
        };
        if let Scope::Regions(regions) = &scope {
            resources = desired::limited(resources, regions);
        }
        let run = Self {
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
            scope,
            selection: options.selection,
            saved_plan: None,
            started: Instant::now(),
            stop: Stop::new().1,
            begun: Arc::default(),
            credentials_expired: false,
        };
        run.check_selection()?;
        Ok(run)
    }

    /// Runs `work` with the lock on the environment, and releases the lock whether the work succeeds or not. `patience`
    /// is the number of seconds to wait for another run.
    ///
    /// # Errors
    /// Another run holds the lock; or the errors of `work`.
    pub async fn locked<T, E: From<RunError>>(
        mut self,
        command: &str,
        patience: u64,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let terms = store::terms(self.environment.state.lease_seconds, patience);
        let begun = Arc::clone(&self.begun);
        let reporter = Arc::clone(&self.reporter);
        let on_first_signal = move || {
            if begun.load(Ordering::SeqCst) {
                reporter.event(&Event::Stopping);
            }
        };
        let interrupted = || E::from(RunError::Interrupted { command: command.to_owned() });
        // Before waiting for the lock, so that a job that is stopped while it waits ends cleanly too.
        self.stop = Stop::on_signals(on_first_signal, self.abort);
        let (store, reporter) = (&self.store, &self.reporter);
        let waiting = |line: &str| reporter.note(line);
        let (locked, remembered) = tokio::select! {
            biased;
            began = store.begin(command, terms, &waiting) => began.map_err(RunError::from)?,
            () = self.stop.canceled() => {
                self.store.release_own_lock().await;
                return Err(interrupted());
            }
        };
        let journal = Arc::clone(locked.journal());
        self.aws.set_fence(Some(Box::new(move || journal.may_be_lost())));
        self.locked_store = Some(locked);
        (self.state, self.unfinished) = (remembered.state, remembered.unfinished);
        let (stop, begun) = (self.stop.clone(), Arc::clone(&self.begun));
        // If no step is in flight, there is nothing to finish: only the lock is released.
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
        // What this run found out about the operations of a killed one is kept, whatever became of its own work.
        if let Some(store) = &mut self.locked_store
            && store.lacks_identities(&self.state)
            && let Err(error) = store.save(&mut self.state).await
        {
            tracing::warn!(%error, "the state was not written; the next run checks AWS instead");
        }
        if let Some(store) = self.locked_store.take()
            && let Err(error) = store.end().await
        {
            tracing::warn!(%error, "the last lines of the journal were not written; the next run checks AWS instead");
        }
        result
    }

    /// Records that this run executes the saved plan with this digest, and returns how much of it the previous run did.
    pub fn does_saved_plan(&mut self, digest: &str) -> Earlier {
        self.saved_plan = Some(digest.to_owned());
        match self.state.last_run.as_ref().filter(|run| run.plan.as_deref() == Some(digest)) {
            None => Earlier::Nothing,
            Some(run) if run.outcome == "done" => Earlier::Whole,
            Some(_) => Earlier::Part,
        }
    }

    pub fn resources(&self) -> &[Arc<dyn Resource>] {
        &self.resources
    }

    /// Rebuilds the state from AWS only.
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

    pub fn aws(&self) -> &Arc<Aws> {
        &self.aws
    }

    /// Regions in this run's scope that have a server.
    pub fn served(&self) -> Vec<String> {
        let ours = |region: &str| self.resources.iter().any(|resource| *resource.id() == names::server_node(region));
        self.environment.regions.keys().filter(|region| ours(region)).cloned().collect()
    }

    /// IDs of the servers of [`Run::served`] that are in the state, by region.
    pub fn server_ids(&self) -> BTreeMap<String, String> {
        let known = |region: String| {
            let id = self.state.identities.get(&names::server_node(&region))?.clone();
            Some((region, id))
        };
        self.served().into_iter().filter_map(known).collect()
    }

    /// Regions of [`Run::served`] whose server has not admitted a log-in since it was last changed.
    pub fn unverified(&self) -> Vec<String> {
        self.served().into_iter().filter(|region| self.state.unverified.contains(region)).collect()
    }

    /// Records that the servers of these regions have admitted a log-in.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn verified(&mut self, regions: &[String]) -> Result<(), RunError> {
        self.state.unverified.retain(|region| !regions.contains(region));
        match &mut self.locked_store {
            Some(store) => Ok(store.save(&mut self.state).await?),
            None => Ok(()),
        }
    }

    /// The number of calls to AWS so far.
    pub fn calls(&self) -> u64 {
        self.aws.calls()
    }
}
