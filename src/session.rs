//! One run on one environment: connect, look, plan, do, remember. The commands are thin over this.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::aws::{Aws, ConnectOptions};
use crate::desired::{self, Given};
use crate::execute::executor::{self, Context, Job, Outcomes, Task, lock};
use crate::execute::stop::Stop;
use crate::execute::wait::Deadlines;
use crate::exit::{CliError, Exit};
use crate::host_keys;
use crate::names;
use crate::observe::{Observed, observe};
use crate::package;
use crate::plan::graph::Edges;
use crate::plan::model::Plan;
use crate::plan::planner;
use crate::report::events::{Event, Outcome, RegionRow, Reporter, Summary};
use crate::report::output;
use crate::resources::resource::{NodeId, Removal, RemovalOptions, Resource, World};
use crate::spec::model::Environment;
use crate::state::folder::{Folder, Lock};
use crate::state::model::{LastRun, State};

/// What a session needs to begin.
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
    /// Folder of the state.
    pub state: PathBuf,
    /// The authorizer's binary.
    pub package: Option<PathBuf>,
    /// Takes events.
    pub reporter: Arc<dyn Reporter>,
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
) -> Result<Arc<Aws>, CliError> {
    let aws = Aws::connect(ConnectOptions {
        profile,
        endpoint_url,
        local_account: local.then(|| environment.account.clone()),
        home_region: environment.home_region.clone(),
    })
    .await;
    let caller = aws.caller().await.map_err(|error| CliError::from_error(Exit::Failed, &error, error.hint()))?;
    if caller.account != environment.account {
        return Err(CliError::new(
            Exit::Refused,
            format!(
                "environment {} belongs to account {}, but the credentials are of account {} ({})",
                environment.name, environment.account, caller.account, caller.arn
            ),
        )
        .hint("--profile chooses other credentials; nothing was changed"));
    }
    Ok(Arc::new(aws))
}

/// A run.
pub struct Session {
    /// The environment.
    pub environment: Environment,
    /// What was remembered; updated while the run goes on.
    pub state: State,
    aws: Arc<Aws>,
    folder: Folder,
    resources: Vec<Arc<dyn Resource>>,
    reporter: Arc<dyn Reporter>,
    limited: bool,
    started: Instant,
}

impl Session {
    /// Reads state and package and connects; checks the account before anything else.
    ///
    /// # Errors
    /// The package or the state cannot be used, or the credentials belong to another account.
    pub async fn open(options: Options) -> Result<Self, CliError> {
        let environment = options.environment;
        let folder = Folder::new(&options.state, &environment.name);
        let state = folder.load(&environment.name, &environment.account)?;
        let path = package::locate(options.package.as_deref());
        let code = package::build(&path, &environment.authorizer.architecture)
            .map(Arc::new)
            .map_err(|error| CliError::from_error(Exit::Usage, &error, Some(error.hint().to_owned())))?;
        if let Some(unknown) = options.regions.iter().find(|region| !environment.regions.contains_key(*region)) {
            let known: Vec<_> = environment.regions.keys().cloned().collect();
            return Err(CliError::new(
                Exit::Usage,
                format!("environment {} has no region {unknown}", environment.name),
            )
            .hint(format!("its regions: {}", known.join(", "))));
        }
        let aws = connect(&environment, options.profile, options.endpoint_url, options.local).await?;
        let host_keys = host_keys::read(&aws, &environment)
            .await
            .map_err(|error| CliError::from_error(Exit::Usage, &error, Some("nothing was changed".to_owned())))?;
        let begun = Instant::now();
        let mut resources = desired::resources(&environment, &Given { code, host_keys: host_keys.into() })
            .map_err(|error| CliError::from_error(Exit::Usage, &error, None))?;
        tracing::debug!(microseconds = begun.elapsed().as_micros(), resources = resources.len(), "named");
        if !options.regions.is_empty() {
            resources.retain(|r| options.regions.iter().any(|region| region == r.id().place()));
        }
        Ok(Self {
            state: state.unwrap_or_else(|| State::new(&environment.name, &environment.account)),
            environment,
            aws,
            folder,
            resources,
            reporter: options.reporter,
            limited: !options.regions.is_empty(),
            started: Instant::now(),
        })
    }

    /// Takes the lock on the environment.
    ///
    /// # Errors
    /// Another run holds it.
    pub fn lock(&self, command: &str) -> Result<Lock, CliError> {
        let user = std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
        Ok(self.folder.lock(&format!(
            "{command} by {user}, process {}, since {}",
            std::process::id(),
            output::now()
        ))?)
    }

    /// Reads everything from AWS.
    pub async fn observe(&self) -> Observed {
        let (environment, resources) = (self.environment.name.clone(), self.resources.len());
        self.reporter.event(&Event::Observing { environment, resources });
        observe(&self.aws, &self.resources, &self.state.identities).await
    }

    /// Also reads what AWS services make again by themselves; for teardown.
    pub fn with_leftovers(&mut self) {
        self.resources.extend(desired::leftovers(&self.environment));
    }

