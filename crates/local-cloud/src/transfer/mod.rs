//! The control plane of AWS Transfer Family.
//!
//! Each operation is a function, whose input [`model`] has checked, and an arm in [`answer`]. This module has the
//! settings and the state of servers only; their SFTP endpoints are in the module `sftp`.

mod endpoint;
mod error;
mod host_key;
mod identity;
mod model;
mod policies;
mod rules;
mod servers;
mod store;
mod tags;
mod workflows;

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::addresses::Addresses;
use crate::place::Place;

pub(crate) use error::ApiError;
pub(crate) use host_key::KeyFolder;
pub(crate) use policies::{SecurityPolicy, security_policy};
pub(crate) use rules::is_user_name;
pub(crate) use store::{Server, State, Store};
pub(crate) use workflows::Workflow;

/// Prefix of the header `X-Amz-Target` in calls of Transfer Family.
pub(crate) const TARGET_PREFIX: &str = "TransferService.";

/// The services of the local cloud that operations need. A trait, so that this module does not depend on the front.
#[async_trait]
pub(crate) trait Neighbors: Sync {
    /// Asks a server's identity provider, and answers as `TestIdentityProvider` does.
    async fn test_identity_provider(&self, server: (&Place, &str, &Server), user: &User<'_>) -> Value;

    /// Whether a log group of exactly this name exists.
    async fn log_group_exists(&self, place: &Place, name: &str) -> Result<bool, String>;

    /// Passes an operation on workflows on. The error is the code and the message.
    async fn workflows(&self, place: &Place, operation: &str, input: &Value) -> Result<Value, (String, String)>;

    /// Whether a role exists whose trust policy admits Transfer Family for a workflow.
    async fn runs_workflows(&self, place: &Place, role: &str, workflow: &str) -> Result<(), String>;

    /// The VPCs of subnets or security groups, by an operation of EC2 and the IDs, in their order.
    async fn vpcs(&self, place: &Place, kind: NetworkKind, ids: &[&str]) -> Result<Vec<String>, String>;

    /// Whether an internet gateway is attached to a VPC.
    async fn has_internet_gateway(&self, place: &Place, vpc: &str) -> Result<bool, String>;
}

/// Parts of a network that have a VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkKind {
    Subnet,
    SecurityGroup,
}

/// The log-in attempt in a call of `TestIdentityProvider`.
pub(crate) struct User<'a> {
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
    /// For example `SFTP`.
    pub(crate) protocol: &'a str,
    pub(crate) source_ip: &'a str,
}

/// The parts of the local cloud that operations use.
pub(crate) struct Context<'a> {
    /// The account and region of the call.
    pub(crate) place: Place,
    pub(crate) store: &'a Store,
    pub(crate) addresses: &'a Addresses,
    /// The private host keys of the servers.
    pub(crate) keys: &'a KeyFolder,
    /// The rest of the local cloud.
    pub(crate) neighbors: &'a dyn Neighbors,
    /// Time that a change of state takes.
    pub(crate) start_time: Duration,
}

/// Answers a call; `None` is an answer without a body, as for AWS's operations without output.
pub(crate) async fn answer(context: &Context<'_>, operation: &str, body: &[u8]) -> Result<Option<Value>, ApiError> {
    if !OPERATIONS.contains(&operation) {
        let what = format!(
            "the local cloud does not model {TARGET_PREFIX}{operation}; it has {}. See docs/local-cloud.md",
            OPERATIONS.join(", ")
        );
        return Err(ApiError::protocol(400, "UnknownOperationException", what));
    }
    let input = model::parse(operation, body)?;
    match operation {
        "CreateServer" => servers::create(context, input).await.map(Some),
        "CreateWorkflow" | "DescribeWorkflow" | "ListWorkflows" => {
            workflows::pass(context, operation, input).await.map(Some)
        }
        "DeleteWorkflow" => workflows::pass(context, operation, input).await.map(|_| None),
        "DescribeServer" => servers::describe(context, &input).map(Some),
        "ListServers" => servers::list(context, &input).map(Some),
        "UpdateServer" => servers::update(context, input).await.map(Some),
        "StartServer" => servers::start(context, &input).map(|()| None),
        "StopServer" => servers::stop(context, &input).map(|()| None),
        "DeleteServer" => servers::delete(context, &input).map(|()| None),
        "TagResource" => tags::tag(context, &input).map(|()| None),
        "UntagResource" => tags::untag(context, &input).map(|()| None),
        "ListTagsForResource" => tags::list(context, &input).map(Some),
        "ImportHostKey" => host_key::import(context, &input).map(Some),
        "ListHostKeys" => host_key::list(context, &input).map(Some),
        "DescribeHostKey" => host_key::describe(context, &input).map(Some),
        "DeleteHostKey" => host_key::delete(context, &input).map(|()| None),
        "UpdateHostKey" => host_key::update(context, &input).map(Some),
        "TestIdentityProvider" => identity::test(context, &input).await.map(Some),
        "ListSecurityPolicies" => policies::list(&input).map(Some),
        "DescribeSecurityPolicy" => policies::describe(&input).map(Some),
        other => Err(ApiError::internal(format!("{other} is listed but not implemented"))),
    }
}

