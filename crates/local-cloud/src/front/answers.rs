//! Answers that the front makes or changes.

use axum::body::{Body, to_bytes};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};

use super::upstream::{MAX_BUFFERED, plain};

/// A random UUID, as AWS uses.
pub(crate) fn request_id() -> String {
    let digits = format!("{:032x}", fastrand::u128(..));
    format!("{}-{}-4{}-a{}-{}", &digits[..8], &digits[8..12], &digits[13..16], &digits[17..20], &digits[20..])
}

/// Changes the text of an answer, unless it is an error.
pub(super) async fn rewritten(response: Response<Body>, change: impl FnOnce(String) -> String) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if !parts.status.is_success() {
        return Response::from_parts(parts, body);
    }
    let Ok(bytes) = to_bytes(body, MAX_BUFFERED).await else {
        return plain(StatusCode::BAD_GATEWAY, "MiniStack's answer was cut off, or is too large to be rewritten");
    };
    let text = change(String::from_utf8_lossy(&bytes).into_owned());
    forget_length(&mut parts.headers);
    Response::from_parts(parts, Body::from(text))
}

/// An answer in the query protocol's form.
pub(super) fn xml(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    response
}

/// Removes the headers that describe the old bytes: the length, and DynamoDB's checksum, which SDKs verify.
pub(super) fn forget_length(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    headers.remove("x-amz-crc32");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_random_uuids() {
        for _ in 0..100 {
            let id = request_id();
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with('a'), "{id}");
            assert_ne!(id, request_id());
        }
    }
}
