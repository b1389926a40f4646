//! Where the endpoint of a server is, and the steps in which AWS lets it be changed.
//!
//! AWS changes the type of an endpoint and its addresses only while the server is OFFLINE, and never both in one call;
//! it changes the subnets only of an endpoint without addresses, and the security groups of an endpoint in a VPC only
//! through EC2 (`sftpctl_aws::Transfer`). So a move is a row of mutations. Each follows from what differs, so that a
//! run that was killed in between is resumed by the next one.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sftpctl_aws::{Aws, AwsError, ServerFacts, VpcPlace};
use sftpctl_core::kind::NodeId;
use sftpctl_core::model::{Actual, Change, Live, Properties, Settled, Want, output};
use sftpctl_core::outage::{self, ADDRESSES, ENDPOINT_TYPE, SUBNETS, VPC};

use super::address::ALLOCATION;
use super::endpoint_place::fault;
use super::security_group::{GROUP, sorted};
use crate::resources::resource::ResourceError;

const PUBLIC_TYPE: &str = "PUBLIC";
const VPC_TYPE: &str = "VPC";
const GROUPS: &str = "security groups";
/// Output: the ID of the VPC endpoint.
const VPC_ENDPOINT: &str = "VpcEndpointId";

/// Where the endpoint should be.
#[derive(Clone, Debug)]
pub enum ServerEndpoint {
    /// Where it is; a new one is public.
    AsItIs,
    Public,
    /// In a VPC, with one address for each subnet. The groups of the place are those of the third part.
    InVpc(VpcPlace, EndpointAddresses, EndpointGroups),
}

/// The security groups of an endpoint in a VPC.
#[derive(Clone, Debug)]
pub enum EndpointGroups {
    /// A node of this environment.
    Own(NodeId),
    /// IDs.
    Existing(Vec<String>),
}

/// The addresses of an endpoint in a VPC.
#[derive(Clone, Debug)]
pub enum EndpointAddresses {
    /// Nodes of this environment.
    Own(Vec<NodeId>),
    /// Allocation IDs.
    Existing(Vec<String>),
}

/// One mutation on the way to the wanted endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    ChangeGroups,
    Stop,
    RemoveAddresses,
    MakePublic,
    IntoVpc,
    SetSubnets,
    SetAddresses,
}

impl ServerEndpoint {
    /// Nodes that it needs.
    pub(super) fn needs(&self) -> Vec<NodeId> {
        let Self::InVpc(_, addresses, groups) = self else { return Vec::new() };
        let mut needs = match addresses {
            EndpointAddresses::Own(nodes) => nodes.clone(),
            EndpointAddresses::Existing(_) => Vec::new(),
        };
        if let EndpointGroups::Own(node) = groups {
            needs.push(node.clone());
        }
        needs
    }

    /// Where a new server is created, with its security groups. AWS takes the addresses only afterwards.
    pub(super) fn place(&self, actual: &Actual) -> Result<Option<VpcPlace>, ResourceError> {
        let Self::InVpc(place, ..) = self else { return Ok(None) };
        let groups = self.groups(actual);
        let groups = groups.map_err(|node| ResourceError::Refused(format!("{node} has no ID")))?;
        Ok(Some(VpcPlace { security_groups: groups, ..place.clone() }))
    }

    /// IDs of the security groups, or the group that is not known yet.
    fn groups(&self, actual: &Actual) -> Result<Vec<String>, NodeId> {
        let Self::InVpc(_, _, groups) = self else { return Ok(Vec::new()) };
        match groups {
            EndpointGroups::Existing(ids) => Ok(ids.clone()),
            EndpointGroups::Own(node) => match output(actual, node, GROUP) {
                Want::Is(Value::String(id)) => Ok(vec![id]),
                _ => Err(node.clone()),
            },
        }
    }

    /// Allocation IDs, or the first address that is not known yet.
    fn addresses(&self, actual: &Actual) -> Result<Vec<String>, NodeId> {
        let Self::InVpc(_, addresses, _) = self else { return Ok(Vec::new()) };
        match addresses {
            EndpointAddresses::Existing(ids) => Ok(ids.clone()),
            EndpointAddresses::Own(nodes) => {
                let id = |node: &NodeId| match output(actual, node, ALLOCATION) {
                    Want::Is(Value::String(id)) => Ok(id),
                    _ => Err(node.clone()),
                };
                nodes.iter().map(id).collect()
            }
        }
    }

