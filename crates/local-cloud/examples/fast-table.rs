//! A table in memory that answers what an import, a hardening and boto3's `batch_writer` ask of DynamoDB, for
//! benches/accounts.py: `MiniStack` would be what is measured. It prints its port.
//!
//! Its items are as they came; nothing is validated but the conditions of statements. Requests need no signature. With a
//! number as its argument, it takes so many write units a second and throttles what is beyond them, statement by
//! statement, as `DynamoDB` does: each item of these is one unit.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a benchmark fails by panicking")]

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

type Item = Map<String, Value>;

/// Parts of the table, so that a scan can be divided into up to as many segments.
const PARTS: usize = 1024;
/// Bytes of a page (DynamoDB developer guide, "Scanning tables": 1 MB).
const PAGE: usize = 1_000_000;

/// Items in the order in which they came, each with its key; a deleted one leaves a gap.
#[derive(Default)]
struct Part {
    places: HashMap<String, usize>,
    items: Vec<Option<(String, Box<str>)>>,
}

struct Table {
    parts: Vec<Mutex<Part>>,
    /// Without one it takes all it can.
    capacity: Option<Mutex<Capacity>>,
}

/// Write units that have not been used.
struct Capacity {
    /// A second.
    rate: f64,
    left: f64,
    at: Instant,
}

impl Capacity {
    /// Takes a unit; `false` if there is none. What was not used in a twentieth of a second is gone.
    fn take(&mut self) -> bool {
        let now = Instant::now();
        let most = (self.rate / 20.0).max(1.0);
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * self.rate).min(most);
        self.at = now;
        let is_there = self.left >= 1.0;
        self.left -= f64::from(u8::from(is_there));
        is_there
    }
}

impl Table {
    fn part(&self, key: &str) -> (usize, &Mutex<Part>) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let number = usize::try_from(hasher.finish() % PARTS as u64).unwrap();
        (number, &self.parts[number])
    }

    /// Stores an item; without `replace` only if its key is free.
    fn put(&self, item: &Item, replace: bool) -> bool {
        let key = key_of(item);
        let text = serde_json::to_string(item).unwrap().into_boxed_str();
        let mut part = self.part(&key).1.lock().unwrap();
        let next = part.items.len();
        match part.places.entry(key.clone()) {
            Entry::Occupied(_) if !replace => return false,
            Entry::Occupied(place) => {
                let place = *place.get();
                part.items[place] = Some((key, text));
            }
            Entry::Vacant(place) => {
                place.insert(next);
                part.items.push(Some((key, text)));
            }
        }
        true
    }

    fn get(&self, key: &str) -> Option<Item> {
        let part = self.part(key).1.lock().unwrap();
        let (_, text) = part.items[*part.places.get(key)?].as_ref()?;
        Some(serde_json::from_str(text).unwrap())
    }

    fn delete(&self, key: &str) {
        let mut part = self.part(key).1.lock().unwrap();
        if let Some(place) = part.places.remove(key) {
            part.items[place] = None;
        }
    }

    fn count(&self) -> usize {
        self.parts.iter().map(|part| part.lock().unwrap().places.len()).sum()
    }

    /// A page of a segment, as the text of an answer: items need no second serialization.
    fn scan(&self, request: &Value) -> String {
        let number = |name: &str, default: u64| usize::try_from(request[name].as_u64().unwrap_or(default)).unwrap();
        let (segment, segments) = (number("Segment", 0), number("TotalSegments", 1));
        let (first, end) = (segment * PARTS / segments, (segment + 1) * PARTS / segments);
        let (mut part, mut place) = match request["ExclusiveStartKey"].as_object() {
            None => (first, 0),
            Some(start) => {
                let key = key_of(start);
                let (part, items) = self.part(&key);
                (part, items.lock().unwrap().places[&key] + 1)
            }
        };
        let (mut body, mut count, mut last) = (String::from("{\"Items\":["), 0, None);
        while part < end && body.len() < PAGE {
            let items = self.parts[part].lock().unwrap();
            for (key, text) in items.items[place..].iter().flatten() {
                if count > 0 {
                    body.push(',');
                }
                body.push_str(text);
                count += 1;
                if body.len() >= PAGE {
                    last = Some(key.clone());
                    break;
                }
            }
            (part, place) = (part + 1, 0);
        }
        body.push_str(&format!("],\"Count\":{count},\"ScannedCount\":{count}"));
        if let Some(last) = last {
            body.push_str(&format!(",\"LastEvaluatedKey\":{{\"orgid\":{{\"N\":\"{last}\"}}}}"));
        }
        body.push('}');
        body
    }

    fn has_capacity(&self) -> bool {
        self.capacity.as_ref().is_none_or(|capacity| capacity.lock().unwrap().take())
    }

    /// A statement of `PartiQL`, in the forms that sftpctl sends.
    fn execute(&self, statement: &Value) -> Value {
        if !self.has_capacity() {
            return refused("ThrottlingError");
        }
        let text = statement["Statement"].as_str().unwrap();
        let mut parameters = statement["Parameters"].as_array().unwrap().iter();
        if text.starts_with("INSERT") {
            let names = text.split('\'').skip(1).step_by(2);
            let item = names.map(|name| (name.to_owned(), parameters.next().unwrap().clone())).collect();
            return if self.put(&item, false) { json!({}) } else { refused("DuplicateItem") };
        }
        let (head, condition) = text.split_once(" WHERE ").unwrap();
        // The table's name comes first.
        let set: Item = head
            .split('"')
            .skip(3)
            .step_by(2)
            .map(|name| (name.to_owned(), parameters.next().unwrap().clone()))
            .collect();
        let expected: Item = condition
            .split(" AND ")
            .map(|term| {
                let name = term.split('"').nth(1).unwrap().to_owned();
                (name, if term.ends_with('?') { parameters.next().unwrap().clone() } else { Value::Null })
            })
            .collect();
        let key = key_of(&expected);
        let Some(mut item) = self.get(&key) else { return refused("ConditionalCheckFailed") };
        if expected.iter().any(|(name, value)| item.get(name).unwrap_or(&Value::Null) != value) {
            return refused("ConditionalCheckFailed");
        }
        if text.starts_with("DELETE") {
            self.delete(&key);
        } else {
            item.extend(set);
            self.put(&item, true);
        }
        json!({})
    }
}