    /// The resources of this run.
    pub fn resources(&self) -> &[Arc<dyn Resource>] {
        &self.resources
    }

    /// Plans a deployment; refuses with every finding at once where it must not begin.
    ///
    /// # Errors
    /// Foreign resources of our names, missing permissions, a missing zone.
    pub fn plan(&self, observed: &Observed) -> Result<(Plan, Edges), CliError> {
        let mut findings = planner::foreign(&observed.world);
        for (id, error) in &observed.unreadable {
            // A service's own trouble is the step's; what a person must settle stops the run before its first write.
            let settle = error.is("AccessDenied")
                || error.is("AccessDeniedException")
                || error.is("NoSuchHostedZone")
                || error.is("ExpiredToken")
                || error.is("UnrecognizedClientException")
                || error.is("UnauthorizedOperation");
            if settle {
                let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
                findings.push(format!("{id}: {error}{hint}"));
            }
        }
        findings.dedup();
        if !findings.is_empty() {
            let mut error = CliError::new(
                Exit::Refused,
                format!("environment {} cannot be deployed as it is", self.environment.name),
            );
            error.causes = findings;
            return Err(error.hint("nothing was changed; what exists without our tag is never taken over"));
        }
        let begun = Instant::now();
        let plan = planner::deploy(&self.environment.name, &self.environment.account, &self.resources, &observed.world)
            .map_err(|error| CliError::from_error(Exit::Usage, &error, None))?;
        tracing::debug!(microseconds = begun.elapsed().as_micros(), "planned");
        Ok(plan)
    }

    /// Plans a teardown.
    ///
    /// # Errors
    /// A resource could not be looked into.
    pub async fn plan_teardown(&self, observed: &Observed, options: RemovalOptions) -> Result<(Plan, Edges), CliError> {
        if let Some((id, error)) = observed.unreadable.iter().find(|(_, error)| !error.is("NoSuchHostedZone")) {
            let hint = error.hint();
            return Err(
                CliError::new(Exit::Failed, format!("{id} could not be read: {error}")).hint(hint.unwrap_or_default())
            );
        }
        let mut removals = Vec::new();
        for resource in &self.resources {
            let Some(Some(live)) = observed.world.get(resource.id()) else { continue };
            let removal = match &live.owner {
                crate::resources::resource::Owner::Foreign(what) => Removal::Keep(what.clone()),
                crate::resources::resource::Owner::Ours => resource
                    .removal(&self.aws, live, options)
                    .await
                    .map_err(|error| CliError::from_error(Exit::Failed, &error, error.hint()))?,
            };
            removals.push((resource.id().clone(), removal));
        }
        planner::teardown(&self.environment.name, &self.environment.account, &self.resources, &removals)
            .map_err(|error| CliError::from_error(Exit::Usage, &error, None))
    }

    /// Does what the plan says, and tells the summary.
    ///
    /// # Errors
    /// State cannot be written. Steps that fail are no error: they are in the summary.
    pub async fn execute(
        &mut self,
        command: &str,
        (plan, edges): (&Plan, &Edges),
        world: World,
        task: Task,
    ) -> Result<Summary, CliError> {
        self.state.last_run = Some(LastRun {
            command: command.to_owned(),
            started: output::now(),
            finished: None,
            outcome: "running".into(),
            by: format!("sftpctl {}", env!("CARGO_PKG_VERSION")),
        });
        self.state.learn(&world);
        self.folder.save(&self.state)?;
        let jobs: Vec<Job> = self.jobs(plan, edges, &task);
        let saved = self.saver();
        let context = Arc::new(Context {
            aws: Arc::clone(&self.aws),
            reporter: Arc::clone(&self.reporter),
            deadlines: Deadlines::new(self.environment.deadlines.clone()),
            stop: Stop::on_signals(|| {
                output::progress("stopped now; run the same command again: it goes on where this one stopped");
                crate::report::output::leave(Exit::Interrupted);
            }),
            saved,
        });
        let stop = context.stop.clone();
        let world = Arc::new(Mutex::new(world));
        let outcomes = executor::run(context, jobs, task, Arc::clone(&world)).await;
        let world = lock(&world).clone();
        self.state.learn(&world);
        let summary = self.summary(command, plan, &outcomes, &world);
        if let Some(run) = &mut self.state.last_run {
            run.finished = Some(output::now());
            run.outcome = match summary.failed + summary.not_begun {
                0 => "done",
                _ if stop.wanted() => "stopped",
                _ => "failed",
            }
            .to_owned();
        }
        if self.state.identities.is_empty() {
            self.folder.remove()?
        } else {
            self.folder.save(&self.state)?
        }
        self.reporter.event(&Event::Finished { summary: summary.clone() });
        Ok(summary)
    }

