//! The security group of a server's endpoint, for environments that say from where customers connect (`allow`).
//!
//! It is in no stack: CloudFormation would delete it while an endpoint still has it. The group belongs to one VPC; in
//! another one it is another group, and the first is an orphan.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use sftpctl_aws::{Admitted, Aws, AwsError, SecurityGroupFacts, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, RemovalOptions};
use sftpctl_core::node::Node;
use sftpctl_core::spec::endpoint::RULES;
use sftpctl_core::spec::names;

use super::stray::{self, Orphan, Search, Stray};
use super::tags;
use crate::resources::resource::{Resource, ResourceError};

/// Output: its ID.
pub(super) const GROUP: &str = "GroupId";
/// Property: the ranges that are admitted to port 22.
const ALLOW: &str = "allow";
/// Property: rules for connections from outside that are not ours.
const OTHERS: &str = "other rules";

/// The security group.
#[derive(Clone, Debug)]
pub struct SecurityGroup {
    pub id: NodeId,
    pub region: String,
    pub name: String,
    /// `vpc-…`.
    pub vpc: String,
    /// Ranges of IPv4 addresses that are admitted to port 22.
    pub allow: Vec<String>,
    pub tags: Tags,
}

/// The rule in words: `tcp 22-22 203.0.113.0/24`.
fn words(rule: &Admitted) -> String {
    format!("{} {}-{} {}", rule.protocol, rule.ports.0, rule.ports.1, rule.from)
}

/// Whether a rule admits a range of IPv4 addresses to SFTP and to nothing else.
fn is_sftp(rule: &Admitted) -> bool {
    *rule == Admitted::sftp(&rule.from) && !rule.from.contains(':') && rule.from.contains('/')
}

/// A property whose order says nothing.
pub(super) fn sorted(texts: impl IntoIterator<Item: Into<String>>) -> Value {
    let mut texts: Vec<String> = texts.into_iter().map(Into::into).collect();
    texts.sort();
    json!(texts)
}

impl SecurityGroup {
    fn live(&self, facts: &SecurityGroupFacts) -> Live {
        let (ours, others): (Vec<&Admitted>, Vec<&Admitted>) = facts.admitted.iter().partition(|rule| is_sftp(rule));
        Live::new(&facts.id)
            .owned_by(tags::owner(&facts.tags, &self.tags, &format!("security group {}", facts.id)))
            .with(ALLOW, sorted(ours.into_iter().map(|rule| rule.from.clone())))
            .with(OTHERS, sorted(others.into_iter().map(words)))
            .with(tags::PROPERTY, tags::live(&facts.tags, &self.tags))
            .output(GROUP, &facts.id)
    }
}

impl Node for SecurityGroup {
    fn kind(&self) -> Kind {
        Kind::SecurityGroup
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        Vec::new()
    }

    fn title(&self) -> String {
        format!("security group {}", self.name)
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::from([
            (ALLOW, sorted(self.allow.iter().cloned()).into()),
            (OTHERS, json!([]).into()),
            (tags::PROPERTY, tags::wanted(&self.tags).into()),
        ])
    }

    fn found_by_listing(&self) -> bool {
        true
    }
}

#[async_trait]
impl Resource for SecurityGroup {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let ec2 = aws.ec2(&self.region);
        let known = known.filter(|id| names::is_security_group_id(id));
        let known = match known {
            Some(id) => ec2.security_groups(&[id.to_owned()]).await?.unwrap_or_default().pop(),
            None => None,
        };
        // That of another VPC cannot be moved.
        if let Some(facts) = known.filter(|facts| facts.vpc == self.vpc) {
            return Ok(Some(self.live(&facts)));
        }
        let mark = self.tags.iter().filter(|(key, _)| *key == tags::ENVIRONMENT);
        let mark = mark.map(|(key, value)| (key.clone(), value.clone())).collect();
        let mut found = ec2.security_groups_with(&mark).await?;
        found.retain(|facts| facts.vpc == self.vpc);
        Ok(match found.as_slice() {
            [] => None,
            [facts] => Some(self.live(facts)),
            [facts, ..] => {
                let ids: Vec<&str> = found.iter().map(|facts| facts.id.as_str()).collect();
                let what = format!(
                    "{} security groups in {} carry {}: {}; delete all but one",
                    found.len(),
                    self.vpc,
                    tags::ENVIRONMENT,
                    ids.join(", ")
                );
                Some(self.live(facts).owned_by(Owner::Foreign(what)))
            }
        })
    }

    async fn create(
        &self,
        aws: &Aws,
        call: &str,
        _change: &Change,
        _actual: &Actual,
    ) -> Result<Option<String>, ResourceError> {
        let mut tags = self.tags.clone();
        tags.insert(tags::OPERATION.to_owned(), call.to_owned());
        let description = format!("SFTP server of {}", self.name);
        let ec2 = aws.ec2(&self.region);
        Ok(Some(ec2.create_security_group(&self.name, &description, &self.vpc, &tags).await?))
    }

    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        let Some(live) = live else { return self.create(aws, call, change, actual).await.map(drop) };
        let ec2 = aws.ec2(&self.region);
        if change.touches(tags::PROPERTY) {
            return Ok(ec2.tag(&live.identity, &self.tags).await?);
        }
        let facts = ec2.security_groups(std::slice::from_ref(&live.identity)).await?.unwrap_or_default().pop();
        let have = facts.map(|facts| facts.admitted).unwrap_or_default();
        let wanted: Vec<Admitted> = self.allow.iter().map(|range| Admitted::sftp(range)).collect();
        match next(have, wanted) {
            Next::Admit(rules) => Ok(ec2.admit(&live.identity, &rules).await?),
            Next::Revoke(rules) => Ok(ec2.revoke(&live.identity, &rules).await?),
            Next::Nothing => Ok(()),
        }
    }

    async fn delete(&self, aws: &Aws, _call: &str, live: &Live, _options: RemovalOptions) -> Result<(), ResourceError> {
        Ok(aws.ec2(&self.region).delete_security_group(&live.identity).await?)
    }
}

