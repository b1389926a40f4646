//! Calls held open until they are released or their caller disconnects.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::oneshot;

use crate::front::call::Call;

/// Whether a call is held before or after its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Stage {
    Before,
    After,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::front) struct Hold {
    id: u64,
    stage: Stage,
    #[serde(flatten)]
    call: Call,
}

#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last: u64,
    waiting: BTreeMap<u64, (Hold, oneshot::Sender<()>)>,
}

/// Removes the hold when the wait ends, also when hyper drops the wait because the caller has disconnected.
struct Entry<'a>(&'a Holds, u64);

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.0.open().waiting.remove(&self.1);
    }
}

impl Holds {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the call is released.
    pub(super) async fn wait(&self, call: &Call, stage: Stage) {
        let (release, released) = oneshot::channel();
        let entry = {
            let mut open = self.open();
            open.last += 1;
            let id = open.last;
            open.waiting.insert(id, (Hold { id, stage, call: call.clone() }, release));
            Entry(self, id)
        };
        // Dropping the sender releases the call.
        let _ = released.await;
        drop(entry);
    }

    /// Releases all held calls.
    pub(super) fn release(&self) {
        self.open().waiting.clear();
    }

    pub(super) fn all(&self) -> Vec<Hold> {
        self.open().waiting.values().map(|(hold, _)| hold.clone()).collect()
    }
}
