//! Objects to be downloaded as files: listings with identities, facts with checksums, and ranges of one content.

use std::collections::BTreeMap;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{ChecksumMode, ChecksumType, EncodingType};

use super::AwsError;
use super::error::Call as _;
use super::objects::{Download, decoded};
use super::s3::S3;

/// A bucket, and the account that must own it: S3 refuses every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedBucket {
    pub name: String,
    /// 12 digits.
    pub account: String,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Identifies the content.
    pub etag: String,
    /// Seconds since 1970.
    pub modified: i64,
}

/// A page of a listing, in the order of the keys' bytes.
#[derive(Clone, Debug, Default)]
pub struct ListedPage {
    pub objects: Vec<ListedObject>,
    /// Token of the next page.
    pub next: Option<String>,
}

/// A checksum of the whole content that S3 keeps, in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredChecksum {
    Crc64Nvme(String),
    Crc32c(String),
    Crc32(String),
}

/// What S3 keeps of an object beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DownloadFacts {
    /// Bytes of the whole object, also in the answer to a range.
    pub size: u64,
    /// Identifies the content.
    pub etag: String,
    /// `None` in a bucket without versioning.
    pub version: Option<String>,
    /// Seconds since 1970.
    pub modified: i64,
    /// The uploader's own metadata, without the prefix `x-amz-meta-`.
    pub metadata: BTreeMap<String, String>,
    /// The strongest that is of the whole content. Answers to ranges have none.
    pub checksum: Option<StoredChecksum>,
}

/// The parts of an answer that a HEAD and a GET share.
macro_rules! facts {
    ($answer:expr) => {
        DownloadFacts {
            size: $answer.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
            etag: $answer.e_tag().unwrap_or_default().to_owned(),
            version: $answer.version_id().filter(|version| *version != "null").map(str::to_owned),
            modified: $answer.last_modified().map_or(0, DateTime::secs),
            metadata: $answer.metadata().cloned().unwrap_or_default().into_iter().collect(),
            checksum: whole(
                $answer.checksum_type(),
                [$answer.checksum_crc64_nvme(), $answer.checksum_crc32_c(), $answer.checksum_crc32()],
            ),
        }
    };
}

fn of_head(answer: &HeadObjectOutput) -> DownloadFacts {
    facts!(answer)
}

fn of_get(answer: &GetObjectOutput) -> DownloadFacts {
    let facts = facts!(answer);
    match answer.content_range() {
        // `bytes 0-8388607/20971520`.
        Some(range) => DownloadFacts {
            size: range.rsplit_once('/').and_then(|(_, size)| size.parse().ok()).unwrap_or_default(),
            checksum: None,
            ..facts
        },
        None => facts,
    }
}

/// The strongest checksum of the whole content. One of a multipart upload's parts' checksums ends with their number.
fn whole(kind: Option<&ChecksumType>, [crc64, crc32c, crc32]: [Option<&str>; 3]) -> Option<StoredChecksum> {
    if kind == Some(&ChecksumType::Composite) {
        return None;
    }
    let whole = |sum: Option<&str>| sum.filter(|sum| !sum.contains('-')).map(str::to_owned);
    let crc64 = whole(crc64).map(StoredChecksum::Crc64Nvme);
    crc64.or_else(|| whole(crc32c).map(StoredChecksum::Crc32c)).or_else(|| whole(crc32).map(StoredChecksum::Crc32))
}

impl S3 {
    /// One page of all keys that begin with `prefix`.
    pub async fn listed(&self, bucket: &OwnedBucket, prefix: &str, from: Option<&str>) -> Result<ListedPage, AwsError> {
        let call = self.client.list_objects_v2().bucket(&bucket.name).expected_bucket_owner(&bucket.account);
        let call = call.prefix(prefix).encoding_type(EncodingType::Url);
        let call = call.set_continuation_token(from.map(str::to_owned)).send().await;
        let answer = call.call("s3:ListBucket", &bucket.name)?;
        let encoding = answer.encoding_type();
        let objects = answer.contents().iter().filter_map(|object| {
            Some(ListedObject {
                key: decoded(object.key()?, encoding),
                size: object.size().and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
                etag: object.e_tag().unwrap_or_default().to_owned(),
                modified: object.last_modified().map_or(0, DateTime::secs),
            })
        });
        Ok(ListedPage { objects: objects.collect(), next: answer.next_continuation_token().map(str::to_owned) })
    }

    /// What S3 keeps of an object now, with its checksum; `None` if it does not exist.
    pub async fn download_facts(&self, bucket: &OwnedBucket, key: &str) -> Result<Option<DownloadFacts>, AwsError> {
        let call = self.client.head_object().bucket(&bucket.name).key(key).expected_bucket_owner(&bucket.account);
        let call = call.checksum_mode(ChecksumMode::Enabled).send().await;
        match call.call("s3:GetObject", &format!("{}/{key}", bucket.name)) {
            Ok(answer) => Ok(Some(of_head(&answer))),
            Err(error) if error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The content with this ETag, or a range of it (start and length, in bytes); `None` if the object does not exist.
    /// Where it has been replaced, the call is refused with [`PRECONDITION_FAILED`](super::PRECONDITION_FAILED).
    pub async fn download(
        &self,
        bucket: &OwnedBucket,
        key: &str,
        etag: &str,
        range: Option<(u64, u64)>,
    ) -> Result<Option<(DownloadFacts, Download)>, AwsError> {
        let object = format!("{}/{key}", bucket.name);
        let range =
            range.map(|(start, length)| format!("bytes={start}-{}", start.saturating_add(length).saturating_sub(1)));
        let call = self.client.get_object().bucket(&bucket.name).key(key).expected_bucket_owner(&bucket.account);
        let call = call.if_match(etag).set_range(range).checksum_mode(ChecksumMode::Enabled).send().await;
        match call.call("s3:GetObject", &object) {
            Ok(answer) => {
                let (facts, etag) = (of_get(&answer), super::versions::unquoted(answer.e_tag()));
                Ok(Some((facts, Download { object, etag, body: answer.body })))
            }
            Err(error) if error.is("NoSuchKey") || error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_checksum_of_the_whole_content_counts() {
        let full = ChecksumType::FullObject;
        let crc64 = StoredChecksum::Crc64Nvme("a".into());
        assert_eq!(whole(Some(&full), [Some("a"), None, Some("c")]), Some(crc64.clone()));
        assert_eq!(whole(None, [Some("a"), None, None]), Some(crc64));
        assert_eq!(whole(None, [None, None, Some("c")]), Some(StoredChecksum::Crc32("c".into())));
        assert_eq!(whole(None, [None, Some("b-3"), None]), None);
        assert_eq!(whole(Some(&ChecksumType::Composite), [None, None, Some("c")]), None);
        assert_eq!(whole(Some(&full), [None; 3]), None);
    }
}
