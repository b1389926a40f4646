//! Resources that AWS has but does not list, or cannot be asked about, are never created twice. In virtual time, with
//! servers in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the fake servers sleep in virtual time")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sftpctl_aws::{Aws, AwsError, ConnectOptions};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Properties, RemovalOptions, Settled};
use sftpctl_core::node::Node;
use sftpctl_core::plan::planner;
use sftpctl_engine::execute::executor::Task;
use sftpctl_engine::resources::resource::Resource;
use sftpctl_engine::resources::resource::ResourceError;

use crate::drive::{self, RunResult};

/// How AWS behaves in a test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Behavior {
    /// The response has the ID; listings never show the server.
    NeverListed,
    /// The response has no ID; listings never show the server.
    NeverIdentified,
    /// The response is lost, and every read is throttled, slowly.
    LostThenThrottled,
    /// The response is lost; listings show the server after twenty seconds.
    ListedLate,
    /// The server exists and never becomes ready.
    NeverReady,
    /// The server exists, and every read after its creation fails.
    ReadsFail,
    /// The response, with the ID, takes a minute.
    CreatedSlowly,
    /// The credentials expire at the first call.
    CredentialsExpire,
    /// The step itself panics.
    Panics,
}

/// A server that is found by listing, and the times at which it was created.
struct FakeServer {
    id: NodeId,
    needs: Vec<NodeId>,
    behavior: Behavior,
    created: Arc<Mutex<Vec<tokio::time::Instant>>>,
}

fn error(code: &str, status: u16) -> AwsError {
    AwsError {
        operation: "transfer:Call",
        object: "server".into(),
        code: Some(code.into()),
        message: "of this test".into(),
        status: Some(status),
    }
}

impl Node for FakeServer {
    fn kind(&self) -> Kind {
        Kind::Server
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        self.needs.clone()
    }

    fn title(&self) -> String {
        "shy server".to_owned()
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::new()
    }

    fn found_by_listing(&self) -> bool {
        true
    }
}

#[async_trait]
impl Resource for FakeServer {
    async fn read(&self, _aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let created = self.created.lock().unwrap().clone();
        let is_visible = match self.behavior {
            Behavior::NeverListed | Behavior::CreatedSlowly => known == Some("s-1"),
            Behavior::ListedLate => created.first().is_some_and(|when| when.elapsed() > Duration::from_secs(20)),
            Behavior::LostThenThrottled if !created.is_empty() => {
                // The SDK's own eight attempts take this long.
                tokio::time::sleep(Duration::from_secs(35)).await;
                return Err(error("ThrottlingException", 400));
            }
            Behavior::NeverReady => {
                let live = || Live::new("s-1").settled(Settled::Pending("STARTING".to_owned()));
                return Ok((!created.is_empty()).then(live));
            }
            Behavior::ReadsFail if !created.is_empty() => return Err(error("InternalServerError", 500)),
            _ => false,
        };
        Ok(is_visible.then(|| Live::new("s-1")))
    }

    async fn create(&self, _: &Aws, _: &str, _: &Change, _: &Actual) -> Result<Option<String>, ResourceError> {
        match self.behavior {
            Behavior::Panics => panic!("of this test"),
            Behavior::CredentialsExpire => return Err(error("ExpiredTokenException", 400).into()),
            Behavior::CreatedSlowly => tokio::time::sleep(Duration::from_secs(60)).await,
            _ => {}
        }
        self.created.lock().unwrap().push(tokio::time::Instant::now());
        match self.behavior {
            Behavior::NeverListed | Behavior::CreatedSlowly | Behavior::NeverReady | Behavior::ReadsFail => {
                Ok(Some("s-1".to_owned()))
            }
            Behavior::LostThenThrottled | Behavior::ListedLate => Err(error("InternalServerError", 500).into()),
            _ => Ok(None),
        }
    }

    async fn apply(&self, _: &Aws, _: &str, _: &Change, _: Option<&Live>, _: &Actual) -> Result<(), ResourceError> {
        unreachable!("the server is as wanted once it exists")
    }

    async fn delete(&self, _: &Aws, _: &str, _: &Live, _: RemovalOptions) -> Result<(), ResourceError> {
        unreachable!("nothing is deleted here")
    }
}

/// Runs these servers; returns the result, and how many servers were created.
async fn run_servers(servers: &[(NodeId, Vec<NodeId>, Behavior)]) -> (RunResult, usize) {
    run_servers_within(servers, &[]).await
}

/// As [`run_servers`], with the `deadlines` of an environment file.
async fn run_servers_within(
    servers: &[(NodeId, Vec<NodeId>, Behavior)],
    deadlines: &[(&str, u64)],
) -> (RunResult, usize) {
    let count = Arc::new(Mutex::new(Vec::new()));
    let all: Vec<Arc<dyn Resource>> = servers
        .iter()
        .map(|(id, needs, behavior)| -> Arc<dyn Resource> {
            Arc::new(FakeServer {
                id: id.clone(),
                needs: needs.clone(),
                behavior: *behavior,
                created: Arc::clone(&count),
            })
        })
        .collect();
    let options = ConnectOptions {
        endpoint_url: Some("http://127.0.0.1:1".into()),
        local_account: Some("111111111111".into()),
        home_region: "us-west-2".into(),
        profile: None,
    };
    let aws = Arc::new(Aws::connect(options).await);
    let actual: Actual = all.iter().map(|resource| (resource.id().clone(), None)).collect();
    let plan = planner::deploy("99", "111111111111", &all, &[], &actual).unwrap();
    let deadlines = deadlines.iter().map(|(kind, seconds)| ((*kind).to_owned(), *seconds)).collect();
    let ended = drive::run_within(&aws, &all, plan, actual, Task::Apply, deadlines).await;
    let times = count.lock().unwrap().len();
    (ended, times)
}

