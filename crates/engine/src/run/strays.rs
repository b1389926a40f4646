//! What carries our tag, or is remembered, and belongs to no resource of the environment file any more: a second server,
//! a stack in a region that was dropped, the bucket of a cluster that was dropped. Each is asked for by itself, because
//! the tagging API answers with deleted things for hours.
//!
//! `drift` lists them and `status` counts them; `teardown` removes them, as resources among others: by the same walk and journal. So does `deploy`
//! with those that state remembers and that hold no data: what was taken out of the file is not wanted.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;

use super::Run;
use crate::desired;
use crate::drift::model::{Drifted, Property, Unseen};
use crate::resources::resource::Resource;
use crate::resources::tags::ENVIRONMENT;
use crate::resources::{Orphan, Package, names_our_server, replica};
use serde::Serialize;
use sftpctl_aws::{AwsError, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Owner};
use sftpctl_core::spec::names;

/// What belongs to nothing in the environment file.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphans {
    /// Their names, as `drift` tells them.
    pub found: Vec<String>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

/// What was found in one region, or why it could not be looked at.
type Looked = Result<Vec<Orphan>, AwsError>;

impl Run {
    /// Everything of that sort, and what could not be looked at. Looked at are the regions of the file, those that the
    /// state remembers, and `also`.
    pub async fn orphans(&self, actual: &Actual, also: &[String]) -> (Vec<Orphan>, Vec<Unseen>) {
        let (mut orphans, mut unseen) = (Vec::new(), Vec::new());
        if self.limited {
            return (orphans, unseen);
        }
        let mut regions: BTreeSet<&str> = self.environment.regions.keys().map(String::as_str).collect();
        regions.extend(self.state.identities.keys().map(NodeId::place).filter(|place| *place != "global"));
        regions.extend(also.iter().map(String::as_str));
        let buckets = self.aws.s3(&self.environment.home_region).buckets(&self.environment.names.bucket_prefix).await;
        let looks = regions.iter().map(|&region| {
            let buckets = buckets.clone();
            async move {
                let (servers, records, stack, logs, buckets) = tokio::join!(
                    self.spare_servers(region, actual),
                    self.dropped_records(region),
                    self.dropped_stack(region),
                    self.dropped_logs(region),
                    self.dropped_buckets(region, buckets),
                );
                let parts = [
                    ("servers", servers),
                    ("records", records),
                    ("stack", stack),
                    ("log groups", logs),
                    ("buckets", buckets),
                ];
                parts.map(|(what, looked)| (format!("{region}/orphans/{what}"), looked))
            }
        });
        let (looked, replicas) = tokio::join!(join_all(looks), self.dropped_replicas(&regions));
        for (what, looked) in looked.into_iter().flatten().chain(replicas) {
            match looked {
                Ok(found) => orphans.extend(found),
                Err(error) => unseen.push(Unseen::failed(what, error)),
            }
        }
        // A record stays ours when the server that it names goes before it.
        let servers: Vec<String> =
            orphans.iter().filter(|o| o.kind == Kind::Server).map(|o| o.identity.clone()).collect();
        for record in orphans.iter_mut().filter(|o| o.kind == Kind::Record) {
            record.servers.extend(servers.iter().cloned());
        }
        (orphans, unseen)
    }

    /// Their names as `drift` tells them, for `status`; `None` where this run sees only a part of the environment.
    pub async fn orphan_names(&self, actual: &Actual) -> Option<Orphans> {
        if self.limited {
            return None;
        }
        let (orphans, unseen) = self.orphans(actual, &[]).await;
        let mut found: Vec<String> = orphans.iter().map(|orphan| told(orphan).resource).collect();
        found.sort();
        Some(Orphans { found, unseen })
    }

