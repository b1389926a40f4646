//! Stack operations that are asked for again with the same `ClientRequestToken`: a caller that lost the answer. As on AWS they
//! are answered as they were, and not begun a second time; MiniStack begins them again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::operation::Form;
use super::upstream::{MOST_BUFFERED, plain};
use crate::local::transfer::Place;

/// What was asked for, and where.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Request {
    account: String,
    region: String,
    operation: String,
    stack: String,
    token: String,
}

/// Answers that were given.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<Request, Bytes>>);

impl Request {
    /// `None` where there is no token.
    pub(super) fn of(place: Place, operation: &str, form: &Form) -> Option<Self> {
        Some(Self {
            account: place.account,
            region: place.region,
            operation: operation.to_owned(),
            stack: form.get("StackName").unwrap_or_default().to_owned(),
            token: form.get("ClientRequestToken")?.to_owned(),
        })
    }
}

impl Tokens {
    /// The answer that this request had before.
    pub(super) fn answer(&self, request: &Request) -> Option<Response<Body>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(request).cloned()?;
        let mut response = Response::new(Body::from(known));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        Some(response)
    }

    /// Remembers what the request was answered with; what was refused may be asked for again.
    pub(super) async fn keep(&self, request: Request, response: Response<Body>) -> Response<Body> {
        if !response.status().is_success() {
            return response;
        }
        let (parts, body) = response.into_parts();
        let Ok(bytes) = to_bytes(body, MOST_BUFFERED).await else {
            return plain(StatusCode::BAD_GATEWAY, "the answer is too large");
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request, bytes.clone());
        Response::from_parts(parts, Body::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(operation: &str, token: &str) -> Option<Request> {
        let place = Place { account: "111111111111".into(), region: "us-west-2".into() };
        Request::of(place, operation, &Form::parse(format!("StackName=s&ClientRequestToken={token}").as_bytes()))
    }

    #[tokio::test]
    async fn only_the_same_request_is_answered_without_being_begun() {
        let tokens = Tokens::default();
        let first = request("UpdateStack", "one").unwrap();
        assert!(tokens.answer(&first).is_none());
        let refused = plain(StatusCode::BAD_REQUEST, "Throttling");
        tokens.keep(first.clone(), refused).await;
        assert!(tokens.answer(&first).is_none(), "what was refused is asked for again");
        let done = tokens.keep(first.clone(), Response::new(Body::from("<StackId>1</StackId>"))).await;
        assert_eq!(to_bytes(done.into_body(), 100).await.unwrap(), "<StackId>1</StackId>");
        let again = tokens.answer(&first).unwrap();
        assert_eq!(to_bytes(again.into_body(), 100).await.unwrap(), "<StackId>1</StackId>");
        for other in [request("UpdateStack", "two"), request("DeleteStack", "one")] {
            assert!(tokens.answer(&other.unwrap()).is_none());
        }
        let place = Place { account: "111111111111".into(), region: "us-west-2".into() };
        assert!(Request::of(place, "UpdateStack", &Form::parse(b"StackName=s")).is_none(), "no token, no memory");
    }
}
