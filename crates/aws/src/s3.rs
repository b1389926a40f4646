//! Buckets and objects. Every call on a bucket that another account may own names the expected owner.

use aws_sdk_s3::operation::get_bucket_location::GetBucketLocationOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, CreateBucketConfiguration,
    Delete, EncodingType, Error, ObjectIdentifier, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use aws_smithy_types::retry::RetryConfig;

use super::error::{Call as _, OrMissing as _};
use super::objects::decoded;
use super::{AwsError, Tags};

#[derive(Clone, Debug)]
pub struct S3 {
    pub(super) client: aws_sdk_s3::Client,
    pub(super) region: String,
}

/// The policy of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    NoBucket,
    /// The bucket belongs to another account, or access is denied.
    NotOurs,
    None,
    Document(String),
}

/// A bucket of this account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketName {
    pub name: String,
    /// `None` where the answer does not name it, as an emulator's may not.
    pub region: Option<String>,
}

/// One version of an object, or one delete marker.
#[derive(Clone, Debug)]
pub struct ObjectVersion {
    key: String,
    version: Option<String>,
}

impl ObjectVersion {
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// What S3 keeps of an object beside its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    /// `None` in a bucket without versioning, and for an object that is older than its bucket's versioning.
    pub version: Option<String>,
    /// SHA-256 of the whole content, in base64; `None` if it was written without one.
    pub sha256: Option<String>,
}

/// The settings of a bucket that sftpctl manages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketSettings {
    /// `Enabled` or `Suspended`; `None` if it was never enabled.
    pub versioning: Option<String>,
    /// `AES256`, `aws:kms`, …
    pub encryption: Option<String>,
    /// Whether all four settings that block public access are on.
    pub shut: bool,
    /// `BucketOwnerEnforced`, …
    pub ownership: Option<String>,
}

