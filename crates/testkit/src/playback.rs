//! A server that plays answers of AWS back, byte for byte, to whatever is called.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response};
use sftpctl_aws::{Aws, ConnectOptions};

use crate::stub::{operation_of, serve};

/// An answer on the wire.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Wire {
    pub fn ok(body: &str) -> Self {
        Self { status: 200, body: body.as_bytes().to_vec(), ..Self::default() }
    }
}

/// The answers to operations whose names contain a word, in order; the last one is repeated.
pub type Played = Vec<(&'static str, Vec<Wire>)>;

pub struct Playback {
    endpoint: String,
    played: Arc<Mutex<Played>>,
}

impl Playback {
    pub async fn new() -> Self {
        let played: Arc<Mutex<Played>> = Arc::default();
        let shared = Arc::clone(&played);
        let endpoint = serve(Router::new().fallback(move |request| answer(Arc::clone(&shared), request))).await;
        Self { endpoint, played }
    }

    /// Replaces the answers. The first word that an operation's name contains decides; the empty word is in every name.
    /// Operations are named as in [`Stub`](crate::stub::Stub).
    pub fn play(&self, answers: Played) {
        *self.played.lock().unwrap() = answers;
    }

    pub async fn aws(&self, region: &str) -> Aws {
        Aws::connect(ConnectOptions {
            profile: None,
            endpoint_url: Some(self.endpoint.clone()),
            local_account: Some("111111111111".to_owned()),
            home_region: region.to_owned(),
        })
        .await
    }
}

async fn answer(played: Arc<Mutex<Played>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 10_000_000).await.unwrap();
    let operation = operation_of(&parts, &String::from_utf8_lossy(&body)).0;
    let mut played = played.lock().unwrap();
    let found = played.iter_mut().find(|(word, _)| operation.contains(word));
    let wire = match found {
        Some((_, answers)) if answers.len() > 1 => answers.remove(0),
        Some((_, answers)) => answers[0].clone(),
        None => Wire { status: 400, ..Wire::default() },
    };
    let mut response = Response::builder().status(wire.status);
    for (name, value) in &wire.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(wire.body)).unwrap()
}
