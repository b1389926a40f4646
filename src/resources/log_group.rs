//! A log group that comes back: a late line of Lambda, API Gateway or Transfer makes a deleted group again, without
//! retention. The stack owns the groups while it stands; this kind looks once more after the stack has gone.

use async_trait::async_trait;

use super::resource::{Change, Kind, Live, NodeId, Properties, RemovalOptions, Resource, StepError, World};
use crate::aws::{Aws, AwsError};

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
}

#[async_trait]
impl Resource for LogGroup {
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

    fn wanted(&self, _world: &World) -> Properties {
        Properties::new()
    }

    fn diff(&self, _live: Option<&Live>, _world: &World) -> Option<Change> {
        // The stack makes it.
        None
    }

    async fn read(&self, aws: &Aws, _known: Option<&str>) -> Result<Option<Live>, AwsError> {
        Ok(aws.logs(&self.region).exists(&self.name).await?.then(|| Live::new(&self.name)))
    }

    async fn apply(
        &self,
        _aws: &Aws,
        _call: &str,
        _change: &Change,
        _live: Option<&Live>,
        _world: &World,
    ) -> Result<(), StepError> {
        Ok(())
    }

    async fn delete(&self, aws: &Aws, _call: &str, _live: &Live, _options: RemovalOptions) -> Result<(), StepError> {
        Ok(aws.logs(&self.region).delete(&self.name).await?)
    }
}
