//! API Gateway tries a new log role before it takes it, and finds that IAM has not spread it yet.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Answer, Description, Inquiry, Manner};

/// The sentences, in the order in which they come.
const SENTENCES: [&str; 2] = [
    "The role ARN does not have required permissions configured. Please grant trust permission for API Gateway and add \
     the required role policy.",
    "API Gateway could not successfully write to CloudWatch Logs using the ARN specified",
];

/// By account in which a role was created: the refusals that each region has given since.
#[derive(Default)]
pub(super) struct LogRole(Mutex<HashMap<String, HashMap<String, usize>>>);

impl Manner for LogRole {
    fn description(&self) -> &'static Description {
        &Description {
            name: "log-role",
            aws: "UpdateAccount refuses a log role that was created a moment ago, in two different sentences",
            source: "terraform-provider-aws internal/service/apigateway/account.go retries both; tmobile/\
                     jazz-installer#597, maschnetwork/aws-lambda-spring-boot-3#2",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !sets_role(request) {
            return None;
        }
        let given = refusals.get_mut(&request.call.account)?.entry(request.call.region.clone()).or_default();
        let sentence = SENTENCES.get(*given)?;
        *given += 1;
        Some(refusal::error(request.call, 400, "BadRequestException", sentence))
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("iam", &["CreateRole"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if answer.status.is_success() {
            let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            refusals.insert(request.call.account.clone(), HashMap::new());
        }
    }
}

/// Whether the request sets a log role, and does not unset it.
fn sets_role(request: &Inquiry<'_>) -> bool {
    let body = request.json();
    let operations = body["patchOperations"].as_array().into_iter().flatten();
    request.is("apigateway", &["UpdateAccount"])
        && operations.into_iter().any(|one| one["value"].as_str().is_some_and(|value| value.starts_with("arn:")))
}
