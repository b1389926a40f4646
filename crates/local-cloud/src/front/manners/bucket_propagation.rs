//! S3 does not know a bucket that was created a moment ago.

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

/// Calls until a new bucket is known.
const CALLS: u32 = 2;

#[derive(Default)]
pub(super) struct BucketPropagation(Countdown<Key>);

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
        self.0
            .take(&request.global(&bucket))
            .then(|| refusal::error(request.call, 404, "NoSuchBucket", "The specified bucket does not exist"))
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("s3", &["CreateBucket"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if let Some(bucket) = request.bucket().filter(|_| answer.status.is_success()) {
            self.0.start(request.global(&bucket), CALLS);
        }
    }
}
