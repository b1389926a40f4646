//! The fault `rollBack`: a stack operation that fails after everything else in it was done, and is rolled back.
//!
//! The request's template gets one more resource, which needs all others and cannot be created. The rollback is
//! MiniStack's, which resets properties in place as AWS does ("rolls back to the last known stable state", AWS
//! CloudFormation user guide, "Stack failure options"), the environment of a Lambda function included.

use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::front::Front;
use crate::front::authorize::tag_form;
use crate::front::call::Call;
use crate::front::operation::Form;
use crate::front::pending::between;
use crate::front::stack_request::{StackRequest, with_template};
use crate::place::Place;

/// How often and how long to wait for MiniStack's rollback, which takes milliseconds.
const ATTEMPTS: u32 = 100;
const INTERVAL: Duration = Duration::from_millis(50);

/// Logical ID of the resource that fails.
const FAILING: &str = "FailsOnPurpose";

/// The form of a CreateStack or UpdateStack whose template fails last. `None` if its template is not JSON in the request
/// or, with `UsePreviousTemplate`, in the stack.
pub(super) async fn failing(front: &Front, call: &Call, body: &[u8]) -> Option<Bytes> {
    let template = StackRequest::of(front, call, body).await?.template;
    Some(with_template(body, &with_failure(template, call)?))
}

/// Gives the stack's tags to the buckets that the rollback of this request left behind. On AWS they have them from their
/// creation on; MiniStack does not give any.
pub(super) async fn tag_kept_buckets(front: &Front, call: &Call, body: &[u8]) {
    let Some(request) = StackRequest::of(front, call, body).await else { return };
    let form = Form::parse(body);
    let (place, tags) = (Place { account: call.account.clone(), region: call.region.clone() }, tag_form(&form));
    for _ in 0..ATTEMPTS {
        let stack = front.upstream.cloudformation(&place, "DescribeStacks", form.get("StackName")).await;
        let status = stack.as_deref().and_then(|xml| between(xml, "<StackStatus>", "</StackStatus>"));
        if status.is_none_or(|status| !status.ends_with("_IN_PROGRESS")) {
            break;
        }
        tokio::time::sleep(INTERVAL).await;
    }
    let s3 = front.cloud.aws(&place.account).await.s3(&place.region);
    for (_, resource) in request.resources("AWS::S3::Bucket") {
        let Some(bucket) = request.text(&resource["Properties"]["BucketName"]) else { continue };
        if matches!(s3.tags(&bucket, &place.account).await, Ok(Some(have)) if have.is_empty())
            && let Err(error) = s3.set_tags(&bucket, &tags).await
        {
            tracing::warn!(%error, "cannot keep the stack's tags on the bucket");
        }
    }
}

fn with_failure(mut template: Value, call: &Call) -> Option<Value> {
    let resources = template["Resources"].as_object_mut()?;
    let others: Vec<&String> = resources.keys().collect();
    let token = format!("arn:aws:lambda:{}:{}:function:fails-on-purpose", call.region, call.account);
    let failing =
        json!({ "Type": "Custom::FailsOnPurpose", "DependsOn": others, "Properties": { "ServiceToken": token } });
    resources.insert(FAILING.to_owned(), failing);
    Some(template)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::call::Protocol;

    #[test]
    fn failing_resource_needs_all_others() {
        let call = Call {
            service: "cloudformation".to_owned(),
            operation: "UpdateStack".to_owned(),
            region: "us-west-2".to_owned(),
            account: "111111111111".to_owned(),
            mutating: true,
            object: None,
            role: None,
            protocol: Protocol::Xml,
        };
        let changed = with_failure(json!({"Resources": {"A": {"Type": "X"}, "B": {"Type": "Y"}}}), &call).unwrap();
        assert_eq!(changed["Resources"][FAILING]["DependsOn"], json!(["A", "B"]));
        assert_eq!(changed["Resources"]["A"], json!({ "Type": "X" }));
        assert_eq!(with_failure(json!({}), &call), None);
    }
}
