//! `agent`: the calls of `pull`, which takes customers' files from S3 and changes nothing there, and with
//! `files.events` takes messages from the queue.

use serde_json::Value;

use super::arns::Arns;
use super::statement::{allow, allow_all};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let buckets = arns.clusters_buckets();
    let objects: Vec<String> = buckets.iter().map(|bucket| format!("{bucket}/*")).collect();
    let mut all = vec![
        allow_all("ReadAccount", &["sts:GetCallerIdentity"]),
        allow("ListFiles", &["s3:ListBucket"], buckets),
        allow("ReadFiles", &["s3:GetObject"], objects),
    ];
    if arns.0.files.events {
        // Of a batch, SQS authorizes each part as the call for one message.
        let calls = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"];
        all.push(allow("TakeEvents", &calls, [arns.clusters_queues()]));
    }
    all
}
