//! The contract that every kind of resource keeps, tested with an AWS in memory in which each node fails in turn. The
//! program's tests check the same contract on the local cloud, with the real resources.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use sftpctl_aws::{Aws, AwsError, ConnectOptions};
use sftpctl_core::events::Event;
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Properties, RemovalOptions, Want};
use sftpctl_core::node::Node;
use sftpctl_core::plan::{graph, planner};
use sftpctl_engine::execute::executor::Task;
use sftpctl_engine::observe::observe;
use sftpctl_engine::resources::resource::Resource;
use sftpctl_engine::resources::resource::ResourceError;

use crate::drive::{self, dependents, environment, resources};

/// An AWS in memory: what exists, and how often each node was created.
#[derive(Default)]
struct Memory {
    existing: Actual,
    created: BTreeMap<NodeId, usize>,
    fault: Option<Fault>,
    /// The node that cannot be read.
    hidden: Option<NodeId>,
}

/// The one call that fails.
#[derive(Clone)]
struct Fault {
    node: NodeId,
    /// The call takes effect anyway: only its response is lost.
    takes_effect: bool,
}

/// A resource whose AWS is a map. Identity, dependencies and wanted properties are those of the real resource.
struct InMemory {
    real: Arc<dyn Resource>,
    memory: Arc<Mutex<Memory>>,
}

fn injected_error(operation: &'static str, node: &NodeId) -> AwsError {
    AwsError {
        operation,
        object: node.to_string(),
        code: Some("InternalFailure".into()),
        message: "injected by this test".into(),
        status: Some(400),
    }
}

impl InMemory {
    fn call(&self, effect: impl FnOnce(&mut Memory)) -> Result<(), ResourceError> {
        let mut memory = self.memory.lock().unwrap();
        let fault = memory.fault.clone().filter(|fault| fault.node == *self.real.id());
        if fault.as_ref().is_none_or(|fault| fault.takes_effect) {
            effect(&mut memory);
        }
        match fault {
            Some(_) => Err(injected_error("test:Call", self.real.id()).into()),
            None => Ok(()),
        }
    }
}

impl Node for InMemory {
    fn kind(&self) -> Kind {
        self.real.kind()
    }

    fn id(&self) -> &NodeId {
        self.real.id()
    }

    fn needs(&self) -> Vec<NodeId> {
        self.real.needs()
    }

    fn removed_after(&self) -> Vec<NodeId> {
        self.real.removed_after()
    }

    fn title(&self) -> String {
        self.real.title()
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        self.real.wanted(actual)
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        self.real.diff(live, actual)
    }
}

#[async_trait]
impl Resource for InMemory {
    async fn read(&self, _aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let memory = self.memory.lock().unwrap();
        if memory.hidden.as_ref() == Some(self.real.id()) {
            return Err(injected_error("test:Read", self.real.id()));
        }
        Ok(memory.existing.get(self.real.id()).cloned().flatten())
    }

    async fn apply(
        &self,
        _aws: &Aws,
        _call: &str,
        _change: &Change,
        _live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let id = self.real.id();
        let mut live = Live::new(id.as_str());
        for (name, want) in self.real.wanted(actual) {
            match want {
                Want::Is(value) => live = live.with(name, value),
                Want::After(node) => panic!("{id} was started before {node} had returned {name}"),
            }
        }
        let outputs =
            ["ApiId", "ApiUrl", "InvocationRoleArn", "TriggerSourceArn", "ServerId", "State", "Endpoint", "VersionId"];
        for name in outputs.into_iter().chain(["AllocationId", "GroupId"]) {
            live = live.output(name, format!("{name} of {id}"));
        }
        self.call(|memory| {
            *memory.created.entry(id.clone()).or_default() += 1;
            memory.existing.insert(id.clone(), Some(live));
        })
    }

    async fn delete(
        &self,
        _aws: &Aws,
        _call: &str,
        _live: &Live,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        self.call(|memory| {
            memory.existing.remove(self.real.id());
        })
    }
}

fn in_memory() -> (Arc<Mutex<Memory>>, Vec<Arc<dyn Resource>>) {
    let memory: Arc<Mutex<Memory>> = Arc::default();
    let wrapped = resources(&environment())
        .into_iter()
        .map(|real| -> Arc<dyn Resource> { Arc::new(InMemory { real, memory: Arc::clone(&memory) }) });
    // The stack creates the buckets; in memory nothing does, and their own nodes have nothing to do.
    let all = wrapped.filter(|resource| resource.kind() != Kind::Bucket).collect();
    (memory, all)
}

