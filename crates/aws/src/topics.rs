//! Amazon SNS: the subscribers of a topic, and messages to it.

use serde_json::Value;

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

/// A topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicFacts {
    /// Its policy; `null` if it is not JSON.
    pub policy: Value,
    /// ID, ARN or alias of the KMS key by which it is encrypted; empty without one.
    pub key: String,
}

/// What stands for the ARN of a subscription that is not confirmed (SNS API reference, `ListSubscriptionsByTopic`; from
/// experience: mozilla/frost, pull request 428).
const PENDING: &str = "PendingConfirmation";
/// What stands for it after somebody has unsubscribed, for some time (from experience: ansible/ansible, pull request 20086).
const DELETED: &str = "Deleted";

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
            let there = page.items("Subscriptions").iter().filter(|one| one.text_of("SubscriptionArn") != DELETED);
            all.extend(there.map(|one| SubscriptionFacts {
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

    /// A topic, by its ARN; `None` if there is none.
    ///
    /// # Errors
    /// AWS's.
    pub async fn topic(&self, topic: &str) -> Result<Option<TopicFacts>, AwsError> {
        let query = Query::new("sns:GetTopicAttributes").with("TopicArn", topic);
        let Some(answer) = self.0.send(query, topic).await.or_missing(&["NotFound"])? else { return Ok(None) };
        let attributes = answer.child("GetTopicAttributesResult").map(|result| result.items("Attributes"));
        let value = |name: &str| {
            let entry = attributes.unwrap_or_default().iter().find(|entry| entry.text_of("key") == name);
            entry.map(|entry| entry.text_of("value")).unwrap_or_default()
        };
        let policy = serde_json::from_str(&value("Policy")).unwrap_or_default();
        Ok(Some(TopicFacts { policy, key: value("KmsMasterKeyId") }))
    }

    /// Sends a message to the subscribers of a topic: `text` to those by mail, under this subject, and `document` to all others.
    /// The SDK makes one attempt only: after a lost answer, a repetition would tell everybody twice.
    ///
    /// # Errors
    /// AWS's.
    pub async fn publish(&self, topic: &str, subject: &str, text: &str, document: &str) -> Result<(), AwsError> {
        let query = Query::new("sns:Publish").with("TopicArn", topic).with("Subject", subject);
        let query = query.with("MessageStructure", "json").with("Message", &message(text, document));
        self.0.send(query.once(), topic).await.map(drop)
    }
}

/// A message with a form of its own for subscribers by mail (SNS API reference, `Publish`, `MessageStructure`).
fn message(text: &str, document: &str) -> String {
    serde_json::json!({ "default": document, "email": text }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mails_have_the_text_and_all_others_the_document() {
        let message: serde_json::Value = serde_json::from_str(&message("a \"line\"", "{\"a\":1}")).unwrap();
        assert_eq!(message, serde_json::json!({ "default": "{\"a\":1}", "email": "a \"line\"" }));
    }
}
