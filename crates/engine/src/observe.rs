//! Reads what AWS has of an environment: every resource's `read`, side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::resources::resource::Resource;
use sftpctl_aws::{Aws, AwsError};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::Actual;

/// Reads in flight at once.
const IN_FLIGHT: usize = 64;

/// What was found, and what could not be read.
#[derive(Debug, Default)]
pub struct Observed {
    /// What was found.
    pub actual: Actual,
    /// What could not be read, with AWS's words.
    pub unreadable: BTreeMap<NodeId, AwsError>,
    /// What an earlier run may have made and could not be looked for: made again, it could be there twice.
    pub undecided: BTreeMap<NodeId, String>,
    /// What somebody else has under names that a stack will want.
    pub taken: Vec<String>,
}

/// Reads all of them. `known` holds identities that state remembers.
pub async fn observe(aws: &Arc<Aws>, resources: &[Arc<dyn Resource>], known: &BTreeMap<NodeId, String>) -> Observed {
    let reads = resources.iter().map(|resource| {
        let (aws, resource) = (Arc::clone(aws), Arc::clone(resource));
        let known = known.get(resource.id()).cloned();
        async move { (resource.id().clone(), resource.read(&aws, known.as_deref()).await) }
    });
    let mut observed = Observed::default();
    let mut answers = stream::iter(reads).buffer_unordered(IN_FLIGHT);
    while let Some((id, answer)) = answers.next().await {
        match answer {
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
