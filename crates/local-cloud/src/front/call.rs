//! One call: its name, its account and region, and whether it changes anything.

use axum::body::{Body, Bytes, to_bytes};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode, header};
use serde::Serialize;

use super::operation::{self, Form};
use super::upstream::{MAX_BUFFERED, plain};
use super::{Execution, Front, caller, execute_api, transfer};

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

    /// Identifies a request. Returns the body as well, because the operation of a form has to be read from it.
    pub(super) async fn of(front: &Front, parts: &Parts, body: Body) -> Result<(Self, Body), Response<Body>> {
        let scope = caller::scope(&parts.headers, parts.uri.query());
        let signed_for = |scope: &caller::Scope| (scope.service.clone(), scope.region.clone());
        let (mut service, region) = scope.as_ref().map_or_else(|_| ("unsigned".to_owned(), String::new()), signed_for);
        let account = match (Execution::of(parts), &scope) {
            (Some(function), _) => function.account,
            (None, Ok(scope)) => match front.cloud.sessions.granted(&scope.access_key) {
                Some(session) => session.account().to_owned(),
                None => front.upstream.account(&scope.access_key, &scope.region).await,
            },
            (None, Err(_)) => String::new(),
        };
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let target = text("x-amz-target");
        let is_form = text("content-type").starts_with("application/x-www-form-urlencoded");
        let (mut body, mut role, mut protocol) = (body, None, Protocol::RestJson);
        let operation = if execute_api::host(text(header::HOST.as_str())).is_some() {
            "execute-api".clone_into(&mut service);
            parts.method.to_string()
        } else if let Some(operation) = target.strip_prefix(transfer::TARGET_PREFIX) {
            "transfer".clone_into(&mut service);
            protocol = Protocol::Json;
            operation.to_owned()
        } else if scope.is_err() {
            parts.method.to_string()
        } else if service != "s3" && is_form && parts.method == Method::POST {
            // Only the query protocols name the operation in the body; an upload to S3 is never buffered.
            let bytes: Bytes = to_bytes(body, MAX_BUFFERED)
                .await
                .map_err(|_| plain(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large"))?;
            let form = Form::parse(&bytes);
            body = Body::from(bytes);
            protocol = Protocol::Xml;
            role = form.get("RoleName").map(str::to_owned);
            operation::name(&service, parts, Some(&form))
        } else {
            protocol = match service.as_str() {
                "s3" => Protocol::S3,
                "route53" => Protocol::Xml,
                _ if text("smithy-protocol") == "rpc-v2-cbor" => Protocol::Cbor,
                _ if !target.is_empty() => Protocol::Json,
                _ => Protocol::RestJson,
            };
            operation::name(&service, parts, None)
        };
        let mutating = mutates(&service, &operation);
        let object = if service == "s3" { operation::object(parts) } else { None };
        Ok((Self { service, operation, region, account, mutating, object, role, protocol }, body))
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
