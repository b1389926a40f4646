//! Which link of the log-in chain is broken, from what the chain answered and from what stands in AWS.
//!
//! | the chain answers | looked at |
//! |---|---|
//! | no answer: the role cannot be assumed | the invocation role |
//! | 403 with `execute-api:Invoke` | the invocation role's policy |
//! | 403 of the gateway itself | stage and deployment of the API |
//! | 401, 403, 404 of the authorizer | its server id; the account, decided on once more with the authorizer's own code |
//! | 500 | function and its concurrency, trigger, table replica, the function's role |
//! | 200 with a role | the role, the home's bucket |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::attempt::Attempt;
use super::grants;
use sftp_authorizer::home::Home;
use sftp_authorizer::{Question, Refusal, judge};
use sftpctl_accounts::Accounts;
use sftpctl_aws::{Aws, AwsError, FunctionFacts, IdentityAnswer, Policy, ServerFacts};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

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
            in_stack(scene),
        )),
        403 if message.contains("Missing Authentication Token") => Ok((
            "API Gateway has no such method: the API is not deployed to its stage as the template has it".to_owned(),
            in_stack(scene).map(|hint| format!("{hint}; then: {}", in_stage(scene, answer))),
        )),
        403 => Ok((format!("API Gateway refuses: {message} (the stage may be missing)"), in_stack(scene))),
        429 => Ok((
            "throttled: more log-ins at once than the API's stage takes".to_owned(),
            Some("try again; where it stays, ask AWS for a higher throttle quota of API Gateway".to_owned()),
        )),
        200 if body["Role"].as_str().is_none_or(str::is_empty) => Ok((
            "the identity provider answers without a Role, which Transfer takes as a refusal".to_owned(),
            Some("check the authorizer's log".into()),
        )),
        _ if answer.message.contains("assume role") => {
            Ok((format!("Transfer cannot assume the invocation role: {}", answer.message), in_stack(scene)))
        }
        _ => inside(scene, answer).await,
    };
    found.unwrap_or_else(|error| {
        (format!("refused with status {}, and the cause could not be looked up: {error}", answer.status), error.hint())
    })
}

/// For what `deploy` compares and puts right.
fn repair(scene: &Scene<'_>) -> Option<String> {
    Some(format!("run: sftpctl deploy --env {}", scene.environment.name))
}

/// For what is in the stack: as long as the template is the same, `deploy` has nothing to do there.
fn in_stack(scene: &Scene<'_>) -> Option<String> {
    Some(format!(
        "it was changed by hand inside the stack, where deploy does not look: `sftpctl drift --env {}` shows what; \
         `aws cloudformation create-change-set --region {} --stack-name {} --change-set-name revert \
         --use-previous-template --deployment-mode REVERT_DRIFT --capabilities CAPABILITY_IAM` and then \
         execute-change-set put it back",
        scene.environment.name,
        scene.region,
        names::stack(scene.environment, scene.region),
    ))
}

/// For a method that is in the stack's API but not in the deployment that its stage shows.
fn in_stage(scene: &Scene<'_>, answer: &IdentityAnswer) -> String {
    format!(
        "aws apigateway create-deployment --region {} --rest-api-id {} --stage-name {}",
        scene.region,
        api(answer),
        names::STAGE
    )
}

/// The API that was asked.
fn api(answer: &IdentityAnswer) -> &str {
    answer.url.trim_start_matches("https://").split('.').next().unwrap_or_default()
}

/// What the authorizer refuses without a look at the table: another server, a name on its list, a question that is
/// none.
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
    let what = "the API's stage does not ask the authorizer as the template has it: the API was changed by hand, or \
                changed and not deployed to its stage again";
    Ok((what.to_owned(), Some(in_stage(scene, answer))))
}

/// The authorizer's own decision, made again where it can be seen.
async fn by_authorizer(scene: &Scene<'_>, status: u16) -> Result<Finding, AwsError> {
    let (environment, attempt) = (scene.environment, &scene.attempt);
    let accounts = Accounts::new(Arc::clone(scene.aws), environment);
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
            return Ok((
                what,
                Some(format!(
                    "it usually takes a second; check the replica with: sftpctl status --env {}",
                    environment.name
                )),
            ));
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
        Refusal::UnknownScheme => ("the stored password has an unknown form".to_owned(), show),
        Refusal::NoSuchMethod => ("the account has no password, or none was given and it has no keys".to_owned(), show),
        other => (format!("refused: {}", other.reason()), None),
    })
}

