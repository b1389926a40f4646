//! A log group that comes back: a late line of Lambda, API Gateway or Transfer makes a deleted group again, without
//! retention. The stack owns the groups while it stands; this kind looks once more after the stack has gone.
//!
//! Such a group has no tags, so its name alone would say that it is ours, and a function that somebody made by hand may
//! have a log of that name. It is ours by our tag, by what state remembers, by an id of our own in its name, or where this
//! environment was deployed and the group is as a late line makes it.

use super::orphan::Orphan;
use super::stray::{self, Search, Stray};
use async_trait::async_trait;
use sftpctl_core::spec::names;

use super::tags;
use crate::resources::resource::{Resource, ResourceError};
use sftpctl_aws::{Aws, AwsError, GroupFacts, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, RemovalOptions};
use sftpctl_core::node::Node;

/// A group that must be gone after teardown.
#[derive(Clone, Debug)]
pub struct LogGroup {
    /// Name in plans and state.
    pub id: NodeId,
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Node of the stack that owns it.
    pub stack: NodeId,
    /// The function that writes it, where one does.
    pub function: Option<String>,
    /// What is known of whose it is besides its tags.
    pub evidence: Evidence,
    /// Tags of the environment.
    pub tags: Tags,
}

/// What tells that a group without tags is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nothing.
    None,
    /// This environment was deployed from here before.
    Deployed,
    /// Its name holds the id of an API or a server of ours.
    Id,
}

impl LogGroup {
    async fn owner(&self, aws: &Aws, group: &GroupFacts, known: bool) -> Result<Owner, AwsError> {
        let have = aws.logs(&self.region).tags(&group.arn).await?;
        let by_tag = tags::owner(&have, &self.tags, &self.title());
        if have.contains_key(tags::ENVIRONMENT) {
            return Ok(by_tag);
        }
        let ours = match self.evidence {
            _ if known => true,
            Evidence::Id => true,
            Evidence::Deployed if group.retention.is_none() => match &self.function {
                None => true,
                Some(name) => match aws.lambda(&self.region).function(name).await? {
                    None => true,
                    Some(function) => tags::owner(&function.tags, &self.tags, name) == Owner::Ours,
                },
            },
            Evidence::Deployed | Evidence::None => false,
        };
        Ok(if ours { Owner::Ours } else { by_tag })
    }
}

impl Node for LogGroup {
    fn kind(&self) -> Kind {
        Kind::LogGroup
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        Vec::new()
    }

    fn removed_after(&self) -> Vec<NodeId> {
        vec![self.stack.clone()]
    }

    fn title(&self) -> String {
        format!("log group {}", self.name)
    }

    fn wanted(&self, _world: &Actual) -> Properties {
        Properties::new()
    }

    fn diff(&self, _live: Option<&Live>, _world: &Actual) -> Option<Change> {
        // The stack makes it.
        None
    }
}

#[async_trait]
impl Resource for LogGroup {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let Some(group) = aws.logs(&self.region).group(&self.name).await? else { return Ok(None) };
        let owner = self.owner(aws, &group, known == Some(self.name.as_str())).await?;
        Ok(Some(Live::new(&self.name).owned_by(owner)))
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

    async fn delete(
        &self,
        aws: &Aws,
        _call: &str,
        _live: &Live,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(aws.logs(&self.region).delete(&self.name).await?)
    }
}

/// Log groups of regions that the environment file has dropped: by their tag, or as long as the stack is there that made
/// them.
#[derive(Debug)]
pub(super) struct Strays;

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::LogGroup
    }

    fn plural(&self) -> &'static str {
        "log groups"
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError> {
        if !search.is_dropped(region) {
            return Ok(Vec::new());
        }
        let logs = search.aws.logs(region);
        let stack = !super::stack::Strays.find(search, region).await?.is_empty();
        let mut found = Vec::new();
        for name in names::log_groups(search.environment, region) {
            let Some(group) = logs.group(&name).await? else { continue };
            if stack || search.is_tagged(&logs.tags(&group.arn).await?) {
                found.push(search.orphan(&Strays, region, &name, ""));
            }
        }
        Ok(found)
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        Ok(aws.logs(&orphan.region).group(&orphan.identity).await?.map(|_| stray::live(orphan, "")))
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        _call: &str,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(aws.logs(&orphan.region).delete(&orphan.identity).await?)
    }
}