/// The operations that [`answer`] has an arm for.
const OPERATIONS: [&str; 22] = [
    "CreateServer",
    "CreateWorkflow",
    "DeleteHostKey",
    "DeleteServer",
    "DeleteWorkflow",
    "DescribeHostKey",
    "DescribeSecurityPolicy",
    "DescribeServer",
    "DescribeWorkflow",
    "ImportHostKey",
    "ListHostKeys",
    "ListSecurityPolicies",
    "ListServers",
    "ListTagsForResource",
    "ListWorkflows",
    "StartServer",
    "StopServer",
    "TagResource",
    "TestIdentityProvider",
    "UntagResource",
    "UpdateHostKey",
    "UpdateServer",
];

/// A string member; "" if it is not set. The model has checked that required members are set.
fn text<'a>(input: &'a Map<String, Value>, name: &str) -> &'a str {
    input.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// One page of `items`, in their order, and the token of the next page.
///
/// The token is the key of the last item shown, so that a page stays correct when items are added or removed between
/// calls.
fn page<T>(
    input: &Map<String, Value>,
    items: impl IntoIterator<Item = (String, T)>,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    const MAX_PAGE: usize = 1000;
    const MARK: &str = "after:";
    let size =
        input.get("MaxResults").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok()).unwrap_or(MAX_PAGE);
    let after = match input.get("NextToken").and_then(Value::as_str) {
        None => None,
        Some(token) => {
            let bytes = aws_smithy_types::base64::decode(token).map_err(|_| ApiError::invalid_next_token())?;
            let text = String::from_utf8(bytes).map_err(|_| ApiError::invalid_next_token())?;
            Some(text.strip_prefix(MARK).ok_or_else(ApiError::invalid_next_token)?.to_owned())
        }
    };
    let mut rest = items.into_iter().filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).peekable();
    let mut shown = Vec::new();
    let mut last = String::new();
    while shown.len() < size
        && let Some((key, item)) = rest.next()
    {
        shown.push(item);
        last = key;
    }
    let next = rest.peek().map(|_| aws_smithy_types::base64::encode(format!("{MARK}{last}")));
    Ok((shown, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(size: u64, token: Option<String>) -> Map<String, Value> {
        let mut input = Map::new();
        input.insert("MaxResults".to_owned(), size.into());
        if let Some(token) = token {
            input.insert("NextToken".to_owned(), token.into());
        }
        input
    }

    #[test]
    fn pages_cover_everything_once() {
        let items = || ["a", "b", "c", "d", "e"].map(|key| (key.to_owned(), key));
        for size in 1..7 {
            let (mut all, mut token) = (Vec::new(), None);
            loop {
                let (shown, next) = page(&request(size, token), items()).unwrap();
                assert!(!shown.is_empty() && shown.len() as u64 <= size);
                all.extend(shown);
                token = next;
                if token.is_none() {
                    break;
                }
            }
            assert_eq!(all, ["a", "b", "c", "d", "e"]);
        }
    }

    #[test]
    fn invalid_token_is_refused() {
        for token in ["x", "bm90IG91cnM=", "!"] {
            let error = page(&request(1, Some(token.to_owned())), [("a".to_owned(), 1)]).unwrap_err();
            assert_eq!(error.code, "InvalidNextTokenException");
        }
    }
}
