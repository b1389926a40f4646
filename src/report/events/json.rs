//! One JSON object per event.

use serde_json::{Value, json};

use crate::report::{json, streams};
use sftpctl_core::events::{Event, Reporter};

#[derive(Debug)]
pub(super) struct Json;

impl Reporter for Json {
    fn event(&self, event: &Event) {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut line = json!({ "time": now });
        if let (Some(line), Ok(Value::Object(event))) = (line.as_object_mut(), serde_json::to_value(event)) {
            line.extend(event);
        }
        streams::data(json::line("events/1", &line));
    }

    fn note(&self, line: &str) {
        streams::progress(line);
    }
}
