//! `addresses`: servers in VPCs with fixed addresses, in addition to `deployer`. One document would not hold both.
//!
//! What Transfer Family calls with the caller's permissions is that of `handlers.*.permissions` in the schema of
//! `AWS::Transfer::Server` in CloudFormation's registry.

use serde_json::{Value, json};

use super::arns::Arns;
use super::statement::{allow, allow_all, allow_if};

pub(super) fn statements(arns: &Arns<'_>) -> Vec<Value> {
    let (addresses, groups) = ([arns.elastic_ips()], [arns.security_groups()]);
    let ours = [arns.elastic_ips(), arns.security_groups()];
    let created = json!({
        "StringEquals": { "aws:RequestTag/sftpctl:environment": arns.0.name },
        "StringLike": { "aws:RequestedRegion": arns.regions() },
    });
    vec![
        allow_if("AllocateAddresses", &["ec2:AllocateAddress"], addresses, created.clone()),
        allow_if(
            "TagNewAddresses",
            &["ec2:CreateTags"],
            ours.clone(),
            json!({ "StringEquals": { "ec2:CreateAction": ["AllocateAddress", "CreateSecurityGroup"] } }),
        ),
        allow_if("TagAddresses", &["ec2:CreateTags"], ours, arns.is_tagged()),
        // A VPC has no tag of the environment.
        allow("CreateSecurityGroupsInVpcs", &["ec2:CreateSecurityGroup"], arns.vpcs()),
        allow_if("CreateSecurityGroups", &["ec2:CreateSecurityGroup"], groups.clone(), created),
        allow_if(
            "ChangeSecurityGroups",
            &["ec2:AuthorizeSecurityGroupIngress", "ec2:DeleteSecurityGroup", "ec2:RevokeSecurityGroupIngress"],
            groups,
            arns.is_tagged(),
        ),
        // AWS changes the endpoint of a stopped server only.
        allow_if("StopServers", &["transfer:StopServer"], [arns.servers()], arns.is_tagged()),
        // The endpoints are Transfer Family's, and have no tag of the environment.
        allow(
            "EndpointsOfServers",
            &["ec2:CreateVpcEndpoint", "ec2:DeleteVpcEndpoints", "ec2:ModifyVpcEndpoint"],
            arns.endpoint_parts(),
        ),
        // Addresses that the file names by their allocation IDs have none, either.
        allow(
            "AddressesOfServers",
            &["ec2:AssociateAddress", "ec2:DisassociateAddress"],
            [arns.elastic_ips(), arns.network_interfaces()],
        ),
        // The descriptions beside it are in `reader`.
        allow_all("ReadInterfaces", &["ec2:DescribeNetworkInterfaces"]),
    ]
}
