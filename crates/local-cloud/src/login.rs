//! Log-ins to a Transfer server: asks the identity provider, and reads a role, a session policy and a home from its
//! answer.
//!
//! Follows the user guide's "Using Amazon API Gateway to integrate your identity provider".

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::cloud::Cloud;
use super::execute_api::{self, NotAssumed, Session, SignedBy};
use super::transfer::Server;
use crate::place::{Place, arn};

/// RFC 3986's unreserved characters stay; an `@` becomes `%40`.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Maximum length in characters of a session policy, with its variables filled in (IAM and STS quotas).
const MAX_POLICY: usize = 2048;

pub(crate) struct LoginAttempt<'a> {
    pub(crate) username: &'a str,
    /// The password; empty if a key is offered.
    pub(crate) password: &'a str,
    /// For example `SFTP`.
    pub(crate) protocol: &'a str,
    pub(crate) source_ip: &'a str,
}

/// The identity provider's answer, as `TestIdentityProvider` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) status: u16,
    /// The body of an answer with status 200; empty with any other ("Troubleshoot custom identity provider issues").
    pub(crate) response: String,
    /// The error; empty with status 200.
    pub(crate) message: String,
    pub(crate) url: String,
    /// The reason of a failure, for the front's log.
    pub(crate) cause: Option<String>,
}

/// Why a customer is not admitted. Transfer's log has another activity type for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// The identity provider refuses the customer: it answered 200 without a `Role`.
    Authentication(String),
    /// An error of the identity provider, or of what its answer grants: every status but 200 ("Implementing your API
    /// Gateway method"), an answer that cannot be used, a role that cannot be assumed.
    Provider(String),
}

impl NotAdmitted {
    /// The activity type in Transfer's structured log.
    pub(crate) fn activity(&self) -> &'static str {
        match self {
            Self::Authentication(_) => "AUTH_FAILURE",
            Self::Provider(_) => "ERROR",
        }
    }
}

impl std::fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Authentication(reason) | Self::Provider(reason)) = self;
        f.write_str(reason)
    }
}

/// The rights and the home of an admitted customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admission {
    /// ARN of the role to assume.
    pub(crate) role: String,
    /// The session policy, with its variables filled in.
    pub(crate) policy: Option<String>,
    pub(crate) home: View,
    /// The customer's public keys, each a line in OpenSSH's format.
    pub(crate) public_keys: Vec<String>,
}

/// The folders that the customer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum View {
    /// All buckets by name, beginning in this folder.
    Path(String),
    /// These entries, each standing for a target `/bucket/prefix`.
    Logical(Vec<(String, String)>),
}

/// Asks the server's identity provider, and logs every answer that is an error of it.
pub(crate) async fn ask(
    cloud: &Cloud,
    place: &Place,
    id: &str,
    server: &Server,
    attempt: &LoginAttempt<'_>,
) -> Identity {
    let identity = call(cloud, place, id, server, attempt).await;
    if identity.status != 200 || identity.cause.is_some() {
        let Identity { status, message, cause, .. } = &identity;
        let cause = cause.as_ref().unwrap_or(message);
        tracing::warn!(activity = "ERROR", server = id, status, cause, "the identity provider did not decide");
    }
    identity
}

