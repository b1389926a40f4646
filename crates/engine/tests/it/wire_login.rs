//! Responses of `TestIdentityProvider` that occur on AWS and never on the local cloud.

use serde_json::json;
use sftpctl_engine::verify::{Attempt, check};

use crate::drive;
use crate::stub::{Reply, Stub};

#[tokio::test]
async fn response_without_a_role_is_a_refusal() {
    let server = json!({ "Server": {
        "Arn": "arn:aws:transfer:us-west-2:111111111111:server/s-0123456789abcdef0",
        "ServerId": "s-0123456789abcdef0", "State": "ONLINE",
        "Tags": [{ "Key": "sftpctl:environment", "Value": "99" }],
    }});
    for response in ["{}", "", r#"{"Policy":"p"}"#, r#"{"Role":""}"#] {
        let stub = Stub::new().await;
        let answer = json!({ "StatusCode": 200, "Response": response, "Message": "", "Url": "https://a1.example" });
        stub.on("transfer:ListServers", [Reply::ok(r#"{"Servers":[{"Arn":"a","ServerId":"s-0123456789abcdef0"}]}"#)])
            .on("transfer:DescribeServer", [Reply::ok(server.to_string())])
            .on("transfer:TestIdentityProvider", [Reply::ok(answer.to_string())]);
        let attempt = Attempt { username: "somebody", password: "p", source_ip: "192.0.2.1" };
        let found = check(&stub.aws("us-west-2").await, &drive::environment(), "us-west-2", None, attempt).await;
        assert!(!found.admitted && found.status == Some(200), "{response}: {found:?}");
        assert!(found.finding.starts_with("the identity provider answers without a Role"), "{response}: {found:?}");
    }
}
