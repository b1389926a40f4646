//! Tables and replicas are created and deleted while they are asked about, and have no tags meanwhile.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

/// Calls until a table is as it was asked to be.
const CALLS: u32 = 2;

#[derive(Default)]
pub(super) struct TableChanges {
    creating: Countdown<Key>,
    deleting: Countdown<Key>,
    /// The last answer of DescribeTable, which shows a table that is being deleted.
    last: Mutex<HashMap<Key, Value>>,
}

impl Manner for TableChanges {
    fn description(&self) -> &'static Description {
        &Description {
            name: "table-changes",
            aws: "A new table or replica is CREATING for a while and a deleted one DELETING; ListTagsOfResource and \
                  TagResource answer ResourceNotFoundException meanwhile",
            source: "cloud-custodian#3361 and #3514, cortexproject/cortex#1369; go-to-k/cdkd \
                     dynamodb-globaltable-provider.ts",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        if request.call.service != "dynamodb" {
            return None;
        }
        let body = request.json();
        match request.call.operation.as_str() {
            "ListTagsOfResource" | "TagResource" | "UntagResource" => {
                let arn = body["ResourceArn"].as_str()?;
                let key = request.here(table_name(arn));
                (self.creating.take(&key) || self.deleting.take(&key)).then(|| {
                    let message = format!("Requested resource not found: ResourcArn: {arn} not found");
                    refusal::error(request.call, 400, "ResourceNotFoundException", &message)
                })
            }
            "DescribeTable" => {
                let key = request.here(table_name(body["TableName"].as_str()?));
                let shown = self.last.lock().unwrap_or_else(PoisonError::into_inner).get(&key)?.clone();
                self.deleting.take(&key).then(|| ok(&deleting(shown)))
            }
            "CreateTable" => {
                let name = body["TableName"].as_str()?;
                self.deleting.take(&request.here(name)).then(|| {
                    let message = format!("Table is being deleted: {name}");
                    refusal::error(request.call, 400, "ResourceInUseException", &message)
                })
            }
            _ => None,
        }
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("dynamodb", &["CreateTable", "UpdateTable", "DeleteTable", "DescribeTable"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if !answer.status.is_success() {
            return;
        }
        let body = request.json();
        let name = table_name(body["TableName"].as_str().unwrap_or_default()).to_owned();
        match request.call.operation.as_str() {
            "CreateTable" => self.creating.start(request.here(&name), CALLS),
            "DeleteTable" => self.deleting.start(request.here(&name), CALLS),
            "UpdateTable" => {
                for update in body["ReplicaUpdates"].as_array().into_iter().flatten() {
                    let region = |kind: &str| update[kind]["RegionName"].as_str();
                    if let Some(region) = region("Create") {
                        self.creating.start(request.in_region(region, &name), CALLS);
                    }
                    if let Some(region) = region("Delete") {
                        self.deleting.start(request.in_region(region, &name), CALLS);
                    }
                }
            }
            _ => answer.change_json(|described| {
                let key = request.here(&name);
                self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), described.clone());
                if self.creating.take(&key) {
                    described["Table"]["TableStatus"] = json!("CREATING");
                    // A table that is being created has no replicas yet.
                    if let Some(table) = described["Table"].as_object_mut() {
                        table.remove("Replicas");
                    }
                }
                for replica in described["Table"]["Replicas"].as_array_mut().into_iter().flatten() {
                    let region = replica["RegionName"].as_str().unwrap_or_default();
                    if region != request.call.region && self.creating.take(&request.in_region(region, &name)) {
                        replica["ReplicaStatus"] = json!("CREATING");
                    }
                }
            }),
        }
    }
}

/// A table's name, from itself or from its ARN.
fn table_name(name_or_arn: &str) -> &str {
    name_or_arn.rsplit_once(":table/").map_or(name_or_arn, |(_, name)| name)
}

/// A described table while it is being deleted: AWS leaves out its keys then.
fn deleting(mut described: Value) -> Value {
    described["Table"]["TableStatus"] = json!("DELETING");
    if let Some(table) = described["Table"].as_object_mut() {
        table.remove("KeySchema");
        table.remove("AttributeDefinitions");
        table.remove("Replicas");
    }
    described
}

fn ok(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/x-amz-json-1.0"));
    response
}
