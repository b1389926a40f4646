//! AWS's rules for endpoints in VPCs.
//!
//! The rules are those of the Transfer Family API reference, `EndpointDetails`. The texts of most refusals are AWS's
//! own, as terraform-provider-aws quotes them (`internal/service/transfer/server.go`; its issues #19250 and #34923) and
//! crossplane's provider shows them (provider-aws#1532); [`assumed`] marks the others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::store::{Server, State};
use super::{Context, NetworkKind, text};

const DETAILS: &str = "EndpointDetails";
const ADDRESSES: &str = "AddressAllocationIds";
const SUBNETS: &str = "SubnetIds";
const GROUPS: &str = "SecurityGroupIds";
const ENDPOINT: &str = "VpcEndpointId";

/// A refusal whose words no source has.
fn assumed(message: impl Into<String>) -> ApiError {
    ApiError::invalid(message)
}

fn member<'a>(input: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    input.get(DETAILS)?.get(name)
}

fn ids<'a>(input: &'a Map<String, Value>, name: &str) -> Option<Vec<&'a str>> {
    let list = member(input, name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).collect())
}

/// Checks the input of CreateServer.
pub(super) fn may_create(input: &Map<String, Value>) -> Result<(), ApiError> {
    if member(input, ADDRESSES).is_some() {
        return Err(ApiError::invalid(format!("{ADDRESSES} cannot be set in CreateServer")));
    }
    Ok(())
}

