//! Verifies Signature Version 4, as API Gateway does before anything else.
//!
//! Follows the IAM user guide, "Create a signed AWS API request", and for presigned URLs of S3 its API reference,
//! "Authenticating Requests: Using Query Parameters". The hash of a body is computed, except for S3's objects.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

/// Maximum clock skew of a request.
const SKEW: Duration = Duration::from_secs(300);

/// All but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Why a signature is not accepted; the text is API Gateway's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unverified {
    /// No signature.
    #[error("Missing Authentication Token")]
    Missing,
    /// The header cannot be read.
    #[error(
        "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. \
         Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a \
         'X-Amz-Date' or a 'Date' header."
    )]
    Malformed,
    /// Signed for another service or region.
    #[error("Credential should be scoped to a valid region and correct service: '{0}'.")]
    Scope(String),
    /// Unknown keys, or a wrong session token.
    #[error("The security token included in the request is invalid.")]
    Token,
    /// Too old, or from the future.
    #[error("Signature expired: {0} is not within five minutes of now")]
    Expired(String),
    /// The request was changed after signing, or signed with another secret.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

/// The body of a request.
#[derive(Clone, Copy)]
pub(crate) enum Payload<'a> {
    /// Hashed here.
    Bytes(&'a [u8]),
    /// S3: the hash is the one that the request has signed, since objects are streamed. A presigned URL has none.
    Claimed,
}

/// The parts of the header `Authorization`, or those parameters of a presigned URL.
struct Authorization<'a> {
    access_key: &'a str,
    /// `20261123/us-west-2/execute-api/aws4_request`.
    scope: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

/// A presigned URL's parameters, decoded.
struct Presigned {
    credential: String,
    time: String,
    seconds: u64,
    signed_headers: String,
    signature: String,
    token: String,
}

/// The access key that a request claims to be signed with.
pub(crate) fn access_key(parts: &Parts) -> Result<String, Unverified> {
    authorization(parts).map(|authorization| authorization.access_key.to_owned())
}

/// Verifies the signature of a request.
///
/// # Errors
/// See [`Unverified`].
pub(crate) fn verify(
    parts: &Parts,
    payload: Payload<'_>,
    (region, service): (&str, &str),
    (secret, token): (&str, &str),
    now: SystemTime,
) -> Result<(), Unverified> {
    let presigned = match (payload, parts.headers.contains_key(hyper::header::AUTHORIZATION)) {
        (Payload::Claimed, false) => Some(presigned(parts).ok_or(Unverified::Missing)?),
        _ => None,
    };
    let authorization = match &presigned {
        Some(url) => {
            let (access_key, scope) = url.credential.split_once('/').ok_or(Unverified::Malformed)?;
            let signed_headers = url.signed_headers.split(';').collect();
            Authorization { access_key, scope, signed_headers, signature: &url.signature }
        }
        None => authorization(parts)?,
    };
    let time = match &presigned {
        Some(url) => url.time.clone(),
        None => header(parts, "x-amz-date").ok_or(Unverified::Malformed)?,
    };
    let has = presigned
        .as_ref()
        .map_or_else(|| header(parts, "x-amz-security-token").unwrap_or_default(), |url| url.token.clone());
    if has != token {
        return Err(Unverified::Token);
    }
    let lasts = presigned.as_ref().map_or(SKEW, |url| Duration::from_secs(url.seconds));
    let date = current(parts, &authorization, (region, service), &time, (now, lasts))?;
    let hash = match payload {
        Payload::Bytes(body) => hex(&Sha256::digest(body)),
        Payload::Claimed => header(parts, "x-amz-content-sha256").unwrap_or_else(|| "UNSIGNED-PAYLOAD".to_owned()),
    };
    let is_s3 = matches!(payload, Payload::Claimed);
    let canonical = canonical(parts, &authorization.signed_headers, &hash, is_s3).ok_or(Unverified::Mismatch)?;
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{}\n{}", authorization.scope, hex(&Sha256::digest(canonical)));
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date, region, service, "aws4_request"] {
        key = mac(&key, part).ok_or(Unverified::Mismatch)?.finalize().into_bytes().to_vec();
    }
    let expected = unhex(authorization.signature).ok_or(Unverified::Mismatch)?;
    // Compared in constant time.
    mac(&key, &to_sign).and_then(|mac| mac.verify_slice(&expected).ok()).ok_or(Unverified::Mismatch)
}

/// Checks what can be checked before there is a body: token, service, time, and which headers are signed.
///
/// # Errors
/// See [`Unverified`].
pub(crate) fn verify_head(parts: &Parts, place: (&str, &str), token: &str, now: SystemTime) -> Result<(), Unverified> {
    let authorization = authorization(parts)?;
    let time = header(parts, "x-amz-date").ok_or(Unverified::Malformed)?;
    if header(parts, "x-amz-security-token").unwrap_or_default() != token {
        return Err(Unverified::Token);
    }
    current(parts, &authorization, place, &time, (now, SKEW)).map(|_| ())
}

