//! CopyObject only if the target is as the caller believes. S3 checks this (S3 API reference, CopyObject, `If-Match` and
//! `If-None-Match`); MiniStack does it for PutObject and CompleteMultipartUpload alone.

use axum::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::caller::Scope;
use super::{Front, operation};

/// The answer to a copy whose condition does not hold; `None`: it may go on.
pub(super) async fn refusal(front: &Front, parts: &Parts, scope: &Scope) -> Option<Response<Body>> {
    let condition = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let (wanted, unwanted) = (condition(header::IF_MATCH), condition(header::IF_NONE_MATCH));
    if wanted.is_none() && unwanted.is_none() {
        return None;
    }
    let (bucket, key) = (operation::bucket(parts)?, operation::object(parts)?);
    let key = percent_encoding::percent_decode_str(&key).decode_utf8_lossy().into_owned();
    let account = front.account(&scope.access_key);
    let target = front.cloud.aws(&account).await.s3(&scope.region).head(&bucket, &key).await.ok()?;
    let plain = |etag: &str| etag.trim_matches('"').to_owned();
    let target = target.map(|target| plain(target.etag.as_deref().unwrap_or_default()));
    match (wanted, target) {
        (Some(_), None) => Some(error(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.")),
        (Some(etag), Some(target)) if etag != "*" && plain(etag) != target => Some(failed()),
        (None, Some(_)) => Some(failed()),
        _ => None,
    }
}

fn failed() -> Response<Body> {
    let message = "At least one of the pre-conditions you specified did not hold";
    error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
}

fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let xml = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let mut response = Response::new(Body::from(xml));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}
