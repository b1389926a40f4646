//! Repeated stack operations with the same `ClientRequestToken`, from a caller that lost the answer. As on AWS, they
//! get the first answer and are not started again; MiniStack would start them again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::operation::Form;
use crate::place::Place;

/// The identity of a request.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    account: String,
    region: String,
    operation: String,
    stack: String,
    token: String,
}

#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<RequestKey, String>>);

impl RequestKey {
    /// `None` if the request has no token.
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
    /// The earlier answer to this request.
    pub(super) fn answer(&self, key: &RequestKey) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Stores the answer. Callers must not store errors, because a failed request may be repeated.
    pub(super) fn keep(&self, key: RequestKey, answer: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(operation: &str, token: &str) -> Option<RequestKey> {
        let place = Place { account: "111111111111".into(), region: "us-west-2".into() };
        RequestKey::of(place, operation, &Form::parse(format!("StackName=s&ClientRequestToken={token}").as_bytes()))
    }

    #[test]
    fn same_request_gets_the_earlier_answer() {
        let tokens = Tokens::default();
        let first = request("UpdateStack", "one").unwrap();
        assert_eq!(tokens.answer(&first), None);
        tokens.keep(first.clone(), "<StackId>1</StackId>");
        assert_eq!(tokens.answer(&first).as_deref(), Some("<StackId>1</StackId>"));
        for other in [request("UpdateStack", "two"), request("DeleteStack", "one")] {
            assert_eq!(tokens.answer(&other.unwrap()), None);
        }
        let place = Place { account: "111111111111".into(), region: "us-west-2".into() };
        assert!(
            RequestKey::of(place, "UpdateStack", &Form::parse(b"StackName=s")).is_none(),
            "without a token nothing is stored"
        );
    }
}
