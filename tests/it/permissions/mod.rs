//! The printed policies allow every call that sftpctl and, on its behalf, AWS services make, so that they cannot lag
//! behind the code and the template; and no more than AWS's Service Authorization Reference has a meaning for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod handlers;
mod neighbours;
mod oracle;
mod patterns;
mod simulated;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use handlers::handlers;
use serde_json::{Value, json};
use sftpctl_core::permissions::{Policy, Site, document};
use sftpctl_core::spec;

use crate::blocks;
use crate::site::{shown, succeeded, text};

/// Settings that add statements or conditions.
const MORE: &str = r#"
permissions_boundary: arn:aws:iam::111111111111:policy/sftp-boundary
stack_role: arn:aws:iam::111111111111:role/sftp-cloudformation
files: { events: true, history_events: true, malware_scan: {}, decrypt: { 99-5: {} } }
s3_files: { 99-5: { subnets: [subnet-0123456789abcdef0], security_groups: [sg-0123456789abcdef0] } }
guard: {}
waf: {}
alarms: { email: [ops@example.com] }
notify: { topics: ["arn:aws:sns:us-west-2:111111111111:ops"] }
state: { place: "s3://company-sftpctl/state", kms_key: alias/sftpctl }
server: { logging_role: transfer-logs, host_keys: ["secretsmanager:sftp/rsa", "ssm:/sftp/ed25519"] }
"#;

/// A server in a VPC, with fixed addresses.
const IN_VPC: &str = "us-west-2: { server: { endpoint: vpc, vpc: vpc-0123456789abcdef0, \
                      subnets: [subnet-0123456789abcdef0], allow: [203.0.113.0/24] } }";

/// A file system of Amazon S3 Files.
const FILE_SYSTEM: &str =
    "s3_files: { 99-5: { subnets: [subnet-0123456789abcdef0], security_groups: [sg-0123456789abcdef0] } }";

/// What is done with uploaded files: a scan for malware, and decryption.
const FILES: &str = "files: { malware_scan: {}, decrypt: { 99-5: {} } }";

/// Environment 99 with the cluster 99-5 as the only one of its region.
fn alone(source: &str) -> String {
    (0..5).fold(source.to_owned(), |source, number| {
        source.replace(&format!("  99-{number}: us-west-2"), &format!("  99-{number}: us-east-1"))
    })
}

/// The policies of environment 99 with these further settings.
fn policies(more: &str) -> BTreeMap<String, Value> {
    let source = format!("{}\n{more}", include_str!("../../../environments/99.yaml"));
    // With other settings also a server in a VPC.
    let source = match more {
        "" => source,
        // No other cluster may be in the region of one that is decrypted.
        _ => alone(&source.replace("us-west-2: { server: true }", IN_VPC)),
    };
    let environment = spec::load(&source, "99.yaml").unwrap();
    let state = "s3://company-sftpctl/state".parse().unwrap();
    let site = Site { environment: &environment, zone_id: Some("Z0123456789ABCDEFGHIJ"), state: Some(&state) };
    let documents = Policy::ALL.iter().map(|policy| (policy.to_string(), document(*policy, site)));
    // Without a topic there is nothing to allow.
    documents.filter_map(|(name, document)| Some((name, document?))).collect()
}

fn list(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(values) => values.iter().map(|value| value.as_str().unwrap()).collect(),
        one => vec![one.as_str().unwrap()],
    }
}

fn statements(policy: &Value) -> &Vec<Value> {
    policy["Statement"].as_array().unwrap()
}

/// The actions that these policies allow.
fn allowed(names: &[&str]) -> BTreeSet<String> {
    let policies = policies(&format!(
        "{FILE_SYSTEM}
waf: {{}}
alarms: {{ email: [] }}
{FILES}"
    ));
    let statements = names.iter().flat_map(|name| statements(&policies[*name]));
    statements.flat_map(|statement| list(&statement["Action"])).map(str::to_owned).collect()
}

fn missing<'a>(needed: impl IntoIterator<Item = &'a str>, names: &[&str]) -> Vec<&'a str> {
    let allowed = allowed(names);
    needed.into_iter().filter(|action| !allowed.contains(*action)).collect()
}

fn is_read(action: &&str) -> bool {
    let (_, verb) = action.split_once(':').unwrap();
    ["Get", "List", "Describe", "GET"].iter().any(|word| verb.starts_with(word))
}

