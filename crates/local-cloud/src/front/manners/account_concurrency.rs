//! A new account can run ten functions at once, and reserve none of that for one of them.

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use hyper::Response;
use serde_json::json;

use super::super::stack_request::StackRequest;
use super::super::{Front, refusal};
use super::{Answer, Description, Inquiry, Manner, failing_resource};

/// Lambda's quota of a new account, all of which has to stay unreserved.
const CONCURRENCY: u32 = 10;
const FUNCTION: &str = "AWS::Lambda::Function";
const SENTENCE: &str = "Specified ReservedConcurrentExecutions for function decreases account's \
                        UnreservedConcurrentExecution below its minimum value of [10].";

#[derive(Default)]
pub(super) struct AccountConcurrency;

#[async_trait]
impl Manner for AccountConcurrency {
    fn description(&self) -> &'static Description {
        &Description {
            name: "account-concurrency",
            aws: "A new account's quota of concurrent executions is 10 in each region, not 1,000, and none of it can be \
                  reserved: PutFunctionConcurrency fails, and so does a stack whose function reserves any",
            source: "Lambda developer guide, quotas: new accounts have reduced concurrency; \
                     aws-samples/one-observability-demo#278 and aws-samples/alarm-context-tool#2 quote the sentence",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let reserves = request.is("lambda", &["PutFunctionConcurrency"])
            && request.json()["ReservedConcurrentExecutions"].as_i64().is_some_and(|reserved| reserved > 0);
        reserves.then(|| refusal::error(request.call, 400, "InvalidParameterValueException", SENTENCE))
    }

    async fn change(&self, front: &Front, request: &Inquiry<'_>) -> Option<Bytes> {
        if !request.is("cloudformation", &["CreateStack", "UpdateStack"]) {
            return None;
        }
        let stack = StackRequest::of(front, request.call, request.body).await?;
        let reserving = stack.resources(FUNCTION).into_iter().filter(|(_, function)| {
            let reserved = stack.text(&function["Properties"]["ReservedConcurrentExecutions"]);
            reserved.and_then(|text| text.parse::<i64>().ok()).is_some_and(|reserved| reserved > 0)
        });
        let ids: Vec<String> = reserving.map(|(id, _)| id.clone()).collect();
        failing_resource::failing(request.body, stack.template, &ids)
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("lambda", &["GetAccountSettings"]) || failing_resource::is_shown(request)
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if failing_resource::is_shown(request) {
            answer.text = failing_resource::shown(&answer.text, FUNCTION, ("Lambda", 400, SENTENCE), "InvalidRequest");
            return;
        }
        answer.change_json(|settings| {
            settings["AccountLimit"]["ConcurrentExecutions"] = json!(CONCURRENCY);
            settings["AccountLimit"]["UnreservedConcurrentExecutions"] = json!(CONCURRENCY);
        });
    }
}
