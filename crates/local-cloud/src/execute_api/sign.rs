//! Signs the request of a Transfer server, with AWS's own signer.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign as calculate};
use aws_sigv4::sign::v4::SigningParams;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::request::Parts;

/// The credentials and the scope of a signature.
pub(crate) struct SignedBy<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) token: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

/// Signs a request by adding the signature's headers.
///
/// # Errors
/// The signer's error message.
pub(crate) fn sign(parts: &mut Parts, body: &[u8], by: &SignedBy<'_>, now: SystemTime) -> Result<(), String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let identity = Credentials::new(by.access_key, by.secret, Some(by.token.to_owned()), None, "a role session").into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(by.region)
        .name(by.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| words(&error))?
        .into();
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let uri = format!("https://{host}{}", parts.uri);
    let headers: Vec<(String, String)> = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = SignableRequest::new(parts.method.as_str(), uri, headers, SignableBody::Bytes(body))
        .map_err(|error| words(&error))?;
    let (instructions, _signature) = calculate(request, &params).map_err(|error| words(&error))?.into_parts();
    for (name, value) in instructions.headers() {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| words(&error))?;
        parts.headers.insert(name, HeaderValue::from_str(value).map_err(|error| words(&error))?);
    }
    Ok(())
}
