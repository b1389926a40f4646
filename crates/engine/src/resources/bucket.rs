//! An upload bucket: its policy, its settings before an import, and its deletion.
//!
//! The stack creates it. This kind reads its policy, because CloudFormation never checks a policy again after setting
//! it: a policy that was changed by hand is restored, and so is one with the ID of a deleted role, after the user role
//! was recreated. On teardown the stack leaves the bucket; it is deleted here if it is empty, or with `--delete-data`.
//!
//! A bucket's settings (versioning, encryption, public access block, ownership) belong to the stack as well, but an
//! import changes nothing on a bucket, and CloudFormation assumes from then on that it matches the template. So the
//! settings are applied before the stack imports the bucket ([`apply_settings`]). A bucket with exactly our policy was
//! prepared in this way, or was created by the stack, since only a bucket in the stack has that policy: its settings
//! are not read again on every run. `sftpctl drift` checks them.
//!
//! CloudFormation replaces all of a bucket's tags when those of its stack change. So the tags that the owner of an
//! adopted bucket has set are remembered when it is adopted, and restored beside the stack's. Its lifecycle rules stay
//! unchanged: CloudFormation never changes them after an import.

use async_trait::async_trait;
use serde_json::Value;
use sftpctl_aws::{Aws, AwsError, BucketName, BucketSettings, Policy, S3, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, Removal, RemovalOptions};
use sftpctl_core::node::Node;
use sftpctl_core::policy;
use sftpctl_core::spec::names;

use super::stray::{self, Orphan, Search, Stray};
use super::tags::{self, PROPERTY};
use super::witness::Witness;
use crate::resources::resource::{Resource, ResourceError};

#[derive(Clone, Debug)]
pub struct Bucket {
    pub id: NodeId,
    pub region: String,
    pub account: String,
    pub name: String,
    /// The policy, the same as in the template.
    pub policy: Value,
    /// Node of its stack.
    pub stack: NodeId,
    pub tags: Tags,
    pub witness: Witness,
    /// Tags that its owner had set before it was adopted.
    pub kept_tags: Tags,
}

/// The tag that CloudFormation sets on the buckets of a stack.
const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// A bucket's settings as properties, each with the template's value.
pub(super) const SETTINGS: [(&str, &str); 4] = [
    ("versioning", "Enabled"),
    ("encryption", "AES256"),
    ("public access", "blocked"),
    ("object ownership", "BucketOwnerEnforced"),
];

/// Adds the settings as properties.
fn with_settings(live: Live, settings: BucketSettings) -> Live {
    live.with("versioning", settings.versioning)
        .with("encryption", settings.encryption)
        .with("public access", if settings.shut { "blocked" } else { "not blocked in all four ways" })
        .with("object ownership", settings.ownership)
}

/// Prepares a bucket for its import into a stack: applies the template's settings and deletes the policy, since
/// CloudFormation does not create a policy where one exists ("The bucket policy already exists on bucket"). The update
/// that follows sets the stack's policy.
pub(super) async fn prepare_for_import(s3: &S3, bucket: &str, account: &str) -> Result<(), AwsError> {
    apply_settings(s3, bucket, account).await?;
    match s3.policy(bucket, account).await? {
        Policy::Document(_) => s3.delete_policy(bucket, account).await,
        _ => Ok(()),
    }
}

/// Applies the template's settings where the bucket's differ.
async fn apply_settings(s3: &S3, bucket: &str, account: &str) -> Result<(), AwsError> {
    let live = with_settings(Live::new(bucket), s3.settings(bucket, account).await?);
    for (name, wanted) in SETTINGS {
        if live.properties.get(name).and_then(Value::as_str) == Some(wanted) {
            continue;
        }
        match name {
            "versioning" => s3.enable_versioning(bucket, account).await?,
            "encryption" => s3.encrypt(bucket, account).await?,
            "public access" => s3.block_public_access(bucket).await?,
            _ => s3.own_objects(bucket, account).await?,
        }
    }
    Ok(())
}

