//! Which link of the log-in chain is broken, from what the chain answered and from what stands in AWS.
//!
//! | the chain answers | looked at |
//! |---|---|
//! | no answer: the role cannot be assumed | the invocation role |
//! | 403 with `execute-api:Invoke` | the invocation role's policy |
//! | 403 of the gateway itself | stage and deployment of the API |
//! | 401, 403, 404 of the authorizer | its server id; the account, decided on once more with the authorizer's own code |
//! | 500 | trigger, function, table replica |
//! | 200 with a role | the role, the home's bucket |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::login::{self, Attempt};
use crate::authorizer::home::Home;
use crate::authorizer::{Question, Refusal, judge};
use crate::aws::{Aws, AwsError, IdentityAnswer, Policy, ServerFacts};
use crate::names;
use crate::spec::model::Environment;

/// What is looked at.
pub(super) struct Scene<'a> {
    pub(super) aws: &'a Arc<Aws>,
    pub(super) environment: &'a Environment,
    pub(super) region: &'a str,
    pub(super) server: &'a ServerFacts,
    pub(super) attempt: Attempt<'a>,
}

type Finding = (String, Option<String>);

/// Why somebody is refused: one sentence, and what to do.
pub(super) async fn refusal(scene: &Scene<'_>, answer: &IdentityAnswer) -> Finding {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default();
    // Only the authorizer's own answers carry its status.
    let ours = body["status"].as_u64().is_some();
    let found = match answer.status {
        401 if ours => before_look_up(scene, answer).await,
        403 | 404 if ours => by_authorizer(scene, answer.status).await,
        403 if message.contains("execute-api:Invoke") => Ok((
            "API Gateway refuses the Transfer server: the invocation role may not invoke the API".to_owned(),
            repair(scene),
        )),
        403 if message.contains("Missing Authentication Token") => Ok((
            "API Gateway knows no such method: the API is not deployed to its stage as the template has it".to_owned(),
            repair(scene),
        )),
        403 => Ok((format!("API Gateway refuses: {message} (the stage may be missing)"), repair(scene))),
        429 => Ok((
            "throttled: more log-ins at once than the stage or the function takes".to_owned(),
            Some(
                "try again; where it stays, raise the account's concurrency or `authorizer.reserved_concurrency`"
                    .into(),
            ),
        )),
        200 if answer.response.trim().is_empty() || body.get("Role").is_none() => Ok((
            "the identity provider answers without a Role, which Transfer takes as a refusal".to_owned(),
            Some("look at the authorizer's log".into()),
        )),
        _ if answer.message.contains("assume role") => {
            Ok((format!("Transfer cannot assume the invocation role: {}", answer.message), repair(scene)))
        }
        _ => inside(scene, answer).await,
    };
    found.unwrap_or_else(|error| {
        (format!("refused with status {}, and the cause could not be looked up: {error}", answer.status), error.hint())
    })
}

fn repair(scene: &Scene<'_>) -> Option<String> {
    Some(format!("run: sftpctl deploy --env {}", scene.environment.name))
}

/// What the authorizer refuses without a look at the table: another server, a name on its list, a question that is none.
async fn before_look_up(scene: &Scene<'_>, answer: &IdentityAnswer) -> Result<Finding, AwsError> {
    let function = names::function(scene.environment, scene.region);
    let variables = scene.aws.lambda(scene.region).function(&function).await?.unwrap_or_default().environment;
    let set = variables.get("SERVER_ID").map(String::as_str).unwrap_or_default();
    if set != scene.server.id {
        let what = format!("the authorizer admits the server {set} alone, but this one is {}", scene.server.id);
        return Ok((what, repair(scene)));
    }
    let name = scene.attempt.username;
    let list = variables.get("BLOCK_LIST").map(String::as_str).unwrap_or_default();
    if list.split(',').any(|blocked| blocked.trim().eq_ignore_ascii_case(name)) {
        let what = format!("`{name}` is on the block list: refused before any look-up");
        return Ok((what, Some("choose another user name".into())));
    }
    // Its own server and no blocked name: what it was asked is not what the template's mapping makes.
    let api = answer.url.trim_start_matches("https://").split('.').next().unwrap_or_default();
    let what = "the API's stage does not ask the authorizer as the template has it: the API was changed by hand, or \
                changed and not deployed to its stage again";
    let hint = format!("aws apigateway create-deployment --rest-api-id {api} --stage-name {}", names::STAGE);
    Ok((what.to_owned(), Some(hint)))
}

