//! S3. Many actions have other names than their operations.

use super::super::operation;
use super::need::{Asked, Need};
use super::table::Row;
use super::xml;

pub(super) const ROWS: &[Row] = &[
    ("AbortMultipartUpload", "s3:AbortMultipartUpload", "object"),
    ("CompleteMultipartUpload", "s3:PutObject", "object"),
    ("CopyObject", "s3:PutObject", "object"),
    ("CreateBucket", "s3:CreateBucket", "bucket"),
    ("CreateMultipartUpload", "s3:PutObject", "object"),
    ("DeleteBucket", "s3:DeleteBucket", "bucket"),
    ("DeleteBucketEncryption", "s3:PutEncryptionConfiguration", "bucket"),
    ("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", "bucket"),
    ("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", "bucket"),
    ("DeleteBucketPolicy", "s3:DeleteBucketPolicy", "bucket"),
    ("DeleteBucketTagging", "s3:PutBucketTagging", "bucket"),
    ("DeleteObject", "s3:DeleteObject", "object"),
    ("DeleteObjects", "s3:DeleteObject", "object"),
    ("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", "bucket"),
    ("GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", "bucket"),
    ("GetBucketAcl", "s3:GetBucketAcl", "bucket"),
    ("GetBucketCors", "s3:GetBucketCORS", "bucket"),
    ("GetBucketEncryption", "s3:GetEncryptionConfiguration", "bucket"),
    ("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", "bucket"),
    ("GetBucketLocation", "s3:GetBucketLocation", "bucket"),
    ("GetBucketLogging", "s3:GetBucketLogging", "bucket"),
    ("GetBucketNotificationConfiguration", "s3:GetBucketNotification", "bucket"),
    ("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", "bucket"),
    ("GetBucketPolicy", "s3:GetBucketPolicy", "bucket"),
    ("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", "bucket"),
    ("GetBucketReplication", "s3:GetReplicationConfiguration", "bucket"),
    ("GetBucketTagging", "s3:GetBucketTagging", "bucket"),
    ("GetBucketVersioning", "s3:GetBucketVersioning", "bucket"),
    ("GetBucketWebsite", "s3:GetBucketWebsite", "bucket"),
    ("GetObject", "s3:GetObject", "object"),
    ("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", "bucket"),
    ("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", "bucket"),
    ("HeadBucket", "s3:ListBucket", "bucket"),
    ("HeadObject", "s3:GetObject", "object"),
    ("ListBuckets", "s3:ListAllMyBuckets", ""),
    ("ListMultipartUploads", "s3:ListBucketMultipartUploads", "bucket"),
    ("ListObjectVersions", "s3:ListBucketVersions", "bucket"),
    ("ListObjects", "s3:ListBucket", "bucket"),
    ("ListObjectsV2", "s3:ListBucket", "bucket"),
    ("ListParts", "s3:ListMultipartUploadParts", "object"),
    ("PutBucketEncryption", "s3:PutEncryptionConfiguration", "bucket"),
    ("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", "bucket"),
    ("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", "bucket"),
    ("PutBucketPolicy", "s3:PutBucketPolicy", "bucket"),
    ("PutBucketTagging", "s3:PutBucketTagging", "bucket"),
    ("PutBucketVersioning", "s3:PutBucketVersioning", "bucket"),
    ("PutObject", "s3:PutObject", "object"),
    ("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", "bucket"),
    ("UploadPart", "s3:PutObject", "object"),
    ("UploadPartCopy", "s3:PutObject", "object"),
];

/// Headers of a request that are condition keys, by the name of the key.
const HEADERS: [&str; 5] = [
    "x-amz-acl",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "if-match",
    "if-none-match",
];

/// Whether the permissions depend on the body.
pub(super) fn reads_body(operation: &str) -> bool {
    operation == "DeleteObjects"
}

/// The permission without which a missing object cannot be told from a forbidden one (S3 API reference, GetObject).
pub(super) fn sees_missing(asked: &Asked<'_>) -> Option<Need> {
    let reads = matches!(asked.operation, "GetObject" | "HeadObject");
    let bucket = operation::bucket(asked.parts).filter(|_| reads)?;
    Some(Need::new("s3:ListBucket", "bucket", format!("arn:aws:s3:::{bucket}")))
}

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    if kind.is_empty() {
        return Ok(vec![Need::new(action, kind, "*")]);
    }
    let bucket = operation::bucket(asked.parts).ok_or("the request names no bucket")?;
    let arn = format!("arn:aws:s3:::{bucket}");
    if kind == "bucket" {
        let mut own = Need::new(action, kind, arn);
        for key in ["prefix", "delimiter", "max-keys"] {
            if let Some(value) = asked.query(key) {
                own = own.with(&format!("s3:{key}"), value);
            }
        }
        return Ok(vec![own]);
    }
    if asked.operation == "DeleteObjects" {
        return deletions(&arn, asked);
    }
    let key = operation::object(asked.parts).ok_or("the request names no object")?;
    let key = percent_encoding::percent_decode_str(&key).decode_utf8_lossy().into_owned();
    let mut own = Need::new(versioned(action, asked.query("versionId").is_some()), kind, format!("{arn}/{key}"));
    if let Some(version) = asked.query("versionId") {
        own = own.with("s3:VersionId", version);
    }
    for header in HEADERS {
        if let Some(value) = asked.header(header) {
            own = own.with(&format!("s3:{header}"), value);
        }
    }
    let source = asked.header("x-amz-copy-source").map(source);
    let encryption = key_of(asked).filter(|_| action == "s3:PutObject");
    Ok([Some(own), source, encryption].into_iter().flatten().collect())
}

