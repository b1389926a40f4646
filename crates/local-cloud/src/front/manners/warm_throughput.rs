//! What a table and its indexes take at once rises by request, after a while, and never falls.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use hyper::Response;
use serde_json::{Value, json};

use super::super::refusal;
use super::{Answer, Description, Inquiry, Key, Manner};

/// Descriptions of the table until it takes what it was asked to.
const CALLS: u32 = 2;

/// The members of `WarmThroughput`: a new table on demand has so many of each, and an account's quota is the other.
const UNITS: [(&str, u64, u64, &str); 2] = [
    ("ReadUnitsPerSecond", 12_000, 40_000, "TableMaxReadCapacityUnits"),
    ("WriteUnitsPerSecond", 4_000, 40_000, "TableMaxWriteCapacityUnits"),
];

/// By table, whose replicas in all regions have one, and by index; the table itself has no name.
#[derive(Default)]
pub(super) struct WarmThroughput(Mutex<HashMap<(Key, String), Warm>>);

#[derive(Clone, Copy)]
struct Warm {
    units: [u64; 2],
    /// What it rises to, and the descriptions until then.
    rising: Option<([u64; 2], u32)>,
}

impl Default for Warm {
    fn default() -> Self {
        Self { units: UNITS.map(|(_, units, ..)| units), rising: None }
    }
}

impl Warm {
    fn shown(&self) -> Value {
        let mut shown = json!({ "Status": if self.rising.is_some() { "UPDATING" } else { "ACTIVE" } });
        for ((name, ..), units) in UNITS.iter().zip(self.units) {
            shown[*name] = json!(units);
        }
        shown
    }

    /// Notes that it is described.
    fn look(&mut self) {
        self.rising = match self.rising {
            Some((units, 0)) => {
                self.units = units;
                None
            }
            Some((units, left)) => Some((units, left - 1)),
            None => None,
        };
    }
}

/// The parts of a request that ask for warm throughput, by index.
fn asked(body: &Value) -> Vec<(String, Value)> {
    let indexes = body["GlobalSecondaryIndexUpdates"].as_array().into_iter().flatten().map(|update| {
        let name = update["Update"]["IndexName"].as_str().unwrap_or_default();
        (name.to_owned(), update["Update"]["WarmThroughput"].clone())
    });
    let all = std::iter::once((String::new(), body["WarmThroughput"].clone())).chain(indexes);
    all.filter(|(_, warm)| warm.is_object()).collect()
}

fn table(body: &Value) -> &str {
    let name = body["TableName"].as_str().unwrap_or_default();
    name.rsplit_once(":table/").map_or(name, |(_, name)| name)
}

impl WarmThroughput {
    fn all(&self) -> MutexGuard<'_, HashMap<(Key, String), Warm>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Manner for WarmThroughput {
    fn description(&self) -> &'static Description {
        &Description {
            name: "warm-throughput",
            aws: "What a table and its indexes take at once rises minutes after UpdateTable has asked for it, while the \
                  table is ACTIVE and only the Status of its WarmThroughput is UPDATING; a lower value is refused, and \
                  one above the account's quota",
            source: "DynamoDB developer guide, \"Understanding DynamoDB warm throughput\" and \"Increase your existing \
                     DynamoDB table's warm throughput\"; go-to-k/cdkd#1768 and terraform-provider-aws \
                     internal/service/dynamodb/table.go quote the sentence; ack-api-quirks DDB-TABLE-179, measured on AWS",
        }
    }

    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let body = request.is("dynamodb", &["UpdateTable"]).then(|| request.json())?;
        let all = self.all();
        for (index, wanted) in asked(&body) {
            let of = if index.is_empty() { "table".to_owned() } else { format!("index {index}") };
            let present = all.get(&(request.global(table(&body)), index)).copied().unwrap_or_default();
            for ((name, _, quota, named), present) in UNITS.iter().zip(present.units) {
                let Some(units) = wanted[*name].as_u64() else { continue };
                if units < present {
                    let message = format!(
                        "One or more parameter values were invalid: Requested {name} for WarmThroughput for {of} is \
                         lower than current WarmThroughput, decreasing WarmThroughput is not supported"
                    );
                    return Some(refusal::error(request.call, 400, "ValidationException", &message));
                }
                if units > *quota {
                    let message = format!(
                        "Subscriber limit exceeded: Requested {name} for WarmThroughput for {of} exceeds {named} of the \
                         account in region {}",
                        request.call.region
                    );
                    return Some(refusal::error(request.call, 400, "LimitExceededException", &message));
                }
            }
        }
        None
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("dynamodb", &["CreateTable", "UpdateTable", "DescribeTable"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        if !answer.status.is_success() {
            return;
        }
        let body = request.json();
        let name = request.global(table(&body));
        let mut all = self.all();
        match request.call.operation.as_str() {
            "CreateTable" => all.retain(|(table, _), _| *table != name),
            "UpdateTable" => {
                for (index, wanted) in asked(&body) {
                    let warm = all.entry((name.clone(), index)).or_default();
                    let mut units = warm.rising.map_or(warm.units, |(units, _)| units);
                    for ((name, ..), units) in UNITS.iter().zip(&mut units) {
                        *units = wanted[*name].as_u64().unwrap_or(*units).max(*units);
                    }
                    warm.rising = Some((units, CALLS));
                }
            }
            _ => all.iter_mut().filter(|((table, _), _)| *table == name).for_each(|(_, warm)| warm.look()),
        }
        let shown = |index: &str| all.get(&(name.clone(), index.to_owned())).copied().unwrap_or_default().shown();
        answer.change_json(|described| {
            let member = if described["Table"].is_object() { "Table" } else { "TableDescription" };
            let described = &mut described[member];
            if !described.is_object() {
                return;
            }
            described["WarmThroughput"] = shown("");
            for index in described["GlobalSecondaryIndexes"].as_array_mut().into_iter().flatten() {
                index["WarmThroughput"] = shown(index["IndexName"].as_str().unwrap_or_default());
            }
        });
    }
}
