//! Foreign resources with names that a stack will need. CloudFormation would fail on them only after it has created
//! many other resources.

use futures_util::future::join_all;
use sftpctl_aws::{Aws, Tags};
use sftpctl_core::model::{Actual, Owner};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::names;

use super::Run;
use crate::resources::tags;

impl Run {
    /// Foreign functions and log groups with the environment's names, in a sentence each. One that cannot be read is
    /// left out: CloudFormation reports it.
    pub(super) async fn name_conflicts(&self, actual: &Actual) -> Vec<String> {
        let without_stack = |region: &&String| {
            let stack = names::stack_node(region);
            matches!(actual.get(&stack), Some(None)) && self.selects(&stack)
        };
        let regions = self.environment.regions.keys().filter(without_stack);
        join_all(regions.map(|region| name_conflicts_in(&self.aws, &self.environment, region))).await.concat()
    }
}

/// As [`Run::name_conflicts`], in one region.
pub(crate) async fn name_conflicts_in(aws: &Aws, environment: &Environment, region: &str) -> Vec<String> {
    let ours = names::tags(environment);
    let mut found = Vec::new();
    let function = names::function(environment, region);
    if let Ok(Some(facts)) = aws.lambda(region).function(&function).await {
        found.push((facts.tags, format!("{region}: function {function}")));
    }
    let logs = aws.logs(region);
    for name in names::log_groups(environment, region) {
        let Ok(Some(group)) = logs.group(&name).await else { continue };
        let Ok(have) = logs.tags(&group.arn).await else { continue };
        // Otherwise a late line created it, and it may belong to an earlier deployment of ours.
        if !have.is_empty() || group.retention.is_some() {
            found.push((have, format!("{region}: log group {name}")));
        }
    }
    let foreign = |(have, what): (Tags, String)| match tags::owner(&have, &ours, &what) {
        Owner::Foreign(sentence) => Some(format!(
            "{sentence}; a stack cannot take it over: delete it once nothing uses it, or give the environment \
             another name"
        )),
        Owner::Ours => None,
    };
    found.into_iter().filter_map(foreign).collect()
}
