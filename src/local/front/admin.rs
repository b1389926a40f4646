//! The front's own paths, `/_sftpctl/…`, beside AWS's (no bucket can have such a name).

use std::sync::PoisonError;

use axum::body::{Body, to_bytes};
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use super::Front;
use super::upstream::plain;
use crate::local::control::{ServerStatus, Status};
use crate::local::delay::DelayChange;

/// What all of them start with.
pub(super) const PREFIX: &str = "/_sftpctl/";

pub(super) async fn answer(front: &Front, parts: &Parts, path: &str, body: Body) -> Response<Body> {
    // A web page in a browser on this machine could reach this port too; it always says where it comes from.
    if parts.headers.contains_key(header::ORIGIN) {
        return plain(StatusCode::FORBIDDEN, "not for web pages");
    }
    match (&parts.method, path) {
        (&Method::GET, "status") => json(&status(front).await),
        (&Method::GET, "calls") => json(&front.calls.counted()),
        (&Method::POST, "calls/reset") => {
            front.calls.reset();
            json(&front.calls.counted())
        }
        (&Method::GET, "settings") => json(&front.delays()),
        (&Method::POST, "settings") => {
            let Ok(bytes) = to_bytes(body, 4096).await else {
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the settings are too large");
            };
            let changed = serde_json::from_slice::<DelayChange>(&bytes)
                .map_err(|error| error.to_string())
                .and_then(|change| front.delays().changed(change).map_err(|name| format!("{name} is no time")));
            match changed {
                Ok(delays) => {
                    *front.delays.write().unwrap_or_else(PoisonError::into_inner) = delays;
                    json(&delays)
                }
                Err(what) => plain(StatusCode::BAD_REQUEST, &what),
            }
        }
        _ => plain(StatusCode::NOT_FOUND, "there are: GET status, calls, settings; POST calls/reset, settings"),
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
        endpoint: Some(super::super::control::endpoint(front.port)),
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
