//! Counts the calls that come in, by `service.Operation`, and keeps their order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::call::Call;
use super::faults::Fault;

/// How many calls are remembered one by one; the counters know of all.
const MOST_LOGGED: usize = 20_000;

/// The counters and the log.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    total: u64,
    counts: BTreeMap<String, u64>,
    log: VecDeque<Logged>,
}

/// One call, in the order of arrival.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Logged {
    number: u64,
    #[serde(flatten)]
    call: Call,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
}

/// The counters at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Counted {
    total: u64,
    calls: BTreeMap<String, u64>,
}

impl Calls {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more.
    pub(super) fn record(&self, call: &Call, fault: Option<&Fault>) {
        let mut seen = self.seen();
        seen.total += 1;
        *seen.counts.entry(call.name()).or_default() += 1;
        if seen.log.len() == MOST_LOGGED {
            seen.log.pop_front();
        }
        let logged = Logged { number: seen.total, call: call.clone(), fault: fault.cloned() };
        seen.log.push_back(logged);
    }

    /// All, and their sum.
    pub(super) fn counted(&self) -> Counted {
        let seen = self.seen();
        Counted { total: seen.total, calls: seen.counts.clone() }
    }

    /// The last calls, in order.
    pub(super) fn log(&self) -> Vec<Logged> {
        self.seen().log.iter().cloned().collect()
    }

    /// Starts from nothing.
    pub(super) fn reset(&self) {
        *self.seen() = Seen::default();
    }
}
