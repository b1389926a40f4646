//! Versions of objects: what a versioned bucket keeps of the past of its files.

use std::collections::{HashMap, VecDeque};

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType, ServerSideEncryption,
};

use super::AwsError;
use super::answer_body::AnswerBody;
use super::error::{Call as _, OrMissing as _};
use super::objects::{Upload, copy_source, decoded};
use super::s3::S3;

/// A version of an object, or the marker of its deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFacts {
    pub key: String,
    /// `null` for an object that is older than its bucket's versioning.
    pub id: String,
    /// Seconds since 1970; for an upload in parts, the time at which it began.
    pub modified: i64,
    /// Bytes; 0 for a marker.
    pub size: u64,
    /// Without quotes; empty for a marker.
    pub etag: String,
    /// Whether it marks a deletion.
    pub deleted: bool,
    /// Whether it is the object's current version.
    pub latest: bool,
}

/// A page of versions: by key, and of one key the newest first.
#[derive(Clone, Debug, Default)]
pub struct VersionPage {
    pub versions: Vec<VersionFacts>,
    pub next: Option<VersionMarker>,
}

/// Where a listing continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionMarker {
    key: Option<String>,
    version: Option<String>,
}

/// What S3 keeps of a version beside its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionHead {
    /// `null` for an object that is older than its bucket's versioning.
    pub id: String,
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// CRC-64/NVME of the whole content, in base64; `None` if S3 has none, or only one over the sums of parts.
    pub crc64nvme: Option<String>,
    /// Whether the content is encrypted with a key of KMS or of the customer: its ETag is then not an MD5 digest.
    pub is_sealed: bool,
    pub content_type: Option<String>,
    pub metadata: HashMap<String, String>,
}

impl S3 {
    /// One page of the versions and delete markers of the keys with this prefix.
    ///
    /// S3 lists them in one order, the newest of a key first, but the SDK has versions and markers in two lists, and
    /// times have no fractions: so the order is taken from the answer itself (aws/aws-sdk-cpp#1649).
    pub async fn version_page(
        &self,
        bucket: &str,
        prefix: &str,
        from: Option<&VersionMarker>,
    ) -> Result<VersionPage, AwsError> {
        let call = self.client.list_object_versions().bucket(bucket).prefix(prefix).encoding_type(EncodingType::Url);
        let call = call.set_key_marker(from.and_then(|marker| marker.key.clone()));
        let call = call.set_version_id_marker(from.and_then(|marker| marker.version.clone()));
        let body = AnswerBody::default();
        let call = call.customize().interceptor(body.clone());
        let page = call.send().await.call("s3:ListBucketVersions", bucket)?;
        let next = (page.is_truncated() == Some(true)).then(|| VersionMarker {
            key: page.next_key_marker().map(|key| decoded(key, page.encoding_type())),
            version: page.next_version_id_marker().map(str::to_owned),
        });
        let (versions, markers) = lists(&page);
        Ok(VersionPage { versions: ordered(elements(&body.take()), versions, markers), next })
    }

