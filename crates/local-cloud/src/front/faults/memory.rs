//! Earlier answers, and creation times of resources, for the faults `stale` and `hideNew`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use hyper::Response;
use hyper::http::response::Parts;
use serde_json::Value;

use crate::front::call::Call;

type Answer = (Parts, Bytes);

/// Stored in memory only, and only while a rule needs it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    answers: Mutex<HashMap<String, (Instant, Answer)>>,
    /// By account, region and name.
    created_at: Mutex<HashMap<(String, String, String), Instant>>,
}

impl Memory {
    /// The earlier answer to the same request, if it is younger than `age`.
    pub(super) fn recall(&self, request: &str, age: Duration) -> Option<Response<Body>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (when, (parts, body)) = answers.get(request)?;
        (when.elapsed() < age).then(|| Response::from_parts(parts.clone(), Body::from(body.clone())))
    }

    pub(super) fn keep(&self, request: String, parts: Parts, body: Bytes) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(request, (Instant::now(), (parts, body)));
    }

    pub(super) fn record_creation(&self, call: &Call, name: &str) {
        self.created_at.lock().unwrap_or_else(PoisonError::into_inner).insert(key(call, name), Instant::now());
    }

    pub(super) fn is_new(&self, call: &Call, name: &str, age: Duration) -> bool {
        let created_at = self.created_at.lock().unwrap_or_else(PoisonError::into_inner);
        created_at.get(&key(call, name)).is_some_and(|when| when.elapsed() < age)
    }

    /// A ListServers answer without the servers that are younger than `age`.
    pub(super) fn without_new(&self, call: &Call, body: &[u8], age: Duration) -> Option<Vec<u8>> {
        let mut answer: Value = serde_json::from_slice(body).ok()?;
        let servers = answer.get_mut("Servers")?.as_array_mut()?;
        servers.retain(|server| !self.is_new(call, server["ServerId"].as_str().unwrap_or_default(), age));
        Some(answer.to_string().into_bytes())
    }

    pub(super) fn clear(&self) {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.created_at.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn key(call: &Call, name: &str) -> (String, String, String) {
    // IAM is global, whichever region a caller signs for.
    let region = if call.service == "iam" { String::new() } else { call.region.clone() };
    (call.account.clone(), region, name.to_owned())
}
