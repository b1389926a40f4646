//! API Gateway's account-wide role for logs, once per region.
//!
//! It is not in the template, because it belongs to the AWS account, not to one stack. Without it a stage with logs
//! fails with "CloudWatch Logs role ARN must be set in account settings". It is set only where it is empty; a role that
//! is already set is used, never replaced or removed. Ours is removed when no other API of the region
//! needs it, be it a REST, a WebSocket or an HTTP API: the setting is the same for all three.

use async_trait::async_trait;
use serde_json::json;
use sftpctl_aws::{Aws, AwsError, Iam, NewRole, RoleFacts, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, Removal, RemovalOptions};
use sftpctl_core::node::Node;

use super::tags;
use crate::resources::resource::{Resource, ResourceError};

/// AWS's managed policy for this role.
const POLICY: &str = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs";

/// The setting of one region.
#[derive(Clone, Debug)]
pub struct ApiAccount {
    pub id: NodeId,
    pub region: String,
    /// Every region of the environment: the role is deleted when no region's setting names it.
    pub regions: Vec<String>,
    /// Name of the role that is created where none is set.
    pub role: String,
    pub role_arn: String,
    /// ARN of the role's permissions boundary.
    pub boundary: Option<String>,
    /// Name of this environment's API in the region.
    pub api: String,
    pub tags: Tags,
}

impl ApiAccount {
    /// The owner of a role with our name.
    fn owner(&self, role: &RoleFacts) -> Owner {
        tags::owner(&role.tags, &self.tags, &format!("role {}", self.role))
    }

    /// Gives an older role the permissions boundary: the printed policies allow no other change of a role without it.
    async fn bound(&self, iam: &Iam) -> Result<(), AwsError> {
        let Some(boundary) = &self.boundary else { return Ok(()) };
        match iam.role(&self.role).await? {
            Some(role) if role.boundary.as_ref() != Some(boundary) => iam.set_boundary(&self.role, boundary).await,
            _ => Ok(()),
        }
    }

    /// Whether the setting of any region names our role.
    async fn is_in_use(&self, aws: &Aws) -> Result<bool, AwsError> {
        for region in &self.regions {
            if aws.apigateway(region).log_role().await?.as_deref() == Some(self.role_arn.as_str()) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Node for ApiAccount {
    fn kind(&self) -> Kind {
        Kind::ApiAccount
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        Vec::new()
    }

    fn title(&self) -> String {
        "API Gateway's role for logs".to_owned()
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::from([("set", true.into())])
    }
}

#[async_trait]
impl Resource for ApiAccount {
    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        if let Some(arn) = aws.apigateway(&self.region).log_role().await? {
            return Ok(Some(Live::new(arn).with("set", true)));
        }
        let Some(role) = aws.iam().role(&self.role).await? else { return Ok(None) };
        let live = Live::new(self.role_arn.clone()).with("set", false);
        match self.owner(&role) {
            // A run that was killed between resetting the last region and deleting the role left the role behind.
            Owner::Ours => Ok((!self.is_in_use(aws).await?).then_some(live)),
            foreign => Ok(Some(live.owned_by(foreign))),
        }
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        _change: &Change,
        _live: Option<&Live>,
        _actual: &Actual,
    ) -> Result<(), ResourceError> {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "apigateway.amazonaws.com" },
                "Action": "sts:AssumeRole",
            }],
        });
        let iam = aws.iam();
        iam.create_role(&NewRole {
            name: &self.role,
            description: "Lets API Gateway write logs",
            trust: &trust.to_string(),
            boundary: self.boundary.as_deref(),
            tags: &self.tags,
        })
        .await?;
        self.bound(&iam).await?;
        iam.attach(&self.role, POLICY).await?;
        Ok(aws.apigateway(&self.region).set_log_role(&self.role_arn).await?)
    }

    async fn removal(&self, aws: &Aws, live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        let ours = async || {
            Ok::<_, AwsError>(aws.iam().role(&self.role).await?.is_none_or(|role| self.owner(&role) == Owner::Ours))
        };
        if live.identity != self.role_arn || !ours().await? {
            return Ok(Removal::Leave);
        }
        let gateway = aws.apigateway(&self.region);
        let mut others: Vec<_> = gateway.api_names().await?.into_iter().filter(|name| *name != self.api).collect();
        match gateway.v2_api_names().await {
            Ok(names) => others.extend(names),
            Err(error) if error.is_transient() => return Err(error),
            // Keeping it costs nothing, and removing it may end the logs of others.
            Err(error) => {
                return Ok(Removal::Keep(format!(
                    "whether WebSocket or HTTP APIs use it to write logs could not be read: {error}"
                )));
            }
        }
        Ok(match others.as_slice() {
            [] => Removal::Delete,
            _ => Removal::Keep(format!("other APIs use it to write logs: {}", others.join(", "))),
        })
    }

    async fn delete(
        &self,
        aws: &Aws,
        _call: &str,
        _live: &Live,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        aws.apigateway(&self.region).set_log_role("").await?;
        if self.is_in_use(aws).await? {
            return Ok(());
        }
        let iam = aws.iam();
        if iam.role(&self.role).await?.is_some_and(|role| self.owner(&role) != Owner::Ours) {
            return Err(ResourceError::Kept(format!("role {} does not belong to this environment", self.role)));
        }
        iam.detach(&self.role, POLICY).await?;
        Ok(iam.delete_role(&self.role).await?)
    }
}
