//! Resources of ours that are no longer in the environment file: how each kind finds, reads and deletes them.
//!
//! Each kind searches by itself, because the Resource Groups Tagging API lists deleted resources for hours.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use sftpctl_aws::{Aws, AwsError, BucketName, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Live, Removal, RemovalOptions, Settled};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;
use tokio::sync::OnceCell;

use super::resource::ResourceError;
use super::tags::ENVIRONMENT;

/// The orphans found, or the error of the search.
pub(crate) type Found = Result<Vec<Orphan>, AwsError>;

/// A resource of ours that is no longer in the environment file.
#[derive(Clone, Debug)]
pub struct Orphan {
    pub id: NodeId,
    /// How its kind is read and deleted.
    pub stray: &'static dyn Stray,
    pub region: String,
    /// The region of the table that a replica belongs to.
    pub home: String,
    pub account: String,
    /// ID or name; for a record `<zone id>/<name>`, as in [`Record`](super::Record).
    pub identity: String,
    /// A remark for the report, or empty.
    pub note: &'static str,
    /// Nodes that are removed before it.
    pub after: Vec<NodeId>,
    /// Nodes that are removed after it.
    pub before: Vec<NodeId>,
    /// The environment whose tag it carries.
    pub environment: String,
    /// IDs of the servers that the state remembers.
    pub servers: Vec<String>,
}

/// A kind of resource that can be orphaned.
#[async_trait]
pub trait Stray: Debug + Send + Sync {
    fn kind(&self) -> Kind;

    /// The kind's plural, such as `servers`, for the report of a failed search.
    fn plural(&self) -> &'static str;

    /// Finds the kind's orphans in one region.
    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError>;

    /// Finds the kind's orphans in all regions of the search. Each result has its label in the report.
    async fn find_all(&self, search: &Search<'_>) -> Vec<(String, Result<Vec<Orphan>, AwsError>)> {
        let regions = search.regions.iter();
        join_all(regions.map(async |region| (self.label(region), self.find(search, region).await))).await
    }

    /// Finds the resource that a killed run created at a node that is no longer in the environment file, if a
    /// deployment may delete it. `patience` is how long a listing may lag behind.
    async fn find_created(
        &self,
        _search: &Search<'_>,
        _node: &NodeId,
        _patience: Duration,
    ) -> Result<Option<Orphan>, AwsError> {
        Ok(None)
    }

    /// The label of a search in the report: `us-west-2/orphans/servers`.
    fn label(&self, region: &str) -> String {
        format!("{region}/orphans/{}", self.plural())
    }

    /// Nodes that must be removed before it: records first, so that no customer is directed to a deleted server, then
    /// servers, then stacks.
    fn removed_after(&self, _search: &Search<'_>, region: &str) -> Vec<NodeId> {
        vec![names::stack_node(region)]
    }

    /// The part of its identity that users know: the name of a record or a stack.
    fn name<'a>(&self, identity: &'a str) -> &'a str {
        identity
    }

    /// Reads it from AWS just before its deletion. If it has lost our tag meanwhile, it is foreign.
    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError>;

    /// Whether a teardown deletes it.
    async fn removal(&self, _aws: &Aws, _orphan: &Orphan, _options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(Removal::Delete)
    }

    /// Performs one step of its deletion. `call` is the client token, where AWS takes one.
    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        call: &str,
        options: RemovalOptions,
    ) -> Result<(), ResourceError>;

    /// Causes of a failed deletion in AWS's words, first cause first.
    async fn causes(&self, _aws: &Aws, _orphan: &Orphan) -> Vec<String> {
        Vec::new()
    }
}

/// The inputs of a search for orphans.
pub struct Search<'a> {
    pub aws: &'a Aws,
    pub environment: &'a Environment,
    /// Identities in the state, by node.
    pub identities: &'a BTreeMap<NodeId, String>,
    /// Nodes of the resources in the environment file.
    pub nodes: BTreeSet<NodeId>,
    /// These resources, as far as they could be read.
    pub actual: &'a Actual,
    pub regions: BTreeSet<&'a str>,
    /// The account's buckets that may be upload buckets of the environment, by their names.
    buckets: OnceCell<Result<Vec<BucketName>, AwsError>>,
}

