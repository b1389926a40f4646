//! Amazon EC2.

use super::super::ec2::tags;
use super::need::{Asked, Need};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("AllocateAddress", "ec2:AllocateAddress", "elastic-ip"),
    ("AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupIngress", "security-group"),
    ("CreateSecurityGroup", "ec2:CreateSecurityGroup", "security-group"),
    ("CreateTags", "ec2:CreateTags", "elastic-ip"),
    ("DeleteSecurityGroup", "ec2:DeleteSecurityGroup", "security-group"),
    ("DescribeAddresses", "ec2:DescribeAddresses", ""),
    ("DescribeInternetGateways", "ec2:DescribeInternetGateways", ""),
    ("DescribeRegions", "ec2:DescribeRegions", ""),
    ("DescribeRouteTables", "ec2:DescribeRouteTables", ""),
    ("DescribeSecurityGroups", "ec2:DescribeSecurityGroups", ""),
    ("DescribeSubnets", "ec2:DescribeSubnets", ""),
    ("DescribeVpcEndpoints", "ec2:DescribeVpcEndpoints", ""),
    ("ModifyVpcEndpoint", "ec2:ModifyVpcEndpoint", "vpc-endpoint"),
    ("ReleaseAddress", "ec2:ReleaseAddress", "elastic-ip"),
    ("RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress", "security-group"),
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let arn = |kind: &str, id: &str| asked.arn("ec2", &format!("{kind}/{id}"));
    Ok(match asked.operation {
        // They have no ID before they are created.
        "AllocateAddress" | "CreateSecurityGroup" => {
            let (all, tags) = (arn(kind, "*"), tags(asked.form, "TagSpecification.1.Tag"));
            let mut needs = vec![Need::new(action, kind, &all).with_tags(&tags)];
            if !tags.is_empty() {
                let tagging = Need::new("ec2:CreateTags", kind, all).with("ec2:CreateAction", asked.operation);
                needs.push(tagging.with_tags(&tags));
            }
            if asked.operation == "CreateSecurityGroup" {
                needs.push(Need::new(action, "vpc", arn("vpc", asked.field("VpcId")?)));
            }
            needs
        }
        "CreateTags" => {
            let id = asked.field("ResourceId.1")?;
            let kind = match id.split('-').next() {
                Some("eipalloc") => kind,
                Some("sg") => "security-group",
                _ => return Err("the local cloud authorizes tags of addresses and security groups only".to_owned()),
            };
            if asked.form.get("ResourceId.2").is_some() {
                return Err("the local cloud authorizes the tags of one resource at a time".to_owned());
            }
            vec![Need::new(action, kind, arn(kind, id)).with_tags(&tags(asked.form, "Tag"))]
        }
        "ReleaseAddress" => vec![Need::new(action, kind, arn(kind, asked.field("AllocationId")?))],
        "AuthorizeSecurityGroupIngress" | "DeleteSecurityGroup" | "RevokeSecurityGroupIngress" => {
            vec![Need::new(action, kind, arn(kind, asked.field("GroupId")?))]
        }
        "ModifyVpcEndpoint" => {
            let groups = ["AddSecurityGroupId", "RemoveSecurityGroupId"]
                .into_iter()
                .flat_map(|list| (1..).map_while(move |number: usize| asked.form.get(&format!("{list}.{number}"))));
            let groups = groups.map(|group| Need::new(action, "security-group", arn("security-group", group)));
            let endpoint = Need::new(action, kind, arn(kind, asked.field("VpcEndpointId")?));
            std::iter::once(endpoint).chain(groups).collect()
        }
        _ => vec![Need::new(action, kind, "*")],
    })
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};

    #[test]
    fn addresses_and_endpoints_are_resources() {
        let arn = |rest: &str| format!("arn:aws:ec2:us-west-2:111111111111:{rest}");
        let post = |body: &str| hyper::Request::post("/").body(body.to_owned()).unwrap();
        let needs =
            asked("ec2", "AllocateAddress", post("TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"));
        let all = arn("elastic-ip/*");
        assert_eq!(shown(&needs), [("ec2:AllocateAddress", all.as_str()), ("ec2:CreateTags", all.as_str())]);
        assert_eq!(needs[0].context["aws:RequestTag/k"], ["v"]);
        assert_eq!(needs[1].context["ec2:CreateAction"], ["AllocateAddress"]);
        let one = arn("elastic-ip/eipalloc-1");
        for (operation, body) in
            [("ReleaseAddress", "AllocationId=eipalloc-1"), ("CreateTags", "ResourceId.1=eipalloc-1")]
        {
            let action = format!("ec2:{operation}");
            assert_eq!(shown(&asked("ec2", operation, post(body))), [(action.as_str(), one.as_str())]);
        }
        let create = post("GroupName=g&VpcId=vpc-1&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v");
        let (groups, vpc) = (arn("security-group/*"), arn("vpc/vpc-1"));
        let action = "ec2:CreateSecurityGroup";
        let needed = [(action, groups.as_str()), ("ec2:CreateTags", groups.as_str()), (action, vpc.as_str())];
        assert_eq!(shown(&asked("ec2", "CreateSecurityGroup", create)), needed);
        let group = arn("security-group/sg-1");
        for operation in ["AuthorizeSecurityGroupIngress", "DeleteSecurityGroup", "RevokeSecurityGroupIngress"] {
            let action = format!("ec2:{operation}");
            let needs = asked("ec2", operation, post("GroupId=sg-1"));
            assert_eq!(shown(&needs), [(action.as_str(), group.as_str())]);
        }
        let body = "VpcEndpointId=vpce-1&AddSecurityGroupId.1=sg-1&RemoveSecurityGroupId.1=sg-2";
        let arns = [arn("vpc-endpoint/vpce-1"), arn("security-group/sg-1"), arn("security-group/sg-2")];
        let needs = asked("ec2", "ModifyVpcEndpoint", post(body));
        assert_eq!(needs.iter().map(|need| need.resource.clone()).collect::<Vec<_>>(), arns);
        assert_eq!(shown(&asked("ec2", "DescribeAddresses", post(""))), [("ec2:DescribeAddresses", "*")]);
    }
}
