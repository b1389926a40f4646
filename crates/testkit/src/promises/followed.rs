//! Runs that are paused, slow or cut off, with and without another run that takes over.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use sftpctl_core::model::Action;
use sftpctl_engine::state::blob::{Blobs, Expect};
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::model::State;
use tokio::time::Instant;

use super::places::Unreliable;
use super::{ACCOUNT, FakeMachine, TERMS, server, store, store_on};
use crate::site::DEADLINE;

pub(super) async fn keeps_its_promises(fresh: &dyn Fn() -> Arc<dyn Blobs>) {
    a_reader_that_was_paused_beyond_its_lease_replaces_nothing(&fresh()).await;
    a_slow_reader_keeps_its_lock(&fresh()).await;
    a_new_run_fences_the_state(&fresh()).await;
    a_stalled_holder_without_a_successor_continues(&fresh()).await;
    a_lost_answer_does_not_fence_the_run(&fresh()).await;
    a_hanging_call_does_not_cost_the_lock(&fresh()).await;
}

/// Calls `probe` until it returns `true`, on tokio's clock.
async fn until(what: &str, mut probe: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !probe().await {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn is_refused(blobs: &Arc<dyn Blobs>) {
    let error = store(blobs, "two", 2).begin("deploy", TERMS, &|_| {}).await.err().unwrap();
    assert!(matches!(error, StateError::Locked { .. }), "{error}");
}

async fn a_reader_that_was_paused_beyond_its_lease_replaces_nothing(blobs: &Arc<dyn Blobs>) {
    let paused = Unreliable::new(blobs);
    let view: Arc<dyn Blobs> = Arc::<Unreliable>::clone(&paused);
    paused.stop_at("99.json");
    let first = tokio::spawn(async move { store(&view, "one", 1).begin("deploy", TERMS, &|_| {}).await });
    paused.wait_until_stopped().await;
    let (second, _) = store(blobs, "two", 2).begin("deploy", TERMS, &|_| {}).await.unwrap();
    second.journal().intend(&server(), Action::Create, "server").await.unwrap();
    // The first run now reads the records of the second.
    paused.resume();
    let error = first.await.unwrap().err().unwrap();
    assert!(matches!(error, StateError::Fenced { .. }), "{error}");
    assert!(error.to_string().contains("deploy by alice on two"), "{error}");
    second.journal().intend(&server(), Action::Update, "server").await.unwrap();
    assert_eq!(store(blobs, "two", 2).load().await.unwrap().unfinished.len(), 2);
    second.end().await.unwrap();
}

async fn a_slow_reader_keeps_its_lock(blobs: &Arc<dyn Blobs>) {
    let slow = Unreliable::new(blobs);
    let view: Arc<dyn Blobs> = Arc::<Unreliable>::clone(&slow);
    slow.slow(Some("99.json"));
    let first = tokio::spawn(async move { store(&view, "one", 1).begin("deploy", TERMS, &|_| {}).await });
    let lock = store(blobs, "two", 2).lock();
    until("a lock", async || lock.read().await.unwrap().is_some()).await;
    is_refused(blobs).await;
    slow.slow(None);
    first.await.unwrap().unwrap().0.end().await.unwrap();
}

async fn a_new_run_fences_the_state(blobs: &Arc<dyn Blobs>) {
    let stopped = Unreliable::new(blobs);
    let view: Arc<dyn Blobs> = Arc::<Unreliable>::clone(&stopped);
    let (mut first, remembered) = store(&view, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let mut state = remembered.state;
    let before = blobs.get("99.json").await.unwrap().unwrap();
    stopped.stop();
    let (mut second, remembered) = store(blobs, "two", 2).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let mut theirs = remembered.state;
    // A write that was already on its way is refused, too, although the second run has not saved anything.
    let late = blobs.put("99.json", b"late", Expect::Is(&before.version)).await;
    assert!(matches!(late, Err(StateError::Conflict { .. })), "{late:?}");
    stopped.resume();
    let error = first.save(&mut state).await.unwrap_err();
    assert!(matches!(error, StateError::Fenced { .. }), "{error}");
    second.save(&mut theirs).await.unwrap();
    second.end().await.unwrap();
    first.end().await.unwrap();
}

async fn a_stalled_holder_without_a_successor_continues(blobs: &Arc<dyn Blobs>) {
    let machine = FakeMachine::new("one", 1);
    let stopped = Unreliable::new(blobs);
    let view: Arc<dyn Blobs> = Arc::<Unreliable>::clone(&stopped);
    let (mut run, remembered) = store_on(&view, Arc::clone(&machine)).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let mut state = remembered.state;
    // A suspended machine: timers do not advance.
    let suspend = || {
        stopped.stop();
        machine.sleep(3600);
        assert!(run.journal().may_be_lost(), "it must not change anything before it has checked its lock");
        stopped.resume();
    };
    suspend();
    run.journal().intend(&server(), Action::Create, "server").await.unwrap();
    assert!(!run.journal().may_be_lost());
    suspend();
    run.save(&mut state).await.unwrap();
    assert!(!run.journal().may_be_lost());
    run.end().await.unwrap();
}

async fn a_lost_answer_does_not_fence_the_run(blobs: &Arc<dyn Blobs>) {
    let lossy = Unreliable::new(blobs);
    let view: Arc<dyn Blobs> = Arc::<Unreliable>::clone(&lossy);
    let (mut run, remembered) = store(&view, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let lock = store(blobs, "two", 2).lock();
    let serial = async || lock.read().await.unwrap().unwrap().0.serial;
    lossy.lose("99.lock", 2);
    until("lost answers", async || lossy.has_lost_all()).await;
    let lost = serial().await;
    until("renewals", async || serial().await > lost + 1).await;
    // Every renewal must differ: a waiting run takes the lock over if it stays unchanged.
    let mut renewals = lossy.written("99.lock");
    let count = renewals.len();
    renewals.sort();
    renewals.dedup();
    assert!(count >= 5 && renewals.len() == count, "{} of {count} differ", renewals.len());

    lossy.lose("99.journal", 1);
    let error = run.journal().intend(&server(), Action::Create, "server").await.unwrap_err();
    assert!(!matches!(error, StateError::Fenced { .. }), "{error}");
    run.journal().intend(&server(), Action::Update, "server").await.unwrap();

    lossy.lose("99.json", 1);
    let mut state = State { serial: remembered.state.serial, ..State::new("99", ACCOUNT) };
    let error = run.save(&mut state).await.unwrap_err();
    assert!(!matches!(error, StateError::Fenced { .. }), "{error}");
    state.identities.insert(server(), "s-1".into());
    run.save(&mut state).await.unwrap();
    assert!(!run.journal().may_be_lost());
    run.end().await.unwrap();
    let after = store(blobs, "two", 2).load().await.unwrap();
    assert_eq!((after.unfinished.len(), after.state.identities.len()), (2, 1));
}

async fn a_hanging_call_does_not_cost_the_lock(blobs: &Arc<dyn Blobs>) {
    let hanging = Unreliable::new(blobs);
    let view: Arc<dyn Blobs> = Arc::<Unreliable>::clone(&hanging);
    let (run, _) = store(&view, "one", 1).begin("deploy", TERMS, &|_| {}).await.unwrap();
    let operation = run.journal().intend(&server(), Action::Create, "server").await.unwrap();
    hanging.hang_at("99.lock");
    until("a renewal that hangs", async || hanging.hangs()).await;
    is_refused(blobs).await;
    run.journal().done(&operation, &server(), Some("s-1"));
    hanging.hang_at("99.journal");
    until("a journal that hangs", async || hanging.hangs()).await;
    is_refused(blobs).await;
    assert!(!run.journal().may_be_lost());
    drop(run);
}
