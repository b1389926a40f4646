//! The lines of logs (Transfer Family user guide, "CloudWatch log structure for Transfer Family" and "Example CloudWatch log
//! entries"; [`sftp_authorizer::answer::log_line`]). Pure.

use serde::Serialize;
use serde_json::{Map, Value};

/// Which log a line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Log {
    /// A server's structured log.
    Server,
    /// The log of the function that decides on log-ins.
    Authorizer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activity {
    LoggedIn,
    LogInRefused,
    /// The identity provider failed.
    LogInFailed,
    /// The client has no algorithm of the server.
    HandshakeFailed,
    ConnectionRejected,
    Opened,
    Uploaded,
    /// The session ended before the file was closed.
    UploadBroken,
    Downloaded,
    DownloadBroken,
    /// Without bytes in either direction.
    Closed,
    Deleted,
    Renamed,
    FolderCreated,
    FolderDeleted,
    AttributesSet,
    LinkCreated,
    /// An operation of a session.
    Failed,
    Ended,
    Other,
}

impl Activity {
    /// Whether something went wrong.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::LogInRefused
                | Self::LogInFailed
                | Self::HandshakeFailed
                | Self::ConnectionRejected
                | Self::UploadBroken
                | Self::DownloadBroken
                | Self::Failed
        )
    }

    /// Whether it only begins or prepares what another line says.
    pub fn is_detail(self) -> bool {
        matches!(self, Self::Opened | Self::Closed | Self::AttributesSet)
    }

    /// Whether a file is another afterwards.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Uploaded | Self::UploadBroken | Self::Deleted | Self::Renamed)
    }
}

/// What a line says. What AWS's line lacks is `None`; what is there is text from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Milliseconds since 1970.
    #[serde(skip)]
    pub time: i64,
    pub region: String,
    pub log: Log,
    pub activity: Activity,
    /// AWS's own word for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// `/bucket/key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The new name of a file that was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// What failed: `OPEN`, `CLOSE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The server's message, or the authorizer's reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The client's program: `SSH-2.0-OpenSSH_9.2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The key exchange in use; those that the client offers, where none was agreed on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<String>,
    /// The authentication method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
}

impl Event {
    fn new(time: i64, region: &str, log: Log, activity: Activity) -> Self {
        Self {
            time,
            region: region.to_owned(),
            log,
            activity,
            activity_type: None,
            user: None,
            source: None,
            session: None,
            server: None,
            path: None,
            to: None,
            bytes: None,
            operation: None,
            message: None,
            client: None,
            kex: None,
            ciphers: None,
            method: None,
            mode: None,
        }
    }
}

/// Members of a line, whatever their types.
struct Members(Map<String, Value>);

impl Members {
    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// AWS writes numbers as text.
    fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }
}

/// Understands a line; `None` for one that says nothing of customers.
pub fn event(log: Log, region: &str, time: i64, message: &str) -> Option<Event> {
    match serde_json::from_str(message) {
        Ok(Value::Object(members)) => match log {
            Log::Server => of_server(region, time, &Members(members)),
            Log::Authorizer => of_authorizer(region, time, &Members(members)),
        },
        // Lambda's own line (Lambda developer guide, "Troubleshoot execution issues in Lambda").
        _ if log == Log::Authorizer && message.contains("Task timed out") => {
            let mut event = Event::new(time, region, log, Activity::LogInFailed);
            event.message = Some("the authorizer did not answer in time".to_owned());
            Some(event)
        }
        _ => None,
    }
}