/// The next change of the rules.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Admit(Vec<Admitted>),
    Revoke(Vec<Admitted>),
    Nothing,
}

/// First those who are admitted: nobody is shut out by a change in between. Unless AWS has no room for both.
fn next(have: Vec<Admitted>, wanted: Vec<Admitted>) -> Next {
    let count = have.len();
    let (kept, superfluous): (Vec<Admitted>, Vec<Admitted>) = have.into_iter().partition(|rule| wanted.contains(rule));
    let missing: Vec<Admitted> = wanted.into_iter().filter(|rule| !kept.contains(rule)).collect();
    let has_room = count + missing.len() <= RULES;
    match (missing.is_empty(), superfluous.is_empty()) {
        (true, true) => Next::Nothing,
        (false, nothing_to_revoke) if has_room || nothing_to_revoke => Next::Admit(missing),
        _ => Next::Revoke(superfluous),
    }
}

/// Security groups with the environment's tag that the file asks for no longer.
#[derive(Debug)]
pub(super) struct Strays;

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::SecurityGroup
    }

    fn plural(&self) -> &'static str {
        "security groups"
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError> {
        if !search.has_network() {
            return Ok(Vec::new());
        }
        let mark = Tags::from([(tags::ENVIRONMENT.to_owned(), search.environment.name.clone())]);
        let endpoint = search.environment.regions.get(region).and_then(|settings| settings.vpc_endpoint());
        let wanted = endpoint.filter(|endpoint| endpoint.has_own_group()).map(|endpoint| endpoint.vpc.as_str());
        let found = search.aws.ec2(region).security_groups_with(&mark).await?;
        let strays = found.iter().filter(|facts| Some(facts.vpc.as_str()) != wanted);
        Ok(strays.map(|facts| search.orphan(&Strays, region, &facts.id, "")).collect())
    }

    async fn find_created(
        &self,
        search: &Search<'_>,
        node: &NodeId,
        _patience: Duration,
    ) -> Result<Option<Orphan>, AwsError> {
        Ok(self.find(search, node.place()).await?.into_iter().next())
    }

    fn removed_after(&self, _search: &Search<'_>, region: &str) -> Vec<NodeId> {
        vec![names::server_node(region)]
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        let found = aws.ec2(&orphan.region).security_groups(std::slice::from_ref(&orphan.identity)).await?;
        let found = found.unwrap_or_default().pop();
        Ok(found.map(|facts| stray::live(orphan, "").owned_by(orphan.owner(&facts.tags))))
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        _call: &str,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(aws.ec2(&orphan.region).delete_security_group(&orphan.identity).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(numbers: std::ops::Range<usize>) -> Vec<Admitted> {
        numbers.map(|number| Admitted::sftp(&format!("192.0.2.{number}/32"))).collect()
    }

    #[test]
    fn who_is_admitted_comes_first_where_there_is_room() {
        assert_eq!(next(rules(0..2), rules(0..2)), Next::Nothing);
        assert_eq!(next(rules(0..2), rules(1..3)), Next::Admit(rules(2..3)));
        assert_eq!(next(rules(0..3), rules(1..3)), Next::Revoke(rules(0..1)));
        // AWS allows sixty rules at any time.
        assert_eq!(next(rules(0..60), rules(1..61)), Next::Revoke(rules(0..1)));
        assert_eq!(next(rules(1..60), rules(1..61)), Next::Admit(rules(60..61)));
    }
}
