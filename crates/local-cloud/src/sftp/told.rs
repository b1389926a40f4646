//! What Transfer tells of a customer's session: EventBridge (user guide, "Transfer Family events detail reference",
//! "SFTP, FTPS, and FTP server events"), but not of downloads, the server's structured log, and its workflow.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::events::{Buses, Event};
use crate::place::{self, Place};
use crate::structured_logs::ConnectionLog;
use crate::workflows::OnUpload;

/// An object that a customer works on.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl Object {
    /// As events and logs name it.
    pub(super) fn path(&self) -> String {
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
    log: ConnectionLog,
    on_upload: OnUpload,
}

impl Teller {
    pub(super) fn new(
        buses: Arc<Buses>,
        (place, server): (Place, String),
        user: String,
        log: ConnectionLog,
        on_upload: OnUpload,
    ) -> Self {
        Self { buses, place, server, user, log, on_upload }
    }

    /// A file that a client opens, in a mode such as `CREATE|TRUNCATE|WRITE`.
    pub(super) fn opened(&self, object: &Object, mode: &str) {
        self.log.activity("OPEN", &[("path", &object.path()), ("mode", mode)]);
    }

    /// A download that has ended, with what the client has read of it.
    pub(super) fn download(&self, object: &Object, bytes: u64, is_whole: bool) {
        let activity = if is_whole { "CLOSE" } else { "PARTIAL_CLOSE" };
        self.log.activity(activity, &[("path", &object.path()), ("bytes-out", &bytes.to_string())]);
    }

    /// An operation on a path that is refused, or fails.
    pub(super) fn failed(&self, operation: &str, path: &str, why: &str) {
        self.log.activity("ERROR", &[("path", path), ("operation", operation), ("message", why)]);
    }

    /// Attributes that a client sets, which S3 does not keep.
    pub(super) fn attributes_set(&self, path: &str) {
        self.log.activity("SETSTAT", &[("path", path)]);
    }

    pub(super) fn upload(&self, upload: &Upload<'_>, ended: Ended<'_>) {
        let (path, bytes) = (upload.object.path(), upload.bytes.to_string());
        match ended {
            Ended::Whole => self.log.activity("CLOSE", &[("path", &path), ("bytes-in", &bytes)]),
            Ended::Partial => self.log.activity("PARTIAL_CLOSE", &[("path", &path), ("bytes-in", &bytes)]),
            Ended::Failed(why) => self.failed("CLOSE", &path, why),
        }
        // Not for empty files (user guide, "Managed workflows restrictions and limitations").
        if matches!(ended, Ended::Whole) && upload.bytes > 0 {
            self.on_upload.start(upload.object.bucket.clone(), upload.object.key.clone(), upload.etag);
        }
        let mut detail = json!({ "file-path": path, "bytes": upload.bytes });
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
        self.log.activity("RENAME", &[("path", &from.path()), ("new-path", &to.path())]);
        let detail = json!({ "original-file-path": from.path(), "renamed-file-path": to.path() });
        self.tell("File Rename", true, Timestamp::now(), detail);
    }

    pub(super) fn deleted(&self, object: &Object) {
        self.log.activity("DELETE", &[("path", &object.path())]);
        self.tell("File Delete", true, Timestamp::now(), json!({ "file-path": object.path() }));
    }

    /// With the marker's key.
    pub(super) fn folder_created(&self, marker: &Object) {
        self.log.activity("MKDIR", &[("path", &marker.path())]);
        self.tell("Directory Create", true, Timestamp::now(), json!({ "directory-path": marker.path() }));
    }

    /// With the marker's key.
    pub(super) fn folder_deleted(&self, marker: &Object) {
        self.log.activity("RMDIR", &[("path", &marker.path())]);
        self.tell("Directory Delete", true, Timestamp::now(), json!({ "directory-path": marker.path() }));
    }

    fn tell(&self, what: &str, is_success: bool, since: Timestamp, mut detail: Value) {
        let own = json!({
            "status-code": if is_success { "COMPLETED" } else { "FAILED" },
            "protocol": "SFTP",
            "server-id": self.server,
            "username": self.user,
            "client-ip": self.log.client().to_string(),
            "session-id": self.log.session(),
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
