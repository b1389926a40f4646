//! The managed policies of the user role: they allow access to all upload buckets of the environment, in every region.
//!
//! One policy is enough for about 80 buckets; the names of further ones end in a number. A bucket that moves from one
//! policy to another stays accessible meanwhile, because the bucket policy also admits the role. At each log-in the
//! session policy that the authorizer returns restricts the role to one folder.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use serde_json::Value;
use sftpctl_aws::{Aws, AwsError, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, RemovalOptions};
use sftpctl_core::node::Node;
use sftpctl_core::policy;
use sftpctl_core::user_policies::ATTACHED_AT_MOST;

use super::witness::Witness;
use super::{tags, user_role};
use crate::resources::resource::{Resource, ResourceError};

/// The managed policies and their attachment to the role.
#[derive(Clone, Debug)]
pub struct UserPolicy {
    pub id: NodeId,
    pub role_node: NodeId,
    pub role: String,
    pub role_arn: String,
    /// Name of the first policy; the others have a number after it.
    pub name: String,
    pub arn: String,
    pub documents: Vec<Value>,
    pub tags: Tags,
    pub witness: Witness,
}

/// A property for each policy.
const DOCUMENTS: [&str; ATTACHED_AT_MOST] = [
    "document",
    "document 2",
    "document 3",
    "document 4",
    "document 5",
    "document 6",
    "document 7",
    "document 8",
    "document 9",
    "document 10",
    "document 11",
    "document 12",
    "document 13",
    "document 14",
    "document 15",
    "document 16",
    "document 17",
    "document 18",
    "document 19",
    "document 20",
];
/// The output that lists our attached policies.
const ATTACHED: &str = "Attached";

/// The end of the name of the policy at this index: empty, `-2`, `-3`, …
fn suffix(index: usize) -> String {
    if index == 0 { String::new() } else { format!("-{}", index + 1) }
}

/// The index of the policy `arn` among the policies whose first has the ARN `first`.
pub(super) fn index_among(first: &str, arn: &str) -> Option<usize> {
    (0..ATTACHED_AT_MOST).find(|index| format!("{first}{}", suffix(*index)) == arn)
}

impl UserPolicy {
    fn arn(&self, index: usize) -> String {
        format!("{}{}", self.arn, suffix(index))
    }

    fn name(&self, index: usize) -> String {
        format!("{}{}", self.name, suffix(index))
    }

    /// Indexes of our attached policies.
    fn attached(&self, live: &Live) -> Vec<usize> {
        let arns = live.outputs.get(ATTACHED).map_or("", String::as_str);
        arns.split(' ').filter_map(|arn| index_among(&self.arn, arn)).collect()
    }
}

impl Node for UserPolicy {
    fn kind(&self) -> Kind {
        Kind::UserPolicy
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        vec![self.role_node.clone()]
    }

    fn may_be_imported(&self, _live: &Live) -> bool {
        true
    }

    fn title(&self) -> String {
        match self.documents.len() {
            1 => format!("policy {}", self.name),
            count => format!("policies {} to {}", self.name, self.name(count - 1)),
        }
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        let documents = self.documents.iter().cloned().chain(std::iter::repeat(Value::Null));
        let mut wanted: Properties = DOCUMENTS.into_iter().zip(documents.map(Into::into)).collect();
        wanted.insert("attached to", self.role.clone().into());
        wanted.insert("tags", tags::wanted(&self.tags).into());
        wanted
    }
}

