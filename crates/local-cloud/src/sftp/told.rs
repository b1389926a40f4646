//! What Transfer tells EventBridge of a customer's session (user guide, "Transfer Family events detail reference", "SFTP,
//! FTPS, and FTP server events"). Downloads are not told here.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::events::{Buses, Event};
use crate::place::{self, Place};

/// An object that a customer works on.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Object {
    /// As events name it.
    fn path(&self) -> String {
        format!("/{}/{}", self.bucket, self.key)
    }
}

/// An upload, whole or not.
pub(super) struct Upload<'a> {
    pub(super) object: &'a Object,
    pub(super) bytes: u64,
    /// Of the object that it made.
    pub(super) etag: Option<&'a str>,
    /// When the file was opened.
    pub(super) since: Timestamp,
}

/// How an upload ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended<'a> {
    /// The client closed the file.
    Whole,
    /// The session ended while the file was open: the object has what had arrived.
    Partial,
    /// With the reason; there is no object.
    Failed(&'a str),
}

/// Tells of one session.
#[derive(Clone)]
pub(super) struct Teller {
    buses: Arc<Buses>,
    place: Place,
    server: String,
    user: String,
    client: IpAddr,
    session: String,
}

impl Teller {
    pub(super) fn new(buses: Arc<Buses>, place: Place, server: String, user: String, client: IpAddr) -> Self {
        Self { buses, place, server, user, client, session: format!("{:016x}", fastrand::u64(..)) }
    }

    pub(super) fn upload(&self, upload: &Upload<'_>, ended: Ended<'_>) {
        let mut detail = json!({ "file-path": upload.object.path(), "bytes": upload.bytes });
        if let Some(etag) = upload.etag {
            detail["etag"] = json!(etag.trim_matches('"'));
        }
        let failure = match ended {
            Ended::Whole => None,
            Ended::Partial => Some(("PARTIAL_UPLOAD", "The session ended before the file was closed")),
            Ended::Failed(why) => Some(("UNKNOWN_ERROR", why)),
        };
        if let Some((code, message)) = failure {
            detail["failure-code"] = json!(code);
            detail["failure-message"] = json!(message);
        }
        self.tell("File Upload", failure.is_none(), upload.since, detail);
    }

    pub(super) fn renamed(&self, from: &Object, to: &Object) {
        let detail = json!({ "original-file-path": from.path(), "renamed-file-path": to.path() });
        self.tell("File Rename", true, Timestamp::now(), detail);
    }

    pub(super) fn deleted(&self, object: &Object) {
        self.tell("File Delete", true, Timestamp::now(), json!({ "file-path": object.path() }));
    }

    /// With the marker's key.
    pub(super) fn folder_created(&self, marker: &Object) {
        self.tell("Directory Create", true, Timestamp::now(), json!({ "directory-path": marker.path() }));
    }

    /// With the marker's key.
    pub(super) fn folder_deleted(&self, marker: &Object) {
        self.tell("Directory Delete", true, Timestamp::now(), json!({ "directory-path": marker.path() }));
    }

    fn tell(&self, what: &str, is_success: bool, since: Timestamp, mut detail: Value) {
        let own = json!({
            "status-code": if is_success { "COMPLETED" } else { "FAILED" },
            "protocol": "SFTP",
            "server-id": self.server,
            "username": self.user,
            "client-ip": self.client.to_string(),
            "session-id": self.session,
            "start-timestamp": since.to_string(),
            "end-timestamp": Timestamp::now().to_string(),
        });
        if let (Some(detail), Value::Object(own)) = (detail.as_object_mut(), own) {
            detail.extend(own);
        }
        let ending = if is_success { "Completed" } else { "Failed" };
        self.buses.put(Event {
            place: self.place.clone(),
            source: "aws.transfer",
            detail_type: format!("SFTP Server {what} {ending}"),
            resources: vec![place::arn(&self.place, &self.server)],
            detail,
        });
    }
}
