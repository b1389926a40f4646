//! A batch of which only a part is carried out: a throttled table answers 200, and says for each statement or request
//! what became of it (DynamoDB API reference, BatchExecuteStatement and BatchWriteItem).

use serde_json::{Value, json};

use crate::front::call::Call;

/// Whether the fault exists for a call.
pub(super) fn applies_to(call: &str) -> bool {
    matches!(call, "dynamodb.BatchExecuteStatement" | "dynamodb.BatchWriteItem")
}

/// A batch without the requests that are throttled, which are every second one.
pub(super) struct Cut {
    /// What is passed on.
    pub(super) body: Value,
    throttled: Throttled,
}

enum Throttled {
    /// The positions of statements.
    Statements(Vec<usize>),
    /// The requests of each table.
    Requests(Value),
}

/// Removes every second request; `None` if nothing would remain.
pub(super) fn cut(call: &Call, body: &[u8]) -> Option<Cut> {
    let mut body: Value = serde_json::from_slice(body).ok()?;
    if call.operation == "BatchExecuteStatement" {
        let all = body["Statements"].as_array_mut()?;
        let throttled: Vec<usize> = (0..all.len()).filter(|index| index % 2 == 1).collect();
        let mut index = 0;
        all.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        return Some(Cut { body, throttled: Throttled::Statements(throttled) });
    }
    let mut left = json!({});
    for (table, requests) in body["RequestItems"].as_object_mut()? {
        let requests = requests.as_array_mut()?;
        let late = requests.split_off(requests.len().div_ceil(2));
        if !late.is_empty() {
            left[table] = Value::Array(late);
        }
    }
    Some(Cut { body, throttled: Throttled::Requests(left) })
}

impl Cut {
    /// The answer to the whole batch.
    pub(super) fn answer(self, answer: &[u8]) -> Option<Value> {
        let mut answer: Value = serde_json::from_slice(answer).ok()?;
        match self.throttled {
            Throttled::Requests(left) => answer["UnprocessedItems"] = left,
            Throttled::Statements(positions) => {
                let responses = answer["Responses"].as_array_mut()?;
                for position in positions {
                    let error = json!({"Error": {"Code": "ThrottlingError", "Message": "Rate exceeded"}});
                    responses.insert(position.min(responses.len()), error);
                }
            }
        }
        Some(answer)
    }
}
