//! State, journal and lock: one suite for a folder and for S3 of the local cloud, then the program against both.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sftpctl::aws::{Aws, ConnectOptions};
use sftpctl::resources::resource::{Action, Kind, NodeId};
use sftpctl::state::blob::{Blob, Blobs, Expect, Version};
use sftpctl::state::bucket::Bucket;
use sftpctl::state::error::StateError;
use sftpctl::state::folder::Folder;
use sftpctl::state::lease::{Holder, Machine, Terms};
use sftpctl::state::moving::relocate;
use sftpctl::state::store::Store;

use crate::site::{Site, shown, until};

const ACCOUNT: &str = "111111111111";
const BUCKET: &str = "sftpctl-state-of-tests";

/// A machine on which only the processes below 100 live.
struct FakeMachine(&'static str, i32);

impl Machine for FakeMachine {
    fn now(&self) -> String {
        "2026-11-24T09:00:00Z".to_owned()
    }

    fn holder(&self, run: &str, command: &str) -> Holder {
        let own = str::to_owned;
        Holder {
            run: own(run),
            command: own(command),
            user: own("alice"),
            host: own(self.0),
            machine: own(self.0),
            process: self.1,
            process_started: 1,
            since: self.now(),
        }
    }

    fn has_ended(&self, holder: &Holder) -> bool {
        holder.machine == self.0 && holder.process >= 100
    }
}

fn store(blobs: &Arc<dyn Blobs>, host: &'static str, process: i32) -> Store {
    Store::new(Arc::clone(blobs), "99", ACCOUNT, Arc::new(FakeMachine(host, process)))
}

const TERMS: Terms = Terms { length: Duration::from_secs(1), patience: Duration::ZERO };

fn server() -> NodeId {
    NodeId::new("us-west-2", Kind::Server)
}

/// A place that fails every write after the first `left`.
#[derive(Debug)]
struct Failing {
    inner: Arc<dyn Blobs>,
    left: Arc<AtomicUsize>,
}

#[async_trait]
impl Blobs for Failing {
    fn address(&self, name: &str) -> String {
        self.inner.address(name)
    }

    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError> {
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError> {
        let spent = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_err();
        if spent {
            return Err(StateError::Damaged { address: self.address(name), reason: "killed".into() });
        }
        self.inner.put(name, content, expect).await
    }

    async fn names(&self) -> Result<Vec<String>, StateError> {
        self.inner.names().await
    }

    async fn check(&self) -> Result<(), StateError> {
        self.inner.check().await
    }
}

/// Every promise of a place, and of what is built on it. `fresh` gives an empty place.
async fn keeps_its_promises(fresh: &dyn Fn() -> Arc<dyn Blobs>) {
    writes_are_conditional(&fresh()).await;
    one_of_twenty_writers_wins(&fresh()).await;
    a_living_holder_keeps_its_lock(&fresh()).await;
    a_silent_holder_loses_its_lock_and_writes_no_more(&fresh()).await;
    a_dead_process_holds_nothing(&fresh()).await;
    a_broken_lock_fences_its_holder(&fresh()).await;
    a_killed_run_leaves_its_intents(&fresh()).await;
    other_documents_are_refused_and_left_alone(&fresh()).await;
    a_move_is_finished_wherever_it_was_interrupted(fresh).await;
}

async fn writes_are_conditional(blobs: &Arc<dyn Blobs>) {
    assert!(blobs.get("a").await.unwrap().is_none());
    let first = blobs.put("a", b"1", Expect::Absent).await.unwrap();
    assert!(matches!(blobs.put("a", b"2", Expect::Absent).await, Err(StateError::Conflict { .. })));
    let second = blobs.put("a", b"2", Expect::Is(&first)).await.unwrap();
    assert!(matches!(blobs.put("a", b"3", Expect::Is(&first)).await, Err(StateError::Conflict { .. })));
    assert!(matches!(blobs.put("b", b"3", Expect::Is(&first)).await, Err(StateError::Conflict { .. })));
    let now = blobs.get("a").await.unwrap().unwrap();
    assert_eq!((now.content.as_slice(), now.version), (b"2".as_slice(), second));
    assert_eq!(blobs.names().await.unwrap(), ["a"]);
}

async fn one_of_twenty_writers_wins(blobs: &Arc<dyn Blobs>) {
    let first = blobs.put("a", b"0", Expect::Absent).await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (blobs, first) = (Arc::clone(blobs), first.clone());
        writers.spawn(async move {
            blobs.put("a", format!("writer {number}").as_bytes(), Expect::Is(&first)).await.is_ok()
        });
    }
    assert_eq!(writers.join_all().await.into_iter().filter(|won| *won).count(), 1);
}

async fn a_living_holder_keeps_its_lock(blobs: &Arc<dyn Blobs>) {
    let (run, _) = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let error = store(blobs, "two", 2).begin("teardown", TERMS, &|_| {}).await.err().unwrap();
    assert!(matches!(error, StateError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("deploy by alice on one, process 1"), "{error}");
    run.end().await.unwrap();
    store(blobs, "two", 2).begin("teardown", TERMS, &|_| {}).await.unwrap().0.end().await.unwrap();
}

async fn a_silent_holder_loses_its_lock_and_writes_no_more(blobs: &Arc<dyn Blobs>) {
    let store_one = store(blobs, "one", 1);
    let (one, _) = store_one.begin("deploy", TERMS, &|_| {}).await.unwrap();
    let journal = Arc::clone(one.journal());
    journal.intend(&server(), Action::Create, "server").await.unwrap();
    // Paused: nobody renews any more.
    one.abandon();
    let (two, remembered) = store(blobs, "two", 2).begin("deploy", TERMS, &|_| {}).await.unwrap();
    assert_eq!(remembered.unfinished.len(), 1);
    let refused = journal.intend(&server(), Action::Update, "server").await.unwrap_err();
    assert!(matches!(refused, StateError::Fenced { .. }), "{refused}");
    two.journal().done(&remembered.unfinished[0].operation, &server(), Some("s-1"));
    two.end().await.unwrap();
    let after = store_one.load().await.unwrap();
    assert_eq!(after.unfinished, []);
}

async fn a_dead_process_holds_nothing(blobs: &Arc<dyn Blobs>) {
    let (one, _) = store(blobs, "one", 100).begin("deploy", TERMS, &|_| {}).await.unwrap();
    one.abandon();
    let told = std::sync::Mutex::new(Vec::new());
    let tell = |line: &str| told.lock().unwrap().push(line.to_owned());
    store(blobs, "one", 1).begin("deploy", TERMS, &tell).await.unwrap().0.end().await.unwrap();
    assert_eq!(*told.lock().unwrap(), Vec::<String>::new(), "it did not wait");
}

async fn a_broken_lock_fences_its_holder(blobs: &Arc<dyn Blobs>) {
    let (one, remembered) = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let mut one = one;
    let two = store(blobs, "two", 2);
    // A holder that renews in between is alive: then breaking is said again, as a person would.
    loop {
        let seen = two.lock().look().await.unwrap().unwrap();
        match two.lock().break_open(seen).await {
            Ok(()) => break,
            Err(StateError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let (run, _) = two.begin("deploy", TERMS, &|_| {}).await.unwrap();
    assert!(one.journal().intend(&server(), Action::Create, "server").await.is_err());
    let mut state = remembered.state.clone();
    let mut theirs = state.clone();
    let mut run = run;
    run.save(&mut theirs).await.unwrap();
    assert!(matches!(one.save(&mut state).await, Err(StateError::Fenced { .. })));
    run.end().await.unwrap();
    one.end().await.unwrap();
}

async fn a_killed_run_leaves_its_intents(blobs: &Arc<dyn Blobs>) {
    let (run, _) = store(blobs, "one", 100).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let journal = run.journal();
    let stack = NodeId::new("us-west-2", Kind::Stack);
    let first = journal.intend(&stack, Action::Create, "stack").await.unwrap();
    journal.done(&first, &stack, Some("arn:stack"));
    let second = journal.intend(&server(), Action::Create, "server").await.unwrap();
    assert!(second.starts_with("sftpctl-") && second.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    run.abandon();
    for process in [101, 102] {
        // What is unfinished stays so until somebody says what came of it, however many runs are killed on the way.
        let (run, remembered) = store(blobs, "one", process).begin("deploy", TERMS, &|_| {}).await.unwrap();
        assert_eq!(remembered.state.identities.get(&stack).map(String::as_str), Some("arn:stack"), "{process}");
        assert_eq!(
            remembered.unfinished.iter().map(|e| e.operation.clone()).collect::<Vec<_>>(),
            std::slice::from_ref(&second)
        );
        let mut state = remembered.state.clone();
        let mut run = run;
        run.save(&mut state).await.unwrap();
        run.abandon();
    }
}

async fn other_documents_are_refused_and_left_alone(blobs: &Arc<dyn Blobs>) {
    let mut run = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap().0;
    let mut state = sftpctl::state::model::State::new("99", ACCOUNT);
    state.identities.insert(server(), "s-1".into());
    run.save(&mut state).await.unwrap();
    run.end().await.unwrap();
    let good = String::from_utf8(blobs.get("99.json").await.unwrap().unwrap().content).unwrap();
    for (bad, says) in [
        (good.replace("s-1", "s-2"), "changed by hand"),
        (good.replace("\"version\": 1", "\"version\": 2"), "version 2"),
        (good[..good.len() / 2].to_owned(), "damaged"),
        (String::new(), "damaged"),
        (good.replace("\"99\"", "\"98\""), "changed by hand"),
        (good.replace("\"serial\"", "\"serious\""), "damaged"),
    ] {
        let before = blobs.get("99.json").await.unwrap().unwrap();
        blobs.put("99.json", bad.as_bytes(), Expect::Is(&before.version)).await.unwrap();
        let error = store(blobs, "one", 1).load().await.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.hint().is_some());
        assert!(store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.is_err());
        assert_eq!(blobs.get("99.json").await.unwrap().unwrap().content, bad.as_bytes());
    }
    let other = Store::new(Arc::clone(blobs), "99", "222222222222", Arc::new(FakeMachine("one", 1)));
    let aside = store(blobs, "one", 1).put_aside().await.unwrap();
    assert_eq!(aside.len(), 2, "{aside:?}");
    assert!(store(blobs, "one", 1).load().await.unwrap().state.identities.is_empty());
    assert!(other.load().await.unwrap_err().to_string().contains("of environment 99 in account 111111111111"));
}

async fn a_move_is_finished_wherever_it_was_interrupted(fresh: &dyn Fn() -> Arc<dyn Blobs>) {
    let mut writes = 0;
    loop {
        let (from, to) = (fresh(), fresh());
        let (run, _) = store(&from, "one", 100).begin("deploy", TERMS, &|_| {}).await.unwrap();
        let mut run = run;
        let mut state = sftpctl::state::model::State::new("99", ACCOUNT);
        state.identities.insert(server(), "s-1".into());
        run.save(&mut state).await.unwrap();
        run.journal().intend(&server(), Action::Update, "server").await.unwrap();
        run.abandon();
        let left = Arc::new(AtomicUsize::new(writes));
        let failing = |inner: &Arc<dyn Blobs>| -> Arc<dyn Blobs> {
            Arc::new(Failing { inner: Arc::clone(inner), left: Arc::clone(&left) })
        };
        let killed = relocate(
            (&store(&failing(&from), "one", 100), "from"),
            (&store(&failing(&to), "one", 100), "to"),
            TERMS,
            &|_| {},
        )
        .await;
        // At no moment do both places say that the state is there.
        let (here, there) = (store(&from, "one", 1).load().await, store(&to, "one", 1).load().await);
        let says_here = [&here, &there].iter().filter(|r| r.as_ref().is_ok_and(|r| r.found)).count();
        assert!(says_here <= 1, "after {writes} writes: {here:?} {there:?}");
        let (again, target) = (store(&from, "one", 1), store(&to, "one", 1));
        relocate((&again, "from"), (&target, "to"), TERMS, &|_| {}).await.unwrap();
        assert!(matches!(again.load().await, Err(StateError::Moved { to, .. }) if to == "to"));
        let moved = target.load().await.unwrap();
        assert_eq!(moved.state.identities[&server()], "s-1");
        assert_eq!(moved.unfinished.len(), 1);
        if killed.is_ok() {
            break;
        }
        writes += 1;
    }
    assert!(writes >= 6, "{writes} interruptions");
}

#[tokio::test(start_paused = true)]
async fn a_folder_keeps_its_promises() {
    let dir = tempfile::tempdir().unwrap();
    let count = AtomicUsize::new(0);
    keeps_its_promises(&|| Arc::new(Folder::new(dir.path().join(count.fetch_add(1, Ordering::SeqCst).to_string()))))
        .await;
}

#[test]
fn a_bucket_keeps_its_promises() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET]);
    let endpoint = site.endpoint();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let aws = Aws::connect(ConnectOptions {
            endpoint_url: Some(endpoint),
            local_account: Some(ACCOUNT.into()),
            home_region: "us-west-2".into(),
            profile: None,
        })
        .await;
        let count = AtomicUsize::new(0);
        let fresh = || -> Arc<dyn Blobs> {
            let prefix = format!("{}/", count.fetch_add(1, Ordering::SeqCst));
            Arc::new(Bucket::new(aws.s3("us-west-2"), ACCOUNT, BUCKET, &prefix, None))
        };
        keeps_its_promises(&fresh).await;
        let missing = Bucket::new(aws.s3("us-west-2"), ACCOUNT, "sftpctl-no-such-bucket", "", None);
        let error = missing.check().await.unwrap_err();
        assert!(error.hint().unwrap().contains("create-bucket"), "{error}");
    });
}

