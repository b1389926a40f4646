//! Gives a stack's tags to its buckets, as CloudFormation does on AWS and MiniStack does not.
//!
//! Only GetBucketTagging of a bucket without tags is answered here, so that tags which somebody set stay what they are.

use axum::body::Body;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::Front;
use super::pending::{between, stack_name};
use crate::local::transfer::Place;

/// `response`, unless it says that there are no tags and a stack has some for the bucket.
pub(super) async fn answer(front: &Front, place: &Place, bucket: &str, response: Response<Body>) -> Response<Body> {
    if response.status() != StatusCode::NOT_FOUND {
        return response;
    }
    let Some(tags) = stack_tags(front, place, bucket).await else {
        return response;
    };
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}</TagSet></Tagging>"
    );
    let mut response = Response::new(Body::from(xml));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

/// The tags that the stack which owns this bucket puts on it, as elements of a `TagSet`.
async fn stack_tags(front: &Front, place: &Place, bucket: &str) -> Option<String> {
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
        let mut tags = String::new();
        for (key, value) in [
            ("aws:cloudformation:stack-name", name),
            ("aws:cloudformation:stack-id", id),
            ("aws:cloudformation:logical-id", logical),
        ] {
            tags += &format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        }
        // Both texts are XML already: what is escaped there is escaped here.
        for tag in between(stack, "<Tags>", "</Tags>").unwrap_or_default().split("<member>").skip(1) {
            let (key, value) = (between(tag, "<Key>", "</Key>")?, between(tag, "<Value>", "</Value>")?);
            tags += &format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
        }
        return Some(tags);
    }
    None
}
