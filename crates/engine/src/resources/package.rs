//! The authorizer's package in the code bucket of a region.
//!
//! Not in the template: the stack needs it to be there first, and Lambda reads code only from its own region. The key
//! carries the content's digest, so an unchanged package is no work and a changed one changes the stack's parameter.
//! The bucket may serve several environments of an account: only our objects go, the bucket with the last of them.
//! CreateBucket takes no tags everywhere, so a bucket that is empty and has none may be the work of a run that was stopped:
//! it is taken over, and the plan says so. No teardown removes it before.

use std::sync::Arc;

use async_trait::async_trait;

use crate::package;
use crate::resources::resource::{Resource, ResourceError};
use sftpctl_aws::{Aws, AwsError, S3, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Action, Actual, Change, Live, Owner, Properties, Removal, RemovalOptions, compare};
use sftpctl_core::node::Node;

/// The tag that says a code bucket is sftpctl's.
const SHARED: &str = "sftpctl:code";
/// Its value.
const PACKAGES: &str = "packages";

/// The property of a bucket that a run began to make and did not tag.
const UNFINISHED: &str = "unfinished";

/// The wanted object.
#[derive(Clone)]
pub struct Package {
    /// Name in plans and state.
    pub id: NodeId,
    /// Its region.
    pub region: String,
    /// The account.
    pub account: String,
    /// The bucket.
    pub bucket: String,
    /// Key, with a digest of the content.
    pub key: String,
    /// The key without digest and ending: what all packages of this environment begin with.
    pub stem: String,
    /// Where templates of this environment begin that are too large to send inline.
    pub templates: String,
    /// The authorizer.
    pub content: Arc<package::Package>,
    /// Tags of the bucket, without the environment.
    pub tags: Tags,
    /// Nothing is wanted of it any more: only what is left of it is looked for.
    pub retired: bool,
}

impl Package {
    /// Whether the key is a package or a template of this environment: `pl-upload-` also begins another's `pl-upload-99-`.
    fn is_ours(&self, key: &str) -> bool {
        let digest = key.strip_prefix(&format!("{}-", self.stem)).and_then(|rest| rest.strip_suffix(".zip"));
        digest.is_some_and(|d| d.len() == 12 && d.bytes().all(|b| b.is_ascii_hexdigit()))
            || key.starts_with(&self.templates)
    }

    async fn make_bucket(&self, s3: &S3) -> Result<(), ResourceError> {
        s3.create_bucket(&self.bucket).await?;
        s3.block_public_access(&self.bucket).await?;
        // S3 replaces the whole set, so what others put there is put back with it.
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

    fn wanted(&self, _world: &Actual) -> Properties {
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
                    "bucket {} belongs to another account, or these credentials may not read it; \
                     `names: {{ code_bucket_prefix: … }}` names another",
                    self.bucket
                );
                return Ok(Some(live.owned_by(Owner::Foreign(what))));
            }
            Err(error) => return Err(error),
        }
        match s3.tags(&self.bucket, &self.account).await? {
            None => Ok(None),
            Some(tags) if tags.contains_key(SHARED) => {
                let others = self.retired && !s3.keys(&self.bucket, "").await?.iter().any(|key| self.is_ours(key));
                Ok((!others).then(|| live.with(SHARED, PACKAGES)))
            }
            Some(tags)
                if (tags.is_empty() || known == Some(self.bucket.as_str()))
                    && s3.versions(&self.bucket, 1).await?.is_empty() =>
            {
                match known == Some(self.bucket.as_str()) {
                    // State or journal remember that a run made it; it was stopped before it could put the tag.
                    true => Ok(Some(live.with(UNFINISHED, true))),
                    false => Ok((!self.retired).then_some(live)),
                }
            }
            Some(_) if self.retired => Ok(None),
            Some(_) => Ok(Some(live.owned_by(Owner::Foreign(format!(
                "bucket {} exists without the tag {SHARED}; `names: {{ code_bucket_prefix: … }}` names another",
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
        _world: &Actual,
    ) -> Result<(), ResourceError> {
        let s3 = aws.s3(&self.region);
        if live.is_none_or(|live| !live.properties.contains_key(SHARED)) {
            self.make_bucket(&s3).await?;
        }
        let content = Arc::clone(&self.content);
        // Zipping takes a second of a processor, not of the task that draws the progress.
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
        // Others' packages only: ours have gone, and the bucket goes with theirs.
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
            Some(other) => {
                Err(ResourceError::Kept(format!("bucket {} holds others' objects, such as {other}", self.bucket)))
            }
        }
    }
}