#[test]
fn calls_by_cloudformation_are_allowed() {
    let resources = sftpctl_core::template::source().unwrap()["Resources"].as_object().unwrap();
    let types: BTreeSet<&str> = resources.values().filter_map(|resource| resource["Type"].as_str()).collect();
    for kind in types {
        if kind.starts_with("AWS::S3Files::") {
            let (needed, reads) = (handlers(kind), handlers::reads(kind));
            assert_eq!(
                missing(needed.iter().map(String::as_str), &["stack", "s3-files"]),
                Vec::<&str>::new(),
                "{kind}"
            );
            assert_eq!(missing(reads.iter().map(String::as_str), &["reader"]), Vec::<&str>::new(), "{kind}");
            continue;
        }
        let needed = handlers(kind);
        let needed = || needed.iter().map(String::as_str);
        let documents: &[&str] = match kind.split("::").nth(1) {
            Some("WAFv2") => &["stack", "waf"],
            Some("SNS") => &["stack", "topics"],
            Some("GuardDuty") => &["stack", "malware-scan"],
            Some("Transfer") => &["stack", "decrypt"],
            _ => &["stack"],
        };
        assert_eq!(missing(needed(), documents), Vec::<&str>::new(), "{kind}");
        // Drift detection reads with the caller's permissions. A function's package is read only to create it.
        let reads = needed().filter(is_read).filter(|action| *action != "s3:GetObjectVersion");
        assert_eq!(missing(reads, &["reader"]), Vec::<&str>::new(), "{kind}");
    }
}

/// What DynamoDB calls with the deployer's permissions in a replica's region when the replica is created or deleted
/// (DynamoDB developer guide, "Using IAM with DynamoDB global tables").
const REPLICAS: [&str; 10] = [
    "dynamodb:BatchWriteItem",
    "dynamodb:CreateTable",
    "dynamodb:CreateTableReplica",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:Scan",
    "dynamodb:UpdateItem",
    "dynamodb:UpdateTable",
];

/// What Transfer Family calls with the deployer's permissions for structured logs (Transfer Family user guide,
/// "Creating, updating and viewing logging for servers").
const LOG_DELIVERY: [&str; 8] = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];

#[test]
fn calls_by_other_services_are_allowed() {
    assert_eq!(missing(REPLICAS, &["deployer"]), Vec::<&str>::new());
    assert_eq!(missing(["dynamodb:DeleteTable", "dynamodb:DeleteTableReplica"], &["teardown"]), Vec::<&str>::new());
    let of_servers = handlers("AWS::Transfer::Server");
    let network = of_servers.iter().map(String::as_str).filter(|action| action.starts_with("ec2:"));
    assert_eq!(missing(network, &["reader", "addresses"]), Vec::<&str>::new());
    assert_eq!(missing(LOG_DELIVERY, &["reader", "deployer"]), Vec::<&str>::new());
}

/// The IAM action of a call; some have another name than the call.
fn action(call: &str) -> &str {
    match call {
        "s3:ListBuckets" => "s3:ListAllMyBuckets",
        "s3:HeadObject" => "s3:GetObject",
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:CopyObject" => "s3:PutObject",
        "sqs:ChangeMessageVisibilityBatch" => "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessageBatch" => "sqs:DeleteMessage",
        read if read.starts_with("apigateway:Get") => "apigateway:GET",
        "apigateway:UpdateAccount" => "apigateway:PATCH",
        other => other,
    }
}

/// Every call of the AWS crate, by the names in its sources. The parts of a transaction are among them.
fn calls() -> BTreeSet<String> {
    let is_call = |word: &&str| {
        let is = |part: &str, fits: fn(char) -> bool| !part.is_empty() && part.chars().all(fits);
        let parts = word.split_once(':');
        parts.is_some_and(|(service, verb)| {
            is(service, |c| c.is_ascii_lowercase() || c.is_ascii_digit())
                && is(verb, |c| c.is_ascii_alphanumeric())
                && verb.starts_with(char::is_uppercase)
        })
    };
    let mut calls = BTreeSet::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/aws/src")).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let shipped = source.split("#[cfg(test)]").next().unwrap_or_default();
        calls.extend(shipped.split('"').filter(is_call).map(str::to_owned));
    }
    assert!(calls.len() > 100, "{calls:?}");
    // A hosted zone is created only on the local cloud, and only its front acts as API Gateway and Transfer Family.
    // AssumeRole is called by whoever runs sftpctl, before a role with these policies is there.
    for call in ["route53:CreateHostedZone", "lambda:InvokeFunction", "s3:AbortMultipartUpload", "sts:AssumeRole"] {
        assert!(calls.remove(call), "{call} is not called any more");
    }
    calls
}

