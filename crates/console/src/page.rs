//! The page's files, which are in the program, and the headers of every answer.

use axum::body::Body;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

const HTML: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/console.css");
const SCRIPT: &str = include_str!("page/console.js");
const WORDS: &str = include_str!("page/words.js");
const ICON: &str = include_str!("page/icon.svg");

/// Only files of this server, no code in the page itself, in no frame, and no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// The headers of every answer.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// A file of the page, with its content type.
pub(crate) fn file(path: &str) -> Option<(&'static str, &'static str)> {
    Some(match path {
        "/" => ("text/html; charset=utf-8", HTML),
        "/console.css" => ("text/css; charset=utf-8", STYLE),
        "/console.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "/words.js" => ("text/javascript; charset=utf-8", WORDS),
        "/icon.svg" => ("image/svg+xml", ICON),
        _ => return None,
    })
}

/// An answer with all headers.
pub(crate) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the policy would refuse is not in the page.
    #[test]
    fn page_has_no_code_or_style_of_its_own() {
        for path in ["/", "/console.css", "/console.js", "/words.js", "/icon.svg"] {
            let (_, text) = file(path).unwrap();
            for foreign in ["http://", "https://", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write"] {
                let allowed = foreign == "http://" && path == "/icon.svg";
                assert!(allowed || !text.contains(foreign), "{path}: {foreign}");
            }
        }
        assert!(!HTML.contains("<style") && !HTML.contains(" style=") && !HTML.contains(" onclick"));
        assert_eq!(HTML.matches("<script").count(), HTML.matches("<script type=\"module\" src=\"/").count());
        assert!(file("/x").is_none());
    }
}
