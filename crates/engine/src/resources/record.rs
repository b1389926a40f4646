//! A DNS record: a CNAME to a server's endpoint, with simple or latency-based routing.
//!
//! It is not in the template: it names the server, which is outside the stack, and the zone belongs to the account.
//! Route 53 has no tags on records, so a record counts as ours when the state remembers it or when it points to a
//! server with our tag; any other record of the name is foreign and is kept: it may direct customers elsewhere.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sftpctl_aws::{Aws, AwsError, RecordFacts, Route53, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, Removal, RemovalOptions, Want, output};
use sftpctl_core::node::{Node, difference};
use sftpctl_core::spec::names;

use super::stray::{self, Orphan, Search, Stray};
use super::tags;
use crate::resources::resource::{Resource, ResourceError};

/// Distinguishes latency records of the same name.
#[derive(Clone, Debug)]
pub struct LatencyRecord {
    pub identifier: String,
    /// The region whose latency counts.
    pub region: String,
}

#[derive(Clone, Debug)]
pub struct Record {
    pub id: NodeId,
    /// Full name, without the trailing dot.
    pub name: String,
    pub zone: String,
    /// The zone's ID, if the file names it.
    pub zone_id: Option<String>,
    /// Time to live in seconds.
    pub ttl: i64,
    /// Node of the server it points to.
    pub server: NodeId,
    /// `None` for a simple record.
    pub latency: Option<LatencyRecord>,
    /// The environment whose tag the server carries.
    pub environment: String,
    /// IDs of the servers that the state remembers, which identify a record of a deleted server.
    pub servers: Arc<[String]>,
}

/// Whether a record points to a server that the state remembers, or to one with the environment's tag. A record that
/// points elsewhere is not deleted, even if sftpctl created it.
///
/// # Errors
/// The server cannot be read.
async fn points_to_us(aws: &Aws, target: &str, environment: &str, servers: &[String]) -> Result<bool, AwsError> {
    let endpoint =
        |id: &String| target.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with(".server.transfer."));
    Ok(servers.iter().any(endpoint) || names_our_server(aws, target, environment).await?)
}

/// Whether a record points to a server with the environment's tag.
///
/// # Errors
/// The server cannot be read.
async fn names_our_server(aws: &Aws, target: &str, environment: &str) -> Result<bool, AwsError> {
    let mut labels = target.split('.');
    let (Some(id), Some("server"), Some("transfer"), Some(region)) =
        (labels.next(), labels.next(), labels.next(), labels.next())
    else {
        return Ok(false);
    };
    let server = aws.transfer(region).server(id).await?;
    Ok(server.is_some_and(|server| server.tags.get(tags::ENVIRONMENT).is_some_and(|name| name == environment)))
}

/// The ID of the account's only public hosted zone of this name.
///
/// # Errors
/// There is none, there are several, or they cannot be listed.
pub(crate) async fn only_zone(route53: &Route53, name: &str) -> Result<String, AwsError> {
    let refuse = |message: String| AwsError {
        operation: "route53:ListHostedZonesByName",
        object: name.to_owned(),
        code: Some("NoSuchHostedZone".into()),
        message,
        status: None,
    };
    match route53.zones(name).await?.as_slice() {
        [] => Err(refuse(format!("the account has no public hosted zone {name}"))),
        [id] => Ok(id.clone()),
        ids => Err(refuse(format!(
            "the account has {} public hosted zones of this name; choose one with `dns: {{ zone_id: … }}`: {}",
            ids.len(),
            ids.join(", ")
        ))),
    }
}

/// A property of a record that only the state calls ours.
const STATE_ONLY: &str = "known from the state only";

/// Why `import` cannot take a record over, and what to do.
const NOT_ADOPTABLE: &str = "is not a CNAME with a single target; change or delete it, then deploy";

/// What a record is that is not ours, and what to do if `import` cannot take it over.
fn foreign(record: &RecordFacts) -> String {
    let (kind, name) = (&record.kind, &record.name);
    let value = match &record.alias {
        Some(target) => format!("an alias of {target}"),
        None => record.targets.join(", "),
    };
    let exists = format!("record {name} exists with type {kind}: {value}");
    match (kind.as_str(), record.targets.as_slice()) {
        ("CNAME", [_]) => exists,
        _ => format!("{exists}. It {NOT_ADOPTABLE}"),
    }
}

impl Record {
    /// The ID of the zone. `known` is the identity in the state: `<zone id>/<name>`.
    async fn zone(&self, route53: &Route53, known: Option<&str>) -> Result<String, AwsError> {
        if let Some(id) =
            self.zone_id.clone().or_else(|| known.and_then(|k| k.split_once('/')).map(|(id, _)| id.to_owned()))
        {
            return Ok(id);
        }
        only_zone(route53, &self.zone).await
    }

    fn facts(&self, target: &str) -> RecordFacts {
        RecordFacts {
            name: self.name.clone(),
            kind: "CNAME".into(),
            targets: vec![target.to_owned()],
            alias: None,
            ttl: Some(self.ttl),
            latency: self.latency.as_ref().map(|l| (l.identifier.clone(), l.region.clone())),
        }
    }
}