/// A failure behind the API: who may invoke the function, whether it is there, whether it has a table.
async fn inside(scene: &Scene<'_>, answer: &IdentityAnswer) -> Result<Finding, AwsError> {
    let (environment, region) = (scene.environment, scene.region);
    let name = names::function(environment, region);
    let lambda = scene.aws.lambda(region);
    let Some(function) = lambda.function(&name).await? else {
        return Ok((format!("the function {name} does not exist"), in_stack(scene)));
    };
    if function.reserved == Some(0) {
        let what = "the function may not run: its reserved concurrency is 0".to_owned();
        let hint = if environment.authorizer.reserved_concurrency == Some(0) {
            Some("raise `authorizer.reserved_concurrency`, then deploy".to_owned())
        } else {
            in_stack(scene)
        };
        return Ok((what, hint));
    }
    let policy = lambda.policy(&name).await?.unwrap_or_default();
    let sources = sources(&policy);
    if sources.is_empty() {
        return Ok((format!("the trigger is missing: {name} does not let API Gateway invoke it"), repair(scene)));
    }
    let method = format!(
        "arn:aws:execute-api:{region}:{}:{}/{}/GET/servers/*/users/*/config",
        environment.account,
        api(answer),
        names::STAGE
    );
    if !sources.iter().any(|source| grants::fits(source, &method)) {
        let what = format!(
            "the trigger is another API's: {name} lets {} invoke it, but this API's method is {method}",
            sources.join(", ")
        );
        return Ok((what, repair(scene)));
    }
    if scene.aws.dynamodb(region).table(&environment.table.name).await?.is_none() {
        return Ok((format!("the table {} has no replica in {region}", environment.table.name), repair(scene)));
    }
    if let Some(finding) = reads_table(scene, &function).await? {
        return Ok(finding);
    }
    let log = names::function_log_group(environment, region);
    let what = format!("the identity provider failed with status {}: {}", answer.status, answer.message);
    Ok((
        what,
        Some(format!(
            "check the log group {log}, and find manual changes with: sftpctl drift --env {}",
            environment.name
        )),
    ))
}

/// Whether the function's role lets it look accounts up.
async fn reads_table(scene: &Scene<'_>, function: &FunctionFacts) -> Result<Option<Finding>, AwsError> {
    const ACTION: &str = "dynamodb:Query";
    let role = function.role.rsplit('/').next().unwrap_or_default();
    let Some(documents) = scene.aws.iam().role_policies(role).await? else {
        return Ok(Some((format!("the authorizer's role {role} does not exist"), in_stack(scene))));
    };
    let (environment, region) = (scene.environment, scene.region);
    let index = function.environment.get("INDEX_NAME").map(String::as_str).unwrap_or_default();
    let resource =
        format!("arn:aws:dynamodb:{region}:{}:table/{}/index/{index}", environment.account, environment.table.name);
    Ok((!grants::allow(&documents, ACTION, &resource)).then(|| {
        (
            format!("the authorizer may not read the table: its role {role} does not allow {ACTION} on {resource}"),
            in_stack(scene),
        )
    }))
}

/// What API Gateway may invoke the function from; `*` where nothing narrows it.
fn sources(policy: &str) -> Vec<String> {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
    let gateway = statements.iter().filter(|statement| {
        statement["Effect"] == "Allow" && statement["Principal"].to_string().contains("apigateway.amazonaws.com")
    });
    gateway
        .flat_map(|statement| {
            let conditions = statement["Condition"].as_object().into_iter().flat_map(|all| all.values());
            let keys = conditions.filter_map(Value::as_object).flatten();
            let sources = keys
                .filter(|(name, _)| name.eq_ignore_ascii_case("aws:SourceArn"))
                .flat_map(|(_, values)| values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]));
            let sources: Vec<String> = sources.filter_map(|value| value.as_str().map(str::to_owned)).collect();
            if sources.is_empty() { vec!["*".to_owned()] } else { sources }
        })
        .collect()
}

/// What Transfer does after an identity provider that admits, and `TestIdentityProvider` does not: assume the role, use
/// the bucket.
pub(super) async fn beyond(scene: &Scene<'_>, answer: &IdentityAnswer) -> Result<Option<(String, String)>, AwsError> {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    let role = body["Role"].as_str().unwrap_or_default();
    let deploy = format!("run: sftpctl deploy --env {}", scene.environment.name);
    let name = role.rsplit('/').next().unwrap_or(role);
    let Some(facts) = scene.aws.iam().role(name).await? else {
        // Which role it hands out is set in the stack; the role itself is not.
        let ours =
            role == format!("arn:aws:iam::{}:role/{}", scene.environment.account, scene.environment.names.user_role);
        let hint = if ours { deploy } else { in_stack(scene).unwrap_or(deploy) };
        return Ok(Some((format!("the authorizer hands out the role {role}, which does not exist"), hint)));
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
    if !documents.iter().any(has) && !grants::names(&bucket, role) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_a_trigger_are_read() {
        let statement = |condition: &str| {
            format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"Service":"apigateway.amazonaws.com"}},"Action":"lambda:InvokeFunction"{condition}}}]}}"#
            )
        };
        let method = "arn:aws:execute-api:us-west-2:111111111111:abc/prod/GET/servers/*/users/*/config";
        for (condition, good) in [
            (String::new(), true),
            (format!(r#","Condition":{{"ArnLike":{{"AWS:SourceArn":"{method}"}}}}"#), true),
            (r#","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:execute-api:*:111111111111:abc/*"}}"#.into(), true),
            (r#","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:execute-api:*:111111111111:abd/*"}}"#.into(), false),
        ] {
            let sources = sources(&statement(&condition));
            assert_eq!(sources.iter().any(|source| grants::fits(source, method)), good, "{condition}");
        }
        assert!(sources(r#"{"Statement":[]}"#).is_empty() && sources("").is_empty());
    }
}