async fn no_aws() -> Arc<Aws> {
    let options = ConnectOptions {
        endpoint_url: Some("http://127.0.0.1:1".into()),
        local_account: Some("111111111111".into()),
        home_region: "us-west-2".into(),
        profile: None,
    };
    Arc::new(Aws::connect(options).await)
}

fn word(outcome: &sftpctl_core::events::Outcome) -> String {
    serde_json::to_value(outcome).unwrap()["outcome"].as_str().unwrap().to_owned()
}

/// Exactly the steps that wait for the node are not started, all others are done; the error names the node and what is
/// left; the next run does the rest, and nothing is created twice.
#[tokio::test]
async fn failed_step_blocks_its_dependents_and_the_next_run_finishes() {
    let aws = no_aws().await;
    let (_, all) = in_memory();
    let up = graph::upwards(&all).unwrap();
    for node in up.keys() {
        for takes_effect in [false, true] {
            let (memory, all) = in_memory();
            memory.lock().unwrap().fault = Some(Fault { node: node.clone(), takes_effect });
            let ended = drive::deploy(&aws, &all, Actual::new()).await;
            let blocked = dependents(&up, node);
            for (id, outcome) in &ended.outcomes {
                let expected = match id {
                    // A call that took effect anyway is noticed, and nothing failed.
                    _ if takes_effect => "changed",
                    id if id == node => "failed",
                    id if blocked.contains(id) => "blocked",
                    _ => "changed",
                };
                assert_eq!(word(outcome), expected, "{id}, with a fault at {node}");
            }
            if !takes_effect {
                let outcome = ended.outcome(node);
                assert!(outcome["error"].as_str().unwrap().contains(node.as_str()), "{outcome}");
                assert_eq!(outcome["left"], "nothing");
            }

            memory.lock().unwrap().fault = None;
            let again = drive::deploy(&aws, &all, Actual::new()).await;
            assert!(again.outcomes.values().all(|o| ["changed", "unchanged"].contains(&word(o).as_str())), "{node}");
            assert!(drive::deploy(&aws, &all, Actual::new()).await.plan.is_empty(), "{node}");
            let memory = memory.lock().unwrap();
            assert!(memory.created.values().all(|times| *times == 1), "{node}: {:?}", memory.created);
            assert_eq!(memory.created.len(), all.len());
        }
    }
}

/// A step without a change reads its resource again when a dependency has changed; if it cannot, it reports that.
#[tokio::test]
async fn unchanged_step_that_cannot_be_reread_is_reported() {
    let aws = no_aws().await;
    let (memory, all) = in_memory();
    drive::deploy(&aws, &all, Actual::new()).await;
    let (role, policy) = ("global/user-role".parse().unwrap(), "global/user-policy".parse::<NodeId>().unwrap());
    memory.lock().unwrap().existing.remove(&role);
    let actual = observe(&aws, &all, &BTreeMap::new()).await.actual;
    let (plan, edges) = planner::deploy("99", "111111111111", &all, &[], &actual).unwrap();
    assert_eq!(plan.steps.iter().map(|step| &step.id).collect::<Vec<_>>(), [&role]);
    memory.lock().unwrap().hidden = Some(policy.clone());
    let ended = drive::run(&aws, &all, (plan, edges), actual, Task::Apply).await;
    let reported = ended.events.iter().any(|event| match event {
        Event::StepFinished { step, outcome, .. } => *step == policy && word(outcome) == "failed",
        _ => false,
    });
    assert!(reported, "{:?}", ended.events);
}

#[tokio::test]
async fn failed_removal_blocks_its_dependents_and_the_next_run_finishes() {
    let aws = no_aws().await;
    let (_, all) = in_memory();
    let down = graph::downwards(&all).unwrap();
    for node in down.keys() {
        for takes_effect in [false, true] {
            let (memory, all) = in_memory();
            drive::deploy(&aws, &all, Actual::new()).await;
            memory.lock().unwrap().fault = Some(Fault { node: node.clone(), takes_effect });
            let ended = drive::teardown(&aws, &all).await;
            let blocked = dependents(&down, node);
            for (id, outcome) in &ended.outcomes {
                let expected = match id {
                    _ if takes_effect => "deleted",
                    id if id == node => "failed",
                    id if blocked.contains(id) => "blocked",
                    _ => "deleted",
                };
                assert_eq!(word(outcome), expected, "{id}, with a fault at {node}");
            }
            memory.lock().unwrap().fault = None;
            drive::teardown(&aws, &all).await;
            assert!(memory.lock().unwrap().existing.is_empty(), "{node}");
        }
    }
}
