//! What AWS has and does not show, or will not say: never is a thing made twice for it. In virtual time, against one
//! server in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "what is tested takes its time")]

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

use crate::drive::{self, Ended};

/// How AWS behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aloof {
    /// The answer says the id; listings never show the server.
    ListsNothing,
    /// No id is known; listings never show the server.
    SaysNothing,
    /// The answer is lost, and every look is throttled, slowly.
    Throttles,
    /// The answer is lost; listings show the server after twenty seconds.
    ShowsLate,
    /// It is there and never gets ready.
    StartsForEver,
    /// It is there, and every look is refused, after the first.
    HidesBehindErrors,
    /// The answer says the id after a minute.
    TakesLong,
    /// The credentials end at the first call.
    Expires,
    /// A fault in the step itself.
    Panics,
}

/// A server that AWS finds by listing, and how often it was made.
struct Shy {
    id: NodeId,
    needs: Vec<NodeId>,
    aloof: Aloof,
    made: Arc<Mutex<Vec<tokio::time::Instant>>>,
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

impl Node for Shy {
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

    fn wanted(&self, _world: &Actual) -> Properties {
        Properties::new()
    }

    fn found_by_listing(&self) -> bool {
        true
    }
}

#[async_trait]
impl Resource for Shy {
    async fn read(&self, _aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let made = self.made.lock().unwrap().clone();
        let there = match self.aloof {
            Aloof::ListsNothing | Aloof::TakesLong => known == Some("s-1"),
            Aloof::ShowsLate => made.first().is_some_and(|when| when.elapsed() > Duration::from_secs(20)),
            Aloof::Throttles if !made.is_empty() => {
                // As long as the SDK's own eight attempts take.
                tokio::time::sleep(Duration::from_secs(35)).await;
                return Err(error("ThrottlingException", 400));
            }
            Aloof::StartsForEver => {
                let live = || Live::new("s-1").settled(Settled::Pending("STARTING".to_owned()));
                return Ok((!made.is_empty()).then(live));
            }
            Aloof::HidesBehindErrors if !made.is_empty() => return Err(error("InternalServerError", 500)),
            _ => false,
        };
        Ok(there.then(|| Live::new("s-1")))
    }

    async fn create(&self, _: &Aws, _: &str, _: &Change, _: &Actual) -> Result<Option<String>, ResourceError> {
        match self.aloof {
            Aloof::Panics => panic!("of this test"),
            Aloof::Expires => return Err(error("ExpiredTokenException", 400).into()),
            Aloof::TakesLong => tokio::time::sleep(Duration::from_secs(60)).await,
            _ => {}
        }
        self.made.lock().unwrap().push(tokio::time::Instant::now());
        match self.aloof {
            Aloof::ListsNothing | Aloof::TakesLong | Aloof::StartsForEver | Aloof::HidesBehindErrors => {
                Ok(Some("s-1".to_owned()))
            }
            Aloof::Throttles | Aloof::ShowsLate => Err(error("InternalServerError", 500).into()),
            _ => Ok(None),
        }
    }

    async fn apply(&self, _: &Aws, _: &str, _: &Change, _: Option<&Live>, _: &Actual) -> Result<(), ResourceError> {
        unreachable!("it is as wanted once it is there")
    }

