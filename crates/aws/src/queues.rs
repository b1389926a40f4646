//! SQS: a queue that one program reads.

use std::time::Duration;

use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
};

use super::error::{Call as _, OrMissing as _};
use super::{Aws, AwsError};

/// The most messages in one call (SQS API reference, `ReceiveMessage`, `DeleteMessageBatch`).
const AT_ONCE: usize = 10;

/// A queue in one region.
#[derive(Clone, Debug)]
pub struct Queue {
    client: aws_sdk_sqs::Client,
    name: String,
    url: String,
}

/// A message. It is given to nobody else for some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMessage {
    /// Names it in later calls; each time it is received it has another one.
    pub receipt: String,
    pub body: String,
    /// How often it was received, at least 1.
    pub receives: u32,
}

impl Aws {
    /// The queue of this name; `None` if it does not exist, or may not be used.
    ///
    /// # Errors
    /// The call fails.
    pub async fn queue(&self, region: &str, name: &str) -> Result<Option<Queue>, AwsError> {
        let client = self.queues(region);
        let call = client.get_queue_url().queue_name(name).send().await.call("sqs:GetQueueUrl", name);
        let missing = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"];
        let Some(answer) = call.or_missing(&missing)? else { return Ok(None) };
        Ok(Some(Queue { client, name: name.to_owned(), url: answer.queue_url.unwrap_or_default() }))
    }
}

impl Queue {
    /// Waits for messages, at most `wait` (up to 20 seconds), and returns at most ten. For `hidden`, nobody else gets them.
    ///
    /// # Errors
    /// The call fails.
    pub async fn receive(&self, wait: Duration, hidden: Duration) -> Result<Vec<QueueMessage>, AwsError> {
        let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(10);
        let call = call.wait_time_seconds(seconds(wait)).visibility_timeout(seconds(hidden));
        let call = call.message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = call.send().await.call("sqs:ReceiveMessage", &self.name)?;
        let message = |message: aws_sdk_sqs::types::Message| {
            let count = MessageSystemAttributeName::ApproximateReceiveCount;
            let receives = message.attributes.as_ref().and_then(|all| all.get(&count)?.parse().ok());
            QueueMessage {
                receipt: message.receipt_handle.unwrap_or_default(),
                body: message.body.unwrap_or_default(),
                receives: receives.unwrap_or(1),
            }
        };
        Ok(answer.messages.unwrap_or_default().into_iter().map(message).collect())
    }

    /// Deletes messages. One that is not deleted comes again, so that a failure of single ones is no error.
    ///
    /// # Errors
    /// A call fails.
    pub async fn delete(&self, receipts: &[String]) -> Result<(), AwsError> {
        for some in receipts.chunks(AT_ONCE) {
            let entries = some.iter().enumerate().filter_map(|(number, receipt)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
                entry.receipt_handle(receipt).build().ok()
            });
            let call = self.client.delete_message_batch().queue_url(&self.url);
            let call = call.set_entries(Some(entries.collect())).send().await;
            call.call("sqs:DeleteMessageBatch", &self.name)?;
        }
        Ok(())
    }

    /// Lets messages come again after `hidden`, counted from now.
    ///
    /// # Errors
    /// A call fails.
    pub async fn hide(&self, receipts: &[String], hidden: Duration) -> Result<(), AwsError> {
        for some in receipts.chunks(AT_ONCE) {
            let entries = some.iter().enumerate().filter_map(|(number, receipt)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(number.to_string());
                entry.receipt_handle(receipt).visibility_timeout(seconds(hidden)).build().ok()
            });
            let call = self.client.change_message_visibility_batch().queue_url(&self.url);
            let call = call.set_entries(Some(entries.collect())).send().await;
            call.call("sqs:ChangeMessageVisibilityBatch", &self.name)?;
        }
        Ok(())
    }
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}
