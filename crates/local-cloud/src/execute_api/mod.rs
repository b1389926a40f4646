//! API Gateway's execute path: requests to `https://{api}.execute-api.{region}.amazonaws.com/{stage}/…`.
//!
//! In AWS's order: the web ACL of the stage, signature, stage and method as deployed, IAM, request parameters, mapping template, the function's
//! resource policy, the function, the mapping of its answer. What it does not model (other authorizers than `AWS_IAM`,
//! proxy integrations, models as validators, caches) is answered with an error that says so, never silently accepted.

mod deployments;
mod route;
mod sessions;
mod sign;
pub(crate) mod sigv4;
pub(crate) mod vtl;

use std::collections::BTreeMap;
use std::time::SystemTime;

use hyper::http::request::Parts;
use serde_json::{Value, json};

pub(crate) use deployments::Deployments;
pub(crate) use sessions::{Found, NotAssumed, Session, SessionGuard, Sessions, assume_for_server, trusts};
pub(crate) use sign::{SignedBy, sign};

use self::vtl::{Inputs, Template};
use crate::place::Place;
use crate::roles::Roles;
use crate::waf::Waf;
use iam_model::{Caller, Decision, Policy, Request, evaluate};
use sftpctl_aws::{ApiIntegration, ApiIntegrationResponse, ApiMethod, Aws, Invocation};

/// The parts of the local cloud that the execute path uses.
pub(crate) struct Context<'a> {
    /// AWS as the API's account.
    pub(crate) aws: &'a Aws,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    /// Sessions whose keys may sign requests.
    pub(crate) sessions: &'a Sessions,
    pub(crate) deployments: &'a Deployments,
    pub(crate) roles: &'a Roles,
    pub(crate) waf: &'a Waf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// JSON.
    pub(crate) body: String,
    /// The reason, for the front's log only; AWS would not reveal it to a client.
    pub(crate) cause: Option<String>,
}

impl Answer {
    fn message(status: u16, message: &str, cause: impl Into<Option<String>>) -> Self {
        Self { status, body: json!({ "message": message }).to_string(), cause: cause.into() }
    }

    fn internal(cause: String) -> Self {
        Self::message(500, "Internal server error", cause)
    }
}

/// The API and region in a host name of the execute path.
pub(crate) fn host(host: &str) -> Option<(&str, &str)> {
    let host = host.split(':').next().unwrap_or(host);
    let (api, rest) = host.split_once(".execute-api.")?;
    let region = rest.strip_suffix(".amazonaws.com")?;
    (!api.is_empty() && !api.contains('.') && !region.contains('.')).then_some((api, region))
}

