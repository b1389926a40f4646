//! API Gateway: the account's settings, and the current configuration of REST APIs.

use std::collections::BTreeMap;

use aws_sdk_apigateway::types::{Integration, Op, PatchOperation};
use serde::{Deserialize, Serialize};

use super::AwsError;
use super::error::{Call as _, OrMissing as _};

#[derive(Clone, Debug)]
pub struct ApiGateway(pub(super) aws_sdk_apigateway::Client);

impl ApiGateway {
    /// ARN of the role that API Gateway writes logs with, `None` where the account has none. In a region where an
    /// account has never used API Gateway, it is not even known: 404 (recorded: cloud-custodian
    /// `test_rest_account_missing`).
    pub async fn log_role(&self) -> Result<Option<String>, AwsError> {
        let call = self.0.get_account().send().await.call("apigateway:GetAccount", "the account's settings");
        let account = call.or_missing(&["NotFound"])?;
        Ok(account.and_then(|account| account.cloudwatch_role_arn).filter(|arn| !arn.is_empty()))
    }

    /// Sets that role; an empty ARN unsets it.
    pub async fn set_log_role(&self, arn: &str) -> Result<(), AwsError> {
        let patch = PatchOperation::builder().op(Op::Replace).path("/cloudwatchRoleArn").value(arn).build();
        self.0
            .update_account()
            .patch_operations(patch)
            .send()
            .await
            .call("apigateway:UpdateAccount", "the role for logs")
            .map(drop)
    }

    /// Names of REST APIs, at most the first 500.
    pub async fn api_names(&self) -> Result<Vec<String>, AwsError> {
        let apis = self.0.get_rest_apis().limit(500).send().await.call("apigateway:GetRestApis", "REST APIs")?;
        Ok(apis.items().iter().filter_map(|api| api.name().map(str::to_owned)).collect())
    }
}

/// A method of a REST API as it is configured now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiMethod {
    /// `/servers/{serverId}/users/{username}/config`.
    pub path: String,
    /// `GET`.
    pub http_method: String,
    /// `NONE`, `AWS_IAM`, …
    pub authorization: String,
    /// Names such as `method.request.querystring.protocol`, and whether each is required.
    pub parameters: BTreeMap<String, bool>,
    pub integration: Option<ApiIntegration>,
    /// Requirements that the other fields do not show: those of [`GUARDS`], and those of the whole API.
    #[serde(default)]
    pub guards: Vec<String>,
}

/// Further requirements of a method, and the name of each in templates.
pub const GUARDS: [(&str, &str); 5] = [
    ("an API key", "ApiKeyRequired"),
    ("a request validator", "RequestValidatorId"),
    ("a role of the integration", "Integration.Credentials"),
    ("request parameters of the integration", "Integration.RequestParameters"),
    ("a conversion of the content", "Integration.ContentHandling"),
];

/// The back end of a method.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiIntegration {
    /// `AWS` or `AWS_PROXY`.
    pub kind: String,
    /// The function's invocation ARN.
    pub uri: String,
    /// `WHEN_NO_MATCH`, `WHEN_NO_TEMPLATES` or `NEVER`.
    pub passthrough: String,
    /// Mapping templates by content type.
    pub templates: BTreeMap<String, String>,
    /// In the order of their status codes.
    pub responses: Vec<ApiIntegrationResponse>,
}

/// One mapping of the function's response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiIntegrationResponse {
    pub status: String,
    /// A regular expression for the function's error; the default response has none.
    pub pattern: Option<String>,
    /// Templates by content type.
    pub templates: BTreeMap<String, String>,
}

/// A stage of a REST API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageState {
    /// Id of the deployment.
    pub deployment: String,
    /// ARN of the web ACL of AWS WAF, whoever has associated it.
    pub web_acl: Option<String>,
}

impl ApiGateway {
    /// What a stage serves, and behind which web ACL; `None` if the API or the stage does not exist.
    pub async fn stage(&self, api: &str, stage: &str) -> Result<Option<StageState>, AwsError> {
        let call = self.0.get_stage().rest_api_id(api).stage_name(stage).send().await.call("apigateway:GetStage", api);
        Ok(call.or_missing(&["NotFound"])?.and_then(|stage| {
            let web_acl = stage.web_acl_arn().filter(|arn| !arn.is_empty()).map(str::to_owned);
            Some(StageState { deployment: stage.deployment_id()?.to_owned(), web_acl })
        }))
    }

