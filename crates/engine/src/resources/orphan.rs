//! Something of ours that belongs to nothing in the environment file any more. Nothing is ever wanted of it. `deploy`
//! removes what state remembers and what holds no data; `teardown` removes the rest, by the rules for data that hold for
//! everything else.

use async_trait::async_trait;

use super::record::points_to_us;
use super::{replica, stack, tags};
use crate::resources::resource::{Resource, ResourceError};
use sftpctl_aws::{Aws, AwsError, RecordFacts, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, Removal, RemovalOptions, Settled};
use sftpctl_core::node::Node;

/// One orphan.
#[derive(Clone, Debug)]
pub struct Orphan {
    /// Name in plans and state.
    pub id: NodeId,
    /// What it is: server, record, stack, replica, bucket or log group.
    pub kind: Kind,
    /// Its region.
    pub region: String,
    /// The region of the table that a replica belongs to.
    pub home: String,
    /// The account.
    pub account: String,
    /// Id or name; of a record `<zone id>/<name>`, as of a [`Record`](super::Record).
    pub identity: String,
    /// What to know about it.
    pub note: &'static str,
    /// Nodes that go first.
    pub after: Vec<NodeId>,
    /// Nodes that go later.
    pub before: Vec<NodeId>,
    /// The environment whose tag it carries.
    pub environment: String,
    /// Ids of servers that state remembers.
    pub servers: Vec<String>,
}

impl Orphan {
    fn live(&self, status: &str) -> Live {
        let pending =
            status.ends_with("_IN_PROGRESS") || matches!(status, "DELETING" | "UPDATING" | "STOPPING" | "STARTING");
        let settled = if pending { Settled::Pending(status.to_owned()) } else { Settled::Ready };
        Live::new(&self.identity).settled(settled)
    }

    /// The record as it is. A latency record is told apart by the last part of its node's name.
    async fn record(&self, aws: &Aws) -> Result<Option<(String, RecordFacts)>, AwsError> {
        let Some((zone, name)) = self.identity.split_once('/') else { return Ok(None) };
        let identifier = self.id.local_name().split('/').nth(2);
        let records = aws.route53().records(zone, name).await?.unwrap_or_default();
        let same = |record: &RecordFacts| record.latency.as_ref().map(|(id, _)| id.as_str()) == identifier;
        Ok(records.into_iter().find(same).map(|record| (zone.to_owned(), record)))
    }

    /// Read again just before it goes: what lost our tag meanwhile is not ours.
    fn owner(&self, tags: &Tags) -> Owner {
        match tags.get(tags::ENVIRONMENT) == Some(&self.environment) {
            true => Owner::Ours,
            false => Owner::Foreign(format!("{} does not carry our tag", self.title())),
        }
    }
}

impl Node for Orphan {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        self.before.clone()
    }

    fn removed_after(&self) -> Vec<NodeId> {
        self.after.clone()
    }

    fn title(&self) -> String {
        // Of a record the name, of a stack not its ARN.
        let name = match (self.kind, self.identity.split('/').nth(1)) {
            (Kind::Record | Kind::Stack, Some(name)) => name,
            _ => &self.identity,
        };
        format!("{} {name}", self.kind)
    }

    fn wanted(&self, _world: &Actual) -> Properties {
        Properties::new()
    }

    fn diff(&self, _live: Option<&Live>, _world: &Actual) -> Option<Change> {
        None
    }
}

