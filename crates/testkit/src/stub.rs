//! A stub of AWS that returns scripted responses and records the requests, for behavior that emulators do not have.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response};
use serde::Serialize as _;
use serde_json::Value;
use sftpctl_aws::{Aws, ConnectOptions};

#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    cbor: bool,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), cbor: false }
    }

    /// An answer of a service that speaks CBOR.
    pub fn cbor(status: u16, body: &Value) -> Self {
        Self { cbor: true, ..Self::new(status, body.to_string()) }
    }

    pub fn ok(body: impl Into<String>) -> Self {
        Self::new(200, body)
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// An error of a service that speaks JSON.
    pub fn json_error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "__type": code, "message": message, "Message": message });
        let mut reply = Self::new(status, body.to_string());
        reply.headers.push(("x-amzn-errortype", code.to_owned()));
        reply
    }

    /// An error of S3.
    pub fn s3_error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
    }

    /// An error of a service that speaks the query protocol.
    pub fn query_error(status: u16, code: &str, message: &str) -> Self {
        let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>");
        Self::new(status, format!("<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>"))
    }
}

impl Reply {
    /// The same response with the first `what` of its body replaced by `by`.
    pub fn replacing(mut self, what: &str, by: &str) -> Self {
        assert!(self.body.contains(what), "{what} is not in {}", self.body);
        self.body = self.body.replacen(what, by, 1);
        self
    }
}

/// A recorded request: the operation, its region, the expected bucket owner, the headers and the body.
#[derive(Clone, Debug)]
pub struct RecordedRequest {
    pub operation: String,
    pub region: String,
    pub owner: String,
    pub headers: HeaderMap,
    pub body: String,
}

#[derive(Default)]
struct Script {
    replies: BTreeMap<String, VecDeque<Reply>>,
    requests: Vec<RecordedRequest>,
}

/// Serves on a free port of loopback until the runtime ends. Returns the URL.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    endpoint
}

/// An HTTP server on loopback that a test connects to as AWS.
pub struct Stub {
    endpoint: String,
    script: Arc<Mutex<Script>>,
}

impl Stub {
    pub async fn new() -> Self {
        let script: Arc<Mutex<Script>> = Arc::default();
        let shared = Arc::clone(&script);
        let endpoint = serve(Router::new().fallback(move |request| answer(Arc::clone(&shared), request))).await;
        Self { endpoint, script }
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Responds to an operation with `replies` in order, then with the last one forever. Operations are named like
    /// `dynamodb:DescribeTable`, `cloudformation:CreateStack` and `s3:PUT /bucket?policy`.
    pub fn on(&self, operation: &str, replies: impl IntoIterator<Item = Reply>) -> &Self {
        self.script.lock().unwrap().replies.insert(operation.to_owned(), replies.into_iter().collect());
        self
    }

    /// The operations that were called, in order.
    pub fn operations(&self) -> Vec<String> {
        self.script.lock().unwrap().requests.iter().map(|request| request.operation.clone()).collect()
    }

    /// How often an operation was called.
    pub fn count(&self, operation: &str) -> usize {
        self.asked(operation).len()
    }

    /// All requests for an operation.
    pub fn asked(&self, operation: &str) -> Vec<RecordedRequest> {
        let script = self.script.lock().unwrap();
        script.requests.iter().filter(|request| request.operation == operation).cloned().collect()
    }

    pub async fn aws(&self, region: &str) -> Arc<Aws> {
        let options = ConnectOptions {
            profile: None,
            endpoint_url: Some(self.endpoint.clone()),
            local_account: Some("111111111111".to_owned()),
            home_region: region.to_owned(),
        };
        Arc::new(Aws::connect(options).await)
    }
}

/// The name of the operation that a request calls, and its region.
pub(crate) fn operation_of(parts: &Parts, body: &str) -> (String, String) {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut scope = header("authorization").split('/').skip(2);
    let (region, service) = (scope.next().unwrap_or_default(), scope.next().unwrap_or_default());
    let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
    // RPC v2, the protocol of CloudWatch, has the operation in the path.
    let target = header("x-amz-target").rsplit_once('.').or(parts.uri.path().rsplit_once("/operation/"));
    let operation = match (target, action) {
        (Some((_, target)), _) => format!("{service}:{target}"),
        (None, Some(action)) => format!("{service}:{action}"),
        (None, None) => {
            let query: Vec<_> = parts.uri.query().unwrap_or_default().split('&').collect();
            let sub = query.iter().find(|pair| !pair.is_empty() && !pair.contains('=')).map(|sub| format!("?{sub}"));
            format!("{service}:{} {}{}", parts.method, parts.uri.path().trim_end_matches('/'), sub.unwrap_or_default())
        }
    };
    (operation, region.to_owned())
}

async fn answer(script: Arc<Mutex<Script>>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 10_000_000).await.unwrap();
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let body = match header("content-type") {
        "application/cbor" => minicbor_serde::from_slice::<Value>(&body).unwrap().to_string(),
        _ => String::from_utf8_lossy(&body).into_owned(),
    };
    let (operation, region) = operation_of(&parts, &body);
    let owner = header("x-amz-expected-bucket-owner").to_owned();
    let mut script = script.lock().unwrap();
    script.requests.push(RecordedRequest {
        operation: operation.clone(),
        region,
        owner,
        headers: parts.headers.clone(),
        body,
    });
    let reply = match script.replies.get_mut(&operation) {
        Some(replies) if replies.len() > 1 => replies.pop_front().unwrap(),
        Some(replies) => replies.front().unwrap().clone(),
        None => Reply::json_error(400, "NotScripted", &format!("no answer is scripted for {operation}")),
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    if reply.cbor {
        let body: Value = serde_json::from_str(&reply.body).unwrap();
        let response = response.header("smithy-protocol", "rpc-v2-cbor").header("content-type", "application/cbor");
        let mut bytes = Vec::new();
        body.serialize(minicbor_serde::Serializer::new(&mut bytes).serialize_unit_as_null(true)).unwrap();
        return response.body(Body::from(bytes)).unwrap();
    }
    response.body(Body::from(reply.body)).unwrap()
}