/// Checks a signature's scope, its time, and which headers are signed. Returns its date.
fn current<'a>(
    parts: &Parts,
    authorization: &Authorization<'_>,
    (region, service): (&str, &str),
    time: &'a str,
    (now, lasts): (SystemTime, Duration),
) -> Result<&'a str, Unverified> {
    let date = time.get(..8).ok_or(Unverified::Malformed)?;
    if authorization.scope != format!("{date}/{region}/{service}/aws4_request") {
        return Err(Unverified::Scope(format!("{region}/{service}")));
    }
    let signed_at = parse_time(time).ok_or(Unverified::Malformed)?;
    let apart = now.duration_since(signed_at).unwrap_or_else(|early| early.duration());
    if apart > lasts {
        return Err(Unverified::Expired(time.to_owned()));
    }
    // AWS requires these headers to be signed.
    let is_signed = |name: &str| authorization.signed_headers.contains(&name);
    let amazon = parts.headers.keys().filter(|name| name.as_str().starts_with("x-amz-"));
    if !is_signed("host") || amazon.into_iter().any(|name| !is_signed(name.as_str())) {
        return Err(Unverified::Mismatch);
    }
    Ok(date)
}

fn authorization(parts: &Parts) -> Result<Authorization<'_>, Unverified> {
    let value = parts.headers.get(hyper::header::AUTHORIZATION).ok_or(Unverified::Missing)?;
    let value = value.to_str().map_err(|_| Unverified::Malformed)?;
    let fields = value.strip_prefix("AWS4-HMAC-SHA256 ").ok_or(Unverified::Malformed)?;
    let field = |name: &str| fields.split(',').find_map(|field| field.trim().strip_prefix(name));
    let read = || {
        let (access_key, scope) = field("Credential=")?.split_once('/')?;
        let signed_headers = field("SignedHeaders=")?.split(';').collect();
        Some(Authorization { access_key, scope, signed_headers, signature: field("Signature=")? })
    };
    read().ok_or(Unverified::Malformed)
}

fn presigned(parts: &Parts) -> Option<Presigned> {
    let query = parts.uri.query()?;
    let field = |name: &str| {
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    };
    Some(Presigned {
        credential: field("X-Amz-Credential")?,
        time: field("X-Amz-Date")?,
        // AWS allows a week.
        seconds: field("X-Amz-Expires")?.parse().ok().filter(|seconds| *seconds <= 604_800)?,
        signed_headers: field("X-Amz-SignedHeaders")?,
        signature: field("X-Amz-Signature")?,
        token: field("X-Amz-Security-Token").unwrap_or_default(),
    })
}

