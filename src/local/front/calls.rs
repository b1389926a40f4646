//! Counts the calls that come in, by `service.Operation`.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Calls(Mutex<BTreeMap<String, u64>>);

/// The counters at one moment.
#[derive(Debug, Serialize)]
pub(super) struct Counted {
    total: u64,
    calls: BTreeMap<String, u64>,
}

impl Calls {
    /// One more.
    pub(super) fn count(&self, service: &str, operation: &str) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(format!("{service}.{operation}")).or_default() += 1;
    }

    /// All, and their sum.
    pub(super) fn counted(&self) -> Counted {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Counted { total: calls.values().sum(), calls }
    }

    /// Starts from nothing.
    pub(super) fn reset(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
