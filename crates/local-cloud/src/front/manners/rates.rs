//! Control planes that take few calls a second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use hyper::Response;
use tokio::time::Instant;

use super::super::refusal;
use super::{Countdown, Description, Inquiry, Key, Manner};

/// A token bucket's size and its tokens a second.
const LIMITS: [(&str, f64, f64); 3] = [("route53", 5.0, 5.0), ("lambda", 15.0, 15.0), ("apigateway", 40.0, 10.0)];

#[derive(Default)]
pub(super) struct Rates {
    /// Tokens that are left, and when that was.
    buckets: Mutex<HashMap<Key, (f64, Instant)>>,
    /// Calls of UpdateAccount until the next one passes.
    updates: Countdown<Key>,
}

impl Manner for Rates {
    fn description(&self) -> &'static Description {
        &Description {
            name: "rates",
            aws: "Route 53 takes 5 calls a second in an account, Lambda's control plane 15 and API Gateway's 10 (bursts of \
                  40) in a region; more are throttled. UpdateAccount of API Gateway passes once in 20 seconds, here \
                  every other time",
            source: "Route 53 developer guide, \"Quotas\"; Lambda developer guide, \"Lambda quotas\"; API Gateway \
                     developer guide, \"Quotas for creating, deploying and managing an API\"",
        }
    }

    fn counts_every_call(&self) -> bool {
        true
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let service = request.call.service.as_str();
        let (_, size, rate) = LIMITS.iter().find(|(limited, ..)| *limited == service)?;
        // Log-ins are not calls of the control plane.
        if request.is("lambda", &["Invoke"]) {
            return None;
        }
        if request.is("apigateway", &["UpdateAccount"]) {
            let here = request.here(service);
            if self.updates.take(&here) {
                return Some(refusal::throttle(request.call));
            }
            self.updates.start(here, 1);
        }
        let key = if service == "route53" { request.global(service) } else { request.here(service) };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (tokens, then) = buckets.get(&key).copied().unwrap_or((*size, now));
        let tokens = (tokens + now.saturating_duration_since(then).as_secs_f64() * rate).min(*size);
        let passes = tokens >= 1.0;
        buckets.insert(key, (if passes { tokens - 1.0 } else { tokens }, now));
        (!passes).then(|| refusal::throttle(request.call))
    }
}