impl Bucket {
    /// Adds the owner and the settings; the settings of a foreign bucket are not read.
    async fn with_details(&self, aws: &Aws, live: Live, remembered: bool) -> Result<Option<Live>, AwsError> {
        let s3 = aws.s3(&self.region);
        let have = s3.tags(&self.name, &self.account).await?.unwrap_or_default();
        let refers = self.witness.contains(aws, &self.name);
        let owner = self.witness.owner(&have, &self.title(), remembered, refers).await?;
        if owner != Owner::Ours {
            // Only CloudFormation can set its own tags.
            let theirs = have.into_iter().filter(|(key, _)| !key.starts_with("aws:")).collect();
            return Ok(Some(live.with(PROPERTY, tags::wanted(&theirs)).owned_by(owner)));
        }
        Ok(Some(with_settings(live, s3.settings(&self.name, &self.account).await?)))
    }
}

impl Node for Bucket {
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

    fn may_be_imported(&self, _live: &Live) -> bool {
        true
    }

    fn title(&self) -> String {
        format!("bucket {}", self.name)
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        let mut wanted = Properties::from([("policy", self.policy.clone().into())]);
        wanted.extend(SETTINGS.map(|(name, value)| (name, value.into())));
        if !self.kept_tags.is_empty() {
            wanted.insert(PROPERTY, tags::wanted(&self.kept_tags).into());
        }
        wanted
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        // The stack creates a missing bucket, and imports a kept one.
        let live = live?;
        let in_stack = actual
            .get(&self.stack)
            .and_then(Option::as_ref)
            .is_some_and(|stack| stack.outputs.contains_key("ApiId") || !stack.properties.contains_key("template"));
        let mut wanted = self.wanted(actual);
        wanted.retain(|name, _| live.properties.contains_key(name));
        let properties = sftpctl_core::model::compare(&wanted, &live.properties);
        (in_stack && !properties.is_empty()).then(|| Change {
            action: sftpctl_core::model::Action::Update,
            reason: Some("it differs from the stack's template".into()),
            properties,
        })
    }
}

#[async_trait]
impl Resource for Bucket {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let s3 = aws.s3(&self.region);
        let live = Live::new(&self.name);
        // The expected owner in the calls excludes another account's bucket.
        let remembered = known == Some(self.name.as_str());
        let live = match s3.policy(&self.name, &self.account).await? {
            Policy::NoBucket => None,
            Policy::NotOurs => Some(live.owned_by(Owner::Foreign(format!(
                "bucket {} belongs to another AWS account, is in another region, or has a policy that denies these \
                 credentials; bucket names are global: set `names: {{ bucket_prefix: … }}` to use other names",
                self.name
            )))),
            Policy::Document(document) => {
                let policy = serde_json::from_str::<Value>(&document).unwrap_or_default();
                let policy = policy::as_wanted(policy, &self.policy);
                let live = live.with("policy", policy.clone());
                // Exactly our policy proves that the bucket is ours and prepared, which saves five calls for each
                // bucket.
                if policy == self.policy { Some(live) } else { self.with_details(aws, live, remembered).await? }
            }
            Policy::None => self.with_details(aws, live.with("policy", Value::Null), remembered).await?,
        };
        match live {
            Some(live) if live.owner == Owner::Ours && !self.kept_tags.is_empty() => {
                let have = s3.tags(&self.name, &self.account).await?.unwrap_or_default();
                Ok(Some(live.with(PROPERTY, tags::live(&have, &self.kept_tags))))
            }
            other => Ok(other),
        }
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        change: &Change,
        _live: Option<&Live>,
        _actual: &Actual,
    ) -> Result<(), ResourceError> {
        let s3 = aws.s3(&self.region);
        // The policy last: once it is ours, the settings are not read again.
        if SETTINGS.iter().any(|(name, _)| change.touches(name)) {
            return Ok(apply_settings(&s3, &self.name, &self.account).await?);
        }
        if change.touches(PROPERTY) {
            // S3 replaces the whole set.
            let mut all = s3.tags(&self.name, &self.account).await?.unwrap_or_default();
            all.extend(self.kept_tags.clone());
            s3.set_tags(&self.name, &all).await?;
        }
        if change.touches("policy") {
            s3.set_policy(&self.name, &self.account, &self.policy.to_string()).await?;
        }
        Ok(())
    }

    async fn removal(&self, aws: &Aws, _live: &Live, options: RemovalOptions) -> Result<Removal, AwsError> {
        if options.delete_data || aws.s3(&self.region).versions(&self.name, 1).await?.is_empty() {
            return Ok(Removal::Delete);
        }
        Ok(Removal::Keep("it holds customers' files; --delete-data deletes them, with all versions".into()))
    }

    async fn adoptable(&self, aws: &Aws, _live: &Live) -> Result<Tags, ResourceError> {
        let Some(have) = aws.s3(&self.region).tags(&self.name, &self.account).await? else {
            return Err(ResourceError::Refused(format!("{} does not exist in this account", self.title())));
        };
        // The tag stays on a bucket that was removed from its stack.
        if have.contains_key(STACK_TAG)
            && let Some(stack) = aws.cloudformation(&self.region).stack_with(&self.name).await?
        {
            return Err(ResourceError::Refused(format!(
                "{} is in the stack {stack}, and a bucket can be in only one stack. Remove it from that stack first: \
                 set `DeletionPolicy: Retain` on it in the stack's template and update the stack, then remove it \
                 from the template and update again",
                self.title()
            )));
        }
        super::tags::adopting(&have, &self.tags, &self.title())
    }

    async fn adopt(&self, aws: &Aws, _live: &Live, tags: &Tags) -> Result<(), ResourceError> {
        let s3 = aws.s3(&self.region);
        // S3 replaces the whole set, so the existing tags are sent with it.
        let mut all = s3.tags(&self.name, &self.account).await?.unwrap_or_default();
        all.extend(tags.clone());
        Ok(s3.set_tags(&self.name, &all).await?)
    }

    async fn delete(&self, aws: &Aws, _call: &str, _live: &Live, options: RemovalOptions) -> Result<(), ResourceError> {
        remove(aws, &self.region, &self.name, options).await
    }
}

