//! What customers did, in plain words. Pure.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use sftpctl_activity::feed::{Unread, Why};
use sftpctl_activity::line::{Activity, Event, Log};
use sftpctl_core::shown::{Text, visible};

use super::import::grouped;

/// An event for programs.
#[derive(Debug, Serialize)]
pub struct EventView {
    time: String,
    /// What happened, in words.
    what: String,
    #[serde(flatten)]
    pub event: Event,
}

impl EventView {
    pub fn new(event: Event) -> Self {
        Self { time: time(event.time), what: what(&event), event }
    }
}

/// The end of `logs`, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SummaryView<'a> {
    environment: &'a str,
    events: u64,
    /// Older ones, by `--limit`.
    left_out: u64,
    unread: Vec<UnreadView>,
}

impl<'a> SummaryView<'a> {
    pub fn new(environment: &'a str, events: u64, left_out: u64, unread: &[Unread]) -> Self {
        Self { environment, events, left_out, unread: unread.iter().map(UnreadView::new).collect() }
    }
}

/// A log group that could not be read, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreadView {
    region: String,
    group: String,
    missing: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl UnreadView {
    pub fn new(unread: &Unread) -> Self {
        let error = match &unread.why {
            Why::Missing => None,
            Why::Failed(error) => Some(error.to_string()),
        };
        Self { region: unread.region.clone(), group: unread.group.clone(), missing: error.is_none(), error }
    }
}

/// A time in milliseconds since 1970, with the seconds' fraction.
pub fn time(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds).map_or_else(|_| milliseconds.to_string(), |time| format!("{time:.3}"))
}

/// An event as a line, for people.
pub fn line(view: &EventView) -> String {
    let EventView { time, what, event } = view;
    let user = event.user.as_deref().map_or("-".into(), visible);
    let source = event.source.as_deref().map_or("-".into(), visible);
    format!("{time}  {:<12}  {user:<12}  {source:<15}  {what}", visible(&event.region))
}

/// The last change of a file, for people.
pub fn did(view: &EventView) -> Text {
    let EventView { time, what, event } = view;
    let user = event.user.as_deref().map_or("somebody whose log-in is not in the logs".into(), visible);
    let mut text = Text::from(format!("{user} {what} at {time}"));
    let mut from = vec![format!("in {}", visible(&event.region))];
    from.extend(event.source.as_deref().map(|source| format!("from {}", visible(source))));
    // A log-in names it already.
    let client = event.client.as_deref().filter(|_| event.activity != Activity::LoggedIn);
    from.extend(client.map(|client| format!("with {}", program(client))));
    from.extend(event.session.as_deref().map(|session| format!("session {}", visible(session))));
    text.line(format!("  {}", from.join(", ")));
    text
}

/// What happened.
pub fn what(event: &Event) -> String {
    let text = |text: &Option<String>| text.as_deref().map(|text| visible(text).into_owned());
    let path = text(&event.path).unwrap_or_else(|| "a file".to_owned());
    let bytes = event.bytes.map_or_else(String::new, |bytes| format!(" ({} B)", grouped(bytes)));
    let because = text(&event.message).map_or_else(String::new, |message| format!(": {message}"));
    match event.activity {
        Activity::LoggedIn => logged_in(event),
        Activity::LogInRefused if event.log == Log::Authorizer => {
            format!("log-in refused by the authorizer: {}", reason(event.message.as_deref().unwrap_or_default()))
        }
        Activity::LogInRefused => format!("log-in refused by the server{because}"),
        Activity::LogInFailed if event.log == Log::Authorizer => {
            let message = event.message.as_deref().unwrap_or_default();
            format!("log-in failed in the authorizer: {}", reason(message))
        }
        Activity::LogInFailed => format!("log-in failed at the identity provider{because}"),
        Activity::HandshakeFailed => {
            let offered = text(&event.kex).map_or_else(String::new, |kex| format!("; the client offers {kex}"));
            format!("no connection{because}{offered}")
        }
        Activity::ConnectionRejected => format!("connection rejected{because}"),
        Activity::Opened => {
            let mode = text(&event.mode).map_or_else(String::new, |mode| format!(" ({mode})"));
            format!("opened {path}{mode}")
        }
        Activity::Uploaded => format!("uploaded {path}{bytes}"),
        Activity::UploadBroken => format!("uploaded a part of {path}{bytes}: the session ended"),
        Activity::Downloaded => format!("downloaded {path}{bytes}"),
        Activity::DownloadBroken => format!("downloaded a part of {path}{bytes}: the session ended"),
        Activity::Closed => format!("closed {path}"),
        Activity::Deleted => format!("deleted {path}"),
        Activity::Renamed => match text(&event.to) {
            Some(to) => format!("renamed {path} to {to}"),
            None => format!("renamed {path}"),
        },
        Activity::FolderCreated => format!("created the folder {path}"),
        Activity::FolderDeleted => format!("deleted the folder {path}"),
        Activity::AttributesSet => format!("set attributes of {path}"),
        Activity::LinkCreated => format!("created the link {path}"),
        Activity::Failed => {
            let operation = text(&event.operation).map_or_else(String::new, |word| format!("{word} of "));
            format!("failed: {operation}{path}{because}")
        }
        Activity::Ended => "ended the session".to_owned(),
        Activity::Other => {
            let word = text(&event.activity_type).unwrap_or_default();
            let path = text(&event.path).map_or_else(String::new, |path| format!(" {path}"));
            format!("{word}{path}{because}")
        }
    }
}

