//! The server ID in the environment of the Lambda function: the authorizer refuses every other server.
//!
//! The template cannot set it in the first deployment: the ID does not exist before the server, and the server needs
//! the stack. The template has a parameter for it, which a later stack update sets to the live ID, so an update never
//! removes it. This kind reads the function's live configuration on every run. Its update names the revision that was
//! read, so it never overwrites a concurrent change.

use async_trait::async_trait;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Properties, Removal, RemovalOptions, Settled, output};
use sftpctl_core::node::Node;

use crate::resources::resource::{Resource, ResourceError};

pub(super) const VARIABLE: &str = "SERVER_ID";

/// The variable of one region's function.
#[derive(Clone, Debug)]
pub struct ServerId {
    pub id: NodeId,
    pub region: String,
    pub function: String,
    /// Node of the stack that has the function.
    pub stack: NodeId,
    pub server: NodeId,
}

impl Node for ServerId {
    fn kind(&self) -> Kind {
        Kind::ServerId
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        vec![self.stack.clone(), self.server.clone()]
    }

    fn title(&self) -> String {
        format!("server id in {}", self.function)
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        Properties::from([(VARIABLE, output(actual, &self.server, "ServerId"))])
    }
}

#[async_trait]
impl Resource for ServerId {
    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        Ok(aws.lambda(&self.region).function(&self.function).await?.map(|function| {
            let settled = match (function.pending, function.failed) {
                (Some(pending), _) => Settled::Pending(pending),
                (None, Some(failed)) => Settled::Failed(failed),
                (None, None) => Settled::Ready,
            };
            Live::new(function.arn).settled(settled).with(VARIABLE, function.environment.get(VARIABLE).cloned())
        }))
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        _change: &Change,
        _live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let sftpctl_core::model::Want::Is(serde_json::Value::String(server)) = output(actual, &self.server, "ServerId")
        else {
            return Err(ResourceError::Refused(format!("{} has no id", self.server)));
        };
        let lambda = aws.lambda(&self.region);
        let Some(function) = lambda.function(&self.function).await? else {
            return Err(ResourceError::Refused(format!("function {} does not exist any more", self.function)));
        };
        let mut environment = function.environment;
        environment.insert(VARIABLE.to_owned(), server);
        Ok(lambda.set_environment(&self.function, environment, &function.revision).await?)
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