async fn call(cloud: &Cloud, place: &Place, id: &str, server: &Server, attempt: &LoginAttempt<'_>) -> Identity {
    let details = server.settings.get("IdentityProviderDetails");
    let detail = |name: &str| details.and_then(|details| details[name].as_str()).unwrap_or_default().to_owned();
    let base = detail("Url");
    let encode = |text: &str| utf8_percent_encode(text, SEGMENT).to_string();
    let url = format!(
        "{}/servers/{}/users/{}/config?protocol={}&sourceIp={}",
        base.trim_end_matches('/'),
        encode(id),
        encode(attempt.username),
        encode(attempt.protocol),
        encode(attempt.source_ip),
    );
    let failed = |status: u16, message: String| Identity {
        status,
        response: String::new(),
        cause: Some(message.clone()),
        message,
        url: url.clone(),
    };
    if server.text("IdentityProviderType") != "API_GATEWAY" {
        return failed(
            500,
            format!(
                "the local cloud supports identity providers of the type API_GATEWAY only, not {}",
                server.text("IdentityProviderType")
            ),
        );
    }
    let Some((host, target)) = url.strip_prefix("https://").and_then(|rest| rest.split_once('/')) else {
        return failed(500, format!("{base} is not an https:// URL"));
    };
    let Some((api, region)) = execute_api::host(host) else {
        return failed(500, format!("Unable to call identity provider: {host} is not reachable from the local cloud"));
    };
    let aws = cloud.aws(&place.account).await;
    let server_arn = arn(place, id);
    let role = detail("InvocationRole");
    let session_name = "transfer-identity-provider";
    let keys = match execute_api::assume_for_server(&aws, &place.account, &server_arn, &role, session_name).await {
        Ok(keys) => keys,
        Err(error) => return failed(500, format!("Unable to call identity provider: Unable to assume role: {error}")),
    };
    let session = Session {
        role_arn: role.clone(),
        name: session_name.to_owned(),
        secret: keys.secret_key.clone(),
        token: keys.token.clone(),
        policy: None,
        granted: None,
    };
    let _guard = cloud.sessions.hold(&keys.access_key, session);
    let mut request = Request::get(format!("/{target}")).header("host", host);
    if !attempt.password.is_empty() {
        request = request.header("passwordbase64", BASE64.encode(attempt.password));
    }
    if cloud.waf.is_told_the_address() {
        request = request.header("sourceip", attempt.source_ip);
    }
    let Ok(request) = request.body(()) else {
        return failed(500, "the request to the identity provider cannot be built".to_owned());
    };
    let (mut parts, ()) = request.into_parts();
    let by = SignedBy {
        access_key: &keys.access_key,
        secret: &keys.secret_key,
        token: &keys.token,
        region,
        service: "execute-api",
    };
    if let Err(error) = execute_api::sign(&mut parts, b"", &by, SystemTime::now()) {
        return failed(500, format!("the request to the identity provider cannot be signed: {error}"));
    }
    let context = execute_api::Context {
        aws: &aws,
        account: &place.account,
        region,
        sessions: &cloud.sessions,
        deployments: &cloud.deployments,
        roles: &cloud.roles,
        waf: &cloud.waf,
    };
    let answer = execute_api::answer(&context, api, &parts, b"").await;
    let (response, message) = match answer.status {
        200 => (answer.body, String::new()),
        // Nothing of the body: AWS does not document that it shows any.
        status => {
            (String::new(), format!("Unable to call identity provider: Unable to call API: status code {status}"))
        }
    };
    Identity { status: answer.status, response, message, url, cause: answer.cause }
}

/// Reads the admission from the answer, or the reason for a refusal.
pub(crate) fn admission(username: &str, identity: &Identity) -> Result<Admission, NotAdmitted> {
    if identity.status != 200 {
        let reason = identity.cause.clone();
        return Err(NotAdmitted::Provider(
            reason.unwrap_or_else(|| format!("the identity provider answered {}", identity.status)),
        ));
    }
    let unusable = |_| NotAdmitted::Provider("the answer is not JSON".to_owned());
    let answer: Value = serde_json::from_str(&identity.response).map_err(unusable)?;
    match answer["Role"].as_str() {
        None | Some("") => Err(NotAdmitted::Authentication("the answer has no Role".to_owned())),
        Some(role) => granted(username, role, &answer).map_err(NotAdmitted::Provider),
    }
}

