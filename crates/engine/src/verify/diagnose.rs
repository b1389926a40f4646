//! Finds the broken link of the log-in chain, from the identity provider's answer and the resources in AWS.
//!
//! | answer | possible causes |
//! |---|---|
//! | none: the role cannot be assumed | the invocation role |
//! | 403 with `execute-api:Invoke` | the invocation role's policy |
//! | 403 of API Gateway itself | stage and deployment of the API |
//! | 401 of the authorizer | its server ID, its block list, the API's mapping |
//! | 403, 404 of the authorizer | the account: the authorizer's own code decides on it once more |
//! | 500 | the function, its concurrency, trigger and role; the table's replica |
//! | 200 with a role | the role, the bucket of the home folder |

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

/// The log-in that was tried.
pub(super) struct Context<'a> {
    pub(super) aws: &'a Arc<Aws>,
    pub(super) environment: &'a Environment,
    pub(super) region: &'a str,
    pub(super) server: &'a ServerFacts,
    pub(super) attempt: Attempt<'a>,
}

/// One sentence, and a hint.
type Finding = (String, Option<String>);

/// The cause of a refusal, and a hint.
pub(super) async fn refusal(context: &Context<'_>, answer: &IdentityAnswer) -> Finding {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default();
    // Only the authorizer's own answers have a `status` in their body.
    let ours = body["status"].as_u64().is_some();
    let found = match answer.status {
        401 if ours => refused_without_lookup(context, answer).await,
        403 | 404 if ours => refused_by_account(context, answer.status).await,
        403 if message.contains("execute-api:Invoke") => Ok((
            "API Gateway refuses the Transfer server: the invocation role may not invoke the API".to_owned(),
            revert_hint(context),
        )),
        403 if message.contains("Missing Authentication Token") => Ok((
            "API Gateway has no such method: the API is not deployed to its stage as in the template".to_owned(),
            revert_hint(context).map(|hint| format!("{hint}; then: {}", redeploy_hint(context, answer))),
        )),
        403 => Ok((format!("API Gateway refuses: {message} (the stage may be missing)"), revert_hint(context))),
        429 => Ok((
            "throttled: more log-ins at once than the API's stage allows".to_owned(),
            Some("try again; if this continues, ask AWS for a higher throttle quota of API Gateway".to_owned()),
        )),
        200 if body["Role"].as_str().is_none_or(str::is_empty) => Ok((
            "the identity provider answers without a Role, which Transfer treats as a refusal".to_owned(),
            Some("check the authorizer's log".into()),
        )),
        _ if answer.message.contains("assume role") => {
            Ok((format!("Transfer cannot assume the invocation role: {}", answer.message), revert_hint(context)))
        }
        _ => failure_behind_api(context, answer).await,
    };
    found.unwrap_or_else(|error| {
        (format!("refused with status {}, and the cause could not be looked up: {error}", answer.status), error.hint())
    })
}

/// The hint for a setting that `deploy` checks and repairs.
fn deploy_hint(context: &Context<'_>) -> Option<String> {
    Some(format!("run: sftpctl deploy --env {}", context.environment.name))
}

/// The hint for a resource of the stack: `deploy` does not change it unless the template changes.
fn revert_hint(context: &Context<'_>) -> Option<String> {
    let (region, stack) = (context.region, names::stack(context.environment, context.region));
    let change_set = format!("--region {region} --stack-name {stack} --change-set-name revert");
    Some(format!(
        "it was changed by hand inside the stack, which deploy does not check: `sftpctl drift --env {}` shows the \
         change; `aws cloudformation create-change-set {change_set} --use-previous-template \
         --deployment-mode REVERT_DRIFT --capabilities CAPABILITY_IAM` and then \
         `aws cloudformation execute-change-set {change_set}` revert it",
        context.environment.name,
    ))
}

/// The hint for a method that is in the stack's API but not in the deployment of its stage.
fn redeploy_hint(context: &Context<'_>, answer: &IdentityAnswer) -> String {
    format!(
        "aws apigateway create-deployment --region {} --rest-api-id {} --stage-name {}",
        context.region,
        api_id(answer),
        names::STAGE
    )
}

/// The ID of the API that Transfer called.
fn api_id(answer: &IdentityAnswer) -> &str {
    answer.url.trim_start_matches("https://").split('.').next().unwrap_or_default()
}

