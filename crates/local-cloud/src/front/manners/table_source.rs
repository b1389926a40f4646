//! A table that was the source of a new replica is kept for a day.

use axum::body::Body;
use hyper::Response;

use super::super::refusal;
use super::{Answer, Countdown, Description, Inquiry, Key, Manner};

/// Refusals that stand for the 24 hours.
const CALLS: u32 = 1;

#[derive(Default)]
pub(super) struct TableSource(Countdown<Key>);

impl Manner for TableSource {
    fn description(&self) -> &'static Description {
        &Description {
            name: "table-source",
            aws: "A table or replica cannot be deleted for 24 hours after it was the source of a new replica; here, one \
                  deletion after each new replica is refused",
            source: "DynamoDB developer guide, \"Global tables: How it works\"; go-to-k/cdkd#1442 quotes the sentence",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let body = request.is("dynamodb", &["DeleteTable", "UpdateTable"]).then(|| request.json())?;
        let name = body["TableName"].as_str()?;
        let deletes = match request.call.operation.as_str() {
            "DeleteTable" => self.0.take(&request.here(name)),
            _ => {
                let mut updates = body["ReplicaUpdates"].as_array().into_iter().flatten();
                updates.any(|update| {
                    let region = update["Delete"]["RegionName"].as_str();
                    region.is_some_and(|region| self.0.take(&request.in_region(region, name)))
                })
            }
        };
        deletes.then(|| {
            let message = "Replica cannot be deleted because it has acted as a source region for new replica(s) being \
                           added to the table in the last 24 hours.";
            refusal::error(request.call, 400, "ValidationException", message)
        })
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("dynamodb", &["UpdateTable"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        let body = request.json();
        let mut updates = body["ReplicaUpdates"].as_array().into_iter().flatten();
        if let Some(name) = body["TableName"].as_str().filter(|_| answer.status.is_success())
            && updates.any(|update| update["Create"].is_object())
        {
            self.0.start(request.here(name), CALLS);
        }
    }
}
