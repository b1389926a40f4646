//! API Gateway does not know an account that has never used it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::super::refusal;
use super::{Description, Inquiry, Key, Manner};
use axum::body::Body;
use hyper::Response;

/// Regions in which the account has used API Gateway.
#[derive(Default)]
pub(super) struct ApiAccount(Mutex<BTreeSet<Key>>);

impl Manner for ApiAccount {
    fn description(&self) -> &'static Description {
        &Description {
            name: "api-account",
            aws: "GetAccount of API Gateway answers 404 in a region where the account has never used API Gateway",
            source: "recorded: cloud-custodian test_rest_account_missing; cloud-custodian#2033",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if request.is("apigateway", &["GetAccount"]) {
            let message = "Invalid Customer identifier specified";
            return (!used.contains(&request.here("")))
                .then(|| refusal::error(request.call, 404, "NotFoundException", message));
        }
        // Stacks make APIs as well as callers do.
        let uses = request.call.mutating
            && (request.call.service == "apigateway"
                || request.is("cloudformation", &["CreateStack", "UpdateStack", "ExecuteChangeSet"]));
        if uses {
            used.insert(request.here(""));
        }
        None
    }
}