    pub(super) fn wanted(&self, actual: &Actual) -> Properties {
        match self {
            Self::AsItIs => Properties::new(),
            Self::Public => Properties::from([(ENDPOINT_TYPE, PUBLIC_TYPE.into())]),
            Self::InVpc(place, ..) => Properties::from([
                (ENDPOINT_TYPE, VPC_TYPE.into()),
                (VPC, place.vpc.clone().into()),
                (SUBNETS, sorted(&place.subnets).into()),
                (GROUPS, self.groups(actual).map_or_else(Want::After, |ids| sorted(&ids).into())),
                (ADDRESSES, self.addresses(actual).map_or_else(Want::After, |ids| sorted(&ids).into())),
            ]),
        }
    }

    /// The live properties. DescribeServer does not show the security groups ("this field is not populated in
    /// DescribeServer responses", Transfer Family API reference, `EndpointDetails`).
    pub(super) async fn read(
        &self,
        aws: &Aws,
        region: &str,
        server: &ServerFacts,
        live: Live,
    ) -> Result<Live, AwsError> {
        let facts = &server.endpoint;
        let live = live
            .with(VPC, if facts.vpc.is_empty() { Value::Null } else { facts.vpc.clone().into() })
            .with(SUBNETS, sorted(&facts.subnets))
            .with(ADDRESSES, sorted(&facts.addresses));
        if !matches!(self, Self::InVpc(..)) {
            return Ok(live);
        }
        // The endpoint is shown some time after the server is in its VPC. One that is stopped goes on with its move;
        // the groups are compared once it is started.
        let is_waited_for = server.endpoint_type == VPC_TYPE && server.state == "ONLINE";
        let unseen = |live: Live| match live.settled {
            Settled::Ready if is_waited_for => live.settled(Settled::Pending("waiting for its VPC endpoint".into())),
            _ => live,
        };
        if facts.vpc_endpoint.is_empty() {
            return Ok(unseen(live));
        }
        let live = live.output(VPC_ENDPOINT, &facts.vpc_endpoint);
        let Some(endpoint) = aws.ec2(region).vpc_endpoint(&facts.vpc_endpoint).await? else { return Ok(unseen(live)) };
        let live = live.with(GROUPS, sorted(&endpoint.security_groups));
        Ok(match live.settled {
            Settled::Ready if endpoint.state.eq_ignore_ascii_case("pending") => {
                live.settled(Settled::Pending(format!("VPC endpoint {}", endpoint.state)))
            }
            _ => live,
        })
    }

    /// The next mutation, if the endpoint differs.
    fn next(&self, change: &Change, live: &Live) -> Option<Move> {
        let text = |name| live.properties.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_in_vpc = text(ENDPOINT_TYPE) == VPC_TYPE;
        let has_addresses = live.properties.get(ADDRESSES).is_some_and(|list| *list != json!([]));
        let elsewhere = change.touches(ENDPOINT_TYPE) || change.touches(VPC);
        // Nobody is cut off by this one, so it comes first; but a server that is stopped is started before it.
        let is_seen = live.properties.contains_key(GROUPS) && text("state") != "OFFLINE";
        if is_in_vpc && !elsewhere && is_seen && change.touches(GROUPS) {
            return Some(Move::ChangeGroups);
        }
        if !outage::stops_server(change) {
            return None;
        }
        if text("state") != "OFFLINE" {
            return Some(Move::Stop);
        }
        Some(match self {
            Self::InVpc(..) if !elsewhere && !change.touches(SUBNETS) && !has_addresses => Move::SetAddresses,
            _ if has_addresses => Move::RemoveAddresses,
            Self::InVpc(..) if !elsewhere => Move::SetSubnets,
            Self::InVpc(..) if !is_in_vpc => Move::IntoVpc,
            // Into another VPC by way of a public endpoint: AWS documents no other.
            _ => Move::MakePublic,
        })
    }

