//! One call: its name, its account and region, and whether it changes anything.

use axum::body::{Body, to_bytes};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode, header};
use serde::Serialize;

use super::operation::{self, Form};
use super::upstream::{MAX_BUFFERED, MAX_REQUEST, plain};
use super::{Front, caller, canonical, execute_api, transfer};
use crate::function_key::Execution;

/// How a service puts its errors on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// XML in `ErrorResponse`: CloudFormation, IAM, STS, and Route 53 (whose protocol is rest-xml).
    Xml,
    /// S3's bare `Error`.
    S3,
    /// `__type` in JSON.
    Json,
    /// The code in a header: Lambda, API Gateway.
    RestJson,
    /// `__type` in CBOR: CloudWatch.
    Cbor,
}

/// A call's name, place and nature.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Call {
    /// The signing name; `unsigned` if there is no signature.
    pub(super) service: String,
    /// The name in AWS's models, or the HTTP method if that is unknown.
    pub(super) operation: String,
    /// The region signed for.
    pub(super) region: String,
    /// The account of the resources.
    pub(super) account: String,
    pub(super) mutating: bool,
    /// The object key of a call to S3, as encoded in the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) object: Option<String>,
    /// The role name of a call to IAM.
    #[serde(skip)]
    pub(super) role: Option<String>,
    #[serde(skip)]
    pub(super) protocol: Protocol,
}

impl Call {
    /// `service.Operation`.
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.service, self.operation)
    }

    /// Identifies a canonical request by its head. The operation of a form is in its body: [`Call::read_form`].
    pub(super) fn of(front: &Front, parts: &Parts) -> Self {
        let scope = caller::scope(&parts.headers, parts.uri.query());
        let signed_for = |scope: &caller::Scope| (scope.service.clone(), scope.region.clone());
        let (mut service, region) = scope.as_ref().map_or_else(|_| ("unsigned".to_owned(), String::new()), signed_for);
        let account = match (Execution::of(parts), &scope) {
            (Some(function), _) => function.account,
            (None, Ok(scope)) => front.account(&scope.access_key),
            (None, Err(_)) => String::new(),
        };
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let target = text("x-amz-target");
        let mut protocol = Protocol::RestJson;
        let operation = if execute_api::host(text(header::HOST.as_str())).is_some() {
            "execute-api".clone_into(&mut service);
            parts.method.to_string()
        } else if let Some(operation) = target.strip_prefix(transfer::TARGET_PREFIX) {
            "transfer".clone_into(&mut service);
            protocol = Protocol::Json;
            operation.to_owned()
        } else if scope.is_err() {
            parts.method.to_string()
        } else {
            protocol = match service.as_str() {
                "s3" => Protocol::S3,
                "route53" => Protocol::Xml,
                _ if canonical::is_form(&service, parts) => Protocol::Xml,
                _ if text("smithy-protocol") == "rpc-v2-cbor" => Protocol::Cbor,
                _ if !target.is_empty() => Protocol::Json,
                _ => Protocol::RestJson,
            };
            operation::name(&service, parts, None)
        };
        let mutating = mutates(&service, &operation);
        let object = if service == "s3" { operation::object(parts) } else { None };
        Self { service, operation, region, account, mutating, object, role: None, protocol }
    }

    /// Reads what a form says of the call, if the body is one. Returns the body as it was read.
    ///
    /// # Errors
    /// The refusal of a form that could be read in two ways.
    pub(super) async fn read_form(&mut self, parts: &mut Parts, body: Body) -> Result<Body, Response<Body>> {
        if self.protocol != Protocol::Xml || !canonical::is_form(&self.service, parts) {
            return Ok(body);
        }
        let bytes = to_bytes(body, MAX_REQUEST).await;
        let bytes = bytes.map_err(|_| plain(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large"))?;
        let twice = || plain(StatusCode::BAD_REQUEST, "a field of the form is there twice");
        let form = Form::read(&bytes).ok_or_else(twice)?;
        self.role = form.get("RoleName").map(str::to_owned);
        self.operation = operation::name(&self.service, parts, Some(&form));
        self.mutating = mutates(&self.service, &self.operation);
        parts.headers.remove(header::CONTENT_LENGTH);
        Ok(Body::from(form.encoded()))
    }

    /// The most bytes that the body may have. Lambda takes packages of 50 MB, in Base64 (Lambda developer guide, "Lambda
    /// quotas").
    pub(super) fn largest_body(&self) -> usize {
        match (self.service.as_str(), self.operation.as_str()) {
            ("lambda", "CreateFunction" | "UpdateFunctionCode") => MAX_REQUEST,
            _ => MAX_BUFFERED,
        }
    }
}

/// Whether an operation changes anything, by its name: an operation counts as mutating unless it is known to be a read.
fn mutates(service: &str, operation: &str) -> bool {
    const READS: [&str; 15] = [
        "BatchGet", "Describe", "Detect", "Estimate", "Filter", "GET", "Get", "HEAD", "Head", "List", "Query", "Scan",
        "Select", "Test", "Validate",
    ];
    // STS issues sessions, and changes no resources.
    service != "sts" && !READS.iter().any(|prefix| operation.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutating_operations_are_known_by_name() {
        for (service, operation, expected) in [
            ("transfer", "CreateServer", true),
            ("transfer", "ListServers", false),
            ("s3", "PutObject", true),
            ("s3", "HeadBucket", false),
            ("route53", "ChangeResourceRecordSets", true),
            ("dynamodb", "BatchGetItem", false),
            ("dynamodb", "TransactWriteItems", true),
            ("sts", "AssumeRole", false),
            ("cloudformation", "ExecuteChangeSet", true),
            ("unknown", "PATCH", true),
        ] {
            assert_eq!(mutates(service, operation), expected, "{operation}");
        }
    }
}
