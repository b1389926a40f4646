//! The role that Transfer Family assumes for a customer; its permissions are in its managed policies (`user_policy`).
//!
//! It is not in the template, because it is global and applies to every region's buckets, while a stack belongs to one
//! region. It is created before the stacks, because S3 refuses a bucket policy that names a role that does not exist.

use async_trait::async_trait;
use serde_json::{Value, json};
use sftpctl_aws::{Aws, AwsError, NewRole, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Properties, PropertyChange, Removal, RemovalOptions, compare};
use sftpctl_core::node::Node;
use sftpctl_core::policy;

use super::tags;
use super::user_policy::index_among;
use super::witness::Witness;
use crate::resources::resource::{Resource, ResourceError};

/// The stacks' parameter with its ARN.
pub(super) const PARAMETER: &str = "UserRoleArn";
/// A property that no run changes.
const OTHERS: &str = "other policies";
/// A property that is changed if the environment file names a boundary.
const BOUNDARY: &str = "permissions boundary";

#[derive(Clone, Debug)]
pub struct UserRole {
    pub id: NodeId,
    pub account: String,
    pub name: String,
    /// ARN of the first of our managed policies.
    pub policy: String,
    /// Regions whose servers may assume it.
    pub regions: Vec<String>,
    /// ARN of the permissions boundary; without it, an existing one is kept.
    pub boundary: Option<String>,
    pub tags: Tags,
    pub witness: Witness,
}

impl UserRole {
    /// Transfer Family assumes a user role in the context of the user's ARN (user guide, "Create an IAM role and
    /// policy"). The two conditions prevent its use by servers of other AWS accounts.
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

    /// ARNs of attached policies and names of inline ones.
    async fn policies(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let iam = aws.iam();
        let (inline, attached) = tokio::try_join!(iam.inline_policies(&self.name), iam.attached(&self.name))?;
        Ok(attached.unwrap_or_default().into_iter().chain(inline.unwrap_or_default().into_keys()).collect())
    }

    /// Policies that do not belong to this environment.
    async fn other_policies(&self, aws: &Aws) -> Result<Vec<String>, AwsError> {
        let mut all = self.policies(aws).await?;
        all.retain(|policy| index_among(&self.policy, policy).is_none());
        Ok(all)
    }

    /// Why it cannot be deleted: AWS does not delete a role with policies, and sftpctl does not detach foreign ones.
    fn foreign_policies(&self, others: &[String]) -> String {
        format!(
            "{} has policies that do not belong to this environment: {}; detach or delete them first",
            self.title(),
            others.join(", ")
        )
    }
}

impl Node for UserRole {
    fn kind(&self) -> Kind {
        Kind::UserRole
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        Vec::new()
    }

    fn may_be_imported(&self, _live: &Live) -> bool {
        true
    }

    fn title(&self) -> String {
        format!("role {}", self.name)
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        let mut wanted =
            Properties::from([("trust policy", self.trust().into()), ("tags", tags::wanted(&self.tags).into())]);
        if let Some(boundary) = &self.boundary {
            wanted.insert(BOUNDARY, boundary.clone().into());
        }
        wanted
    }
}

#[async_trait]
impl Resource for UserRole {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let Some(role) = aws.iam().role(&self.name).await? else { return Ok(None) };
        let remembered = known == Some(role.arn.as_str());
        let refers = self.witness.parameter(aws, PARAMETER, &role.arn);
        let owner = self.witness.owner(&role.tags, &self.title(), remembered, refers).await?;
        Ok(Some(
            Live::new(role.arn.clone())
                .owned_by(owner)
                .with(
                    "trust policy",
                    policy::as_wanted(serde_json::from_str(&role.trust).unwrap_or_default(), &self.trust()),
                )
                .with("tags", tags::live(&role.tags, &self.tags))
                .with(BOUNDARY, role.boundary),
        ))
    }

    async fn unmanaged(&self, aws: &Aws, live: &Live) -> Result<Vec<PropertyChange>, AwsError> {
        let mut have = live.properties.clone();
        have.insert(OTHERS, self.other_policies(aws).await?.into());
        let mut expected = Properties::from([(OTHERS, json!([]).into())]);
        if self.boundary.is_none() {
            expected.insert(BOUNDARY, Value::Null.into());
        }
        Ok(compare(&expected, &have))
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        change: &Change,
        live: Option<&Live>,
        _actual: &Actual,
    ) -> Result<(), ResourceError> {
        let iam = aws.iam();
        if live.is_none() {
            let description = "Assumed by AWS Transfer Family for customers of the SFTP service";
            let trust = self.trust().to_string();
            let (name, boundary, tags) = (&self.name, self.boundary.as_deref(), &self.tags);
            iam.create_role(&NewRole { name, description, trust: &trust, boundary, tags }).await?;
        } else if let Some(boundary) = self.boundary.as_ref().filter(|_| change.touches(BOUNDARY)) {
            // First: the printed policies allow no other change of a role without it.
            iam.set_boundary(&self.name, boundary).await?;
        } else if change.touches("trust policy") {
            iam.set_trust(&self.name, &self.trust().to_string()).await?;
        } else {
            iam.tag_role(&self.name, &self.tags).await?;
        }
        Ok(())
    }

    /// AWS does not delete a role with policies: foreign ones are reported before anything is deleted.
    async fn removal(&self, aws: &Aws, _live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        let others = self.other_policies(aws).await?;
        Ok(if others.is_empty() { Removal::Delete } else { Removal::Refuse(self.foreign_policies(&others)) })
    }

    async fn adoptable(&self, aws: &Aws, _live: &Live) -> Result<Tags, ResourceError> {
        let have = aws.iam().role(&self.name).await?.map(|role| role.tags).unwrap_or_default();
        tags::adopting(&have, &self.tags, &self.title())
    }

    async fn adopt(&self, aws: &Aws, _live: &Live, tags: &Tags) -> Result<(), ResourceError> {
        Ok(aws.iam().tag_role(&self.name, tags).await?)
    }

    async fn delete(
        &self,
        aws: &Aws,
        _call: &str,
        _live: &Live,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        // Our policies are already deleted; others may have been attached since the plan.
        match self.policies(aws).await?.as_slice() {
            [] => Ok(aws.iam().delete_role(&self.name).await?),
            others => Err(ResourceError::Refused(self.foreign_policies(others))),
        }
    }
}
