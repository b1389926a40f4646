//! Reads an environment's resources from AWS, concurrently.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::Actual;

use crate::resources::resource::Resource;

/// Reads in flight at once.
const IN_FLIGHT: usize = 64;

/// The result of reading an environment.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The resources that were read.
    pub actual: Actual,
    /// The resources that could not be read, with AWS's errors.
    pub unreadable: BTreeMap<NodeId, AwsError>,
    /// Resources that an earlier run may have created and that could not be searched for, with the reasons. Creating
    /// them again could create second ones.
    pub undecided: BTreeMap<NodeId, String>,
    /// Foreign resources with names that a stack will need.
    pub name_conflicts: Vec<String>,
}

/// Reads all resources. `known` holds the identities in the state.
pub async fn observe(aws: &Arc<Aws>, resources: &[Arc<dyn Resource>], known: &BTreeMap<NodeId, String>) -> Observed {
    let reads = resources.iter().map(|resource| {
        let (aws, resource) = (Arc::clone(aws), Arc::clone(resource));
        let known = known.get(resource.id()).cloned();
        async move { (resource.id().clone(), resource.read(&aws, known.as_deref()).await) }
    });
    let mut observed = Observed::default();
    let mut results = stream::iter(reads).buffer_unordered(IN_FLIGHT);
    while let Some((id, result)) = results.next().await {
        match result {
            Ok(live) => {
                observed.actual.insert(id, live);
            }
            Err(error) => {
                observed.unreadable.insert(id, error);
            }
        }
    }
    observed
}