pub(crate) async fn answer(context: &Context<'_>, api: &str, parts: &Parts, body: &[u8]) -> Answer {
    match run(context, api, parts, body).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn run(context: &Context<'_>, api: &str, parts: &Parts, body: &[u8]) -> Result<Answer, Answer> {
    let path = parts.uri.path().trim_start_matches('/');
    let (stage, rest) = path.split_once('/').unwrap_or((path, ""));
    let gateway = context.aws.apigateway(context.region);
    let deployed = context.deployments.of_stage(&gateway, api, stage).await;
    let deployed = deployed.map_err(|error| Answer::internal(error.to_string()))?;
    let deployed = deployed.ok_or_else(|| {
        Answer::message(403, "Forbidden", format!("the API {api} or its stage {stage} does not exist"))
    })?;
    if let Some(acl) = &deployed.web_acl {
        let place = Place { account: context.account.to_owned(), region: context.region.to_owned() };
        if context.waf.blocks(&place, acl, parts).await.map_err(Answer::internal)? {
            return Err(Answer::message(403, "Forbidden", format!("the web ACL {acl} blocks the request")));
        }
    }
    let found = route::find(&deployed.methods, parts.method.as_str(), rest).ok_or_else(|| {
        let cause = format!("no method {} {} is deployed to the stage {stage}", parts.method, parts.uri.path());
        Answer::message(403, "Missing Authentication Token", cause)
    })?;
    if let Some(guard) = found.method.guards.first() {
        return Err(Answer::internal(format!("the method requires {guard}, which is not modelled")));
    }
    authorize(context, api, stage, found.method, parts, body).await?;
    let inputs = inputs(api, stage, parts, body, &found);
    parameters(found.method, &inputs)?;
    let integration = found.method.integration.as_ref();
    let integration = integration.ok_or_else(|| Answer::internal("the method has no integration".to_owned()))?;
    let payload = mapped(integration, &inputs)?;
    let arn = function_arn(&integration.uri)
        .ok_or_else(|| Answer::internal(format!("the integration {} is not modelled", integration.uri)))?;
    permitted(context, api, stage, found.method, arn).await?;
    let region = arn.split(':').nth(3).unwrap_or(context.region);
    let invocation = invoked(context, region, arn, payload.into_bytes()).await?;
    respond(integration, &inputs, invocation.failed, &String::from_utf8_lossy(&invocation.payload))
}

/// Invokes the function. MiniStack aborts an invocation when the function's configuration or code changes; AWS lets it
/// finish with the old version ("Lambda function states"). So an aborted invocation is repeated.
async fn invoked(context: &Context<'_>, region: &str, arn: &str, payload: Vec<u8>) -> Result<Invocation, Answer> {
    const ENDED: [&str; 2] = ["Runtime exited before returning a response", "bootstrap exited during init"];
    let mut attempts = 0;
    loop {
        // A throttled function is an internal error, too: 429 would mean that the stage itself throttles.
        let invocation = context.aws.lambda(region).invoke(arn, payload.clone()).await;
        let invocation = invocation.map_err(|error| Answer::internal(error.to_string()))?;
        attempts += 1;
        let answer = String::from_utf8_lossy(&invocation.payload);
        let ended = invocation.failed && ENDED.iter().any(|words| answer.contains(words));
        if !ended || attempts == 4 {
            return Ok(invocation);
        }
        tracing::debug!(arn, attempts, "aborted by an update of the function; invoking it again");
    }
}

/// Checks the signature, then whether the session's role may call `execute-api:Invoke`.
async fn authorize(
    context: &Context<'_>,
    api: &str,
    stage: &str,
    method: &ApiMethod,
    parts: &Parts,
    body: &[u8],
) -> Result<(), Answer> {
    match method.authorization.as_str() {
        "NONE" => return Ok(()),
        "AWS_IAM" => {}
        other => return Err(Answer::internal(format!("authorization by {other} is not modelled"))),
    }
    let refused = |error: sigv4::Unverified| Answer::message(403, &error.to_string(), error.to_string());
    let access_key = sigv4::access_key(parts).map_err(refused)?;
    let session = context.sessions.get(&access_key).ok_or_else(|| refused(sigv4::Unverified::Token))?;
    let place = (context.region, "execute-api");
    let keys = (session.secret.as_str(), session.token.as_str());
    sigv4::verify(parts, sigv4::Payload::Bytes(body), place, keys, SystemTime::now()).map_err(refused)?;

    let broken = |error: &dyn std::fmt::Display| Answer::internal(error.to_string());
    let role = session.role_arn.rsplit('/').next().unwrap_or_default();
    let policies = context.roles.policies(context.aws, context.account, role).await.map_err(|error| broken(&error))?;
    let policies = policies.unwrap_or_default();
    let caller = Caller::role_session(&session.role_arn, &session.name).map_err(|error| broken(&error))?;
    let path = parts.uri.path().trim_start_matches('/').split_once('/').map_or("", |(_, rest)| rest);
    let resource = format!(
        "arn:aws:execute-api:{}:{}:{api}/{stage}/{}/{path}",
        context.region, context.account, method.http_method
    );
    let request = Request {
        caller: &caller,
        action: "execute-api:Invoke",
        resource: &resource,
        resource_account: Some(context.account),
        context: BTreeMap::new(),
    };
    match evaluate(&request, &policies, None, None).map_err(|error| broken(&error))? {
        Decision::Allow { .. } => Ok(()),
        Decision::ImplicitDeny { by } | Decision::ExplicitDeny { by } => {
            let session = format!("arn:aws:sts::{}:assumed-role/{role}/{}", context.account, session.name);
            let text =
                format!("User: {session} is not authorized to perform: execute-api:Invoke on resource: {resource}");
            // With a capital M, unlike the gateway's other refusals.
            Err(Answer { status: 403, body: json!({ "Message": text }).to_string(), cause: Some(by) })
        }
    }
}

fn inputs(api: &str, stage: &str, parts: &Parts, body: &[u8], found: &route::Found<'_>) -> Inputs {
    let header = |(name, value): (&hyper::header::HeaderName, &hyper::header::HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    Inputs {
        body: String::from_utf8_lossy(body).into_owned(),
        path: found.path.clone(),
        query: route::query(parts.uri.query().unwrap_or_default()),
        headers: parts.headers.iter().map(header).collect(),
        context: json!({
            "apiId": api,
            "stage": stage,
            "httpMethod": parts.method.as_str(),
            "resourcePath": found.method.path,
            "path": parts.uri.path(),
            "requestId": format!("{:032x}", fastrand::u128(..)),
        }),
        stage_variables: BTreeMap::new(),
    }
}

/// Checks that required parameters are present. (AWS checks them only with a request validator; here a missing one is
/// always answered with 400.)
fn parameters(method: &ApiMethod, inputs: &Inputs) -> Result<(), Answer> {
    for (name, _) in method.parameters.iter().filter(|(_, required)| **required) {
        let present = match name.strip_prefix("method.request.").and_then(|name| name.split_once('.')) {
            Some(("querystring", name)) => inputs.query.contains_key(name),
            Some(("header", name)) => inputs.headers.keys().any(|have| have.eq_ignore_ascii_case(name)),
            Some(("path", name)) => inputs.path.contains_key(name),
            _ => return Err(Answer::internal(format!("the request parameter {name} is not modelled"))),
        };
        if !present {
            return Err(Answer::message(400, &format!("Missing required request parameters: [{name}]"), None));
        }
    }
    Ok(())
}

/// The payload for the function, from the mapping template.
fn mapped(integration: &ApiIntegration, inputs: &Inputs) -> Result<String, Answer> {
    if integration.kind != "AWS" {
        return Err(Answer::internal(format!("integrations of the kind {} are not modelled", integration.kind)));
    }
    let template = integration.templates.get("application/json").ok_or_else(|| {
        Answer::message(415, "Unsupported Media Type", format!("no template for JSON; {}", integration.passthrough))
    })?;
    let failed = |error: vtl::VtlError| Answer::internal(format!("the mapping template: {error}"));
    let payload = Template::parse(template).map_err(failed)?.render(inputs).map_err(failed)?.text;
    // API Gateway passes on any text that the template yields; Lambda then refuses it if it is not JSON.
    serde_json::from_str::<Value>(&payload).map_err(|error| {
        Answer::internal(format!("the mapping template yields invalid JSON ({error}); the function cannot be invoked"))
    })?;
    Ok(payload)
}

/// Takes the function's ARN from
/// `arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{function ARN}/invocations`.
fn function_arn(uri: &str) -> Option<&str> {
    uri.split_once(":lambda:path/2015-03-31/functions/")?.1.strip_suffix("/invocations")
}

/// Checks the trigger: the function's resource policy must allow this API's method.
async fn permitted(
    context: &Context<'_>,
    api: &str,
    stage: &str,
    method: &ApiMethod,
    function: &str,
) -> Result<(), Answer> {
    let denied =
        |reason: String| Answer::internal(format!("the function {function} does not admit this API: {reason}"));
    let region = function.split(':').nth(3).unwrap_or(context.region);
    let policy =
        context.aws.lambda(region).policy(function).await.map_err(|error| Answer::internal(error.to_string()))?;
    let policy = policy.ok_or_else(|| denied("it has no resource policy (the trigger is missing)".to_owned()))?;
    let policy = Policy::parse(&policy).map_err(|error| denied(error.to_string()))?.named("the function's policy");
    let caller = Caller::service("apigateway.amazonaws.com").map_err(|error| denied(error.to_string()))?;
    let path = method.path.replace(['{', '}'], "");
    let source = format!(
        "arn:aws:execute-api:{}:{}:{api}/{stage}/{}{path}",
        context.region, context.account, method.http_method
    );
    let request = Request {
        caller: &caller,
        action: "lambda:InvokeFunction",
        resource: function,
        resource_account: Some(context.account),
        context: BTreeMap::from([
            ("aws:SourceArn".to_owned(), vec![source]),
            ("aws:SourceAccount".to_owned(), vec![context.account.to_owned()]),
        ]),
    };
    match evaluate(&request, &[], None, Some(&policy)).map_err(|error| denied(error.to_string()))? {
        Decision::Allow { .. } => Ok(()),
        Decision::ImplicitDeny { by } | Decision::ExplicitDeny { by } => Err(denied(by)),
    }
}

/// The integration response for the function's answer: the one whose pattern matches the error, or the default one.
fn respond(integration: &ApiIntegration, inputs: &Inputs, failed: bool, payload: &str) -> Result<Answer, Answer> {
    let error = failed.then(|| {
        let error: Value = serde_json::from_str(payload).unwrap_or_default();
        error["errorMessage"].as_str().unwrap_or_default().to_owned()
    });
    let fits = |response: &&ApiIntegrationResponse| match (&response.pattern, &error) {
        (Some(pattern), Some(error)) => {
            regex_lite::Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|pattern| pattern.is_match(error))
        }
        _ => false,
    };
    let by_pattern = integration.responses.iter().find(fits);
    let response = by_pattern.or_else(|| integration.responses.iter().find(|response| response.pattern.is_none()));
    let response = response.ok_or_else(|| Answer::internal("no integration response fits".to_owned()))?;
    let cause = error.map(|error| format!("the function failed: {error}"));
    let status: u16 = response.status.parse().unwrap_or(500);
    let Some(template) = response.templates.get("application/json") else {
        return Ok(Answer { status, body: payload.to_owned(), cause });
    };
    let broken = |error: vtl::VtlError| Answer::internal(format!("the template of the answer: {error}"));
    let inputs = Inputs { body: payload.to_owned(), ..inputs.clone() };
    let rendered = Template::parse(template).map_err(broken)?.render(&inputs).map_err(broken)?;
    Ok(Answer { status: rendered.status.unwrap_or(status), body: rendered.text, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_accepts_only_execute_api_names() {
        assert_eq!(host("abc123.execute-api.us-west-2.amazonaws.com"), Some(("abc123", "us-west-2")));
        assert_eq!(host("abc123.execute-api.us-west-2.amazonaws.com:4570"), Some(("abc123", "us-west-2")));
        for other in [
            "127.0.0.1:4570",
            "s3.us-west-2.amazonaws.com",
            "a.b.execute-api.x.amazonaws.com",
            ".execute-api.x.amazonaws.com",
        ] {
            assert_eq!(host(other), None, "{other}");
        }
    }

    #[test]
    fn missing_required_parameter_is_400() {
        let method = |names: &[(&str, bool)]| ApiMethod {
            path: "/servers/{serverId}".into(),
            http_method: "GET".into(),
            authorization: "AWS_IAM".into(),
            parameters: names.iter().map(|(name, required)| (format!("method.request.{name}"), *required)).collect(),
            integration: None,
            guards: Vec::new(),
        };
        let inputs = Inputs {
            path: BTreeMap::from([("serverId".into(), "s-1".into())]),
            query: BTreeMap::from([("protocol".into(), "SFTP".into())]),
            headers: BTreeMap::from([("passwordbase64".into(), "c2VjcmV0".into())]),
            ..Inputs::default()
        };
        let status = |names: &[(&str, bool)]| parameters(&method(names), &inputs).map_err(|answer| answer.status);
        let all = [("path.serverId", true), ("querystring.protocol", true), ("header.PasswordBase64", true)];
        assert_eq!(status(&all), Ok(()));
        for missing in ["path.username", "querystring.sourceIp", "querystring.Protocol", "header.Password"] {
            assert_eq!(status(&[(missing, true)]), Err(400), "{missing}");
            assert_eq!(status(&[(missing, false)]), Ok(()), "{missing}");
        }
        // An unsupported parameter source is not the client's fault.
        assert_eq!(status(&[("multivaluequerystring.x", true)]), Err(500));
    }

    #[test]
    fn response_is_chosen_by_the_functions_error() {
        let response = |status: &str, pattern: Option<&str>, template: Option<&str>| ApiIntegrationResponse {
            status: status.to_owned(),
            pattern: pattern.map(str::to_owned),
            templates: template.map(|text| ("application/json".to_owned(), text.to_owned())).into_iter().collect(),
        };
        let integration = ApiIntegration {
            kind: "AWS".into(),
            uri: String::new(),
            passthrough: String::new(),
            templates: BTreeMap::new(),
            responses: vec![
                response(
                    "200",
                    None,
                    Some(
                        "#set($a = $input.path('$'))#if($a.status)\
                         #set($context.responseOverride.status = $a.status)#end$input.json('$')",
                    ),
                ),
                response("500", Some("(\\n|.)+"), Some("{}")),
            ],
        };
        let inputs = Inputs::default();
        let status = |failed, payload: &str| respond(&integration, &inputs, failed, payload).unwrap().status;
        assert_eq!(status(false, r#"{"Role":"r"}"#), 200);
        assert_eq!(status(false, r#"{"status":403,"message":"Forbidden"}"#), 403);
        assert_eq!(status(true, r#"{"errorMessage":"table\nunreachable"}"#), 500);
        assert_eq!(status(true, r#"{"errorMessage":""}"#), 200);
    }
}
