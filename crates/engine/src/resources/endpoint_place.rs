//! Whether the endpoint of a server with fixed addresses can be in a VPC, and whether customers can reach it there.

use std::collections::BTreeSet;

use sftpctl_aws::{Admitted, Aws, AwsError, RouteTableFacts, VpcPlace};

/// Why no endpoint can be in this place of the account, if so: what AWS refuses, and groups that admit nobody.
///
/// # Errors
/// AWS's.
pub(crate) async fn fault(
    aws: &Aws,
    region: &str,
    account: &str,
    place: &VpcPlace,
) -> Result<Option<String>, AwsError> {
    let VpcPlace { vpc, subnets, security_groups } = place;
    let ec2 = aws.ec2(region);
    let Some(found) = ec2.subnets(subnets).await? else {
        return Ok(Some(format!("one of the subnets {} does not exist in {region}", subnets.join(", "))));
    };
    if let Some(other) = found.iter().find(|subnet| subnet.vpc != *vpc) {
        return Ok(Some(format!("{} is in {}, not in {vpc}", other.id, other.vpc)));
    }
    let mut zones = BTreeSet::new();
    if let Some(second) = found.iter().find(|subnet| !zones.insert(subnet.zone.as_str())) {
        let what = "AWS allows one for each availability zone";
        return Ok(Some(format!("{} is the second subnet in {}: {what}", second.id, second.zone)));
    }
    // Without an internet gateway EC2 refuses the addresses (AssociateAddress, `Gateway.NotAttached`). Of a VPC that
    // another account shares, AWS says both that its gateways can be described and that they cannot
    // (docs/open-questions.md).
    let is_own = found.iter().all(|subnet| subnet.owner == account);
    if is_own && !ec2.has_internet_gateway(vpc).await? {
        return Ok(Some(format!(
            "{vpc} has no internet gateway, and fixed addresses need one: attach one (aws ec2 attach-internet-gateway \
             --region {region} --vpc-id {vpc} --internet-gateway-id ID), with a route to it from the subnets (aws ec2 \
             create-route --region {region} --route-table-id ID --destination-cidr-block 0.0.0.0/0 --gateway-id ID)"
        )));
    }
    if security_groups.is_empty() {
        return Ok(None);
    }
    let Some(groups) = ec2.security_groups(security_groups).await? else {
        let all = security_groups.join(", ");
        return Ok(Some(format!("one of the security groups {all} does not exist in {region}")));
    };
    if let Some(other) = groups.iter().find(|group| group.vpc != *vpc) {
        return Ok(Some(format!("{} is in {}, not in {vpc}", other.id, other.vpc)));
    }
    // A VPC's own group admits only its members: a server would be there, and nobody could reach it.
    let is_open = groups.iter().flat_map(|group| &group.admitted).any(admits_sftp);
    Ok((!is_open).then(|| format!("{} admits nobody to port 22 (TCP)", security_groups.join(", "))))
}

/// Whether a rule admits addresses to port 22.
fn admits_sftp(rule: &Admitted) -> bool {
    let port = |text: &str, all: u32| text.parse().unwrap_or(all);
    let has_port = port(&rule.ports.0, 0) <= 22 && port(&rule.ports.1, 65_535) >= 22;
    !rule.from.starts_with("sg-") && (rule.protocol == "-1" || rule.protocol == "tcp" && has_port)
}

/// The way of answers from an endpoint to customers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Each subnet has a route to an internet gateway, or to a firewall's endpoint before it.
    Direct,
    /// One has neither. AWS accepts addresses there all the same, and says nothing of it.
    Indirect(String),
    /// The route table of one cannot be seen.
    Unseen(String),
}

/// The way from the subnets of a place to the internet. A subnet without a route is no fault: a firewall that cannot be
/// recognised may be on its way there, such as one by a network interface or behind a transit gateway.
///
/// # Errors
/// AWS's.
pub(crate) async fn way(aws: &Aws, region: &str, place: &VpcPlace) -> Result<Way, AwsError> {
    Ok(judge(region, &place.subnets, &aws.ec2(region).route_tables(&place.vpc).await?))
}

fn judge(region: &str, subnets: &[String], tables: &[RouteTableFacts]) -> Way {
    let mut way = Way::Direct;
    for subnet in subnets {
        match table_of(subnet, tables) {
            Some(table) if table.has_internet => {}
            Some(table) => {
                return Way::Indirect(format!(
                    "{subnet} has no route to an internet gateway, nor to a firewall's endpoint: customers get no \
                     answer from its fixed address, unless something else forwards it. Add the route with the account that owns the VPC (aws ec2 \
                     create-route --region {region} --route-table-id {} --destination-cidr-block 0.0.0.0/0 \
                     --gateway-id ID), or name other subnets",
                    table.id
                ));
            }
            None => way = Way::Unseen(format!("the route table of {subnet} cannot be seen")),
        }
    }
    way
}

/// The route table of a subnet: its own, or the main one of the VPC. `None` if it cannot be seen.
fn table_of<'a>(subnet: &str, tables: &'a [RouteTableFacts]) -> Option<&'a RouteTableFacts> {
    let own = tables.iter().find(|table| table.subnets.iter().any(|id| id == subnet));
    own.or_else(|| tables.iter().find(|table| table.is_main))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_subnet_needs_a_route_of_its_own_table_or_of_the_main_one() {
        let table = |id: &str, is_main, subnets: &[&str], has_internet| RouteTableFacts {
            id: id.to_owned(),
            is_main,
            subnets: subnets.iter().map(|&subnet| subnet.to_owned()).collect(),
            has_internet,
        };
        let main = |has_internet| table("rtb-main", true, &[], has_internet);
        let own = |has_internet| table("rtb-own", false, &["subnet-a"], has_internet);
        for (tables, expected) in [
            (vec![main(true)], "direct"),
            (vec![main(false), own(true)], "rtb-main"),
            (vec![main(true), own(false)], "rtb-own"),
            (vec![main(true), own(true)], "direct"),
            (vec![own(true)], "unseen"),
            (vec![own(false)], "rtb-own"),
            (vec![], "unseen"),
        ] {
            let found = match judge("us-west-2", &["subnet-a".to_owned(), "subnet-b".to_owned()], &tables) {
                Way::Direct => "direct".to_owned(),
                Way::Indirect(why) => why,
                Way::Unseen(why) => format!("unseen: {why}"),
            };
            assert!(found.contains(expected), "{tables:?}: {found}");
        }
    }
}
