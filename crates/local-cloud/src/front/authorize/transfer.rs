//! Transfer Family.

use super::need::{Asked, Need, tag_list, texts};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("CreateServer", "transfer:CreateServer", ""),
    ("DeleteHostKey", "transfer:DeleteHostKey", "host-key"),
    ("DeleteServer", "transfer:DeleteServer", "server"),
    ("DescribeHostKey", "transfer:DescribeHostKey", "host-key"),
    ("DescribeSecurityPolicy", "transfer:DescribeSecurityPolicy", ""),
    ("DescribeServer", "transfer:DescribeServer", "server"),
    ("ImportHostKey", "transfer:ImportHostKey", "server"),
    ("ListHostKeys", "transfer:ListHostKeys", "server"),
    ("ListSecurityPolicies", "transfer:ListSecurityPolicies", ""),
    ("ListServers", "transfer:ListServers", ""),
    ("ListTagsForResource", "transfer:ListTagsForResource", "server"),
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
    let roles = [logging, invocation].into_iter().flatten().filter(|role| !role.is_empty());
    let passed = roles.map(|role| Need::pass_role(role, "transfer.amazonaws.com"));
    // That tags on creation need the permission to tag, as in other services, is an assumption (docs/open-questions.md).
    let tagging = asked.operation == "CreateServer" && !tags.is_empty();
    let tagging = tagging
        .then(|| Need::new("transfer:TagResource", "server", asked.arn("transfer", "server/*")).with_tags(&tags));
    Ok(std::iter::once(own).chain(tagging).chain(passed).collect())
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
    fn resources_are_servers_users_and_host_keys() {
        let arn = |rest: &str| format!("arn:aws:transfer:us-west-2:111111111111:{rest}");
        for (operation, body, resource) in [
            ("DescribeServer", serde_json::json!({ "ServerId": "s-1" }), arn("server/s-1")),
            ("DeleteHostKey", serde_json::json!({ "ServerId": "s-1", "HostKeyId": "k" }), arn("host-key/s-1/k")),
            ("TestIdentityProvider", serde_json::json!({ "ServerId": "s-1", "UserName": "u" }), arn("user/s-1/u")),
            ("TagResource", serde_json::json!({ "Arn": arn("server/s-1"), "Tags": [] }), arn("server/s-1")),
            ("ListServers", serde_json::json!({}), "*".to_owned()),
        ] {
            let action = format!("transfer:{operation}");
            assert_eq!(shown(&call(operation, body)), [(action.as_str(), resource.as_str())]);
        }
    }
}
