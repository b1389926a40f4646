//! Amazon EC2: Elastic IP addresses, and what the endpoint of a server in a VPC consists of.

use super::error::OrMissing as _;
use super::query::{Client, Element, Query};
use super::{AwsError, Tags};

#[derive(Clone, Debug)]
pub struct Ec2(pub(super) Client);

/// An Elastic IP address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressFacts {
    /// `eipalloc-…`.
    pub id: String,
    /// `52.0.0.1`.
    pub ip: String,
    /// The network interface that it leads to; empty if none.
    pub interface: String,
    pub tags: Tags,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetFacts {
    /// `subnet-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// `us-west-2a`.
    pub zone: String,
    /// The account that it belongs to, which may share it with the caller's.
    pub owner: String,
}

/// A route table of a VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteTableFacts {
    /// `rtb-…`.
    pub id: String,
    /// Whether subnets without a table of their own have this one.
    pub is_main: bool,
    /// IDs of the subnets that have it as their own.
    pub subnets: Vec<String>,
    /// Whether it has a route for IPv4 to an internet gateway that is attached to the VPC, or sends what is for the
    /// internet to a firewall.
    pub has_internet: bool,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroupFacts {
    /// `sg-…`.
    pub id: String,
    /// `vpc-…`.
    pub vpc: String,
    /// What it admits from outside.
    pub admitted: Vec<Admitted>,
    pub tags: Tags,
}

/// A rule of a security group for connections from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// `tcp`, or `-1` for all.
    pub protocol: String,
    /// The first and the last port; empty for all.
    pub ports: (String, String),
    /// A range of addresses, a prefix list, or another group.
    pub from: String,
}

impl Admitted {
    /// A range of addresses that is admitted to SFTP.
    pub fn sftp(range: &str) -> Self {
        let port = "22".to_owned();
        Self { protocol: "tcp".to_owned(), ports: (port.clone(), port), from: range.to_owned() }
    }
}

/// A VPC endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VpcEndpointFacts {
    /// `available`, `pending`, …
    pub state: String,
    /// IDs of its security groups.
    pub security_groups: Vec<String>,
    /// IDs of its network interfaces, one in each subnet.
    pub interfaces: Vec<String>,
}

/// Errors of an address that does not exist (Amazon EC2 API reference, "Error codes").
const NO_ADDRESS: &[&str] = &["InvalidAllocationID.NotFound", "InvalidAddressID.NotFound"];
const NO_ENDPOINT: &[&str] = &["InvalidVpcEndpointId.NotFound"];
/// Errors of IDs that do not exist, or cannot be IDs.
const NO_SUBNET: &[&str] = &["InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed"];
const NO_GROUP: &[&str] = &["InvalidGroup.NotFound", "InvalidGroupId.Malformed"];

impl Ec2 {
    /// Elastic IP addresses with all of these tags.
    ///
    /// # Errors
    /// AWS's.
    pub async fn addresses_with(&self, tags: &Tags) -> Result<Vec<AddressFacts>, AwsError> {
        let filters = with_tags(Query::new("ec2:DescribeAddresses"), tags);
        Ok(addresses(&self.0.send(filters, "addresses").await?))
    }

