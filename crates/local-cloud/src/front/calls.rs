//! Counts incoming calls by `service.Operation`, and logs them in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::call::Call;
use super::faults::Fault;

/// Maximum number of calls in the log; the counters count all.
const MOST_LOGGED: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    total: u64,
    counts: BTreeMap<String, u64>,
    log: VecDeque<Logged>,
}

/// A call in the log, numbered in the order of arrival.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Logged {
    number: u64,
    #[serde(flatten)]
    call: Call,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
}

/// A snapshot of the counters.
#[derive(Debug, Serialize)]
pub(super) struct Counted {
    total: u64,
    calls: BTreeMap<String, u64>,
}

impl Calls {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts and logs a call.
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

    /// The counters and their sum.
    pub(super) fn counted(&self) -> Counted {
        let seen = self.seen();
        Counted { total: seen.total, calls: seen.counts.clone() }
    }

    /// The last calls, in order.
    pub(super) fn log(&self) -> Vec<Logged> {
        self.seen().log.iter().cloned().collect()
    }

    /// Clears the counters and the log.
    pub(super) fn reset(&self) {
        *self.seen() = Seen::default();
    }
}
