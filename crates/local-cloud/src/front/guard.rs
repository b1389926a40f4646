//! Who may use the local cloud: whoever has its secret, and no web page.
//!
//! A page in a browser on this machine can send requests to loopback, also under a name of its own that resolves there.
//! So requests with the marks of a browser are refused, whatever they ask, and no answer admits other origins. Everything
//! else but price list files must be signed with a secret that the local cloud knows: its own, which is the secret key of
//! every account, or that of a session that it issued. The front's own paths take the secret in a header.

use std::net::{IpAddr, Ipv6Addr};
use std::time::SystemTime;

use axum::body::Body;
use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Response, StatusCode};

use super::call::{Call, Protocol};
use super::upstream::{MAX_BUFFERED, plain};
use super::{Front, authorize, caller, canonical, refusal};
use crate::execute_api::sigv4::{self, Payload, Unverified};
use crate::execute_api::{self, Found};
use crate::function_key::Execution;
use crate::secret::HEADER;

/// Why a request is refused that only a browser sends, or under a name that is neither of this machine nor of AWS.
pub(super) fn browser(headers: &HeaderMap) -> Option<&'static str> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned());
    if headers.contains_key(header::ORIGIN) || headers.get_all("sec-fetch-site").iter().any(|site| site != "none") {
        return Some("requests from web pages are refused");
    }
    match text("host") {
        Some(_) if headers.get_all(header::HOST).iter().count() > 1 => Some("requests with two hosts are refused"),
        Some(host) if is_known(&host) => None,
        _ => Some("requests for this host are refused: it is neither this machine nor AWS"),
    }
}

/// Whether a host header names this machine, or a service of AWS, under whose names SDKs and Transfer Family sign.
fn is_known(host: &str) -> bool {
    // The whole of it must be a host: what is read differently elsewhere, as `x#.amazonaws.com`, is none.
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let is_port = |port: &str| port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit());
    let name = authority.host();
    let rest = host.strip_prefix(name).unwrap_or(host);
    if !(rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback());
    }
    let name = name.to_ascii_lowercase();
    let is_label = |label: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len()) && label.bytes().all(is_part)
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return false;
    }
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
    one_value(headers).is_some_and(|value| front.cloud.secret.is(value))
}

/// The secret that a request shows; `None` if it shows several, of which one is wrong.
fn one_value(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(HEADER).iter();
    let value = values.next()?;
    if values.next().is_some() { None } else { value.to_str().ok() }
}

/// Verifies the signature of a request as it came. Returns its body, which is in memory unless it is for S3.
///
/// Requests to deployed APIs with keys of a session are verified where they are answered, if the API asks for it.
///
/// # Errors
/// The refusal.
pub(super) async fn signature(front: &Front, call: &Call, parts: &Parts, body: Body) -> Result<Body, Response<Body>> {
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let calls_api = execute_api::host(host).is_some();
    if !calls_api && call.service == "execute-api" {
        return Err(plain(StatusCode::FORBIDDEN, canonical::APIS));
    }
    let refused = |why: Unverified| refusal(call, &why);
    let scope = match caller::scope(&parts.headers, parts.uri.query()) {
        Ok(scope) if !calls_api || caller::account_of(&scope.access_key).is_some() => scope,
        _ if calls_api => return front.inbox.read(body, MAX_BUFFERED).await.map(Body::from),
        Ok(_) | Err(caller::Unsigned::Missing) => return Err(refused(Unverified::Missing)),
        Err(caller::Unsigned::Malformed) => return Err(refused(Unverified::Malformed)),
    };
    let (secret, token) = keys(front, call, parts, &scope.access_key).map_err(|refusal| *refusal)?;
    let (place, now) = ((scope.region.as_str(), scope.service.as_str()), SystemTime::now());
    let verify = |payload: Payload<'_>| sigv4::verify(parts, payload, place, (&secret, &token), now);
    // An object is never buffered: its signed hash is believed.
    if call.protocol == Protocol::S3 {
        return verify(Payload::Claimed).map(|()| body).map_err(refused);
    }
    sigv4::verify_head(parts, place, &token, now).map_err(refused)?;
    let bytes = front.inbox.read(body, call.largest_body()).await?;
    verify(Payload::Bytes(&bytes)).map_err(refused)?;
    Ok(Body::from(bytes))
}

/// The secret key and the token of an access key.
fn keys(front: &Front, call: &Call, parts: &Parts, access_key: &str) -> Result<(String, String), Box<Response<Body>>> {
    if let Some(function) = Execution::of(parts) {
        let secret = front.cloud.function_key.secret(&function.token).unwrap_or_default();
        return Ok((secret, function.token));
    }
    if caller::account_of(access_key).is_some() {
        return Ok((front.cloud.secret.as_str().to_owned(), String::new()));
    }
    match front.cloud.sessions.find(access_key) {
        Found::Valid(session) => Ok((session.secret, session.token)),
        Found::Expired => Err(Box::new(authorize::Keys::Expired.refusal(call))),
        Found::Unknown => Err(Box::new(refusal(call, &Unverified::Token))),
    }
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
    // API Gateway has one status for all of them.
    let status = if call.service == "execute-api" { 403 } else { status };
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
    fn secret_is_shown_once() {
        let mut headers = HeaderMap::new();
        assert_eq!(one_value(&headers), None);
        headers.append(HEADER, "right".parse().unwrap());
        assert_eq!(one_value(&headers), Some("right"));
        headers.append(HEADER, "wrong".parse().unwrap());
        assert_eq!(one_value(&headers), None);
    }

    #[test]
    fn pages_and_foreign_names_are_refused() {
        let admits = |pairs: &[(&'static str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, value.parse().unwrap());
            }
            browser(&headers).is_none()
        };
        for host in
            ["127.0.0.1:4570", "localhost:4570", "[::1]:4570", "a.execute-api.us-west-2.amazonaws.com", "b.localhost"]
        {
            assert!(admits(&[("host", host)]), "{host}");
        }
        for host in [
            "evil.example:4570",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "amazonaws.com.evil.example",
            "evil.example#.amazonaws.com",
            "evil.example/.amazonaws.com",
            "evil.example?.localhost",
            "evil.example\\.localhost",
            "evil.example,.amazonaws.com",
            "me@b.localhost",
            "evil.example:80@b.localhost",
            "[::1].evil.example",
            "[::1]evil",
            "[localhost]",
            ".amazonaws.com",
            "a..amazonaws.com",
            "127.0.0.1:4570:1",
            "127.0.0.1:x",
            "",
        ] {
            assert!(!admits(&[("host", host)]), "{host}");
        }
        let here = ("host", "127.0.0.1:4570");
        assert!(!admits(&[]));
        assert!(!admits(&[here, ("origin", "https://evil.example")]) && !admits(&[here, ("origin", "null")]));
        assert!(!admits(&[here, ("sec-fetch-site", "cross-site")]) && admits(&[here, ("sec-fetch-site", "none")]));
        assert!(!admits(&[here, ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")]));
    }
}
