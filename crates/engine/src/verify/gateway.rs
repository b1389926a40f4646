//! The links between the Transfer server and the function: the invocation role, and the API's stage and method.
//!
//! Each is read from AWS: for an answer with another status than 200, `TestIdentityProvider` leaves `Response` empty, so
//! that API Gateway's own words may be missing.

use sftpctl_aws::{AwsError, IdentityAnswer};
use sftpctl_core::spec::names;

use super::diagnose::{Context, Finding, redeploy_hint, revert_hint};
use super::grants;

/// The path of the method that Transfer calls.
const PATH: &str = "/servers/{serverId}/users/{username}/config";

/// The finding if one of the links is broken.
pub(super) async fn broken_link(context: &Context<'_>, answer: &IdentityAnswer) -> Result<Option<Finding>, AwsError> {
    match invocation_role(context, answer).await? {
        Some(finding) => Ok(Some(finding)),
        None => stage_or_method(context, answer).await,
    }
}

/// Whether Transfer can assume the invocation role, and the role may invoke the method.
async fn invocation_role(context: &Context<'_>, answer: &IdentityAnswer) -> Result<Option<Finding>, AwsError> {
    let Some(arn) = &context.server.invocation_role else { return Ok(None) };
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let iam = context.aws.iam();
    let unassumable = |why: &str| {
        let finding = format!("Transfer cannot assume the invocation role: {why}");
        Ok(Some((finding, revert_hint(context))))
    };
    let Some(role) = iam.role(name).await? else { return unassumable(&format!("{arn} does not exist")) };
    if !role.trust.contains("transfer.amazonaws.com") {
        return unassumable(&format!("{arn} does not trust transfer.amazonaws.com"));
    }
    let documents = iam.role_policies(name).await?.unwrap_or_default();
    let method = method_arn(context, answer, &context.server.id, "user");
    Ok((!grants::allow(&documents, "execute-api:Invoke", &method)).then(|| {
        let finding = "API Gateway refuses the Transfer server: the invocation role may not invoke the API";
        (finding.to_owned(), revert_hint(context))
    }))
}

/// Whether the API has the stage and the method.
async fn stage_or_method(context: &Context<'_>, answer: &IdentityAnswer) -> Result<Option<Finding>, AwsError> {
    let (gateway, api) = (context.aws.apigateway(context.region), api_id(context, answer));
    if gateway.stage(api, names::STAGE).await?.is_none() {
        let finding = format!("the API {api} or its stage {} does not exist", names::STAGE);
        return Ok(Some((finding, revert_hint(context))));
    }
    let methods = gateway.methods(api).await?;
    let there = methods.iter().any(|method| method.path == PATH && method.http_method == "GET");
    Ok((!there).then(|| no_method(context, answer)))
}

/// The finding for an API whose stage has no such method.
pub(super) fn no_method(context: &Context<'_>, answer: &IdentityAnswer) -> Finding {
    (
        "API Gateway has no such method: the API is not deployed to its stage as in the template".to_owned(),
        revert_hint(context).map(|hint| format!("{hint}; then: {}", redeploy_hint(context, answer))),
    )
}

/// The ARN of the method, as a permission for it names it.
pub(super) fn method_arn(context: &Context<'_>, answer: &IdentityAnswer, server: &str, user: &str) -> String {
    format!(
        "arn:aws:execute-api:{}:{}:{}/{}/GET/servers/{server}/users/{user}/config",
        context.region,
        context.environment.account,
        api_id(context, answer),
        names::STAGE
    )
}

/// The ID of the API that Transfer calls.
pub(super) fn api_id<'a>(context: &'a Context<'_>, answer: &'a IdentityAnswer) -> &'a str {
    let url = if answer.url.is_empty() { context.server.url.as_deref().unwrap_or_default() } else { &answer.url };
    url.trim_start_matches("https://").split('.').next().unwrap_or_default()
}
