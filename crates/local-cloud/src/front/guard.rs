//! Who may use the local cloud: whoever has its secret, and no web page.
//!
//! A page in a browser on this machine can send requests to loopback, also under a name of its own that resolves there.
//! So requests with the marks of a browser are refused, whatever they ask, and no answer admits other origins. Everything
//! else must be signed with a secret that the local cloud knows: its own, which is the secret key of every account, or
//! that of a session that it issued. The front's own paths take the secret in a header.

use std::net::IpAddr;
use std::time::SystemTime;

use axum::body::{Body, to_bytes};
use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::call::{Call, Protocol};
use super::upstream::{MAX_BUFFERED, plain};
use super::{Front, caller, refusal, upstream};
use crate::execute_api;
use crate::execute_api::sigv4::{self, Payload, Unverified};
use crate::function_key::Execution;
use crate::secret::HEADER;

/// Why a request is refused that only a browser sends, or under a name that is neither of this machine nor of AWS.
pub(super) fn browser(headers: &HeaderMap) -> Option<&'static str> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned());
    if headers.contains_key(header::ORIGIN) || text("sec-fetch-site").is_some_and(|site| site != "none") {
        return Some("requests from web pages are refused");
    }
    match text("host") {
        Some(host) if is_known(&host) => None,
        _ => Some("requests for this host are refused: it is neither this machine nor AWS"),
    }
}

/// Whether a host header names this machine, or a service of AWS, under whose names SDKs and Transfer Family sign.
fn is_known(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.to_ascii_lowercase();
    let is_loopback = |ip: IpAddr| ip.is_loopback();
    // S3's virtual-hosted style puts the bucket before the name.
    let local = name == "localhost" || name.ends_with(".localhost") || name.ends_with(".127.0.0.1");
    local
        || name.parse().is_ok_and(is_loopback)
        || name.ends_with(".amazonaws.com")
        || name.ends_with(".amazonaws.com.cn")
}

/// Whether a request to one of the front's own paths has the secret.
pub(super) fn has_secret(front: &Front, headers: &HeaderMap) -> bool {
    headers.get(HEADER).and_then(|value| value.to_str().ok()).is_some_and(|value| front.cloud.secret.is(value))
}

