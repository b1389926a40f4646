//! Whole files as objects: uploads with their checksum and metadata that never replace what another writer stored,
//! copies inside a bucket, and what S3 knows of an object without its content.
//!
//! The checksum is CRC-64/NVME of the whole object, also of one that was uploaded in parts (S3 user guide, "Checking
//! object integrity", full object checksums).

use std::collections::BTreeMap;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, CopyPartResult,
    EncodingType, MetadataDirective,
};
use bytes::Bytes;

use super::AwsError;
use super::error::{Call as _, OrMissing as _};
use super::objects::{KEY, decoded};
use super::s3::S3;

/// An object's own metadata: names in lower case, ASCII values.
pub type Metadata = BTreeMap<String, String>;

/// What is to be at the key of a write; otherwise it is refused with [`super::PRECONDITION_FAILED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// No object.
    Nothing,
    /// The object with this ETag.
    Etag(&'a str),
}

impl Expected<'_> {
    fn none_match(self) -> Option<String> {
        (self == Self::Nothing).then(|| "*".to_owned())
    }

    fn matches(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Etag(etag) => Some(etag.to_owned()),
        }
    }
}

/// What a write has stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    pub etag: String,
    /// `None` in a bucket without versioning.
    pub version: Option<String>,
}

/// What S3 knows of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadFacts {
    pub etag: String,
    pub version: Option<String>,
    /// Bytes.
    pub size: u64,
    /// Seconds since 1970.
    pub modified: i64,
    /// CRC-64/NVME of the whole object in base64; `None` if S3 has none, or only one of the checksums of its parts.
    pub crc64nvme: Option<String>,
    pub metadata: Metadata,
}

/// A part that S3 has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadedPart {
    /// From 1.
    pub number: i32,
    pub etag: String,
    /// CRC-64/NVME of the part in base64; empty if S3 has not told that of a copied part.
    pub crc64nvme: String,
}

/// An upload in parts that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    pub id: String,
    /// Seconds since 1970.
    pub began: i64,
    /// Whether it is one of [`S3::begin_whole`]: with CRC-64/NVME of the whole object.
    pub is_whole: bool,
}

impl S3 {
    /// Writes a whole object, with its CRC-64/NVME in base64, which S3 compares with what it receives.
    pub async fn put_whole(
        &self,
        (bucket, key): (&str, &str),
        body: Bytes,
        crc64nvme: &str,
        metadata: &Metadata,
        expected: Expected<'_>,
    ) -> Result<Put, AwsError> {
        let call = self.client.put_object().bucket(bucket).key(key).body(ByteStream::from(body));
        let call = call.set_metadata(given(metadata)).checksum_crc64_nvme(crc64nvme);
        let call = call.set_if_none_match(expected.none_match()).set_if_match(expected.matches());
        let answer = call.send().await.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        Ok(Put { etag: answer.e_tag.unwrap_or_default(), version: answer.version_id })
    }