impl Node for Record {
    fn kind(&self) -> Kind {
        Kind::Record
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        vec![self.server.clone()]
    }

    fn may_be_imported(&self, live: &Live) -> bool {
        live.properties.get("type").and_then(Value::as_str) == Some("CNAME")
    }

    fn title(&self) -> String {
        match &self.latency {
            None => format!("record {}", self.name),
            Some(latency) => format!("latency record {} for {}", self.name, latency.region),
        }
    }

    fn wanted(&self, actual: &Actual) -> Properties {
        let mut wanted = Properties::from([
            ("type", "CNAME".into()),
            ("target", output(actual, &self.server, "Endpoint")),
            ("ttl", self.ttl.into()),
        ]);
        if let Some(latency) = &self.latency {
            wanted.insert("latency region", latency.region.clone().into());
        }
        wanted
    }

    fn diff(&self, live: Option<&Live>, actual: &Actual) -> Option<Change> {
        let mut change = difference(&self.wanted(actual), live)?;
        // Route 53 has no tags on records, so there may be no other proof, as after `import`. The reader decides.
        let unproven = live.and_then(|live| live.properties.get(STATE_ONLY)).is_some();
        if unproven && change.properties.iter().any(|property| property.name == "target") {
            change.reason = Some("known from the state only: it does not point to a server of this environment".into());
        }
        Some(change)
    }
}

#[async_trait]
impl Resource for Record {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let route53 = aws.route53();
        let zone = self.zone(&route53, known).await?;
        let records = match route53.records(&zone, &self.name).await? {
            Some(records) => records,
            // The remembered zone was deleted; search again by name.
            None if known.is_some() && self.zone_id.is_none() => {
                let zone = self.zone(&route53, None).await?;
                route53.records(&zone, &self.name).await?.unwrap_or_default()
            }
            None => {
                return Err(AwsError {
                    operation: "route53:ListResourceRecordSets",
                    object: self.name.clone(),
                    code: Some("NoSuchHostedZone".into()),
                    message: format!("hosted zone {zone} does not exist"),
                    status: Some(404),
                });
            }
        };
        let identifier = self.latency.as_ref().map(|l| l.identifier.as_str());
        let same = |r: &&RecordFacts| r.latency.as_ref().map(|(id, _)| id.as_str()) == identifier;
        let Some(record) = records.iter().find(same).or(records.first()) else { return Ok(None) };
        let identity = format!("{zone}/{}", self.name);
        let target = record.targets.first().cloned().unwrap_or_default();
        let adoptable = same(&record) && record.kind == "CNAME" && record.targets.len() == 1;
        let proven = adoptable && names_our_server(aws, &target, &self.environment).await?;
        let ours = proven || (adoptable && known == Some(identity.as_str()));
        // Another latency record of the same name is a neighbour, not an obstacle.
        if !same(&record) && identifier.is_some() && record.latency.is_some() {
            return Ok(None);
        }
        let owner = if ours { Owner::Ours } else { Owner::Foreign(foreign(record)) };
        let live = Live::new(identity)
            .owned_by(owner)
            .with("type", record.kind.clone())
            .with("target", target)
            .with("ttl", record.ttl)
            .with("latency region", record.latency.as_ref().map(|(_, region)| region.clone()));
        Ok(Some(if ours && !proven { live.with(STATE_ONLY, true) } else { live }))
    }

    async fn apply(
        &self,
        aws: &Aws,
        _call: &str,
        _change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let Want::Is(Value::String(target)) = output(actual, &self.server, "Endpoint") else {
            return Err(ResourceError::Refused(format!("{} has no endpoint", self.server)));
        };
        let route53 = aws.route53();
        let zone = self.zone(&route53, live.map(|l| l.identity.as_str())).await?;
        // Route 53 propagates an accepted change to all its name servers within a minute; this does not wait for it.
        route53.upsert(&zone, &self.facts(&target)).await?;
        Ok(())
    }

    /// Route 53 has no tags on records: the entry in the state makes it ours, so no call is needed.
    async fn adoptable(&self, _aws: &Aws, live: &Live) -> Result<Tags, ResourceError> {
        match live.owner {
            Owner::Ours => Ok(Tags::new()),
            Owner::Foreign(_) => Err(ResourceError::Refused(format!("{} {NOT_ADOPTABLE}", self.title()))),
        }
    }

    /// Checks the record's current target, which the state does not have.
    async fn removal(&self, aws: &Aws, live: &Live, _options: RemovalOptions) -> Result<Removal, AwsError> {
        let target = live.properties.get("target").and_then(Value::as_str).unwrap_or_default();
        Ok(match points_to_us(aws, target, &self.environment, &self.servers).await? {
            true => Removal::Delete,
            false => Removal::Keep(format!("it points to {target}, which is not a server of this environment")),
        })
    }

    async fn delete(&self, aws: &Aws, _call: &str, live: &Live, _options: RemovalOptions) -> Result<(), ResourceError> {
        let route53 = aws.route53();
        let zone = self.zone(&route53, Some(&live.identity)).await?;
        let mut facts = self.facts(live.properties.get("target").and_then(Value::as_str).unwrap_or_default());
        facts.ttl = live.properties.get("ttl").and_then(Value::as_i64);
        route53.delete(&zone, &facts).await?;
        Ok(())
    }
}

