//! Injected faults: every call except the front's own passes through [`around`], where a rule may make it fail.

mod hold;
mod memory;
mod partly;
mod rollback;
mod rule;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

pub use rule::{Fault, Only, Rule};

use self::hold::{Hold, Holds, Stage};
use self::memory::Memory;
use super::call::Call;
use super::refusal;
use super::upstream::plain;
use super::wire::Wire;
use super::{Front, manners};

/// Maximum size of a body that a fault buffers; function packages pass through here, too.
const MAX_BODY: usize = 256 << 20;

/// The rules in force, kept in memory only.
#[derive(Debug, Default)]
pub(super) struct Faults {
    rules: Mutex<Rules>,
    holds: Holds,
    memory: Memory,
}

#[derive(Debug, Default)]
struct Rules {
    last: u64,
    active: Vec<Active>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Active {
    id: u64,
    /// The number of matching calls; `applied` of them got the fault.
    matched: u64,
    applied: u64,
    #[serde(flatten)]
    rule: Rule,
    #[serde(skip)]
    dice: fastrand::Rng,
}

impl Active {
    /// Whether the fault applies to this call; counts the call.
    fn strikes(&mut self, call: &Call) -> bool {
        if self.rule.count.is_some_and(|count| self.applied >= count) || !self.rule.matches(call) {
            return false;
        }
        self.matched += 1;
        let strikes = self.matched > self.rule.skip
            && self.rule.probability.is_none_or(|probability| self.dice.f64() < probability);
        self.applied += u64::from(strikes);
        strikes
    }
}

/// The answer to `GET /_sftpctl/faults`.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    rules: Vec<Active>,
    holds: Vec<Hold>,
}

impl Faults {
    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shown(&self) -> Shown {
        Shown { rules: self.rules().active.clone(), holds: self.holds.all() }
    }

    /// Adds a rule after the others.
    pub(super) fn add(&self, rule: Rule) -> Result<Active, String> {
        rule.check()?;
        let mut rules = self.rules();
        rules.last += 1;
        let dice = fastrand::Rng::with_seed(rule.seed);
        let active = Active { id: rules.last, matched: 0, applied: 0, rule, dice };
        rules.active.push(active.clone());
        Ok(active)
    }

    /// Removes a rule. Returns whether it existed.
    pub(super) fn remove(&self, id: u64) -> bool {
        let mut rules = self.rules();
        let before = rules.active.len();
        rules.active.retain(|active| active.id != id);
        rules.active.len() < before
    }

    /// Removes all rules and releases held calls.
    pub(super) fn clear(&self) {
        self.rules().active.clear();
        self.memory.clear();
        self.holds.release();
    }

    pub(super) fn release(&self) {
        self.holds.release();
    }

    /// The fault of the first rule that applies to a call.
    fn decide(&self, call: &Call) -> Option<Fault> {
        let mut rules = self.rules();
        rules.active.iter_mut().find_map(|active| active.strikes(call).then(|| active.rule.fault.clone()))
    }

    fn hides(&self) -> bool {
        self.rules().active.iter().any(|active| matches!(active.rule.fault, Fault::HideNew(_)))
    }
}

