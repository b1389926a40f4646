//! The servers' structured logs: log-ins and refusals, as JSON lines in the log group of `StructuredLogDestinations` (user
//! guide, "Structured JSON logging for Transfer Family"). Other activities are not logged.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use crate::front::Upstream;
use crate::place::{self, Place};

/// Lines that wait to be written.
const WAITING: usize = 10_000;

/// A line of a server's log.
struct Line {
    place: Place,
    group: String,
    stream: String,
    /// Milliseconds since 1970.
    time: i64,
    message: Value,
}

pub(crate) struct StructuredLogs {
    upstream: Arc<Upstream>,
    sender: mpsc::Sender<Line>,
    receiver: Mutex<Option<mpsc::Receiver<Line>>>,
}

/// Whose log-in it is.
pub(crate) struct Of<'a> {
    pub(crate) place: &'a Place,
    pub(crate) server: &'a str,
    /// The server's settings.
    pub(crate) settings: &'a Map<String, Value>,
    pub(crate) user: &'a str,
    pub(crate) client: IpAddr,
}

impl StructuredLogs {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { upstream, sender, receiver: Mutex::new(Some(receiver)) }
    }

    /// Logs an activity, `CONNECTED` or `AUTH_FAILURE`, with more fields.
    pub(crate) fn log(&self, of: &Of<'_>, activity: &str, more: &[(&str, &str)]) {
        let destinations = of.settings.get("StructuredLogDestinations").and_then(Value::as_array);
        let groups = destinations.into_iter().flatten().filter_map(Value::as_str);
        for group in groups.filter_map(|arn| arn.split(':').nth(6)) {
            let mut message = json!({
                "activity-type": activity,
                "user": of.user,
                "source-ip": of.client.to_string(),
                "resource-arn": place::arn(of.place, of.server),
            });
            for (name, value) in more {
                message[*name] = json!(value);
            }
            let line = Line {
                place: of.place.clone(),
                group: group.to_owned(),
                stream: of.server.to_owned(),
                time: Timestamp::now().as_millisecond(),
                message,
            };
            if self.sender.try_send(line).is_err() {
                tracing::warn!("a line of a structured log is lost: too many wait");
            }
        }
    }

    /// Writes lines until this future is dropped.
    pub(crate) async fn deliver(&self) {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut lines) = receiver else { return std::future::pending().await };
        let mut streams: HashSet<(Place, String, String)> = HashSet::new();
        while let Some(line) = lines.recv().await {
            let stream = (line.place.clone(), line.group.clone(), line.stream.clone());
            let named = json!({ "logGroupName": line.group, "logStreamName": line.stream });
            if !streams.contains(&stream) {
                // It may exist already.
                let created = self.ask(&line.place, "CreateLogStream", &named).await;
                created.err().iter().for_each(|error| tracing::debug!(error, "the log stream is not created"));
                streams.insert(stream.clone());
            }
            let mut put = named;
            put["logEvents"] = json!([{ "timestamp": line.time, "message": line.message.to_string() }]);
            if let Err(error) = self.ask(&line.place, "PutLogEvents", &put).await {
                tracing::warn!(error, group = line.group, "a line of a structured log is lost");
                streams.remove(&stream);
            }
        }
    }

    async fn ask(&self, place: &Place, operation: &str, body: &Value) -> Result<(), String> {
        let (target, body) = (format!("Logs_20140328.{operation}"), body.to_string());
        let kind = "application/x-amz-json-1.1";
        let asked = self.upstream.ask(&place.account, &place.region, "logs", Some(&target), kind, &body).await;
        asked.map(drop)
    }
}
