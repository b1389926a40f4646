//! An orphan, a resource of ours that is no longer in the environment file, as a step of a run. It has no wanted
//! properties. `deploy` deletes orphans that the state remembers and that contain no data; `teardown` deletes the
//! others, by the same rules for data as for every other resource.

use async_trait::async_trait;
use sftpctl_aws::{Aws, AwsError, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, Removal, RemovalOptions};
use sftpctl_core::node::Node;

use super::resource::{Resource, ResourceError};
use super::stray::Orphan;
use super::tags;

impl Orphan {
    /// The owner according to these tags.
    pub(crate) fn owner(&self, tags: &Tags) -> Owner {
        match tags.get(tags::ENVIRONMENT) == Some(&self.environment) {
            true => Owner::Ours,
            false => Owner::Foreign(format!("{} does not carry the environment's tag", self.title())),
        }
    }
}

impl Node for Orphan {
    fn kind(&self) -> Kind {
        self.stray.kind()
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
        format!("{} {}", self.kind(), self.stray.name(&self.identity))
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::new()
    }

    fn diff(&self, _live: Option<&Live>, _actual: &Actual) -> Option<Change> {
        None
    }
}

#[async_trait]
impl Resource for Orphan {
    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        self.stray.read(aws, self).await
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

    async fn removal(&self, aws: &Aws, _live: &Live, options: RemovalOptions) -> Result<Removal, AwsError> {
        match options.delete_data && self.stray.kind() != Kind::Address {
            true => Ok(Removal::Delete),
            false => self.stray.removal(aws, self, options).await,
        }
    }

    async fn delete(&self, aws: &Aws, call: &str, _live: &Live, options: RemovalOptions) -> Result<(), ResourceError> {
        self.stray.delete(aws, self, call, options).await
    }

    async fn causes(&self, aws: &Aws) -> Vec<String> {
        self.stray.causes(aws, self).await
    }
}
