//! Names that a stack would stumble over: what stands under them where the stack itself does not. CloudFormation fails on
//! them only after much else was made.

use super::Session;
use crate::desired;
use crate::names;
use crate::resources::resource::{Owner, World};
use crate::resources::tags;

impl Session {
    /// Functions and log groups of somebody else, in a sentence each. What cannot be looked at is left to the stack.
    pub(super) async fn taken(&self, world: &World) -> Vec<String> {
        let (environment, ours) = (&self.environment, desired::tags(&self.environment));
        let mut taken = Vec::new();
        for region in environment.regions.keys() {
            if !matches!(world.get(&desired::stack_node(region)), Some(None)) {
                continue;
            }
            let name = names::function(environment, region);
            if let Ok(Some(function)) = self.aws.lambda(region).function(&name).await
                && let Owner::Foreign(what) = tags::owner(&function.tags, &ours, &format!("{region}: function {name}"))
            {
                taken.push(what);
            }
            for name in names::log_groups(environment, region) {
                let logs = self.aws.logs(region);
                let Ok(Some(group)) = logs.group(&name).await else { continue };
                let Ok(have) = logs.tags(&group.arn).await else { continue };
                // As a late line makes it: it may be of an earlier deployment of ours.
                if have.is_empty() && group.retention.is_none() {
                    continue;
                }
                if let Owner::Foreign(what) = tags::owner(&have, &ours, &format!("{region}: log group {name}")) {
                    taken.push(what);
                }
            }
        }
        taken
    }
}
