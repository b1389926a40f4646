//! `doctor` with answers that AWS gives and the local cloud does not: quotas without a value, regions that are not
//! enabled, both forms of the policy simulator.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::json;
use sftpctl_core::check::{Check, Report, Status};
use sftpctl_core::spec::state_place::StatePlace;
use sftpctl_engine::doctor::{Options, examine, examine_offline};

use crate::drive;
use crate::stub::{Reply, Stub};

const ROLE: &str = "arn:aws:iam::111111111111:role/ci/deployer";

fn caller(account: &str) -> Reply {
    Reply::ok(format!(
        "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::{account}:user/u</Arn>\
         <Account>{account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    ))
}

fn options() -> Options {
    let folder = tempfile::tempdir().unwrap();
    let place = StatePlace::Folder(folder.path().join("state"));
    Options { environment: drive::environment(), place, package: Some(PathBuf::from("/nonexistent")), role: None }
}

async fn doctor(stub: &Stub) -> Report {
    examine(&stub.aws("us-west-2").await, options()).await
}

fn check<'a>(report: &'a Report, id: &str, region: Option<&str>) -> &'a Check {
    let found = report.checks.iter().find(|check| check.id == id && check.region.as_deref() == region);
    found.unwrap_or_else(|| panic!("{id} {region:?} is not in {report:?}"))
}

fn quota(value: f64) -> Reply {
    Reply::ok(json!({ "Quota": { "ServiceCode": "transfer", "QuotaCode": "L-6E386A05", "Value": value } }).to_string())
}

fn servers(count: usize) -> Reply {
    let servers: Vec<_> = (0..count).map(|n| json!({ "Arn": "a", "ServerId": format!("s-{n:017}") })).collect();
    Reply::ok(json!({ "Servers": servers }).to_string())
}

#[tokio::test]
async fn quotas_without_a_value_fall_back_and_say_so() {
    let missing = || Reply::json_error(400, "NoSuchResourceException", "no value");
    let denied = || Reply::json_error(400, "AccessDeniedException", "not authorized");
    for (applied, default, used, status, words) in [
        (quota(50.0), quota(40.0), 49, Status::Ok, "need 1, free 1 of 50 (Service Quotas, applied)"),
        (quota(50.0), quota(40.0), 50, Status::Failed, "need 1, free 0 of 50 (Service Quotas, applied)"),
        (missing(), quota(40.0), 40, Status::Warning, "free 0 of 40 (Service Quotas' default, not this account's)"),
        (quota(0.0), quota(40.0), 3, Status::Ok, "free 37 of 40 (Service Quotas' default"),
        (Reply::ok("{}"), missing(), 3, Status::Ok, "free 47 of 50 (AWS's default as sftpctl knows it"),
        (denied(), denied(), 3, Status::Ok, "allow `servicequotas:GetServiceQuota` for the account's value"),
    ] {
        let stub = Stub::new().await;
        stub.on("sts:GetCallerIdentity", [caller("111111111111")])
            .on("servicequotas:GetServiceQuota", [applied])
            .on("servicequotas:GetAWSDefaultServiceQuota", [default])
            .on("transfer:ListServers", [servers(used)]);
        let report = doctor(&stub).await;
        let found = check(&report, "D010-servers", Some("us-west-2"));
        assert_eq!(found.status, status, "{words}: {found:?}");
        assert!(found.evidence.contains(words), "{words}: {found:?}");
        // Quotas of IAM and S3 are those of the account, which only us-east-1 knows.
        for request in stub.asked("servicequotas:GetServiceQuota") {
            let global = request.body.contains("\"iam\"") || request.body.contains("\"s3\"");
            assert!(!global || request.region == "us-east-1", "{request:?}");
        }
    }
}

#[tokio::test]
async fn answers_that_are_refused_are_unknown_and_change_nothing() {
    let stub = Stub::new().await;
    stub.on("sts:GetCallerIdentity", [caller("111111111111")]);
    let report = doctor(&stub).await;
    let servers = check(&report, "D010-servers", Some("us-west-2"));
    assert_eq!(servers.status, Status::Unknown, "{servers:?}");
    assert!(servers.evidence.starts_with("need 1 of 50"), "{servers:?}");
    let failed: Vec<_> = report.checks.iter().filter(|check| check.status == Status::Failed).map(|c| c.id).collect();
    assert_eq!(failed, ["D070-package"], "an unknown answer is not a failure");
    let reads = ["Get", "List", "Describe", "Simulate", "GET ", "HEAD "];
    for operation in stub.operations() {
        let (_, name) = operation.split_once(':').unwrap();
        assert!(reads.iter().any(|read| name.starts_with(read)), "{operation}");
    }
}

