//! The deployed function: environment and permissions.

use std::collections::BTreeMap;

use aws_sdk_lambda::config::interceptors::InterceptorContext;
use aws_sdk_lambda::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionConfiguration, LastUpdateStatus, State};
use serde::Serialize;

use super::error::{Call as _, OrMissing as _};
use super::{AwsError, Tags};

#[derive(Clone, Debug)]
pub struct Lambda(pub(super) aws_sdk_lambda::Client);

#[derive(Clone, Debug, Default)]
pub struct FunctionFacts {
    pub arn: String,
    /// ARN of the execution role.
    pub role: String,
    pub environment: BTreeMap<String, String>,
    /// The revision, which changes with every update. An update that names an old revision is refused.
    pub revision: String,
    /// SHA-256 of the package, in base64.
    pub code_sha256: Option<String>,
    /// Further settings, under the names that templates use.
    pub settings: FunctionSettings,
    /// Reserved concurrency, if it is set.
    pub reserved: Option<i32>,
    /// AWS's status of an update or creation in progress.
    pub pending: Option<String>,
    /// AWS's reason why the last update or the creation failed.
    pub failed: Option<String>,
    pub tags: Tags,
}

/// Settings of a function, under the names that templates use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionSettings {
    /// `provided.al2023`.
    pub runtime: Option<String>,
    pub handler: Option<String>,
    /// In MB.
    pub memory_size: Option<i32>,
    /// In seconds.
    pub timeout: Option<i32>,
    /// `x86_64` or `arm64`.
    pub architectures: Vec<String>,
    /// ARNs of layers, whose files are merged over the package's.
    pub layers: Vec<String>,
    /// Subnets of its network; without a route out of them it cannot reach the table.
    #[serde(rename = "VpcConfig")]
    pub subnets: Vec<String>,
    /// ARN of the key that encrypts the environment variables.
    pub kms_key_arn: Option<String>,
    /// `PassThrough` or `Active`.
    #[serde(rename = "TracingConfig")]
    pub tracing: Option<String>,
}

/// The result of an invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Whether the function itself failed: the payload is then its error.
    pub failed: bool,
    /// JSON.
    pub payload: Vec<u8>,
}

/// Keeps the SDK from retrying calls that Lambda throttles.
#[derive(Debug)]
struct Throttled;

impl ClassifyRetry for Throttled {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response().map(|answer| answer.status().as_u16()) {
            Some(429) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "throttled"
    }
}

fn settings(of: &FunctionConfiguration) -> FunctionSettings {
    FunctionSettings {
        runtime: of.runtime().map(|runtime| runtime.as_str().to_owned()),
        handler: of.handler().map(str::to_owned),
        memory_size: of.memory_size(),
        timeout: of.timeout(),
        architectures: of.architectures().iter().map(|one| one.as_str().to_owned()).collect(),
        layers: of.layers().iter().filter_map(|layer| layer.arn().map(str::to_owned)).collect(),
        subnets: of.vpc_config().map(|vpc| vpc.subnet_ids().to_vec()).unwrap_or_default(),
        kms_key_arn: of.kms_key_arn().map(str::to_owned),
        tracing: of.tracing_config().and_then(|tracing| tracing.mode()).map(|mode| mode.as_str().to_owned()),
    }
}

impl Lambda {
    /// Invokes a function and waits for its answer. Throttling is returned at once.
    pub async fn invoke(&self, name: &str, payload: Vec<u8>) -> Result<Invocation, AwsError> {
        let call = self.0.invoke().function_name(name).payload(Blob::new(payload));
        let call = call.customize().config_override(aws_sdk_lambda::Config::builder().retry_classifier(Throttled));
        let answer = call.send().await.call("lambda:InvokeFunction", name)?;
        Ok(Invocation {
            failed: answer.function_error().is_some(),
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
        })
    }

