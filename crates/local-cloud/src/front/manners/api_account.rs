//! API Gateway does not know an account that has never used it.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::Body;
use hyper::Response;

use super::super::call::Call;
use super::super::{Front, refusal};
use super::{Description, Inquiry, Key, Manner};

/// Regions in which the account has used API Gateway.
#[derive(Default)]
pub(super) struct ApiAccount(Mutex<BTreeSet<Key>>);

#[async_trait]
impl Manner for ApiAccount {
    fn description(&self) -> &'static Description {
        &Description {
            name: "api-account",
            aws: "GetAccount of API Gateway answers 404 in a region where the account has never used API Gateway",
            source: "recorded: cloud-custodian test_rest_account_missing; cloud-custodian#2033",
        }
    }

    async fn ask(&self, front: &Front, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let here = request.here("");
        if !request.is("apigateway", &["GetAccount"]) {
            // Stacks make APIs as well as callers do.
            let uses = request.call.mutating
                && (request.call.service == "apigateway"
                    || request.is("cloudformation", &["CreateStack", "UpdateStack", "ExecuteChangeSet"]));
            if uses {
                self.used().insert(here);
            }
            return None;
        }
        if self.used().contains(&here) {
            return None;
        }
        if shows_use(front, request.call).await {
            self.used().insert(here);
            return None;
        }
        let message = "Invalid Customer identifier specified";
        Some(refusal::error(request.call, 404, "NotFoundException", message))
    }
}

impl ApiAccount {
    fn used(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether MiniStack, which keeps its state over a restart, has an API or a role for logs there.
async fn shows_use(front: &Front, call: &Call) -> bool {
    let gateway = front.cloud.aws(&call.account).await.apigateway(&call.region);
    gateway.api_ids().await.is_ok_and(|apis| !apis.is_empty())
        || gateway.log_role().await.is_ok_and(|role| role.is_some())
}