#[async_trait]
impl Resource for Orphan {
    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let name = self.identity.as_str();
        Ok(match self.kind {
            Kind::Server => {
                let server = aws.transfer(&self.region).server(name).await?;
                server.map(|server| self.live(&server.state).owned_by(self.owner(&server.tags)))
            }
            Kind::Stack => {
                let stack = aws.cloudformation(&self.region).stack(name).await?;
                // DELETE_FAILED after a deletion of ours is a failure, and REVIEW_IN_PROGRESS is nobody's work.
                stack.map(|stack| {
                    Live::new(&self.identity).settled(stack::settled(&stack)).owned_by(self.owner(&stack.tags))
                })
            }
            Kind::Replica => match aws.dynamodb(&self.region).table(name).await? {
                Some(table) => {
                    let tags = replica::tags(aws, &self.home, &self.region, &table).await?;
                    Some(self.live(&table.status).owned_by(self.owner(&tags)))
                }
                // While a replica is removed only the home region knows of it.
                None => {
                    let home = aws.dynamodb(&self.home).table(name).await?;
                    let replica = home.into_iter().flat_map(|table| table.replicas).find(|(at, _)| *at == self.region);
                    replica.map(|(_, status)| self.live(&status))
                }
            },
            // Route 53 has no tags: it is ours by the server that it names, and nothing else makes it so.
            Kind::Record => match self.record(aws).await? {
                None => None,
                Some((_, record)) => {
                    let target = record.targets.first().cloned().unwrap_or_default();
                    let ours = points_to_us(aws, &target, &self.environment, &self.servers).await?;
                    let what = format!("{} points to {target}, which is no server of ours", self.title());
                    let foreign = || Owner::Foreign(what);
                    Some(self.live("").owned_by(if ours { Owner::Ours } else { foreign() }))
                }
            },
            // The call names the account.
            Kind::Bucket => {
                let found = aws.s3(&self.region).tags(name, &self.account).await?;
                found.map(|tags| self.live("").owned_by(self.owner(&tags)))
            }
            _ => aws.logs(&self.region).group(name).await?.map(|_| self.live("")),
        })
    }

    async fn causes(&self, aws: &Aws) -> Vec<String> {
        match self.kind {
            Kind::Stack => stack::causes(aws, &self.region, &self.identity).await,
            _ => Vec::new(),
        }
    }

    async fn apply(
        &self,
        _aws: &Aws,
        _call: &str,
        _change: &Change,
        _live: Option<&Live>,
        _world: &Actual,
    ) -> Result<(), ResourceError> {
        Ok(())
    }

    async fn removal(&self, aws: &Aws, _live: &Live, options: RemovalOptions) -> Result<Removal, AwsError> {
        let keep = |what: &str| Removal::Keep(format!("it holds {what}; --delete-data deletes it"));
        Ok(match self.kind {
            _ if options.delete_data => Removal::Delete,
            Kind::Replica => keep("the accounts"),
            Kind::Bucket if !aws.s3(&self.region).versions(&self.identity, 1).await?.is_empty() => {
                keep("customers' files")
            }
            _ => Removal::Delete,
        })
    }

    async fn delete(&self, aws: &Aws, call: &str, _live: &Live, options: RemovalOptions) -> Result<(), ResourceError> {
        let name = self.identity.as_str();
        match self.kind {
            Kind::Server => aws.transfer(&self.region).delete(name).await?,
            Kind::Record => {
                if let Some((zone, record)) = self.record(aws).await? {
                    aws.route53().delete(&zone, &record).await?;
                }
            }
            Kind::Stack => aws.cloudformation(&self.region).delete(name, call).await?,
            Kind::Replica => replica::remove(aws, &self.home, &self.region, name).await?,
            Kind::Bucket => {
                let s3 = aws.s3(&self.region);
                if options.delete_data {
                    loop {
                        let versions = s3.versions(name, 1000).await?;
                        if versions.is_empty() {
                            break;
                        }
                        s3.delete_versions(name, &versions).await?;
                    }
                }
                match s3.delete_bucket(name).await {
                    Err(error) if error.is("BucketNotEmpty") => {
                        return Err(ResourceError::Kept(format!("bucket {name} is no longer empty")));
                    }
                    other => other?,
                }
            }
            _ => aws.logs(&self.region).delete(name).await?,
        }
        Ok(())
    }
}
