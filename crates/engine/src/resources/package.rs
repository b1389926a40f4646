//! The authorizer's package in the code bucket of a region.
//!
//! Not in the template: the stack needs it to exist first, and Lambda reads code only from its own region. The key
//! carries the content's digest, so an unchanged package needs no call and a changed one changes the stack's parameter.
//! Several environments of an AWS account may share the bucket, so only our objects are deleted, and the bucket with
//! the last object. `CreateBucket` does not take tags in every region, so an empty bucket without tags may have been
//! created by a run that was stopped: it is taken over, and the plan says so. Until then no teardown deletes it.

use std::sync::Arc;

use async_trait::async_trait;
use sftpctl_aws::{Aws, AwsError, S3, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Action, Actual, Change, Live, Owner, Properties, Removal, RemovalOptions, compare};
use sftpctl_core::node::Node;

use crate::package;
use crate::resources::resource::{Resource, ResourceError};

/// Key of the tag that marks a code bucket as sftpctl's.
const SHARED: &str = "sftpctl:code";
const PACKAGES: &str = "packages";

/// The property of a bucket that a run created but did not tag.
const UNFINISHED: &str = "unfinished";

#[derive(Clone)]
pub struct Package {
    pub id: NodeId,
    pub region: String,
    pub account: String,
    pub bucket: String,
    /// Key, with a digest of the content.
    pub key: String,
    /// The key without digest and extension: the prefix of all packages of this environment.
    pub stem: String,
    /// Prefix of this environment's templates that are too large to send inline.
    pub templates: String,
    pub content: Arc<package::Package>,
    /// Tags of the bucket, without the environment.
    pub tags: Tags,
    /// Whether its region is no longer in the environment file: then only leftovers are searched for.
    pub retired: bool,
}

impl Package {
    /// Whether the key is a package or a template of this environment. The prefix alone does not decide it:
    /// `pl-upload-` is also a prefix of another environment's `pl-upload-99-`.
    fn is_ours(&self, key: &str) -> bool {
        let digest = key.strip_prefix(&format!("{}-", self.stem)).and_then(|rest| rest.strip_suffix(".zip"));
        digest.is_some_and(|d| d.len() == 12 && d.bytes().all(|b| b.is_ascii_hexdigit()))
            || key.starts_with(&self.templates)
    }

    async fn create_bucket(&self, s3: &S3) -> Result<(), ResourceError> {
        s3.create_bucket(&self.bucket).await?;
        s3.block_public_access(&self.bucket).await?;
        // S3 replaces the whole set, so the existing tags are sent with it.
        let mut tags = s3.tags(&self.bucket, &self.account).await?.unwrap_or_default();
        tags.extend(self.tags.clone());
        tags.insert(SHARED.into(), PACKAGES.into());
        Ok(s3.set_tags(&self.bucket, &tags).await?)
    }
}

impl Node for Package {
    fn kind(&self) -> Kind {
        Kind::Package
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        Vec::new()
    }

    fn title(&self) -> String {
        format!("package {} in {}", self.key, self.bucket)
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::from([("object", self.key.clone().into()), (SHARED, PACKAGES.into())])
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        let empty = std::collections::BTreeMap::new();
        let properties = compare(&self.wanted(actual), live.map_or(&empty, |live| &live.properties));
        let has = |name: &str| live.is_some_and(|live| live.properties.contains_key(name));
        let taken_over = live.is_some() && !has(SHARED) && !has(UNFINISHED);
        (!properties.is_empty()).then(|| Change {
            action: if live.is_some() { Action::Update } else { Action::Create },
            reason: taken_over
                .then(|| format!("the empty bucket {} of this account, without tags, is taken over", self.bucket)),
            properties,
        })
    }
}

#[async_trait]
impl Resource for Package {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let s3 = aws.s3(&self.region);
        let live = Live::new(&self.bucket);
        match s3.object_exists(&self.bucket, &self.key, &self.account).await {
            Ok(true) => return Ok(Some(live.with("object", self.key.clone()).with(SHARED, PACKAGES))),
            Ok(false) => {}
            Err(error) if error.status == Some(403) || error.status == Some(301) => {
                let what = format!(
                    "bucket {} belongs to another AWS account, or these credentials may not read it; \
                     set `names: {{ code_bucket_prefix: … }}` to use another",
                    self.bucket
                );
                return Ok(Some(live.owned_by(Owner::Foreign(what))));
            }
            Err(error) => return Err(error),
        }
        match s3.tags(&self.bucket, &self.account).await? {
            None => Ok(None),
            Some(tags) if tags.contains_key(SHARED) => {
                let theirs = self.retired && !s3.keys(&self.bucket, "").await?.iter().any(|key| self.is_ours(key));
                Ok((!theirs).then(|| live.with(SHARED, PACKAGES)))
            }
            Some(tags)
                if (tags.is_empty() || known == Some(self.bucket.as_str()))
                    && s3.versions(&self.bucket, 1).await?.is_empty() =>
            {
                match known == Some(self.bucket.as_str()) {
                    // According to the state or the journal, a run created it and was stopped before it set the tag.
                    true => Ok(Some(live.with(UNFINISHED, true))),
                    false => Ok((!self.retired).then_some(live)),
                }
            }
            Some(_) if self.retired => Ok(None),
            Some(_) => Ok(Some(live.owned_by(Owner::Foreign(format!(
                "bucket {} exists without the tag {SHARED}; set `names: {{ code_bucket_prefix: … }}` to use another",
                self.bucket
            ))))),
        }
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        _change: &Change,
        live: Option<&Live>,
        _actual: &Actual,
    ) -> Result<(), ResourceError> {
        let s3 = aws.s3(&self.region);
        if live.is_none_or(|live| !live.properties.contains_key(SHARED)) {
            self.create_bucket(&s3).await?;
        }
        let content = Arc::clone(&self.content);
        // Zipping takes a second of CPU time, which must not block the display of the progress.
        let zip = match tokio::task::spawn_blocking(move || content.zip()).await {
            Ok(zip) => zip.map_err(|error| ResourceError::Refused(error.to_string()))?,
            Err(error) => return Err(ResourceError::Refused(format!("the authorizer could not be zipped: {error}"))),
        };
        Ok(s3.put_object(&self.bucket, &self.key, zip.to_vec(), &self.account).await?)
    }

    async fn removal(&self, aws: &Aws, live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        if ![SHARED, UNFINISHED].iter().any(|name| live.properties.contains_key(name)) {
            return Ok(Removal::Leave);
        }
        let keys = aws.s3(&self.region).keys(&self.bucket, "").await?;
        // Ours are already deleted; the bucket is deleted with the last environment's.
        let theirs = !keys.is_empty() && !keys.iter().any(|key| self.is_ours(key));
        Ok(if theirs { Removal::Leave } else { Removal::Delete })
    }

    async fn delete(
        &self,
        aws: &Aws,
        _call: &str,
        _live: &Live,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        let s3 = aws.s3(&self.region);
        let keys = match s3.keys(&self.bucket, "").await {
            Err(error) if error.is("NoSuchBucket") => return Ok(()),
            other => other?,
        };
        let (ours, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| self.is_ours(key));
        for key in ours {
            s3.delete_object(&self.bucket, &key).await?;
        }
        match others.first() {
            None => Ok(s3.delete_bucket(&self.bucket).await?),
            Some(other) => Err(ResourceError::Kept(format!(
                "bucket {} holds objects of other environments, such as {other}",
                self.bucket
            ))),
        }
    }
}