/// A deployment in the background.
fn spawn(site: &Site, arguments: &[&str]) -> Child {
    site.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn twenty_deployments_at_once_are_one() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET]);
    let state = format!("s3://{BUCKET}/pipelines");
    let arguments = ["deploy", "--env", "99", "--local", "--yes", "--no-verify", "--state", &state];
    let runs: Vec<Child> = (0..20).map(|_| spawn(&site, &arguments)).collect();
    let mut codes = Vec::new();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        let code = output.status.code().unwrap();
        assert!(code == 0 || code == 5, "{}", shown(&output));
        assert!(
            code == 0 || shown(&output).contains("another run works on this environment: deploy"),
            "{}",
            shown(&output)
        );
        codes.push(code);
    }
    assert!(codes.contains(&0), "{codes:?}");
    site.aws(&["properties"]);
    let again = site.ok(&["plan", "--env", "99", "--local", "--state", &state]);
    assert!(again.contains("Nothing to do"), "{again}");
    // The records moved into a folder and what is left of the old place says so.
    site.ok(&["state", "move", "--env", "99", "--local", "--state", &state, "--to", "here", "--yes"]);
    let moved = site.ends_with(2, &["plan", "--env", "99", "--local", "--state", &state]);
    assert!(moved.contains("has moved to here"), "{moved}");
    assert!(site.ok(&["state", "show", "--env", "99", "--local", "--state", "here"]).contains("us-west-2/server"));
}

