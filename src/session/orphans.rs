//! What carries our tag, or is remembered, and belongs to no resource of the environment file any more: a second server,
//! a stack in a region that was dropped, the bucket of a cluster that was dropped. Each is asked for by itself, because
//! the tagging API answers with deleted things for hours.
//!
//! `drift` lists them; `teardown --orphans` removes them, as resources among others: by the same walk and journal.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Session;
use crate::aws::{AwsError, Tags};
use crate::desired;
use crate::drift::model::{Drifted, Property, Unseen};
use crate::names;
use crate::resources::Orphan;
use crate::resources::resource::{Kind, NodeId, Owner, Resource, World};
use crate::resources::tags::ENVIRONMENT;

/// What was found in one region, or why it could not be looked at.
type Looked = Result<Vec<Orphan>, AwsError>;

impl Session {
    /// Everything of that sort, and what could not be looked at. Looked at are the regions of the file, those that the
    /// state remembers, and `also`.
    pub async fn orphans(&self, world: &World, also: &[String]) -> (Vec<Orphan>, Vec<Unseen>) {
        let (mut orphans, mut unseen) = (Vec::new(), Vec::new());
        if self.limited {
            return (orphans, unseen);
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
                    Ok(found) => orphans.extend(found),
                    Err(error) => {
                        let resource = format!("{region}/orphans/{what}");
                        unseen.push(Unseen { resource, why: error.to_string() });
                    }
                }
            }
        }
        (orphans, unseen)
    }

    /// Makes this run one about the orphans and nothing else.
    ///
    /// # Errors
    /// What could not be looked at.
    pub async fn only_orphans(&mut self, world: &World, also: &[String]) -> Result<(), Unseen> {
        let (orphans, unseen) = self.orphans(world, also).await;
        if let Some(unseen) = unseen.into_iter().next() {
            return Err(unseen);
        }
        self.resources = orphans.into_iter().map(|orphan| Arc::new(orphan) as Arc<dyn Resource>).collect();
        Ok(())
    }

    /// An orphan under the name by which state remembers it, or one of its own.
    fn orphan(&self, region: &str, kind: Kind, identity: &str, note: &'static str) -> Orphan {
        let known = self.state.identities.iter().find(|(id, known)| {
            id.place() == region && *known == identity && id.local_name().split('/').next() == Some(kind.word())
        });
        // A node of the file keeps its name to itself.
        let free = known.filter(|(id, _)| !self.resources.iter().any(|resource| resource.id() == *id));
        Orphan {
            id: free
                .map_or_else(|| NodeId::named(region, kind, identity.trim_start_matches('/')), |(id, _)| id.clone()),
            kind,
            region: region.to_owned(),
            home: self.environment.home_region.clone(),
            account: self.environment.account.clone(),
            identity: identity.to_owned(),
            note,
            stack: desired::stack_node(region),
            environment: self.environment.name.clone(),
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
                found.push(self.orphan(region, Kind::Server, &id, "costs $0.30 an hour"));
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
            .map(|_| self.orphan(region, Kind::Stack, &name, ""))
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
        Ok(ours.then(|| self.orphan(region, Kind::Replica, &settings.name, "holds the accounts")).into_iter().collect())
    }

    async fn dropped_logs(&self, region: &str) -> Looked {
        let mut found = Vec::new();
        for name in names::log_groups(&self.environment, region) {
            if self.dropped(region) && self.aws.logs(region).exists(&name).await? {
                found.push(self.orphan(
                    region,
                    Kind::LogGroup,
                    &name,
                    "by its name; log groups are looked for without tags",
                ));
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
                found.push(self.orphan(region, Kind::Bucket, name, "may hold customers' files"));
            }
        }
        Ok(found)
    }
}

/// An orphan in the report.
pub(super) fn told(orphan: &Orphan) -> Drifted {
    let after = match orphan.note {
        "" => orphan.identity.clone(),
        note => format!("{} ({note})", orphan.identity),
    };
    let kind = orphan.kind;
    Drifted {
        resource: format!("{}/orphan/{kind}/{}", orphan.region, orphan.identity.trim_start_matches('/')),
        title: format!("{kind} that belongs to nothing in the file"),
        how: "orphan",
        properties: vec![Property { name: "exists".into(), before: false.into(), after: after.into(), ignored: None }],
    }
}