fn of_server(region: &str, time: i64, of: &Members) -> Option<Event> {
    let word = of.text("activity-type")?;
    let session = of.text("session-id");
    let (sent, received) = (of.number("bytes-in"), of.number("bytes-out"));
    // A line with both has a zero in one of them.
    let upload = sent.filter(|bytes| *bytes > 0 || received.is_none_or(|bytes| bytes == 0));
    let activity = match word.as_str() {
        "CONNECTED" => Activity::LoggedIn,
        "AUTH_FAILURE" => Activity::LogInRefused,
        "ERROR" if session.is_none() && of.text("path").is_none() => Activity::LogInFailed,
        "ERROR" => Activity::Failed,
        "KEX_FAILURE" => Activity::HandshakeFailed,
        "CONNECTION_REJECTED" => Activity::ConnectionRejected,
        "OPEN" => Activity::Opened,
        "CLOSE" if upload.is_some() => Activity::Uploaded,
        "CLOSE" if received.is_some() => Activity::Downloaded,
        "CLOSE" => Activity::Closed,
        "PARTIAL_CLOSE" if upload.is_none() && received.is_some() => Activity::DownloadBroken,
        "PARTIAL_CLOSE" => Activity::UploadBroken,
        "DELETE" => Activity::Deleted,
        "RENAME" => Activity::Renamed,
        "MKDIR" => Activity::FolderCreated,
        "RMDIR" => Activity::FolderDeleted,
        "SETSTAT" => Activity::AttributesSet,
        "CREATE_SYMLINK" => Activity::LinkCreated,
        "DISCONNECTED" => Activity::Ended,
        _ => Activity::Other,
    };
    let mut event = Event::new(time, region, Log::Server, activity);
    event.bytes = upload.or(received);
    event.path = of.text("path");
    if activity == Activity::Renamed {
        // AWS documents no name for it.
        let is_path = |(name, value): (&String, &Value)| {
            let text = value.as_str().filter(|text| text.starts_with('/'))?;
            (!["path", "home-dir"].contains(&name.as_str())).then(|| text.to_owned())
        };
        event.to = of.0.iter().find_map(is_path);
    }
    event.server = of.text("resource-arn").and_then(|arn| Some(arn.rsplit_once('/')?.1.to_owned()));
    for (member, name) in [
        (&mut event.user, "user"),
        (&mut event.source, "source-ip"),
        (&mut event.operation, "operation"),
        (&mut event.message, "message"),
        (&mut event.client, "client"),
        (&mut event.kex, "kex"),
        (&mut event.ciphers, "ciphers"),
        (&mut event.method, "method"),
        (&mut event.mode, "mode"),
    ] {
        *member = of.text(name).filter(|text| !text.is_empty());
    }
    (event.session, event.activity_type) = (session, Some(word));
    Some(event)
}

