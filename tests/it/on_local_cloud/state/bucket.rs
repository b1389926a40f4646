//! State in a bucket of the local cloud.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sftpctl_engine::state::blob::Blobs;
use sftpctl_engine::state::bucket::Bucket;
use sftpctl_testkit::promises::{ACCOUNT, keeps_its_promises};

use super::BUCKET;
use crate::site::Site;

#[test]
fn bucket_keeps_all_promises() {
    let site = Site::new();
    site.aws(&["state-bucket", BUCKET]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let aws = site.aws_of(ACCOUNT).await;
        let count = AtomicUsize::new(0);
        let fresh = || -> Arc<dyn Blobs> {
            let prefix = format!("{}/", count.fetch_add(1, Ordering::SeqCst));
            Arc::new(Bucket::new(aws.s3("us-west-2"), ACCOUNT, BUCKET, &prefix, None))
        };
        keeps_its_promises(&fresh).await;
        let missing = Bucket::new(aws.s3("us-west-2"), ACCOUNT, "sftpctl-no-such-bucket", "", None);
        let error = missing.check().await.unwrap_err();
        assert!(error.hint().unwrap().contains("create-bucket"), "{error}");
    });
}