/// The cause of a refusal without a look-up in the account table: another server, a blocked name, or an incomplete
/// question.
async fn refused_without_lookup(context: &Context<'_>, answer: &IdentityAnswer) -> Result<Finding, AwsError> {
    let function = names::function(context.environment, context.region);
    let variables = context.aws.lambda(context.region).function(&function).await?.unwrap_or_default().environment;
    let configured = variables.get("SERVER_ID").map(String::as_str).unwrap_or_default();
    if configured != context.server.id {
        let finding = format!(
            "the authorizer only admits users of server {configured}, but this server is {}",
            context.server.id
        );
        return Ok((finding, deploy_hint(context)));
    }
    let name = context.attempt.username;
    let list = variables.get("BLOCK_LIST").map(String::as_str).unwrap_or_default();
    if list.split(',').any(|blocked| blocked.trim().eq_ignore_ascii_case(name)) {
        let finding = format!("`{name}` is on the block list: refused before any look-up");
        return Ok((finding, Some("choose another user name".into())));
    }
    // It is the authorizer's own server, and the name is not blocked: the request that API Gateway sent does not match
    // the template's mapping.
    let finding = "the API's stage does not call the authorizer as the template specifies: the API was changed by \
                   hand, or changed and not deployed to its stage again";
    Ok((finding.to_owned(), Some(redeploy_hint(context, answer))))
}

