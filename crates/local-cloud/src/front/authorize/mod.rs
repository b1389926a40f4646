//! Authorizes calls that are signed with the keys of an assumed role, as AWS does: against the role's policies, its
//! permissions boundary and its session policy. `docs/local-cloud.md` lists what is not modelled.
//!
//! * [`table`] has the action and the type of resource of each operation; one file per service has the rest.
//! * [`decide`] evaluates policies; Lambda functions are held to it, too.
//! * [`assume`] is AssumeRole.
//!
//! The account's own keys, whose access key is the account ID, may do everything.

mod apigateway;
mod assume;
mod cloudformation;
mod cloudwatch;
mod decide;
pub(crate) mod dynamodb;
mod ec2;
mod iam;
mod lambda;
mod logs;
mod need;
mod others;
mod route53;
mod s3;
mod table;
mod tags;
mod transfer;
pub(super) mod xml;

use axum::body::{Body, to_bytes};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

pub(crate) use decide::{Judge, NotJudged};
pub(crate) use need::Need;
pub(in crate::front) use need::tag_form;

use self::need::{Asked, Known};
use super::call::{Call, Protocol};
use super::operation::Form;
use super::upstream::{MAX_REQUEST, plain};
use super::{Front, caller, refusal};
use crate::execute_api::{Found, Session};

/// A call that may be passed on.
pub(super) struct Allowed {
    pub(super) body: Body,
    /// The message that stands for "not found", because the caller may not know whether the object exists.
    hides_missing: Option<String>,
    /// The session is one that only the front knows.
    is_granted: bool,
}

impl Allowed {
    fn entirely(body: Body) -> Self {
        Self { body, hides_missing: None, is_granted: false }
    }

    /// The answer as the caller may see it.
    pub(super) fn shown(hides_missing: Option<String>, call: &Call, response: Response<Body>) -> Response<Body> {
        match hides_missing {
            Some(message) if response.status() == StatusCode::NOT_FOUND => {
                refusal::error(call, 403, "AccessDenied", &message)
            }
            _ => response,
        }
    }

    pub(super) fn split(self) -> (Body, Option<String>, bool) {
        (self.body, self.hides_missing, self.is_granted)
    }
}

