//! Finds the broken link of the log-in chain, from the identity provider's answer and the resources in AWS.
//!
//! | answer | possible causes |
//! |---|---|
//! | 200 with a role | the role, the bucket of the home folder ([`super::admitted`]) |
//! | 200 without, 401 in the body | the authorizer's server ID, its block list, the API's mapping |
//! | 200 without, 403 in the body | the account: the authorizer's own code decides on it once more |
//! | 500 | the function, its concurrency, variables, trigger and role; the table's replica; the invocation role |
//! | 429 | the stage's throttle |
//! | any other | the invocation role, stage and deployment of the API |
//!
//! Only an answer with status 200 has a body: for any other, `TestIdentityProvider` leaves `Response` empty and has its
//! own text in `Message`. So a cause is named only where AWS's resources show it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::attempt::Attempt;
use super::gateway::{self, api_id};
use super::grants;
use sftp_authorizer::guard::TEST_LOGINS;
use sftp_authorizer::{Account, Circumstances, Question, Refusal, judge};
use sftpctl_accounts::Accounts;
use sftpctl_accounts::store::usernames;
use sftpctl_aws::{Aws, AwsError, FunctionFacts, IdentityAnswer, ServerFacts};
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
pub(super) type Finding = (String, Option<String>);

/// Why a log-in was refused.
pub(super) struct Diagnosis {
    pub(super) finding: String,
    pub(super) hint: Option<String>,
    /// The authorizer's reason, if it was the authorizer.
    pub(super) reason: Option<Refusal>,
    /// The account has not reached the region yet, or only after the log-in, as far as is known.
    pub(super) replicating: bool,
}

impl From<Finding> for Diagnosis {
    fn from((finding, hint): Finding) -> Self {
        Self { finding, hint, reason: None, replicating: false }
    }
}

impl Diagnosis {
    fn by(reason: Refusal, (finding, hint): Finding) -> Self {
        Self { finding, hint, reason: Some(reason), replicating: reason == Refusal::UnknownUser }
    }
}

/// The cause of a refusal, and a hint.
pub(super) async fn refusal(context: &Context<'_>, answer: &IdentityAnswer) -> Diagnosis {
    let found = match answer.status {
        200 => refused_by_authorizer(context, answer).await,
        429 => Ok(Diagnosis::from((
            "throttled: more log-ins at once than the API's stage allows".to_owned(),
            Some("try again; if this continues, ask AWS for a higher throttle quota of API Gateway".to_owned()),
        ))),
        500.. => failure_behind_api(context, answer).await.map(Diagnosis::from),
        _ => refused_by_gateway(context, answer).await,
    };
    found.unwrap_or_else(|error| {
        let finding = format!("refused with status {}, and the cause could not be looked up: {error}", answer.status);
        Diagnosis { replicating: answer.status == 200, ..Diagnosis::from((finding, error.hint())) }
    })
}

/// The cause of an answer without a `Role`.
async fn refused_by_authorizer(context: &Context<'_>, answer: &IdentityAnswer) -> Result<Diagnosis, AwsError> {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    match body["status"].as_u64() {
        Some(401) => Ok(match refused_before_lookup(context).await? {
            Some(diagnosis) => diagnosis,
            // It is the authorizer's own server, and the name is not blocked: the request that API Gateway sent does
            // not match the template's mapping.
            None => Diagnosis::from((
                "the API's stage does not call the authorizer as the template specifies: the API was changed by hand, \
                 or changed and not deployed to its stage again"
                    .to_owned(),
                Some(redeploy_hint(context, answer)),
            )),
        }),
        Some(_) => Ok(refused_again(context).await?.unwrap_or_else(|| Diagnosis {
            replicating: true,
            ..Diagnosis::from(refused_for_no_fault_of_the_account(context))
        })),
        // The body is not the authorizer's, or could not be read. Its own code may know the reason all the same.
        None => Ok(match refused_again(context).await {
            Ok(Some(diagnosis)) => diagnosis,
            Ok(None) | Err(_) => Diagnosis::from((
                "the identity provider answers without a Role, which Transfer treats as a refusal".to_owned(),
                Some("check the authorizer's log".to_owned()),
            )),
        }),
    }
}