/// Records of a region that no longer has a server. Route 53 has no tags on records: a record is recognized by its name
/// and by the server that it points to.
#[derive(Debug)]
pub(super) struct Strays;

impl Strays {
    /// Reads the record. The last part of its node's name identifies a latency record.
    async fn facts(aws: &Aws, orphan: &Orphan) -> Result<Option<(String, RecordFacts)>, AwsError> {
        let Some((zone, name)) = orphan.identity.split_once('/') else { return Ok(None) };
        let identifier = orphan.id.name().and_then(|name| name.split('/').nth(1));
        let records = aws.route53().records(zone, name).await?.unwrap_or_default();
        let same = |record: &RecordFacts| record.latency.as_ref().map(|(id, _)| id.as_str()) == identifier;
        Ok(records.into_iter().find(same).map(|record| (zone.to_owned(), record)))
    }
}

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::Record
    }

    fn plural(&self) -> &'static str {
        "records"
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError> {
        let environment = search.environment;
        let Some(dns) = &environment.dns else { return Ok(Vec::new()) };
        if environment.regions.get(region).is_some_and(|settings| settings.server) {
            return Ok(Vec::new());
        }
        // The ID was read when the run was opened; without a zone there are no records.
        let Some(zone) = &dns.zone_id else { return Ok(Vec::new()) };
        let route53 = search.aws.route53();
        let mut found = Vec::new();
        for name in [names::host(environment, region, &dns.zone), names::latency_host(environment, &dns.zone)] {
            for record in route53.records(zone, &name).await?.unwrap_or_default() {
                let is_of_region = record.latency.as_ref().is_none_or(|(identifier, _)| identifier == region);
                let Some(target) = record.targets.first().filter(|_| is_of_region) else { continue };
                if names_our_server(search.aws, target, &environment.name).await? {
                    let local = match &record.latency {
                        None => name.clone(),
                        Some((identifier, _)) => format!("{name}/{identifier}"),
                    };
                    let note = "names a server that is not in the environment file";
                    let orphan = search.orphan(&Strays, region, &format!("{zone}/{name}"), note);
                    found.push(Orphan { id: NodeId::named("global", Kind::Record, &local), ..orphan });
                }
            }
        }
        Ok(found)
    }

    /// The node's name is the name of the record, followed by the identifier of a latency record.
    async fn find_created(
        &self,
        search: &Search<'_>,
        node: &NodeId,
        _patience: Duration,
    ) -> Result<Option<Orphan>, AwsError> {
        let zone = search.environment.dns.as_ref().and_then(|dns| dns.zone_id.as_ref());
        let name = node.name().and_then(|name| name.split('/').next());
        Ok(zone.zip(name).map(|(zone, name)| search.orphan(&Strays, node.place(), &format!("{zone}/{name}"), "")))
    }

    fn removed_after(&self, _search: &Search<'_>, _region: &str) -> Vec<NodeId> {
        Vec::new()
    }

    fn name<'a>(&self, identity: &'a str) -> &'a str {
        identity.split('/').nth(1).unwrap_or(identity)
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        let Some((_, record)) = Self::facts(aws, orphan).await? else { return Ok(None) };
        let target = record.targets.first().cloned().unwrap_or_default();
        let owner = match points_to_us(aws, &target, &orphan.environment, &orphan.servers).await? {
            true => Owner::Ours,
            false => {
                let title = orphan.title();
                Owner::Foreign(format!("{title} points to {target}, which is not a server of this environment"))
            }
        };
        Ok(Some(stray::live(orphan, "").owned_by(owner)))
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        _call: &str,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        match Self::facts(aws, orphan).await? {
            Some((zone, record)) => Ok(aws.route53().delete(&zone, &record).await?),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_record_is_described_by_its_type_and_value() {
        let record = |kind: &str, targets: &[&str], alias: Option<&str>| RecordFacts {
            name: "a.xx.net".into(),
            kind: kind.into(),
            targets: targets.iter().map(|target| (*target).to_owned()).collect(),
            alias: alias.map(str::to_owned),
            ttl: None,
            latency: None,
        };
        let old = foreign(&record("CNAME", &["old.xx.net"], None));
        assert_eq!(old, "record a.xx.net exists with type CNAME: old.xx.net");
        let alias = foreign(&record("A", &[], Some("dualstack.lb.example.com")));
        assert!(alias.contains("type A: an alias of dualstack.lb.example.com. It is not a CNAME"), "{alias}");
        assert!(foreign(&record("TXT", &["\"hello\""], None)).contains("type TXT: \"hello\". It is not a CNAME"));
    }
}
