//! The authorizer's package in the code bucket of a region.
//!
//! Not in the template: the stack needs it to exist first, and Lambda reads code only from its own region. The key
//! carries a digest of the binary, so a changed package changes the stack's parameter. The key proves nothing: whoever
//! may write to the bucket can put something else there. So the object's SHA-256 is compared on every run, and the
//! stack names the version of the object that has it.
//!
//! Several environments of an AWS account may share the bucket, so only our objects are deleted, and the bucket with
//! the last object. `CreateBucket` does not take tags in every region, so an empty bucket without tags may have been
//! created by a run that was stopped: it is taken over, and the plan says so. Until then no teardown deletes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sftpctl_aws::{Aws, AwsError, Download, S3, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Action, Actual, Change, Live, Owner, Properties, Removal, RemovalOptions, compare};
use sftpctl_core::node::Node;
use sha2::{Digest as _, Sha256};

use crate::package;
use crate::resources::resource::{Resource, ResourceError};

/// Key of the tag that marks a code bucket as sftpctl's.
const SHARED: &str = "sftpctl:code";
const PACKAGES: &str = "packages";

/// The output with the version of the object that has our content; empty where S3 keeps no versions.
pub(super) const VERSION: &str = "VersionId";
const SHA256: &str = "SHA-256";
const VERSIONED: &str = "versioned";
/// How often the object is written again in one run because it has no version. AWS advises to wait for 15 minutes after
/// versioning is turned on (Amazon S3 user guide, "Enabling versioning on buckets"); after that many it is used without.
const PUTS: u32 = 2;

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
    /// How often this run has written the object.
    pub puts: Arc<AtomicU32>,
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

    /// The object, if it is there: its content may be another's.
    async fn object(&self, s3: &S3) -> Result<Option<Live>, AwsError> {
        let Some(object) = s3.stored(&self.bucket, &self.key, &self.account).await? else { return Ok(None) };
        let sha256 = match object.sha256 {
            Some(sha256) => Some(sha256),
            None => match s3.open_version(&self.bucket, &self.key, object.version.as_deref()).await? {
                Some(content) => Some(sha256_of(content).await?),
                None => return Ok(None),
            },
        };
        let is_whole = object.version.is_some() || self.puts.load(Ordering::Relaxed) >= PUTS;
        let is_ours = sha256.as_deref() == Some(self.content.sha256());
        let mut live = Live::new(&self.bucket)
            .with("object", self.key.clone())
            .with(SHARED, PACKAGES)
            .with(SHA256, sha256)
            .with(VERSIONED, is_whole);
        if is_whole && is_ours {
            live = live.output(VERSION, object.version.unwrap_or_default());
        }
        Ok(Some(live))
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
        Properties::from([
            ("object", self.key.clone().into()),
            (SHARED, PACKAGES.into()),
            (SHA256, self.content.sha256().into()),
            (VERSIONED, true.into()),
        ])
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
        match self.object(&s3).await {
            Ok(Some(live)) => return Ok(Some(live)),
            Ok(None) => {}
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
                let mut versions = Vec::new();
                if self.retired {
                    versions = s3.all_versions(&self.bucket).await?;
                }
                let theirs = self.retired && !versions.iter().any(|version| self.is_ours(version.key()));
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
        if live.is_none_or(|live| live.properties.get(VERSIONED) != Some(&true.into())) {
            s3.enable_versioning(&self.bucket, &self.account).await?;
        }
        self.puts.fetch_add(1, Ordering::Relaxed);
        s3.put_object(&self.bucket, &self.key, self.content.zip().to_vec(), &self.account).await?;
        Ok(())
    }

    async fn removal(&self, aws: &Aws, live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        if ![SHARED, UNFINISHED].iter().any(|name| live.properties.contains_key(name)) {
            return Ok(Removal::Leave);
        }
        let versions = aws.s3(&self.region).all_versions(&self.bucket).await?;
        // Ours are already deleted; the bucket is deleted with the last environment's.
        let theirs = !versions.is_empty() && !versions.iter().any(|version| self.is_ours(version.key()));
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
        // Again until none is left: a run that deploys at the same time may write one.
        let others = loop {
            let versions = s3.all_versions(&self.bucket).await?;
            let (ours, others): (Vec<_>, Vec<_>) =
                versions.into_iter().partition(|version| self.is_ours(version.key()));
            if ours.is_empty() {
                break others;
            }
            for some in ours.chunks(1000) {
                s3.delete_versions(&self.bucket, some).await?;
            }
        };
        match others.first() {
            None => Ok(s3.delete_bucket(&self.bucket).await?),
            Some(other) => Err(ResourceError::Kept(format!(
                "bucket {} holds objects of other environments, such as {}",
                self.bucket,
                other.key()
            ))),
        }
    }
}

/// The SHA-256 of an object, in base64.
pub(crate) async fn sha256_of(mut content: Download) -> Result<String, AwsError> {
    let mut digest = Sha256::new();
    while let Some(part) = content.next().await? {
        digest.update(&part);
    }
    Ok(STANDARD.encode(digest.finalize()))
}