fn key_of(item: &Item) -> String {
    item["orgid"]["N"].as_str().unwrap().to_owned()
}

fn refused(code: &str) -> Value {
    json!({ "Error": { "Code": code, "Message": code } })
}

async fn answer(State(table): State<Arc<Table>>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) else {
        // The one call without a target is STS's GetCallerIdentity.
        let text = "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111111111111:user/bench</Arn>\
                    <UserId>AIDA</UserId><Account>111111111111</Account></GetCallerIdentityResult>\
                    </GetCallerIdentityResponse>";
        return (StatusCode::OK, text.to_owned());
    };
    let request: Value = serde_json::from_slice(&body).unwrap();
    let operation = target.rsplit('.').next().unwrap();
    let text = match operation {
        "Scan" => table.scan(&request),
        "BatchExecuteStatement" => {
            let statements = request["Statements"].as_array().unwrap();
            json!({ "Responses": statements.iter().map(|one| table.execute(one)).collect::<Vec<_>>() }).to_string()
        }
        "BatchWriteItem" => {
            let mut left = Map::new();
            for (name, puts) in request["RequestItems"].as_object().unwrap() {
                let (taken, rest): (Vec<&Value>, Vec<&Value>) =
                    puts.as_array().unwrap().iter().partition(|_| table.has_capacity());
                for put in taken {
                    table.put(put["PutRequest"]["Item"].as_object().unwrap(), true);
                }
                if !rest.is_empty() {
                    left.insert(name.clone(), json!(rest));
                }
            }
            json!({ "UnprocessedItems": left }).to_string()
        }
        "GetItem" => {
            let found = table.get(&key_of(request["Key"].as_object().unwrap()));
            found.map_or_else(|| json!({}), |item| json!({ "Item": item })).to_string()
        }
        "BatchGetItem" => {
            let mut found = Map::new();
            for (name, keys) in request["RequestItems"].as_object().unwrap() {
                let keys = keys["Keys"].as_array().unwrap().iter();
                let items = keys.filter_map(|key| table.get(&key_of(key.as_object().unwrap())));
                found.insert(name.clone(), items.map(Value::Object).collect());
            }
            json!({ "Responses": found, "UnprocessedKeys": {} }).to_string()
        }
        "DescribeTable" => {
            let name = request["TableName"].as_str().unwrap();
            json!({ "Table": { "TableName": name, "TableStatus": "ACTIVE", "ItemCount": table.count(),
                "TableArn": format!("arn:aws:dynamodb:us-west-2:111111111111:table/{name}"),
                "BillingModeSummary": { "BillingMode": "PAY_PER_REQUEST" },
                "AttributeDefinitions": [{ "AttributeName": "orgid", "AttributeType": "N" }],
                "KeySchema": [{ "AttributeName": "orgid", "KeyType": "HASH" }] } })
            .to_string()
        }
        _ => {
            let words = json!({ "__type": "ValidationException", "message": format!("not here: {operation}") });
            return (StatusCode::BAD_REQUEST, words.to_string());
        }
    };
    (StatusCode::OK, text)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let rate = std::env::args().nth(1).map(|rate| rate.parse().unwrap());
    let capacity = rate.map(|rate| Mutex::new(Capacity { rate, left: 0.0, at: Instant::now() }));
    let table = Arc::new(Table { parts: (0..PARTS).map(|_| Mutex::default()).collect(), capacity });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    std::io::stdout().write_all(format!("{port}\n").as_bytes()).unwrap();
    let app = Router::new().fallback(answer).with_state(table).layer(axum::extract::DefaultBodyLimit::disable());
    axum::serve(listener, app).await.unwrap();
}