/// Creates the VPC endpoint of a new server. Returns its security groups.
pub(super) async fn create(context: &Context<'_>, settings: &mut Map<String, Value>) -> Result<Vec<String>, ApiError> {
    if text(settings, "EndpointType") != "VPC" {
        return Ok(Vec::new());
    }
    let vpc = member(settings, "VpcId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let groups = place(context, &vpc, settings).await?;
    settle(settings);
    Ok(groups)
}

/// Checks the subnets and security groups of an update, and takes the groups out of it: they are EC2's.
pub(super) async fn groups(
    context: &Context<'_>,
    id: &str,
    input: &mut Map<String, Value>,
) -> Result<Vec<String>, ApiError> {
    let server = context.store.get(&context.place, id)?;
    let is_in_vpc = server.text("EndpointType") == "VPC";
    if is_in_vpc && member(input, GROUPS).is_some() {
        return Err(ApiError::invalid("Changing Security Group is not supported"));
    }
    let becomes = text(input, "EndpointType");
    if becomes != "VPC" && !(becomes.is_empty() && is_in_vpc) {
        return Ok(Vec::new());
    }
    // Transfer associates the addresses, which EC2 refuses with this text (AssociateAddress: `Gateway.NotAttached`;
    // quoted in terraform-provider-aws, pull request 2181). Which error Transfer makes of it is not documented.
    let adds_addresses = ids(input, ADDRESSES).is_some_and(|addresses| !addresses.is_empty());
    if adds_addresses && is_in_vpc && server.state() == State::Offline {
        let vpc = server.vpc();
        if !context.neighbors.has_internet_gateway(&context.place, vpc).await.map_err(assumed)? {
            return Err(assumed(format!("Network {vpc} is not attached to any internet gateway")));
        }
    }
    let vpc = member(input, "VpcId").and_then(Value::as_str).unwrap_or(server.vpc()).to_owned();
    let groups = place(context, &vpc, input).await?;
    if let Some(details) = input.get_mut(DETAILS).and_then(Value::as_object_mut) {
        details.remove(GROUPS);
    }
    Ok(groups)
}

/// Checks subnets and groups with EC2. Returns the groups; without any, the endpoint would get the VPC's default group,
/// which admits nobody.
async fn place(context: &Context<'_>, vpc: &str, input: &Map<String, Value>) -> Result<Vec<String>, ApiError> {
    for (kind, name) in [(NetworkKind::Subnet, SUBNETS), (NetworkKind::SecurityGroup, GROUPS)] {
        let Some(ids) = ids(input, name).filter(|ids| !ids.is_empty()) else { continue };
        let vpcs = context.neighbors.vpcs(&context.place, kind, &ids).await.map_err(assumed)?;
        if let Some((id, other)) = ids.iter().zip(&vpcs).find(|(_, other)| *other != vpc) {
            return Err(assumed(format!("{id} is in {other}, not in {vpc}")));
        }
    }
    Ok(ids(input, GROUPS).unwrap_or_default().into_iter().map(str::to_owned).collect())
}

/// Checks the input of UpdateServer. `others` are the region's other servers.
pub(super) fn may_update(
    context: &Context<'_>,
    server: &Server,
    others: &BTreeMap<String, Server>,
    input: &Map<String, Value>,
) -> Result<(), ApiError> {
    let refused = |message: &str| Err(ApiError::invalid(message));
    let is_offline = server.state() == State::Offline;
    let (before, becomes) = (server.text("EndpointType"), text(input, "EndpointType"));
    let changes_type = !becomes.is_empty() && becomes != before;
    if changes_type && !is_offline {
        return refused("Server must be OFFLINE to change EndpointType");
    }
    let after = if becomes.is_empty() { before } else { becomes };
    let (addresses, subnets) = (ids(input, ADDRESSES), ids(input, SUBNETS));
    if after != "VPC" {
        return match addresses {
            Some(_) => Err(assumed(format!("{ADDRESSES} are not supported for EndpointType {after}"))),
            None => Ok(()),
        };
    }
    if changes_type && addresses.is_some() {
        return refused("Cannot specify AddressAllocationids when updating server to EndpointType: VPC");
    }
    let vpc = member(input, "VpcId").and_then(Value::as_str);
    if !changes_type && vpc.is_some_and(|vpc| vpc != server.vpc()) {
        return Err(assumed("VpcId cannot be changed"));
    }
    if member(input, ENDPOINT).is_some() {
        return refused("VPC Endpoint ID unsupported for EndpointType: VPC");
    }
    if server.has_pending_endpoint() && input.contains_key(DETAILS) {
        return Err(ApiError::conflict("VPC Endpoint state is not yet available"));
    }
    let same = |given: &[&str], have: &[&str]| {
        let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
        set(given) == set(have)
    };
    let new_subnets = subnets.as_ref().filter(|given| !same(given, &server.subnets()));
    if new_subnets.is_some() && !changes_type {
        if !server.addresses().is_empty() {
            return refused("AddressAllocationIds must be removed before SubnetIds can be modified");
        }
        if addresses.as_ref().is_some_and(|addresses| !addresses.is_empty()) {
            return refused("Specified SubnetIds must exist in the server before attaching AddressAllocationIds");
        }
    }
    let Some(addresses) = addresses.filter(|given| !same(given, &server.addresses())) else { return Ok(()) };
    if !is_offline {
        return refused("Server must be OFFLINE to change AddressAllocationIds");
    }
    check_addresses(context, server, others, &addresses)
}

fn check_addresses(
    context: &Context<'_>,
    server: &Server,
    others: &BTreeMap<String, Server>,
    addresses: &[&str],
) -> Result<(), ApiError> {
    if addresses.is_empty() {
        return Ok(());
    }
    if server.text("IpAddressType") == "DUALSTACK" {
        return Err(assumed(format!("{ADDRESSES} cannot be set for IpAddressType DUALSTACK")));
    }
    if addresses.len() != server.subnets().len() {
        return Err(assumed(format!("{ADDRESSES} must be equal in length to {SUBNETS}")));
    }
    let known = context.addresses.list(&context.place);
    for (index, address) in addresses.iter().enumerate() {
        if addresses[..index].contains(address) {
            return Err(assumed(format!("{ADDRESSES} cannot contain duplicates")));
        }
        // The texts are EC2's, for AssociateAddress.
        if !known.contains_key(*address) {
            return Err(assumed(format!("The allocation ID '{address}' does not exist")));
        }
        if others.values().any(|other| other.addresses().contains(address)) {
            let association = address.replace("alloc", "assoc");
            return Err(assumed(format!("resource {address} is already associated with associate-id {association}")));
        }
    }
    Ok(())
}

/// Completes the details of an endpoint: the ID of a new VPC endpoint, and no empty lists. Returns whether it is new.
pub(super) fn settle(settings: &mut Map<String, Value>) -> bool {
    let is_in_vpc = text(settings, "EndpointType") == "VPC";
    let Some(details) = settings.get_mut(DETAILS).and_then(Value::as_object_mut) else { return false };
    details.remove(GROUPS);
    details.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty));
    if !is_in_vpc || details.contains_key(ENDPOINT) {
        return false;
    }
    details.insert(ENDPOINT.to_owned(), json!(format!("vpce-{:017x}", fastrand::u128(..) & 0xf_ffff_ffff_ffff_ffff)));
    true
}
