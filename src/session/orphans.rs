//! What carries our tag, or is remembered, and belongs to no resource of the environment file any more: a second server,
//! a stack in a region that was dropped, the bucket of a cluster that was dropped. Each is asked for by itself, because
//! the tagging API answers with deleted things for hours.

use std::collections::BTreeSet;

use super::Session;
use crate::aws::{AwsError, Tags};
use crate::desired;
use crate::drift::model::{Drifted, Property, Report, Unseen};
use crate::names;
use crate::resources::resource::{NodeId, Owner, World};
use crate::resources::tags::ENVIRONMENT;

/// What was found in one region, or why it could not be looked at.
type Looked = Result<Vec<Drifted>, AwsError>;

impl Session {
    /// Adds orphans to the report. Looked at are the regions of the file, those that the state remembers, and `also`.
    pub async fn orphans(&self, world: &World, also: &[String], report: &mut Report) {
        if self.limited {
            return;
        }
        let mut regions: BTreeSet<&str> = self.environment.regions.keys().map(String::as_str).collect();
        regions.extend(self.state.identities.keys().map(NodeId::place).filter(|place| *place != "global"));
        regions.extend(also.iter().map(String::as_str));
        for region in regions {
            for (what, looked) in [
                ("servers", self.spare_servers(region, world).await),
                ("stack", self.dropped_stack(region).await),
                ("table", self.dropped_table(region).await),
                ("log groups", self.dropped_logs(region).await),
                ("buckets", self.dropped_buckets(region).await),
            ] {
                match looked {
                    Ok(found) => report.drifted.extend(found),
                    Err(error) => {
                        let resource = format!("{region}/orphans/{what}");
                        report.unseen.push(Unseen { resource, why: error.to_string() });
                    }
                }
            }
        }
    }

    fn tagged(&self, tags: &Tags) -> bool {
        tags.get(ENVIRONMENT) == Some(&self.environment.name)
    }

    fn dropped(&self, region: &str) -> bool {
        !self.environment.regions.contains_key(region)
    }

    async fn spare_servers(&self, region: &str, world: &World) -> Looked {
        let transfer = self.aws.transfer(region);
        let used = world.get(&desired::server_node(region)).and_then(Option::as_ref);
        // With two of them and no memory nobody can say which is the spare one; the plan refuses that by itself.
        if used.is_some_and(|live| live.owner != Owner::Ours) {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for id in transfer.servers().await? {
            if used.is_some_and(|live| live.identity == id) {
                continue;
            }
            if transfer.server(&id).await?.is_some_and(|server| self.tagged(&server.tags)) {
                found.push(orphan(region, "server", &id, "costs $0.30 an hour"));
            }
        }
        Ok(found)
    }

    async fn dropped_stack(&self, region: &str) -> Looked {
        if !self.dropped(region) {
            return Ok(Vec::new());
        }
        let name = names::stack(&self.environment, region);
        let stack = self.aws.cloudformation(region).stack(&name).await?;
        Ok(stack
            .filter(|stack| self.tagged(&stack.tags))
            .map(|_| orphan(region, "stack", &name, ""))
            .into_iter()
            .collect())
    }

    async fn dropped_table(&self, region: &str) -> Looked {
        let settings = &self.environment.table;
        if region == self.environment.home_region || settings.regions.iter().any(|wanted| wanted == region) {
            return Ok(Vec::new());
        }
        let dynamodb = self.aws.dynamodb(region);
        let Some(table) = dynamodb.table(&settings.name).await? else { return Ok(Vec::new()) };
        let ours = self.tagged(&dynamodb.tags(&table.arn).await?);
        Ok(ours.then(|| orphan(region, "replica", &settings.name, "holds the accounts")).into_iter().collect())
    }

    async fn dropped_logs(&self, region: &str) -> Looked {
        let mut found = Vec::new();
        for name in names::log_groups(&self.environment, region) {
            if self.dropped(region) && self.aws.logs(region).exists(&name).await? {
                found.push(orphan(region, "log-group", &name, "by its name; log groups are looked for without tags"));
            }
        }
        Ok(found)
    }

    /// Buckets that state remembers and that no cluster of the file has.
    async fn dropped_buckets(&self, region: &str) -> Looked {
        let mut found = Vec::new();
        let gone = self.state.identities.iter().filter(|(id, _)| {
            let bucket = id.place() == region && id.local_name().starts_with("bucket/");
            bucket && !self.resources.iter().any(|resource| resource.id() == *id)
        });
        for (_, name) in gone {
            if self.aws.s3(region).tags(name, &self.environment.account).await?.is_some() {
                found.push(orphan(region, "bucket", name, "may hold customers' files"));
            }
        }
        Ok(found)
    }
}

fn orphan(region: &str, kind: &str, identity: &str, note: &str) -> Drifted {
    let after = if note.is_empty() { identity.to_owned() } else { format!("{identity} ({note})") };
    Drifted {
        resource: format!("{region}/orphan/{kind}/{}", identity.trim_start_matches('/')),
        title: format!("{kind} that belongs to nothing in the file"),
        how: "orphan",
        properties: vec![Property { name: "exists".into(), before: false.into(), after: after.into(), ignored: None }],
    }
}