/// Deletes a bucket; with `delete_data`, also all versions of its files.
async fn remove(aws: &Aws, region: &str, name: &str, options: RemovalOptions) -> Result<(), ResourceError> {
    let s3 = aws.s3(region);
    if options.delete_data {
        loop {
            let versions = match s3.versions(name, 1000).await {
                Err(error) if error.is("NoSuchBucket") => return Ok(()),
                other => other?,
            };
            if versions.is_empty() {
                break;
            }
            s3.delete_versions(name, &versions).await?;
        }
    }
    match s3.delete_bucket(name).await {
        Err(error) if error.is("BucketNotEmpty") => {
            Err(ResourceError::Kept(format!("bucket {name} is no longer empty: files were uploaded meanwhile")))
        }
        other => Ok(other?),
    }
}

/// Buckets with the environment's tag that belong to none of its clusters, found by the prefix of their names.
#[derive(Debug)]
pub(super) struct Strays;

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::Bucket
    }

    fn plural(&self) -> &'static str {
        "buckets"
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError> {
        let environment = search.environment;
        let s3 = search.aws.s3(region);
        let mut found = Vec::new();
        for BucketName { name, region: at } in search.buckets().await? {
            if environment.clusters.keys().any(|c| names::upload_bucket(environment, c) == name) {
                continue;
            }
            let at = match at {
                Some(at) => Some(at),
                None => s3.location(&name).await?,
            };
            if at.as_deref() != Some(region) {
                continue;
            }
            if s3.tags(&name, &environment.account).await?.is_some_and(|tags| search.is_tagged(&tags)) {
                found.push(search.orphan(&Strays, region, &name, "may hold customers' files"));
            }
        }
        Ok(found)
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        // The call fails for a bucket of another account.
        let found = aws.s3(&orphan.region).tags(&orphan.identity, &orphan.account).await?;
        Ok(found.map(|tags| stray::live(orphan, "").owned_by(orphan.owner(&tags))))
    }

    async fn removal(&self, aws: &Aws, orphan: &Orphan, _options: RemovalOptions) -> Result<Removal, AwsError> {
        match aws.s3(&orphan.region).versions(&orphan.identity, 1).await?.is_empty() {
            true => Ok(Removal::Delete),
            false => Ok(Removal::Keep("it holds customers' files; --delete-data deletes it".to_owned())),
        }
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        _call: &str,
        options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        remove(aws, &orphan.region, &orphan.identity, options).await
    }
}