/// The action on one version of an object, which has a name of its own.
fn versioned(action: &str, version: bool) -> String {
    match action {
        "s3:GetObject" | "s3:DeleteObject" if version => format!("{action}Version"),
        _ => action.to_owned(),
    }
}

/// `BUCKET/KEY?versionId=VERSION`, with or without a slash before it; a `?` of the key is encoded.
fn source(header: &str) -> Need {
    let (path, query) = header.split_once('?').unwrap_or((header, ""));
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    let version = query.contains("versionId");
    let arn = format!("arn:aws:s3:::{}", path.trim_start_matches('/'));
    Need::new(versioned("s3:GetObject", version), "object", arn)
}

/// The key that S3 encrypts an object with, as the caller.
fn key_of(asked: &Asked<'_>) -> Option<Need> {
    let key = asked.header("x-amz-server-side-encryption-aws-kms-key-id")?;
    let via = format!("s3.{}.amazonaws.com", asked.region);
    let need = |arn: String| Need::new("kms:GenerateDataKey", "key", arn).with("kms:ViaService", via);
    Some(match key.rsplit_once("alias/") {
        // KMS authorizes the key that the alias stands for; which one it is makes no difference to policies that name the
        // alias, and only those can be meant by a caller who does not know the key.
        Some((_, alias)) => {
            need(asked.arn("kms", "key/of-an-alias")).with("kms:ResourceAliases", format!("alias/{alias}"))
        }
        None if key.starts_with("arn:") => need(key.to_owned()),
        None => need(asked.arn("kms", &format!("key/{key}"))),
    })
}

/// One permission for each object of DeleteObjects.
fn deletions(bucket: &str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let objects = xml::plain(asked.body)?.split("<Object>").skip(1).map(|object| {
        let [key] = xml::elements(object, "Key")[..] else { return Err("an object of the request has not one key") };
        let version = object.contains("<VersionId>");
        Ok(Need::new(versioned("s3:DeleteObject", version), "object", format!("{bucket}/{}", xml::text(key)?)))
    });
    let objects: Vec<Need> = objects.collect::<Result<_, _>>()?;
    if objects.is_empty() { Err("the request names no objects".to_owned()) } else { Ok(objects) }
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};
    use super::*;

    fn call(operation: &str, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Vec<Need> {
        let mut request = hyper::Request::builder().method(method).uri(uri).header("host", "127.0.0.1:4570");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        asked("s3", operation, request.body(body.to_owned()).unwrap())
    }

    #[test]
    fn versions_have_actions_of_their_own() {
        let object = "arn:aws:s3:::b/a/k l";
        for (operation, method, uri, action) in [
            ("GetObject", "GET", "/b/a/k%20l?x-id=GetObject", "s3:GetObject"),
            ("HeadObject", "HEAD", "/b/a/k%20l?versionId=1", "s3:GetObjectVersion"),
            ("DeleteObject", "DELETE", "/b/a/k%20l?versionId=1", "s3:DeleteObjectVersion"),
            ("PutObject", "PUT", "/b/a/k%20l", "s3:PutObject"),
        ] {
            assert_eq!(shown(&call(operation, method, uri, &[], "")), [(action, object)]);
        }
    }

    #[test]
    fn every_object_of_a_deletion_needs_permission() {
        let xml = "<Delete><Object><Key>a&amp;b</Key></Object>\
                   <Object><Key>c</Key><VersionId>1</VersionId></Object></Delete>";
        let needs = call("DeleteObjects", "POST", "/b?delete", &[], xml);
        assert_eq!(
            shown(&needs),
            [("s3:DeleteObject", "arn:aws:s3:::b/a&b"), ("s3:DeleteObjectVersion", "arn:aws:s3:::b/c")]
        );
    }

    #[test]
    fn copies_and_keys_need_permissions_of_their_own() {
        let key = "arn:aws:kms:us-west-2:111111111111:key/1";
        let headers = [("x-amz-copy-source", "/s/k?versionId=7"), ("x-amz-server-side-encryption-aws-kms-key-id", key)];
        let needs = call("CopyObject", "PUT", "/b/k", &headers, "");
        assert_eq!(
            shown(&needs),
            [
                ("s3:PutObject", "arn:aws:s3:::b/k"),
                ("s3:GetObjectVersion", "arn:aws:s3:::s/k"),
                ("kms:GenerateDataKey", key),
            ]
        );
        assert_eq!(needs[2].context["kms:ViaService"], ["s3.us-west-2.amazonaws.com"]);
    }

    #[test]
    fn lists_have_their_prefix_as_a_condition() {
        let needs = call("ListObjectsV2", "GET", "/b?list-type=2&prefix=a%2F", &[], "");
        assert_eq!(shown(&needs), [("s3:ListBucket", "arn:aws:s3:::b")]);
        assert_eq!(needs[0].context["s3:prefix"], ["a/"]);
    }
}
