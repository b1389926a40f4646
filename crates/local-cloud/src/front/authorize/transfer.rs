//! Transfer Family.

use super::need::{Asked, Need, tag_list, texts};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("CreateServer", "transfer:CreateServer", ""),
    ("CreateWorkflow", "transfer:CreateWorkflow", ""),
    ("DeleteHostKey", "transfer:DeleteHostKey", "host-key"),
    ("DeleteServer", "transfer:DeleteServer", "server"),
    ("DeleteWorkflow", "transfer:DeleteWorkflow", "workflow"),
    ("DescribeHostKey", "transfer:DescribeHostKey", "host-key"),
    ("DescribeSecurityPolicy", "transfer:DescribeSecurityPolicy", ""),
    ("DescribeServer", "transfer:DescribeServer", "server"),
    ("DescribeWorkflow", "transfer:DescribeWorkflow", "workflow"),
    ("ImportHostKey", "transfer:ImportHostKey", "server"),
    ("ListHostKeys", "transfer:ListHostKeys", "server"),
    ("ListSecurityPolicies", "transfer:ListSecurityPolicies", ""),
    ("ListServers", "transfer:ListServers", ""),
    ("ListTagsForResource", "transfer:ListTagsForResource", "server"),
    ("ListWorkflows", "transfer:ListWorkflows", ""),
    ("StartServer", "transfer:StartServer", "server"),
    ("StopServer", "transfer:StopServer", "server"),
    ("TagResource", "transfer:TagResource", "server"),
    ("TestIdentityProvider", "transfer:TestIdentityProvider", "user"),
    ("UntagResource", "transfer:UntagResource", "server"),
    ("UpdateHostKey", "transfer:UpdateHostKey", "host-key"),
    ("UpdateServer", "transfer:UpdateServer", "server"),
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let resource = resource(kind, asked)?;
    let tags = tag_list(&asked.json["Tags"]);
    let own = Need::new(action, kind, resource);
    let mut own = if tags.is_empty() { own.with_keys(texts(&asked.json["TagKeys"])) } else { own.with_tags(&tags) };
    if asked.operation == "CreateServer" {
        own = settings(own, asked);
    }
    let logging = asked.json["LoggingRole"].as_str();
    let invocation = asked.json["IdentityProviderDetails"]["InvocationRole"].as_str();
    let workflows = ["OnUpload", "OnPartialUpload"].into_iter().flat_map(|list| {
        let list = asked.json["WorkflowDetails"][list].as_array();
        list.into_iter().flatten().map(|workflow| workflow["ExecutionRole"].as_str())
    });
    let roles = [logging, invocation].into_iter().chain(workflows).flatten().filter(|role| !role.is_empty());
    let passed = roles.map(|role| Need::pass_role(role, "transfer.amazonaws.com"));
    // That tags on creation need the permission to tag, as in other services, is an assumption (docs/open-questions.md).
    let tagged = match asked.operation {
        "CreateServer" => Some("server"),
        "CreateWorkflow" => Some("workflow"),
        _ => None,
    };
    let tagging = tagged.filter(|_| !tags.is_empty()).map(|kind| {
        Need::new("transfer:TagResource", kind, asked.arn("transfer", &format!("{kind}/*"))).with_tags(&tags)
    });
    Ok(std::iter::once(own).chain(tagging).chain(passed).chain(network(asked)).collect())
}