    /// Performs the next mutation, if the endpoint differs. Returns whether it did.
    pub(super) async fn advance(
        &self,
        aws: &Aws,
        region: &str,
        change: &Change,
        live: &Live,
        actual: &Actual,
    ) -> Result<bool, ResourceError> {
        let Some(next) = self.next(change, live) else { return Ok(false) };
        let (transfer, id) = (aws.transfer(region), &live.identity);
        let addresses = self.addresses(actual);
        let addresses = addresses.map_err(|node| ResourceError::Refused(format!("{node} has no allocation ID")))?;
        let place = self.place(actual)?.unwrap_or_default();
        let result = match next {
            Move::Stop => {
                // Before anybody is cut off: what AWS would refuse once the server is stopped.
                self.check(aws, region, id, (&place, &addresses)).await?;
                return Ok(transfer.stop(id).await.map(|()| true)?);
            }
            Move::ChangeGroups => {
                change_groups(aws, region, live, &place).await?;
                return Ok(true);
            }
            Move::RemoveAddresses => transfer.set_addresses(id, &[]).await,
            Move::MakePublic => transfer.make_public(id).await,
            Move::IntoVpc => transfer.move_into_vpc(id, &place).await,
            Move::SetSubnets => transfer.set_subnets(id, &place.subnets).await,
            Move::SetAddresses => transfer.set_addresses(id, &addresses).await,
        };
        match result {
            Err(error) if !error.is_busy() && !error.is_transient() && !error.is_fenced() => {
                // What AWS refuses now it refuses again: better an endpoint as it is than none.
                let has_addresses = live.properties.get(ADDRESSES).is_some_and(|list| *list != json!([]));
                let is_bare = matches!(next, Move::SetSubnets | Move::SetAddresses) && !has_addresses;
                let left = match transfer.start(id).await {
                    Ok(()) if is_bare => {
                        "the server was started again in its VPC, without public addresses: nobody can \
                                          reach it from the internet. Correct the file, or take the change back, and \
                                          deploy again at once"
                            .to_owned()
                    }
                    Ok(()) => "the server was started again as it is".to_owned(),
                    Err(start) => format!("the server is stopped, and could not be started again: {start}"),
                };
                // Not as an error of AWS: after one of these the step would compare again, and stop the server again.
                Err(ResourceError::Refused(format!("{error}; {left}")))
            }
            other => Ok(other.map(|()| true)?),
        }
    }

