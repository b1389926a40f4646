//! CloudWatch alarms, in CloudWatch's JSON protocol.
//!
//! Its SDK is not used: it speaks CBOR alone, through a crate under a licence that deny.toml does not allow. The call
//! is made of the SDKs' own parts, so that it is signed, tried again, counted and fenced like every other.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_runtime::auth::SigV4OperationSigningConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::AuthSchemeOptionResolverParams;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::AwsError;
use super::calls::{Calls, CountCalls};
use super::error::Call as _;

/// CloudWatch of a region.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    /// The configuration, of this region.
    pub(super) config: SdkConfig,
    /// Counts the calls.
    pub(super) calls: Arc<Calls>,
}

/// An alarm on one metric, under the names that templates use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmFacts {
    /// Its name, by which it is found.
    #[serde(skip_serializing)]
    pub alarm_name: String,
    /// What it means.
    pub alarm_description: Option<String>,
    /// Namespace of the metric.
    pub namespace: Option<String>,
    /// The metric.
    pub metric_name: Option<String>,
    /// Which of the metric's series.
    #[serde(default)]
    pub dimensions: Vec<AlarmDimension>,
    /// `Sum`, `Average`, …; none where the extended one is set.
    pub statistic: Option<String>,
    /// A percentile: `p99`.
    pub extended_statistic: Option<String>,
    /// Unit of the metric.
    pub unit: Option<String>,
    /// Seconds.
    pub period: Option<i32>,
    /// How many periods are looked at.
    pub evaluation_periods: Option<i32>,
    /// How many of them must be bad.
    pub datapoints_to_alarm: Option<i32>,
    /// What a period is held against.
    pub threshold: Option<f64>,
    /// `GreaterThanOrEqualToThreshold`, …
    pub comparison_operator: Option<String>,
    /// `notBreaching`, `missing`, …
    pub treat_missing_data: Option<String>,
    /// `ignore` or `evaluate`, for percentiles of few values.
    pub evaluate_low_sample_count_percentile: Option<String>,
    /// Whether anybody is told.
    #[serde(default)]
    pub actions_enabled: bool,
    /// ARNs that are told of an alarm.
    #[serde(default)]
    pub alarm_actions: Vec<String>,
    /// ARNs that are told of its end.
    #[serde(rename = "OKActions", default)]
    pub ok_actions: Vec<String>,
    /// ARNs that are told of missing data.
    #[serde(default)]
    pub insufficient_data_actions: Vec<String>,
}

/// One dimension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmDimension {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// One page of alarms.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    metric_alarms: Vec<AlarmFacts>,
    next_token: Option<String>,
}

impl CloudWatch {
    /// Alarms by name, at most 100; a missing one is not in the answer.
    pub async fn alarms(&self, names: &[&str]) -> Result<Vec<AlarmFacts>, AwsError> {
        let object = names.join(", ");
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let mut input = json!({ "AlarmNames": names });
            if let Some(token) = token {
                input["NextToken"] = Value::String(token);
            }
            let answer = self.ask("DescribeAlarms", input).await.call("cloudwatch:DescribeAlarms", &object)?;
            found.extend(answer.metric_alarms);
            token = answer.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        for alarm in &mut found {
            // One of the two is in force.
            if alarm.extended_statistic.is_some() {
                alarm.statistic = None;
            }
        }
        Ok(found)
    }

    async fn ask(&self, name: &'static str, input: Value) -> Result<Page, SdkError<ErrorMetadata, HttpResponse>> {
        let unset = |what: &str| SdkError::construction_failure(format!("{what} is not configured"));
        let region = self.config.region().ok_or_else(|| unset("a region"))?;
        let http = self.config.http_client().ok_or_else(|| unset("an HTTP client"))?;
        let endpoint = self.config.endpoint_url().map_or_else(|| host(region.as_ref()), str::to_owned);
        let retries = self.config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let mut settings = Layer::new("CloudWatch");
        settings.store_put(AuthSchemeOptionResolverParams::new(()));
        settings.store_put(SigV4OperationSigningConfig {
            region: Some(region.clone().into()),
            name: Some("monitoring".into()),
            ..SigV4OperationSigningConfig::default()
        });
        let mut parts = RuntimeComponentsBuilder::new("CloudWatch");
        parts.set_auth_scheme_option_resolver(Some(StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID])));
        parts.push_auth_scheme(SigV4AuthScheme::new());
        parts.set_identity_cache(self.config.identity_cache());
        if let Some(credentials) = self.config.credentials_provider() {
            parts.set_identity_resolver(SCHEME_ID, credentials);
        }
        parts.set_sleep_impl(self.config.sleep_impl());
        parts.set_time_source(self.config.time_source());
        let operation = Operation::builder()
            .service_name("CloudWatch")
            .operation_name(name)
            .http_client(http)
            .endpoint_url(&endpoint)
            .standard_retry(&retries)
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .timeout_config(self.config.timeout_config().cloned().unwrap_or_else(TimeoutConfig::disabled))
            .with_connection_poisoning()
            .interceptor(CountCalls(Arc::clone(&self.calls)))
            .runtime_plugin(StaticRuntimePlugin::new().with_config(settings.freeze()).with_runtime_components(parts))
            .serializer(move |input: Value| request(name, &input))
            .deserializer(answer)
            .build();
        operation.invoke(input).await
    }
}

fn host(region: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://monitoring.{region}.{suffix}")
}

/// AWS JSON 1.0: <https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html>
fn request(operation: &str, input: &Value) -> Result<HttpRequest, BoxError> {
    let body = input.to_string();
    let length = body.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-amz-json-1.0");
    headers.insert("content-length", length);
    headers.insert("user-agent", concat!("sftpctl/", env!("CARGO_PKG_VERSION")));
    headers.insert("x-amz-target", format!("GraniteServiceVersion20100801.{operation}"));
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<Page, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    if response.status().is_success() {
        return serde_json::from_slice(body).map_err(|error| OrchestratorError::response(error.into()));
    }
    let error: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = error["__type"].as_str().or_else(|| response.headers().get("x-amzn-errortype"));
    let mut told = ErrorMetadata::builder();
    if let Some(code) = code {
        // A code may come with its namespace before it and an address behind it.
        let code = code.rsplit('#').next().unwrap_or(code);
        told = told.code(code.split(':').next().unwrap_or(code));
    }
    if let Some(message) = error["message"].as_str().or_else(|| error["Message"].as_str()) {
        told = told.message(message);
    }
    Err(OrchestratorError::operation(told.build()))
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;

    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body))
    }

    #[test]
    fn an_answer_is_alarms_or_an_error_with_its_code() {
        let page = answer(&response(200, r#"{"MetricAlarms":[{"AlarmName":"a","Threshold":1,"X":[]}]}"#)).unwrap();
        assert_eq!((page.metric_alarms[0].alarm_name.as_str(), page.metric_alarms[0].threshold), ("a", Some(1.0)));
        let body = r#"{"__type":"com.amazonaws.cloudwatch#Throttling","message":"slower"}"#;
        let error = answer(&response(400, body)).unwrap_err();
        let error = error.as_operation_error().unwrap();
        assert_eq!((error.code(), error.message()), (Some("Throttling"), Some("slower")));
        assert!(answer(&response(200, "<html>")).unwrap_err().is_response_error());
        assert_eq!(host("cn-north-1"), "https://monitoring.cn-north-1.amazonaws.com.cn");
    }
}
