//! The client for MiniStack: passes requests on unchanged, and sends the few calls of the front itself.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::caller::Scope;
use crate::place::Place;
use crate::secret::{HEADER, Secret};

/// Headers that belong to one connection and not to the message: RFC 9110, section 7.6.1. `Expect` has been answered by
/// the time a body is passed on.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

pub(crate) struct Upstream {
    authority: Authority,
    client: Client<HttpConnector, Body>,
    /// What MiniStack wants to see.
    secret: Secret,
}

impl Upstream {
    /// A client of the MiniStack on this port of 127.0.0.1.
    pub(crate) fn new(port: u16, secret: Secret) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // MiniStack closes idle connections after 75 s.
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector);
        #[expect(clippy::expect_used, reason = "an address and a number always form an authority")]
        let authority = format!("127.0.0.1:{port}").parse().expect("a valid authority");
        Self { authority, client, secret }
    }

    /// Passes a request on with method, path, query, headers and body unchanged, and returns the answer. Only the host is
    /// that of MiniStack, which would find other services by other hosts.
    pub(super) async fn pass(&self, mut parts: Parts, body: Body) -> Response<Body> {
        let mut uri = parts.uri.into_parts();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(self.authority.clone());
        let Ok(uri) = Uri::from_parts(uri) else {
            return plain(StatusCode::BAD_REQUEST, "the request's target is not a path");
        };
        parts.uri = uri;
        parts.version = hyper::Version::HTTP_11;
        strip(&mut parts.headers);
        if let Ok(host) = HeaderValue::from_str(self.authority.as_str()) {
            parts.headers.insert(header::HOST, host);
        }
        if let Ok(secret) = HeaderValue::from_str(self.secret.as_str()) {
            parts.headers.insert(HEADER, secret);
        }
        match self.client.request(Request::from_parts(parts, body)).await {
            Ok(response) => {
                let (mut parts, body) = response.into_parts();
                strip(&mut parts.headers);
                Response::from_parts(parts, Body::new(body))
            }
            Err(error) => {
                tracing::warn!(%error, "MiniStack did not answer");
                plain(StatusCode::SERVICE_UNAVAILABLE, "MiniStack, behind the local cloud's front, did not answer")
            }
        }
    }

    /// Whether a log group of exactly this name exists.
    pub(crate) async fn log_group_exists(&self, place: &Place, name: &str) -> Result<bool, String> {
        let target = "Logs_20140328.DescribeLogGroups";
        let body = serde_json::json!({ "logGroupNamePrefix": name }).to_string();
        let answer =
            self.ask(&place.account, &place.region, "logs", Some(target), "application/x-amz-json-1.1", &body).await?;
        let answer: serde_json::Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
        let groups = answer["logGroups"].as_array().into_iter().flatten();
        Ok(groups.into_iter().any(|group| group["logGroupName"] == name))
    }

    /// The answer of a CloudFormation operation on one stack or on all; `None` if it is refused.
    pub(super) async fn cloudformation(&self, place: &Place, action: &str, stack: Option<&str>) -> Option<String> {
        let mut form = format!("Action={action}&Version=2010-05-15");
        if let Some(stack) = stack {
            form += "&StackName=";
            form.extend(stack.bytes().map(percent));
        }
        let kind = "application/x-www-form-urlencoded";
        self.ask(&place.account, &place.region, "cloudformation", None, kind, &form).await.ok()
    }

    /// Sends one of the front's own calls. Returns the body, as an error if the call failed.
    pub(crate) async fn ask(
        &self,
        access_key: &str,
        region: &str,
        service: &str,
        target: Option<&str>,
        content_type: &'static str,
        body: &str,
    ) -> Result<String, String> {
        let scope = Scope { access_key: access_key.to_owned(), region: region.to_owned(), service: service.to_owned() };
        let mut request = Request::post("/").header(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(target) = target {
            request = request.header("x-amz-target", target);
        }
        let request = request.body(Body::from(body.to_owned())).map_err(|error| error.to_string())?;
        let (mut parts, body) = request.into_parts();
        sign(&mut parts.headers, &scope);
        let response = self.pass(parts, body).await;
        let status = response.status();
        let bytes = to_bytes(response.into_body(), MAX_BUFFERED).await.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() { Ok(text) } else { Err(text) }
    }
}

/// Signs a request for MiniStack, which reads account and region from the scope and does not verify the signature.
pub(super) fn sign(headers: &mut HeaderMap, scope: &Scope) {
    let Scope { access_key, region, service } = scope;
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/20260101/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    );
    if let Ok(authorization) = HeaderValue::from_str(&authorization) {
        headers.insert(header::AUTHORIZATION, authorization);
    }
}

/// Maximum size of a body that the front buffers: a template in CreateStack has at most 51,200 bytes, and a
/// DescribeStacks of a whole region is far smaller than this.
pub(super) const MAX_BUFFERED: usize = 8 << 20;

/// Maximum size of a request that is not for S3: a package of 50 MB in Base64, and what is around it.
pub(super) const MAX_REQUEST: usize = 70 << 20;

/// A byte of a form's value.
pub(super) fn percent(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
}

fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

/// A plain-text answer of the front.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