/// The authorizer's own decision, made again where it can be seen.
async fn by_authorizer(scene: &Scene<'_>, status: u16) -> Result<Finding, AwsError> {
    let (environment, attempt) = (scene.environment, &scene.attempt);
    let accounts = login::accounts(scene.aws, environment);
    let items = accounts.items(scene.region, attempt.username).await?;
    let question = Question {
        username: attempt.username.to_owned(),
        password: attempt.password.to_owned(),
        protocol: "SFTP".to_owned(),
        server_id: scene.server.id.clone(),
        source_ip: attempt.source_ip.to_owned(),
    };
    // A verification of a password takes a moment of a processor, not of this task's thread.
    let judged = tokio::task::spawn_blocking(move || judge(&question, &items)).await;
    let refusal = match judged {
        Ok(Err(refusal)) => refusal,
        _ => {
            let what =
                format!("the authorizer answered {status}, but by now would admit: the account has just changed");
            return Ok((what, Some("try again in a moment".into())));
        }
    };
    if refusal == Refusal::UnknownUser && scene.region != environment.home_region {
        let home = accounts.items(&environment.home_region, attempt.username).await?;
        if !home.is_empty() {
            let what = format!("the account exists in {}, but not here: replication is late", environment.home_region);
            return Ok((what, Some("it takes a second as a rule; look at the replica with: sftpctl status".into())));
        }
    }
    let show = Some(format!("sftpctl users show --env {} --username {}", environment.name, attempt.username));
    Ok(match refusal {
        Refusal::UnknownUser => ("there is no account of this name".to_owned(), None),
        Refusal::WrongPassword => ("the password is wrong".to_owned(), None),
        Refusal::Disabled => ("the account is disabled".to_owned(), show),
        Refusal::Source => (format!("the account does not admit the address {}", attempt.source_ip), show),
        Refusal::DuplicateUser => ("two accounts have this name; the authorizer admits neither".to_owned(), show),
        Refusal::MalformedItem => ("the account's item in the table is malformed".to_owned(), show),
        Refusal::UnknownScheme => ("the stored password is of no known form".to_owned(), show),
        Refusal::NoSuchMethod => ("the account has no password, or none was given and it has no keys".to_owned(), show),
        other => (format!("refused: {}", other.reason()), None),
    })
}

/// A failure behind the API: who may invoke the function, whether it is there, whether it has a table.
async fn inside(scene: &Scene<'_>, answer: &IdentityAnswer) -> Result<Finding, AwsError> {
    let (environment, region) = (scene.environment, scene.region);
    let name = names::function(environment, region);
    let lambda = scene.aws.lambda(region);
    if lambda.function(&name).await?.is_none() {
        return Ok((format!("the function {name} does not exist"), repair(scene)));
    }
    let policy = lambda.policy(&name).await?.unwrap_or_default();
    if !policy.contains("apigateway.amazonaws.com") {
        return Ok((format!("the trigger is missing: {name} does not let API Gateway invoke it"), repair(scene)));
    }
    if scene.aws.dynamodb(region).table(&environment.table.name).await?.is_none() {
        return Ok((format!("the table {} has no replica in {region}", environment.table.name), repair(scene)));
    }
    let log = names::function_log_group(environment, region);
    let what = format!("the identity provider failed with status {}: {}", answer.status, answer.message);
    Ok((
        what,
        Some(format!(
            "look at the log group {log}, and for changes by hand with: sftpctl plan --env {}",
            environment.name
        )),
    ))
}

/// What Transfer does after an identity provider that admits, and `TestIdentityProvider` does not: assume the role, use
/// the bucket.
pub(super) async fn beyond(scene: &Scene<'_>, answer: &IdentityAnswer) -> Result<Option<(String, String)>, AwsError> {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    let role = body["Role"].as_str().unwrap_or_default();
    let deploy = format!("run: sftpctl deploy --env {}", scene.environment.name);
    let name = role.rsplit('/').next().unwrap_or(role);
    let Some(facts) = scene.aws.iam().role(name).await? else {
        return Ok(Some((format!("the authorizer hands out the role {role}, which does not exist"), deploy)));
    };
    if facts.arn != role || !facts.trust.contains("transfer.amazonaws.com") {
        return Ok(Some((format!("the role {role} does not let Transfer Family assume it"), deploy)));
    }
    let Some(home) = home(&body) else {
        return Ok(Some(("the answer has no home folder".to_owned(), deploy)));
    };
    let region = scene
        .environment
        .clusters
        .iter()
        .find(|(cluster, _)| names::upload_bucket(scene.environment, cluster) == home.bucket)
        .map(|(_, cluster)| cluster.region.clone());
    let Some(region) = region else {
        let what =
            format!("the home is in the bucket {}, which belongs to no cluster of this environment", home.bucket);
        return Ok(Some((what, "correct the account's home, or add the cluster to the environment file".to_owned())));
    };
    let bucket = scene.aws.s3(&region).policy(&home.bucket, &scene.environment.account).await?;
    if matches!(bucket, Policy::NoBucket | Policy::NotOurs) {
        return Ok(Some((format!("the bucket {} does not exist", home.bucket), deploy)));
    }
    let documents = scene.aws.iam().role_policies(&scene.environment.names.user_role).await?.unwrap_or_default();
    let has = |document: &String| document.contains(&format!("arn:aws:s3:::{}\"", home.bucket));
    if !documents.iter().any(has) {
        let what = format!("the user role's policy does not have the bucket {}", home.bucket);
        return Ok(Some((what, deploy)));
    }
    Ok(None)
}

fn home(body: &Value) -> Option<Home> {
    if let Some(path) = body["HomeDirectory"].as_str() {
        return Home::parse(path);
    }
    let details: Vec<BTreeMap<String, String>> = serde_json::from_str(body["HomeDirectoryDetails"].as_str()?).ok()?;
    Home::parse(details.first()?.get("Target")?)
}