#[test]
fn every_call_is_allowed_without_wildcard_actions() {
    let calls = calls();
    assert!(calls.contains("dynamodb:ConditionCheckItem") && calls.contains("transfer:TestIdentityProvider"));
    // docs/logs.md says that no command runs a query, which would be billed by what it scans.
    assert!(calls.contains("logs:FilterLogEvents") && !calls.contains("logs:StartQuery"));
    let actions: BTreeSet<&str> = calls.iter().map(|call| action(call)).collect();
    let bounded = allowed_with(MORE);
    let policies = policies(MORE);
    let others = [
        "users",
        "users-reader",
        "aliases",
        "history",
        "restore",
        "agent",
        "mount",
        "homes",
        "table-import",
        "pre-warm",
        "logs",
        "canary",
        "notify",
    ];
    let others: BTreeSet<&str> = others
        .iter()
        .flat_map(|name| statements(&policies[*name]))
        .flat_map(|statement| list(&statement["Action"]))
        .collect();
    let missing: Vec<_> =
        actions.iter().filter(|action| !bounded.contains(**action) && !others.contains(**action)).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    assert!(bounded.iter().all(|action| !action.contains('*')), "{bounded:?}");
}

/// What a deployer may do who also deletes the environment, with these settings.
fn allowed_with(more: &str) -> BTreeSet<String> {
    let policies = policies(more);
    let names = ["reader", "deployer", "addresses", "teardown", "state"];
    let statements = names.iter().flat_map(|name| statements(&policies[*name]));
    statements.flat_map(|statement| list(&statement["Action"])).map(str::to_owned).collect()
}

/// A reader may make every call that reads, except those that read accounts, list files or their uploads, or follow an
/// import of accounts or a change of records.
#[test]
fn reader_reads_everything_but_data() {
    let calls = calls();
    let reads: BTreeSet<&str> = calls.iter().map(|call| action(call)).filter(is_read).collect();
    let data = [
        "dynamodb:DescribeImport",
        "dynamodb:GetItem",
        "dynamodb:ListImports",
        "iam:ListPolicyVersions",
        "route53:GetChange",
        "s3:ListBucketMultipartUploads",
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
    ];
    assert_eq!(missing(reads, &["reader"]), data);
    let changes: Vec<_> = allowed(&["reader"]).into_iter().filter(|action| !is_read(&action.as_str())).collect();
    let no_changes =
        ["cloudformation:DetectStackDrift", "cloudformation:DetectStackResourceDrift", "iam:SimulatePrincipalPolicy"];
    assert_eq!(changes, no_changes);
}

#[test]
fn roles_are_passed_to_and_created_for_named_services_only() {
    for (name, policy) in policies(MORE) {
        for statement in statements(&policy) {
            let key = match list(&statement["Action"]).as_slice() {
                ["iam:PassRole"] => "iam:PassedToService",
                ["iam:CreateServiceLinkedRole"] => "iam:AWSServiceName",
                actions => {
                    let alone = !actions.iter().any(|action| action.ends_with(":PassRole"));
                    assert!(alone, "{name}: {statement}");
                    continue;
                }
            };
            let services = list(&statement["Condition"]["StringEquals"][key]);
            assert!(services.iter().all(|service| service.ends_with(".amazonaws.com")), "{name}: {statement}");
            let roles = list(&statement["Resource"]);
            assert!(roles.iter().all(|role| role.starts_with("arn:aws:iam::111111111111:role/")), "{statement}");
            assert!(!roles.contains(&"arn:aws:iam::111111111111:role/*"), "{statement}");
        }
    }
    let deployer = &policies(MORE)["deployer"];
    let pass = statements(deployer).iter().find(|statement| statement["Action"] == "iam:PassRole").unwrap();
    for role in ["sftp-transfer", "transfer-logs", "99-uploads-apigateway-logs", "sftp-cloudformation"] {
        let arn = format!("arn:aws:iam::111111111111:role/{role}");
        assert!(list(&pass["Resource"]).contains(&arn.as_str()), "{role}: {pass}");
    }
}