    /// Reads a function with its tags.
    pub async fn function(&self, name: &str) -> Result<Option<FunctionFacts>, AwsError> {
        let call = self.0.get_function().function_name(name).send().await.call("lambda:GetFunction", name);
        let Some(answer) = call.or_missing(&["ResourceNotFound"])? else { return Ok(None) };
        let Some(config) = answer.configuration() else { return Ok(None) };
        let pending = match (config.state(), config.last_update_status()) {
            (Some(State::Pending), _) => Some("Pending".to_owned()),
            (_, Some(LastUpdateStatus::InProgress)) => Some("InProgress".to_owned()),
            _ => None,
        };
        let failed = match (config.state(), config.last_update_status()) {
            (Some(State::Failed), _) => Some(config.state_reason().unwrap_or("Failed").to_owned()),
            (_, Some(LastUpdateStatus::Failed)) => {
                Some(config.last_update_status_reason().unwrap_or("Failed").to_owned())
            }
            _ => None,
        };
        Ok(Some(FunctionFacts {
            arn: config.function_arn().unwrap_or_default().to_owned(),
            role: config.role().unwrap_or_default().to_owned(),
            environment: config
                .environment()
                .and_then(|e| e.variables().cloned())
                .unwrap_or_default()
                .into_iter()
                .collect(),
            revision: config.revision_id().unwrap_or_default().to_owned(),
            code_sha256: config.code_sha256().map(str::to_owned),
            settings: settings(config),
            reserved: answer.concurrency().and_then(|c| c.reserved_concurrent_executions()),
            pending,
            failed,
            tags: answer.tags().cloned().unwrap_or_default().into_iter().collect(),
        }))
    }

    /// Replaces the whole environment, and the layers if there are any given, unless the function has changed since
    /// `revision`. An empty list removes all layers.
    pub async fn configure(
        &self,
        name: &str,
        environment: BTreeMap<String, String>,
        layers: Option<Vec<String>>,
        revision: &str,
    ) -> Result<(), AwsError> {
        let environment = Environment::builder().set_variables(Some(environment.into_iter().collect())).build();
        self.0
            .update_function_configuration()
            .function_name(name)
            .environment(environment)
            .set_layers(layers)
            .revision_id(revision)
            .send()
            .await
            .call("lambda:UpdateFunctionConfiguration", name)
            .map(drop)
    }

    /// Replaces the code, unless the function has changed since `revision`.
    ///
    /// # Arguments
    /// `zip` is the package. `architectures` are those of the function: AWS takes x86_64 where the call has none (Lambda
    /// API reference, `UpdateFunctionCode`).
    pub async fn set_code(
        &self,
        name: &str,
        zip: &[u8],
        architectures: &[String],
        revision: &str,
    ) -> Result<(), AwsError> {
        let architectures = architectures.iter().map(|one| Architecture::from(one.as_str())).collect();
        self.0
            .update_function_code()
            .function_name(name)
            .zip_file(Blob::new(zip))
            .set_architectures(Some(architectures))
            .revision_id(revision)
            .send()
            .await
            .call("lambda:UpdateFunctionCode", name)
            .map(drop)
    }

    /// The resource policy, a JSON document.
    pub async fn policy(&self, name: &str) -> Result<Option<String>, AwsError> {
        let call = self.0.get_policy().function_name(name).send().await.call("lambda:GetPolicy", name);
        Ok(call.or_missing(&["ResourceNotFound"])?.and_then(|answer| answer.policy().map(str::to_owned)))
    }

    /// Lets API Gateway invoke the function for one source ARN.
    pub async fn allow_api(
        &self,
        name: &str,
        statement: &str,
        source_arn: &str,
        account: &str,
    ) -> Result<(), AwsError> {
        self.0
            .add_permission()
            .function_name(name)
            .statement_id(statement)
            .action("lambda:InvokeFunction")
            .principal("apigateway.amazonaws.com")
            .source_arn(source_arn)
            .source_account(account)
            .send()
            .await
            .call("lambda:AddPermission", name)
            .map(drop)
    }

    /// Removes one statement; missing is fine.
    pub async fn remove_statement(&self, name: &str, statement: &str) -> Result<(), AwsError> {
        let call = self.0.remove_permission().function_name(name).statement_id(statement).send().await;
        call.call("lambda:RemovePermission", name).or_missing(&["ResourceNotFound"]).map(drop)
    }
}