#[async_trait]
impl Resource for UserPolicy {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let iam = aws.iam();
        let arns: Vec<String> = (0..self.documents.len()).map(|index| self.arn(index)).collect();
        let policies = try_join_all(arns.iter().map(|arn| iam.policy(arn)));
        let (policies, attached) = tokio::try_join!(policies, iam.attached(&self.role))?;
        if policies.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut attached = attached.unwrap_or_default();
        attached.retain(|arn| index_among(&self.arn, arn).is_some());
        // A policy with a name like ours may be foreign. The state does not have each policy, so only the tag decides.
        let spare: Vec<String> = attached.iter().filter(|arn| !arns.contains(arn)).cloned().collect();
        for (arn, policy) in spare.iter().zip(try_join_all(spare.iter().map(|arn| iam.policy(arn))).await?) {
            let ours = policy.is_some_and(|(_, have)| tags::owner(&have, &self.tags, arn) == Owner::Ours);
            attached.retain(|other| ours || other != arn);
        }
        let role = arns.iter().all(|arn| attached.contains(arn)).then(|| self.role.clone());
        let wanted = tags::wanted(&self.tags);
        let have: Vec<&Tags> = policies.iter().flatten().map(|(_, tags)| tags).collect();
        let differing = have.iter().map(|have| tags::live(have, &self.tags)).find(|have| *have != wanted);
        let remembered = known == Some(self.arn.as_str());
        let mut owner = Owner::Ours;
        for have in have {
            // The stack refers to the role, and the role to its policies.
            let refers = async {
                Ok(role.is_some() && self.witness.parameter(aws, user_role::PARAMETER, &self.role_arn).await?)
            };
            if owner == Owner::Ours {
                owner = self.witness.owner(have, &self.title(), remembered, refers).await?;
            }
        }
        let mut live = Live::new(&self.arn)
            .owned_by(owner)
            .with("attached to", role)
            .with("tags", differing.unwrap_or(wanted))
            .output(ATTACHED, attached.join(" "));
        for ((property, policy), wanted) in DOCUMENTS.into_iter().zip(&policies).zip(&self.documents) {
            let document = policy
                .as_ref()
                .map(|(document, _)| policy::as_wanted(serde_json::from_str(document).unwrap_or_default(), wanted));
            live = live.with(property, document);
        }
        // Policies that an environment file with more buckets needed.
        for index in
            attached.iter().filter_map(|arn| index_among(&self.arn, arn)).filter(|index| *index >= policies.len())
        {
            live = live.with(DOCUMENTS[index], "attached");
        }
        Ok(Some(live))
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
        let nothing = BTreeMap::new();
        let have = live.map_or(&nothing, |live| &live.properties);
        let wanted = self.documents.iter().enumerate().filter(|(index, _)| change.touches(DOCUMENTS[*index]));
        let mut written = false;
        for (index, document) in wanted {
            let document = document.to_string();
            match have.get(DOCUMENTS[index]) {
                None | Some(Value::Null) => {
                    let description = "Upload buckets of one SFTP environment";
                    iam.create_policy(&self.name(index), description, &document, &self.tags).await?;
                }
                Some(_) => iam.set_policy(&self.arn(index), &document).await?,
            }
            written = true;
        }
        if written {
            return Ok(());
        }
        if change.touches("attached to") {
            for index in 0..self.documents.len() {
                iam.attach(&self.role, &self.arn(index)).await?;
            }
            return Ok(());
        }
        let spare = (self.documents.len()..ATTACHED_AT_MOST).filter(|index| change.touches(DOCUMENTS[*index]));
        for index in spare {
            iam.detach(&self.role, &self.arn(index)).await?;
            iam.delete_policy(&self.arn(index)).await?;
            written = true;
        }
        if !written {
            for index in 0..self.documents.len() {
                iam.tag_policy(&self.arn(index), &self.tags).await?;
            }
        }
        Ok(())
    }

    async fn adoptable(&self, aws: &Aws, _live: &Live) -> Result<Tags, ResourceError> {
        let mut tag = Tags::new();
        for index in 0..self.documents.len() {
            if let Some((_, have)) = aws.iam().policy(&self.arn(index)).await? {
                tag = tags::adopting(&have, &self.tags, &self.title())?;
            }
        }
        Ok(tag)
    }

    async fn adopt(&self, aws: &Aws, _live: &Live, tags: &Tags) -> Result<(), ResourceError> {
        for index in 0..self.documents.len() {
            let arn = self.arn(index);
            if aws.iam().policy(&arn).await?.is_some() {
                aws.iam().tag_policy(&arn, tags).await?;
            }
        }
        Ok(())
    }

    async fn delete(&self, aws: &Aws, _call: &str, live: &Live, _options: RemovalOptions) -> Result<(), ResourceError> {
        let iam = aws.iam();
        let attached = self.attached(live);
        for index in &attached {
            iam.detach(&self.role, &self.arn(*index)).await?;
            // It is deleted at once, since a detached policy would not be found again.
            if *index >= self.documents.len() {
                iam.delete_policy(&self.arn(*index)).await?;
            }
        }
        if attached.is_empty() {
            for index in 0..self.documents.len() {
                iam.delete_policy(&self.arn(index)).await?;
            }
        }
        Ok(())
    }
}