#[test]
fn a_paused_holder_writes_no_more_and_a_killed_one_is_followed_at_once() {
    let site = Site::with_times(&["--server-start-time", "3s"]);
    let file = site.dir.path().join("environments/99.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}\nstate: {{ lease_seconds: 2 }}\n")).unwrap();
    let arguments = ["deploy", "--env", "99", "--local", "--yes", "--no-verify"];
    let journal = site.dir.path().join(".sftpctl/local/state/99.journal");
    let creating = |journal: &Path| {
        std::fs::read_to_string(journal).is_ok_and(|text| text.lines().any(|l| l.contains("us-east-2/server\"")))
    };

    let first = spawn(&site, &arguments);
    // Both servers are there and start: no call that makes one is on its way, which nothing could take back.
    until("two servers that start", || (site.status()["servers"].as_array()?.len() == 2).then_some(()));
    signal(&first, "STOP");
    // Same machine, its process lives: nobody takes the lock before the lease is over, and then it is free.
    let second = site.run(&["deploy", "--env", "99", "--local", "--yes", "--no-verify"]);
    assert!(second.status.success(), "{}", shown(&second));
    signal(&first, "CONT");
    let first = first.wait_with_output().unwrap();
    assert_eq!(first.status.code(), Some(6), "{}", shown(&first));
    assert!(shown(&first).contains("lost its lock"), "{}", shown(&first));
    site.aws(&["properties"]);

    site.ok(&["teardown", "--env", "99", "--local", "--yes", "--delete-data"]);
    let third = spawn(&site, &arguments);
    until("the intent to create a server", || creating(&journal).then_some(()));
    let locked = site.ends_with(5, &["lock", "show", "--env", "99", "--local"]);
    assert!(locked.contains("deploy by"), "{locked}");
    signal(&third, "KILL");
    third.wait_with_output().unwrap();
    let left: Value =
        serde_json::from_str(&site.ok(&["state", "show", "--env", "99", "--local", "--output", "json"])).unwrap();
    assert!(!left["unfinished"].as_array().unwrap().is_empty(), "{left}");
    site.deploy();
    site.aws(&["properties"]);
    let left: Value =
        serde_json::from_str(&site.ok(&["state", "show", "--env", "99", "--local", "--output", "json"])).unwrap();
    assert_eq!(left["unfinished"], serde_json::json!([]));
}

#[test]
fn a_damaged_state_is_refused_and_rebuilt_from_aws() {
    let site = Site::new();
    site.deploy();
    let path = site.dir.path().join(".sftpctl/local/state/99.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("us-west-2/server\"", "us-west-2/saver\"")).unwrap();
    let refused = site.ends_with(2, &["deploy", "--env", "99", "--local", "--yes"]);
    assert!(refused.contains("changed by hand") && refused.contains("sftpctl state rebuild"), "{refused}");
    let rebuilt = site.run(&["state", "rebuild", "--env", "99", "--local"]);
    assert!(rebuilt.status.success() && shown(&rebuilt).contains("put aside"), "{}", shown(&rebuilt));
    assert_eq!(site.planned(), Vec::<String>::new());
    let identities = |text: &str| serde_json::from_str::<Value>(text).unwrap()["identities"].clone();
    assert_eq!(identities(&std::fs::read_to_string(&path).unwrap()), identities(&text));
}
