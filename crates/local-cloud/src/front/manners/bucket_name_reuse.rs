//! S3 does not give a bucket's name away again at once.

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

/// Attempts until the name is free.
const CALLS: u32 = 2;

#[derive(Default)]
pub(super) struct BucketNameReuse(Countdown<Key>);

impl Manner for BucketNameReuse {
    fn description(&self) -> &'static Description {
        &Description {
            name: "bucket-name-reuse",
            aws: "CreateBucket answers OperationAborted for a while after a bucket of that name was deleted",
            source: "aws/aws-cli#2593, panther-labs/panther#1614: minutes, up to an hour",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let bucket = request.is("s3", &["CreateBucket"]).then(|| request.bucket())??;
        self.0.take(&request.global(&bucket)).then(|| {
            let message = "A conflicting conditional operation is currently in progress against this resource. Please try \
                           again.";
            refusal::error(request.call, 409, "OperationAborted", message)
        })
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("s3", &["DeleteBucket"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if let Some(bucket) = request.bucket().filter(|_| answer.status.is_success()) {
            self.0.start(request.global(&bucket), CALLS);
        }
    }
}