    async fn delete(&self, _: &Aws, _: &str, _: &Live, _: RemovalOptions) -> Result<(), ResourceError> {
        unreachable!("nothing is deleted here")
    }
}

/// Runs servers that behave so; and how often any was made.
async fn ran(servers: &[(NodeId, Vec<NodeId>, Aloof)]) -> (Ended, usize) {
    ran_within(servers, &[]).await
}

/// The same with deadlines of the environment file.
async fn ran_within(servers: &[(NodeId, Vec<NodeId>, Aloof)], deadlines: &[(&str, u64)]) -> (Ended, usize) {
    let count = Arc::new(Mutex::new(Vec::new()));
    let all: Vec<Arc<dyn Resource>> = servers
        .iter()
        .map(|(id, needs, aloof)| -> Arc<dyn Resource> {
            Arc::new(Shy { id: id.clone(), needs: needs.clone(), aloof: *aloof, made: Arc::clone(&count) })
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

/// How the step ended, how that of one which needs it ended, and how often a server was made.
async fn made(aloof: Aloof) -> (Value, Value, usize) {
    let id = NodeId::new("us-west-2", Kind::Server);
    let other = NodeId::new("us-east-2", Kind::Server);
    let (ended, times) = ran(&[(id.clone(), Vec::new(), aloof), (other.clone(), vec![id.clone()], aloof)]).await;
    (ended.outcome(&id), ended.outcome(&other), times)
}

#[tokio::test(start_paused = true)]
async fn a_server_whose_id_was_told_is_found_without_any_listing() {
    let (outcome, _, times) = made(Aloof::ListsNothing).await;
    // Two servers, one of each region.
    assert_eq!((&outcome["outcome"], times), (&"changed".into(), 2), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_no_listing_shows_is_not_made_again() {
    let (outcome, next, times) = made(Aloof::SaysNothing).await;
    assert_eq!((&outcome["outcome"], &next["outcome"], times), (&"failed".into(), &"blocked".into(), 1), "{outcome}");
    assert!(outcome["error"].as_str().unwrap().contains("may have been created but is not visible yet"), "{outcome}");
    assert!(outcome["hint"].as_str().unwrap().contains("looks for it first"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_looked_for_is_not_made_again() {
    let (outcome, _, times) = made(Aloof::Throttles).await;
    assert_eq!((&outcome["outcome"], times), (&"failed".into(), 1), "{outcome}");
    assert!(outcome["error"].as_str().unwrap().contains("ThrottlingException"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_made_good_by_a_late_listing() {
    let (outcome, _, times) = made(Aloof::ShowsLate).await;
    assert_eq!((&outcome["outcome"], times), (&"changed".into(), 1), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_tells_what_was_waited_for_and_its_last_status() {
    for (aloof, status) in [(Aloof::StartsForEver, "STARTING"), (Aloof::HidesBehindErrors, "InternalServerError")] {
        let begun = tokio::time::Instant::now();
        let (outcome, _, times) = made(aloof).await;
        assert_eq!((&outcome["outcome"], times), (&"failed".into(), 1), "{outcome}");
        let error = outcome["error"].as_str().unwrap();
        assert!(error.starts_with("shy server was still ") && error.contains(status), "{outcome}");
        assert!(outcome["hint"].as_str().unwrap().contains("it goes on where this one stopped"), "{outcome}");
        let waited = begun.elapsed();
        assert!(waited > Duration::from_secs(30 * 60) && waited < Duration::from_secs(31 * 60), "{waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_the_file_is_kept() {
    let id = NodeId::new("us-west-2", Kind::Server);
    let begun = tokio::time::Instant::now();
    let (ended, _) =
        ran_within(&[(id.clone(), Vec::new(), Aloof::StartsForEver)], &[("server", 5), ("stack", 9)]).await;
    assert_eq!(ended.outcome(&id)["outcome"], "failed");
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(60), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn without_credentials_nothing_else_begins() {
    let (outcome, _, times) = made(Aloof::Expires).await;
    assert_eq!((&outcome["outcome"], times), (&"failed".into(), 0), "{outcome}");
    assert!(outcome["hint"].as_str().unwrap().contains("sign in again"), "{outcome}");

    // What is in flight when that happens is finished; what needs nothing but that is not begun any more.
    let slow = NodeId::new("eu-west-1", Kind::Server);
    let all = [
        (NodeId::new("us-west-2", Kind::Server), Vec::new(), Aloof::Expires),
        (slow.clone(), Vec::new(), Aloof::TakesLong),
        (NodeId::new("eu-west-2", Kind::Server), vec![slow.clone()], Aloof::ListsNothing),
    ];
    let (ended, times) = ran(&all).await;
    assert_eq!(ended.outcome(&slow)["outcome"], "changed");
    assert_eq!((ended.outcome(&all[2].0)["outcome"].clone(), times), ("stopped".into(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_fault_in_sftpctl_itself_is_a_failure() {
    let (outcome, next, _) = made(Aloof::Panics).await;
    assert_eq!((&outcome["outcome"], &next["outcome"]), (&"failed".into(), &"blocked".into()), "{outcome}");
    assert!(outcome["error"].as_str().unwrap().contains("internal error"), "{outcome}");
}
