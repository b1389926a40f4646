//! Gives a stack's tags to its buckets, as CloudFormation does on AWS and MiniStack does not.
//!
//! Only GetBucketTagging of a bucket without tags is answered here, so that existing tags are left alone. Before a
//! stack is changed or deleted, its buckets get the tags for good: on AWS a bucket that outlives its stack keeps them.

use axum::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::Front;
use super::pending::{between, stack_name};
use crate::place::Place;

/// Returns `response`, or the stack's tags if the bucket has none of its own.
pub(super) async fn answer(front: &Front, place: &Place, bucket: &str, response: Response<Body>) -> Response<Body> {
    if response.status() != StatusCode::NOT_FOUND {
        return response;
    }
    let Some(tags) = stack_tags(front, place, bucket).await else {
        return response;
    };
    let tags: String =
        tags.iter().map(|(key, value)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")).collect();
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}</TagSet></Tagging>"
    );
    let mut response = Response::new(Body::from(xml));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// Puts a stack's tags on its buckets that have none.
pub(super) async fn keep(front: &Front, place: &Place, stack: &str) {
    let Some(resources) = front.upstream.cloudformation(place, "DescribeStackResources", Some(stack)).await else {
        return;
    };
    let s3 = front.cloud.aws(&place.account).await.s3(&place.region);
    for member in resources.split("<member>").filter(|m| m.contains("<ResourceType>AWS::S3::Bucket</ResourceType>")) {
        let Some(bucket) = between(member, "<PhysicalResourceId>", "</PhysicalResourceId>") else { continue };
        if !matches!(s3.tags(bucket, &place.account).await, Ok(Some(tags)) if tags.is_empty()) {
            continue;
        }
        let tags = stack_tags(front, place, bucket).await.unwrap_or_default();
        // CloudFormation's own tags are not kept.
        let tags = tags.iter().filter(|(key, _)| !key.starts_with("aws:"));
        let tags = tags.map(|(key, value)| (unescaped(key), unescaped(value))).collect();
        if let Err(error) = s3.set_tags(bucket, &tags).await {
            tracing::warn!(%error, "cannot keep the stack's tags on the bucket");
        }
    }
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    text.replace("&apos;", "'").replace("&amp;", "&")
}

/// The tags that the bucket's stack puts on it, still escaped for XML.
async fn stack_tags(front: &Front, place: &Place, bucket: &str) -> Option<Vec<(String, String)>> {
    let stacks = front.upstream.cloudformation(place, "DescribeStacks", None).await?;
    for stack in stacks.split("<StackId>").skip(1) {
        let id = stack.split("</StackId>").next()?;
        if between(stack, "<StackStatus>", "</StackStatus>") == Some("DELETE_COMPLETE") {
            continue;
        }
        let resources = front.upstream.cloudformation(place, "DescribeStackResources", Some(id)).await?;
        let physical = format!("<PhysicalResourceId>{bucket}</PhysicalResourceId>");
        let owned = resources.split("<member>").find(|member| {
            member.contains(&physical) && member.contains("<ResourceType>AWS::S3::Bucket</ResourceType>")
        });
        let Some(owned) = owned else { continue };
        let logical = between(owned, "<LogicalResourceId>", "</LogicalResourceId>")?;
        let name = stack_name(id);
        let mut tags = Vec::new();
        for (key, value) in [
            ("aws:cloudformation:stack-name", name),
            ("aws:cloudformation:stack-id", id),
            ("aws:cloudformation:logical-id", logical),
        ] {
            tags.push((key.to_owned(), value.to_owned()));
        }
        for tag in between(stack, "<Tags>", "</Tags>").unwrap_or_default().split("<member>").skip(1) {
            let (key, value) = (between(tag, "<Key>", "</Key>")?, between(tag, "<Value>", "</Value>")?);
            tags.push((key.to_owned(), value.to_owned()));
        }
        return Some(tags);
    }
    None
}