fn logged_in(event: &Event) -> String {
    let mut words = "logged in".to_owned();
    if let Some(client) = &event.client {
        words.push_str(&format!(" with {}", program(client)));
    }
    let algorithms: Vec<Cow<'_, str>> =
        [&event.kex, &event.ciphers].into_iter().flatten().map(|name| once(name)).collect();
    if !algorithms.is_empty() {
        words.push_str(&format!(" ({})", algorithms.join(", ")));
    }
    words
}

/// A client's program without the name of the protocol.
pub fn program(client: &str) -> Cow<'_, str> {
    visible(client.strip_prefix("SSH-2.0-").unwrap_or(client))
}

/// The cipher of both directions once, if it is the same.
fn once(names: &str) -> Cow<'_, str> {
    match names.split_once(',') {
        Some((up, down)) if up == down => visible(up),
        _ => visible(names),
    }
}

/// The authorizer's reason in words.
fn reason(word: &str) -> Cow<'_, str> {
    match word {
        "malformed-event" => "the request has another form than the template's".into(),
        "other-server" => "the request is of another server".into(),
        "other-protocol" => "the protocol is not SFTP".into(),
        "banned" => "the guard bans this address".into(),
        "blocked-name" => "the name is on the block list".into(),
        "unknown-user" => "there is no account of this name".into(),
        "duplicate-user" => "several accounts have this name".into(),
        "malformed-item" => "the item in the table is not a valid account".into(),
        "disabled" => "the account is disabled".into(),
        "expired" => "the account has expired".into(),
        "region-not-allowed" => "the account may not log in in this region".into(),
        "source-not-allowed" => "the account may not log in from this address".into(),
        "wrong-password" => "the password is wrong".into(),
        "unknown-scheme" => "the stored password has an unknown form".into(),
        "no-such-method" => "the account has no key, or no password, to log in with".into(),
        "table-unreachable" => "the account table did not answer".into(),
        other => visible(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sftpctl_activity::line::event;

    fn of(log: Log, message: &str) -> String {
        line(&EventView::new(event(log, "us-west-2", 1_764_498_662_123, message).unwrap()))
    }

    #[test]
    fn events_are_told_in_plain_words() {
        for (message, expected) in [
            (
                r#"{"activity-type":"CONNECTED","user":"jan","source-ip":"192.0.2.1","client":"SSH-2.0-OpenSSH_9.2",
                    "kex":"curve25519-sha256","ciphers":"aes256-ctr,aes256-ctr"}"#,
                "jan           192.0.2.1        logged in with OpenSSH_9.2 (curve25519-sha256, aes256-ctr)",
            ),
            (
                r#"{"activity-type":"CLOSE","path":"/b/17578/a.csv","bytes-in":"1234567"}"#,
                "-             -                uploaded /b/17578/a.csv (1,234,567 B)",
            ),
            (
                r#"{"activity-type":"PARTIAL_CLOSE","path":"/b/a","bytes-out":"7"}"#,
                "-             -                downloaded a part of /b/a (7 B): the session ended",
            ),
            (
                r#"{"activity-type":"RENAME","path":"/b/a","new-path":"/b/c"}"#,
                "-             -                renamed /b/a to /b/c",
            ),
            (
                r#"{"activity-type":"ERROR","session-id":"1","path":"/b/a","operation":"MKDIR","message":"denied"}"#,
                "-             -                failed: MKDIR of /b/a: denied",
            ),
            (
                r#"{"activity-type":"KEX_FAILURE","source-ip":"192.0.2.1","message":"no matching cipher found","kex":"x"}"#,
                "-             192.0.2.1        no connection: no matching cipher found; the client offers x",
            ),
        ] {
            let shown = of(Log::Server, message);
            assert_eq!(shown, format!("2025-11-30T10:31:02.123Z  us-west-2     {expected}"), "{message}");
        }
        let refused = r#"{"outcome":"refused","reason":"wrong-password","status":403,"username":"jan","source":"::1"}"#;
        let refused = of(Log::Authorizer, refused);
        assert!(refused.ends_with("log-in refused by the authorizer: the password is wrong"), "{refused}");
    }

    #[test]
    fn every_reason_of_the_authorizer_has_words() {
        for refusal in sftp_authorizer::Refusal::ALL {
            assert!(reason(refusal.reason()).contains(' '), "{}", refusal.reason());
        }
    }

    /// A name may contain what a terminal obeys, and line breaks.
    #[test]
    fn names_from_outside_stay_on_their_line() {
        for activity in ["CLOSE", "DELETE", "RENAME", "MKDIR", "ERROR", "KEX_FAILURE", "CONNECTED", "NEW\\nWORD"] {
            let evil = "x\\u001b[31m\\n2026 us-west-2 root logged in";
            let message = format!(
                r#"{{"activity-type":"{activity}","user":"{evil}","source-ip":"{evil}","path":"{evil}","message":"{evil}",
                    "new-path":"/{evil}","operation":"{evil}","client":"{evil}","kex":"{evil}","ciphers":"{evil}"}}"#
            );
            let shown = of(Log::Server, &message);
            assert!(!shown.contains(char::is_control), "{shown}");
        }
    }
}