/// The finding where the account would be admitted.
fn refused_for_no_fault_of_the_account(context: &Context<'_>) -> Finding {
    let source = context.attempt.source_ip;
    // `TEST_LOGINS` is never banned.
    if context.environment.guard.is_some() && source != TEST_LOGINS.to_string() {
        let finding = format!(
            "the authorizer refused, but would admit the user now: the guard bans {source}, or the account has just changed"
        );
        return (
            finding,
            Some(format!("look for {source} in `sftpctl guard list --env {}`", context.environment.name)),
        );
    }
    (
        "the authorizer refused, but would admit the user now: the account has just changed".to_owned(),
        Some("try again in a moment".to_owned()),
    )
}

/// The cause of an answer that is neither the authorizer's nor a failure behind the API.
async fn refused_by_gateway(context: &Context<'_>, answer: &IdentityAnswer) -> Result<Diagnosis, AwsError> {
    // Nothing else answers so where there is a web ACL that blocks, and the rest of the chain is not looked at before it.
    if answer.status == 403 && context.environment.waf.as_ref().is_some_and(|waf| waf.blocks) {
        let finding = gateway::broken_link(context, answer).await?;
        return Ok(finding.unwrap_or_else(|| blocked_by_waf(context)).into());
    }
    let said = said(answer);
    if said.contains("Missing Authentication Token") {
        return Ok(gateway::no_method(context, answer).into());
    }
    if let Some(finding) = gateway::broken_link(context, answer).await? {
        return Ok(finding.into());
    }
    // The API of an earlier version answers with these statuses for the authorizer.
    if matches!(answer.status, 401 | 403 | 404)
        && let Some(diagnosis) = refused_again(context).await?
    {
        return Ok(diagnosis);
    }
    let finding = format!("API Gateway refuses the Transfer server's call with status {}: {said}", answer.status);
    let hint = format!("find manual changes with: sftpctl drift --env {}", context.environment.name);
    Ok((finding, Some(hint)).into())
}

/// The finding where the chain is whole, and its first link refuses.
fn blocked_by_waf(context: &Context<'_>) -> Finding {
    let source = context.attempt.source_ip;
    (
        format!("AWS WAF blocks log-ins from {source}: by its country, or because there are too many of them"),
        Some(format!(
            "add the address to `waf.allow`, or look at `waf.countries` and `waf.rate` of environment {}; rates end by \
             themselves within minutes",
            context.environment.name
        )),
    )
}

/// The identity provider's words, or AWS's about it.
fn said(answer: &IdentityAnswer) -> String {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    let words = body["message"].as_str().or(body["Message"].as_str());
    words.unwrap_or(&answer.message).to_owned()
}

/// The hint for a setting that `deploy` checks and repairs.
fn deploy_hint(context: &Context<'_>) -> Option<String> {
    Some(format!("run: sftpctl deploy --env {}", context.environment.name))
}

