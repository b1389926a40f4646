//! Plans and executes resources as a run of sftpctl does, and records every event.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use sftpctl_aws::Aws;
use sftpctl_core::events::{Event, Reporter};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Actual, Removal, RemovalOptions};
use sftpctl_core::plan::graph::{self, Edges};
use sftpctl_core::plan::model::Plan;
use sftpctl_core::plan::planner;
use sftpctl_core::spec;
use sftpctl_core::spec::endpoint::{Access, Addresses, Endpoint, VpcEndpoint};
use sftpctl_core::spec::model::Environment;
use sftpctl_engine::desired::{self, History, Inputs};
use sftpctl_engine::execute::deadlines::Deadlines;
use sftpctl_engine::execute::executor::{self, Context, Job, Outcomes, Task};
use sftpctl_engine::execute::stop::Stop;
use sftpctl_engine::observe::observe;
use sftpctl_engine::package::Package;
use sftpctl_engine::resources::resource::Resource;
use sftpctl_engine::state::folder::Folder;
use sftpctl_engine::state::machine::ThisMachine;
use sftpctl_engine::state::store::{self, Store};

#[derive(Default)]
pub struct Recorder(pub Mutex<Vec<Event>>);

impl Reporter for Recorder {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }

    fn note(&self, _line: &str) {}
}

pub struct RunResult {
    pub plan: Plan,
    pub outcomes: Outcomes,
    pub actual: Actual,
    pub events: Vec<Event>,
}

impl RunResult {
    /// The outcome of one step, as JSON.
    pub fn outcome(&self, id: &NodeId) -> serde_json::Value {
        serde_json::to_value(&self.outcomes[id]).unwrap()
    }
}

/// The shipped environment 99, with a dashboard and fixed addresses, so that it has every kind of resource.
pub fn environment() -> Environment {
    let path = crate::programs::root().join("environments/99.yaml");
    let mut environment = spec::load(&std::fs::read_to_string(&path).unwrap(), &path.display().to_string()).unwrap();
    environment.metrics.dashboard = true;
    if let Some(region) = environment.regions.get_mut("us-east-2") {
        region.endpoint = Some(Endpoint::Vpc(VpcEndpoint {
            vpc: "vpc-00000001".into(),
            subnets: vec!["subnet-00000001".into()],
            access: Access::Allow(vec!["203.0.113.0/24".into()]),
            addresses: Addresses::Elastic,
        }));
    }
    environment
}

/// Every resource of an environment. The function's package is not a valid program.
pub fn resources(environment: &Environment) -> Vec<Arc<dyn Resource>> {
    let code = Arc::new(Package::new(b"no program").unwrap());
    let inputs = Inputs { code, host_keys: Arc::from([]), adopted_tags: BTreeMap::new(), servers: Arc::from([]) };
    desired::resources(environment, &inputs).unwrap()
}

/// One resource of environment 99.
pub fn resource(id: &str) -> Arc<dyn Resource> {
    let environment = environment();
    let mut all = resources(&environment);
    all.extend(desired::leftovers(&environment, &History::default()));
    all.into_iter().find(|resource| resource.id().as_str() == id).unwrap_or_else(|| panic!("there is no {id}"))
}

/// Reads, plans and executes. `known` overrides the resources that were read.
pub async fn deploy(aws: &Arc<Aws>, resources: &[Arc<dyn Resource>], known: Actual) -> RunResult {
    let mut actual = observe(aws, resources, &BTreeMap::new()).await.actual;
    actual.extend(known);
    let (plan, edges) = planner::deploy("99", "111111111111", resources, &[], &actual).unwrap();
    run(aws, resources, (plan, edges), actual, Task::Apply).await
}

/// Reads, then deletes everything that exists, including data.
pub async fn teardown(aws: &Arc<Aws>, resources: &[Arc<dyn Resource>]) -> RunResult {
    let actual = observe(aws, resources, &BTreeMap::new()).await.actual;
    let options = RemovalOptions { delete_data: true, release_addresses: true };
    let mut removals: Vec<(NodeId, Removal)> = Vec::new();
    for resource in resources {
        if let Some(Some(live)) = actual.get(resource.id()) {
            removals.push((resource.id().clone(), resource.removal(aws, live, options).await.unwrap()));
        }
    }
    let (plan, edges) = planner::teardown("99", "111111111111", resources, &removals).unwrap();
    run(aws, resources, (plan, edges), actual, Task::Delete(options)).await
}

/// Executes a plan, which may be based on an older `actual`.
pub async fn run(
    aws: &Arc<Aws>,
    resources: &[Arc<dyn Resource>],
    plan: (Plan, Edges),
    actual: Actual,
    task: Task,
) -> RunResult {
    run_within(aws, resources, plan, actual, task, BTreeMap::new()).await
}

/// As [`run`], with deadlines as in an environment file.
pub async fn run_within(
    aws: &Arc<Aws>,
    resources: &[Arc<dyn Resource>],
    (plan, edges): (Plan, Edges),
    actual: Actual,
    task: Task,
    deadlines: BTreeMap<String, u64>,
) -> RunResult {
    let records = tempfile::tempdir().unwrap();
    let store = Store::new(Arc::new(Folder::new(records.path())), "99", "111111111111", Arc::new(ThisMachine));
    let (lock, _) = store.begin("test", store::terms(None, 0), &|_| {}).await.unwrap();
    let (_sender, stop) = Stop::new();
    let recorder = Arc::new(Recorder::default());
    let context = Context {
        aws: Arc::clone(aws),
        reporter: Arc::<Recorder>::clone(&recorder),
        deadlines: Deadlines::new(deadlines),
        stop,
        journal: Arc::clone(lock.journal()),
        credentials_expired: AtomicBool::new(false),
    };
    let jobs = resources
        .iter()
        .map(|resource| Job {
            planned: plan.step(resource.id()).map(|step| step.change.clone()),
            known: None,
            after: edges.get(resource.id()).cloned().unwrap_or_default(),
            resource: Arc::clone(resource),
        })
        .filter(|job| matches!(task, Task::Apply) || job.planned.is_some())
        .collect();
    let actual = Arc::new(Mutex::new(actual));
    let outcomes = executor::run(Arc::new(context), jobs, task, Arc::clone(&actual)).await;
    lock.end().await.unwrap();
    let actual = actual.lock().unwrap().clone();
    let events = recorder.0.lock().unwrap().clone();
    RunResult { plan, outcomes, actual, events }
}

/// The resources that wait for this one, directly or indirectly.
pub fn dependents(edges: &Edges, id: &NodeId) -> Vec<NodeId> {
    let mut found: Vec<NodeId> = Vec::new();
    for node in graph::order(edges) {
        if edges[&node].iter().any(|wait| wait == id || found.contains(wait)) {
            found.push(node);
        }
    }
    found
}
