//! Whether a call may be made at all: the first thing that is asked about it.

use axum::body::{Body, to_bytes};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::call::Call;
use super::upstream::{MAX_REQUEST, plain};
use super::{Front, authorize, refusal};
use crate::function_key::Execution;
use crate::functions;

/// What a call was authorized as.
pub(super) enum Permit {
    /// A call of a function, whose session only the front knows.
    OfFunction,
    OfCaller {
        /// The message that stands for "not found".
        hides_missing: Option<String>,
        /// The session is one that only the front knows.
        is_granted: bool,
    },
}

/// Authorizes a call, before anything else looks at what it is about. Returns its body.
///
/// # Errors
/// The refusal.
pub(super) async fn permitted(
    front: &Front,
    call: &Call,
    parts: &Parts,
    body: Body,
) -> Result<(Permit, Body), Response<Body>> {
    if let Some(function) = Execution::of(parts) {
        let body = function_body(front, call, &function, body).await?;
        return Ok((Permit::OfFunction, body));
    }
    let (body, hides_missing, is_granted) = authorize::check(front, call, parts, body).await?.split();
    Ok((Permit::OfCaller { hides_missing, is_granted }, body))
}

/// Authorizes a call of a Lambda function by its execution role. Returns its body.
///
/// # Errors
/// The refusal.
async fn function_body(front: &Front, call: &Call, function: &Execution, body: Body) -> Result<Body, Response<Body>> {
    let Ok(body) = to_bytes(body, MAX_REQUEST).await else {
        return Err(plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"));
    };
    let what = (call.service.as_str(), call.operation.as_str(), call.region.as_str());
    if let Err(refused) = functions::authorize(&front.cloud, function, what, &body).await {
        tracing::warn!(function = function.name, call = call.name(), refused.code, refused.message, "refused");
        return Err(refusal::error(call, 400, refused.code, &refused.message));
    }
    Ok(Body::from(body))
}
