//! The managed policy of the user role: the union of the environment's upload buckets, in every region.
//!
//! The role is narrowed to one folder at each log-in by the session policy that the authorizer answers.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::resource::{Change, Kind, Live, NodeId, Properties, RemovalOptions, Resource, StepError, World};
use super::tags;
use crate::aws::{Aws, AwsError, Tags};

/// The wanted policy and its attachment.
#[derive(Clone, Debug)]
pub struct UserPolicy {
    /// Name in plans and state.
    pub id: NodeId,
    /// Node of the role.
    pub role_node: NodeId,
    /// The role's name.
    pub role: String,
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Upload buckets, sorted.
    pub buckets: Vec<String>,
    /// Tags.
    pub tags: Tags,
}

impl UserPolicy {
    fn document(&self) -> Value {
        let arns = |suffix: &str| -> Vec<String> {
            self.buckets.iter().map(|bucket| format!("arn:aws:s3:::{bucket}{suffix}")).collect()
        };
        json!({
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "ListBuckets",
                    "Effect": "Allow",
                    "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
                    "Resource": arns(""),
                },
                {
                    "Sid": "UseObjects",
                    "Effect": "Allow",
                    "Action": [
                        "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
                    ],
                    "Resource": arns("/*"),
                },
            ],
        })
    }
}

#[async_trait]
impl Resource for UserPolicy {
    fn kind(&self) -> Kind {
        Kind::UserPolicy
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        vec![self.role_node.clone()]
    }

    fn title(&self) -> String {
        format!("policy {}", self.name)
    }

    fn wanted(&self, _world: &World) -> Properties {
        Properties::from([
            ("document", self.document().into()),
            ("attached to", self.role.clone().into()),
            ("tags", tags::wanted(&self.tags).into()),
        ])
    }

    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let iam = aws.iam();
        let (policy, attached) = tokio::try_join!(iam.policy(&self.arn), iam.attached(&self.role))?;
        let attached = attached.is_some_and(|arns| arns.contains(&self.arn)).then(|| self.role.clone());
        Ok(policy.map(|(document, have)| {
            Live::new(&self.arn)
                .owned_by(tags::owner(&have, &self.tags, &self.title()))
                .with("document", serde_json::from_str::<Value>(&document).unwrap_or_default())
                .with("attached to", attached)
                .with("tags", tags::live(&have, &self.tags))
        }))
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
            let description = "Upload buckets of one SFTP environment";
            iam.create_policy(&self.name, description, &self.document().to_string(), &self.tags).await?;
        } else if change.touches("document") {
            iam.set_policy(&self.arn, &self.document().to_string()).await?;
        } else if change.touches("attached to") {
            iam.attach(&self.role, &self.arn).await?;
        } else {
            iam.tag_policy(&self.arn, &self.tags).await?;
        }
        Ok(())
    }

    async fn adopt(&self, aws: &Aws, _live: &Live) -> Result<(), StepError> {
        let have = aws.iam().policy(&self.arn).await?.map(|(_, tags)| tags).unwrap_or_default();
        Ok(aws.iam().tag_policy(&self.arn, &tags::adopting(&have, &self.tags, &self.title())?).await?)
    }

    async fn delete(&self, aws: &Aws, _call: &str, live: &Live, _options: RemovalOptions) -> Result<(), StepError> {
        let attached = live.properties.get("attached to").is_some_and(|role| !role.is_null());
        match attached {
            true => Ok(aws.iam().detach(&self.role, &self.arn).await?),
            false => Ok(aws.iam().delete_policy(&self.arn).await?),
        }
    }
}
