//! Calls of Amazon EC2 that the front answers: Elastic IP addresses, and the VPC endpoints of Transfer servers. VPCs,
//! subnets and security groups are MiniStack's.
//!
//! Forms and error codes follow the Amazon EC2 API reference.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::body::{Body, to_bytes};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};

use super::call::Call;
use super::operation::Form;
use super::upstream::{MAX_REQUEST, plain};
use super::{Front, refusal, uuid, xml};
use crate::addresses::{Address, NotAllocated};
use crate::place::Place;
use crate::transfer::Server;

/// Whether the call may be answered here.
pub(super) fn answers(call: &Call) -> bool {
    const OPERATIONS: [&str; 8] = [
        "AllocateAddress",
        "CreateTags",
        "DeleteSecurityGroup",
        "DeleteTags",
        "DescribeAddresses",
        "DescribeVpcEndpoints",
        "ModifyVpcEndpoint",
        "ReleaseAddress",
    ];
    call.service == "ec2" && OPERATIONS.contains(&call.operation.as_str())
}

/// An error's code and message.
type Refusal = (&'static str, String);

/// Answers such a call, or passes it on if it is about other resources.
pub(super) async fn answer(front: &Front, call: &Call, parts: Parts, body: Body) -> Response<Body> {
    let Ok(bytes) = to_bytes(body, MAX_REQUEST).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large");
    };
    let form = Form::parse(&bytes);
    let place = Place { account: call.account.clone(), region: call.region.clone() };
    let answered = match call.operation.as_str() {
        "AllocateAddress" => Some(allocate(front, &place, &form)),
        "ReleaseAddress" => Some(release(front, &place, &form)),
        "DescribeAddresses" => Some(describe(front, &place, &form)),
        "CreateTags" | "DeleteTags" => tag(front, &place, &form, call.operation == "CreateTags"),
        "DeleteSecurityGroup" => in_use(front, &place, &form),
        "DescribeVpcEndpoints" => endpoints(front, &place, &form),
        _ => modify(front, &place, &form),
    };
    match answered {
        None => front.upstream.pass(parts, Body::from(bytes)).await,
        Some(Ok(inner)) => xml(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{0}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
             <requestId>{1}</requestId>{inner}</{0}Response>",
            call.operation,
            uuid()
        )),
        Some(Err((code, message))) => refusal::error(call, 400, code, &message),
    }
}

/// The members of a list of the form, numbered from 1: `Filter.1.Value.1`.
fn list<'a>(form: &'a Form, name: &str) -> Vec<&'a str> {
    (1..).map_while(|number: usize| form.get(&format!("{name}.{number}"))).collect()
}

/// Tags of the form: `Tag.1.Key`, `Tag.1.Value`.
pub(super) fn tags(form: &Form, list: &str) -> BTreeMap<String, String> {
    let field = |number: usize, part: &str| form.get(&format!("{list}.{number}.{part}")).map(str::to_owned);
    (1..).map_while(|number| Some((field(number, "Key")?, field(number, "Value").unwrap_or_default()))).collect()
}

fn not_saved(error: &impl std::fmt::Display) -> Refusal {
    ("InternalError", format!("the local cloud could not save its addresses: {error}"))
}

fn allocate(front: &Front, place: &Place, form: &Form) -> Result<String, Refusal> {
    match front.addresses.allocate(place, tags(form, "TagSpecification.1.Tag")) {
        Ok((id, Address { ip, .. })) => Ok(format!(
            "<publicIp>{ip}</publicIp><domain>vpc</domain><allocationId>{id}</allocationId>\
             <publicIpv4Pool>amazon</publicIpv4Pool><networkBorderGroup>{}</networkBorderGroup>",
            place.region
        )),
        Err(NotAllocated::Limit) => {
            Err(("AddressLimitExceeded", "The maximum number of addresses has been reached.".to_owned()))
        }
        Err(NotAllocated::NotSaved(error)) => Err(not_saved(&error)),
    }
}

/// The server whose endpoint has an address.
fn user(front: &Front, place: &Place, id: &str) -> Option<(String, Server)> {
    front.store.list(place).into_iter().find(|(_, server)| server.addresses().contains(&id))
}

fn unknown(id: &str) -> Refusal {
    ("InvalidAllocationID.NotFound", format!("The allocation ID '{id}' does not exist"))
}

fn release(front: &Front, place: &Place, form: &Form) -> Result<String, Refusal> {
    let id = form.get("AllocationId").unwrap_or_default();
    let Some(address) = front.addresses.list(place).remove(id) else { return Err(unknown(id)) };
    if user(front, place, id).is_some() {
        return Err(("InvalidIPAddress.InUse", format!("Address {} is in use.", address.ip)));
    }
    match front.addresses.release(place, id) {
        Ok(true) => Ok("<return>true</return>".to_owned()),
        Ok(false) => Err(unknown(id)),
        Err(error) => Err(not_saved(&error)),
    }
}

fn describe(front: &Front, place: &Place, form: &Form) -> Result<String, Refusal> {
    let all = front.addresses.list(place);
    let asked = list(form, "AllocationId");
    if let Some(missing) = asked.iter().find(|id| !all.contains_key(**id)) {
        return Err(unknown(missing));
    }
    let filters = (1..).map_while(|number: usize| {
        let name = form.get(&format!("Filter.{number}.Name"))?;
        Some((name, list(form, &format!("Filter.{number}.Value"))))
    });
    let filters: Vec<(&str, Vec<&str>)> = filters.collect();
    let mut items = String::new();
    for (id, address) in &all {
        let fits = |(name, values): &(&str, Vec<&str>)| match name.strip_prefix("tag:") {
            Some(key) => address.tags.get(key).is_some_and(|value| values.contains(&value.as_str())),
            None if *name == "allocation-id" => values.contains(&id.as_str()),
            None => *name == "public-ip" && values.contains(&address.ip.as_str()),
        };
        if (asked.is_empty() || asked.contains(&id.as_str())) && filters.iter().all(fits) {
            items += &item(front, place, id, address);
        }
    }
    Ok(format!("<addressesSet>{items}</addressesSet>"))
}