    /// What state remembers of servers, records, stacks and packages that the file no longer has: the next deployment
    /// removes them. Buckets and replicas hold data and stay.
    pub(super) fn retired(&self) -> Vec<Arc<dyn Resource>> {
        if self.limited {
            return Vec::new();
        }
        let gone = self.state.identities.iter().filter(|(id, _)| !self.resources.iter().any(|r| r.id() == *id));
        gone.filter_map(|(id, identity)| {
            let kind = match id.local_name().split('/').next()? {
                "server" => Kind::Server,
                "record" => Kind::Record,
                "stack" if self.dropped(id.place()) => Kind::Stack,
                "package" if self.dropped(id.place()) => {
                    let package = desired::package(&self.environment, id.place(), &self.code);
                    return Some(Arc::new(Package { retired: true, ..package }) as Arc<dyn Resource>);
                }
                _ => return None,
            };
            let orphan = Orphan { id: id.clone(), ..self.orphan(id.place(), kind, identity, "") };
            Some(Arc::new(orphan) as Arc<dyn Resource>)
        })
        .collect()
    }

    /// API Gateway's role for logs in regions that the file has dropped: a deployment leaves it, since it is the account's, and
    /// a whole teardown looks whether anybody else needs it.
    fn dropped_api_accounts(&self) -> Vec<Arc<dyn Resource>> {
        let remembered = self.state.identities.keys().map(NodeId::place);
        let regions: BTreeSet<&str> = remembered.filter(|place| *place != "global" && self.dropped(place)).collect();
        let account = |region| -> Arc<dyn Resource> { Arc::new(desired::api_account(&self.environment, region)) };
        let known = |resource: &Arc<dyn Resource>| self.state.identities.contains_key(resource.id());
        regions.into_iter().map(account).filter(known).collect()
    }

    /// Adds the orphans to what this run is about, and what only state remembers of a dropped region: its package, and API
    /// Gateway's role for logs.
    ///
    /// # Errors
    /// What could not be looked at.
    pub async fn with_orphans(&mut self, actual: &Actual) -> Result<(), Unseen> {
        let orphans = self.all_orphans(actual, &[]).await?;
        for more in orphans.into_iter().chain(self.retired()).chain(self.dropped_api_accounts()) {
            if !self.resources.iter().any(|resource| resource.id() == more.id()) {
                self.resources.push(more);
            }
        }
        Ok(())
    }

    /// Makes this run one about the orphans and nothing else.
    ///
    /// # Errors
    /// What could not be looked at.
    pub async fn only_orphans(&mut self, actual: &Actual, also: &[String]) -> Result<(), Unseen> {
        self.resources = self.all_orphans(actual, also).await?;
        // What it does not look at is no less part of the environment.
        self.limited = true;
        Ok(())
    }

    async fn all_orphans(&mut self, actual: &Actual, also: &[String]) -> Result<Vec<Arc<dyn Resource>>, Unseen> {
        let (orphans, unseen) = self.orphans(actual, also).await;
        if let Some(unseen) = unseen.into_iter().next() {
            return Err(unseen);
        }
        self.forget_what_is_not_among(&orphans);
        Ok(orphans.into_iter().map(|orphan| Arc::new(orphan) as Arc<dyn Resource>).collect())
    }