    /// Refuses what AWS is certain to refuse, while customers can still log in.
    async fn check(
        &self,
        aws: &Aws,
        region: &str,
        id: &str,
        (place, addresses): (&VpcPlace, &[String]),
    ) -> Result<(), ResourceError> {
        if !matches!(self, Self::InVpc(..)) {
            return Ok(());
        }
        let refused = |what: String| Err(ResourceError::Refused(format!("{what}. The server was not stopped")));
        let Some(server) = aws.transfer(region).server(id).await? else {
            return refused(format!("the server {id} is no longer in {region}"));
        };
        if server.endpoint.is_dual_stack {
            return refused(
                "the server has IPv6 addresses (IpAddressType DUALSTACK), which excludes fixed ones".into(),
            );
        }
        let account = server.arn.split(':').nth(4).unwrap_or_default();
        if let Some(fault) = fault(aws, region, account, place).await? {
            return refused(fault);
        }
        let found = aws.ec2(region).addresses(addresses).await?;
        for address in addresses {
            match found.iter().find(|facts| facts.id == *address) {
                None => return refused(format!("there is no Elastic IP address {address} in {region}")),
                Some(facts) if !facts.interface.is_empty() && !server.endpoint.addresses.contains(address) => {
                    return refused(format!("{address} ({}) is in use by {}", facts.ip, facts.interface));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Changes the security groups of the endpoint, in place.
async fn change_groups(aws: &Aws, region: &str, live: &Live, place: &VpcPlace) -> Result<(), ResourceError> {
    let Some(endpoint) = live.outputs.get(VPC_ENDPOINT) else {
        return Err(ResourceError::Refused(format!("server {} has no VPC endpoint", live.identity)));
    };
    let have = live.properties.get(GROUPS).and_then(Value::as_array).into_iter().flatten();
    let have: BTreeSet<&str> = have.filter_map(Value::as_str).collect();
    let want: BTreeSet<&str> = place.security_groups.iter().map(String::as_str).collect();
    let only = |of: &BTreeSet<&str>, not: &BTreeSet<&str>| -> Vec<String> {
        of.difference(not).map(|group| (*group).to_owned()).collect()
    };
    let (add, remove) = (only(&want, &have), only(&have, &want));
    Ok(aws.ec2(region).change_security_groups(endpoint, &add, &remove).await?)
}

#[cfg(test)]
mod tests {
    use sftpctl_core::model::{Action, compare};

    use super::*;

    fn in_vpc(vpc: &str, subnets: &[&str], groups: &[&str], addresses: &[&str]) -> ServerEndpoint {
        let list = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let place = VpcPlace { vpc: vpc.into(), subnets: list(subnets), security_groups: Vec::new() };
        let addresses = EndpointAddresses::Existing(list(addresses));
        ServerEndpoint::InVpc(place, addresses, EndpointGroups::Existing(list(groups)))
    }

    fn public() -> Live {
        let live = Live::new("s-1").with("state", "ONLINE").with(ENDPOINT_TYPE, PUBLIC_TYPE);
        live.with(VPC, Value::Null).with(SUBNETS, json!([])).with(ADDRESSES, json!([]))
    }

    /// The mutations until nothing differs, and the endpoint as AWS has it then. AWS's rules are asserted on the way.
    fn moves(wanted: &ServerEndpoint, mut live: Live) -> Vec<Move> {
        let mut done = Vec::new();
        for _ in 0..12 {
            let mut properties = wanted.wanted(&Actual::new());
            properties.insert("state", "ONLINE".into());
            let change =
                Change { action: Action::Update, reason: None, properties: compare(&properties, &live.properties) };
            let Some(next) = wanted.next(&change, &live) else { return done };
            let set = |live: Live, name: &'static str| match &properties[name] {
                Want::Is(value) => live.with(name, value.clone()),
                Want::After(_) => panic!("{name} is not known"),
            };
            let offline = live.properties["state"] == "OFFLINE";
            assert!(offline || matches!(next, Move::Stop | Move::ChangeGroups), "{next:?} of a server that is on line");
            let bare = live.properties[ADDRESSES] == json!([]);
            live = match next {
                Move::Stop => live.with("state", "OFFLINE"),
                Move::ChangeGroups => set(live, GROUPS),
                Move::RemoveAddresses => live.with(ADDRESSES, json!([])),
                Move::MakePublic => {
                    assert!(bare);
                    live.with(ENDPOINT_TYPE, PUBLIC_TYPE).with(VPC, Value::Null).with(SUBNETS, json!([]))
                }
                Move::IntoVpc => {
                    assert!(bare && live.properties[ENDPOINT_TYPE] != VPC_TYPE);
                    [ENDPOINT_TYPE, VPC, SUBNETS, GROUPS].into_iter().fold(live, set)
                }
                Move::SetSubnets => {
                    assert!(bare);
                    set(live, SUBNETS)
                }
                Move::SetAddresses => {
                    assert!(bare);
                    set(live, ADDRESSES)
                }
            };
            done.push(next);
        }
        panic!("it does not end: {done:?}");
    }

    fn there(wanted: &ServerEndpoint) -> Live {
        let mut live = public();
        for (name, value) in wanted.wanted(&Actual::new()) {
            if let Want::Is(value) = value {
                live.properties.insert(name, value);
            }
        }
        live
    }

    #[test]
    fn moves_are_in_the_order_that_aws_enforces() {
        use Move::{ChangeGroups, IntoVpc, MakePublic, RemoveAddresses, SetAddresses, SetSubnets, Stop};
        let one = in_vpc("vpc-1", &["subnet-1"], &["sg-1"], &["eipalloc-1"]);
        assert_eq!(moves(&one, public()), [Stop, IntoVpc, SetAddresses]);
        assert_eq!(moves(&one, there(&one)), []);
        assert_eq!(moves(&ServerEndpoint::Public, there(&one)), [Stop, RemoveAddresses, MakePublic]);
        let other_address = in_vpc("vpc-1", &["subnet-1"], &["sg-1"], &["eipalloc-2"]);
        assert_eq!(moves(&other_address, there(&one)), [Stop, RemoveAddresses, SetAddresses]);
        let two = in_vpc("vpc-1", &["subnet-1", "subnet-2"], &["sg-2"], &["eipalloc-1", "eipalloc-2"]);
        let all = [ChangeGroups, Stop, RemoveAddresses, SetSubnets, SetAddresses];
        assert_eq!(moves(&two, there(&one)), all);
        let other_vpc = in_vpc("vpc-2", &["subnet-3"], &["sg-3"], &["eipalloc-1"]);
        let all = [Stop, RemoveAddresses, MakePublic, IntoVpc, SetAddresses];
        assert_eq!(moves(&other_vpc, there(&one)), all);
        let other_group = in_vpc("vpc-1", &["subnet-1"], &["sg-2"], &["eipalloc-1"]);
        assert_eq!(moves(&other_group, there(&one)), [ChangeGroups]);
    }

    #[test]
    fn a_move_is_resumed_wherever_it_was_interrupted() {
        let one = in_vpc("vpc-1", &["subnet-1"], &["sg-1"], &["eipalloc-1"]);
        let stopped = public().with("state", "OFFLINE");
        assert_eq!(moves(&one, stopped), [Move::IntoVpc, Move::SetAddresses]);
        let bare = there(&one).with("state", "OFFLINE").with(ADDRESSES, json!([]));
        assert_eq!(moves(&one, bare), [Move::SetAddresses]);
        // Moved, and not started yet: only the state differs, which is not the endpoint's.
        assert_eq!(moves(&one, there(&one).with("state", "OFFLINE")), []);
    }

    #[test]
    fn an_endpoint_that_the_file_does_not_mention_is_left_alone() {
        let one = in_vpc("vpc-1", &["subnet-1"], &["sg-1"], &["eipalloc-1"]);
        assert_eq!(moves(&ServerEndpoint::AsItIs, there(&one)), []);
    }
}