    /// What S3 keeps of a version, or without an ID of the current one; `None` if it is gone or marks a deletion.
    pub async fn version_head(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<Option<VersionHead>, AwsError> {
        let call = self.client.head_object().bucket(bucket).key(key).set_version_id(version.map(str::to_owned));
        let call = call.checksum_mode(ChecksumMode::Enabled).send().await;
        let head = match call.call("s3:GetObjectVersion", &format!("{bucket}/{key}")) {
            Ok(head) => head,
            // 405: the version is a delete marker.
            Err(error) if matches!(error.status, Some(404 | 405)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_whole = head.checksum_type() != Some(&ChecksumType::Composite);
        let is_sealed = head.sse_customer_algorithm().is_some()
            || head.server_side_encryption().is_some_and(|kind| *kind != ServerSideEncryption::Aes256);
        Ok(Some(VersionHead {
            id: head.version_id().unwrap_or("null").to_owned(),
            size: size(head.content_length()),
            etag: unquoted(head.e_tag()),
            crc64nvme: head.checksum_crc64_nvme().filter(|sum| is_whole && !sum.contains('-')).map(str::to_owned),
            is_sealed,
            content_type: head.content_type,
            metadata: head.metadata.unwrap_or_default(),
        }))
    }

    /// Copies a version of at most 5 GiB to be the current one of its key, if that is still the one with the ETag
    /// `current`; `None`: if there is none. Otherwise the error is [`super::PRECONDITION_FAILED`].
    pub async fn copy_version(
        &self,
        bucket: &str,
        key: &str,
        version: &str,
        current: Option<&str>,
    ) -> Result<(), AwsError> {
        let source = format!("{}?versionId={version}", copy_source(bucket, key));
        let call = self.client.copy_object().bucket(bucket).key(key).copy_source(source);
        let call = call.set_if_match(current.map(quoted)).set_if_none_match(only_new(current));
        call.send().await.call("s3:CopyObject", &format!("{bucket}/{key}")).map(drop)
    }

    /// Begins an upload in parts with the metadata of a version.
    pub async fn begin_like(&self, bucket: &str, key: &str, head: &VersionHead) -> Result<Upload, AwsError> {
        let call = self.client.create_multipart_upload().bucket(bucket).key(key);
        let call = call.set_content_type(head.content_type.clone()).set_metadata(Some(head.metadata.clone()));
        let answer = call.send().await.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        Ok(Upload { id: answer.upload_id().unwrap_or_default().to_owned(), parts: Vec::new() })
    }

    /// Copies the bytes from `start` on, at most 5 GiB, of a version as the next part of an upload.
    pub async fn add_from_version(
        &self,
        (bucket, key): (&str, &str),
        version: &str,
        upload: &mut Upload,
        (start, length): (u64, u64),
    ) -> Result<(), AwsError> {
        let source = format!("{}?versionId={version}", copy_source(bucket, key));
        let number = i32::try_from(upload.parts.len() + 1).unwrap_or(i32::MAX);
        let range = format!("bytes={start}-{}", start.saturating_add(length).saturating_sub(1));
        let call = self.client.upload_part_copy().bucket(bucket).key(key).upload_id(&upload.id).part_number(number);
        let call = call.copy_source(source).copy_source_range(range).send().await;
        let answer = call.call("s3:PutObject", &format!("{bucket}/{key}"))?;
        let etag = answer.copy_part_result.and_then(|result| result.e_tag);
        upload.parts.push(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
        Ok(())
    }

    /// Completes an upload; `current` as for [`Self::copy_version`].
    pub async fn complete_over(
        &self,
        bucket: &str,
        key: &str,
        upload: Upload,
        current: Option<&str>,
    ) -> Result<(), AwsError> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts)).build();
        let call = self.client.complete_multipart_upload().bucket(bucket).key(key).upload_id(upload.id);
        let call = call.multipart_upload(parts).set_if_match(current.map(quoted));
        let call = call.set_if_none_match(only_new(current)).send().await;
        call.call("s3:PutObject", &format!("{bucket}/{key}")).map(drop)
    }

    /// Marks an object as deleted, if its current version still has this ETag; its versions are kept. Missing is fine.
    pub async fn delete_current(&self, bucket: &str, key: &str, current: &str) -> Result<(), AwsError> {
        let call = self.client.delete_object().bucket(bucket).key(key).if_match(quoted(current)).send().await;
        call.call("s3:DeleteObject", &format!("{bucket}/{key}")).or_missing(&["NoSuchKey"]).map(drop)
    }
}

fn size(bytes: Option<i64>) -> u64 {
    bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default()
}

pub(super) fn unquoted(etag: Option<&str>) -> String {
    etag.unwrap_or_default().trim_matches('"').to_owned()
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn only_new(current: Option<&str>) -> Option<String> {
    current.is_none().then(|| "*".to_owned())
}

fn lists(page: &ListObjectVersionsOutput) -> (Vec<VersionFacts>, Vec<VersionFacts>) {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let key = |key: Option<&str>| decoded(key.unwrap_or_default(), page.encoding_type());
    let versions = page.versions().iter().map(|version| VersionFacts {
        key: key(version.key()),
        id: text(version.version_id()),
        modified: version.last_modified().map_or(0, DateTime::secs),
        size: size(version.size()),
        etag: unquoted(version.e_tag()),
        deleted: false,
        latest: version.is_latest() == Some(true),
    });
    let markers = page.delete_markers().iter().map(|marker| VersionFacts {
        key: key(marker.key()),
        id: text(marker.version_id()),
        modified: marker.last_modified().map_or(0, DateTime::secs),
        size: 0,
        etag: String::new(),
        deleted: true,
        latest: marker.is_latest() == Some(true),
    });
    (versions.collect(), markers.collect())
}

/// Both lists as one, in the order of the answer (`true` is a marker). Without it, or if it is not by key with the current
/// version first, which S3 promises and an emulator may not keep, by time.
fn ordered(order: Vec<bool>, versions: Vec<VersionFacts>, markers: Vec<VersionFacts>) -> Vec<VersionFacts> {
    let count = order.iter().filter(|is_marker| **is_marker).count();
    if (order.len() - count, count) != (versions.len(), markers.len()) {
        return merged(versions.into(), markers.into());
    }
    let is_split = order.is_sorted();
    let (mut left, mut right) = (versions.iter(), markers.iter());
    let next = |is_marker: bool| if is_marker { right.next() } else { left.next() };
    let all: Vec<VersionFacts> = order.into_iter().filter_map(next).cloned().collect();
    // A page may begin in the middle of a key, so that a current version can only be too late.
    let is_by_key = |a: &VersionFacts, b: &VersionFacts| a.key < b.key || a.key == b.key && !b.latest;
    let goes_back = |a: &VersionFacts, b: &VersionFacts| a.key == b.key && a.modified < b.modified;
    let any =
        |is: &dyn Fn(&VersionFacts, &VersionFacts) -> bool| all.iter().zip(all.iter().skip(1)).any(|(a, b)| is(a, b));
    // A time may go back, after an upload in parts; but not where all versions come before all markers.
    let is_split = is_split && any(&goes_back);
    if is_split || any(&|a, b| !is_by_key(a, b)) { merged(versions.into(), markers.into()) } else { all }
}

/// Which elements of an answer are versions and which are markers. Text has no `<` in XML, so that no key can be one.
fn elements(answer: &[u8]) -> Vec<bool> {
    let rest = |at: usize| answer.get(at..).unwrap_or_default();
    let begins = |at: usize, tag: &[u8]| {
        let after = rest(at).strip_prefix(tag).and_then(<[u8]>::first);
        after.is_some_and(|next| matches!(next, b'>' | b' ' | b'/' | b'\n' | b'\r' | b'\t'))
    };
    let tags = answer.iter().enumerate().filter(|(_, byte)| **byte == b'<').map(|(at, _)| at);
    tags.filter_map(|at| match () {
        () if begins(at, b"<Version") => Some(false),
        () if begins(at, b"<DeleteMarker") => Some(true),
        () => None,
    })
    .collect()
}

/// Both lists as one, by key and then the newest first; neither list's own order changes. Of a version and a marker of
/// one second, the marker counts as the newer one, unless the version is the current one.
fn merged(mut versions: VecDeque<VersionFacts>, mut markers: VecDeque<VersionFacts>) -> Vec<VersionFacts> {
    let mut all = Vec::with_capacity(versions.len() + markers.len());
    while let (Some(version), Some(marker)) = (versions.front(), markers.front()) {
        let order = version.key.cmp(&marker.key);
        let order = order.then_with(|| marker.latest.cmp(&version.latest));
        let marker_is_first = order.then_with(|| marker.modified.cmp(&version.modified)).is_ge();
        all.extend(if marker_is_first { markers.pop_front() } else { versions.pop_front() });
    }
    all.extend(versions);
    all.extend(markers);
    all
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    fn facts(key: &str, id: &str, modified: i64, deleted: bool, latest: bool) -> VersionFacts {
        VersionFacts { key: key.into(), id: id.into(), modified, size: 1, etag: "e".into(), deleted, latest }
    }

    #[test]
    fn versions_and_markers_become_one_list() {
        let versions = vec![
            facts("a", "a3", 30, false, false),
            facts("a", "a1", 10, false, false),
            facts("b", "b2", 20, false, true),
            facts("b", "b1", 20, false, false),
            facts("d", "d1", 5, false, true),
        ];
        let markers = vec![
            facts("a", "a4", 30, true, true),
            facts("a", "a2", 20, true, false),
            facts("b", "bm", 20, true, false),
            facts("c", "c1", 1, true, true),
        ];
        let ids: Vec<String> = merged(versions.into(), markers.into()).into_iter().map(|facts| facts.id).collect();
        assert_eq!(ids, ["a4", "a3", "a2", "a1", "b2", "bm", "b1", "c1", "d1"]);
    }

    /// An HTTP client with one answer.
    #[derive(Clone, Debug)]
    struct Canned(String);

    impl HttpConnector for Canned {
        fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
            let status = 200.try_into().unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(self.0.clone()))))
        }
    }

    impl HttpClient for Canned {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    async fn listed(elements: &[(&str, &str, &str, bool)]) -> Vec<String> {
        let element = |(name, key, id, latest): &(&str, &str, &str, bool)| {
            let size = if *name == "Version" { "<Size>1</Size><ETag>&quot;e&quot;</ETag>" } else { "" };
            format!(
                "<{name}><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{latest}</IsLatest>\
                 <LastModified>2026-11-30T18:00:00.000Z</LastModified>{size}</{name}>"
            )
        };
        let elements: String = elements.iter().map(element).collect();
        let answer = format!(
            "<?xml version=\"1.0\"?><ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>\
             <EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><VersionIdMarker></VersionIdMarker>\
             {elements}</ListVersionsResult>"
        );
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(aws_sdk_s3::config::BehaviorVersion::latest())
            .region(aws_sdk_s3::config::Region::new("us-west-2"))
            .credentials_provider(aws_sdk_s3::config::Credentials::new("a", "b", None, None, "test"))
            .http_client(Canned(answer))
            .build();
        let s3 = S3 { client: aws_sdk_s3::Client::from_conf(config), region: "us-west-2".into() };
        let page = s3.version_page("b", "", None).await.unwrap();
        page.versions.into_iter().map(|facts| facts.id).collect()
    }

    /// Everything within one second: written, deleted, written twice, deleted.
    #[tokio::test]
    async fn versions_of_one_second_have_the_order_of_the_answer() {
        let answer = [
            ("DeleteMarker", "a", "5", true),
            ("Version", "a", "4", false),
            ("Version", "a", "3", false),
            ("DeleteMarker", "a", "2", false),
            ("Version", "a", "1", false),
            ("Version", "b%3CDeleteMarker%3E", "2", true),
            ("DeleteMarker", "b%3CDeleteMarker%3E", "1", false),
        ];
        assert_eq!(listed(&answer).await, ["5", "4", "3", "2", "1", "2", "1"]);
        // An emulator that lists all versions and then all markers.
        let apart = [
            ("Version", "a", "2", false),
            ("Version", "b", "1", true),
            ("DeleteMarker", "a", "3", true),
            ("DeleteMarker", "a", "1", false),
        ];
        assert_eq!(listed(&apart).await, ["3", "1", "2", "1"]);
    }
}
