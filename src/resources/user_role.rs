//! The role that Transfer assumes for a customer; what it may do is in its managed policy (`user_policy`).
//!
//! Not in the template: it is global and names every region's buckets, while a stack belongs to one region. It comes
//! before the stacks, because S3 refuses a bucket policy that names a role which doesn't exist.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::resource::{
    Change, Kind, Live, NodeId, Properties, PropertyChange, Removal, RemovalOptions, Resource, StepError, World,
    differing,
};
use super::tags;
use super::user_policy::is_one_of;
use crate::aws::{Aws, AwsError, Tags};

/// The wanted role.
#[derive(Clone, Debug)]
pub struct UserRole {
    /// Name in plans and state.
    pub id: NodeId,
    /// The account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// ARN of the first of its own managed policies.
    pub policy: String,
    /// Regions whose servers may assume it.
    pub regions: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

impl UserRole {
    /// Transfer assumes a user role in the context of the user's ARN (Transfer user guide, "Create an IAM role and
    /// policy"); both conditions keep another account's server from borrowing it.
    fn trust(&self) -> Value {
        let users: Vec<_> =
            self.regions.iter().map(|region| format!("arn:aws:transfer:{region}:{}:user/*", self.account)).collect();
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": { "Service": "transfer.amazonaws.com" },
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": { "aws:SourceAccount": self.account },
                    "ArnLike": { "aws:SourceArn": users },
                },
            }],
        })
    }
}

#[async_trait]
impl Resource for UserRole {
    fn kind(&self) -> Kind {
        Kind::UserRole
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        Vec::new()
    }

    fn title(&self) -> String {
        format!("role {}", self.name)
    }

    fn wanted(&self, _world: &World) -> Properties {
        Properties::from([("trust policy", self.trust().into()), ("tags", tags::wanted(&self.tags).into())])
    }

    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        Ok(aws.iam().role(&self.name).await?.map(|role| {
            let remembered = known == Some(role.arn.as_str());
            Live::new(role.arn)
                .owned_by(tags::owner_known(&role.tags, &self.tags, &self.title(), remembered))
                .with("trust policy", serde_json::from_str::<Value>(&role.trust).unwrap_or_default())
                .with("tags", tags::live(&role.tags, &self.tags))
        }))
    }

    async fn unmanaged(&self, aws: &Aws, _live: &Live) -> Result<Vec<PropertyChange>, AwsError> {
        let iam = aws.iam();
        let all = tokio::try_join!(iam.role(&self.name), iam.inline_policies(&self.name), iam.attached(&self.name))?;
        let (Some(role), Some(inline), Some(attached)) = all else { return Ok(Vec::new()) };
        let others: Vec<_> = attached.into_iter().filter(|arn| !is_one_of(&self.policy, arn)).collect();
        Ok(differing([
            ("inline policies", json!(inline.into_keys().collect::<Vec<_>>()), json!([])),
            ("other managed policies", json!(others), json!([])),
            ("permissions boundary", role.boundary.into(), Value::Null),
        ]))
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        change: &Change,
        live: Option<&Live>,
        _world: &World,
    ) -> Result<(), StepError> {
        let iam = aws.iam();
        if live.is_none() {
            let description = "Assumed by AWS Transfer Family for customers of the SFTP service";
            iam.create_role(&self.name, description, &self.trust().to_string(), &self.tags).await?;
        } else if change.touches("trust policy") {
            iam.set_trust(&self.name, &self.trust().to_string()).await?;
        } else {
            iam.tag_role(&self.name, &self.tags).await?;
        }
        Ok(())
    }

    /// AWS deletes no role that has policies, and theirs are not ours to take away: said before anything goes.
    async fn removal(&self, aws: &Aws, _live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        let iam = aws.iam();
        let (inline, attached) = tokio::try_join!(iam.inline_policies(&self.name), iam.attached(&self.name))?;
        let attached = attached.unwrap_or_default().into_iter().filter(|arn| !is_one_of(&self.policy, arn));
        let others: Vec<String> = attached.chain(inline.unwrap_or_default().into_keys()).collect();
        Ok(match others.as_slice() {
            [] => Removal::Delete,
            others => Removal::Refuse(format!(
                "{} has policies that this environment did not give it: {}; take them away first",
                self.title(),
                others.join(", ")
            )),
        })
    }

    async fn adoptable(&self, aws: &Aws, _live: &Live) -> Result<Tags, StepError> {
        let have = aws.iam().role(&self.name).await?.map(|role| role.tags).unwrap_or_default();
        tags::adopting(&have, &self.tags, &self.title())
    }

    async fn adopt(&self, aws: &Aws, _live: &Live, tags: &Tags) -> Result<(), StepError> {
        Ok(aws.iam().tag_role(&self.name, tags).await?)
    }

    async fn delete(&self, aws: &Aws, _call: &str, _live: &Live, _options: RemovalOptions) -> Result<(), StepError> {
        let iam = aws.iam();
        // Somebody may have attached more; a role with policies cannot be deleted, and theirs is not ours to detach.
        match iam.attached(&self.name).await?.unwrap_or_default().as_slice() {
            [] => Ok(iam.delete_role(&self.name).await?),
            others => Err(StepError::Refused(format!(
                "{} still has policies attached that this environment did not attach: {}; detach them first",
                self.title(),
                others.join(", ")
            ))),
        }
    }
}
