//! The API trigger: the permission for API Gateway to invoke the authorizer, for one API, stage and method.
//!
//! It is not in the template: the design has it as a separate step, and statements that others add to the function's
//! policy must be kept, which is not certain if a template owns the policy.

use async_trait::async_trait;
use serde_json::Value;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Properties, Removal, RemovalOptions, Want, output};
use sftpctl_core::node::Node;

use crate::resources::resource::{Resource, ResourceError};

/// ID of our statement in the function's policy.
const STATEMENT: &str = "sftpctl-api-trigger";

/// The permission in one region.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub id: NodeId,
    pub region: String,
    pub account: String,
    pub function: String,
    /// Node of the stack with the function and the API.
    pub stack: NodeId,
}

impl Trigger {
    fn source(&self, actual: &Actual) -> Want {
        output(actual, &self.stack, "TriggerSourceArn")
    }
}

impl Node for Trigger {
    fn kind(&self) -> Kind {
        Kind::Trigger
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        vec![self.stack.clone()]
    }

    fn title(&self) -> String {
        format!("API trigger of {}", self.function)
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        Properties::from([
            ("action", "lambda:InvokeFunction".into()),
            ("principal", "apigateway.amazonaws.com".into()),
            ("source account", self.account.clone().into()),
            ("source", self.source(actual)),
        ])
    }
}

#[async_trait]
impl Resource for Trigger {
    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let Some(policy) = aws.lambda(&self.region).policy(&self.function).await? else { return Ok(None) };
        let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
        let statements = policy["Statement"].as_array().cloned().unwrap_or_default();
        Ok(statements.iter().find(|statement| statement["Sid"] == STATEMENT).map(|statement| {
            let first =
                |value: &Value| value.as_array().and_then(|v| v.first().cloned()).unwrap_or_else(|| value.clone());
            // Condition keys are case-insensitive, and several spellings are in use.
            let condition = |key: &str| {
                let conditions = statement["Condition"].as_object();
                let mut found = conditions.into_iter().flat_map(|c| c.values()).filter_map(|values| {
                    values.as_object()?.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, v)| first(v))
                });
                found.next().unwrap_or_default()
            };
            Live::new(STATEMENT)
                .with("action", first(&statement["Action"]))
                .with("principal", first(&statement["Principal"]["Service"]))
                .with("source account", condition("aws:SourceAccount"))
                .with("source", condition("aws:SourceArn"))
        }))
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        _change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let lambda = aws.lambda(&self.region);
        let Want::Is(Value::String(source)) = self.source(actual) else {
            return Err(ResourceError::Refused(format!("{} has no output TriggerSourceArn", self.stack)));
        };
        // A statement cannot be changed, only replaced.
        if live.is_some() {
            lambda.remove_statement(&self.function, STATEMENT).await?;
        }
        Ok(lambda.allow_api(&self.function, STATEMENT, &source, &self.account).await?)
    }

    async fn removal(&self, _aws: &Aws, _live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        // It is deleted with the function.
        Ok(Removal::Leave)
    }

    async fn delete(
        &self,
        _aws: &Aws,
        _call: &str,
        _live: &Live,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(())
    }
}