#[tokio::test]
async fn nothing_is_asked_of_another_account() {
    let stub = Stub::new().await;
    stub.on("sts:GetCallerIdentity", [caller("222222222222")]);
    let report = doctor(&stub).await;
    assert_eq!(check(&report, "D002-account", None).status, Status::Failed);
    assert_eq!(check(&report, "D080-permissions", None).status, Status::Skipped);
    assert_eq!(stub.operations(), ["sts:GetCallerIdentity"]);
}

#[tokio::test]
async fn region_that_is_not_enabled_does_not_know_the_credentials() {
    let stub = Stub::new().await;
    let unknown = Reply::json_error(403, "UnrecognizedClientException", "The security token is invalid.");
    stub.on("sts:GetCallerIdentity", [caller("111111111111")]).on("lambda:GET /2016-08-19/account-settings", [unknown]);
    let report = doctor(&stub).await;
    let region = check(&report, "D004-region", Some("us-east-2"));
    assert_eq!(region.status, Status::Failed, "{region:?}");
    assert!(region.hint.as_ref().unwrap().contains("enable-region --region-name us-east-2"), "{region:?}");
}

/// One result of the simulator, in the form of 2026 with the resources inside, or in the earlier one.
fn result(action: &str, decision: &str, more: &str) -> String {
    format!("<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision>{more}</member>")
}

fn simulated(results: &[String]) -> Reply {
    Reply::ok(format!(
        "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>\
         <EvaluationResults>{}</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>",
        results.concat()
    ))
}

/// A permission of the printed policies, in two services.
const WANTED: [(&str, &str); 2] = [
    ("cloudformation:CreateStack", "arn:aws:cloudformation:*:111111111111:stack/sftp-99-upload-*/*"),
    ("s3:CreateBucket", "arn:aws:s3:::pl-pt99-*-uploads"),
];

/// The decision for one resource, inside a result.
fn inside(resource: &str, decision: &str, more: &str) -> String {
    format!(
        "<ResourceSpecificResults><member><EvalResourceName>{resource}</EvalResourceName>\
         <EvalResourceDecision>{decision}</EvalResourceDecision>{more}</member></ResourceSpecificResults>"
    )
}

const NO_ORGANIZATION: &str = "<OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations>\
                               </OrganizationsDecisionDetail>";
const MATCHED: &str = "<MatchedStatements><member><SourcePolicyId>p</SourcePolicyId></member></MatchedStatements>";
const HIDDEN: &str = "it does not say whether the principal's own policies allow them";

#[tokio::test]
async fn simulator_is_read_in_both_forms() {
    let (action, resource) = WANTED[0];
    let other = "arn:aws:cloudformation:*:111111111111:stack/*";
    let in_one = |decision: &str, more: &str| inside(resource, decision, more);
    for (results, status, words) in [
        (result(action, "allowed", ""), Status::Ok, "are allowed"),
        (result(action, "implicitDeny", ""), Status::Failed, "1 of"),
        (result(action, "implicitDeny", &in_one("allowed", "")), Status::Ok, "are allowed"),
        (result(action, "allowed", &in_one("explicitDeny", "")), Status::Failed, "1 of"),
        // Nobody needs to create that: the request asks for other actions on it.
        (result(action, "implicitDeny", &inside(other, "implicitDeny", "")), Status::Ok, "are allowed"),
        // The simulation ends at the organisation's policies, even for an administrator.
        (result(action, "implicitDeny", NO_ORGANIZATION), Status::Warning, HIDDEN),
        (
            result(action, "implicitDeny", &format!("{NO_ORGANIZATION}{}", in_one("implicitDeny", ""))),
            Status::Warning,
            HIDDEN,
        ),
        (
            result(action, "implicitDeny", &format!("{NO_ORGANIZATION}{}", in_one("implicitDeny", MATCHED))),
            Status::Warning,
            "cloudformation:CreateStack",
        ),
    ] {
        let stub = Stub::new().await;
        stub.on("sts:GetCallerIdentity", [caller("111111111111")])
            .on("iam:SimulatePrincipalPolicy", [simulated(std::slice::from_ref(&results))]);
        let aws = stub.aws("us-west-2").await;
        let report = examine(&aws, Options { role: Some(ROLE.to_owned()), ..options() }).await;
        let found = check(&report, "D080-permissions", None);
        assert_eq!(found.status, status, "{results}: {found:?}");
        assert!(found.evidence.contains(ROLE) && found.evidence.contains(words), "{results}: {found:?}");
        assert_eq!(found.evidence.contains(HIDDEN), words == HIDDEN, "{results}: {found:?}");
    }
}

