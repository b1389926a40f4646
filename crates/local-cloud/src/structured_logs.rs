//! The servers' structured logs: what customers do, as JSON lines in the log groups of `StructuredLogDestinations` (user
//! guide, "CloudWatch log structure for Transfer Family" and "Example CloudWatch log entries"). As there, only the line of
//! the log-in names the user and the address, and every other line of a session has its `session-id`; numbers are texts.
//! The name of a file's new name, `new-path`, is not documented.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::front::Upstream;
use crate::place::{self, Place};
use crate::transfer::Store;

/// Lines that wait to be written.
const WAITING: usize = 10_000;
/// Lines in one call; AWS takes 10,000.
const BATCH: usize = 1_000;
/// The stream of what is no session: log-ins and handshakes that failed ("Example log entries for Key exchange algorithm
/// failures").
const ERRORS: &str = "ERRORS";

/// A stream of a log group.
type Stream = (Place, String, String);

/// A line of a server's log.
struct Line {
    stream: Stream,
    /// Milliseconds since 1970.
    time: i64,
    message: Value,
}

pub(crate) struct StructuredLogs {
    upstream: Arc<Upstream>,
    sender: mpsc::Sender<Line>,
    receiver: Mutex<Option<mpsc::Receiver<Line>>>,
}

/// The log of one connection.
#[derive(Clone)]
pub(crate) struct ConnectionLog(Arc<Connection>);

struct Connection {
    logs: Arc<StructuredLogs>,
    store: Arc<Store>,
    place: Place,
    server: String,
    client: IpAddr,
    session: String,
}

impl ConnectionLog {
    pub(crate) fn new(
        logs: Arc<StructuredLogs>,
        store: Arc<Store>,
        (place, server): (Place, String),
        client: IpAddr,
    ) -> Self {
        let session = format!("{:016x}", fastrand::u64(..));
        Self(Arc::new(Connection { logs, store, place, server, client, session }))
    }

    pub(crate) fn session(&self) -> &str {
        &self.0.session
    }

    /// The server, and where it is.
    pub(crate) fn server(&self) -> (Place, String) {
        (self.0.place.clone(), self.0.server.clone())
    }

    pub(crate) fn client(&self) -> IpAddr {
        self.0.client
    }

    /// Logs a connection, or a log-in, that failed.
    pub(crate) fn failure(&self, activity: &str, more: &[(&str, &str)]) {
        let client = self.0.client.to_string();
        self.log(ERRORS, &[&[("activity-type", activity), ("source-ip", &client)], more].concat());
    }

    /// Logs that a user is logged in.
    pub(crate) fn connected(&self, user: &str, more: &[(&str, &str)]) {
        let client = self.0.client.to_string();
        self.activity("CONNECTED", &[&[("user", user), ("source-ip", &client)], more].concat());
    }

    /// Logs what a logged-in user does.
    pub(crate) fn activity(&self, activity: &str, more: &[(&str, &str)]) {
        let own = [("activity-type", activity), ("session-id", &*self.0.session)];
        self.log(&self.0.server, &[&own, more].concat());
    }

    fn log(&self, stream: &str, fields: &[(&str, &str)]) {
        let mut message = json!({ "resource-arn": place::arn(&self.0.place, &self.0.server) });
        for (name, value) in fields {
            message[*name] = json!(value);
        }
        self.line(stream, &message);
    }

    /// Writes a line of any form.
    pub(crate) fn line(&self, stream: &str, message: &Value) {
        let Connection { logs, store, place, server, .. } = &*self.0;
        let Ok(found) = store.get(place, server) else { return };
        let destinations = found.settings.get("StructuredLogDestinations").and_then(Value::as_array);
        let groups = destinations.into_iter().flatten().filter_map(Value::as_str);
        for group in groups.filter_map(|arn| arn.split(':').nth(6)) {
            let stream = (place.clone(), group.to_owned(), stream.to_owned());
            let line = Line { stream, time: Timestamp::now().as_millisecond(), message: message.clone() };
            if logs.sender.try_send(line).is_err() {
                tracing::warn!("a line of a structured log is lost: too many wait");
            }
        }
    }
}

impl StructuredLogs {
    pub(crate) fn new(upstream: Arc<Upstream>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self { upstream, sender, receiver: Mutex::new(Some(receiver)) }
    }

    /// Writes lines until this future is dropped.
    pub(crate) async fn deliver(&self) {
        let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut lines) = receiver else { return std::future::pending().await };
        let mut known: HashSet<Stream> = HashSet::new();
        let mut waiting = Vec::new();
        while lines.recv_many(&mut waiting, BATCH).await > 0 {
            let mut by_stream: BTreeMap<Stream, Vec<(i64, Value)>> = BTreeMap::new();
            for Line { stream, time, message } in waiting.drain(..) {
                by_stream.entry(stream).or_default().push((time, message));
            }
            for (stream, lines) in by_stream {
                self.write(&mut known, stream, lines).await;
            }
        }
    }

    async fn write(&self, known: &mut HashSet<Stream>, stream: Stream, mut lines: Vec<(i64, Value)>) {
        let (place, group, name) = &stream;
        let named = json!({ "logGroupName": group, "logStreamName": name });
        if !known.contains(&stream) {
            // It may exist already.
            let created = self.ask(place, "CreateLogStream", &named).await;
            created.err().iter().for_each(|error| tracing::debug!(error, "the log stream is not created"));
            known.insert(stream.clone());
        }
        // They are in the order of their times (CloudWatch Logs API reference, PutLogEvents).
        lines.sort_by_key(|(time, _)| *time);
        let events = lines.iter().map(|(time, line)| json!({ "timestamp": time, "message": line.to_string() }));
        let mut put = named;
        put["logEvents"] = events.collect();
        if let Err(error) = self.ask(place, "PutLogEvents", &put).await {
            tracing::warn!(error, group, lines = lines.len(), "lines of a structured log are lost");
            known.remove(&stream);
        }
    }

    async fn ask(&self, place: &Place, operation: &str, body: &Value) -> Result<(), String> {
        let (target, body) = (format!("Logs_20140328.{operation}"), body.to_string());
        let kind = "application/x-amz-json-1.1";
        let asked = self.upstream.ask(&place.account, &place.region, "logs", Some(&target), kind, &body).await;
        asked.map(drop)
    }
}