/// The cause of a refusal of the account: the authorizer's own code decides on it once more, and gives the reason.
async fn refused_by_account(context: &Context<'_>, status: u16) -> Result<Finding, AwsError> {
    let (environment, attempt) = (context.environment, &context.attempt);
    let accounts = Accounts::new(Arc::clone(context.aws), environment);
    let items = accounts.items(context.region, attempt.username).await?;
    let question = Question {
        username: attempt.username.to_owned(),
        password: attempt.password.to_owned(),
        protocol: "SFTP".to_owned(),
        server_id: context.server.id.clone(),
        source_ip: attempt.source_ip.to_owned(),
    };
    // Hashing the password takes long enough to block other tasks of this thread.
    let judged = tokio::task::spawn_blocking(move || judge(&question, &items)).await;
    let refusal = match judged {
        Ok(Err(refusal)) => refusal,
        _ => {
            let finding =
                format!("the authorizer answered {status}, but would admit the user now: the account has just changed");
            return Ok((finding, Some("try again in a moment".into())));
        }
    };
    if refusal == Refusal::UnknownUser && context.region != environment.home_region {
        let home = accounts.items(&environment.home_region, attempt.username).await?;
        if !home.is_empty() {
            let finding =
                format!("the account exists in {}, but not here: replication is late", environment.home_region);
            return Ok((
                finding,
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

/// The cause of a failure behind the API: the function, its trigger, its role, or the table.
async fn failure_behind_api(context: &Context<'_>, answer: &IdentityAnswer) -> Result<Finding, AwsError> {
    let (environment, region) = (context.environment, context.region);
    let name = names::function(environment, region);
    let lambda = context.aws.lambda(region);
    let Some(function) = lambda.function(&name).await? else {
        return Ok((format!("the function {name} does not exist"), revert_hint(context)));
    };
    if function.reserved == Some(0) {
        let finding = "the function may not run: its reserved concurrency is 0".to_owned();
        let hint = if environment.authorizer.reserved_concurrency == Some(0) {
            Some("raise `authorizer.reserved_concurrency`, then deploy".to_owned())
        } else {
            revert_hint(context)
        };
        return Ok((finding, hint));
    }
    let policy = lambda.policy(&name).await?.unwrap_or_default();
    let sources = sources(&policy);
    if sources.is_empty() {
        return Ok((
            format!("the trigger is missing: {name} does not let API Gateway invoke it"),
            deploy_hint(context),
        ));
    }
    let method = format!(
        "arn:aws:execute-api:{region}:{}:{}/{}/GET/servers/*/users/*/config",
        environment.account,
        api_id(answer),
        names::STAGE
    );
    if !sources.iter().any(|source| grants::fits(source, &method)) {
        let finding = format!(
            "the trigger is another API's: {name} lets {} invoke it, but this API's method is {method}",
            sources.join(", ")
        );
        return Ok((finding, deploy_hint(context)));
    }
    if context.aws.dynamodb(region).table(&environment.table.name).await?.is_none() {
        return Ok((format!("the table {} has no replica in {region}", environment.table.name), deploy_hint(context)));
    }
    if let Some(finding) = missing_table_access(context, &function).await? {
        return Ok(finding);
    }
    let log = names::function_log_group(environment, region);
    let finding = format!("the identity provider failed with status {}: {}", answer.status, answer.message);
    Ok((
        finding,
        Some(format!(
            "check the log group {log}, and find manual changes with: sftpctl drift --env {}",
            environment.name
        )),
    ))
}

/// The finding if the function's role does not allow it to query the account table.
async fn missing_table_access(context: &Context<'_>, function: &FunctionFacts) -> Result<Option<Finding>, AwsError> {
    const ACTION: &str = "dynamodb:Query";
    let role = function.role.rsplit('/').next().unwrap_or_default();
    let Some(documents) = context.aws.iam().role_policies(role).await? else {
        return Ok(Some((format!("the authorizer's role {role} does not exist"), revert_hint(context))));
    };
    let (environment, region) = (context.environment, context.region);
    let index = function.environment.get("INDEX_NAME").map(String::as_str).unwrap_or_default();
    let resource =
        format!("arn:aws:dynamodb:{region}:{}:table/{}/index/{index}", environment.account, environment.table.name);
    Ok((!grants::allow(&documents, ACTION, &resource)).then(|| {
        (
            format!("the authorizer may not read the table: its role {role} does not allow {ACTION} on {resource}"),
            revert_hint(context),
        )
    }))
}

/// The source ARNs from which API Gateway may invoke the function; `*` for a statement without a condition on them.
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

/// The finding if the role or the bucket fails after the identity provider has admitted the user: Transfer assumes the
/// role and uses the bucket, which `TestIdentityProvider` does not try.
pub(super) async fn role_and_bucket(
    context: &Context<'_>,
    answer: &IdentityAnswer,
) -> Result<Option<(String, String)>, AwsError> {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    let role = body["Role"].as_str().unwrap_or_default();
    let deploy = format!("run: sftpctl deploy --env {}", context.environment.name);
    let name = role.rsplit('/').next().unwrap_or(role);
    let Some(facts) = context.aws.iam().role(name).await? else {
        // The stack sets which role the authorizer returns; the role itself is not part of the stack.
        let ours = role
            == format!("arn:aws:iam::{}:role/{}", context.environment.account, context.environment.names.user_role);
        let hint = if ours { deploy } else { revert_hint(context).unwrap_or(deploy) };
        return Ok(Some((format!("the authorizer hands out the role {role}, which does not exist"), hint)));
    };
    if facts.arn != role || !facts.trust.contains("transfer.amazonaws.com") {
        return Ok(Some((format!("the role {role} does not let Transfer Family assume it"), deploy)));
    }
    let Some(home) = home(&body) else {
        return Ok(Some(("the answer has no home folder".to_owned(), deploy)));
    };
    let region = context
        .environment
        .clusters
        .iter()
        .find(|(cluster, _)| names::upload_bucket(context.environment, cluster) == home.bucket)
        .map(|(_, cluster)| cluster.region.clone());
    let Some(region) = region else {
        let finding =
            format!("the home is in the bucket {}, which belongs to no cluster of this environment", home.bucket);
        return Ok(Some((
            finding,
            "correct the account's home, or add the cluster to the environment file".to_owned(),
        )));
    };
    let bucket = context.aws.s3(&region).policy(&home.bucket, &context.environment.account).await?;
    if matches!(bucket, Policy::NoBucket | Policy::NotOurs) {
        return Ok(Some((format!("the bucket {} does not exist", home.bucket), deploy)));
    }
    let documents = context.aws.iam().role_policies(&context.environment.names.user_role).await?.unwrap_or_default();
    let has = |document: &String| document.contains(&format!("arn:aws:s3:::{}\"", home.bucket));
    if !documents.iter().any(has) && !grants::names(&bucket, role) {
        let finding = format!("the user role's policy does not have the bucket {}", home.bucket);
        return Ok(Some((finding, deploy)));
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
    fn sources_of_a_trigger_are_read() {
        let statement = |condition: &str| {
            format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"Service":"apigateway.amazonaws.com"}},
                    "Action":"lambda:InvokeFunction"{condition}}}]}}"#
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
