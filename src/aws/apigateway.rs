//! API Gateway's account settings.

use aws_sdk_apigateway::types::{Op, PatchOperation};

use super::AwsError;
use super::error::Call as _;

/// API Gateway of a region.
#[derive(Clone, Debug)]
pub struct ApiGateway(pub(super) aws_sdk_apigateway::Client);

impl ApiGateway {
    /// ARN of the role that API Gateway writes logs with, `None` where the account has none.
    pub async fn log_role(&self) -> Result<Option<String>, AwsError> {
        let account = self.0.get_account().send().await.call("apigateway:GetAccount", "the account's settings")?;
        Ok(account.cloudwatch_role_arn().filter(|arn| !arn.is_empty()).map(str::to_owned))
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