/// The hint for a resource of the stack: `deploy` does not change it unless the template changes.
pub(super) fn revert_hint(context: &Context<'_>) -> Option<String> {
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
pub(super) fn redeploy_hint(context: &Context<'_>, answer: &IdentityAnswer) -> String {
    format!(
        "aws apigateway create-deployment --region {} --rest-api-id {} --stage-name {}",
        context.region,
        api_id(context, answer),
        names::STAGE
    )
}

/// The reason that the authorizer has now, if it would refuse again.
async fn refused_again(context: &Context<'_>) -> Result<Option<Diagnosis>, AwsError> {
    match refused_before_lookup(context).await? {
        Some(diagnosis) => Ok(Some(diagnosis)),
        None => refused_by_account(context).await,
    }
}

/// The cause of a refusal without a look-up in the account table: another server, a blocked name, or no password where
/// the server takes nothing else.
async fn refused_before_lookup(context: &Context<'_>) -> Result<Option<Diagnosis>, AwsError> {
    let function = names::function(context.environment, context.region);
    let variables = context.aws.lambda(context.region).function(&function).await?.unwrap_or_default().environment;
    let configured = variables.get("SERVER_ID").map(String::as_str).unwrap_or_default();
    if configured != context.server.id {
        let finding = format!(
            "the authorizer only admits users of server {configured}, but this server is {}",
            context.server.id
        );
        return Ok(Some(Diagnosis::by(Refusal::OtherServer, (finding, deploy_hint(context)))));
    }
    let name = context.attempt.username;
    let list = variables.get("BLOCK_LIST").map(String::as_str).unwrap_or_default();
    if list.split(',').any(|blocked| blocked.trim().eq_ignore_ascii_case(name)) {
        let finding = format!("`{name}` is on the block list: refused before any look-up");
        let hint = Some("choose another user name".to_owned());
        return Ok(Some(Diagnosis::by(Refusal::BlockedName, (finding, hint))));
    }
    let takes_keys = variables.get("TAKES_KEYS").is_none_or(|takes| takes.trim() == "true");
    Ok((context.attempt.password.is_empty() && !takes_keys).then(|| {
        let finding = "no password was given, and the servers take nothing else: refused before any look-up".to_owned();
        let hint =
            "enter the password; for log-ins by key set `server.authentication` in the environment file, and deploy";
        Diagnosis::by(Refusal::NoSuchMethod, (finding, Some(hint.to_owned())))
    }))
}

/// The cause of a refusal of the account: the authorizer's own code decides on it once more. `None` if it admits the
/// user now.
async fn refused_by_account(context: &Context<'_>) -> Result<Option<Diagnosis>, AwsError> {
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
    let account = items.first().map(Account::from_item);
    let fault = account.as_ref().and_then(|account| match account {
        Ok(account) => account.faults().into_iter().next(),
        Err(fault) => Some(fault.clone()),
    });
    // Hashing the password takes long enough to block other tasks of this thread.
    let (usernames, region) = (usernames(environment), context.region.to_owned());
    let now = jiff::Timestamp::now().as_second();
    let judged = tokio::task::spawn_blocking(move || {
        judge(&question, &Circumstances { usernames, region: &region, now }, &items)
    });
    let judged = judged.await;
    let Ok(Err(refusal)) = judged else { return Ok(None) };
    if refusal == Refusal::UnknownUser && context.region != environment.home_region {
        let home = accounts.items(&environment.home_region, attempt.username).await?;
        if !home.is_empty() {
            let finding =
                format!("the account exists in {}, but not here: replication is late", environment.home_region);
            let hint =
                format!("it usually takes a second; check the replica with: sftpctl status --env {}", environment.name);
            return Ok(Some(Diagnosis::by(refusal, (finding, Some(hint)))));
        }
    }
    let fault = fault.map(|fault| format!(": {fault}")).unwrap_or_default();
    let users = |verb: &str| format!("sftpctl users {verb} --env {} --username {}", environment.name, attempt.username);
    let show = Some(users("show"));
    let finding = match refusal {
        Refusal::UnknownUser => ("there is no account of this name".to_owned(), None),
        Refusal::WrongPassword => ("the password is wrong".to_owned(), None),
        Refusal::Disabled => ("the account is disabled".to_owned(), show),
        Refusal::Expired => {
            let expires = account.and_then(Result::ok).and_then(|account| account.expires);
            let expires = expires.as_ref().map_or("?", |expires| expires.as_str());
            let extend = format!("extend it: {} --at DATE, or --at never", users("expire"));
            (format!("the account has expired: {expires}"), Some(extend))
        }
        Refusal::Region => (format!("the account does not admit log-ins in {}", context.region), show),
        Refusal::Source => (format!("the account does not admit the address {}", attempt.source_ip), show),
        Refusal::DuplicateUser => ("two accounts have this name; the authorizer admits neither".to_owned(), show),
        Refusal::MalformedItem => (
            format!("the account's item in the table is malformed{fault}"),
            Some(format!(
                "correct the item in the table {}, or remove it: {}",
                environment.table.name,
                users("remove")
            )),
        ),
        Refusal::UnknownScheme => {
            (format!("the stored password has an unknown form{fault}"), Some(format!("set it: {}", users("passwd"))))
        }
        Refusal::NoSuchMethod => {
            (format!("the account has no password, or none was given and it has no keys{fault}"), show)
        }
        other => (format!("refused: {}", other.reason()), None),
    };
    Ok(Some(Diagnosis::by(refusal, finding)))
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
    if let Some(finding) = changed_variables(context, &function) {
        return Ok(finding);
    }
    let policy = lambda.policy(&name).await?.unwrap_or_default();
    let sources = sources(&policy);
    if sources.is_empty() {
        return Ok((
            format!("the trigger is missing: {name} does not let API Gateway invoke it"),
            deploy_hint(context),
        ));
    }
    let method = gateway::method_arn(context, answer, "*", "*");
    if !sources.iter().any(|source| grants::fits(source, &method)) {
        let finding = format!(
            "the trigger is another API's: {name} lets {} invoke it, but this API's method is {method}",
            sources.join(", ")
        );
        return Ok((finding, deploy_hint(context)));
    }
    let replica = context.aws.dynamodb(region).table(&environment.table.name).await?;
    if replica.is_none_or(|replica| replica.status == "DELETING") {
        return Ok((format!("the table {} has no replica in {region}", environment.table.name), deploy_hint(context)));
    }
    if let Some(finding) = missing_table_access(context, &function).await? {
        return Ok(finding);
    }
    if let Some(finding) = gateway::broken_link(context, answer).await? {
        return Ok(finding);
    }
    let log = names::function_log_group(environment, region);
    let finding = format!("the identity provider failed with status {}: {}", answer.status, said(answer));
    Ok((
        finding,
        Some(format!(
            "check the log group {log}, and find manual changes with: sftpctl drift --env {}",
            environment.name
        )),
    ))
}

/// The finding if the function's variables are not those of the stack: without them it fails before it reads the table.
fn changed_variables(context: &Context<'_>, function: &FunctionFacts) -> Option<Finding> {
    let table = &context.environment.table.name;
    let wrong = wrong_variables(&function.environment, table, &context.server.id);
    let name = names::function(context.environment, context.region);
    let finding = format!("the variables of the function {name} are not those of its stack: {}", wrong.join(", "));
    (!wrong.is_empty()).then(|| (finding, revert_hint(context)))
}

/// What is wrong with the function's variables. Those that say where the accounts are have to have the stack's values;
/// the others that it needs have only to be there.
fn wrong_variables(variables: &BTreeMap<String, String>, table: &str, server: &str) -> Vec<String> {
    let values = [("SERVER_ID", server), ("TABLE_NAME", table), ("INDEX_NAME", names::TABLE_INDEX)];
    let values = values.map(|(name, value)| (name, Some(value)));
    let there = ["USER_ROLE_ARN", "HOME_TYPE", "TAKES_KEYS"].map(|name| (name, None));
    let wrong = |(name, wanted): (&str, Option<&str>)| match (variables.get(name), wanted) {
        (None, _) => Some(format!("{name} is missing")),
        (Some(value), Some(wanted)) if value != wanted => Some(format!("{name} is `{value}` in place of `{wanted}`")),
        _ => None,
    };
    values.into_iter().chain(there).filter_map(wrong).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_are_gone_or_others_are_named() {
        let stack = [
            ("SERVER_ID", "s-1"),
            ("TABLE_NAME", "dydb-99-uploads"),
            ("INDEX_NAME", "username-index"),
            ("USER_ROLE_ARN", "arn:aws:iam::111111111111:role/sftp-transfer"),
            ("HOME_TYPE", "LOGICAL"),
            ("TAKES_KEYS", "true"),
        ];
        let variables: BTreeMap<String, String> =
            stack.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let wrong = |variables: &BTreeMap<String, String>| wrong_variables(variables, "dydb-99-uploads", "s-1");
        assert!(wrong(&variables).is_empty());
        assert_eq!(wrong(&BTreeMap::new()).len(), stack.len());
        let mut other = variables;
        other.insert("TABLE_NAME".into(), "else".into());
        assert_eq!(wrong(&other), ["TABLE_NAME is `else` in place of `dydb-99-uploads`"]);
    }

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