    /// Forgets what a run removed that was killed before it could say so: everything was looked at, and it is not there.
    fn forget_what_is_not_among(&mut self, orphans: &[Orphan]) {
        let gone = |id: &NodeId, identity: &String| match id.local_name().split('/').next() {
            Some("bucket" | "replica") => true,
            Some("log-group") => {
                self.dropped(id.place()) && names::log_groups(&self.environment, id.place()).contains(identity)
            }
            _ => false,
        };
        let there = |id: &NodeId| {
            orphans.iter().any(|orphan| orphan.id == *id) || self.resources.iter().any(|resource| resource.id() == id)
        };
        let remembered = self.state.identities.iter();
        let gone: Vec<NodeId> =
            remembered.filter(|(id, identity)| gone(id, identity) && !there(id)).map(|(id, _)| id.clone()).collect();
        self.state.identities.retain(|id, _| !gone.contains(id));
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
            after: match kind {
                // Names first, so that nobody is sent to a server that is gone; then what customers reach, then what is
                // behind it.
                Kind::Record => Vec::new(),
                Kind::Server => self.records_of(region),
                Kind::Stack => vec![names::server_node(region)],
                _ => vec![names::stack_node(region)],
            },
            before: Vec::new(),
            environment: self.environment.name.clone(),
            servers: self.state.servers(),
        }
    }

    /// Nodes of a region's records, whether the file has them or not.
    fn records_of(&self, region: &str) -> Vec<NodeId> {
        let known = self.state.identities.keys().chain(self.resources.iter().map(|resource| resource.id()));
        let its = known.filter(|id| id.place() == "global" && id.local_name().starts_with("record/"));
        its.filter(|id| {
            let name = id.local_name();
            name.ends_with(&format!("/{region}")) || name.contains(&format!("-{region}."))
        })
        .cloned()
        .collect()
    }

    fn tagged(&self, tags: &Tags) -> bool {
        tags.get(ENVIRONMENT) == Some(&self.environment.name)
    }

    fn dropped(&self, region: &str) -> bool {
        !self.environment.regions.contains_key(region)
    }

    pub(super) async fn spare_servers(&self, region: &str, actual: &Actual) -> Looked {
        let transfer = self.aws.transfer(region);
        let node = names::server_node(region);
        // A server that could not be read is in use for all that anybody knows.
        if !actual.contains_key(&node) && self.resources.iter().any(|resource| *resource.id() == node) {
            return Err(AwsError {
                operation: "transfer:DescribeServer",
                object: node.to_string(),
                code: None,
                message: "it could not be read, so nobody can say which server is the spare one".into(),
                status: None,
            });
        }
        let used = actual.get(&node).and_then(Option::as_ref);
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

    /// The record of a region that has no server any more; a record has no tag, so it goes by its name and its target.
    async fn dropped_records(&self, region: &str) -> Looked {
        let settings = self.environment.regions.get(region);
        let Some(dns) = &self.environment.dns else { return Ok(Vec::new()) };
        if settings.is_some_and(|settings| settings.server) {
            return Ok(Vec::new());
        }
        // Looked up when the run was opened; without one there are no records either.
        let Some(zone) = &dns.zone_id else { return Ok(Vec::new()) };
        let route53 = self.aws.route53();
        let mut found = Vec::new();
        let names =
            [names::host(&self.environment, region, &dns.zone), names::latency_host(&self.environment, &dns.zone)];
        for name in names {
            for record in route53.records(zone, &name).await?.unwrap_or_default() {
                let its = record.latency.as_ref().is_none_or(|(identifier, _)| identifier == region);
                let Some(target) = record.targets.first().filter(|_| its) else { continue };
                if names_our_server(&self.aws, target, &self.environment.name).await? {
                    let local = match &record.latency {
                        None => name.clone(),
                        Some((identifier, _)) => format!("{name}/{identifier}"),
                    };
                    let identity = format!("{zone}/{name}");
                    let note = "names a server that the file does not have";
                    let id = NodeId::named("global", Kind::Record, &local);
                    found.push(Orphan { id, ..self.orphan(region, Kind::Record, &identity, note) });
                }
            }
        }
        Ok(found)
    }

    /// A record of which only its node is known: `record/<name>`, of a latency record also its identifier.
    pub(super) fn dropped_record(&self, node: &NodeId) -> Option<Orphan> {
        let zone = self.environment.dns.as_ref()?.zone_id.as_ref()?;
        let name = node.local_name().split('/').nth(1)?;
        let identity = format!("{zone}/{name}");
        Some(Orphan { id: node.clone(), ..self.orphan(node.place(), Kind::Record, &identity, "") })
    }

    pub(super) async fn dropped_stack(&self, region: &str) -> Looked {
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

    /// Replicas in other regions than the file has: in those looked at, and in those that the table itself names.
    async fn dropped_replicas(&self, regions: &BTreeSet<&str>) -> Vec<(String, Looked)> {
        let named = |region: &str| format!("{region}/orphans/table");
        let settings = &self.environment.table;
        let home = &self.environment.home_region;
        let (mut found, listed) = match self.aws.dynamodb(home).table(&settings.name).await {
            Ok(table) => (Vec::new(), table.map_or_else(Vec::new, |table| table.replicas)),
            Err(error) => (vec![(named(home), Err(error))], Vec::new()),
        };
        let all: BTreeSet<&str> = regions.iter().copied().chain(listed.iter().map(|(at, _)| at.as_str())).collect();
        let dropped = all.into_iter().filter(|at| at != home && !settings.regions.iter().any(|wanted| wanted == at));
        let looks = dropped.map(|region| async move { (named(region), self.dropped_replica(region).await) });
        found.extend(join_all(looks).await);
        // The table goes after its replicas, and AWS changes one of them at a time.
        let kinds = [Kind::Table, Kind::Replica];
        let mut before: Vec<NodeId> =
            self.resources.iter().filter(|r| kinds.contains(&r.kind())).map(|r| r.id().clone()).collect();
        for replica in found.iter_mut().filter_map(|(_, looked)| looked.as_mut().ok()).flatten() {
            replica.before.clone_from(&before);
            before.push(replica.id.clone());
        }
        found
    }

    async fn dropped_replica(&self, region: &str) -> Looked {
        let (name, home) = (&self.environment.table.name, &self.environment.home_region);
        let Some(table) = self.aws.dynamodb(region).table(name).await? else { return Ok(Vec::new()) };
        let ours = self.tagged(&replica::tags(&self.aws, home, region, &table).await?);
        Ok(ours.then(|| self.orphan(region, Kind::Replica, name, "holds the accounts")).into_iter().collect())
    }

    /// Log groups of a dropped region: by their tag, or as long as the stack is there that made them.
    async fn dropped_logs(&self, region: &str) -> Looked {
        if !self.dropped(region) {
            return Ok(Vec::new());
        }
        let logs = self.aws.logs(region);
        let stack = !self.dropped_stack(region).await?.is_empty();
        let mut found = Vec::new();
        for name in names::log_groups(&self.environment, region) {
            let Some(group) = logs.group(&name).await? else { continue };
            if stack || self.tagged(&logs.tags(&group.arn).await?) {
                found.push(self.orphan(region, Kind::LogGroup, &name, ""));
            }
        }
        Ok(found)
    }

    /// Buckets with our tag that no cluster of the file has, by the beginning of their names.
    async fn dropped_buckets(&self, region: &str, all: Result<Vec<String>, AwsError>) -> Looked {
        let s3 = self.aws.s3(region);
        let mut found = Vec::new();
        for name in all? {
            let wanted = self.environment.clusters.keys().any(|c| names::upload_bucket(&self.environment, c) == name);
            if wanted || s3.location(&name).await?.as_deref() != Some(region) {
                continue;
            }
            if s3.tags(&name, &self.environment.account).await?.is_some_and(|tags| self.tagged(&tags)) {
                found.push(self.orphan(region, Kind::Bucket, &name, "may hold customers' files"));
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
    let name = match orphan.identity.split_once('/') {
        Some((_, name)) if kind == Kind::Record => name,
        _ => orphan.identity.trim_start_matches('/'),
    };
    Drifted {
        resource: format!("{}/orphan/{kind}/{name}", orphan.region),
        title: format!("{kind} that belongs to nothing in the file"),
        how: "orphan",
        properties: vec![Property { name: "exists".into(), before: false.into(), after: after.into(), ignored: None }],
    }
}