fn item(front: &Front, place: &Place, id: &str, address: &Address) -> String {
    let mut text =
        format!("<item><publicIp>{}</publicIp><allocationId>{id}</allocationId><domain>vpc</domain>", address.ip);
    if let Some((_, server)) = user(front, place, id) {
        let (association, interface) = (id.replace("alloc", "assoc"), interface(server.vpc_endpoint(), id));
        let _ = write!(
            text,
            "<associationId>{association}</associationId><networkInterfaceId>{interface}</networkInterfaceId>"
        );
    }
    let tags = address.tags.iter().map(|(key, value)| {
        format!("<item><key>{}</key><value>{}</value></item>", refusal::escaped(key), refusal::escaped(value))
    });
    let _ = write!(text, "<tagSet>{}</tagSet></item>", tags.collect::<String>());
    text
}

/// The network interface of an endpoint that an address leads to.
fn interface(endpoint: &str, id: &str) -> String {
    let digits =
        |text: &str| u64::from_str_radix(text.rsplit('-').next().unwrap_or_default().get(1..).unwrap_or_default(), 16);
    format!("eni-{:017x}", digits(endpoint).unwrap_or_default() ^ digits(id).unwrap_or_default())
}

fn tag(front: &Front, place: &Place, form: &Form, adds: bool) -> Option<Result<String, Refusal>> {
    let resources = list(form, "ResourceId");
    if !resources.iter().all(|id| id.starts_with("eipalloc-")) {
        return None;
    }
    let tags = tags(form, "Tag");
    for id in resources {
        let changed = front.addresses.change_tags(place, id, |have| match adds {
            true => have.extend(tags.clone()),
            false => have.retain(|key, _| !tags.contains_key(key)),
        });
        match changed {
            Ok(true) => {}
            Ok(false) => return Some(Err(unknown(id))),
            Err(error) => return Some(Err(not_saved(&error))),
        }
    }
    Some(Ok("<return>true</return>".to_owned()))
}

/// Refuses the deletion of a security group that the endpoint of a server has.
fn in_use(front: &Front, place: &Place, form: &Form) -> Option<Result<String, Refusal>> {
    let group = form.get("GroupId").unwrap_or_default();
    let servers = front.store.list(place);
    let is_used = servers.values().any(|server| server.security_groups.iter().any(|have| have == group));
    is_used.then(|| Err(("DependencyViolation", format!("resource {group} has a dependent object"))))
}

/// The servers in VPCs, by the IDs of their endpoints.
fn of_servers(front: &Front, place: &Place) -> BTreeMap<String, (String, Server)> {
    let servers = front.store.list(place).into_iter().filter(|(_, server)| !server.vpc_endpoint().is_empty());
    servers.map(|(id, server)| (server.vpc_endpoint().to_owned(), (id, server))).collect()
}

fn endpoints(front: &Front, place: &Place, form: &Form) -> Option<Result<String, Refusal>> {
    let (asked, all) = (list(form, "VpcEndpointId"), of_servers(front, place));
    if asked.is_empty() || !asked.iter().all(|id| all.contains_key(*id)) {
        return None;
    }
    let shown = asked.iter().filter_map(|id| Some((*id, &all.get(*id)?.1)));
    let items = shown.map(|(id, server)| {
        let each = |ids: &[&str]| ids.iter().map(|id| format!("<item>{id}</item>")).collect::<String>();
        let groups = server.security_groups.iter();
        let groups = groups.map(|group| format!("<item><groupId>{group}</groupId></item>")).collect::<String>();
        let interfaces: Vec<String> = server.addresses().iter().map(|address| interface(id, address)).collect();
        let interfaces: Vec<&str> = interfaces.iter().map(String::as_str).collect();
        format!(
            "<item><vpcEndpointId>{id}</vpcEndpointId><vpcEndpointType>Interface</vpcEndpointType><vpcId>{}</vpcId>\
             <serviceName>com.amazonaws.{}.transfer.server.c-0</serviceName><state>{}</state>\
             <subnetIdSet>{}</subnetIdSet><groupSet>{groups}</groupSet>\
             <networkInterfaceIdSet>{}</networkInterfaceIdSet></item>",
            server.vpc(),
            place.region,
            if server.has_pending_endpoint() { "pending" } else { "available" },
            each(&server.subnets()),
            each(&interfaces),
        )
    });
    Some(Ok(format!("<vpcEndpointSet>{}</vpcEndpointSet>", items.collect::<String>())))
}

fn modify(front: &Front, place: &Place, form: &Form) -> Option<Result<String, Refusal>> {
    let endpoint = form.get("VpcEndpointId").unwrap_or_default();
    let (id, _) = of_servers(front, place).remove(endpoint)?;
    let owned = |name: &str| list(form, name).into_iter().map(str::to_owned).collect::<Vec<String>>();
    let (add, remove) = (owned("AddSecurityGroupId"), owned("RemoveSecurityGroupId"));
    let changed = front.store.update(place, &id, |server| {
        server.security_groups.retain(|group| !remove.contains(group));
        let new: Vec<String> = add.iter().filter(|group| !server.security_groups.contains(group)).cloned().collect();
        server.security_groups.extend(new);
        Ok(())
    });
    Some(match changed {
        Ok(()) => Ok("<return>true</return>".to_owned()),
        Err(error) => Err(not_saved(&error.body())),
    })
}