/// Answers a call, with the fault that applies to it, if any.
pub(super) async fn around(front: &Front, wire: &Wire, call: Call, parts: Parts, body: Body) -> Response<Body> {
    let fault = front.faults.decide(&call);
    front.calls.record(&call, fault.as_ref());
    let Some(fault) = fault else { return pass(front, call, parts, body).await };
    tracing::info!(call = call.name(), ?fault, "injected fault");
    let buffered = async |body| to_bytes(body, MAX_BODY).await.map(Body::from);
    let too_large = || plain(StatusCode::PAYLOAD_TOO_LARGE, "the request was cut off, or is too large to buffer");
    match fault {
        Fault::Throttle => refusal::throttle(&call),
        Fault::Error500 => refusal::internal(&call),
        Fault::Error { status, code, message } => refusal::error(&call, status, &code, &message),
        Fault::Delay(ms) => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            pass(front, call, parts, body).await
        }
        Fault::ResetBefore => {
            wire.cut();
            Response::new(Body::empty())
        }
        Fault::ResetAfter => {
            let response = pass(front, call, parts, body).await;
            // The call has taken effect once its answer is complete.
            let _ = to_bytes(response.into_body(), MAX_BODY).await;
            wire.cut();
            Response::new(Body::empty())
        }
        Fault::HoldBefore => {
            // Read the request to its end first: only then does hyper notice that the caller has disconnected.
            let Ok(body) = buffered(body).await else { return too_large() };
            front.faults.holds.wait(&call, Stage::Before).await;
            pass(front, call, parts, body).await
        }
        Fault::HoldAfter => {
            let Ok(body) = buffered(body).await else { return too_large() };
            let (head, body) = pass(front, call.clone(), parts, body).await.into_parts();
            let Ok(body) = buffered(body).await else { return too_large() };
            front.faults.holds.wait(&call, Stage::After).await;
            Response::from_parts(head, body)
        }
        Fault::RollBack => {
            let Ok(body) = to_bytes(body, MAX_BODY).await else { return too_large() };
            match rollback::failing(front, &call, &body).await {
                Some(failing) => {
                    let mut parts = parts;
                    parts.headers.remove(header::CONTENT_LENGTH);
                    let response = pass(front, call.clone(), parts, Body::from(failing)).await;
                    rollback::tag_kept_buckets(front, &call, &body).await;
                    response
                }
                None => refusal::error(&call, 400, "ValidationError", "the fault rollBack needs a template in JSON"),
            }
        }
        Fault::Partly => {
            let Ok(body) = to_bytes(body, MAX_BODY).await else { return too_large() };
            let Some(cut) = partly::cut(&call, &body) else { return pass(front, call, parts, Body::from(body)).await };
            let mut parts = parts;
            parts.headers.remove(header::CONTENT_LENGTH);
            let (mut head, answer) = pass(front, call, parts, Body::from(cut.body.to_string())).await.into_parts();
            let Ok(bytes) = to_bytes(answer, MAX_BODY).await else { return broken() };
            // MiniStack's checksum of the answer would no longer be right.
            head.headers.remove(header::CONTENT_LENGTH);
            head.headers.remove("x-amz-crc32");
            let whole = if head.status.is_success() { cut.answer(&bytes) } else { None };
            Response::from_parts(head, whole.map_or_else(|| Body::from(bytes), |whole| Body::from(whole.to_string())))
        }
        Fault::Stale(ms) => stale(front, call, parts, body, Duration::from_millis(ms)).await,
        Fault::HideNew(ms) => hidden(front, call, parts, body, Duration::from_millis(ms)).await,
    }
}

/// Passes a call on, and records what it creates while a rule may have to hide it.
async fn pass(front: &Front, call: Call, parts: Parts, body: Body) -> Response<Body> {
    let creates = front.faults.hides() && matches!(call.operation.as_str(), "CreateServer" | "CreateRole");
    if !creates {
        return manners::around(front, &call, parts, body).await;
    }
    let (head, body) = manners::around(front, &call, parts, body).await.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BODY).await else { return broken() };
    if head.status.is_success() {
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if let Some(name) = answer["ServerId"].as_str().or(call.role.as_deref()) {
            front.faults.memory.record_creation(&call, name);
        }
    }
    Response::from_parts(head, Body::from(bytes))
}

async fn stale(front: &Front, call: Call, parts: Parts, body: Body, age: Duration) -> Response<Body> {
    let Ok(request_body) = to_bytes(body, MAX_BODY).await else { return broken() };
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let request = format!(
        "{} {} {} {} {target} {}",
        call.account,
        call.region,
        parts.method,
        parts.uri,
        String::from_utf8_lossy(&request_body)
    );
    if let Some(earlier) = front.faults.memory.recall(&request, age) {
        return earlier;
    }
    let (head, body) = pass(front, call, parts, Body::from(request_body)).await.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BODY).await else { return broken() };
    front.faults.memory.keep(request, head.clone(), Bytes::clone(&bytes));
    Response::from_parts(head, Body::from(bytes))
}

async fn hidden(front: &Front, call: Call, parts: Parts, body: Body, age: Duration) -> Response<Body> {
    let memory = &front.faults.memory;
    match (call.operation.as_str(), &call.role) {
        ("GetRole", Some(role)) if memory.is_new(&call, role, age) => {
            refusal::error(&call, 404, "NoSuchEntity", &format!("The role with name {role} cannot be found."))
        }
        ("ListServers", _) => {
            let (mut head, body) = pass(front, call.clone(), parts, body).await.into_parts();
            let Ok(bytes) = to_bytes(body, MAX_BODY).await else { return broken() };
            head.headers.remove(header::CONTENT_LENGTH);
            let shown = memory.without_new(&call, &bytes, age);
            Response::from_parts(head, shown.map_or_else(|| Body::from(bytes), Body::from))
        }
        _ => pass(front, call, parts, body).await,
    }
}

fn broken() -> Response<Body> {
    plain(StatusCode::BAD_GATEWAY, "a body was cut off, or is too large to buffer")
}