/// Runs a server and a second one that needs it; returns both outcomes and how many servers were created.
async fn run_two_servers(behavior: Behavior) -> (Value, Value, usize) {
    let id = NodeId::new("us-west-2", Kind::Server);
    let other = NodeId::new("us-east-2", Kind::Server);
    let (ended, times) =
        run_servers(&[(id.clone(), Vec::new(), behavior), (other.clone(), vec![id.clone()], behavior)]).await;
    (ended.outcome(&id), ended.outcome(&other), times)
}

#[tokio::test(start_paused = true)]
async fn server_with_a_known_id_is_found_without_a_listing() {
    let (outcome, _, times) = run_two_servers(Behavior::NeverListed).await;
    // Two servers, one in each region.
    assert_eq!((&outcome["outcome"], times), (&"changed".into(), 2), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn unlisted_server_is_not_created_again() {
    let (outcome, next, times) = run_two_servers(Behavior::NeverIdentified).await;
    assert_eq!((&outcome["outcome"], &next["outcome"], times), (&"failed".into(), &"blocked".into(), 1), "{outcome}");
    assert!(outcome["error"].as_str().unwrap().contains("may have been created but is not visible yet"), "{outcome}");
    assert!(outcome["hint"].as_str().unwrap().contains("it checks first"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn unverifiable_server_is_not_created_again() {
    let (outcome, _, times) = run_two_servers(Behavior::LostThenThrottled).await;
    assert_eq!((&outcome["outcome"], times), (&"failed".into(), 1), "{outcome}");
    assert!(outcome["error"].as_str().unwrap().contains("ThrottlingException"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn lost_response_is_resolved_by_a_later_listing() {
    let (outcome, _, times) = run_two_servers(Behavior::ListedLate).await;
    assert_eq!((&outcome["outcome"], times), (&"changed".into(), 1), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn timeout_reports_the_resource_and_its_last_status() {
    for (behavior, status) in [(Behavior::NeverReady, "STARTING"), (Behavior::ReadsFail, "InternalServerError")] {
        let begun = tokio::time::Instant::now();
        let (outcome, _, times) = run_two_servers(behavior).await;
        assert_eq!((&outcome["outcome"], times), (&"failed".into(), 1), "{outcome}");
        let error = outcome["error"].as_str().unwrap();
        assert!(error.starts_with("shy server was still ") && error.contains(status), "{outcome}");
        assert!(outcome["hint"].as_str().unwrap().contains("rerun the same command to resume"), "{outcome}");
        let waited = begun.elapsed();
        assert!(waited > Duration::from_secs(30 * 60) && waited < Duration::from_secs(31 * 60), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn configured_deadline_is_applied() {
    let id = NodeId::new("us-west-2", Kind::Server);
    let begun = tokio::time::Instant::now();
    let (ended, _) =
        run_servers_within(&[(id.clone(), Vec::new(), Behavior::NeverReady)], &[("server", 5), ("stack", 9)]).await;
    assert_eq!(ended.outcome(&id)["outcome"], "failed");
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(60), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_start_no_further_steps() {
    let (outcome, _, times) = run_two_servers(Behavior::CredentialsExpire).await;
    assert_eq!((&outcome["outcome"], times), (&"failed".into(), 0), "{outcome}");
    assert!(outcome["hint"].as_str().unwrap().contains("sign in again"), "{outcome}");

    // Steps in flight at that moment are finished; steps that need only those are not started.
    let slow = NodeId::new("eu-west-1", Kind::Server);
    let all = [
        (NodeId::new("us-west-2", Kind::Server), Vec::new(), Behavior::CredentialsExpire),
        (slow.clone(), Vec::new(), Behavior::CreatedSlowly),
        (NodeId::new("eu-west-2", Kind::Server), vec![slow.clone()], Behavior::NeverListed),
    ];
    let (ended, times) = run_servers(&all).await;
    assert_eq!(ended.outcome(&slow)["outcome"], "changed");
    assert_eq!((ended.outcome(&all[2].0)["outcome"].clone(), times), ("stopped".into(), 1));
}

#[tokio::test(start_paused = true)]
async fn panic_in_a_step_is_a_failure() {
    let (outcome, next, _) = run_two_servers(Behavior::Panics).await;
    assert_eq!((&outcome["outcome"], &next["outcome"]), (&"failed".into(), &"blocked".into()), "{outcome}");
    assert!(outcome["error"].as_str().unwrap().contains("internal error"), "{outcome}");
}
