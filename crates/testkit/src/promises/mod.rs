//! The contract of a place for state, and of the store that is built on it: the same for a folder and for S3.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod followed;
mod places;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::Action;
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_engine::state::blob::{Blob, Blobs, Expect};
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::lease::{Holder, Machine, Terms};
use sftpctl_engine::state::relocate::relocate;
use sftpctl_engine::state::store::Store;
use tokio::time::Instant;

use self::places::{Failing, Heedless, Mounted, Unreliable};

pub const ACCOUNT: &str = "111111111111";

/// A machine on which only the processes below 100 are running, and which can be suspended.
pub struct FakeMachine {
    host: &'static str,
    process: i32,
    began: Instant,
    asleep: AtomicU64,
}

impl FakeMachine {
    pub fn new(host: &'static str, process: i32) -> Arc<Self> {
        Arc::new(Self { host, process, began: Instant::now(), asleep: AtomicU64::new(0) })
    }

    /// Suspends the machine for these seconds: `uptime` advances, timers do not.
    pub fn sleep(&self, seconds: u64) {
        self.asleep.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Machine for FakeMachine {
    fn now(&self) -> String {
        "2026-11-24T09:00:00Z".to_owned()
    }

    fn uptime(&self) -> Duration {
        self.began.elapsed() + Duration::from_secs(self.asleep.load(Ordering::SeqCst))
    }

    fn holder(&self, run: &str, command: &str) -> Holder {
        let own = str::to_owned;
        Holder {
            run: own(run),
            command: own(command),
            user: own("alice"),
            host: own(self.host),
            machine: own(self.host),
            process: self.process,
            process_started: 1,
            since: self.now(),
        }
    }

    fn has_ended(&self, holder: &Holder) -> bool {
        holder.machine == self.host && holder.process >= 100
    }
}

pub fn store(blobs: &Arc<dyn Blobs>, host: &'static str, process: i32) -> Store {
    store_on(blobs, FakeMachine::new(host, process))
}

pub fn store_on(blobs: &Arc<dyn Blobs>, machine: Arc<FakeMachine>) -> Store {
    Store::new(Arc::clone(blobs), "99", ACCOUNT, machine)
}

pub const TERMS: Terms = Terms { length: Duration::from_secs(1), patience: Duration::ZERO };

pub fn server() -> NodeId {
    NodeId::new("us-west-2", Kind::Server)
}

/// Checks the whole contract. `fresh` returns an empty place.
pub async fn keeps_its_promises(fresh: &dyn Fn() -> Arc<dyn Blobs>) {
    writes_are_conditional(&fresh()).await;
    one_of_twenty_writers_wins(&fresh()).await;
    a_storage_that_ignores_a_condition_is_refused_by_every_run(fresh).await;
    a_living_holder_keeps_its_lock(&fresh()).await;
    a_run_releases_only_its_own_lock(&fresh()).await;
    a_silent_holder_loses_its_lock_and_writes_no_more(&fresh()).await;
    a_dead_process_loses_its_lock(&fresh()).await;
    a_clone_takes_nothing_from_a_living_holder(&fresh()).await;
    a_broken_lock_fences_its_holder(&fresh()).await;
    a_killed_run_leaves_its_intents(&fresh()).await;
    an_answered_operation_is_kept_until_the_state_has_it(&fresh()).await;
    a_resource_that_was_seen_gone_needs_no_identity(&fresh()).await;
    a_run_writes_its_journal_once_per_operation(&fresh()).await;
    other_documents_are_refused_and_left_alone(&fresh()).await;
    damaged_records_are_put_aside_and_the_others_stay(&fresh()).await;
    a_damaged_lock_is_refused_until_it_is_broken(&fresh()).await;
    a_move_is_finished_wherever_it_was_interrupted(fresh).await;
    followed::keeps_its_promises(fresh).await;
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

/// Also by the second run, also if it has documents already, and nothing but a lock that is free is left.
async fn a_storage_that_ignores_a_condition_is_refused_by_every_run(fresh: &dyn Fn() -> Arc<dyn Blobs>) {
    for (overwrites, used) in [(true, false), (true, true), (false, false), (false, true)] {
        let inner = fresh();
        if used {
            store(&inner, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap().0.end().await.unwrap();
        }
        let records = async || (inner.get("99.json").await.unwrap(), inner.get("99.journal").await.unwrap());
        let content =
            |(state, journal): (Option<Blob>, Option<Blob>)| (state.map(|b| b.content), journal.map(|b| b.content));
        let before = content(records().await);
        assert_eq!(before.0.is_some(), used);
        let heedless: Arc<dyn Blobs> = Arc::new(Heedless { inner: Arc::clone(&inner), overwrites });
        for host in ["one", "two"] {
            let store = store(&heedless, host, 1);
            let error = store.begin("deploy", TERMS, &|_| {}).await.err().unwrap();
            assert!(error.to_string().contains("does not keep conditional writes"), "{error}");
            let error = store.put_aside(TERMS, &|_| {}).await.unwrap_err();
            assert!(error.to_string().contains("does not keep conditional writes"), "{error}");
            assert_eq!(content(records().await), before);
            assert!(store.lock().read().await.unwrap().unwrap().0.released);
        }
        let place = |text: &str| text.parse::<StatePlace>().unwrap();
        let (from, to) = (fresh(), store(&heedless, "one", 1));
        let (from, here, there) = (store(&from, "one", 1), place("from"), place("to"));
        let error = relocate((&from, &here), (&to, &there), TERMS, &|_| {}).await.unwrap_err();
        assert!(error.to_string().contains("does not keep conditional writes"), "{error}");
        assert_eq!(content(records().await), before);
    }
}

async fn a_living_holder_keeps_its_lock(blobs: &Arc<dyn Blobs>) {
    let (run, _) = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let error = store(blobs, "two", 2).begin("teardown", TERMS, &|_| {}).await.err().unwrap();
    assert!(matches!(error, StateError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("deploy by alice on one, process 1"), "{error}");
    run.end().await.unwrap();
    store(blobs, "two", 2).begin("teardown", TERMS, &|_| {}).await.unwrap().0.end().await.unwrap();
}

/// When a run is interrupted while it begins, it may already have the lock, or another run may have it.
async fn a_run_releases_only_its_own_lock(blobs: &Arc<dyn Blobs>) {
    let (one, two) = (store(blobs, "one", 1), store(blobs, "two", 2));
    let (run, _) = one.begin("deploy", TERMS, &|_| {}).await.unwrap();
    two.release_own_lock().await;
    assert!(matches!(two.begin("deploy", TERMS, &|_| {}).await, Err(StateError::Locked { .. })));
    one.release_own_lock().await;
    two.begin("deploy", TERMS, &|_| {}).await.unwrap().0.end().await.unwrap();
    drop(run);
}

async fn a_silent_holder_loses_its_lock_and_writes_no_more(blobs: &Arc<dyn Blobs>) {
    let store_one = store(blobs, "one", 1);
    let (one, _) = store_one.begin("deploy", TERMS, &|_| {}).await.unwrap();
    let journal = Arc::clone(one.journal());
    journal.intend(&server(), Action::Create, "server").await.unwrap();
    // Paused: the lock is no longer renewed.
    drop(one);
    let (two, remembered) = store(blobs, "two", 2).begin("deploy", TERMS, &|_| {}).await.unwrap();
    assert_eq!(remembered.unfinished.len(), 1);
    let refused = journal.intend(&server(), Action::Update, "server").await.unwrap_err();
    assert!(matches!(refused, StateError::Fenced { .. }), "{refused}");
    two.journal().done(&remembered.unfinished[0].operation, &server(), Some("s-1"));
    two.end().await.unwrap();
    let after = store_one.load().await.unwrap();
    assert_eq!(after.unfinished, []);
}

async fn an_answered_operation_is_kept_until_the_state_has_it(blobs: &Arc<dyn Blobs>) {
    let store = store(blobs, "one", 1);
    let (one, _) = store.begin("deploy", TERMS, &|_| {}).await.unwrap();
    let operation = one.journal().intend(&server(), Action::Create, "server").await.unwrap();
    one.journal().created(&operation, &server(), "s-1");
    // Two clean stops before the server is visible on AWS.
    one.end().await.unwrap();
    store.begin("deploy", TERMS, &|_| {}).await.unwrap().0.end().await.unwrap();
    let (mut two, mut remembered) = store.begin("deploy", TERMS, &|_| {}).await.unwrap();
    assert_eq!(remembered.unfinished.iter().map(|e| e.operation.as_str()).collect::<Vec<_>>(), [operation.as_str()]);
    assert_eq!(remembered.state.identities.get(&server()).map(String::as_str), Some("s-1"));
    // Now visible. The last write of the state does not contain the identity, but the journal does.
    two.journal().done(&operation, &server(), Some("s-1"));
    remembered.state.identities.clear();
    two.save(&mut remembered.state).await.unwrap();
    two.end().await.unwrap();
    let after = store.load().await.unwrap();
    assert_eq!(after.unfinished, []);
    assert_eq!(after.state.identities.get(&server()).map(String::as_str), Some("s-1"));
}

async fn a_resource_that_was_seen_gone_needs_no_identity(blobs: &Arc<dyn Blobs>) {
    let (mut run, mut remembered) = store(blobs, "one", 1).begin("teardown", TERMS, &|_| {}).await.unwrap();
    let journal = Arc::clone(run.journal());
    let operation = journal.intend(&server(), Action::Delete, "server").await.unwrap();
    // A step of a killed run: AWS is still deleting the server, and shows it.
    journal.done(&operation, &server(), Some("s-1"));
    journal.seen_gone(&server());
    run.save(&mut remembered.state).await.unwrap();
    run.end().await.unwrap();
    let lines = async || String::from_utf8(blobs.get("99.journal").await.unwrap().unwrap().content).unwrap();
    assert!(!lines().await.contains(&operation));
    // It was gone before the call that created it again.
    let (mut run, mut remembered) = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let journal = Arc::clone(run.journal());
    journal.seen_gone(&server());
    let operation = journal.intend(&server(), Action::Create, "server").await.unwrap();
    journal.done(&operation, &server(), Some("s-2"));
    run.save(&mut remembered.state).await.unwrap();
    run.end().await.unwrap();
    assert!(lines().await.contains("s-2"));
}

async fn a_dead_process_loses_its_lock(blobs: &Arc<dyn Blobs>) {
    let (one, _) = store(blobs, "one", 100).begin("deploy", TERMS, &|_| {}).await.unwrap();
    drop(one);
    let notes = std::sync::Mutex::new(Vec::new());
    let note = |line: &str| notes.lock().unwrap().push(line.to_owned());
    store(blobs, "one", 1).begin("deploy", TERMS, &note).await.unwrap().0.end().await.unwrap();
    // In a shared place, such as a bucket, the run waits until the lease is over.
    assert_eq!(notes.lock().unwrap().len(), usize::from(blobs.is_shared()), "whether it waited");
}

/// On a clone of the machine, the process of the holder seems to have ended, although it is running.
async fn a_clone_takes_nothing_from_a_living_holder(blobs: &Arc<dyn Blobs>) {
    let mounted: Arc<dyn Blobs> = Arc::new(Mounted(Arc::clone(blobs)));
    let (one, _) = store(&mounted, "one", 100).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let refused = store(&mounted, "one", 1).begin("deploy", TERMS, &|_| {}).await.err().unwrap();
    assert!(matches!(refused, StateError::Locked { .. }), "{refused}");
    one.journal().intend(&server(), Action::Create, "server").await.unwrap();
    drop(one);
    store(&mounted, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap().0.end().await.unwrap();
}

async fn a_broken_lock_fences_its_holder(blobs: &Arc<dyn Blobs>) {
    let (one, remembered) = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let mut one = one;
    let two = store(blobs, "two", 2);
    let (lease, _) = two.lock().read().await.unwrap().unwrap();
    // The holder renews the lock while the user decides.
    while two.lock().read().await.unwrap().unwrap().0.serial == lease.serial {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let another = Holder { run: "another".into(), ..lease.holder.clone() };
    assert!(matches!(two.lock().break_open(&another).await, Err(StateError::Locked { .. })));
    two.lock().break_open(&lease.holder).await.unwrap();
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
    drop(run);
    for process in [101, 102] {
        // An unfinished operation stays so until its outcome is recorded, however many runs are killed.
        let (run, remembered) = store(blobs, "one", process).begin("deploy", TERMS, &|_| {}).await.unwrap();
        assert_eq!(remembered.state.identities.get(&stack).map(String::as_str), Some("arn:stack"), "{process}");
        assert_eq!(
            remembered.unfinished.iter().map(|e| e.operation.clone()).collect::<Vec<_>>(),
            std::slice::from_ref(&second)
        );
        let mut state = remembered.state.clone();
        let mut run = run;
        run.save(&mut state).await.unwrap();
        drop(run);
    }
}

async fn a_run_writes_its_journal_once_per_operation(blobs: &Arc<dyn Blobs>) {
    const OPERATIONS: usize = 12;
    let counted = Unreliable::new(blobs);
    let view: Arc<dyn Blobs> = Arc::<Unreliable>::clone(&counted);
    // Long enough that the lock is not renewed during the test.
    let terms = Terms { length: Duration::from_secs(300), ..TERMS };
    let (mut run, remembered) = store(&view, "one", 1).begin("deploy", terms, &|_| {}).await.unwrap();
    for _ in 0..OPERATIONS {
        let operation = run.journal().intend(&server(), Action::Update, "server").await.unwrap();
        run.journal().done(&operation, &server(), Some("s-1"));
    }
    let mut state = remembered.state.clone();
    state.identities.insert(server(), "s-1".into());
    run.save(&mut state).await.unwrap();
    run.end().await.unwrap();
    // The journal is also written when the run begins, for the last outcome, and when no operation is open any more.
    // The lock is acquired, confirmed and released.
    let writes = ["99.journal", "99.json", "99.lock"].map(|name| counted.written(name).len());
    assert_eq!(writes, [OPERATIONS + 3, 2, 3]);
}

async fn other_documents_are_refused_and_left_alone(blobs: &Arc<dyn Blobs>) {
    let mut run = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap().0;
    let mut state = sftpctl_engine::state::model::State::new("99", ACCOUNT);
    state.identities.insert(server(), "s-1".into());
    run.save(&mut state).await.unwrap();
    run.end().await.unwrap();
    let good = String::from_utf8(blobs.get("99.json").await.unwrap().unwrap().content).unwrap();
    for (bad, says) in [
        (good.replace("s-1", "s-2"), "changed by hand"),
        (good.replace("\"version\": 1", "\"version\": 2"), "newer sftpctl (format 2)"),
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
    let other = Store::new(Arc::clone(blobs), "99", "222222222222", FakeMachine::new("one", 1));
    let before = blobs.get("99.json").await.unwrap().unwrap();
    blobs.put("99.json", good.as_bytes(), Expect::Is(&before.version)).await.unwrap();
    for error in [other.load().await.unwrap_err(), other.put_aside(TERMS, &|_| {}).await.unwrap_err()] {
        assert!(error.to_string().contains("belongs to environment 99 in account 111111111111"), "{error}");
        assert!(!error.hint().unwrap().contains("rebuild"), "the state of another account is not put aside");
    }
    assert_eq!(blobs.get("99.json").await.unwrap().unwrap().content, good.as_bytes());
}

async fn damaged_records_are_put_aside_and_the_others_stay(blobs: &Arc<dyn Blobs>) {
    let (run, _) = store(blobs, "one", 100).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let intended = run.journal().intend(&server(), Action::Create, "server").await.unwrap();
    drop(run);
    let put_aside = async |name: &str, content: &[u8]| {
        let before = blobs.get(name).await.unwrap().unwrap();
        blobs.put(name, content, Expect::Is(&before.version)).await.unwrap();
        store(blobs, "one", 1).put_aside(TERMS, &|_| {}).await
    };
    let aside = put_aside("99.json", b"{").await.unwrap();
    assert!(aside.len() == 1 && aside[0].contains("99.json.aside-"), "{aside:?}");
    let unfinished = store(blobs, "one", 1).load().await.unwrap().unfinished;
    assert_eq!(unfinished[0].operation, intended, "the operation of a killed run is kept");
    // A document of a newer format is not damaged. Then nothing is put aside, even if the other document is damaged.
    let journal = String::from_utf8(blobs.get("99.journal").await.unwrap().unwrap().content).unwrap();
    let before = blobs.get("99.json").await.unwrap().unwrap();
    blobs.put("99.json", b"{", Expect::Is(&before.version)).await.unwrap();
    let newer = journal.replacen("\"version\":1", "\"version\":2", 1);
    let refused = put_aside("99.journal", newer.as_bytes()).await.unwrap_err();
    assert!(matches!(refused, StateError::Newer { .. }), "{refused}");
    assert_eq!(blobs.get("99.json").await.unwrap().unwrap().content, b"{");
    assert_eq!(put_aside("99.journal", b"{").await.unwrap().len(), 2);
    assert!(store(blobs, "one", 1).load().await.unwrap().unfinished.is_empty());
    // Refused while another run has the lock.
    let (run, _) = store(blobs, "two", 2).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let refused = put_aside("99.json", b"{").await.unwrap_err();
    assert!(matches!(refused, StateError::Locked { .. }), "{refused}");
    assert_eq!(blobs.get("99.json").await.unwrap().unwrap().content, b"{");
    run.end().await.unwrap();
}

async fn a_damaged_lock_is_refused_until_it_is_broken(blobs: &Arc<dyn Blobs>) {
    blobs.put("99.lock", b"{\"version\": 1", Expect::Absent).await.unwrap();
    let error = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.err().unwrap();
    assert!(error.hint().unwrap().contains("sftpctl lock break"), "{error}");
    store(blobs, "one", 1).lock().break_damaged().await.unwrap();
    store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap().0.end().await.unwrap();
    // A lock of a newer format is refused.
    let lock = blobs.get("99.lock").await.unwrap().unwrap();
    let newer = String::from_utf8(lock.content).unwrap().replace("\"version\": 1", "\"version\": 2");
    blobs.put("99.lock", newer.as_bytes(), Expect::Is(&lock.version)).await.unwrap();
    let error = store(blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.err().unwrap();
    assert!(matches!(error, StateError::Newer { .. }), "{error}");
}

async fn a_move_is_finished_wherever_it_was_interrupted(fresh: &dyn Fn() -> Arc<dyn Blobs>) {
    let mut writes = 0;
    let (here, there): (StatePlace, StatePlace) = ("from".parse().unwrap(), "to".parse().unwrap());
    let mut on_its_way = 0;
    loop {
        let (from, to) = (fresh(), fresh());
        let (run, _) = store(&from, "one", 100).begin("deploy", TERMS, &|_| {}).await.unwrap();
        let mut run = run;
        let mut state = sftpctl_engine::state::model::State::new("99", ACCOUNT);
        state.identities.insert(server(), "s-1".into());
        run.save(&mut state).await.unwrap();
        run.journal().intend(&server(), Action::Update, "server").await.unwrap();
        drop(run);
        let left = Arc::new(AtomicUsize::new(writes));
        let failing = |inner: &Arc<dyn Blobs>| -> Arc<dyn Blobs> { Arc::new(Failing::new(inner, &left)) };
        let killed = relocate(
            (&store(&failing(&from), "one", 100), &here),
            (&store(&failing(&to), "one", 100), &there),
            TERMS,
            &|_| {},
        )
        .await;
        // The two places never both have the state.
        let (old, new) = (store(&from, "one", 1).load().await, store(&to, "one", 1).load().await);
        let says_here = [&old, &new].iter().filter(|r| r.as_ref().is_ok_and(|r| r.found)).count();
        assert!(says_here <= 1, "after {writes} writes: {old:?} {new:?}");
        // If neither has it, the error of the new place has a hint how to resume the move.
        if says_here == 0 {
            let hint = new.unwrap_err().hint().unwrap();
            assert!(hint.contains("sftpctl state move --env 99 --state from --to"), "{hint}");
            on_its_way += 1;
        }
        let (again, target) = (store(&from, "one", 1), store(&to, "one", 1));
        relocate((&again, &here), (&target, &there), TERMS, &|_| {}).await.unwrap();
        assert!(matches!(again.load().await, Err(StateError::Moved { to, .. }) if to == "to"));
        let moved = target.load().await.unwrap();
        assert_eq!(moved.state.identities[&server()], "s-1");
        assert_eq!(moved.unfinished.len(), 1);
        if killed.is_ok() {
            break;
        }
        writes += 1;
    }
    assert!(writes >= 6 && on_its_way >= 1, "{writes} interruptions, {on_its_way} between the places");
}
