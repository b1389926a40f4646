//! S3 does not know a bucket that was created a moment ago.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

/// Calls until a new bucket is known.
const CALLS: u32 = 2;

#[derive(Default)]
pub(super) struct BucketPropagation {
    unknown: Countdown<Key>,
    /// Buckets that were created here: in us-east-1, S3 answers a second CreateBucket of the owner with success.
    created: Mutex<BTreeSet<Key>>,
}

impl Manner for BucketPropagation {
    fn description(&self) -> &'static Description {
        &Description {
            name: "bucket-propagation",
            aws: "For some seconds after CreateBucket, calls about the bucket answer NoSuchBucket",
            source: "terraform-provider-aws bucketPropagationTimeout: the provider retries for two minutes",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let bucket = (request.call.service == "s3" && !request.is("s3", &["CreateBucket", "ListBuckets"]))
            .then(|| request.bucket())??;
        self.unknown
            .take(&request.global(&bucket))
            .then(|| refusal::error(request.call, 404, "NoSuchBucket", "The specified bucket does not exist"))
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("s3", &["CreateBucket", "DeleteBucket"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        let Some(bucket) = request.bucket().filter(|_| answer.status.is_success()) else { return };
        let (key, mut created) = (request.global(&bucket), self.created.lock().unwrap_or_else(PoisonError::into_inner));
        if request.call.operation == "DeleteBucket" {
            created.remove(&key);
        } else if created.insert(key.clone()) {
            self.unknown.start(key, CALLS);
        }
    }
}