/// Reads what an answer grants, apart from its role.
fn granted(username: &str, role: &str, answer: &Value) -> Result<Admission, String> {
    let text = |name: &str| answer[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let view = match text("HomeDirectoryType").as_deref() {
        None | Some("PATH") => View::Path(text("HomeDirectory").unwrap_or_else(|| "/".to_owned())),
        Some("LOGICAL") => {
            let details = text("HomeDirectoryDetails").ok_or("a LOGICAL home has no HomeDirectoryDetails")?;
            let entries: Vec<Value> =
                serde_json::from_str(&details).map_err(|_| "HomeDirectoryDetails is not a JSON list".to_owned())?;
            let pairs = entries
                .iter()
                .map(|entry| Some((entry["Entry"].as_str()?.to_owned(), entry["Target"].as_str()?.to_owned())));
            View::Logical(pairs.collect::<Option<_>>().ok_or("an entry of HomeDirectoryDetails lacks Entry or Target")?)
        }
        Some(other) => return Err(format!("HomeDirectoryType {other} is unknown")),
    };
    let policy = text("Policy").map(|policy| filled(&policy, username, &view));
    if policy.as_ref().is_some_and(|policy| policy.chars().count() > MAX_POLICY) {
        return Err(format!("the session policy has more than {MAX_POLICY} characters"));
    }
    let public_keys = match &answer["PublicKeys"] {
        Value::Null => Vec::new(),
        Value::Array(keys) => keys.iter().filter_map(|key| key.as_str().map(str::to_owned)).collect(),
        _ => return Err("PublicKeys is not a list".to_owned()),
    };
    Ok(Admission { role: role.to_owned(), policy, home: view, public_keys })
}

/// Replaces Transfer's variables in the policy's text, as the service does before it assumes the role. With a logical
/// home only the user name is known.
fn filled(policy: &str, username: &str, view: &View) -> String {
    let mut policy = policy.replace("${transfer:UserName}", username);
    if let View::Path(home) = view {
        let trimmed = home.trim_start_matches('/');
        let (bucket, folder) = trimmed.split_once('/').unwrap_or((trimmed, ""));
        for (name, value) in [("HomeBucket", bucket), ("HomeFolder", folder), ("HomeDirectory", trimmed)] {
            policy = policy.replace(&format!("${{transfer:{name}}}"), value);
        }
    }
    policy
}

/// Whether Transfer can assume the customer's role. The source is the user, not the server ("Cross-service confused
/// deputy prevention").
pub(crate) async fn may_assume(
    cloud: &Cloud,
    place: &Place,
    id: &str,
    username: &str,
    role: &str,
) -> Result<(), NotAssumed> {
    let aws = cloud.aws(&place.account).await;
    let server = arn(place, id);
    let user = server.replacen(":server/", ":user/", 1);
    execute_api::trusts(&aws, &place.account, &format!("{user}/{username}"), role).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn identity(status: u16, response: Value) -> Identity {
        Identity { status, response: response.to_string(), message: String::new(), url: String::new(), cause: None }
    }

    #[test]
    fn only_a_role_admits() {
        for (status, response, activity) in [
            (200, json!({}), "AUTH_FAILURE"),
            (200, json!({ "Role": "" }), "AUTH_FAILURE"),
            (200, json!({ "status": 403, "message": "Forbidden" }), "AUTH_FAILURE"),
            (200, json!([]), "AUTH_FAILURE"),
            (401, json!({ "message": "Unauthorized" }), "ERROR"),
            (403, json!({ "Role": "r" }), "ERROR"),
            (404, json!({}), "ERROR"),
            (500, json!({ "message": "Internal Server Error" }), "ERROR"),
            (200, json!({ "Role": "r", "HomeDirectoryType": "LOGICAL" }), "ERROR"),
            (200, json!({ "Role": "r", "Policy": "x".repeat(2049) }), "ERROR"),
        ] {
            let refused = admission("u", &identity(status, response.clone())).unwrap_err();
            assert_eq!(refused.activity(), activity, "{status} {response}: {refused}");
        }
        let no_json = Identity { response: "Forbidden".to_owned(), ..identity(200, json!({})) };
        assert_eq!(admission("u", &no_json).unwrap_err().activity(), "ERROR");
        let admitted = admission("u", &identity(200, json!({ "Role": "r", "HomeDirectory": "/b/f" }))).unwrap();
        assert_eq!(admitted.home, View::Path("/b/f".into()));
    }

    #[test]
    fn transfer_variables_are_replaced() {
        let policy = "${transfer:HomeBucket} ${transfer:HomeFolder}/ ${transfer:HomeDirectory} \
                      ${transfer:UserName} ${aws:userid}";
        let response = json!({ "Role": "r", "HomeDirectory": "/b/f/g", "Policy": policy });
        let admitted = admission("me", &identity(200, response)).unwrap();
        assert_eq!(admitted.policy.as_deref(), Some("b f/g/ b/f/g me ${aws:userid}"));
    }
}