    /// Ids of an API's stages by name.
    pub async fn stages(&self, api: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let call = self.0.get_stages().rest_api_id(api).send().await.call("apigateway:GetStages", api);
        let Some(answer) = call.or_missing(&["NotFound"])? else { return Ok(BTreeMap::new()) };
        let pairs = answer
            .item()
            .iter()
            .filter_map(|stage| Some((stage.stage_name()?.to_owned(), stage.deployment_id()?.to_owned())));
        Ok(pairs.collect())
    }

    /// Ids of all REST APIs.
    pub async fn api_ids(&self) -> Result<Vec<String>, AwsError> {
        let mut pages = self.0.get_rest_apis().limit(500).into_paginator().send();
        let mut ids = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("apigateway:GetRestApis", "REST APIs")?;
            ids.extend(page.items().iter().filter_map(|api| api.id().map(str::to_owned)));
        }
        Ok(ids)
    }

    /// The methods of an API as they are configured, deployed or not.
    pub async fn methods(&self, api: &str) -> Result<Vec<ApiMethod>, AwsError> {
        let call = self.0.get_resources().rest_api_id(api).limit(500).embed("methods").send().await;
        let resources = call.call("apigateway:GetResources", api)?;
        let whole = self.0.get_rest_api().rest_api_id(api).send().await.call("apigateway:GetRestApi", api)?;
        let guards: Vec<String> = named(&[
            (whole.policy().is_some_and(|policy| !policy.trim().is_empty()), "a resource policy of the API"),
            (whole.disable_execute_api_endpoint(), "another host name than the API's own"),
        ]);
        let mut methods = Vec::new();
        for resource in resources.items() {
            let (Some(id), Some(path)) = (resource.id(), resource.path()) else { continue };
            for name in resource.resource_methods().into_iter().flatten().map(|(name, _)| name) {
                let found = self.method(api, id, path, name).await?;
                methods.extend(found.map(|mut method| {
                    method.guards.extend(guards.iter().cloned());
                    method
                }));
            }
        }
        methods.sort_by(|a, b| (&a.path, &a.http_method).cmp(&(&b.path, &b.http_method)));
        Ok(methods)
    }

    /// One method of the resource with this id and path; `None` if it does not exist.
    pub async fn method(
        &self,
        api: &str,
        resource: &str,
        path: &str,
        verb: &str,
    ) -> Result<Option<ApiMethod>, AwsError> {
        let call = self.0.get_method().rest_api_id(api).resource_id(resource).http_method(verb).send().await;
        let Some(method) = call.call("apigateway:GetMethod", api).or_missing(&["NotFound"])? else { return Ok(None) };
        let behind = method.method_integration();
        let there = [
            method.api_key_required() == Some(true),
            method.request_validator_id().is_some_and(|id| !id.is_empty()),
            behind.and_then(Integration::credentials).is_some_and(|role| !role.is_empty()),
            behind.and_then(Integration::request_parameters).is_some_and(|parameters| !parameters.is_empty()),
            behind.is_some_and(|behind| behind.content_handling().is_some()),
        ];
        let guards = GUARDS.iter().zip(there).map(|((words, _), there)| (there, *words)).collect::<Vec<_>>();
        let guards = named(&guards);
        Ok(Some(ApiMethod {
            path: path.to_owned(),
            http_method: verb.to_owned(),
            guards,
            authorization: method.authorization_type().unwrap_or("NONE").to_owned(),
            parameters: method.request_parameters().into_iter().flatten().map(|(k, v)| (k.clone(), *v)).collect(),
            integration: method.method_integration().map(integration),
        }))
    }
}

/// The names of those that apply.
fn named(guards: &[(bool, &str)]) -> Vec<String> {
    guards.iter().filter(|(there, _)| *there).map(|(_, name)| (*name).to_owned()).collect()
}

fn integration(from: &Integration) -> ApiIntegration {
    let texts = |map: Option<&std::collections::HashMap<String, String>>| -> BTreeMap<String, String> {
        map.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let mut responses: Vec<ApiIntegrationResponse> = from
        .integration_responses()
        .into_iter()
        .flatten()
        .map(|(status, response)| ApiIntegrationResponse {
            status: status.clone(),
            pattern: response.selection_pattern().filter(|pattern| !pattern.is_empty()).map(str::to_owned),
            templates: texts(response.response_templates()),
        })
        .collect();
    responses.sort_by(|a, b| a.status.cmp(&b.status));
    ApiIntegration {
        kind: from.r#type().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
        uri: from.uri().unwrap_or_default().to_owned(),
        passthrough: from.passthrough_behavior().unwrap_or("WHEN_NO_MATCH").to_owned(),
        templates: texts(from.request_templates()),
        responses,
    }
}
