//! A new account can run ten functions at once.

use serde_json::json;

use super::{Answer, Description, Inquiry, Manner};

/// Lambda's quota of a new account.
const CONCURRENCY: u32 = 10;

#[derive(Default)]
pub(super) struct AccountConcurrency;

impl Manner for AccountConcurrency {
    fn description(&self) -> &'static Description {
        &Description {
            name: "account-concurrency",
            aws: "A new account's quota of concurrent executions is 10 in each region, not 1,000",
            source: "Lambda developer guide, quotas: new accounts have reduced concurrency; serverless and aws-cdk issue \
                     threads quote UnreservedConcurrentExecution below its minimum value of [10]",
        }
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("lambda", &["GetAccountSettings"])
    }

    fn rewrite(&self, _request: &Inquiry<'_>, answer: &mut Answer) {
        answer.change_json(|settings| {
            settings["AccountLimit"]["ConcurrentExecutions"] = json!(CONCURRENCY);
            settings["AccountLimit"]["UnreservedConcurrentExecutions"] = json!(CONCURRENCY);
        });
    }
}
