//! Calls kept open until somebody lets go of them, or their caller goes away.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::oneshot;

use crate::front::call::Call;

/// When a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Stage {
    Before,
    After,
}

/// A call that waits.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::front) struct Hold {
    id: u64,
    stage: Stage,
    #[serde(flatten)]
    call: Call,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Holds(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    last: u64,
    waiting: BTreeMap<u64, (Hold, oneshot::Sender<()>)>,
}

/// Takes the hold back when the wait is over, however it ends: hyper drops it when the caller is gone.
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

    /// Waits to be released.
    pub(super) async fn wait(&self, call: &Call, stage: Stage) {
        let (release, released) = oneshot::channel();
        let entry = {
            let mut open = self.open();
            open.last += 1;
            let id = open.last;
            open.waiting.insert(id, (Hold { id, stage, call: call.clone() }, release));
            Entry(self, id)
        };
        // A sender that was dropped means the same as a message.
        let _ = released.await;
        drop(entry);
    }

    /// Lets all go on.
    pub(super) fn release(&self) {
        self.open().waiting.clear();
    }

    pub(super) fn all(&self) -> Vec<Hold> {
        self.open().waiting.values().map(|(hold, _)| hold.clone()).collect()
    }
}