/// Checks a call, unless the account's own keys have signed it. The error is the refusal.
pub(super) async fn check(front: &Front, call: &Call, parts: &Parts, body: Body) -> Result<Allowed, Response<Body>> {
    // The execute path authorizes its calls itself.
    let scope = match caller::scope(&parts.headers, parts.uri.query()) {
        Ok(scope) if call.service != "execute-api" => scope,
        _ => return Ok(Allowed::entirely(body)),
    };
    let session = session(front, parts, &scope.access_key).map_err(|keys| keys.refusal(call))?;
    let assumes = call.service == "sts" && call.operation == "AssumeRole";
    if session.is_none() && !assumes {
        return Ok(Allowed::entirely(body));
    }
    let (bytes, body) = if call.service == "s3" && !s3::reads_body(&call.operation) {
        (axum::body::Bytes::new(), body)
    } else {
        let bytes = to_bytes(body, MAX_REQUEST).await;
        let bytes = bytes.map_err(|_| plain(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large"))?;
        (bytes.clone(), Body::from(bytes))
    };
    let form = if call.protocol == Protocol::Xml { Form::parse(&bytes) } else { Form::default() };
    if assumes {
        let checked = assume::check(front, &call.account, session.as_ref(), &form).await;
        return match checked {
            Ok(()) => Ok(Allowed::entirely(body)),
            Err((status, code, message)) => Err(refusal::error(call, status, code, &message)),
        };
    }
    let Some(session) = session else { return Ok(Allowed::entirely(body)) };
    // It needs no permission, and cannot be denied.
    if call.service == "sts" && call.operation == "GetCallerIdentity" {
        return Ok(Allowed { is_granted: session.granted.is_some(), ..Allowed::entirely(body) });
    }
    // What is not read here could be read by MiniStack.
    let json = match call.protocol {
        Protocol::Json | Protocol::RestJson if !bytes.is_empty() => {
            let json = serde_json::from_slice(&bytes);
            json.map_err(|error| denied(call, &format!("the local cloud cannot read the body: {error}")))?
        }
        // Times, which JSON does not have, are only in calls whose permissions depend on no member.
        Protocol::Cbor => minicbor_serde::from_slice(&bytes).unwrap_or_default(),
        _ => Value::Null,
    };
    let known = known(front, call, &form, &json).await;
    let asked = Asked {
        operation: &call.operation,
        region: &call.region,
        account: &call.account,
        parts,
        body: &bytes,
        form: &form,
        json: &json,
        known: &known,
    };
    let hides_missing = authorized(front, call, &session, &asked).await?;
    Ok(Allowed { body, hides_missing, is_granted: session.granted.is_some() })
}

/// Why keys are not accepted.
#[derive(Clone, Copy)]
pub(in crate::front) enum Keys {
    Expired,
    Invalid,
}

/// The session that has signed a call; `None` for the account's own keys and those of users.
fn session(front: &Front, parts: &Parts, access_key: &str) -> Result<Option<Session>, Keys> {
    // Only STS's keys begin so (IAM user guide, "Unique identifiers").
    if !access_key.starts_with("ASIA") {
        return Ok(None);
    }
    let token = parts.headers.get("x-amz-security-token").and_then(|token| token.to_str().ok()).map(str::to_owned);
    match front.cloud.sessions.find(access_key) {
        Found::Valid(session) if token.as_deref() == Some(session.token.as_str()) => Ok(Some(session)),
        Found::Expired => Err(Keys::Expired),
        Found::Valid(_) | Found::Unknown => Err(Keys::Invalid),
    }
}

impl Keys {
    pub(in crate::front) fn refusal(self, call: &Call) -> Response<Body> {
        let (status, code) = match (self, call.protocol) {
            (Self::Expired, Protocol::S3) => (400, "ExpiredToken"),
            (Self::Expired, Protocol::Xml) => (403, "ExpiredToken"),
            (Self::Expired, Protocol::Json | Protocol::Cbor) => (400, "ExpiredTokenException"),
            (Self::Expired, Protocol::RestJson) => (403, "ExpiredTokenException"),
            (Self::Invalid, Protocol::S3) => (403, "InvalidAccessKeyId"),
            (Self::Invalid, Protocol::Xml) => (403, "InvalidClientTokenId"),
            (Self::Invalid, Protocol::Json | Protocol::Cbor) => (400, "UnrecognizedClientException"),
            (Self::Invalid, Protocol::RestJson) => (403, "UnrecognizedClientException"),
        };
        let message = match self {
            Self::Expired => "The security token included in the request is expired",
            Self::Invalid => "The security token included in the request is invalid.",
        };
        refusal::error(call, status, code, message)
    }
}

/// The service's form of a refusal.
fn denied(call: &Call, message: &str) -> Response<Body> {
    tracing::info!(call = call.name(), message, "refused");
    let (status, code) = match call.protocol {
        Protocol::S3 | Protocol::Xml => (403, "AccessDenied"),
        // CloudWatch keeps the codes of its query protocol.
        Protocol::Cbor => (403, "AccessDenied"),
        Protocol::Json => (400, "AccessDeniedException"),
        Protocol::RestJson => (403, "AccessDeniedException"),
    };
    refusal::error(call, status, code, message)
}

/// Checks every need of a call. Returns the message that stands for "not found".
async fn authorized(
    front: &Front,
    call: &Call,
    session: &Session,
    asked: &Asked<'_>,
) -> Result<Option<String>, Response<Body>> {
    let judge = Judge::of_session(&front.cloud, session, &call.region).await;
    let judge = judge.map_err(|error| match error {
        NotJudged::NoRole => Keys::Invalid.refusal(call),
        NotJudged::Broken(text) => denied(call, &format!("the local cloud cannot read the policies: {text}")),
    })?;
    let needs = table::needs(&call.service, asked).map_err(|text| denied(call, &text))?;
    for need in needs {
        if let Err(message) = decided(front, &judge, need, &call.account).await {
            if call.operation == "DeleteObjects" {
                return Err(refusal::objects(call, asked.body, &message));
            }
            return Err(denied(call, &message));
        }
    }
    let sees = s3::sees_missing(asked).filter(|_| call.service == "s3");
    Ok(sees.and_then(|need| judge.decide(&need).err()))
}

async fn decided(front: &Front, judge: &Judge, mut need: Need, account: &str) -> Result<(), String> {
    if judge.asks_for_tags(&need) {
        for (key, value) in tags::of(front, account, &need).await? {
            for family in ["aws:ResourceTag", "iam:ResourceTag"] {
                need.context.insert(format!("{family}/{key}"), vec![value.clone()]);
            }
        }
    }
    judge.decide(&need)
}

/// Looks up what the call itself does not say.
async fn known(front: &Front, call: &Call, form: &Form, json: &Value) -> Known {
    match call.service.as_str() {
        "iam" if call.operation != "CreateRole" => {
            let Some(name) = form.get("RoleName") else { return Known::default() };
            let role = front.cloud.aws(&call.account).await.iam().role(name).await.ok().flatten();
            role.map_or_else(Known::default, |role| Known { arn: Some(role.arn), boundary: role.boundary })
        }
        "secretsmanager" => {
            let ask = json!({ "SecretId": json["SecretId"] }).to_string();
            let target = Some("secretsmanager.DescribeSecret");
            let kind = "application/x-amz-json-1.1";
            let answer = front.upstream.ask(&call.account, &call.region, "secretsmanager", target, kind, &ask).await;
            let answer: Value = answer.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
            Known { arn: answer["ARN"].as_str().map(str::to_owned), boundary: None }
        }
        _ => Known::default(),
    }
}
