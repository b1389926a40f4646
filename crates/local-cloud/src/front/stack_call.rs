//! Calls of CloudFormation: repeated ones get the same answer, and operations take the time that was asked for.

use axum::body::Body;
use hyper::Response;
use hyper::header;
use hyper::http::request::Parts;

use super::answers::{rewritten, xml};
use super::caller::Scope;
use super::operation::Form;
use super::tokens::RequestKey;
use super::{Front, bucket_tags, snapshot};
use crate::place::Place;

/// Answers a call of CloudFormation.
pub(super) async fn stack_call(
    front: &Front,
    parts: Parts,
    scope: &Scope,
    operation: &str,
    form: &Form,
    body: Body,
) -> Response<Body> {
    let account = front.account(&scope.access_key);
    let place = Place { account, region: scope.region.clone() };
    let key = RequestKey::of(place.clone(), operation, form);
    if let Some(answer) = key.as_ref().and_then(|key| front.tokens.answer(key)) {
        return xml(answer);
    }
    if matches!(operation, "UpdateStack" | "ExecuteChangeSet") {
        snapshot(front, scope).await;
    }
    if matches!(operation, "DeleteStack" | "UpdateStack" | "ExecuteChangeSet")
        && let Some(stack) = form.get("StackName")
    {
        bucket_tags::keep(front, &place, stack).await;
    }
    let response = if front.delays().stack_operation().is_zero() && !front.pending.any_stack() {
        front.upstream.pass(parts, body).await
    } else {
        slow_stack_call(front, parts, &place, operation, form, body).await
    };
    match key {
        None => response,
        Some(key) => {
            rewritten(response, |text| {
                front.tokens.keep(key, &text);
                text
            })
            .await
        }
    }
}

/// Answers a call of CloudFormation while stack operations are delayed.
async fn slow_stack_call(
    front: &Front,
    mut parts: Parts,
    place: &Place,
    operation: &str,
    form: &Form,
    body: Body,
) -> Response<Body> {
    let takes = front.delays().stack_operation();
    parts.headers.remove(header::ACCEPT_ENCODING);
    let stack = form.get("StackName").map(str::to_owned);
    match operation {
        "CreateStack" | "UpdateStack" | "DeleteStack" | "ExecuteChangeSet" => {
            let stack =
                stack.or_else(|| form.get("ChangeSetName").and_then(|arn| front.pending.stack_of_change_set(arn)));
            let last_seen = match (operation, &stack) {
                ("DeleteStack", Some(stack)) => {
                    front.upstream.cloudformation(place, "DescribeStacks", Some(stack)).await
                }
                _ => None,
            };
            let response = front.upstream.pass(parts, body).await;
            // Deleting a missing stack takes no time.
            let begins = operation != "DeleteStack" || last_seen.is_some();
            if let Some(stack) = stack.filter(|_| begins && response.status().is_success() && !takes.is_zero()) {
                front.pending.stack_began(place, &stack, takes, last_seen);
            }
            response
        }
        "CreateChangeSet" => {
            let response = front.upstream.pass(parts, body).await;
            rewritten(response, |text| {
                front.pending.record_change_set(&text);
                text
            })
            .await
        }
        "DescribeStacks" => {
            let deleting = stack.and_then(|stack| front.pending.deleting(place, &stack));
            if let Some(answer) = deleting {
                return xml(answer);
            }
            let response = front.upstream.pass(parts, body).await;
            rewritten(response, |text| front.pending.show_stacks(place, &text)).await
        }
        _ => front.upstream.pass(parts, body).await,
    }
}
