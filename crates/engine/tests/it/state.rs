//! The stores for state, journal and lock: a folder, and S3 as a stub.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sftpctl_aws::{Aws, AwsError};
use sftpctl_engine::state::blob::{Blobs, Expect};
use sftpctl_engine::state::bucket::Bucket;
use sftpctl_engine::state::error::StateError;
use sftpctl_engine::state::folder::Folder;
use sftpctl_testkit::promises::{ACCOUNT, TERMS, keeps_its_promises, store};

use crate::stub::{Reply, Stub};

#[tokio::test(start_paused = true)]
async fn a_folder_keeps_its_promises() {
    let dir = tempfile::tempdir().unwrap();
    let count = AtomicUsize::new(0);
    keeps_its_promises(&|| Arc::new(Folder::new(dir.path().join(count.fetch_add(1, Ordering::SeqCst).to_string()))))
        .await;
}

/// A store in a bucket of the stub.
async fn bucket(stub: &Stub, kms_key: Option<&str>) -> (Arc<Aws>, Bucket) {
    let aws = stub.aws("us-west-2").await;
    let bucket = Bucket::new(aws.s3("us-west-2"), ACCOUNT, "company-state", "a/", kms_key.map(str::to_owned));
    (aws, bucket)
}

fn written(etag: &str) -> Reply {
    Reply::ok("").header("etag", etag)
}

#[tokio::test]
async fn only_the_lock_is_written_after_the_lease() {
    let stub = Stub::new().await;
    stub.on("s3:PUT /company-state/a/99.lock", [written("\"1\"")]).on("s3:PUT /other", [Reply::ok("")]);
    let (aws, bucket) = bucket(&stub, None).await;
    aws.set_fence(Some(Box::new(|| true)));
    bucket.put("99.lock", b"renewed", Expect::Absent).await.unwrap();
    let refused: AwsError = aws.s3("us-west-2").create_bucket("other").await.unwrap_err();
    assert!(refused.to_string().contains("this run no longer holds the lock"), "{refused}");
    assert_eq!(stub.operations(), ["s3:PUT /company-state/a/99.lock"]);
}

#[tokio::test]
async fn concurrent_writes_are_decided_by_the_condition() {
    let stub = Stub::new().await;
    let busy = || Reply::s3_error(409, "ConditionalRequestConflict", "The conditional request cannot succeed");
    stub.on("s3:PUT /company-state/a/99.lock", [busy(), busy(), written("\"1\"")]);
    let (_, bucket) = bucket(&stub, None).await;
    bucket.put("99.lock", b"mine", Expect::Absent).await.unwrap();
    stub.on("s3:PUT /company-state/a/99.lock", [busy(), Reply::s3_error(412, "PreconditionFailed", "At least one")]);
    stub.on("s3:GET /company-state/a/99.lock", [Reply::ok("another's").header("etag", "\"2\"")]);
    let refused = bucket.put("99.lock", b"mine", Expect::Absent).await.unwrap_err();
    assert!(matches!(refused, StateError::Conflict { .. }), "{refused}");
}

#[tokio::test]
async fn documents_are_encrypted_with_the_key_of_the_environment() {
    let stub = Stub::new().await;
    stub.on("s3:PUT /company-state/a/99.json", [written("\"1\"")]);
    let (_, bucket) = bucket(&stub, Some("alias/state")).await;
    bucket.put("99.json", b"{}", Expect::Absent).await.unwrap();
    let request = &stub.asked("s3:PUT /company-state/a/99.json")[0];
    assert_eq!(request.headers["x-amz-server-side-encryption"], "aws:kms");
    assert_eq!(request.headers["x-amz-server-side-encryption-aws-kms-key-id"], "alias/state");
    assert_eq!(request.headers["if-none-match"], "*");
}

/// Some storages take `If-None-Match` and write all the same.
#[tokio::test]
async fn storage_that_ignores_conditions_is_refused_by_every_run() {
    let stub = Stub::new().await;
    let versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    let missing = || Reply::s3_error(404, "NoSuchKey", "The specified key does not exist.");
    stub.on("s3:GET /company-state?versioning", [Reply::ok(versioned)]);
    stub.on("s3:GET /company-state/a/99.lock", [missing()]);
    stub.on("s3:PUT /company-state/a/99.lock", (1..9).map(|number| written(&format!("\"{number}\""))));
    let blobs: Arc<dyn Blobs> = Arc::new(bucket(&stub, None).await.1);
    for _ in 0..2 {
        let error = store(&blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.err().unwrap();
        assert!(error.to_string().contains("does not keep conditional writes"), "{error}");
    }
    let lock = stub.asked("s3:PUT /company-state/a/99.lock");
    let of_lock = stub.count("s3:GET /company-state/a/99.lock") + lock.len();
    assert_eq!(of_lock + stub.count("s3:GET /company-state?versioning"), stub.operations().len(), "only the lock");
    assert!(lock.last().unwrap().body.contains("\"released\": true"), "{}", lock.last().unwrap().body);
}

#[tokio::test]
async fn document_beyond_the_limit_is_refused() {
    let stub = Stub::new().await;
    stub.on("s3:GET /company-state/a/99.json", [Reply::ok(" ".repeat((64 << 20) + 1)).header("etag", "\"1\"")]);
    let error = bucket(&stub, None).await.1.get("99.json").await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("it has more than 64 MiB"), "{error} {cause}");
    assert_eq!(stub.operations().len(), 1, "it is not asked for again");
}

#[tokio::test]
async fn unversioned_bucket_is_refused_for_state() {
    let stub = Stub::new().await;
    for status in ["", "<Status>Suspended</Status>"] {
        let answer = format!("<VersioningConfiguration>{status}</VersioningConfiguration>");
        stub.on("s3:GET /company-state?versioning", [Reply::ok(answer)]);
        let blobs: Arc<dyn Blobs> = Arc::new(bucket(&stub, None).await.1);
        let error = store(&blobs, "one", 1).begin("deploy", TERMS, &|_| {}).await.err().unwrap();
        assert!(error.to_string().contains("the bucket does not keep versions"), "{error}");
        assert!(error.hint().unwrap().contains("put-bucket-versioning --bucket company-state"));
    }
    assert_eq!(stub.count("s3:GET /company-state?versioning"), stub.operations().len(), "nothing else was called");
}