/// What the service calls with the caller's permissions for an endpoint in a VPC: `handlers.*.permissions` in the schema
/// of `AWS::Transfer::Server` in CloudFormation's registry.
fn network(asked: &Asked<'_>) -> Vec<Need> {
    let details = &asked.json["EndpointDetails"];
    let need = |action: &str, kind: &'static str, id: &str| {
        Need::new(format!("ec2:{action}"), kind, asked.arn("ec2", &format!("{kind}/{id}")))
    };
    let each = |action: &'static str, kind: &'static str, list: &str| {
        texts(&details[list]).into_iter().map(|id| need(action, kind, &id)).collect::<Vec<Need>>()
    };
    match (asked.json["EndpointType"].as_str(), details["AddressAllocationIds"].as_array()) {
        (Some("VPC"), _) => {
            let vpc = details["VpcId"].as_str().unwrap_or("*");
            let mut needs = vec![need("CreateVpcEndpoint", "vpc", vpc), need("CreateVpcEndpoint", "vpc-endpoint", "*")];
            needs.extend(each("CreateVpcEndpoint", "subnet", "SubnetIds"));
            needs.extend(each("CreateVpcEndpoint", "security-group", "SecurityGroupIds"));
            needs
        }
        (Some("PUBLIC"), _) if asked.operation == "UpdateServer" => {
            vec![need("DeleteVpcEndpoints", "vpc-endpoint", "*")]
        }
        (_, Some(ids)) if ids.is_empty() => vec![need("DisassociateAddress", "elastic-ip", "*")],
        (_, Some(_)) => each("AssociateAddress", "elastic-ip", "AddressAllocationIds"),
        _ if details["SubnetIds"].is_array() => vec![need("ModifyVpcEndpoint", "vpc-endpoint", "*")],
        _ => Vec::new(),
    }
}

/// The settings of a new server that are condition keys, with the API's defaults.
fn settings(need: Need, asked: &Asked<'_>) -> Need {
    let text = |name: &str, default: &str| asked.json[name].as_str().unwrap_or(default).to_owned();
    let protocols = Some(texts(&asked.json["Protocols"])).filter(|protocols| !protocols.is_empty());
    let need = need
        .with("transfer:RequestServerDomain", text("Domain", "S3"))
        .with("transfer:RequestServerEndpointType", text("EndpointType", "PUBLIC"))
        .with_all("transfer:RequestServerProtocols", protocols.unwrap_or_else(|| vec!["SFTP".to_owned()]));
    match asked.json["SecurityPolicyName"].as_str() {
        Some(policy) => need.with("transfer:RequestSecurityPolicyName", policy),
        None => need,
    }
}

