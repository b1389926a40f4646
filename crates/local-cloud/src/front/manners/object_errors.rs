//! DeleteObjects succeeds as a whole and fails for single keys.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::{Answer, Description, Inquiry, Key, Manner};

/// Buckets of which one key has failed already.
#[derive(Default)]
pub(super) struct ObjectErrors(Mutex<BTreeSet<Key>>);

impl Manner for ObjectErrors {
    fn description(&self) -> &'static Description {
        &Description {
            name: "object-errors",
            aws: "DeleteObjects answers 200 with errors of single keys: InternalError for one that must be deleted again",
            source: "S3 API reference, DeleteObjects; recorded: LocalStack test_s3_api \
                     (delete-objects-wrong-version-id)",
        }
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("s3", &["DeleteObjects"])
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        let Some(bucket) = request.bucket().filter(|_| answer.status.is_success()) else { return };
        if !self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request.global(&bucket)) {
            return;
        }
        // The first key is reported as failed. It is gone, which the next attempt finds.
        let asked = String::from_utf8_lossy(request.body);
        let member = |name: &str| {
            let (_, rest) = asked.split_once(&format!("<{name}>"))?;
            Some(format!("<{name}>{}</{name}>", rest.split_once("</")?.0))
        };
        let failed = format!(
            "<Error>{}{}<Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message>\
             </Error>",
            member("Key").unwrap_or_default(),
            member("VersionId").unwrap_or_default()
        );
        if let Some(at) = answer.text.rfind("</DeleteResult>") {
            answer.text.insert_str(at, &failed);
        }
    }
}
