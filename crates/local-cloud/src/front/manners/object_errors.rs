//! DeleteObjects succeeds as a whole and fails for single keys.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use hyper::{Response, StatusCode};

use super::super::pending::between;
use super::super::{Front, xml};
use super::{Answer, Description, Inquiry, Key, Manner};

/// Buckets of which one key has failed already.
#[derive(Default)]
pub(super) struct ObjectErrors(Mutex<BTreeSet<Key>>);

impl ObjectErrors {
    /// Whether a key of this request fails: one in each bucket.
    fn strikes(&self, request: &Inquiry<'_>) -> bool {
        let mut struck = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        request.bucket().is_some_and(|bucket| struck.insert(request.global(&bucket)))
    }
}

#[async_trait]
impl Manner for ObjectErrors {
    fn description(&self) -> &'static Description {
        &Description {
            name: "object-errors",
            aws: "DeleteObjects answers 200 with errors of single keys: InternalError for one that was not deleted and \
                  must be deleted again",
            source: "S3 API reference, DeleteObjects; recorded: LocalStack test_s3_api \
                     (delete-objects-wrong-version-id)",
        }
    }

    /// The only key of a request fails without a call, since S3 refuses an empty list.
    fn answer(&self, request: &Inquiry<'_>) -> Option<Response<Body>> {
        let asked = request.is("s3", &["DeleteObjects"]).then(|| Asked::of(request.body))??;
        (asked.without.is_none() && self.strikes(request)).then(|| {
            let error = asked.error();
            let xmlns = "http://s3.amazonaws.com/doc/2006-03-01/";
            xml(format!("<DeleteResult xmlns=\"{xmlns}\">{error}</DeleteResult>"))
        })
    }

    async fn change(&self, _front: &Front, request: &Inquiry<'_>) -> Option<Bytes> {
        let without = request.is("s3", &["DeleteObjects"]).then(|| Asked::of(request.body))??.without?;
        self.strikes(request).then(|| Bytes::from(without))
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("s3", &["DeleteObjects"]) && request.sent != request.body
    }

    fn rewrite(&self, request: &Inquiry<'_>, answer: &mut Answer) {
        let asked = Asked::of(request.body).filter(|_| answer.status == StatusCode::OK);
        if let Some(asked) = asked {
            answer.text = with_error(&answer.text, &asked.error());
        }
    }
}

/// The answer with an error. One to a quiet request is an element without content.
fn with_error(answer: &str, error: &str) -> String {
    match (answer.rfind("</DeleteResult>"), answer.trim_end().strip_suffix("/>")) {
        (Some(at), _) => format!("{}{error}{}", &answer[..at], &answer[at..]),
        (None, Some(start)) => format!("{}>{error}</DeleteResult>", start.trim_end()),
        (None, None) => answer.to_owned(),
    }
}

/// The first key of a request, which fails.
#[derive(Debug, PartialEq)]
struct Asked {
    object: String,
    /// The request without it; `None` if it is the only one.
    without: Option<String>,
}

impl Asked {
    fn of(body: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(body).ok()?;
        let object = between(text, "<Object>", "</Object>")?;
        let without = text.replacen(&format!("<Object>{object}</Object>"), "", 1);
        Some(Self { object: object.to_owned(), without: without.contains("<Object>").then_some(without) })
    }

    fn error(&self) -> String {
        let member = |name: &str| {
            let text = between(&self.object, &format!("<{name}>"), &format!("</{name}>"));
            text.map(|text| format!("<{name}>{text}</{name}>")).unwrap_or_default()
        };
        let message = "We encountered an internal error. Please try again.";
        let (key, version) = (member("Key"), member("VersionId"));
        format!("<Error>{key}{version}<Code>InternalError</Code><Message>{message}</Message></Error>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_key_is_taken_out_of_the_request() {
        let two = "<Delete><Object><Key>a&amp;b</Key><VersionId>1</VersionId></Object><Object><Key>c</Key></Object>\
                   </Delete>";
        let asked = Asked::of(two.as_bytes()).unwrap();
        assert_eq!(asked.without.as_deref(), Some("<Delete><Object><Key>c</Key></Object></Delete>"));
        assert!(asked.error().starts_with("<Error><Key>a&amp;b</Key><VersionId>1</VersionId><Code>InternalError<"));
        let one = Asked::of(b"<Delete><Object><Key>c</Key></Object></Delete>").unwrap();
        assert_eq!(one.without, None);
    }

    #[test]
    fn quiet_answer_has_the_error_too() {
        for (answer, expected) in [
            ("<DeleteResult xmlns=\"x\" />", "<DeleteResult xmlns=\"x\"><Error/></DeleteResult>"),
            ("<DeleteResult/>\n", "<DeleteResult><Error/></DeleteResult>"),
            ("<DeleteResult><Deleted/></DeleteResult>", "<DeleteResult><Deleted/><Error/></DeleteResult>"),
        ] {
            assert_eq!(with_error(answer, "<Error/>"), expected);
        }
    }
}
