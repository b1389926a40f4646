//! Objects as files: byte ranges, pages of listings, multipart uploads.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, EncodingType};
use bytes::Bytes;

use super::AwsError;
use super::error::{Call as _, OrMissing as _};
use super::s3::S3;

/// The metadata of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectFacts {
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
    /// Identifies the content.
    pub etag: Option<String>,
}

/// A page of a listing.
#[derive(Clone, Debug, Default)]
pub struct ObjectPage {
    /// Objects directly under the prefix.
    pub objects: Vec<ObjectFacts>,
    /// Prefixes one level down, each with its slash.
    pub folders: Vec<String>,
    /// Token of the next page.
    pub next: Option<String>,
}

/// An object that is being downloaded.
#[derive(Debug)]
pub struct Download {
    pub(super) object: String,
    /// Without quotes.
    pub etag: String,
    pub(super) body: ByteStream,
}

impl Download {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn next(&mut self) -> Result<Option<Bytes>, AwsError> {
        self.body.try_next().await.map_err(|error| broken(&self.object, &error))
    }
}

fn broken(object: &str, error: &dyn std::fmt::Display) -> AwsError {
    AwsError {
        operation: "s3:GetObject",
        object: object.to_owned(),
        code: None,
        message: error.to_string(),
        status: None,
    }
}

/// A multipart upload that has begun.
#[derive(Clone, Debug)]
pub struct Upload {
    pub(super) id: String,
    pub(super) parts: Vec<CompletedPart>,
}