    /// Elastic IP addresses by their allocation IDs; those that do not exist are left out.
    ///
    /// # Errors
    /// AWS's.
    pub async fn addresses(&self, ids: &[String]) -> Result<Vec<AddressFacts>, AwsError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        // A filter, because the parameter AllocationId makes the call fail if one of them does not exist.
        let query = Query::new("ec2:DescribeAddresses").with("Filter.1.Name", "allocation-id");
        let query = query.with_all("Filter.1.Value", ids.iter().map(String::as_str));
        Ok(addresses(&self.0.send(query, &ids.join(", ")).await?))
    }

    /// The addresses behind these allocation IDs, sorted; for one that does not exist, its ID.
    ///
    /// # Errors
    /// AWS's.
    pub async fn public_ips(&self, ids: &[String]) -> Result<Vec<String>, AwsError> {
        let found = self.addresses(ids).await?;
        let ip = |id: &String| found.iter().find(|facts| facts.id == *id).map_or(id, |facts| &facts.ip).clone();
        let mut ips: Vec<String> = ids.iter().map(ip).collect();
        ips.sort();
        Ok(ips)
    }

    /// Allocates an Elastic IP address, and returns its allocation ID. There is no client token: search by tags before
    /// calling this again. The SDK makes one attempt only, because a repetition after a lost answer would allocate a
    /// second one.
    ///
    /// # Errors
    /// AWS's.
    pub async fn allocate(&self, tags: &Tags) -> Result<String, AwsError> {
        let query = Query::new("ec2:AllocateAddress").with("Domain", "vpc");
        let query = tagged(query.with("TagSpecification.1.ResourceType", "elastic-ip"), "TagSpecification.1.Tag", tags);
        Ok(self.0.send(query.once(), "an address").await?.text_of("allocationId"))
    }

    /// Gives an address back to AWS; missing is fine.
    ///
    /// # Errors
    /// AWS's.
    pub async fn release(&self, id: &str) -> Result<(), AwsError> {
        let query = Query::new("ec2:ReleaseAddress").with("AllocationId", id);
        self.0.send(query, id).await.or_missing(NO_ADDRESS).map(drop)
    }

    /// Adds tags to a resource.
    ///
    /// # Errors
    /// AWS's.
    pub async fn tag(&self, id: &str, tags: &Tags) -> Result<(), AwsError> {
        let query = tagged(Query::new("ec2:CreateTags").with("ResourceId.1", id), "Tag", tags);
        self.0.send(query, id).await.map(drop)
    }

    /// A VPC endpoint by its ID.
    ///
    /// # Errors
    /// AWS's.
    pub async fn vpc_endpoint(&self, id: &str) -> Result<Option<VpcEndpointFacts>, AwsError> {
        let query = Query::new("ec2:DescribeVpcEndpoints").with("VpcEndpointId.1", id);
        let Some(answer) = self.0.send(query, id).await.or_missing(NO_ENDPOINT)? else { return Ok(None) };
        Ok(answer.items("vpcEndpointSet").first().map(|endpoint| VpcEndpointFacts {
            state: endpoint.text_of("state"),
            security_groups: endpoint.items("groupSet").iter().map(|group| group.text_of("groupId")).collect(),
            interfaces: endpoint.items("networkInterfaceIdSet").iter().map(|id| id.text.clone()).collect(),
        }))
    }

    /// Changes the security groups of a VPC endpoint, in place.
    ///
    /// # Errors
    /// AWS's.
    pub async fn change_security_groups(&self, id: &str, add: &[String], remove: &[String]) -> Result<(), AwsError> {
        let query = Query::new("ec2:ModifyVpcEndpoint").with("VpcEndpointId", id);
        let query = query.with_all("AddSecurityGroupId", add.iter().map(String::as_str));
        let query = query.with_all("RemoveSecurityGroupId", remove.iter().map(String::as_str));
        self.0.send(query, id).await.map(drop)
    }

    /// Subnets by their IDs; `None` if one of them does not exist.
    ///
    /// # Errors
    /// AWS's.
    pub async fn subnets(&self, ids: &[String]) -> Result<Option<Vec<SubnetFacts>>, AwsError> {
        let query = Query::new("ec2:DescribeSubnets").with_all("SubnetId", ids.iter().map(String::as_str));
        let answer = self.0.send(query, &ids.join(", ")).await.or_missing(NO_SUBNET)?;
        Ok(answer.map(|answer| {
            let subnets = answer.items("subnetSet").iter();
            let facts = subnets.map(|subnet| SubnetFacts {
                id: subnet.text_of("subnetId"),
                vpc: subnet.text_of("vpcId"),
                zone: subnet.text_of("availabilityZone"),
                owner: subnet.text_of("ownerId"),
            });
            facts.collect()
        }))
    }

    /// The route tables of a VPC that the caller may see: of a VPC that another account shares, at least those of the
    /// shared subnets (VPC user guide, "Responsibilities and permissions for owners and participants").
    ///
    /// # Errors
    /// AWS's.
    pub async fn route_tables(&self, vpc: &str) -> Result<Vec<RouteTableFacts>, AwsError> {
        let mut all = Vec::new();
        let mut token = String::new();
        loop {
            let query = Query::new("ec2:DescribeRouteTables").with("Filter.1.Name", "vpc-id");
            let query = query.with("Filter.1.Value.1", vpc);
            let query = if token.is_empty() { query } else { query.with("NextToken", &token) };
            let answer = self.0.send(query, vpc).await?;
            all.extend(answer.items("routeTableSet").iter().map(route_table));
            token = answer.text_of("nextToken");
            if token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// Whether an internet gateway is attached to a VPC.
    ///
    /// # Errors
    /// AWS's.
    pub async fn has_internet_gateway(&self, vpc: &str) -> Result<bool, AwsError> {
        let query = Query::new("ec2:DescribeInternetGateways").with("Filter.1.Name", "attachment.vpc-id");
        let answer = self.0.send(query.with("Filter.1.Value.1", vpc), vpc).await?;
        Ok(!answer.items("internetGatewaySet").is_empty())
    }

    /// Security groups by their IDs; `None` if one of them does not exist.
    ///
    /// # Errors
    /// AWS's.
    pub async fn security_groups(&self, ids: &[String]) -> Result<Option<Vec<SecurityGroupFacts>>, AwsError> {
        let query = Query::new("ec2:DescribeSecurityGroups").with_all("GroupId", ids.iter().map(String::as_str));
        let answer = self.0.send(query, &ids.join(", ")).await.or_missing(NO_GROUP)?;
        Ok(answer.map(|answer| groups(&answer)))
    }

    /// Security groups with all of these tags.
    ///
    /// # Errors
    /// AWS's.
    pub async fn security_groups_with(&self, tags: &Tags) -> Result<Vec<SecurityGroupFacts>, AwsError> {
        let query = with_tags(Query::new("ec2:DescribeSecurityGroups"), tags);
        Ok(groups(&self.0.send(query, "security groups").await?))
    }

    /// Creates a security group that admits nobody, and returns its ID. Its name is unique in its VPC.
    ///
    /// # Errors
    /// AWS's.
    pub async fn create_security_group(
        &self,
        name: &str,
        description: &str,
        vpc: &str,
        tags: &Tags,
    ) -> Result<String, AwsError> {
        let query = Query::new("ec2:CreateSecurityGroup").with("GroupName", name).with("VpcId", vpc);
        let query = query.with("GroupDescription", description);
        let query = query.with("TagSpecification.1.ResourceType", "security-group");
        let query = tagged(query, "TagSpecification.1.Tag", tags);
        Ok(self.0.send(query, name).await?.text_of("groupId"))
    }

    /// Adds rules for connections from outside. If it has one already, AWS adds none, which is no error: the caller
    /// compares again.
    ///
    /// # Errors
    /// AWS's.
    pub async fn admit(&self, group: &str, rules: &[Admitted]) -> Result<(), AwsError> {
        let query = Query::new("ec2:AuthorizeSecurityGroupIngress").with("GroupId", group);
        let call = self.0.send(with_rules(query, rules), group).await;
        call.or_missing(&["InvalidPermission.Duplicate"]).map(drop)
    }

    /// Takes rules for connections from outside away. If one is missing, AWS takes none, which is no error: the caller
    /// compares again.
    ///
    /// # Errors
    /// AWS's.
    pub async fn revoke(&self, group: &str, rules: &[Admitted]) -> Result<(), AwsError> {
        let query = Query::new("ec2:RevokeSecurityGroupIngress").with("GroupId", group);
        let call = self.0.send(with_rules(query, rules), group).await;
        call.or_missing(&["InvalidPermission.NotFound"]).map(drop)
    }

    /// Deletes a security group; missing is fine.
    ///
    /// # Errors
    /// AWS's; `DependencyViolation` while an endpoint has it.
    pub async fn delete_security_group(&self, id: &str) -> Result<(), AwsError> {
        let query = Query::new("ec2:DeleteSecurityGroup").with("GroupId", id);
        self.0.send(query, id).await.or_missing(NO_GROUP).map(drop)
    }
}

fn route_table(table: &Element) -> RouteTableFacts {
    let associations = table.items("associationSet");
    let subnets = associations.iter().map(|one| one.text_of("subnetId")).filter(|id| !id.is_empty());
    RouteTableFacts {
        id: table.text_of("routeTableId"),
        is_main: associations.iter().any(|one| one.text_of("main") == "true"),
        subnets: subnets.collect(),
        has_internet: table.items("routeSet").iter().any(is_to_internet),
    }
}

/// A route to an internet gateway may be to all addresses or to some (VPC user guide, "Enable internet access for a VPC
/// using an internet gateway"). One whose gateway is gone is a `blackhole`, and one for IPv6 has a
/// `destinationIpv6CidrBlock` instead (EC2 API reference, `Route`). A firewall between the two has the route for all
/// addresses, to its endpoint, and the gateway a route back (Network Firewall developer guide, "VPC route table
/// configuration for AWS Network Firewall"; Gateway Load Balancers do the same). The other routes to endpoints, those
/// of S3 and DynamoDB, are for lists of prefixes. A route to a network interface may be a firewall's or that of a NAT
/// instance, which customers cannot reach.
fn is_to_internet(route: &Element) -> bool {
    let gateway = route.text_of("gatewayId");
    let is_for_all = route.text_of("destinationCidrBlock") == "0.0.0.0/0";
    let is_for_ipv4 = ["destinationCidrBlock", "destinationPrefixListId"].iter().any(|to| route.child(to).is_some());
    let is_to_firewall = is_for_all && gateway.starts_with("vpce-");
    route.text_of("state") == "active" && (gateway.starts_with("igw-") && is_for_ipv4 || is_to_firewall)
}

/// Each rule by itself.
fn with_rules(query: Query, rules: &[Admitted]) -> Query {
    rules.iter().zip(1..).fold(query, |query, (rule, number): (&Admitted, u32)| {
        let stem = format!("IpPermissions.{number}");
        let mut query = query.with(&format!("{stem}.IpProtocol"), &rule.protocol);
        for (name, port) in [("FromPort", &rule.ports.0), ("ToPort", &rule.ports.1)] {
            if !port.is_empty() {
                query = query.with(&format!("{stem}.{name}"), port);
            }
        }
        let from = match rule.from.as_str() {
            from if from.starts_with("pl-") => "PrefixListIds.1.PrefixListId",
            from if from.starts_with("sg-") => "Groups.1.GroupId",
            from if from.contains(':') => "Ipv6Ranges.1.CidrIpv6",
            _ => "IpRanges.1.CidrIp",
        };
        query.with(&format!("{stem}.{from}"), &rule.from)
    })
}

fn groups(answer: &Element) -> Vec<SecurityGroupFacts> {
    const SOURCES: [(&str, &str); 4] =
        [("ipRanges", "cidrIp"), ("ipv6Ranges", "cidrIpv6"), ("prefixListIds", "prefixListId"), ("groups", "groupId")];
    let rules = |group: &Element| {
        let mut rules = Vec::new();
        for rule in group.items("ipPermissions") {
            let from = SOURCES.iter().flat_map(|(list, name)| rule.items(list).iter().map(|one| one.text_of(name)));
            rules.extend(from.map(|from| Admitted {
                protocol: rule.text_of("ipProtocol"),
                ports: (rule.text_of("fromPort"), rule.text_of("toPort")),
                from,
            }));
        }
        rules
    };
    let all = answer.items("securityGroupInfo").iter();
    all.map(|group| SecurityGroupFacts {
        id: group.text_of("groupId"),
        vpc: group.text_of("vpcId"),
        admitted: rules(group),
        tags: tags_of(group),
    })
    .collect()
}

fn tags_of(resource: &Element) -> Tags {
    resource.items("tagSet").iter().map(|tag| (tag.text_of("key"), tag.text_of("value"))).collect()
}

fn with_tags(query: Query, tags: &Tags) -> Query {
    tags.iter().zip(1..).fold(query, |query, ((key, value), number): ((&String, &String), u32)| {
        query
            .with(&format!("Filter.{number}.Name"), &format!("tag:{key}"))
            .with(&format!("Filter.{number}.Value.1"), value)
    })
}

fn addresses(answer: &Element) -> Vec<AddressFacts> {
    let all = answer.items("addressesSet").iter();
    all.map(|address| AddressFacts {
        id: address.text_of("allocationId"),
        ip: address.text_of("publicIp"),
        interface: address.text_of("networkInterfaceId"),
        tags: tags_of(address),
    })
    .collect()
}

fn tagged(query: Query, list: &str, tags: &Tags) -> Query {
    tags.iter().zip(1..).fold(query, |query, ((key, value), number): ((&String, &String), u32)| {
        query.with(&format!("{list}.{number}.Key"), key).with(&format!("{list}.{number}.Value"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_to_the_internet_may_lead_through_a_firewall() {
        for (route, expected) in [
            ("<destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>igw-1</gatewayId>", true),
            ("<destinationCidrBlock>203.0.113.0/24</destinationCidrBlock><gatewayId>igw-1</gatewayId>", true),
            ("<destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><gatewayId>vpce-1</gatewayId>", true),
            (
                "<destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><networkInterfaceId>eni-1</networkInterfaceId>",
                false,
            ),
            ("<destinationPrefixListId>pl-1</destinationPrefixListId><gatewayId>igw-1</gatewayId>", true),
            ("<destinationIpv6CidrBlock>::/0</destinationIpv6CidrBlock><gatewayId>igw-1</gatewayId>", false),
            ("<destinationPrefixListId>pl-1</destinationPrefixListId><gatewayId>vpce-1</gatewayId>", false),
            ("<destinationCidrBlock>10.0.0.0/16</destinationCidrBlock><gatewayId>local</gatewayId>", false),
            ("<destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><natGatewayId>nat-1</natGatewayId>", false),
        ] {
            let has_internet = |state: &str| {
                let item = format!("<item>{route}<state>{state}</state></item>");
                let table = Element::parse(&format!("<item><routeSet>{item}</routeSet></item>")).unwrap();
                route_table(&table).has_internet
            };
            assert_eq!(has_internet("active"), expected, "{route}");
            assert!(!has_internet("blackhole"), "{route}");
        }
    }
}
