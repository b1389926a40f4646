//! State in S3: one object for each document, written with `If-Match` and `If-None-Match` ("Add preconditions to S3
//! operations", S3 user guide). The bucket must keep versions, so that a replaced document can be restored.

use std::time::Duration;

use async_trait::async_trait;

use super::blob::{Blob, Blobs, Expect, Version};
use super::error::StateError;
use super::file::LARGEST;
use crate::wait;
use sftpctl_aws::{AwsError, Condition, S3};

/// Attempts while another write to the same key is in progress, and the pause between two.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(200);

/// A prefix in a bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    s3: S3,
    account: String,
    bucket: String,
    prefix: String,
    kms_key: Option<String>,
}

impl Bucket {
    /// `prefix` ends with a slash or is empty; `account` must own the bucket.
    pub fn new(s3: S3, account: &str, bucket: &str, prefix: &str, kms_key: Option<String>) -> Self {
        Self { s3, account: account.to_owned(), bucket: bucket.to_owned(), prefix: prefix.to_owned(), kms_key }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn error(&self, action: &'static str, name: &str, source: AwsError) -> StateError {
        if source.is("NoSuchBucket") {
            // Outside us-east-1, S3 refuses the call without a location.
            let location = match self.s3.region() {
                "us-east-1" => String::new(),
                region => {
                    format!(" --region {region} --create-bucket-configuration LocationConstraint={region}")
                }
            };
            return StateError::Unfit {
                address: format!("s3://{}", self.bucket),
                reason: "this account has no such bucket".to_owned(),
                hint: format!(
                    "create it: `aws s3api create-bucket --bucket {0}{location}`, then \
                    `aws s3api put-bucket-versioning --bucket {0} --versioning-configuration Status=Enabled`",
                    self.bucket
                ),
            };
        }
        StateError::Aws { action, address: self.address(name), source: Box::new(source) }
    }
}

#[async_trait]
impl Blobs for Bucket {
    fn address(&self, name: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.key(name))
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn get(&self, name: &str) -> Result<Option<Blob>, StateError> {
        let found = self.s3.document(&self.bucket, &self.key(name), &self.account, LARGEST).await;
        let found = found.map_err(|error| self.error("read", name, error))?;
        Ok(found.map(|(content, etag)| Blob { content, version: Version(etag) }))
    }

    async fn put(&self, name: &str, content: &[u8], expect: Expect<'_>) -> Result<Version, StateError> {
        let condition = match expect {
            Expect::Absent => Condition::Absent,
            Expect::Is(Version(etag)) => Condition::Is(etag),
        };
        let (key, kms_key) = (self.key(name), self.kms_key.as_deref());
        let mut attempts = 1;
        let put = loop {
            let put = self.s3.put_document(&self.bucket, &key, &self.account, content, condition, kms_key).await;
            // Two writes at the same moment: S3 asks for a retry, and then the condition decides.
            match &put {
                Err(error) if error.is("ConditionalRequestConflict") && attempts < ATTEMPTS => attempts += 1,
                _ => break put,
            }
            wait::for_lock(PAUSE).await;
        };
        match put {
            Ok(etag) => Ok(Version(etag)),
            Err(error) if error.is("PreconditionFailed") => {
                // After a lost answer, the SDK repeats its write, and the condition fails because of the first one.
                match self.get(name).await? {
                    Some(blob) if blob.content == content => Ok(blob.version),
                    _ => Err(StateError::Conflict { address: self.address(name) }),
                }
            }
            // The answer to `If-Match` if the key has no object.
            Err(error) if error.is("NoSuchKey") => Err(StateError::Conflict { address: self.address(name) }),
            Err(error) => Err(self.error("write", name, error)),
        }
    }

    async fn names(&self) -> Result<Vec<String>, StateError> {
        let keys = self.s3.keys(&self.bucket, &self.prefix).await.map_err(|error| self.error("read", "", error))?;
        let mut names: Vec<_> = keys.iter().filter_map(|key| key.strip_prefix(&self.prefix)).collect();
        names.retain(|name| !name.contains('/'));
        Ok(names.into_iter().map(str::to_owned).collect())
    }

    async fn check(&self) -> Result<(), StateError> {
        let versioned = self.s3.is_versioned(&self.bucket, &self.account).await;
        if versioned.map_err(|error| self.error("check", "", error))? {
            return Ok(());
        }
        Err(StateError::Unfit {
            address: format!("s3://{}", self.bucket),
            reason: "the bucket does not keep versions".to_owned(),
            hint: format!(
                "aws s3api put-bucket-versioning --bucket {} --versioning-configuration Status=Enabled",
                self.bucket
            ),
        })
    }
}
