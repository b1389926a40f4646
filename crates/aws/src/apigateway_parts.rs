//! The parts of a REST API, one list call per kind, under the names that templates use.

use aws_sdk_apigateway::types::{MethodSetting, Stage};
use serde::Serialize;

use super::error::{Call as _, OrMissing as _};
use super::{ApiGateway, AwsError, Tags};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ApiFacts {
    pub name: String,
    pub description: Option<String>,
    /// `REGIONAL`, `EDGE`, `PRIVATE`.
    #[serde(skip)]
    pub endpoints: Vec<String>,
    /// The resource policy as API Gateway writes it.
    #[serde(skip)]
    pub policy: Option<String>,
    /// Whether the default host name is off.
    pub disable_execute_api_endpoint: bool,
    #[serde(skip)]
    pub tags: Tags,
}

/// A resource of an API: one part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceFacts {
    pub id: String,
    /// Id of the parent resource; the root has none.
    pub parent: Option<String>,
    /// Its segment of the path.
    pub part: String,
    pub path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ModelFacts {
    /// The key that identifies it.
    #[serde(skip_serializing)]
    pub name: String,
    pub description: Option<String>,
    /// `application/json`.
    pub content_type: String,
    pub schema: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct StageFacts {
    pub stage_name: String,
    pub deployment_id: String,
    pub method_settings: Vec<MethodSettingFacts>,
    /// Whether responses are cached.
    pub cache_cluster_enabled: bool,
    /// Whether X-Ray traces calls.
    pub tracing_enabled: bool,
    /// Id of the client certificate that it presents to the back end.
    pub client_certificate_id: Option<String>,
    /// `None` if the stage writes no access log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_log_setting: Option<AccessLogFacts>,
}

/// The access log of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct AccessLogFacts {
    /// ARN of the log group or delivery stream.
    pub destination_arn: String,
    /// The line that is written for each call.
    pub format: String,
}

/// Settings of the methods of a path.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MethodSettingFacts {
    /// `/*` for all.
    pub resource_path: String,
    /// `*` for all.
    pub http_method: String,
    /// `OFF`, `ERROR`, `INFO`.
    pub logging_level: Option<String>,
    /// Whether whole requests and responses are logged.
    pub data_trace_enabled: bool,
    /// Whether each method has its own metrics.
    pub metrics_enabled: bool,
    /// Calls per second.
    pub throttling_rate_limit: f64,
    /// Calls in a burst.
    pub throttling_burst_limit: i32,
}

const MISSING: &[&str] = &["NotFound"];

impl ApiGateway {
    /// A REST API; `None` if it does not exist.
    pub async fn api(&self, api: &str) -> Result<Option<ApiFacts>, AwsError> {
        let call = self.0.get_rest_api().rest_api_id(api).send().await.call("apigateway:GetRestApi", api);
        Ok(call.or_missing(MISSING)?.map(|api| ApiFacts {
            name: api.name().unwrap_or_default().to_owned(),
            description: api.description().map(str::to_owned),
            endpoints: api
                .endpoint_configuration()
                .into_iter()
                .flat_map(|endpoint| endpoint.types())
                .map(|kind| kind.as_str().to_owned())
                .collect(),
            policy: api.policy().filter(|policy| !policy.is_empty()).map(str::to_owned),
            disable_execute_api_endpoint: api.disable_execute_api_endpoint(),
            tags: api.tags().cloned().unwrap_or_default().into_iter().collect(),
        }))
    }

    /// The resources of an API, at most the first 500; empty if the API does not exist.
    pub async fn resources(&self, api: &str) -> Result<Vec<ResourceFacts>, AwsError> {
        let call = self.0.get_resources().rest_api_id(api).limit(500).send().await;
        let answer = call.call("apigateway:GetResources", api).or_missing(MISSING)?;
        let items = answer.and_then(|answer| answer.items).unwrap_or_default();
        Ok(items
            .into_iter()
            .map(|resource| ResourceFacts {
                id: resource.id.unwrap_or_default(),
                parent: resource.parent_id,
                part: resource.path_part.unwrap_or_default(),
                path: resource.path.unwrap_or_default(),
            })
            .collect())
    }

    /// The models of an API, at most the first 500; empty if the API does not exist.
    pub async fn models(&self, api: &str) -> Result<Vec<ModelFacts>, AwsError> {
        let call = self.0.get_models().rest_api_id(api).limit(500).send().await.call("apigateway:GetModels", api);
        let items = call.or_missing(MISSING)?.and_then(|answer| answer.items).unwrap_or_default();
        Ok(items
            .into_iter()
            .map(|model| ModelFacts {
                name: model.name.unwrap_or_default(),
                description: model.description,
                content_type: model.content_type.unwrap_or_default(),
                schema: model.schema.unwrap_or_default(),
            })
            .collect())
    }

    /// Ids and descriptions of an API's deployments, at most the first 500; empty if the API does not exist.
    pub async fn deployments(&self, api: &str) -> Result<Vec<(String, Option<String>)>, AwsError> {
        let call = self.0.get_deployments().rest_api_id(api).limit(500).send().await;
        let answer = call.call("apigateway:GetDeployments", api).or_missing(MISSING)?;
        let items = answer.and_then(|answer| answer.items).unwrap_or_default();
        Ok(items.into_iter().map(|one| (one.id.unwrap_or_default(), one.description)).collect())
    }

    /// The stages of an API with their settings; empty if the API does not exist.
    pub async fn stage_facts(&self, api: &str) -> Result<Vec<StageFacts>, AwsError> {
        let call = self.0.get_stages().rest_api_id(api).send().await.call("apigateway:GetStages", api);
        let stages = call.or_missing(MISSING)?.and_then(|answer| answer.item).unwrap_or_default();
        Ok(stages.iter().map(stage).collect())
    }
}

fn stage(from: &Stage) -> StageFacts {
    let log = from.access_log_settings().map(|log| AccessLogFacts {
        destination_arn: log.destination_arn().unwrap_or_default().to_owned(),
        format: log.format().unwrap_or_default().to_owned(),
    });
    let mut settings: Vec<_> =
        from.method_settings().into_iter().flatten().map(|(key, setting)| method_setting(key, setting)).collect();
    settings.sort_by(|a, b| (&a.resource_path, &a.http_method).cmp(&(&b.resource_path, &b.http_method)));
    StageFacts {
        stage_name: from.stage_name().unwrap_or_default().to_owned(),
        deployment_id: from.deployment_id().unwrap_or_default().to_owned(),
        method_settings: settings,
        cache_cluster_enabled: from.cache_cluster_enabled(),
        tracing_enabled: from.tracing_enabled(),
        client_certificate_id: from.client_certificate_id().map(str::to_owned),
        access_log_setting: log.filter(|log| !log.format.is_empty() || !log.destination_arn.is_empty()),
    }
}

/// The key is a path and a verb, `~1users/GET`, and `*/*` for all.
fn method_setting(key: &str, setting: &MethodSetting) -> MethodSettingFacts {
    let (path, verb) = key.rsplit_once('/').unwrap_or((key, "*"));
    let path = path.replace("~1", "/");
    MethodSettingFacts {
        resource_path: if path.starts_with('/') { path } else { format!("/{path}") },
        http_method: verb.to_owned(),
        logging_level: setting.logging_level().map(str::to_owned),
        data_trace_enabled: setting.data_trace_enabled(),
        metrics_enabled: setting.metrics_enabled(),
        throttling_rate_limit: setting.throttling_rate_limit(),
        throttling_burst_limit: setting.throttling_burst_limit(),
    }
}
