//! An upload bucket, beyond what its stack does.
//!
//! The stack creates it. This kind sees its policy as it is, because CloudFormation never looks again after putting
//! it: a policy changed by hand is put back, and so is one that names a dead id because the user role was made anew.
//! On teardown the stack leaves the bucket; only an empty one is deleted here, or any with `--delete-data`.

use async_trait::async_trait;
use serde_json::Value;

use super::resource::{
    Change, Kind, Live, NodeId, Owner, Properties, Removal, RemovalOptions, Resource, StepError, World,
};
use super::tags;
use crate::aws::{Aws, AwsError, Policy, S3, Tags};

/// The wanted policy of one bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Name in plans and state.
    pub id: NodeId,
    /// Its region.
    pub region: String,
    /// The account.
    pub account: String,
    /// Its name.
    pub name: String,
    /// The policy, the same that the template puts.
    pub policy: Value,
    /// Node of its stack.
    pub stack: NodeId,
    /// Tags.
    pub tags: Tags,
}

impl Bucket {
    async fn owned(&self, s3: &S3, live: Live) -> Result<Option<Live>, AwsError> {
        let have = s3.tags(&self.name, &self.account).await?.unwrap_or_default();
        Ok(Some(live.owned_by(tags::owner(&have, &self.tags, &self.title()))))
    }
}

#[async_trait]
impl Resource for Bucket {
    fn kind(&self) -> Kind {
        Kind::Bucket
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        vec![self.stack.clone()]
    }

    fn removed_after(&self) -> Vec<NodeId> {
        vec![self.stack.clone()]
    }

    fn title(&self) -> String {
        format!("bucket {}", self.name)
    }

    fn wanted(&self, _world: &World) -> Properties {
        Properties::from([("policy", self.policy.clone().into())])
    }

    fn diff(&self, live: Option<&Live>, world: &World) -> Option<Change> {
        // A bucket that isn't there, or that the stack still has to take back, is the stack's work.
        let live = live?;
        let in_stack = world
            .get(&self.stack)
            .and_then(Option::as_ref)
            .is_some_and(|stack| stack.outputs.contains_key("ApiId") || !stack.properties.contains_key("template"));
        let properties = super::resource::compare(&self.wanted(world), &live.properties);
        (in_stack && !properties.is_empty()).then(|| Change {
            action: super::resource::Action::Update,
            reason: Some("the policy is not the one that the stack puts".into()),
            properties,
        })
    }

    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let s3 = aws.s3(&self.region);
        let live = Live::new(&self.name);
        // State holds only what was ours; the expected owner of the call keeps another account's bucket out.
        let remembered = known == Some(self.name.as_str());
        match s3.policy(&self.name, &self.account).await? {
            Policy::NoBucket => Ok(None),
            Policy::NotOurs => Ok(Some(live.owned_by(Owner::Foreign(format!(
                "bucket {} belongs to another account, stands in another region, or its policy shuts these credentials \
                 out; bucket names are global: `names: {{ bucket_prefix: … }}` names others",
                self.name
            ))))),
            Policy::Document(document) => {
                let policy = serde_json::from_str::<Value>(&document).unwrap_or_default();
                let live = live.with("policy", policy.clone());
                // Our very policy on it is proof enough, and saves a call for each bucket.
                if policy == self.policy || remembered { Ok(Some(live)) } else { self.owned(&s3, live).await }
            }
            Policy::None if remembered => Ok(Some(live.with("policy", Value::Null))),
            Policy::None => self.owned(&s3, live.with("policy", Value::Null)).await,
        }
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        _change: &Change,
        _live: Option<&Live>,
        _world: &World,
    ) -> Result<(), StepError> {
        Ok(aws.s3(&self.region).set_policy(&self.name, &self.account, &self.policy.to_string()).await?)
    }

    async fn removal(&self, aws: &Aws, _live: &Live, options: RemovalOptions) -> Result<Removal, AwsError> {
        if options.delete_data || aws.s3(&self.region).versions(&self.name, 1).await?.is_empty() {
            return Ok(Removal::Delete);
        }
        Ok(Removal::Keep("it holds customers' files; --delete-data deletes them, with all versions".into()))
    }

    async fn adopt(&self, aws: &Aws, _live: &Live) -> Result<(), StepError> {
        let s3 = aws.s3(&self.region);
        let Some(have) = s3.tags(&self.name, &self.account).await? else {
            return Err(StepError::Refused(format!("there is no {} of this account", self.title())));
        };
        // S3 replaces the whole set, so what others put there is put back with it.
        let ours = super::tags::adopting(&have, &self.tags, &self.title())?;
        Ok(s3.set_tags(&self.name, &have.into_iter().chain(ours).collect()).await?)
    }

    async fn delete(&self, aws: &Aws, _call: &str, _live: &Live, options: RemovalOptions) -> Result<(), StepError> {
        let s3 = aws.s3(&self.region);
        if options.delete_data {
            loop {
                let versions = match s3.versions(&self.name, 1000).await {
                    Err(error) if error.is("NoSuchBucket") => return Ok(()),
                    other => other?,
                };
                if versions.is_empty() {
                    break;
                }
                s3.delete_versions(&self.name, &versions).await?;
            }
        }
        match s3.delete_bucket(&self.name).await {
            Err(error) if error.is("BucketNotEmpty") => {
                Err(StepError::Kept(format!("bucket {} is no longer empty: somebody uploads to it", self.name)))
            }
            other => Ok(other?),
        }
    }
}
