//! The keys that sign the calls of local functions, and the tokens that identify the functions.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Mac as _;
use hyper::http::request::Parts;
use serde::Deserialize;

use crate::execute_api::sigv4::{hex, mac};

/// Prefix of every token; STS's own tokens do not have it.
const PREFIX: &str = "sftpctl.";

/// The key that secret keys are derived from: a new one each time the local cloud starts, in memory only.
#[derive(Clone)]
pub(crate) struct FunctionKey(String);

impl FunctionKey {
    pub(crate) fn random() -> Self {
        let mut bytes = [0_u8; 32];
        rand::fill(&mut bytes);
        Self(hex(&bytes))
    }

    /// The key as `launch.py` receives it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The secret key that belongs to a token.
    pub(super) fn secret(&self, token: &str) -> Option<String> {
        Some(hex(&mac(self.0.as_bytes(), token)?.finalize().into_bytes()))
    }
}

/// The function that a request claims to come from; not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Execution {
    pub(crate) account: String,
    /// The function's name, which is also the session's name.
    pub(crate) name: String,
    pub(crate) role_arn: String,
    pub(crate) token: String,
}

/// The content of a token. Both are ARNs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    function: String,
    role: String,
}

impl Execution {
    /// The function of a request, if it claims to come from one.
    pub(crate) fn of(parts: &Parts) -> Option<Self> {
        let header = parts.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok());
        // The token of a presigned URL is in the query. Such a request is recognised here and refused: only header
        // signatures count.
        let query = || {
            let pairs = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
            pairs
                .into_iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("X-Amz-Security-Token"))
                .map(|(_, token)| token)
        };
        Self::read(header.or_else(query)?)
    }

    fn read(token: &str) -> Option<Self> {
        let claims = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let claims: Claims = serde_json::from_slice(&claims).ok()?;
        // arn:aws:lambda:{region}:{account}:function:{name}
        let parts: Vec<&str> = claims.function.split(':').collect();
        let [_, _, "lambda", _, account, "function", name, ..] = parts.as_slice() else { return None };
        Some(Self {
            account: (*account).to_owned(),
            name: (*name).to_owned(),
            role_arn: claims.role,
            token: token.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token as `launch.py` creates it.
    pub(crate) fn token(function: &str, role: &str) -> String {
        let claims = serde_json::json!({ "function": function, "role": role }).to_string();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn token_names_the_function() {
        let role = "arn:aws:iam::111111111111:role/r";
        let text = token("arn:aws:lambda:us-west-2:111111111111:function:f", role);
        let expected =
            Execution { account: "111111111111".into(), name: "f".into(), role_arn: role.into(), token: text.clone() };
        let (parts, ()) = hyper::Request::get("/").header("x-amz-security-token", &text).body(()).unwrap().into_parts();
        assert_eq!(Execution::of(&parts), Some(expected.clone()));
        let presigned = format!("/b/k?X-Amz-Security-Token={text}&x=1");
        let (parts, ()) = hyper::Request::get(presigned).body(()).unwrap().into_parts();
        assert_eq!(Execution::of(&parts), Some(expected));
        for other in ["", "FwoGZXIvYXdz", "sftpctl.", "sftpctl.e30", &token("f", role)] {
            assert_eq!(Execution::read(other), None, "{other}");
        }
    }

    #[test]
    fn secret_depends_on_token_and_key() {
        let (one, two) = (FunctionKey::random(), FunctionKey::random());
        assert_eq!(one.secret("a"), one.secret("a"));
        assert_ne!(one.secret("a"), one.secret("b"));
        assert_ne!(one.secret("a"), two.secret("a"));
    }
}
