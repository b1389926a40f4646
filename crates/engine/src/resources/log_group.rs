//! A log group that reappears: Lambda, API Gateway or Transfer Family recreates a deleted group, without retention,
//! when it writes a late line. The stack owns the groups while it exists; this kind checks again after the stack is
//! deleted.
//!
//! Such a group has no tags, and its name alone does not show that it is ours: a function created outside sftpctl may
//! have a log group of that name. It is ours if it has our tag, if its name contains an ID of our own, if this environment
//! was deployed from here and the group has no retention, like one that a late line created, or if the state has it: then
//! what wrote to it may not exist any more, unless the name is one that this environment gives.

use async_trait::async_trait;
use sftpctl_aws::{Aws, AwsError, GroupFacts, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, RemovalOptions};
use sftpctl_core::node::Node;
use sftpctl_core::spec::names;

use super::stray::{self, Orphan, Search, Stray};
use super::tags;
use crate::resources::resource::{Resource, ResourceError};

/// A group that must not exist after teardown.
#[derive(Clone, Debug)]
pub struct LogGroup {
    pub id: NodeId,
    pub region: String,
    pub name: String,
    /// Node of the stack that owns it.
    pub stack: NodeId,
    /// The function that writes to it, if any.
    pub function: Option<String>,
    /// Whether this environment gives a group this name.
    pub own_name: bool,
    /// Evidence of its owner besides its tags.
    pub evidence: Evidence,
    pub tags: Tags,
}

/// Evidence that a group without tags is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    None,
    /// This environment was deployed from here before.
    Deployed,
    /// Its name contains the ID of an API or a server of ours.
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
            Evidence::Id => true,
            _ if known && !self.own_name => self.is_of_nothing(aws).await?,
            _ if known => true,
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

impl LogGroup {
    /// Whether AWS named it after an API or a server that does not exist. Any other name may belong to anybody, and the
    /// state is no proof: whoever can write it could have every log deleted.
    async fn is_of_nothing(&self, aws: &Aws) -> Result<bool, AwsError> {
        if let Some(server) = self.name.strip_prefix(names::SERVER_LOGS) {
            return Ok(aws.transfer(&self.region).server(server).await?.is_none());
        }
        let api = self.name.strip_prefix(names::EXECUTION_LOGS).and_then(|rest| rest.split('/').next());
        match api {
            Some(api) => Ok(!aws.apigateway(&self.region).api_ids().await?.iter().any(|id| id == api)),
            None => Ok(false),
        }
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

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::new()
    }

    fn diff(&self, _live: Option<&Live>, _actual: &Actual) -> Option<Change> {
        // The stack creates it.
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
        _actual: &Actual,
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

/// Log groups of regions that are no longer in the environment file, found by their tag, or by their names while the
/// stack that created them exists.
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