/// IAM throttles early, and everybody waits for `doctor`.
#[tokio::test]
async fn permissions_are_asked_for_in_few_calls() {
    let places = [options().place, "s3://company-sftpctl/state".parse().unwrap()];
    for place in places {
        let stub = Stub::new().await;
        stub.on("sts:GetCallerIdentity", [caller("111111111111")])
            .on("iam:SimulatePrincipalPolicy", [simulated(&[result("s3:a", "allowed", "")])]);
        let report = examine(&stub.aws("us-west-2").await, Options { place, ..options() }).await;
        assert_eq!(check(&report, "D080-permissions", None).status, Status::Ok);
        let calls = stub.count("iam:SimulatePrincipalPolicy");
        let mut bodies: Vec<_> = stub.asked("iam:SimulatePrincipalPolicy").into_iter().map(|call| call.body).collect();
        let fields = bodies.iter().flat_map(|body| body.split('&'));
        let actions =
            fields.filter(|field| field.starts_with("ActionNames.")).filter_map(|field| field.split_once('='));
        let services: BTreeSet<_> = actions.filter_map(|(_, action)| action.split("%3A").next()).collect();
        // Two for each service at most, for all resources and for some, and a few more where conditions exclude each
        // other: whatever the number of permissions.
        let most = 2 * services.len() + 4;
        assert!(services.len() > 10 && (10..=most).contains(&calls), "{calls} calls, {services:?}");
        bodies.sort_unstable();
        bodies.dedup();
        assert_eq!(bodies.len(), calls, "nothing is asked for twice");
    }
}

#[tokio::test]
async fn a_call_that_fails_hides_no_denial() {
    let stub = Stub::new().await;
    let denials =
        WANTED.map(|(action, resource)| result(action, "implicitDeny", &inside(resource, "implicitDeny", "")));
    let refused = Reply::query_error(403, "AccessDenied", "not authorized to perform iam:SimulatePrincipalPolicy");
    stub.on("sts:GetCallerIdentity", [caller("111111111111")])
        .on("iam:SimulatePrincipalPolicy", [refused, simulated(&denials)]);
    let report = doctor(&stub).await;
    let found = check(&report, "D080-permissions", None);
    assert_eq!(found.status, Status::Failed, "{found:?}");
    assert!(found.evidence.contains("could not be asked for: "), "{found:?}");
}

#[tokio::test]
async fn actions_that_the_simulator_refuses_together_are_asked_for_alone() {
    let stub = Stub::new().await;
    let refused = "Invalid Input Actions: [a] and [b] require different authorization information";
    stub.on("sts:GetCallerIdentity", [caller("111111111111")])
        .on("iam:SimulatePrincipalPolicy", [Reply::query_error(400, "InvalidInput", refused)]);
    let report = doctor(&stub).await;
    let found = check(&report, "D080-permissions", None);
    assert_eq!(found.status, Status::Unknown, "{found:?}");
    let alone = |request: &&crate::stub::RecordedRequest| {
        !request.body.contains("ActionNames.member.2") && !request.body.contains("ResourceArns.member.2")
    };
    let count = stub.asked("iam:SimulatePrincipalPolicy").iter().filter(alone).count();
    assert!(found.evidence.contains(&format!("; {count} of {count} could not be asked for: ")), "{count}: {found:?}");
}

#[tokio::test]
async fn offline_no_check_calls_aws() {
    let report = examine_offline(options()).await;
    assert_eq!(check(&report, "D070-package", None).status, Status::Failed);
    let others = report.checks.iter().filter(|check| check.id != "D070-package");
    assert!(others.clone().all(|check| check.status == Status::Skipped), "{report:?}");
    assert!(others.count() > 20);
}