/// Whether XML 1.0 can hold this character (section 2.2), as the body of DeleteObjects must.
fn is_xml(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

const NO_BUCKET: &[&str] = &["NoSuchBucket", "NotFound"];

impl S3 {
    /// The region of this client.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Reads a bucket's policy; the answer also shows whether the bucket exists and is ours.
    pub async fn policy(&self, bucket: &str, account: &str) -> Result<Policy, AwsError> {
        let call = self.client.get_bucket_policy().bucket(bucket).expected_bucket_owner(account).send().await;
        match call.call("s3:GetBucketPolicy", bucket) {
            Ok(answer) => Ok(Policy::Document(answer.policy().unwrap_or_default().to_owned())),
            Err(error) if error.is("NoSuchBucketPolicy") => Ok(Policy::None),
            Err(error) if NO_BUCKET.iter().any(|code| error.is(code)) => Ok(Policy::NoBucket),
            // 403 also means that the bucket is in this account and its policy denies access; the user must resolve
            // both.
            Err(error) if error.status == Some(403) => Ok(Policy::NotOurs),
            // The bucket is in another region: names are global.
            Err(error) if error.is("PermanentRedirect") || error.is("AuthorizationHeaderMalformed") => {
                Ok(Policy::NotOurs)
            }
            Err(error) => Err(error),
        }
    }

    /// This account's buckets in all regions whose names have this prefix.
    pub async fn buckets(&self, prefix: &str) -> Result<Vec<BucketName>, AwsError> {
        let mut pages = self.client.list_buckets().prefix(prefix).max_buckets(1000).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("s3:ListBuckets", prefix)?;
            found.extend(page.buckets().iter().filter_map(|bucket| {
                let region = bucket.bucket_region().filter(|region| !region.is_empty()).map(region_of);
                Some(BucketName { name: bucket.name()?.to_owned(), region })
            }));
        }
        // An emulator may ignore the prefix.
        found.retain(|bucket| bucket.name.starts_with(prefix));
        Ok(found)
    }

    /// The region of a bucket, from any region; `None` if it does not exist.
    pub async fn location(&self, bucket: &str) -> Result<Option<String>, AwsError> {
        let call = self.client.get_bucket_location().bucket(bucket).send().await.call("s3:GetBucketLocation", bucket);
        let answer = call.or_missing(NO_BUCKET)?;
        let constraint = |answer: GetBucketLocationOutput| answer.location_constraint;
        Ok(answer.map(|answer| region_of(constraint(answer).as_ref().map_or("", BucketLocationConstraint::as_str))))
    }

    pub async fn set_policy(&self, bucket: &str, account: &str, document: &str) -> Result<(), AwsError> {
        let call = self.client.put_bucket_policy().bucket(bucket).expected_bucket_owner(account).policy(document);
        call.send().await.call("s3:PutBucketPolicy", bucket).map(drop)
    }

    /// Deletes the policy; missing is fine.
    pub async fn delete_policy(&self, bucket: &str, account: &str) -> Result<(), AwsError> {
        let call = self.client.delete_bucket_policy().bucket(bucket).expected_bucket_owner(account).send().await;
        call.call("s3:DeleteBucketPolicy", bucket).or_missing(&["NoSuchBucketPolicy"]).map(drop)
    }

    /// Tags of a bucket; `None` without the bucket, empty without tags.
    pub async fn tags(&self, bucket: &str, account: &str) -> Result<Option<Tags>, AwsError> {
        let call = self.client.get_bucket_tagging().bucket(bucket).expected_bucket_owner(account).send().await;
        match call.call("s3:GetBucketTagging", bucket) {
            Ok(answer) => {
                Ok(Some(answer.tag_set().iter().map(|t| (t.key().to_owned(), t.value().to_owned())).collect()))
            }
            Err(error) if error.is("NoSuchTagSet") => Ok(Some(Tags::new())),
            Err(error) => Err(error).or_missing(NO_BUCKET),
        }
    }

    pub async fn set_tags(&self, bucket: &str, tags: &Tags) -> Result<(), AwsError> {
        // All members are set, so the builders cannot refuse.
        let set: Vec<_> = tags.iter().filter_map(|(k, v)| Tag::builder().key(k).value(v).build().ok()).collect();
        let tagging = Tagging::builder().set_tag_set(Some(set)).build().ok();
        let call = self.client.put_bucket_tagging().bucket(bucket).set_tagging(tagging).send().await;
        call.call("s3:PutBucketTagging", bucket).map(drop)
    }

    /// Creates a bucket; one that this account owns already is fine.
    pub async fn create_bucket(&self, bucket: &str) -> Result<(), AwsError> {
        // us-east-1 is the only region that accepts no constraint.
        let place = (self.region != "us-east-1").then(|| {
            let region = BucketLocationConstraint::from(self.region.as_str());
            CreateBucketConfiguration::builder().location_constraint(region).build()
        });
        let call = self.client.create_bucket().bucket(bucket).set_create_bucket_configuration(place).send().await;
        call.call("s3:CreateBucket", bucket).or_missing(&["BucketAlreadyOwnedByYou"]).map(drop)
    }

    /// Reads the settings of a bucket.
    pub async fn settings(&self, bucket: &str, account: &str) -> Result<BucketSettings, AwsError> {
        let versioning = async {
            let call = self.client.get_bucket_versioning().bucket(bucket).expected_bucket_owner(account).send().await;
            let answer = call.call("s3:GetBucketVersioning", bucket)?;
            Ok::<_, AwsError>(answer.status().map(|status| status.as_str().to_owned()))
        };
        let encryption = async {
            let call = self.client.get_bucket_encryption().bucket(bucket).expected_bucket_owner(account).send().await;
            let answer = call
                .call("s3:GetEncryptionConfiguration", bucket)
                .or_missing(&["ServerSideEncryptionConfigurationNotFoundError"])?;
            let rules = answer.and_then(|answer| answer.server_side_encryption_configuration).map(|c| c.rules);
            let rule = rules.into_iter().flatten().next().and_then(|r| r.apply_server_side_encryption_by_default);
            Ok(rule.map(|rule| rule.sse_algorithm().as_str().to_owned()))
        };
        let block = async {
            let call = self.client.get_public_access_block().bucket(bucket).expected_bucket_owner(account).send().await;
            let answer = call
                .call("s3:GetBucketPublicAccessBlock", bucket)
                .or_missing(&["NoSuchPublicAccessBlockConfiguration"])?;
            Ok(answer.and_then(|answer| answer.public_access_block_configuration).is_some_and(|block| {
                [
                    block.block_public_acls,
                    block.block_public_policy,
                    block.ignore_public_acls,
                    block.restrict_public_buckets,
                ] == [Some(true); 4]
            }))
        };
        let ownership = async {
            let call = self.client.get_bucket_ownership_controls().bucket(bucket).expected_bucket_owner(account);
            let call = call.send().await.call("s3:GetBucketOwnershipControls", bucket);
            let rules =
                call.or_missing(&["OwnershipControlsNotFoundError"])?.and_then(|answer| answer.ownership_controls);
            Ok(rules.and_then(|o| o.rules.first().map(|rule| rule.object_ownership().as_str().to_owned())))
        };
        let (versioning, encryption, shut, ownership) = tokio::try_join!(versioning, encryption, block, ownership)?;
        Ok(BucketSettings { versioning, encryption, shut, ownership })
    }

    pub async fn enable_versioning(&self, bucket: &str, account: &str) -> Result<(), AwsError> {
        let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let call = self.client.put_bucket_versioning().bucket(bucket).expected_bucket_owner(account);
        call.versioning_configuration(on).send().await.call("s3:PutBucketVersioning", bucket).map(drop)
    }

    /// Encrypts new objects with S3's own keys.
    pub async fn encrypt(&self, bucket: &str, account: &str) -> Result<(), AwsError> {
        // All members are set, so the builders cannot refuse.
        let algorithm =
            ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build().ok();
        let rule = ServerSideEncryptionRule::builder().set_apply_server_side_encryption_by_default(algorithm).build();
        let rules = ServerSideEncryptionConfiguration::builder().rules(rule).build().ok();
        let call = self.client.put_bucket_encryption().bucket(bucket).expected_bucket_owner(account);
        let call = call.set_server_side_encryption_configuration(rules).send().await;
        call.call("s3:PutEncryptionConfiguration", bucket).map(drop)
    }

    /// Sets `BucketOwnerEnforced`: the bucket's owner owns every object, and ACLs are off.
    pub async fn own_objects(&self, bucket: &str, account: &str) -> Result<(), AwsError> {
        let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced).build().ok();
        let rules = OwnershipControls::builder().set_rules(Some(rule.into_iter().collect())).build().ok();
        let call = self.client.put_bucket_ownership_controls().bucket(bucket).expected_bucket_owner(account);
        let call = call.set_ownership_controls(rules).send().await;
        call.call("s3:PutBucketOwnershipControls", bucket).map(drop)
    }

    /// Turns on all four settings that block public access.
    pub async fn block_public_access(&self, bucket: &str) -> Result<(), AwsError> {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .block_public_policy(true)
            .ignore_public_acls(true)
            .restrict_public_buckets(true)
            .build();
        let call = self.client.put_public_access_block().bucket(bucket).public_access_block_configuration(block);
        call.send().await.call("s3:PutBucketPublicAccessBlock", bucket).map(drop)
    }

    /// Deletes a bucket. A missing bucket is fine; the error for one that is not empty is `BucketNotEmpty`.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<(), AwsError> {
        let call = self.client.delete_bucket().bucket(bucket).send().await.call("s3:DeleteBucket", bucket);
        call.or_missing(NO_BUCKET).map(drop)
    }

    /// Version and digest of an object; `None` if it does not exist.
    pub async fn stored(&self, bucket: &str, key: &str, account: &str) -> Result<Option<StoredObject>, AwsError> {
        let call = self.client.head_object().bucket(bucket).key(key).expected_bucket_owner(account);
        let call = call.checksum_mode(ChecksumMode::Enabled).send().await;
        // HEAD answers carry no body, so the SDK knows only the status.
        match call.call("s3:HeadObject", &format!("{bucket}/{key}")) {
            Ok(head) => Ok(Some(StoredObject {
                // An object from before versioning was turned on has the version `null`.
                version: head.version_id().filter(|version| *version != "null").map(str::to_owned),
                sha256: head.checksum_sha256().map(str::to_owned),
            })),
            Err(error) if error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes an object into a bucket that must belong to `account`. S3 compares what it receives with the SHA-256 sent
    /// along, and keeps it. Returns the version, if the bucket has versions.
    pub async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: Vec<u8>,
        account: &str,
    ) -> Result<Option<String>, AwsError> {
        let call = self.client.put_object().bucket(bucket).key(key).expected_bucket_owner(account);
        let call = call.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from(body)).send().await;
        Ok(call.call("s3:PutObject", &format!("{bucket}/{key}"))?.version_id)
    }

    /// Puts an empty object, once: the caller retries, and knows of throttling.
    pub async fn put_empty(&self, bucket: &str, key: &str, account: &str) -> Result<(), AwsError> {
        let call = self.client.put_object().bucket(bucket).key(key).expected_bucket_owner(account);
        let call = call.checksum_algorithm(ChecksumAlgorithm::Sha256).body(ByteStream::from_static(b"")).customize();
        let once = aws_sdk_s3::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = call.config_override(once).send().await;
        answer.call("s3:PutObject", &format!("{bucket}/{key}")).map(drop)
    }

    /// Keys that begin with a prefix, at most 1,000.
    pub async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, AwsError> {
        let call = self.client.list_objects_v2().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
        let call = call.send().await.call("s3:ListBucket", bucket);
        let Some(answer) = call.or_missing(NO_BUCKET)? else { return Ok(Vec::new()) };
        let encoding = answer.encoding_type();
        Ok(answer.contents().iter().filter_map(|object| Some(decoded(object.key()?, encoding))).collect())
    }

    /// All versions and delete markers of a bucket.
    pub async fn all_versions(&self, bucket: &str) -> Result<Vec<ObjectVersion>, AwsError> {
        self.versions_below(bucket, "").await
    }

    /// All versions and delete markers of the objects whose keys begin with a prefix.
    pub async fn versions_below(&self, bucket: &str, prefix: &str) -> Result<Vec<ObjectVersion>, AwsError> {
        let mut all = Vec::new();
        let (mut key, mut version) = (None, None);
        loop {
            let call = self.client.list_object_versions().bucket(bucket).prefix(prefix);
            let call = call.encoding_type(EncodingType::Url);
            let call = call.set_key_marker(key).set_version_id_marker(version).send().await;
            let Some(page) = call.call("s3:ListBucketVersions", bucket).or_missing(NO_BUCKET)? else {
                return Ok(all);
            };
            all.extend(versions_of(&page));
            if page.is_truncated() != Some(true) {
                return Ok(all);
            }
            key = page.next_key_marker().map(|marker| decoded(marker, page.encoding_type()));
            version = page.next_version_id_marker().map(str::to_owned);
        }
    }

    /// Up to 1,000 versions and delete markers; empty means the bucket is empty.
    pub async fn versions(&self, bucket: &str, at_most: i32) -> Result<Vec<ObjectVersion>, AwsError> {
        let call = self.client.list_object_versions().bucket(bucket).max_keys(at_most);
        let call = call.encoding_type(EncodingType::Url).send().await;
        let Some(answer) = call.call("s3:ListBucketVersions", bucket).or_missing(NO_BUCKET)? else {
            return Ok(Vec::new());
        };
        Ok(versions_of(&answer))
    }

    /// Deletes these versions permanently, at most 1,000. Where some could not be deleted, the error is one that will
    /// not pass, if there is one, and otherwise one that may.
    pub async fn delete_versions(&self, bucket: &str, versions: &[ObjectVersion]) -> Result<(), AwsError> {
        let (plain, odd): (Vec<_>, Vec<_>) = versions.iter().partition(|version| version.key.chars().all(is_xml));
        for version in odd {
            self.delete_version(bucket, version).await?;
        }
        if plain.is_empty() {
            return Ok(());
        }
        let objects = plain
            .into_iter()
            .filter_map(|v| ObjectIdentifier::builder().key(&v.key).set_version_id(v.version.clone()).build().ok())
            .collect();
        let delete = Delete::builder().quiet(true).set_objects(Some(objects));
        let call = self.client.delete_objects().bucket(bucket).set_delete(delete.build().ok()).send().await;
        let answer = call.call("s3:DeleteObjects", bucket)?;
        first_failure(bucket, answer.errors()).map_or(Ok(()), Err)
    }

    async fn delete_version(&self, bucket: &str, version: &ObjectVersion) -> Result<(), AwsError> {
        let call = self.client.delete_object().bucket(bucket).key(&version.key).set_version_id(version.version.clone());
        call.send().await.call("s3:DeleteObjectVersion", &format!("{bucket}/{}", version.key.escape_debug())).map(drop)
    }

    pub async fn delete_object(&self, bucket: &str, key: &str) -> Result<(), AwsError> {
        let call = self.client.delete_object().bucket(bucket).key(key).send().await;
        call.call("s3:DeleteObject", &format!("{bucket}/{key}")).or_missing(NO_BUCKET).map(drop)
    }

    /// The URL of an object, from which CloudFormation reads large templates: the current version, or this one
    /// (CloudFormation user guide, "Selecting a stack template").
    pub fn url(&self, bucket: &str, key: &str, version: Option<&str>) -> String {
        let version = version.map(|version| format!("?versionId={version}")).unwrap_or_default();
        format!("https://{bucket}.s3.{}.amazonaws.com/{key}{version}", self.region)
    }
}