    /// Begins an upload in parts with a checksum of the whole object; returns its ID.
    pub async fn begin_whole(&self, (bucket, key): (&str, &str), metadata: &Metadata) -> Result<String, AwsError> {
        let call = self.client.create_multipart_upload().bucket(bucket).key(key).set_metadata(given(metadata));
        let call = call.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).checksum_type(ChecksumType::FullObject);
        let answer = call.send().await.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        Ok(answer.upload_id.unwrap_or_default())
    }

    /// The uploads of a key that have not ended.
    pub async fn open_uploads(&self, bucket: &str, key: &str) -> Result<Vec<OpenUpload>, AwsError> {
        let (mut found, mut from) = (Vec::new(), (None, None));
        loop {
            let call = self.client.list_multipart_uploads().bucket(bucket).prefix(key).encoding_type(EncodingType::Url);
            let call = call.set_key_marker(from.0).set_upload_id_marker(from.1).send().await;
            let page = call.call("s3:ListBucketMultipartUploads", bucket)?;
            let is_it = |other: Option<&str>| other.is_some_and(|other| decoded(other, page.encoding_type()) == key);
            found.extend(page.uploads().iter().filter(|upload| is_it(upload.key())).map(|upload| OpenUpload {
                id: upload.upload_id().unwrap_or_default().to_owned(),
                began: upload.initiated().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                is_whole: upload.checksum_algorithm() == Some(&ChecksumAlgorithm::Crc64Nvme)
                    && upload.checksum_type() == Some(&ChecksumType::FullObject),
            }));
            // The key itself comes before the longer ones that begin with it.
            let is_last = page.uploads().last().is_none_or(|last| !is_it(last.key()));
            if is_last || page.is_truncated() != Some(true) {
                return Ok(found);
            }
            let next = page.next_key_marker().map(|key| decoded(key, page.encoding_type()));
            from = (next, page.next_upload_id_marker().map(str::to_owned));
        }
    }

    /// Uploads a part; the same number again replaces it. The error is `NoSuchUpload` for an upload that is over.
    pub async fn put_part(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
        number: i32,
        body: Bytes,
        crc64nvme: String,
    ) -> Result<UploadedPart, AwsError> {
        let call = self.client.upload_part().bucket(bucket).key(key).upload_id(upload).part_number(number);
        let call = call.body(ByteStream::from(body)).checksum_crc64_nvme(&crc64nvme);
        let answer = call.send().await.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        Ok(UploadedPart { number, etag: answer.e_tag.unwrap_or_default(), crc64nvme })
    }

    /// Copies bytes of an object of the bucket as a part of an upload: from `start` on, at most 5 GiB. Refused with
    /// [`super::PRECONDITION_FAILED`] unless the source has this ETag.
    pub async fn copy_part(
        &self,
        (bucket, key): (&str, &str),
        (from, etag): (&str, &str),
        upload: &str,
        number: i32,
        (start, length): (u64, u64),
    ) -> Result<UploadedPart, AwsError> {
        let source = percent_encoding::utf8_percent_encode(from, KEY);
        let range = format!("bytes={start}-{}", start.saturating_add(length).saturating_sub(1));
        let call = self.client.upload_part_copy().bucket(bucket).key(key).upload_id(upload).part_number(number);
        let call = call.copy_source(format!("{bucket}/{source}")).copy_source_if_match(etag).copy_source_range(range);
        let answer = call.send().await.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        let result = answer.copy_part_result.unwrap_or_else(|| CopyPartResult::builder().build());
        let crc64nvme = result.checksum_crc64_nvme.unwrap_or_default();
        Ok(UploadedPart { number, etag: result.e_tag.unwrap_or_default(), crc64nvme })
    }

    /// Completes the upload of these parts, in the order of their numbers. S3 compares size and checksum of the whole.
    pub async fn complete_whole(
        &self,
        (bucket, key): (&str, &str),
        upload: &str,
        parts: &[UploadedPart],
        (size, crc64nvme): (u64, &str),
        expected: Expected<'_>,
    ) -> Result<Put, AwsError> {
        let part = |part: &UploadedPart| {
            let made = CompletedPart::builder().part_number(part.number).e_tag(&part.etag);
            let sum = Some(&part.crc64nvme).filter(|sum| !sum.is_empty()).cloned();
            made.set_checksum_crc64_nvme(sum).build()
        };
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.iter().map(part).collect())).build();
        let call = self.client.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload);
        let call = call.multipart_upload(parts).checksum_type(ChecksumType::FullObject).checksum_crc64_nvme(crc64nvme);
        let call = call.mpu_object_size(i64::try_from(size).unwrap_or(i64::MAX));
        let call = call.set_if_none_match(expected.none_match()).set_if_match(expected.matches());
        let answer = call.send().await.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        Ok(Put { etag: answer.e_tag.unwrap_or_default(), version: answer.version_id })
    }

    /// Aborts an upload and deletes its parts; one that is over is fine.
    pub async fn abort_whole(&self, (bucket, key): (&str, &str), upload: &str) -> Result<(), AwsError> {
        let call = self.client.abort_multipart_upload().bucket(bucket).key(key).upload_id(upload).send().await;
        call.call("s3:AbortMultipartUpload", &format!("{bucket}/{key}")).or_missing(&["NoSuchUpload"]).map(drop)
    }

    /// What S3 knows of an object; `None` if it does not exist.
    pub async fn facts(&self, bucket: &str, key: &str) -> Result<Option<HeadFacts>, AwsError> {
        let call = self.client.head_object().bucket(bucket).key(key).checksum_mode(ChecksumMode::Enabled).send().await;
        match call.call("s3:HeadObject", &format!("{bucket}/{key}")) {
            Ok(head) => {
                let is_whole = head.checksum_type() != Some(&ChecksumType::Composite);
                Ok(Some(HeadFacts {
                    etag: head.e_tag().unwrap_or_default().to_owned(),
                    version: head.version_id().map(str::to_owned),
                    size: head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or_default(),
                    modified: head.last_modified().map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                    crc64nvme: head.checksum_crc64_nvme().filter(|_| is_whole).map(str::to_owned),
                    metadata: head.metadata().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
                }))
            }
            Err(error) if error.status == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Copies an object of at most 5 GiB inside its bucket, with this metadata. Refused with
    /// [`super::PRECONDITION_FAILED`] unless the source has this ETag.
    pub async fn copy_whole(
        &self,
        bucket: &str,
        (from, etag): (&str, &str),
        to: &str,
        metadata: &Metadata,
        expected: Expected<'_>,
    ) -> Result<Put, AwsError> {
        let source = percent_encoding::utf8_percent_encode(from, KEY);
        let call = self.client.copy_object().bucket(bucket).key(to).copy_source(format!("{bucket}/{source}"));
        let call = call.copy_source_if_match(etag).metadata_directive(MetadataDirective::Replace);
        let call = call.set_metadata(given(metadata));
        let call = call.set_if_none_match(expected.none_match()).set_if_match(expected.matches());
        let answer = call.send().await.call("s3:CopyObject", &format!("{bucket}/{to}"))?;
        let etag = answer.copy_object_result.and_then(|result| result.e_tag).unwrap_or_default();
        Ok(Put { etag, version: answer.version_id })
    }

    /// Deletes an object if it still has this ETag; a missing one is fine. In a bucket with versioning its versions
    /// stay.
    pub async fn delete_if(&self, bucket: &str, key: &str, etag: &str) -> Result<(), AwsError> {
        let call = self.client.delete_object().bucket(bucket).key(key).if_match(etag).send().await;
        call.call("s3:DeleteObject", &format!("{bucket}/{key}")).or_missing(&["NoSuchKey"]).map(drop)
    }
}

fn given(metadata: &Metadata) -> Option<std::collections::HashMap<String, String>> {
    let pairs = metadata.iter().map(|(name, value)| (name.clone(), value.clone()));
    (!metadata.is_empty()).then(|| pairs.collect())
}