    /// Saves what is known after each step, so that a killed run leaves the identities it has learnt.
    fn saver(&self) -> Box<dyn Fn(&World) + Send + Sync> {
        let (folder, state) = (self.folder.clone(), self.state.clone());
        Box::new(move |world: &World| {
            let mut state = state.clone();
            state.learn(world);
            if let Err(error) = folder.save(&state) {
                tracing::warn!(%error, "state was not saved; everything in it is found in AWS again");
            }
        })
    }

    fn jobs(&self, plan: &Plan, edges: &Edges, task: &Task) -> Vec<Job> {
        self.resources
            .iter()
            .filter_map(|resource| {
                let planned = plan.step(resource.id()).map(|step| step.change.clone());
                let kept = planned.as_ref().is_some_and(|c| c.action == crate::resources::resource::Action::Keep);
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

    fn summary(&self, command: &str, plan: &Plan, outcomes: &Outcomes, world: &World) -> Summary {
        let count = |wanted: fn(&Outcome) -> bool| outcomes.values().filter(|outcome| wanted(outcome)).count();
        let mut kept: BTreeSet<String> = plan
            .steps
            .iter()
            .filter(|step| step.change.action == crate::resources::resource::Action::Keep)
            .map(|step| {
                format!("{} ({}): {}", step.title, step.id.place(), step.change.reason.clone().unwrap_or_default())
            })
            .collect();
        for (id, outcome) in outcomes {
            if let Outcome::Kept { reason } = outcome {
                kept.insert(format!("{id}: {reason}"));
            }
        }
        Summary {
            environment: self.environment.name.clone(),
            command: command.to_owned(),
            changed: count(|o| matches!(o, Outcome::Changed | Outcome::Deleted)),
            failed: count(|o| matches!(o, Outcome::Failed { .. })),
            not_begun: count(|o| matches!(o, Outcome::Blocked { .. } | Outcome::Stopped)),
            kept: kept.into_iter().collect(),
            regions: self.regions(world),
            seconds: self.started.elapsed().as_secs_f64(),
            aws_calls: self.aws.calls(),
        }
    }

    /// One row per region, from what AWS has.
    pub fn regions(&self, world: &World) -> Vec<RegionRow> {
        let get = |node: &NodeId, name: &str| {
            world.get(node).and_then(Option::as_ref).and_then(|live| live.outputs.get(name).cloned())
        };
        let shown = self.environment.regions.iter().filter(|(region, _)| {
            !self.limited || self.resources.iter().any(|resource| resource.id().place() == region.as_str())
        });
        shown
            .map(|(region, settings)| {
                let server = desired::server_node(region);
                let host = self.environment.dns.as_ref().filter(|_| settings.server);
                RegionRow {
                    region: region.clone(),
                    stack: get(&desired::stack_node(region), "StackStatus"),
                    server: get(&server, "ServerId"),
                    state: get(&server, "State"),
                    host: host.map(|dns| names::host(&self.environment, region, &dns.zone)),
                    endpoint: get(&server, "Endpoint"),
                }
            })
            .collect()
    }

    /// AWS.
    pub fn aws(&self) -> &Arc<Aws> {
        &self.aws
    }

    /// Regions with a server that this run is about.
    pub fn served(&self) -> Vec<String> {
        let ours = |region: &str| self.resources.iter().any(|resource| *resource.id() == desired::server_node(region));
        self.environment.regions.keys().filter(|region| ours(region)).cloned().collect()
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.aws.calls()
    }

    /// How the run ends by its summary.
    pub fn ended(&self, summary: &Summary) -> Exit {
        let stopped = self.state.last_run.as_ref().is_some_and(|run| run.outcome == "stopped");
        match (summary.failed + summary.not_begun, summary.changed) {
            (0, _) => Exit::Ok,
            _ if stopped => Exit::Interrupted,
            (_, 0) => Exit::Failed,
            _ => Exit::Partly,
        }
    }

    /// The environment's state by resource, for `status`.
    pub fn states(&self, observed: &Observed) -> BTreeMap<NodeId, (&'static str, Option<String>)> {
        use crate::resources::resource::{Owner, Settled};
        self.resources
            .iter()
            .map(|resource| {
                let id = resource.id().clone();
                let state = match (observed.unreadable.get(&id), observed.world.get(&id)) {
                    (Some(error), _) => ("unreadable", Some(error.to_string())),
                    (None, None | Some(None)) => ("missing", None),
                    (None, Some(Some(live))) => match (&live.owner, &live.settled) {
                        (Owner::Foreign(what), _) => ("foreign", Some(what.clone())),
                        (_, Settled::Pending(status)) => ("pending", Some(status.clone())),
                        (_, Settled::Failed(status)) => ("failed", Some(status.clone())),
                        (_, Settled::Ready) => match resource.diff(Some(live), &observed.world) {
                            None => ("ready", None),
                            Some(change) => {
                                let names: Vec<_> = change.properties.iter().map(|p| p.name.clone()).collect();
                                ("drifted", Some(names.join(", ")).filter(|n| !n.is_empty()).or(change.reason))
                            }
                        },
                    },
                };
                (id, state)
            })
            .collect()
    }
}