/// Refusals, and faults of the function: who is admitted is in the server's log.
fn of_authorizer(region: &str, time: i64, of: &Members) -> Option<Event> {
    // The function's own line (`start_failure` in the authorizer's main.rs): it cannot answer anybody.
    if of.text("message").as_deref() == Some("cannot start") {
        let mut event = Event::new(time, region, Log::Authorizer, Activity::LogInFailed);
        event.message = Some(format!("the authorizer cannot start: {}", of.text("cause").unwrap_or_default()));
        return Some(event);
    }
    if of.text("outcome")? != "refused" {
        return None;
    }
    let is_fault = of.number("status") == Some(500);
    let activity = if is_fault { Activity::LogInFailed } else { Activity::LogInRefused };
    let mut event = Event::new(time, region, Log::Authorizer, activity);
    event.user = of.text("username");
    event.source = of.text("source");
    event.server = of.text("server");
    event.message = of.text("reason");
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn server(line: &Value) -> Event {
        event(Log::Server, "us-west-2", 7, &line.to_string()).unwrap()
    }

    /// The documented examples.
    #[test]
    fn lines_of_a_session_are_understood() {
        let (arn, id) = ("arn:aws:transfer:us-east-1:500655546075:server/s-3fe215d89f074ed2a", "9ca9a0e1cec6ad9d");
        let connected = server(&json!({
            "role": "arn:aws:iam::500655546075:role/transfer-s3",
            "activity-type": "CONNECTED",
            "ciphers": "chacha20-poly1305@openssh.com,chacha20-poly1305@openssh.com",
            "client": "SSH-2.0-OpenSSH_7.4",
            "source-ip": "192.0.2.133",
            "resource-arn": arn,
            "home-dir": "/test/log-me",
            "user": "log-me",
            "kex": "ecdh-sha2-nistp256",
            "session-id": id,
        }));
        assert_eq!((connected.activity, connected.user.as_deref()), (Activity::LoggedIn, Some("log-me")));
        assert_eq!(connected.server.as_deref(), Some("s-3fe215d89f074ed2a"));
        assert_eq!((connected.session.as_deref(), connected.time), (Some(id), 7));
        let line = |more: Value| {
            let mut line = json!({ "path": "/test/log-me/a", "resource-arn": arn, "session-id": id });
            line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let event = server(&line);
            (event.activity, event.bytes, event.to)
        };
        for (more, expected) in [
            (json!({ "activity-type": "OPEN", "mode": "CREATE|TRUNCATE|WRITE" }), (Activity::Opened, None)),
            (json!({ "activity-type": "CLOSE", "bytes-in": "121" }), (Activity::Uploaded, Some(121))),
            (json!({ "activity-type": "CLOSE", "bytes-in": 0 }), (Activity::Uploaded, Some(0))),
            (json!({ "activity-type": "CLOSE", "bytes-out": "5" }), (Activity::Downloaded, Some(5))),
            (json!({ "activity-type": "CLOSE", "bytes-in": "0", "bytes-out": "5" }), (Activity::Downloaded, Some(5))),
            (json!({ "activity-type": "CLOSE" }), (Activity::Closed, None)),
            (json!({ "activity-type": "PARTIAL_CLOSE", "bytes-in": "9" }), (Activity::UploadBroken, Some(9))),
            (json!({ "activity-type": "PARTIAL_CLOSE", "bytes-out": "9" }), (Activity::DownloadBroken, Some(9))),
            (json!({ "activity-type": "DELETE" }), (Activity::Deleted, None)),
            (json!({ "activity-type": "ERROR", "message": "Access denied" }), (Activity::Failed, None)),
            (json!({ "activity-type": "NEW_WORD" }), (Activity::Other, None)),
        ] {
            let (activity, bytes, _) = line(more.clone());
            assert_eq!((activity, bytes), expected, "{more}");
        }
        for name in ["new-path", "newPath"] {
            let (activity, _, to) = line(json!({ "activity-type": "RENAME", name: "/test/log-me/b" }));
            assert_eq!((activity, to.as_deref()), (Activity::Renamed, Some("/test/log-me/b")));
        }
        let mismatch = server(&json!({ "activity-type": "KEX_FAILURE", "source-ip": "192.0.2.9", "kex": "a,b",
            "message": "no matching key exchange method found" }));
        assert_eq!((mismatch.activity, mismatch.kex.as_deref()), (Activity::HandshakeFailed, Some("a,b")));
    }

    #[test]
    fn only_refusals_and_faults_of_the_authorizer_count() {
        let of = |line: &str| event(Log::Authorizer, "us-west-2", 0, line).map(|event| (event.activity, event.message));
        let line = |outcome: &str, reason: &str, status: u16| {
            let line = json!({ "level": "INFO", "outcome": outcome, "reason": reason, "status": status,
                "username": "jan", "server": "s-1", "source": "192.0.2.7" });
            of(&line.to_string())
        };
        assert_eq!(line("admitted", "password", 200), None);
        let wrong = Some("wrong-password".to_owned());
        assert_eq!(line("refused", "wrong-password", 403), Some((Activity::LogInRefused, wrong)));
        assert_eq!(line("refused", "table-unreachable", 500).unwrap().0, Activity::LogInFailed);
        let start = r#"{"level":"ERROR","message":"cannot start","cause":"the variable X is missing"}"#;
        let said = Some("the authorizer cannot start: the variable X is missing".to_owned());
        assert_eq!(of(start), Some((Activity::LogInFailed, said)));
        assert_eq!(of("2026-11-30T10:00:00Z 1 Task timed out after 3.00 seconds").unwrap().0, Activity::LogInFailed);
        for other in ["START RequestId: 1", "{}", "[1]", "\"CONNECTED\"", "null", ""] {
            assert_eq!(of(other), None, "{other}");
            assert_eq!(event(Log::Server, "us-west-2", 0, other), None, "{other}");
        }
    }
}
