//! Authorizes calls made by Lambda functions: a function calls AWS as a session of its execution role.
//!
//! MiniStack has no such sessions. `launch.py` issues them, and this module verifies them: first the signature, then
//! the role's policies for each table of the call. Only DynamoDB is modelled; calls to other services are refused with
//! an error that says so.

mod dynamodb;

use std::collections::BTreeMap;
use std::time::SystemTime;

use hyper::http::request::Parts;
use serde_json::Value;

use super::cloud::Cloud;
use super::execute_api::sigv4::{self, Unverified};
use crate::function_key::Execution;
use iam_model::{Caller, Decision, Request, evaluate};

/// The Python script that starts MiniStack.
pub(crate) const LAUNCHER: &str = include_str!("launch.py");

/// The environment variable that passes the key to the launcher.
pub(crate) const KEY_VARIABLE: &str = "SFTPCTL_FUNCTION_KEY";

/// Why a function's call is refused: AWS's code and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// `AccessDeniedException`, …
    pub(crate) code: &'static str,
    /// In AWS's words where AWS documents them.
    pub(crate) message: String,
}

impl Refused {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    fn denied(message: impl Into<String>) -> Self {
        Self::new("AccessDeniedException", message)
    }
}

/// Checks whether a function's call is allowed.
///
/// # Errors
/// AWS's code and message for the refusal.
pub(crate) async fn authorize(
    cloud: &Cloud,
    execution: &Execution,
    (service, operation, region): (&str, &str, &str),
    parts: &Parts,
    body: &[u8],
) -> Result<(), Refused> {
    let secret = cloud.function_key.secret(&execution.token).unwrap_or_default();
    let keys = (secret.as_str(), execution.token.as_str());
    sigv4::verify(parts, body, (region, service), keys, SystemTime::now()).map_err(|error| {
        let code = match error {
            Unverified::Missing => "MissingAuthenticationTokenException",
            Unverified::Malformed => "IncompleteSignatureException",
            Unverified::Token => "UnrecognizedClientException",
            Unverified::Scope(_) | Unverified::Expired(_) | Unverified::Mismatch => "InvalidSignatureException",
        };
        Refused::new(code, error.to_string())
    })?;
    if service != "dynamodb" {
        let text = format!("the local cloud lets functions call DynamoDB only, not {service}:{operation}");
        return Err(Refused::denied(text));
    }
    let call: Value = serde_json::from_slice(body).unwrap_or_default();
    let needs = dynamodb::needs(operation, &call, region, &execution.account).map_err(Refused::denied)?;

    let role = execution.role_arn.rsplit('/').next().unwrap_or_default();
    let aws = cloud.aws(&execution.account).await;
    let policies = cloud.roles.policies(&aws, &execution.account, role).await.map_err(Refused::denied)?;
    // Keys of a deleted role are no longer valid.
    let policies =
        policies.ok_or_else(|| Refused::new("UnrecognizedClientException", Unverified::Token.to_string()))?;
    // Requests here do not carry the values of these keys, and a missing value can make a condition hold.
    if policies.iter().any(|policy| policy.has_condition_on("dynamodb:")) {
        return Err(Refused::denied(format!(
            "the local cloud does not model condition keys of dynamodb, which {role} uses"
        )));
    }
    let unusable = |error: &dyn std::fmt::Display| Refused::denied(format!("the policies of {role}: {error}"));
    let caller = Caller::role_session(&execution.role_arn, &execution.name).map_err(|error| unusable(&error))?;
    for (action, resource) in needs {
        let request = Request {
            caller: &caller,
            action: &action,
            resource: &resource,
            resource_account: None,
            context: BTreeMap::from([
                // Lambda speaks TLS to DynamoDB.
                ("aws:SecureTransport".to_owned(), vec!["true".to_owned()]),
                ("aws:RequestedRegion".to_owned(), vec![region.to_owned()]),
            ]),
        };
        let why = match evaluate(&request, &policies, None, None).map_err(|error| unusable(&error))? {
            Decision::Allow { .. } => continue,
            Decision::ImplicitDeny { .. } => format!("because no identity-based policy allows the {action} action"),
            Decision::ExplicitDeny { .. } => "with an explicit deny in an identity-based policy".to_owned(),
        };
        return Err(Refused::denied(format!(
            "User: arn:aws:sts::{}:assumed-role/{role}/{} is not authorized to perform: {action} on resource: \
             {resource} {why}",
            execution.account, execution.name
        )));
    }
    Ok(())
}
