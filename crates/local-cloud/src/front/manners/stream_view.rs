//! A stream that is on keeps its view.

use async_trait::async_trait;
use axum::body::Body;
use hyper::Response;
use serde_json::{Value, json};

use super::super::{Front, refusal};
use super::{Description, Inquiry, Manner};

pub(super) struct StreamView;

#[async_trait]
impl Manner for StreamView {
    fn description(&self) -> &'static Description {
        &Description {
            name: "stream-view",
            aws: "UpdateTable refuses to enable a stream on a table that has one, also with another view of it",
            source: "scylladb/scylladb#6939 (a test run against AWS), terraform-provider-aws#18402, \
                     aws-controllers-k8s/community#1000",
        }
    }

    async fn ask(&self, front: &Front, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let body = request.is("dynamodb", &["UpdateTable"]).then(|| request.json())?;
        let name = body["TableName"].as_str().filter(|_| body["StreamSpecification"]["StreamEnabled"] == true)?;
        let (call, target) = (request.call, Some("DynamoDB_20120810.DescribeTable"));
        let asked = json!({ "TableName": name }).to_string();
        let kind = "application/x-amz-json-1.0";
        let table = front.upstream.ask(&call.account, &call.region, "dynamodb", target, kind, &asked).await.ok()?;
        let table: Value = serde_json::from_str(&table).ok()?;
        (table["Table"]["StreamSpecification"]["StreamEnabled"] == true).then(|| {
            let name = table["Table"]["TableName"].as_str().unwrap_or(name);
            let message = format!("Table already has an enabled stream: TableName: {name}");
            refusal::error(call, 400, "ValidationException", &message)
        })
    }
}