impl<'a> Search<'a> {
    /// A search in the regions of the file, those that the state remembers, and `also`.
    pub fn new(
        aws: &'a Aws,
        environment: &'a Environment,
        identities: &'a BTreeMap<NodeId, String>,
        nodes: BTreeSet<NodeId>,
        actual: &'a Actual,
        also: &'a [String],
    ) -> Self {
        let mut regions: BTreeSet<&str> = environment.regions.keys().map(String::as_str).collect();
        regions.extend(identities.keys().map(NodeId::place).filter(|place| *place != "global"));
        regions.extend(also.iter().map(String::as_str));
        Self { aws, environment, identities, nodes, actual, regions, buckets: OnceCell::new() }
    }

    /// Whether these tags include the environment's tag.
    pub(crate) fn is_tagged(&self, tags: &Tags) -> bool {
        tags.get(ENVIRONMENT) == Some(&self.environment.name)
    }

    /// Whether the environment has, or had, servers in VPCs. EC2 is not asked for others, whose callers may not ask it.
    pub(crate) fn has_network(&self) -> bool {
        let of_network = |id: &NodeId| matches!(id.kind(), Some(Kind::Address | Kind::SecurityGroup));
        self.environment.names_endpoints() || self.identities.keys().any(of_network)
    }

    /// Whether the region is not in the environment file.
    pub(crate) fn is_dropped(&self, region: &str) -> bool {
        !self.environment.regions.contains_key(region)
    }

    /// Buckets with the environment's prefix and the suffix of upload buckets, read once for all regions. Buckets of
    /// other names are not read: the deployer may not even ask for their tags.
    pub(crate) async fn buckets(&self) -> Result<Vec<BucketName>, AwsError> {
        let prefix = &self.environment.names.bucket_prefix;
        let s3 = self.aws.s3(&self.environment.home_region);
        let list = async || {
            let mut found = s3.buckets(prefix).await?;
            found.retain(|bucket| bucket.name.ends_with(names::UPLOAD_BUCKET_SUFFIX));
            Ok(found)
        };
        self.buckets.get_or_init(list).await.clone()
    }

    /// An orphan under its node in the state, or under a new one. `note` is a remark for the report.
    pub(crate) fn orphan(&self, stray: &'static dyn Stray, region: &str, identity: &str, note: &'static str) -> Orphan {
        let kind = stray.kind();
        let known = self
            .identities
            .iter()
            .find(|(id, known)| id.place() == region && *known == identity && id.kind() == Some(kind));
        // A node of the environment file is not reused.
        let free = known.filter(|(id, _)| !self.nodes.contains(*id));
        Orphan {
            id: free
                .map_or_else(|| NodeId::named(region, kind, identity.trim_start_matches('/')), |(id, _)| id.clone()),
            stray,
            region: region.to_owned(),
            home: self.environment.home_region.clone(),
            account: self.environment.account.clone(),
            identity: identity.to_owned(),
            note,
            after: stray.removed_after(self, region),
            before: Vec::new(),
            environment: self.environment.name.clone(),
            servers: self.servers(),
        }
    }

    /// IDs of the servers that the state remembers.
    fn servers(&self) -> Vec<String> {
        let servers = self.identities.iter().filter(|(id, _)| id.kind() == Some(Kind::Server));
        let servers = servers.filter(|(_, identity)| names::is_server_id(identity));
        servers.map(|(_, identity)| identity.clone()).collect()
    }

    /// Nodes of a region's records, in the environment file or not.
    pub(crate) fn records_of(&self, region: &str) -> Vec<NodeId> {
        let known = self.identities.keys().chain(&self.nodes);
        let records = known.filter(|id| id.place() == "global" && id.kind() == Some(Kind::Record));
        records
            .filter(|id| {
                let name = id.name().unwrap_or_default();
                name.ends_with(&format!("/{region}")) || name.contains(&format!("-{region}."))
            })
            .cloned()
            .collect()
    }
}

/// A live orphan with this status, in AWS's words.
pub(crate) fn live(orphan: &Orphan, status: &str) -> Live {
    let pending =
        status.ends_with("_IN_PROGRESS") || matches!(status, "DELETING" | "UPDATING" | "STOPPING" | "STARTING");
    let settled = if pending { Settled::Pending(status.to_owned()) } else { Settled::Ready };
    Live::new(&orphan.identity).settled(settled)
}
