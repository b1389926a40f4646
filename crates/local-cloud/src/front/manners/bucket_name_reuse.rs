//! S3 does not give a bucket's name away again at once.

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use hyper::Response;

use super::super::stack_request::StackRequest;
use super::super::{Front, refusal};
use super::{Answer, Countdown, Description, Inquiry, Key, Manner, failing_resource};

/// Attempts until the name is free.
const CALLS: u32 = 2;
const BUCKET: &str = "AWS::S3::Bucket";
const SENTENCE: &str =
    "A conflicting conditional operation is currently in progress against this resource. Please try again.";

#[derive(Default)]
pub(super) struct BucketNameReuse(Countdown<Key>);

#[async_trait]
impl Manner for BucketNameReuse {
    fn description(&self) -> &'static Description {
        &Description {
            name: "bucket-name-reuse",
            aws: "CreateBucket answers OperationAborted for a while after a bucket of that name was deleted, and a stack \
                  that creates the bucket fails",
            source: "aws/aws-cli#2593, panther-labs/panther#1614: minutes, up to an hour; \
                     aws-samples/aws-marketplace-serverless-saas-integration#86: in a stack",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let bucket = request.is("s3", &["CreateBucket"]).then(|| request.bucket())??;
        self.0.take(&request.global(&bucket)).then(|| refusal::error(request.call, 409, "OperationAborted", SENTENCE))
    }

    async fn change(&self, front: &Front, request: &Inquiry<'_>) -> Option<Bytes> {
        if !request.is("cloudformation", &["CreateStack", "UpdateStack"]) || self.0.is_empty() {
            return None;
        }
        let stack = StackRequest::of(front, request.call, request.body).await?;
        let existing = stack.existing(front).await;
        let created = stack.resources(BUCKET).into_iter().filter(|(id, _)| !existing.contains(*id));
        let refused = created.filter(|(_, bucket)| {
            let name = stack.text(&bucket["Properties"]["BucketName"]);
            name.is_some_and(|name| self.0.take(&request.global(&name)))
        });
        let ids: Vec<String> = refused.map(|(id, _)| id.clone()).collect();
        failing_resource::failing(request.body, stack.template, &ids)
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("s3", &["DeleteBucket"]) || failing_resource::is_shown(request)
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if failing_resource::is_shown(request) {
            let error = ("S3", 409, SENTENCE);
            answer.text = failing_resource::shown(&answer.text, BUCKET, error, "GeneralServiceException");
        } else if let Some(bucket) = request.bucket().filter(|_| answer.status.is_success()) {
            self.0.start(request.global(&bucket), CALLS);
        }
    }
}