fn canonical(parts: &Parts, signed: &[&str], hash: &str, is_s3: bool) -> Option<String> {
    // Every service but S3 encodes the encoded path once more.
    let segment = |segment: &str| match is_s3 {
        true => utf8_percent_encode(&percent_decode_str(segment).decode_utf8_lossy(), ENCODED).to_string(),
        false => utf8_percent_encode(segment, ENCODED).to_string(),
    };
    let path: Vec<String> = parts.uri.path().split('/').map(segment).collect();
    let mut query: Vec<(String, String)> = parts
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("X-Amz-Signature="))
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let again =
                |text: &str| utf8_percent_encode(&percent_decode_str(text).decode_utf8_lossy(), ENCODED).to_string();
            (again(name), again(value))
        })
        .collect();
    query.sort();
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut sorted = signed.to_vec();
    sorted.sort_unstable();
    if sorted != signed {
        return None;
    }
    let mut headers = String::new();
    for name in signed {
        let values: Vec<String> = parts
            .headers
            .get_all(*name)
            .iter()
            .map(|value| {
                let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        if values.is_empty() {
            return None;
        }
        headers += &format!("{name}:{}\n", values.join(","));
    }
    Some(format!("{}\n{}\n{}\n{headers}\n{}\n{hash}", parts.method, path.join("/"), query.join("&"), signed.join(";")))
}

fn header(parts: &Parts, name: &str) -> Option<String> {
    parts.headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The HMAC-SHA-256 of a text under a key, before it is finalized.
pub(crate) fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    text.len().is_multiple_of(2).then(|| (0..text.len()).step_by(2).map(pair).collect::<Option<Vec<u8>>>())?
}

/// `20261123T120000Z`.
fn parse_time(text: &str) -> Option<SystemTime> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let seconds = jiff::tz::Offset::UTC.to_timestamp(time).ok()?.as_second();
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    //! Oracle: the signer of AWS's SDK, the crate `aws-sigv4`.

    use super::*;
    use crate::execute_api::sign::{SignedBy, sign};
    use hyper::Request;

    const SECRET: &str = "not-a-real-secret";

    fn by() -> SignedBy<'static> {
        SignedBy {
            access_key: "ASIAFAKE",
            secret: SECRET,
            token: "tok/en+=",
            region: "us-west-2",
            service: "execute-api",
        }
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_790_000_000)
    }

    fn signed(uri: &str) -> Parts {
        let request =
            Request::get(uri).header("host", "a.execute-api.us-west-2.amazonaws.com").header("passwordbase64", "eA==");
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        sign(&mut parts, b"", &by(), now()).unwrap();
        parts
    }

    fn check(parts: &Parts) -> Result<(), Unverified> {
        verify(parts, Payload::Bytes(b""), ("us-west-2", "execute-api"), (SECRET, "tok/en+="), now())
    }

    const URIS: [&str; 5] = [
        "/prod/servers/s-1/users/me/config?protocol=SFTP&sourceIp=192.0.2.1",
        "/prod/servers/s-1/users/a%40b.c/config?sourceIp=2001%3Adb8%3A%3A1&protocol=SFTP",
        "/prod/servers/s-1/users/%C3%B1%20%2B/config?b=2&a=1&a=0",
        "/",
        "/a?x",
    ];

    #[test]
    fn sdk_signatures_are_accepted() {
        for uri in URIS {
            assert_eq!(check(&signed(uri)), Ok(()), "{uri}");
        }
    }

    /// As the front checks a request: the access key must be known, then the signature must match.
    fn admitted(parts: &Parts) -> bool {
        access_key(parts).is_ok_and(|key| key == "ASIAFAKE") && check(parts).is_ok()
    }

    /// Every text that differs from this one in one character.
    fn changed(text: &str) -> impl Iterator<Item = String> {
        text.char_indices().map(move |(at, c)| {
            let other = if c == 'Z' { 'Y' } else { 'Z' };
            format!("{}{other}{}", &text[..at], &text[at + c.len_utf8()..])
        })
    }

    #[test]
    fn any_changed_character_is_refused() {
        let mut refused = 0;
        for uri in URIS {
            let signed = signed(uri);
            assert!(admitted(&signed));
            let mut alter = |what: &str, change: &dyn Fn(&mut Parts)| {
                let mut parts = signed.clone();
                change(&mut parts);
                assert!(!admitted(&parts), "{uri}: {what}");
                refused += 1;
            };
            for other in changed(uri).filter(|other| other.starts_with('/')) {
                alter(&other, &|parts| parts.uri = other.parse().unwrap());
            }
            for (name, value) in &signed.headers {
                for other in changed(value.to_str().unwrap()) {
                    alter(&other, &|parts| drop(parts.headers.insert(name, other.parse().unwrap())));
                }
                alter(name.as_str(), &|parts| drop(parts.headers.remove(name)));
                if name != "authorization" {
                    alter(name.as_str(), &|parts| {
                        parts.headers.append(name, "Z".parse().unwrap());
                    });
                }
            }
            for method in [hyper::Method::POST, hyper::Method::HEAD, hyper::Method::DELETE] {
                alter(method.as_str(), &|parts| parts.method = method.clone());
            }
        }
        assert!(refused > 1_500, "{refused}");
    }

    #[test]
    fn alterations_have_their_own_errors() {
        type Change = fn(&mut Parts);
        let changes: [(Change, Unverified); 9] = [
            (|p| p.method = hyper::Method::POST, Unverified::Mismatch),
            (|p| p.uri = "/prod/servers/s-1/users/you/config".parse().unwrap(), Unverified::Mismatch),
            (|p| p.uri = format!("{}&x=1", p.uri).parse().unwrap(), Unverified::Mismatch),
            (|p| drop(p.headers.insert("passwordbase64", "eQ==".parse().unwrap())), Unverified::Mismatch),
            (|p| drop(p.headers.insert("host", "b".parse().unwrap())), Unverified::Mismatch),
            (|p| drop(p.headers.insert("x-amz-unsigned", "b".parse().unwrap())), Unverified::Mismatch),
            (|p| drop(p.headers.insert("x-amz-security-token", "b".parse().unwrap())), Unverified::Token),
            (|p| drop(p.headers.remove("x-amz-date")), Unverified::Malformed),
            (|p| drop(p.headers.remove("authorization")), Unverified::Missing),
        ];
        for (index, (change, expected)) in changes.into_iter().enumerate() {
            let mut parts = signed(URIS[0]);
            change(&mut parts);
            assert_eq!(check(&parts), Err(expected), "change {index}");
        }
        let parts = signed(URIS[0]);
        let verify = |place, keys, body: &[u8], at| verify(&parts, Payload::Bytes(body), place, keys, at);
        let (place, keys) = (("us-west-2", "execute-api"), (SECRET, "tok/en+="));
        assert_eq!(verify(place, keys, b"", now()), Ok(()));
        assert_eq!(verify(place, ("other", keys.1), b"", now()), Err(Unverified::Mismatch));
        assert_eq!(verify(place, keys, b"x", now()), Err(Unverified::Mismatch));
        assert!(matches!(verify(("us-east-1", place.1), keys, b"", now()), Err(Unverified::Scope(_))));
        assert!(matches!(verify((place.0, "s3"), keys, b"", now()), Err(Unverified::Scope(_))));
        for at in [now() + Duration::from_secs(301), now() - Duration::from_secs(301)] {
            assert!(matches!(verify(place, keys, b"", at), Err(Unverified::Expired(_))));
        }
    }
}
