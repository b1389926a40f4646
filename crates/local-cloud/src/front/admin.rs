//! The front's own paths, `/_sftpctl/…`: a bucket name cannot begin with an underscore.

use std::sync::PoisonError;

use axum::body::{Body, to_bytes};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use super::manners::{SOURCE_HEADER, Switch};
use super::upstream::plain;
use super::{Front, Rule, grants};
use crate::delay::DelayChange;
use crate::settings::{ServerStatus, Status};

/// Prefix of the front's own paths.
pub(super) const PREFIX: &str = "/_sftpctl/";

pub(super) async fn answer(front: &Front, parts: &Parts, path: &str, body: Body) -> Response<Body> {
    match (&parts.method, path) {
        (&Method::GET, "status") => json(&status(front).await),
        (&Method::GET, "calls") => json(&front.calls.counted()),
        (&Method::GET, "calls/log") => json(&front.calls.log()),
        (&Method::POST, "calls/reset") => {
            front.calls.reset();
            json(&front.calls.counted())
        }
        (&Method::GET, "settings") => json(&front.delays()),
        (&Method::POST, "settings") => {
            let Ok(bytes) = to_bytes(body, 4096).await else {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the settings are too large");
            };
            let changed =
                serde_json::from_slice::<DelayChange>(&bytes).map_err(|error| error.to_string()).and_then(|change| {
                    front.delays().changed(change).map_err(|name| format!("{name} is not a valid duration"))
                });
            match changed {
                Ok(delays) => {
                    *front.delays.write().unwrap_or_else(PoisonError::into_inner) = delays;
                    json(&delays)
                }
                Err(what) => plain(StatusCode::BAD_REQUEST, &what),
            }
        }
        (&Method::GET, "manners") => json(&front.manners.shown()),
        (&Method::POST, "manners") => {
            let Ok(bytes) = to_bytes(body, 4096).await else {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the switch is too large");
            };
            let switch = serde_json::from_slice::<Switch>(&bytes).map_err(|error| error.to_string());
            match switch.and_then(|switch| front.manners.switch(&switch)) {
                Ok(()) => {
                    front.cloud.waf.tell_the_address(front.manners.has(SOURCE_HEADER));
                    json(&front.manners.shown())
                }
                Err(what) => plain(StatusCode::BAD_REQUEST, &what),
            }
        }
        (&Method::POST, "grants") => {
            let Ok(bytes) = to_bytes(body, 1 << 20).await else {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the policies are too large");
            };
            let request = serde_json::from_slice(&bytes).map_err(|error| error.to_string());
            match request.and_then(|request| grants::issue(front, &request)) {
                Ok(granted) => json(&granted),
                Err(what) => plain(StatusCode::BAD_REQUEST, &what),
            }
        }
        (&Method::GET, "faults") => json(&front.faults.shown()),
        (&Method::POST, "faults") => {
            let Ok(bytes) = to_bytes(body, 4096).await else {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the rule is too large");
            };
            let rule = serde_json::from_slice::<Rule>(&bytes).map_err(|error| error.to_string());
            match rule.and_then(|rule| front.faults.add(rule)) {
                Ok(active) => json(&active),
                Err(what) => plain(StatusCode::BAD_REQUEST, &what),
            }
        }
        (&Method::POST, "faults/release") => {
            front.faults.release();
            json(&front.faults.shown())
        }
        (&Method::DELETE, "faults") => {
            front.faults.clear();
            json(&front.faults.shown())
        }
        (&Method::DELETE, path) if path.starts_with("faults/") => {
            let id = path.trim_start_matches("faults/").parse();
            match id.map(|id| front.faults.remove(id)) {
                Ok(true) => json(&front.faults.shown()),
                _ => plain(StatusCode::NOT_FOUND, "no such rule"),
            }
        }
        _ => plain(
            StatusCode::NOT_FOUND,
            "unknown path; known are: GET status, calls, calls/log, settings, manners, faults; \
             POST calls/reset, settings, manners, grants, faults, faults/release; DELETE faults, faults/ID",
        ),
    }
}

async fn status(front: &Front) -> Status {
    let ports = front.endpoints.reconcile().await;
    let servers = front.store.all().into_iter().map(|(place, id, state)| ServerStatus {
        account: place.account,
        region: place.region,
        port: ports.get(&id).copied(),
        server_id: id,
        state: state.as_str().to_owned(),
        host: "127.0.0.1".to_owned(),
    });
    Status {
        running: true,
        endpoint: Some(crate::settings::endpoint(front.port)),
        pid: Some(std::process::id().cast_signed()),
        ministack: Some(front.ministack.clone()),
        servers: servers.collect(),
        dir: front.dir.clone(),
    }
}

fn json(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => {
            let mut response = Response::new(Body::from(text + "\n"));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}
