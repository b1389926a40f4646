//! What the messages of a cluster's queue say. Pure.
//!
//! The forms are those of the Transfer user guide, "Transfer Family events detail reference", and the S3 user guide, "EventBridge
//! event message structure".

use serde::Deserialize;

/// Seconds by which the clocks of Transfer and S3 may differ.
const CLOCKS: i64 = 2;

/// What a message says of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A customer has uploaded the whole file, or has given a file this name.
    /// `at`: when it was told, seconds since 1970.
    Whole { key: String, at: i64 },
    /// The upload began `since` and failed `until`, in seconds since 1970. What it left has the ETag; without one it is not
    /// known which object of that time it is, or whether there is any.
    Partial { key: String, etag: Option<String>, since: i64, until: i64 },
    /// There is a new object, by whomever; whether it is whole, Transfer says, if it was a customer's upload.
    Created { key: String, etag: String },
    /// Nothing about a file of this bucket.
    Other,
}

impl Notice {
    /// The key of the file.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Whole { key, .. } | Self::Partial { key, .. } | Self::Created { key, .. } => Some(key),
            Self::Other => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Event {
    source: String,
    detail_type: String,
    /// RFC 3339.
    #[serde(default)]
    time: String,
    detail: Detail,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Detail {
    file_path: Option<String>,
    renamed_file_path: Option<String>,
    start_timestamp: Option<String>,
    etag: Option<String>,
    bucket: Option<Bucket>,
    object: Option<Object>,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    key: String,
    #[serde(default)]
    etag: String,
}

/// An ETag as S3's other answers have it: in quotes.
fn quoted(etag: &str) -> String {
    format!("\"{}\"", etag.trim_matches('"'))
}

/// Reads a message about a bucket's files.
pub fn read(body: &str, bucket: &str) -> Notice {
    let Ok(Event { source, detail_type, time, detail }) = serde_json::from_str(body) else { return Notice::Other };
    // `/bucket/key`.
    let in_bucket = |path: Option<String>| {
        let rest = path?.strip_prefix('/')?.strip_prefix(bucket)?.strip_prefix('/')?.to_owned();
        (!rest.is_empty()).then_some(rest)
    };
    let seconds = |text: &str| text.parse().ok().map(jiff::Timestamp::as_second);
    // Without a time it is so of whatever is there.
    let at = seconds(&time).unwrap_or(i64::MAX);
    let notice = match (source.as_str(), detail_type.as_str()) {
        ("aws.transfer", "SFTP Server File Upload Completed") => {
            in_bucket(detail.file_path).map(|key| Notice::Whole { key, at })
        }
        ("aws.transfer", "SFTP Server File Rename Completed") => {
            in_bucket(detail.renamed_file_path).map(|key| Notice::Whole { key, at })
        }
        ("aws.transfer", "SFTP Server File Upload Failed") => {
            let etag = detail.etag.as_deref().filter(|etag| !etag.trim_matches('"').is_empty()).map(quoted);
            let began = detail.start_timestamp.as_deref().and_then(seconds);
            let since = began.map_or(i64::MIN, |began| began.saturating_sub(CLOCKS));
            in_bucket(detail.file_path).map(|key| Notice::Partial { key, etag, since, until: at })
        }
        ("aws.s3", "Object Created") => match (detail.bucket, detail.object) {
            (Some(of), Some(object)) if of.name == bucket => {
                Some(Notice::Created { key: object.key, etag: quoted(&object.etag) })
            }
            _ => None,
        },
        _ => None,
    };
    notice.unwrap_or(Notice::Other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn transfer(kind: &str, detail: &serde_json::Value) -> Notice {
        let time = "1970-01-01T00:00:09Z";
        let event = json!({ "source": "aws.transfer", "detail-type": kind, "time": time, "detail": detail });
        read(&event.to_string(), "b")
    }

    #[test]
    fn messages_are_read() {
        let key = || "17578/a b.csv".to_owned();
        let path = json!({ "file-path": "/b/17578/a b.csv", "bytes": 5, "etag": "e" });
        assert_eq!(transfer("SFTP Server File Upload Completed", &path), Notice::Whole { key: key(), at: 9 });
        let renamed = json!({ "original-file-path": "/b/x", "renamed-file-path": "/b/17578/a b.csv" });
        assert_eq!(transfer("SFTP Server File Rename Completed", &renamed), Notice::Whole { key: key(), at: 9 });
        let mut partial = path.clone();
        partial["failure-code"] = json!("PARTIAL_UPLOAD");
        let expected = |etag: Option<&str>, since| {
            let etag = etag.map(str::to_owned);
            Notice::Partial { key: key(), etag, since, until: 9 }
        };
        assert_eq!(transfer("SFTP Server File Upload Failed", &partial), expected(Some("\"e\""), i64::MIN));
        partial["failure-code"] = json!("UNKNOWN_ERROR");
        partial["start-timestamp"] = json!("1970-01-01T00:00:07.5Z");
        assert_eq!(transfer("SFTP Server File Upload Failed", &partial), expected(Some("\"e\""), 5));
        for none in [json!(""), json!(null)] {
            partial["etag"] = none;
            assert_eq!(transfer("SFTP Server File Upload Failed", &partial), expected(None, 5));
        }
        let created = json!({ "source": "aws.s3", "detail-type": "Object Created", "detail": {
            "bucket": { "name": "b" }, "object": { "key": "17578/a b.csv", "size": 5, "etag": "e", "sequencer": "1" },
            "reason": "PutObject",
        } });
        assert_eq!(read(&created.to_string(), "b"), Notice::Created { key: key(), etag: "\"e\"".into() });
        assert_eq!(read(&created.to_string(), "c"), Notice::Other);
    }

    #[test]
    fn what_is_not_about_a_file_of_the_bucket_is_ignored() {
        for path in ["/bb/x", "/b/", "/b", "b/x", ""] {
            let detail = json!({ "file-path": path });
            assert_eq!(transfer("SFTP Server File Upload Completed", &detail), Notice::Other, "{path}");
        }
        for body in ["", "{}", "[]", "{\"source\":1}", "{\"Event\":\"s3:TestEvent\"}"] {
            assert_eq!(read(body, "b"), Notice::Other, "{body}");
        }
        assert_eq!(transfer("SFTP Server File Download Completed", &json!({ "file-path": "/b/x" })), Notice::Other);
    }
}