/// Runs `sftpctl policy` in the project's folder, without credentials.
fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("policy").args(arguments);
    let command = command.args(["--env", "99"]).env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_PROFILE").output().unwrap()
}

#[test]
fn command_prints_the_documents_and_their_risks() {
    let expected = policies("");
    for name in [
        "deployer",
        "addresses",
        "stack",
        "s3-files",
        "malware-scan",
        "reader",
        "teardown",
        "users",
        "users-reader",
        "test-login",
        "guard",
        "history",
        "restore",
        "agent",
        "mount",
        "state",
    ] {
        let output = run(&[name, "--zone-id", "Z0123456789ABCDEFGHIJ", "--state", "s3://company-sftpctl/state"]);
        let printed: Value = serde_json::from_str(&succeeded(name, &output)).unwrap();
        assert_eq!(printed, expected[name], "{name}");
        let warnings = text(&output.stderr);
        let escalates = warnings.contains("gain every permission of the account");
        assert_eq!(escalates, ["deployer", "stack"].contains(&name), "{name}: {warnings}");
        // With the options that this command had.
        let command =
            "`sftpctl policy stack --env 99 --state s3://company-sftpctl/state/ --zone-id Z0123456789ABCDEFGHIJ`";
        let needs_stack = warnings.contains(command);
        assert_eq!(
            needs_stack,
            ["deployer", "addresses", "s3-files", "malware-scan", "teardown"].contains(&name),
            "{name}: {warnings}"
        );
    }
}

#[test]
fn command_needs_neither_credentials_nor_a_network() {
    for arguments in [&["deployer"][..], &["deployer", "--offline"]] {
        let output = run(arguments);
        let printed: Value = serde_json::from_str(&succeeded("deployer", &output)).unwrap();
        assert!(printed.to_string().contains("arn:aws:route53:::hostedzone/*"), "{printed}");
        let warnings = text(&output.stderr);
        assert!(warnings.contains("set `dns.zone_id`, or pass --zone-id"), "{warnings}");
        assert_eq!(warnings.contains("could not be looked up"), arguments.len() == 1, "{warnings}");
    }
    let output = run(&["state"]);
    assert_eq!(output.status.code(), Some(2), "{}", shown(&output));
    assert!(text(&output.stderr).contains("sftpctl policy state --env 99 --state s3://BUCKET/PREFIX"));
}

/// With `reader` of everything that can be asked for, which no managed policy holds.
#[test]
fn command_prints_a_long_policy_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    // Long names of what is there already.
    let (topic, role, prefix) = ("t".repeat(256), "r".repeat(64), "p".repeat(24));
    let given = format!("notify: {{ 99-5: {{ topic: \"arn:aws:sns:us-west-2:111111111111:{topic}\" }} }}");
    let more = MORE.replace("history_events: true", &format!("history_events: true, {given}"));
    let names = format!("names: {{ user_role: {role}, bucket_prefix: {prefix}-, code_bucket_prefix: {prefix} }}");
    let source = include_str!("../../../environments/99.yaml").replace("us-west-2: { server: true }", IN_VPC);
    let source = alone(&format!("{source}\n{more}\n{names}\n"));
    std::fs::write(dir.path().join("99.yaml"), source).unwrap();
    let file = dir.path().join("99.yaml").display().to_string();
    let print = |more: &[&str]| {
        let mut command = Command::new(sftpctl_testkit::programs::sftpctl());
        command.args(["policy", "reader", "--env-file", &file, "--zone-id", "Z0123456789ABCDEFGHIJ"]).args(more);
        command.env("HOME", dir.path()).output().unwrap()
    };
    let whole = print(&[]);
    let said = text(&whole.stderr);
    let command = format!("sftpctl policy reader --env-file {file} --zone-id Z0123456789ABCDEFGHIJ --part");
    assert!(said.contains("in 2 parts") && said.contains(&format!("`{command} 1`, `{command} 2`")), "{said}");
    let mut parts = BTreeSet::new();
    let pairs = |document: &Value| {
        let of = |statement: &Value| {
            let actions = list(&statement["Action"]).into_iter().map(str::to_owned).collect::<Vec<_>>();
            let resources = list(&statement["Resource"]).into_iter().map(str::to_owned).collect::<Vec<_>>();
            actions
                .into_iter()
                .flat_map(move |action| resources.clone().into_iter().map(move |one| (action.clone(), one)))
        };
        statements(document).iter().flat_map(of).collect::<Vec<_>>()
    };
    for part in ["1", "2"] {
        let printed: Value = serde_json::from_str(&succeeded(part, &print(&["--part", part]))).unwrap();
        assert!(printed.to_string().len() <= 6_144, "{part}");
        parts.extend(pairs(&printed));
    }
    let whole: Value = serde_json::from_str(&succeeded("whole", &whole)).unwrap();
    assert_eq!(parts, pairs(&whole).into_iter().collect());
    let none = print(&["--part", "3"]);
    assert_eq!(none.status.code(), Some(2), "{}", shown(&none));
    assert!(text(&none.stderr).contains("the policy has no part 3: it has 2 parts"), "{}", shown(&none));
    // One that is short enough is its own first part.
    let output = run(&["users", "--part", "1"]);
    let printed: Value = serde_json::from_str(&succeeded("users", &output)).unwrap();
    assert_eq!(printed, policies("")["users"]);
}