impl S3 {
    /// The same client with this number of attempts for each call, as few as a person who waits for the answer bears.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        let retry = RetryConfig::standard().with_max_attempts(attempts);
        let config = self.client.config().to_builder().retry_config(retry).build();
        Self { client: aws_sdk_s3::Client::from_conf(config), ..self }
    }

    /// The same client, whose attempts may take as long as the slowest upload of a part needs.
    #[must_use]
    pub fn with_attempts_of(self, longest: Duration) -> Self {
        let timeouts = self.client.config().timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled);
        let timeouts = timeouts.to_builder().operation_attempt_timeout(longest).build();
        let config = self.client.config().to_builder().timeout_config(timeouts).build();
        Self { client: aws_sdk_s3::Client::from_conf(config), ..self }
    }

    /// Size and time of an object; `None` if it does not exist.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectFacts>, AwsError> {
        let call = self.client.head_object().bucket(bucket).key(key).send().await;
        match call.call("s3:GetObject", &format!("{bucket}/{key}")) {
            Ok(head) => Ok(Some(ObjectFacts {
                key: key.to_owned(),
                size: head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
                modified: head.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                etag: head.e_tag().map(str::to_owned),
            })),
            Err(error) if error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One page of the keys under a prefix: one level if `delimited`, otherwise all levels.
    pub async fn page(
        &self,
        bucket: &str,
        prefix: &str,
        delimited: bool,
        at_most: i32,
        from: Option<&str>,
    ) -> Result<ObjectPage, AwsError> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(bucket)
            .prefix(prefix)
            .set_delimiter(delimited.then(|| "/".to_owned()))
            .max_keys(at_most)
            .set_continuation_token(from.map(str::to_owned))
            .encoding_type(EncodingType::Url)
            .send()
            .await
            .call("s3:ListBucket", bucket)?;
        let encoding = answer.encoding_type();
        Ok(ObjectPage {
            objects: answer
                .contents()
                .iter()
                .filter_map(|object| {
                    Some(ObjectFacts {
                        key: decoded(object.key()?, encoding),
                        size: object.size().and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
                        modified: object.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                        etag: object.e_tag().map(str::to_owned),
                    })
                })
                .collect(),
            folders: answer.common_prefixes().iter().filter_map(|p| Some(decoded(p.prefix()?, encoding))).collect(),
            next: answer.next_continuation_token().map(str::to_owned),
        })
    }

    /// The bytes from `start` on, at most `length`; `None` if the object does not exist; empty past its end. With an `etag`
    /// an object that has been replaced is refused with [`PRECONDITION_FAILED`].
    pub async fn range(
        &self,
        bucket: &str,
        key: &str,
        (start, length): (u64, u64),
        etag: Option<&str>,
    ) -> Result<Option<Bytes>, AwsError> {
        let object = format!("{bucket}/{key}");
        let range = format!("bytes={start}-{}", start.saturating_add(length).saturating_sub(1));
        let call = self.client.get_object().bucket(bucket).key(key).range(range);
        let call = call.set_if_match(etag.map(str::to_owned)).send().await;
        let answer = match call.call("s3:GetObject", &object) {
            Ok(answer) => answer,
            Err(error) if error.is("NoSuchKey") || error.status == Some(404) => return Ok(None),
            Err(error) if error.is("InvalidRange") || error.status == Some(416) => return Ok(Some(Bytes::new())),
            Err(error) => return Err(error),
        };
        let body = answer.body.collect().await.map_err(|error| broken(&object, &error))?;
        Ok(Some(body.into_bytes()))
    }

    /// An object from `start` to its end, as it comes; `None` where it is gone. With an `etag` as for [`Self::range`].
    pub async fn open(
        &self,
        bucket: &str,
        key: &str,
        start: u64,
        etag: Option<&str>,
    ) -> Result<Option<Download>, AwsError> {
        let object = format!("{bucket}/{key}");
        let call = self.client.get_object().bucket(bucket).key(key).range(format!("bytes={start}-"));
        let call = call.set_if_match(etag.map(str::to_owned)).send().await;
        match call.call("s3:GetObject", &object) {
            Ok(answer) => {
                let etag = super::versions::unquoted(answer.e_tag());
                Ok(Some(Download { object, etag, body: answer.body }))
            }
            Err(error) if error.is("NoSuchKey") || error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The same of one version; `None` where it is gone. Without a `version` the current one.
    pub async fn open_version(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<Download>, AwsError> {
        let object = format!("{bucket}/{key}");
        let call = self.client.get_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
        match call.send().await.call("s3:GetObject", &object) {
            Ok(answer) => {
                let etag = super::versions::unquoted(answer.e_tag());
                Ok(Some(Download { object, etag, body: answer.body }))
            }
            Err(error) if error.is("NoSuchKey") || error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a whole object; returns its ETag. `only_new` refuses to replace one with [`PRECONDITION_FAILED`].
    pub async fn put(&self, bucket: &str, key: &str, body: Bytes, only_new: bool) -> Result<String, AwsError> {
        let call = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(body));
        let call = call.set_if_none_match(only_new.then(|| "*".to_owned())).send().await;
        Ok(call.call("s3:PutObject", &format!("{bucket}/{key}"))?.e_tag.unwrap_or_default())
    }

    /// Begins a multipart upload; the object is not visible until it is completed.
    pub async fn begin(&self, bucket: &str, key: &str) -> Result<Upload, AwsError> {
        let call = self.client.create_multipart_upload().bucket(bucket).key(key).send().await;
        let answer = call.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        Ok(Upload { id: answer.upload_id().unwrap_or_default().to_owned(), parts: Vec::new() })
    }

    /// Adds the next part; all but the last have at least 5 MiB.
    pub async fn add(&self, bucket: &str, key: &str, upload: &mut Upload, body: Bytes) -> Result<(), AwsError> {
        let number = i32::try_from(upload.parts.len() + 1).unwrap_or(i32::MAX);
        let call = self.client.upload_part().bucket(bucket).key(key).upload_id(&upload.id).part_number(number);
        let answer = call.body(ByteStream::from(body)).send().await;
        let answer = answer.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        upload.parts.push(CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).build());
        Ok(())
    }

    /// Completes the upload: the object becomes visible. `only_new` and the ETag as for [`Self::put`].
    pub async fn complete(&self, bucket: &str, key: &str, upload: Upload, only_new: bool) -> Result<String, AwsError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts)).build();
        let call = self.client.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload.id);
        let call = call.multipart_upload(parts).set_if_none_match(only_new.then(|| "*".to_owned())).send().await;
        Ok(call.call("s3:PutObject", &format!("{bucket}/{key}"))?.e_tag.unwrap_or_default())
    }

    /// Aborts the upload and deletes its parts.
    pub async fn abort(&self, bucket: &str, key: &str, upload: &Upload) -> Result<(), AwsError> {
        let call = self.client.abort_multipart_upload().bucket(bucket).key(key).upload_id(&upload.id).send().await;
        call.call("s3:AbortMultipartUpload", &format!("{bucket}/{key}")).or_missing(&["NoSuchUpload"]).map(drop)
    }

    /// Copies an object inside the region.
    pub async fn copy(&self, from: (&str, &str), to: (&str, &str)) -> Result<(), AwsError> {
        let call = self.client.copy_object().bucket(to.0).key(to.1).copy_source(copy_source(from.0, from.1));
        call.send().await.call("s3:CopyObject", &format!("{}/{}", to.0, to.1)).map(drop)
    }
}

/// The error's code where an object is no longer the one that was asked for, or exists and was to be new.
pub const PRECONDITION_FAILED: &str = "PreconditionFailed";

/// A key of a listing. Keys may have control characters, which XML 1.0 cannot hold: without this encoding a single such
/// key would make the whole listing unreadable. A space arrives as `+`, as in a form.
pub(super) fn decoded(key: &str, encoding: Option<&EncodingType>) -> String {
    if encoding != Some(&EncodingType::Url) {
        return key.to_owned();
    }
    percent_encoding::percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// An object as the source of a copy.
pub(super) fn copy_source(bucket: &str, key: &str) -> String {
    format!("{bucket}/{}", percent_encoding::utf8_percent_encode(key, KEY))
}

/// Not encoded in `x-amz-copy-source`: unreserved characters (RFC 3986) and the slash.
pub(super) const KEY: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_listings_are_decoded() {
        for (key, expected) in [
            ("a%01b/%1B%5B31m", "a\u{1}b/\u{1b}[31m"),
            ("with+space%2Band%20plus%25", "with space+and plus%"),
            ("%C3%B1and%C3%BA", "ñandú"),
        ] {
            assert_eq!(decoded(key, Some(&EncodingType::Url)), expected);
            // An emulator that ignores the parameter.
            assert_eq!(decoded(key, None), key);
        }
    }
}
