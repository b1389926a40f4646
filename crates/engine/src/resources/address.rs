//! An Elastic IP address of a region's server.
//!
//! Customers' firewalls know it, and a released address may become another customer's of AWS. So it is in no stack, and only a teardown
//! with `--release-addresses` releases it. `AllocateAddress` takes no client token, so an address is found by its tags:
//! the environment, and its number.

use async_trait::async_trait;
use sftpctl_aws::{AddressFacts, Aws, AwsError, Tags};
use sftpctl_core::kind::{Kind, NodeId};
use sftpctl_core::model::{Actual, Change, Live, Owner, Properties, Removal, RemovalOptions};
use sftpctl_core::node::Node;
use sftpctl_core::spec::names;

use super::stray::{self, Orphan, Search, Stray};
use super::tags;
use crate::resources::resource::{Resource, ResourceError};

/// The tag with the address's number.
const NUMBER: &str = "sftpctl:address";
/// Output: the allocation ID.
pub(crate) const ALLOCATION: &str = "AllocationId";
/// Output: the address itself.
pub(crate) const PUBLIC_IP: &str = "PublicIp";
/// Why a teardown keeps it.
const KEPT: &str =
    "customers' firewalls know it; --release-addresses gives it back to AWS, which may give it to somebody else";

/// One address of a server.
#[derive(Clone, Debug)]
pub struct Address {
    pub id: NodeId,
    pub region: String,
    /// Counted from 1.
    pub number: usize,
    /// The environment's tags.
    pub tags: Tags,
}

impl Address {
    fn tags(&self) -> Tags {
        let mut tags = self.tags.clone();
        tags.insert(NUMBER.to_owned(), self.number.to_string());
        tags
    }

    /// The tags that it is found by.
    fn marks(&self) -> Tags {
        self.tags().into_iter().filter(|(key, _)| [tags::ENVIRONMENT, NUMBER].contains(&key.as_str())).collect()
    }

    fn live(&self, facts: &AddressFacts) -> Live {
        let wanted = self.tags();
        Live::new(&facts.id)
            .owned_by(tags::owner(&facts.tags, &wanted, &format!("address {} ({})", facts.ip, facts.id)))
            .with(tags::PROPERTY, tags::live(&facts.tags, &wanted))
            .output(ALLOCATION, &facts.id)
            .output(PUBLIC_IP, &facts.ip)
    }
}

impl Node for Address {
    fn kind(&self) -> Kind {
        Kind::Address
    }

    fn id(&self) -> &NodeId {
        &self.id
    }

    fn needs(&self) -> Vec<NodeId> {
        Vec::new()
    }

    fn title(&self) -> String {
        format!("Elastic IP address {}", self.number)
    }

    fn wanted(&self, _actual: &Actual) -> Properties {
        Properties::from([(tags::PROPERTY, tags::wanted(&self.tags()).into())])
    }

    fn found_by_listing(&self) -> bool {
        true
    }
}

#[async_trait]
impl Resource for Address {
    async fn read(&self, aws: &Aws, known: Option<&str>) -> Result<Option<Live>, AwsError> {
        let ec2 = aws.ec2(&self.region);
        // One that has lost its tags is not replaced: customers would have to change their firewalls.
        let known = known.filter(|id| names::is_allocation_id(id));
        if let Some(id) = known
            && let Some(facts) = ec2.addresses(&[id.to_owned()]).await?.first()
        {
            return Ok(Some(self.live(facts)));
        }
        let found = ec2.addresses_with(&self.marks()).await?;
        Ok(match found.as_slice() {
            [] => None,
            [facts] => Some(self.live(facts)),
            [facts, ..] => {
                let ids: Vec<_> = found.iter().map(|facts| format!("{} ({})", facts.id, facts.ip)).collect();
                let what = format!(
                    "{} addresses carry {NUMBER}={}: {}; remove the tag from all but the one that customers know",
                    found.len(),
                    self.number,
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
        let mut tags = self.tags();
        tags.insert(tags::OPERATION.to_owned(), call.to_owned());
        Ok(Some(aws.ec2(&self.region).allocate(&tags).await?))
    }

    async fn apply(
        &self,
        aws: &Aws,
        call: &str,
        change: &Change,
        live: Option<&Live>,
        actual: &Actual,
    ) -> Result<(), ResourceError> {
        match live {
            None => self.create(aws, call, change, actual).await.map(drop),
            Some(live) => Ok(aws.ec2(&self.region).tag(&live.identity, &self.tags()).await?),
        }
    }

    async fn removal(&self, _aws: &Aws, _live: &Live, options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(removal(options))
    }

    async fn delete(&self, aws: &Aws, _call: &str, live: &Live, _options: RemovalOptions) -> Result<(), ResourceError> {
        Ok(aws.ec2(&self.region).release(&live.identity).await?)
    }
}

fn removal(options: RemovalOptions) -> Removal {
    if options.release_addresses { Removal::Delete } else { Removal::Keep(KEPT.to_owned()) }
}

/// Addresses with the environment's tag that the file asks for no longer.
#[derive(Debug)]
pub(super) struct Strays;

#[async_trait]
impl Stray for Strays {
    fn kind(&self) -> Kind {
        Kind::Address
    }

    fn plural(&self) -> &'static str {
        "addresses"
    }

    async fn find(&self, search: &Search<'_>, region: &str) -> Result<Vec<Orphan>, AwsError> {
        if !search.has_network() {
            return Ok(Vec::new());
        }
        let mark = Tags::from([(tags::ENVIRONMENT.to_owned(), search.environment.name.clone())]);
        let wanted = search.environment.regions.get(region).and_then(|settings| settings.vpc_endpoint());
        let wanted = wanted.map_or(0, |endpoint| endpoint.allocated());
        let is_wanted = |facts: &AddressFacts| {
            let number = facts.tags.get(NUMBER).and_then(|number| number.parse::<usize>().ok());
            number.is_some_and(|number| (1..=wanted).contains(&number))
        };
        let found = search.aws.ec2(region).addresses_with(&mark).await?;
        let strays = found.iter().filter(|facts| !is_wanted(facts));
        Ok(strays.map(|facts| search.orphan(&Strays, region, &facts.id, "costs $3.65 a month")).collect())
    }

    fn removed_after(&self, _search: &Search<'_>, region: &str) -> Vec<NodeId> {
        vec![names::server_node(region)]
    }

    async fn read(&self, aws: &Aws, orphan: &Orphan) -> Result<Option<Live>, AwsError> {
        let found = aws.ec2(&orphan.region).addresses(std::slice::from_ref(&orphan.identity)).await?;
        Ok(found.first().map(|facts| stray::live(orphan, "").owned_by(orphan.owner(&facts.tags))))
    }

    async fn removal(&self, _aws: &Aws, _orphan: &Orphan, options: RemovalOptions) -> Result<Removal, AwsError> {
        Ok(removal(options))
    }

    async fn delete(
        &self,
        aws: &Aws,
        orphan: &Orphan,
        _call: &str,
        _options: RemovalOptions,
    ) -> Result<(), ResourceError> {
        Ok(aws.ec2(&orphan.region).release(&orphan.identity).await?)
    }
}
