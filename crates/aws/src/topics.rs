//! Amazon SNS: the subscribers of a topic, and messages to it.

use super::AwsError;
use super::error::OrMissing as _;
use super::query::{Client, Query};

#[derive(Clone, Debug)]
pub struct Topics(pub(super) Client);

/// A subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionFacts {
    /// `email`, `sqs`, …
    pub protocol: String,
    /// The mail address, or another ARN or URL.
    pub endpoint: String,
    /// Whether its owner has confirmed it; until then it gets nothing.
    pub is_confirmed: bool,
}

/// What stands for the ARN of a subscription that is not confirmed (SNS API reference, `ListSubscriptionsByTopic`; from
/// experience: mozilla/frost, pull request 428).
const PENDING: &str = "PendingConfirmation";

impl Topics {
    /// The subscriptions of a topic, by its ARN; `None` if there is no such topic.
    ///
    /// # Errors
    /// AWS's.
    pub async fn subscriptions(&self, topic: &str) -> Result<Option<Vec<SubscriptionFacts>>, AwsError> {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let mut query = Query::new("sns:ListSubscriptionsByTopic").with("TopicArn", topic);
            if !token.is_empty() {
                query = query.with("NextToken", &token);
            }
            let Some(answer) = self.0.send(query, topic).await.or_missing(&["NotFound"])? else { return Ok(None) };
            let Some(page) = answer.child("ListSubscriptionsByTopicResult") else { return Ok(Some(all)) };
            all.extend(page.items("Subscriptions").iter().map(|one| SubscriptionFacts {
                protocol: one.text_of("Protocol"),
                endpoint: one.text_of("Endpoint"),
                is_confirmed: one.text_of("SubscriptionArn") != PENDING,
            }));
            token = page.text_of("NextToken");
            if token.is_empty() {
                return Ok(Some(all));
            }
        }
    }
}