fn resource(kind: &str, asked: &Asked<'_>) -> Result<String, String> {
    if let Some(arn) = asked.json["Arn"].as_str() {
        return Ok(arn.to_owned());
    }
    Ok(match kind {
        "" => "*".to_owned(),
        "host-key" => {
            let (server, key) = (asked.member("ServerId")?, asked.member("HostKeyId")?);
            asked.arn("transfer", &format!("host-key/{server}/{key}"))
        }
        "workflow" => asked.arn("transfer", &format!("workflow/{}", asked.member("WorkflowId")?)),
        "user" => {
            let (server, user) = (asked.member("ServerId")?, asked.member("UserName")?);
            asked.arn("transfer", &format!("user/{server}/{user}"))
        }
        _ => asked.arn("transfer", &format!("server/{}", asked.member("ServerId")?)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};
    use super::*;

    fn call(operation: &str, body: serde_json::Value) -> Vec<Need> {
        asked("transfer", operation, hyper::Request::post("/").body(body.to_string()).unwrap())
    }

    #[test]
    fn new_server_has_no_arn_and_passes_its_roles() {
        let (logs, invocation) = ("arn:aws:iam::111111111111:role/l", "arn:aws:iam::111111111111:role/i");
        let needs = call(
            "CreateServer",
            serde_json::json!({
                "Tags": [{ "Key": "k", "Value": "v" }], "LoggingRole": logs, "Protocols": ["SFTP"],
                "IdentityProviderDetails": { "InvocationRole": invocation }, "SecurityPolicyName": "p",
            }),
        );
        assert_eq!(
            shown(&needs),
            [
                ("transfer:CreateServer", "*"),
                ("transfer:TagResource", "arn:aws:transfer:us-west-2:111111111111:server/*"),
                ("iam:PassRole", logs),
                ("iam:PassRole", invocation),
            ]
        );
        assert_eq!(needs[1].context["aws:RequestTag/k"], ["v"]);
        for (key, value) in [
            ("aws:RequestTag/k", "v"),
            ("transfer:RequestServerEndpointType", "PUBLIC"),
            ("transfer:RequestServerDomain", "S3"),
            ("transfer:RequestServerProtocols", "SFTP"),
            ("transfer:RequestSecurityPolicyName", "p"),
        ] {
            assert_eq!(needs[0].context[key], [value], "{key}");
        }
        assert_eq!(needs[3].context["iam:PassedToService"], ["transfer.amazonaws.com"]);
    }

    #[test]
    fn the_role_of_a_workflow_is_passed() {
        let role = "arn:aws:iam::111111111111:role/w";
        let details = serde_json::json!({ "OnUpload": [{ "WorkflowId": "w-1", "ExecutionRole": role }] });
        let needs = call("UpdateServer", serde_json::json!({ "ServerId": "s-1", "WorkflowDetails": details }));
        assert_eq!(shown(&needs)[1..], [("iam:PassRole", role)]);
    }

    #[test]
    fn endpoints_in_vpcs_are_the_callers() {
        let arn = |rest: &str| format!("arn:aws:ec2:us-west-2:111111111111:{rest}");
        let place = serde_json::json!({ "VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"] });
        let update = |kind: &str, details: serde_json::Value| {
            let mut body = serde_json::json!({ "ServerId": "s-1", "EndpointDetails": details });
            if !kind.is_empty() {
                body["EndpointType"] = kind.into();
            }
            let needs = call("UpdateServer", body);
            needs.into_iter().skip(1).map(|need| (need.action, need.resource)).collect::<Vec<_>>()
        };
        let of = |action: &str, resource: &str| (format!("ec2:{action}"), arn(resource));
        let parts = ["vpc/vpc-1", "vpc-endpoint/*", "subnet/subnet-1", "security-group/sg-1"];
        assert_eq!(update("VPC", place), parts.map(|part| of("CreateVpcEndpoint", part)));
        assert_eq!(update("PUBLIC", serde_json::json!({})), [of("DeleteVpcEndpoints", "vpc-endpoint/*")]);
        let addresses = |ids: &[&str]| serde_json::json!({ "AddressAllocationIds": ids });
        assert_eq!(update("", addresses(&["eipalloc-1"])), [of("AssociateAddress", "elastic-ip/eipalloc-1")]);
        assert_eq!(update("", addresses(&[])), [of("DisassociateAddress", "elastic-ip/*")]);
        let subnets = serde_json::json!({ "SubnetIds": ["subnet-1"] });
        assert_eq!(update("", subnets), [of("ModifyVpcEndpoint", "vpc-endpoint/*")]);
        assert_eq!(update("", serde_json::json!({})), []);
    }

    #[test]
    fn resources_are_servers_users_and_host_keys() {
        let arn = |rest: &str| format!("arn:aws:transfer:us-west-2:111111111111:{rest}");
        for (operation, body, resource) in [
            ("DescribeServer", serde_json::json!({ "ServerId": "s-1" }), arn("server/s-1")),
            ("DeleteHostKey", serde_json::json!({ "ServerId": "s-1", "HostKeyId": "k" }), arn("host-key/s-1/k")),
            ("TestIdentityProvider", serde_json::json!({ "ServerId": "s-1", "UserName": "u" }), arn("user/s-1/u")),
            ("DescribeWorkflow", serde_json::json!({ "WorkflowId": "w-1" }), arn("workflow/w-1")),
            ("TagResource", serde_json::json!({ "Arn": arn("server/s-1"), "Tags": [] }), arn("server/s-1")),
            ("ListServers", serde_json::json!({}), "*".to_owned()),
        ] {
            let action = format!("transfer:{operation}");
            assert_eq!(shown(&call(operation, body)), [(action.as_str(), resource.as_str())]);
        }
    }
}
