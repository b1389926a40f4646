//! Small objects that are replaced as a whole, under a condition ("Add preconditions to S3 operations", S3 user guide).

use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, ServerSideEncryption};

use super::AwsError;
use super::calls::FencesItself;
use super::error::{Call as _, OrMissing as _};
use super::s3::S3;

/// The condition of a write on the current object.
#[derive(Clone, Copy, Debug)]
pub enum Condition<'a> {
    /// There is no object with this key.
    Absent,
    /// The object has this ETag.
    Is(&'a str),
}

/// A document has a few kilobytes, so an attempt without an answer after ten seconds is better repeated.
fn with_short_attempts() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(10)).build();
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
}

impl S3 {
    /// An object's bytes and ETag; `None` if it does not exist. At most `most` bytes are read.
    ///
    /// # Errors
    /// AWS's; `NoSuchBucket` if the bucket does not exist; `EntityTooLarge` if the object is larger.
    pub async fn document(
        &self,
        bucket: &str,
        key: &str,
        account: &str,
        most: u64,
    ) -> Result<Option<(Vec<u8>, String)>, AwsError> {
        let object = format!("{bucket}/{key}");
        let call = self.client.get_object().bucket(bucket).key(key).expected_bucket_owner(account);
        let call = call.customize().config_override(with_short_attempts()).send().await;
        let Some(answer) = call.call("s3:GetObject", &object).or_missing(&["NoSuchKey"])? else { return Ok(None) };
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        let failed = |code: Option<&str>, message: String| AwsError {
            operation: "s3:GetObject",
            object: object.clone(),
            code: code.map(str::to_owned),
            message,
            status: None,
        };
        let (mut stream, mut body) = (answer.body, Vec::new());
        while let Some(chunk) = stream.try_next().await.map_err(|error| failed(None, error.to_string()))? {
            body.extend_from_slice(&chunk);
            if body.len() as u64 > most {
                let message = format!("it has more than {} MiB, too much for a document of the state", most >> 20);
                return Err(failed(Some("EntityTooLarge"), message));
            }
        }
        Ok(Some((body, etag)))
    }

    /// Replaces an object if the condition holds, and returns its new ETag.
    ///
    /// # Errors
    /// `PreconditionFailed` if the condition does not hold.
    pub async fn put_document(
        &self,
        bucket: &str,
        key: &str,
        account: &str,
        content: &[u8],
        condition: Condition<'_>,
        kms_key: Option<&str>,
    ) -> Result<String, AwsError> {
        let call = self.client.put_object().bucket(bucket).key(key).expected_bucket_owner(account);
        let call = match condition {
            Condition::Absent => call.if_none_match("*"),
            Condition::Is(etag) => call.if_match(etag),
        };
        let call = match kms_key {
            Some(key) => call.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key),
            None => call,
        };
        let call = call.content_type("application/json").body(ByteStream::from(content.to_vec()));
        let call = call.customize().interceptor(FencesItself).config_override(with_short_attempts()).send().await;
        let answer = call.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        Ok(answer.e_tag().unwrap_or_default().to_owned())
    }

    /// Whether a bucket keeps versions.
    ///
    /// # Errors
    /// AWS's.
    pub async fn is_versioned(&self, bucket: &str, account: &str) -> Result<bool, AwsError> {
        let call = self.client.get_bucket_versioning().bucket(bucket).expected_bucket_owner(account).send().await;
        let answer = call.call("s3:GetBucketVersioning", bucket)?;
        Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
    }
}
