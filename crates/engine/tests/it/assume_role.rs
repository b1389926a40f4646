//! The role that an environment file names: when it is assumed, with what, and what a refusal looks like.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use sftpctl_aws::{Aws, ConnectOptions, RoleToAssume, RolesToAssume};
use sftpctl_core::spec::assume_role::AssumeRole;
use sftpctl_engine::run;
use sftpctl_engine::run::error::RunError;

use crate::drive;
use crate::stub::{Reply, Stub};

const ROLE: &str = "arn:aws:iam::111111111111:role/deployer";

fn role(arn: &str) -> RoleToAssume {
    RoleToAssume {
        arn: arn.to_owned(),
        external_id: Some("ticket-1".to_owned()),
        session_name: "ci".to_owned(),
        duration: Some(Duration::from_secs(900)),
    }
}

fn keys(key: &str, expiration: &str) -> Reply {
    Reply::ok(format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>{key}</AccessKeyId><SecretAccessKey>fake-secret</SecretAccessKey>\
         <SessionToken>fake-token</SessionToken><Expiration>{expiration}</Expiration></Credentials>\
         </AssumeRoleResult></AssumeRoleResponse>"
    ))
}

fn caller(arn: &str) -> Reply {
    Reply::ok(format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>{arn}</Arn><Account>111111111111</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    ))
}

async fn aws(stub: &Stub, roles: &RolesToAssume) -> Aws {
    let options = ConnectOptions {
        profile: None,
        endpoint_url: Some(stub.endpoint().to_owned()),
        local_account: Some("111111111111".to_owned()),
        home_region: "us-west-2".to_owned(),
    };
    Aws::connect_as(options, None, roles).await
}

/// The access key that each call of an operation was signed with.
fn signers(stub: &Stub, operation: &str) -> Vec<String> {
    let header = |request: &sftpctl_testkit::stub::RecordedRequest| {
        let text = request.headers["authorization"].to_str().unwrap().to_owned();
        text.split("Credential=").nth(1).unwrap().split('/').next().unwrap().to_owned()
    };
    stub.asked(operation).iter().map(header).collect()
}

const SERVERS: &str = "transfer:ListServers";
const FAR: &str = "2100-01-01T00:00:00Z";

#[tokio::test]
async fn one_session_serves_every_client() {
    let stub = Stub::new().await;
    stub.on("sts:AssumeRole", [keys("ASIAONE", FAR)])
        .on("sts:GetCallerIdentity", [caller("arn:aws:sts::111111111111:assumed-role/deployer/ci")])
        .on(SERVERS, [Reply::ok(r#"{"Servers":[]}"#)]);
    let aws = aws(&stub, &RolesToAssume { role: Some(role(ROLE)), ..RolesToAssume::default() }).await;
    aws.caller().await.unwrap();
    for region in ["us-west-2", "us-east-1", "us-west-2"] {
        aws.transfer(region).servers().await.unwrap();
    }
    assert_eq!(signers(&stub, "sts:AssumeRole"), ["111111111111"], "assumed once, with the caller's own keys");
    assert_eq!(signers(&stub, SERVERS), ["ASIAONE", "ASIAONE", "ASIAONE"]);
    let body = stub.asked("sts:AssumeRole").remove(0).body;
    for field in ["ExternalId=ticket-1", "RoleSessionName=ci", "DurationSeconds=900"] {
        assert!(body.contains(field), "{field}: {body}");
    }
    assert!(aws.calls() >= 5, "AssumeRole counts as a call");
}

#[tokio::test]
async fn expired_keys_are_renewed() {
    let stub = Stub::new().await;
    stub.on("sts:AssumeRole", [keys("ASIAONE", "2020-01-01T00:00:00Z"), keys("ASIATWO", FAR)])
        .on(SERVERS, [Reply::ok(r#"{"Servers":[]}"#)]);
    let aws = aws(&stub, &RolesToAssume { role: Some(role(ROLE)), ..RolesToAssume::default() }).await;
    for _ in 0..3 {
        aws.transfer("us-west-2").servers().await.unwrap();
    }
    let signers = signers(&stub, SERVERS);
    assert_eq!((stub.count("sts:AssumeRole"), &signers[1..]), (2, &["ASIATWO".to_owned(), "ASIATWO".to_owned()][..]));
}

#[tokio::test]
async fn region_may_have_a_role_of_its_own() {
    let stub = Stub::new().await;
    let missing = Reply::query_error(404, "NoSuchEntity", "no");
    stub.on("sts:AssumeRole", [keys("ASIAONE", FAR), keys("ASIATWO", FAR)])
        .on("iam:GetRole", [missing])
        .on(SERVERS, [Reply::ok(r#"{"Servers":[]}"#)]);
    let roles = RolesToAssume {
        role: Some(role(ROLE)),
        regions: [("us-west-2".to_owned(), role("arn:aws:iam::111111111111:role/west"))].into(),
    };
    let aws = aws(&stub, &roles).await;
    aws.transfer("us-east-1").servers().await.unwrap();
    aws.transfer("us-west-2").servers().await.unwrap();
    // The home region's role is not for global services.
    aws.iam().role("r").await.unwrap();
    assert_eq!(signers(&stub, SERVERS), ["ASIAONE", "ASIATWO"]);
    assert_eq!(signers(&stub, "iam:GetRole"), ["ASIAONE"]);
    assert!(stub.asked("sts:AssumeRole")[1].body.contains("role%2Fwest"));
}

#[tokio::test]
async fn refusal_names_role_and_caller() {
    let stub = Stub::new().await;
    let words =
        format!("User: arn:aws:iam::111111111111:user/me is not authorized to perform: sts:AssumeRole on {ROLE}");
    stub.on("sts:AssumeRole", [Reply::query_error(403, "AccessDenied", &words)])
        .on("sts:GetCallerIdentity", [caller("arn:aws:iam::111111111111:user/me")]);
    let mut environment = drive::environment();
    environment.account = "111111111111".to_owned();
    environment.assume_role = Some(AssumeRole {
        arn: ROLE.to_owned(),
        external_id: None,
        session_name: "sftpctl".to_owned(),
        duration: None,
    });
    let endpoint_url = Some(stub.endpoint().to_owned());
    let place = run::AwsPlace { endpoint_url, local: true, ..Default::default() };
    let error = run::connect(&environment, place).await.err().unwrap();
    let RunError::RoleNotAssumed { error: cause, .. } = &error else { panic!("{error:?}") };
    assert_eq!(error.to_string(), format!("arn:aws:iam::111111111111:user/me may not assume the role {ROLE}"));
    assert!(cause.to_string().contains(&words), "{cause}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("trust policy admits arn:aws:iam::111111111111:user/me"), "{hint}");
    assert_eq!(stub.count("sts:AssumeRole"), 1, "a refusal is not retried");
}