fn versions_of(page: &ListObjectVersionsOutput) -> Vec<ObjectVersion> {
    let versions = page.versions().iter().map(|v| (v.key(), v.version_id()));
    let markers = page.delete_markers().iter().map(|m| (m.key(), m.version_id()));
    versions
        .chain(markers)
        .map(|(key, version)| ObjectVersion {
            key: decoded(key.unwrap_or_default(), page.encoding_type()),
            version: version.map(str::to_owned),
        })
        .collect()
}

/// The region of a location constraint: us-east-1 has none, and the oldest buckets of eu-west-1 have `EU` (Amazon S3 API
/// reference, `GetBucketLocation`).
fn region_of(constraint: &str) -> String {
    match constraint {
        "" | "US" => "us-east-1",
        "EU" => "eu-west-1",
        region => region,
    }
    .to_owned()
}

/// The failure that `DeleteObjects` reports for one of its keys, in an answer of status 200.
fn first_failure(bucket: &str, errors: &[Error]) -> Option<AwsError> {
    let mut failures: Vec<AwsError> = errors.iter().filter_map(|error| failure(bucket, error)).collect();
    failures.sort_by_key(AwsError::is_transient);
    failures.into_iter().next()
}

/// `None` where the version is gone already.
fn failure(bucket: &str, error: &Error) -> Option<AwsError> {
    let status = match error.code().unwrap_or_default() {
        "NoSuchKey" | "NoSuchVersion" => return None,
        // As for a call of its own, which would be retried.
        "InternalError" => Some(500),
        "ServiceUnavailable" | "SlowDown" => Some(503),
        _ => None,
    };
    Some(AwsError {
        operation: "s3:DeleteObjects",
        object: format!("{bucket}/{}", error.key().unwrap_or_default()),
        code: error.code().map(str::to_owned),
        message: error.message().unwrap_or("refused").to_owned(),
        status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_keys(codes: &[&str]) -> Option<AwsError> {
        let errors: Vec<_> = codes.iter().map(|code| Error::builder().key("a").code(*code).build()).collect();
        first_failure("b", &errors)
    }

    /// Amazon S3 API reference, `DeleteObjects`: an answer of 200 has an error for each key that was not deleted.
    #[test]
    fn error_of_a_key_counts_as_that_of_a_call() {
        assert!(of_keys(&[]).is_none());
        assert!(of_keys(&["NoSuchVersion", "NoSuchKey"]).is_none());
        for code in ["InternalError", "ServiceUnavailable", "SlowDown"] {
            assert!(of_keys(&["NoSuchVersion", code]).is_some_and(|error| error.is_transient()), "{code}");
        }
        let lasting = of_keys(&["InternalError", "AccessDenied"]);
        assert!(lasting.is_some_and(|error| error.is("AccessDenied") && !error.is_transient()));
    }

    #[test]
    fn old_location_constraints_are_regions() {
        for (constraint, region) in [("", "us-east-1"), ("EU", "eu-west-1"), ("eu-west-1", "eu-west-1")] {
            assert_eq!(region_of(constraint), region);
        }
    }
}