/// The printed policies allow the environment's zone, and not the records of its parent.
#[tokio::test]
async fn delegation_that_may_not_be_read_is_a_question_for_a_resolver() {
    let stub = Stub::new().await;
    let zones = Reply::ok(
        "<ListHostedZonesByNameResponse><HostedZones><HostedZone><Id>/hostedzone/ZPARENT</Id><Name>example.net.</Name>\
         <CallerReference>c</CallerReference></HostedZone></HostedZones><IsTruncated>false</IsTruncated>\
         <MaxItems>100</MaxItems></ListHostedZonesByNameResponse>",
    );
    let own = Reply::ok(
        "<GetHostedZoneResponse><HostedZone><Id>/hostedzone/Z1</Id><Name>sftp.example.net.</Name>\
         <CallerReference>c</CallerReference></HostedZone><DelegationSet><NameServers><NameServer>ns-1.awsdns.com\
         </NameServer></NameServers></DelegationSet></GetHostedZoneResponse>",
    );
    let denied =
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>";
    let mut options = options();
    let dns = options.environment.dns.as_mut().unwrap();
    (dns.zone, dns.zone_id) = ("sftp.example.net".into(), Some("Z1".into()));
    dns.aliases.clear();
    stub.on("sts:GetCallerIdentity", [caller("111111111111")])
        .on("route53:GET /2013-04-01/hostedzonesbyname", [zones])
        .on("route53:GET /2013-04-01/hostedzone/Z1", [own])
        .on("route53:GET /2013-04-01/hostedzone/ZPARENT/rrset", [Reply::new(403, denied)]);
    let report = examine(&stub.aws("us-west-2").await, options).await;
    let found = check(&report, "D041-delegation", None);
    assert_eq!(found.status, Status::Unknown, "{found:?} {:?}", stub.operations());
    let hint = found.hint.as_deref().unwrap_or_default();
    assert!(hint.contains("the printed policies do not allow"), "{found:?}");
    assert!(hint.ends_with("`dig +short NS sftp.example.net` must answer ns-1.awsdns.com"), "{found:?}");
}

/// What `doctor` says of the server in us-east-2, whose subnet belongs to `owner`, and whose VPC has these gateways and
/// route tables.
async fn network(owner: &str, gateways: &str, tables: [Reply; 2]) -> Report {
    let stub = Stub::new().await;
    let subnet = format!(
        "<item><subnetId>subnet-00000001</subnetId><vpcId>vpc-00000001</vpcId><ownerId>{owner}</ownerId>\
         <availabilityZone>us-east-2a</availabilityZone></item>"
    );
    let list = |name: &str, items: &str| Reply::ok(format!("<R><{name}>{items}</{name}></R>"));
    stub.on("sts:GetCallerIdentity", [caller("111111111111")])
        .on("ec2:DescribeSubnets", [list("subnetSet", &subnet)])
        .on("ec2:DescribeInternetGateways", [list("internetGatewaySet", gateways)])
        .on("ec2:DescribeRouteTables", tables);
    doctor(&stub).await
}

fn route_table(id: &str, subnet: &str, gateway: &str, more: &str) -> Reply {
    Reply::ok(format!(
        "<R><routeTableSet><item><routeTableId>{id}</routeTableId><routeSet><item><gatewayId>{gateway}</gatewayId>\
         <destinationCidrBlock>0.0.0.0/0</destinationCidrBlock><state>active</state></item></routeSet><associationSet>\
         <item><subnetId>{subnet}</subnetId></item></associationSet></item></routeTableSet>{more}</R>"
    ))
}

#[tokio::test]
async fn only_a_missing_gateway_of_ones_own_vpc_stops_a_deployment() {
    let (own, other) = ("111111111111", "222222222222");
    let attached = "<item><internetGatewayId>igw-1</internetGatewayId></item>";
    let next = "<nextToken>more</nextToken>";
    // The table of the subnet is on the second page.
    let tables = |gateway: &str| {
        [route_table("rtb-1", "subnet-00000009", "igw-1", next), route_table("rtb-2", "subnet-00000001", gateway, "")]
    };
    let none = || Reply::ok("<R><routeTableSet/></R>");
    for (owner, gateways, tables, status, words) in [
        (own, attached, tables("igw-1"), Status::Ok, "as needed"),
        (own, attached, tables("vpce-1"), Status::Ok, "as needed"),
        (own, attached, tables("vgw-1"), Status::Warning, "--route-table-id rtb-2"),
        (own, "", tables("igw-1"), Status::Failed, "vpc-00000001 has no internet gateway"),
        (other, "", tables("igw-1"), Status::Ok, "as needed"),
        (other, "", tables("vgw-1"), Status::Warning, "with the account that owns the VPC"),
        (other, attached, [none(), none()], Status::Unknown, "the route table of subnet-00000001 cannot be seen"),
    ] {
        let report = network(owner, gateways, tables).await;
        let found = check(&report, "D024-network", Some("us-east-2"));
        assert!(found.status == status && found.evidence.contains(words), "{words}: {found:?}");
    }
}
