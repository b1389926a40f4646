//! Responses of `TestIdentityProvider` in the forms that AWS documents, and what is found out about them.
//!
//! With any status but 200, `Response` is empty and the text is in `Message`.

use rstest::rstest;
use serde_json::{Value, json};
use sftp_authorizer::password::legacy;
use sftpctl_engine::verify::{Attempt, LoginCheck, check};

use crate::drive;
use crate::stub::{Reply, Stub};

const SERVER: &str = "s-0123456789abcdef0";
const FUNCTION: &str = "lambda:GET /2015-03-31/functions/lambda-99-upload-us-west-2";
const METHOD: &str = "arn:aws:execute-api:us-west-2:111111111111:a1/prod/GET/servers/*/users/*/config";
const CONFIG: &str = "/restapis/a1/resources/r1/methods/GET";

fn answer(status: u16, response: &str, message: &str) -> Value {
    let url = "https://a1.execute-api.us-west-2.amazonaws.com/prod/servers/x";
    json!({ "StatusCode": status, "Response": response, "Message": message, "Url": url })
}

fn xml(operation: &str, result: &str) -> Reply {
    Reply::ok(format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>"))
}

fn role(trusted: &str) -> Reply {
    let facts = "<RoleName>r</RoleName><RoleId>i</RoleId><Path>/</Path><CreateDate>2026-01-01T00:00:00Z</CreateDate>";
    let arn = "<Arn>arn:aws:iam::111111111111:role/invocation</Arn>";
    let trust = format!("<AssumeRolePolicyDocument>{trusted}</AssumeRolePolicyDocument>");
    xml("GetRole", &format!("<Role>{facts}{arn}{trust}</Role>"))
}

/// A policy of a role that allows these statements.
fn policy(statements: &Value) -> Reply {
    let document = json!({ "Statement": statements }).to_string().replace('%', "%25").replace('+', "%2B");
    let document = format!("<PolicyDocument>{document}</PolicyDocument>");
    xml("GetRolePolicy", &format!("<RoleName>r</RoleName><PolicyName>p</PolicyName>{document}"))
}

fn allow(action: &str, resource: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": resource })
}

fn account() -> Value {
    json!({ "orgid": { "N": "1" }, "username": { "S": "somebody" }, "password": { "S": legacy("right") },
            "HomeDirectory": { "S": "/pl-pt99-5-uploads/1" } })
}

fn found(items: &[Value]) -> Reply {
    Reply::ok(json!({ "Items": items, "Count": items.len(), "ScannedCount": items.len() }).to_string())
}

/// An environment in which everything is as deployed, and the account `somebody` has the password `right`.
async fn deployed() -> Stub {
    let stub = Stub::new().await;
    let url = "https://a1.execute-api.us-west-2.amazonaws.com/prod";
    let provider = json!({ "Url": url, "InvocationRole": "arn:aws:iam::111111111111:role/invocation" });
    let server = json!({ "Server": {
        "Arn": format!("arn:aws:transfer:us-west-2:111111111111:server/{SERVER}"), "ServerId": SERVER,
        "State": "ONLINE", "IdentityProviderDetails": provider,
        "Tags": [{ "Key": "sftpctl:environment", "Value": "99" }],
    }});
    let variables = json!({ "SERVER_ID": SERVER, "BLOCK_LIST": "root,admin", "INDEX_NAME": "username-index",
        "TAKES_KEYS": "false", "TABLE_NAME": "dydb-99-uploads", "HOME_TYPE": "PATH", "USERNAMES": "exact",
        "USER_ROLE_ARN": "arn:aws:iam::111111111111:role/sftp-transfer" });
    let function = json!({ "Configuration": {
        "FunctionArn": "f", "Role": "arn:aws:iam::111111111111:role/execution", "Environment": { "Variables": variables },
    }});
    let trigger = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "Service": "apigateway.amazonaws.com" },
        "Action": "lambda:InvokeFunction", "Condition": { "ArnLike": { "AWS:SourceArn": METHOD } } }] });
    let index = "arn:aws:dynamodb:us-west-2:111111111111:table/dydb-99-uploads/index/username-index";
    let method = json!({ "httpMethod": "GET", "authorizationType": "AWS_IAM" });
    let config = "/servers/{serverId}/users/{username}/config";
    let resources = json!({ "item": [{ "id": "r1", "path": config, "resourceMethods": { "GET": {} } }] });
    stub.on(
        "transfer:ListServers",
        [Reply::ok(json!({ "Servers": [{ "Arn": "a", "ServerId": SERVER }] }).to_string())],
    )
    .on("transfer:DescribeServer", [Reply::ok(server.to_string())])
    .on(FUNCTION, [Reply::ok(function.to_string())])
    .on(&format!("{FUNCTION}/policy"), [Reply::ok(json!({ "Policy": trigger.to_string() }).to_string())])
    .on("dynamodb:Query", [found(&[account()])])
    .on("dynamodb:DescribeTable", [Reply::ok(r#"{"Table":{"TableName":"dydb-99-uploads","TableStatus":"ACTIVE"}}"#)])
    .on("iam:GetRole", [role("transfer.amazonaws.com")])
    .on("iam:ListAttachedRolePolicies", [xml("ListAttachedRolePolicies", "<AttachedPolicies/>")])
    .on("iam:ListRolePolicies", [xml("ListRolePolicies", "<PolicyNames><member>p</member></PolicyNames>")])
    .on("iam:GetRolePolicy", [policy(&json!([allow("execute-api:Invoke", METHOD), allow("dynamodb:Query", index)]))])
    .on("apigateway:GET /restapis/a1/stages/prod", [Reply::ok(r#"{"stageName":"prod","deploymentId":"d"}"#)])
    .on("apigateway:GET /restapis/a1/resources", [Reply::ok(resources.to_string())])
    .on("apigateway:GET /restapis/a1", [Reply::ok(r#"{"id":"a1"}"#)])
    .on(&format!("apigateway:GET {CONFIG}"), [Reply::ok(method.to_string())]);
    stub
}

async fn log_in(stub: &Stub, answer: &Value, username: &str, password: &str) -> LoginCheck {
    stub.on("transfer:TestIdentityProvider", [Reply::ok(answer.to_string())]);
    let attempt = Attempt { username, password, source_ip: "192.0.2.1" };
    check(&stub.aws("us-west-2").await, &drive::environment(), "us-west-2", None, attempt).await
}

fn hint(check: &LoginCheck) -> &str {
    check.hint.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn response_without_a_role_is_a_refusal() {
    for response in ["{}", "", "null", "[]", "Forbidden", r#"{"Policy":"p"}"#, r#"{"Role":""}"#] {
        let stub = deployed().await;
        let check = log_in(&stub, &answer(200, response, ""), "somebody", "right").await;
        assert!(!check.admitted && check.status == Some(200), "{response}: {check:?}");
        assert!(check.finding.starts_with("the identity provider answers without a Role"), "{response}: {check:?}");
        assert!(!hint(&check).contains("REVERT_DRIFT"), "{check:?}");
        // Without the right to look the cause up, too.
        stub.on("dynamodb:Query", [Reply::json_error(400, "AccessDeniedException", "no Query for you")]);
        let check = log_in(&stub, &answer(200, response, ""), "somebody", "right").await;
        assert!(check.finding.starts_with("the identity provider answers without a Role"), "{response}: {check:?}");
    }
}

#[rstest]
#[case::wrong_password("somebody", "wrong", 403, "the password is wrong", Some("wrong-password"))]
#[case::no_account("nobody", "right", 403, "there is no account of this name", Some("unknown-user"))]
#[case::blocked("Root", "right", 401, "`Root` is on the block list: refused before any look-up", Some("blocked-name"))]
#[case::no_password(
    "somebody",
    "",
    403,
    "no password was given, and the servers take nothing else",
    Some("no-such-method")
)]
#[case::changed_since("somebody", "right", 403, "the authorizer refused, but would admit the user now", None)]
#[case::other_mapping("somebody", "right", 401, "the API's stage does not call the authorizer as", None)]
#[tokio::test]
async fn authorizers_refusal_is_explained(
    #[case] username: &str,
    #[case] password: &str,
    #[case] status: u16,
    #[case] finding: &str,
    #[case] reason: Option<&str>,
) {
    let body = json!({ "status": status, "message": "no" }).to_string();
    let empty = Value::Null.to_string();
    for (answer, known) in [
        (answer(200, &body, ""), true),
        // A body that cannot be read, and the API of an earlier version.
        (answer(200, &empty, ""), reason.is_some()),
        (answer(status, "", "Unable to call identity provider"), reason.is_some()),
    ] {
        let stub = deployed().await;
        if username == "nobody" {
            stub.on("dynamodb:Query", [found(&[])]);
        }
        let check = log_in(&stub, &answer, username, password).await;
        assert!(!check.admitted && !hint(&check).contains("REVERT_DRIFT"), "{answer}: {check:?}");
        assert_eq!(check.finding.starts_with(finding), known, "{answer}: {check:?}");
        assert_eq!(check.reason, reason, "{answer}: {check:?}");
    }
}

#[rstest]
#[case::with_a_line_end("password", json!({ "S": format!("{}\n", legacy("right")) }), "has a line end after the hash")]
#[case::in_clear("password", json!({ "S": "right" }), "is not a hash in a known form")]
#[case::a_number("password", json!({ "N": "17" }), "is not a string")]
#[case::keys_only("publicKeys", json!({ "L": [{ "S": "no-pty ssh-rsa AAAA" }] }), "contains a line that is not a public key")]
#[tokio::test]
async fn faulty_attribute_is_named(#[case] attribute: &str, #[case] value: Value, #[case] problem: &str) {
    let stub = deployed().await;
    let mut account = account();
    if attribute == "publicKeys" {
        account.as_object_mut().unwrap().remove("password");
    }
    account[attribute] = value;
    stub.on("dynamodb:Query", [found(&[account])]);
    let body = json!({ "status": 403, "message": "Forbidden" }).to_string();
    let check = log_in(&stub, &answer(200, &body, ""), "somebody", "right").await;
    assert!(check.finding.contains(&format!(": the attribute {attribute} {problem}")), "{check:?}");
    assert!(hint(&check).contains("--username somebody"), "{check:?}");
}

/// Nothing in AWS is broken as far as can be seen: whatever the status, nobody is told to revert anything.
#[rstest]
#[case(400)]
#[case(403)]
#[case(404)]
#[case(429)]
#[case(500)]
#[case(502)]
#[tokio::test]
async fn unreadable_error_of_a_healthy_environment_is_not_blamed_on_the_stack(#[case] status: u16) {
    let message = "Unable to call identity provider: odd words";
    let check = log_in(&deployed().await, &answer(status, "", message), "somebody", "right").await;
    assert!(!check.admitted && check.status == Some(status) && check.reason.is_none(), "{check:?}");
    assert!(!hint(&check).contains("REVERT_DRIFT") && !hint(&check).contains("sftpctl deploy"), "{check:?}");
    let shown = check.finding.contains(message) && check.finding.contains(&status.to_string());
    assert!(shown || status == 429, "{check:?}");
}

/// The cause is in AWS, and not in the answer.
#[rstest]
#[case::invocation_role("iam:GetRolePolicy", policy(&json!([allow("dynamodb:Query", "*")])), "the invocation role may not invoke")]
#[case::trust("iam:GetRole", role("sts.amazonaws.com"), "does not trust transfer.amazonaws.com")]
#[case::no_role("iam:GetRole", Reply::query_error(404, "NoSuchEntity", "no"), "role/invocation does not exist")]
#[case::stage(
    "apigateway:GET /restapis/a1/stages/prod",
    Reply::json_error(404, "NotFoundException", "no"),
    "the API a1 or its stage prod does not exist"
)]
#[case::method("apigateway:GET /restapis/a1/resources", Reply::ok(r#"{"item":[]}"#), "API Gateway has no such method")]
#[tokio::test]
async fn broken_link_is_found_behind_an_empty_response(
    #[case] operation: &str,
    #[case] reply: Reply,
    #[case] finding: &str,
) {
    for status in [403, 500] {
        let stub = deployed().await;
        stub.on(operation, [reply.clone()]);
        let check = log_in(&stub, &answer(status, "", "Unable to call identity provider"), "somebody", "right").await;
        assert!(check.finding.contains(finding), "{status}: {check:?}");
        assert!(hint(&check).contains("REVERT_DRIFT"), "{status}: {check:?}");
    }
}