/// Verifies the signature of a call. Calls of functions and requests to deployed APIs are verified where they are
/// answered.
pub(super) async fn signature(front: &Front, call: &Call, parts: &Parts, body: Body) -> Result<Body, Response<Body>> {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if execute_api::host(host).is_some() || Execution::of(parts).is_some() {
        return Ok(body);
    }
    if goes_round_the_api(host, parts.uri.path()) || call.service == "execute-api" {
        let words = "deployed APIs are at API.execute-api.REGION.amazonaws.com, by the Host header";
        return Err(plain(StatusCode::FORBIDDEN, words));
    }
    let refused = |why: Unverified| refusal(call, &why);
    let scope = caller::scope(&parts.headers, parts.uri.query()).map_err(|why| match why {
        caller::Unsigned::Missing => refused(Unverified::Missing),
        caller::Unsigned::Malformed => refused(Unverified::Malformed),
    })?;
    let keys = match front.cloud.sessions.get(&scope.access_key) {
        Some(session) => Some((session.secret, session.token)),
        None => caller::account_of(&scope.access_key).map(|_| (front.cloud.secret.as_str().to_owned(), String::new())),
    };
    // Expired keys have an error of their own, which the authorization gives.
    let Some((secret, token)) = keys else {
        return if scope.access_key.starts_with("ASIA") { Ok(body) } else { Err(refused(Unverified::Token)) };
    };
    let place = (scope.region.as_str(), scope.service.as_str());
    let verify = |payload: Payload<'_>| sigv4::verify(parts, payload, place, (&secret, &token), SystemTime::now());
    // An object is never buffered: its signed hash is believed.
    if call.protocol == Protocol::S3 {
        return verify(Payload::Claimed).map(|()| body).map_err(refused);
    }
    let Ok(bytes) = to_bytes(body, MAX_BUFFERED).await else {
        return Err(plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"));
    };
    verify(Payload::Bytes(&bytes)).map_err(refused)?;
    Ok(Body::from(bytes))
}

/// Moves the verified signature of a presigned URL into the header: MiniStack verifies such URLs with keys of its own.
pub(super) fn sign_by_header(parts: &mut Parts) {
    if parts.headers.contains_key(header::AUTHORIZATION) {
        return;
    }
    let Ok(scope) = caller::scope(&parts.headers, parts.uri.query()) else { return };
    let query = parts.uri.query().unwrap_or_default();
    let token = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Security-Token="));
    let token = token.map(|token| percent_encoding::percent_decode_str(token).decode_utf8_lossy().into_owned());
    let left: Vec<&str> = query.split('&').filter(|pair| !pair.starts_with("X-Amz-")).collect();
    let target = match left.is_empty() {
        true => parts.uri.path().to_owned(),
        false => format!("{}?{}", parts.uri.path(), left.join("&")),
    };
    let Ok(uri) = target.parse() else { return };
    parts.uri = uri;
    upstream::sign(&mut parts.headers, &scope);
    if let Some(token) = token.and_then(|token| token.parse().ok()) {
        parts.headers.insert("x-amz-security-token", token);
    }
}

/// Whether MiniStack would invoke a deployed API without its authorization.
fn goes_round_the_api(host: &str, path: &str) -> bool {
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy().to_ascii_lowercase();
    host.to_ascii_lowercase().contains(".execute-api.")
        || path.starts_with("/_aws/")
        || path.contains("/_user_request_")
}

/// AWS's errors for a signature that does not count.
fn refusal(call: &Call, why: &Unverified) -> Response<Body> {
    let json = matches!(call.protocol, Protocol::Json | Protocol::Cbor | Protocol::RestJson);
    let (status, code) = match (why, json) {
        (Unverified::Missing, true) => (400, "MissingAuthenticationTokenException"),
        (Unverified::Missing, false) => (403, "MissingAuthenticationToken"),
        (Unverified::Malformed, true) => (400, "IncompleteSignatureException"),
        (Unverified::Malformed, false) => (400, "IncompleteSignature"),
        (Unverified::Token, true) => (400, "UnrecognizedClientException"),
        (Unverified::Token, false) => (403, "InvalidClientTokenId"),
        (Unverified::Scope(_) | Unverified::Expired(_) | Unverified::Mismatch, true) => {
            (400, "InvalidSignatureException")
        }
        (Unverified::Scope(_) | Unverified::Expired(_) | Unverified::Mismatch, false) => (403, "SignatureDoesNotMatch"),
    };
    let hint = "of the local cloud; `sftpctl local env` prints its keys";
    refusal::error(call, status, code, &format!("{why} ({hint})"))
}

/// Removes what would let web pages read an answer.
pub(super) fn close(response: &mut Response<Body>) {
    let open: Vec<_> =
        response.headers().keys().filter(|name| name.as_str().starts_with("access-control-")).cloned().collect();
    for name in open {
        response.headers_mut().remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_round_the_api_are_known() {
        for (host, path) in [
            ("a.execute-api.localhost:4570", "/prod/x"),
            ("127.0.0.1", "/_aws/execute-api/a/prod/x"),
            ("127.0.0.1", "/restapis/a/prod/_user_request_/x"),
            ("127.0.0.1", "/restapis/a/prod/%5Fuser_request_/x"),
        ] {
            assert!(goes_round_the_api(host, path), "{host} {path}");
        }
        assert!(!goes_round_the_api("127.0.0.1:4570", "/restapis/a/resources"));
    }

    #[test]
    fn pages_and_foreign_names_are_refused() {
        let admits = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, value.parse().unwrap());
            }
            browser(&headers).is_none()
        };
        for host in
            ["127.0.0.1:4570", "localhost:4570", "[::1]:4570", "a.execute-api.us-west-2.amazonaws.com", "b.localhost"]
        {
            assert!(admits(&[("host", host)]), "{host}");
        }
        for host in
            ["evil.example:4570", "localhost.evil.example", "127.0.0.1.evil.example", "amazonaws.com.evil.example", ""]
        {
            assert!(!admits(&[("host", host)]), "{host}");
        }
        let here = ("host", "127.0.0.1:4570");
        assert!(!admits(&[]));
        assert!(!admits(&[here, ("origin", "https://evil.example")]) && !admits(&[here, ("origin", "null")]));
        assert!(!admits(&[here, ("sec-fetch-site", "cross-site")]) && admits(&[here, ("sec-fetch-site", "none")]));
    }
}
