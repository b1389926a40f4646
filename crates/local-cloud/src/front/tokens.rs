//! Stack operations that are asked for again with the same `ClientRequestToken`: a caller that lost the answer. As on AWS they
//! are answered as they were, and not begun a second time; MiniStack begins them again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::operation::Form;
use crate::transfer::Place;

/// What was asked for, and where.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    account: String,
    region: String,
    operation: String,
    stack: String,
    token: String,
}

/// Answers that were given.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<Asked, String>>);

impl Asked {
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
    pub(super) fn answer(&self, asked: &Asked) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(asked).cloned()
    }

    /// Remembers what it was answered with; what was refused is not to be remembered, since it may be asked for again.
    pub(super) fn keep(&self, asked: Asked, answer: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(asked, answer.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(operation: &str, token: &str) -> Option<Asked> {
        let place = Place { account: "111111111111".into(), region: "us-west-2".into() };
        Asked::of(place, operation, &Form::parse(format!("StackName=s&ClientRequestToken={token}").as_bytes()))
    }

    #[test]
    fn only_the_same_request_is_answered_without_being_begun() {
        let tokens = Tokens::default();
        let first = request("UpdateStack", "one").unwrap();
        assert_eq!(tokens.answer(&first), None);
        tokens.keep(first.clone(), "<StackId>1</StackId>");
        assert_eq!(tokens.answer(&first).as_deref(), Some("<StackId>1</StackId>"));
        for other in [request("UpdateStack", "two"), request("DeleteStack", "one")] {
            assert_eq!(tokens.answer(&other.unwrap()), None);
        }
        let place = Place { account: "111111111111".into(), region: "us-west-2".into() };
        assert!(Asked::of(place, "UpdateStack", &Form::parse(b"StackName=s")).is_none(), "no token, no memory");
    }
}
