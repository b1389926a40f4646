//! Counts incoming calls by `service.Operation`, and logs them in order.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::call::Call;
use super::faults::Fault;

/// Maximum number of calls in the log; the counters count all.
const MAX_LOGGED: usize = 20_000;

#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<Records>);

#[derive(Debug, Default)]
struct Records {
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
    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts and logs a call.
    pub(super) fn record(&self, call: &Call, fault: Option<&Fault>) {
        let mut records = self.records();
        records.total += 1;
        *records.counts.entry(call.name()).or_default() += 1;
        if records.log.len() == MAX_LOGGED {
            records.log.pop_front();
        }
        let logged = Logged { number: records.total, call: call.clone(), fault: fault.cloned() };
        records.log.push_back(logged);
    }

    /// The counters and their sum.
    pub(super) fn counted(&self) -> Counted {
        let records = self.records();
        Counted { total: records.total, calls: records.counts.clone() }
    }

    /// The last calls, in order.
    pub(super) fn log(&self) -> Vec<Logged> {
        self.records().log.iter().cloned().collect()
    }

    /// Clears the counters and the log.
    pub(super) fn reset(&self) {
        *self.records() = Records::default();
    }
}