/// What may be read of accounts may not be changed with it.
#[test]
fn reader_of_accounts_changes_nothing() {
    let policies = policies(MORE);
    let actions = |name: &str| -> BTreeSet<String> {
        let all = statements(&policies[name]).iter().flat_map(|statement| list(&statement["Action"]));
        all.map(str::to_owned).collect()
    };
    let changes = |action: &&String| {
        let verb = action.split_once(':').unwrap().1;
        let reads = ["Get", "List", "Describe", "Query", "Scan", "Filter"];
        !reads.iter().any(|word| verb.starts_with(word))
    };
    let (reader, test) = (actions("users-reader"), "transfer:TestIdentityProvider");
    for name in ["users-reader", "logs"] {
        assert_eq!(actions(name).iter().filter(changes).collect::<Vec<_>>(), Vec::<&String>::new(), "{name}");
    }
    // Wrong passwords ban the address that they are said to come from.
    for name in ["users-reader", "logs", "reader"] {
        assert!(!actions(name).contains(test), "{name}");
    }
    assert_eq!(actions("test-login").iter().filter(changes).collect::<Vec<_>>(), [test]);
    assert!(reader.union(&actions("test-login")).all(|action| actions("users").contains(action)), "{reader:?}");
    assert!(!reader.contains("secretsmanager:GetSecretValue"), "{reader:?}");
}

/// docs/permissions.md says what each policy is for; README's list of commands has each by
/// `commands_are_in_the_readme`.
#[test]
fn every_policy_is_explained() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/permissions.md")).unwrap();
    let (_, table) = page.split_once("| policy | for | allows |\n|---|---|---|\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| `")?.split_once("` | "));
    let explained: Vec<&str> = rows.map(|(policy, _)| policy).collect();
    let all: BTreeSet<String> = Policy::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(explained.len(), all.len(), "{explained:?}");
    assert_eq!(explained.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(), all);
}

/// The trust policies in docs/permissions.md are JSON, and name one repository's environment or branch.
#[test]
fn documented_trust_policies_are_narrow() {
    let blocks = blocks::of_kind("docs/permissions.md", "json");
    let trust: Vec<Value> = blocks.iter().map(|block| serde_json::from_str(block).unwrap()).collect();
    assert_eq!(trust.len(), 4, "CloudFormation's service role, GitHub, GitLab, and a role to assume");
    let assumed = &trust[3]["Statement"][0];
    assert!(assumed["Principal"]["AWS"].as_str().unwrap().contains(":role/"), "{assumed}");
    assert!(assumed["Condition"]["StringEquals"]["sts:ExternalId"].is_string(), "{assumed}");
    for policy in &trust[1..3] {
        let statement = &policy["Statement"][0];
        assert_eq!(statement["Action"], "sts:AssumeRoleWithWebIdentity");
        let equals = statement["Condition"]["StringEquals"].as_object().unwrap();
        assert!(equals.keys().any(|key| key.ends_with(":aud")) && equals.keys().any(|key| key.ends_with(":sub")));
        assert!(equals.values().all(|value| !value.to_string().contains('*')), "{equals:?}");
    }
    assert_eq!(trust[0]["Statement"][0]["Principal"], json!({ "Service": "cloudformation.amazonaws.com" }));
}
