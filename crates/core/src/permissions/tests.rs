mod warned;

use std::collections::BTreeMap;

use super::*;
use crate::spec;
use crate::spec::endpoint::{Access, Addresses, Endpoint, VpcEndpoint};
use crate::spec::model::{Cluster, Region};

fn environment(more: &str) -> Environment {
    let source = format!("{}\n{more}", include_str!("../../../../environments/99.yaml"));
    spec::load(&source, "99.yaml").unwrap()
}

const BOUNDED: &str = "permissions_boundary: arn:aws:iam::111111111111:policy/sftp-boundary\n\
    stack_role: arn:aws:iam::111111111111:role/sftp-cloudformation\n\
    state: { place: s3://company-sftpctl/state, kms_key: alias/sftpctl }";

/// As large as an environment gets: 20 regions, 100 clusters of 20 families, long names.
fn large(more: &str) -> Environment {
    let mut large = environment(more);
    large.name = "a-name-of-twenty-chr".into();
    large.names.user_role = "r".repeat(64);
    large.names.bucket_prefix = "a-long-prefix-of-buckets-".into();
    large.names.code_bucket_prefix = "a-long-prefix-of-code-buckets".into();
    large.table.name = "dydb-a-name-of-twenty-chr-uploads".into();
    large.server.logging_role = Some("l".repeat(64));
    let regions = (0..20).map(|n| (format!("ap-southeast-{n}"), Region { server: true, ..Region::default() }));
    large.regions = regions.collect();
    let cluster = |n: usize| (format!("family{}-{}", n / 5, n % 5), Cluster { region: "ap-southeast-1".into() });
    large.clusters = (0..100).map(cluster).collect();
    let dns = large.dns.as_mut().unwrap();
    dns.zone = "a-customer-facing-zone.example.com".into();
    dns.aliases = (0..3)
        .map(|n| (format!("files-{n}.a-customer-facing-zone.example.com"), "ap-southeast-1".to_owned()))
        .collect();
    large
}

/// With every server in a VPC of its own.
fn in_vpcs(mut environment: Environment) -> Environment {
    for (number, region) in environment.regions.values_mut().enumerate() {
        let ids = |kind: &str, count| (0..count).map(|n| format!("{kind}-0123456789abc{number:02}{n:02}")).collect();
        let one = |kind: &str| format!("{kind}-0123456789abcd{number:03}");
        region.server = true;
        region.endpoint = Some(Endpoint::Vpc(VpcEndpoint {
            vpc: one("vpc"),
            subnets: ids("subnet", 3),
            access: if number % 2 == 0 {
                Access::Groups(ids("sg", 5))
            } else {
                Access::Allow(vec!["0.0.0.0/0".into()])
            },
            addresses: Addresses::Elastic,
        }));
    }
    environment
}

fn every_document(environment: &Environment) -> BTreeMap<String, Value> {
    let state = environment.state.place.clone().unwrap_or("s3://company-sftpctl/state".parse().unwrap());
    let site = Site { environment, zone_id: Some("Z0123456789ABCDEFGHIJ"), state: Some(&state) };
    let documents = Policy::ALL.iter().map(|policy| (policy.to_string(), document(*policy, site)));
    // Without a topic there is nothing to allow.
    documents.filter_map(|(name, document)| Some((name, document?))).collect()
}

#[test]
fn every_policy_fits_into_a_managed_policy() {
    let with_all = format!("{BOUNDED}\n{FILE_SYSTEM}\nguard: {{}}\nwaf: {{}}\n{TOPICS}");
    for more in ["", BOUNDED, &with_all] {
        for environment in [environment(more), large(more), in_vpcs(environment(more)), in_vpcs(large(more))] {
            for (name, document) in every_document(&environment) {
                let size = document.to_string().len();
                if name == "reader" && size > CHARACTERS {
                    // Two managed policies.
                    let sizes: Vec<_> = parts(&document).iter().map(|part| part.to_string().len()).collect();
                    assert!(sizes.len() == 2 && sizes.iter().all(|size| *size <= CHARACTERS), "{sizes:?}");
                    continue;
                }
                assert!(size <= CHARACTERS, "{name} of {} has {size} characters", environment.name);
            }
        }
    }
}

#[test]
fn no_statement_names_an_action_or_a_resource_twice() {
    let more = "files: { notify: { 99-5: {} }, malware_scan: {} }\nalarms: { email: [a@example.com] }\nguard: {}";
    for environment in [environment(BOUNDED), in_vpcs(environment(&format!("{BOUNDED}\n{more}")))] {
        for (name, document) in every_document(&environment) {
            for statement in document["Statement"].as_array().unwrap() {
                for list in ["Action", "Resource"] {
                    let all = statement[list].as_array().into_iter().flatten();
                    let mut seen = std::collections::BTreeSet::new();
                    let twice: Vec<_> = all.filter(|one| !seen.insert(one.to_string())).collect();
                    assert!(twice.is_empty(), "{name}: {twice:?} in {}", statement["Sid"]);
                }
            }
        }
    }
}

/// The statements that allow an action.
fn allowing<'a>(document: &'a Value, action: &str) -> Vec<&'a Value> {
    let has = |value: &Value| value == action || value.as_array().is_some_and(|all| all.contains(&json!(action)));
    document["Statement"].as_array().unwrap().iter().filter(|statement| has(&statement["Action"])).collect()
}

fn resources(document: &Value, action: &str) -> Vec<String> {
    let all = allowing(document, action).into_iter().map(|statement| &statement["Resource"]);
    all.flat_map(|resource| match resource {
        Value::Array(all) => all.iter().map(|one| one.as_str().unwrap().to_owned()).collect(),
        one => vec![one.as_str().unwrap().to_owned()],
    })
    .collect()
}

/// The policies of those who use sftpctl: without the boundary, which is for customers' role, too.
fn every_callers_document(environment: &Environment) -> BTreeMap<String, Value> {
    let mut all = every_document(environment);
    all.remove("boundary").unwrap();
    all
}

#[test]
fn only_a_teardown_deletes_data() {
    for (name, document) in every_callers_document(&environment("")) {
        for action in
            ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket", "s3:GetObject", "s3:GetObjectVersion"]
        {
            let uploads = resources(&document, action).iter().any(|resource| resource.contains("pl-pt"));
            let expected: &[&str] = match action {
                // Homes are read back.
                "s3:GetObject" => &["history", "agent", "mount", "homes"],
                "s3:GetObjectVersion" => &["history"],
                // Without a version it leaves a marker.
                "s3:DeleteObject" => &["teardown", "restore", "mount", "homes"],
                _ => &["teardown"],
            };
            assert_eq!(uploads, expected.contains(&name.as_str()), "{name} {action}");
        }
        for action in ["dynamodb:DeleteTable", "dynamodb:DeleteTableReplica"] {
            // What the guard's table has is no customer's.
            let mut tables = resources(&document, action);
            tables.retain(|table| !table.ends_with("table/dydb-99-guard"));
            assert_eq!(!tables.is_empty(), name == "teardown", "{name} {action}");
        }
    }
}

#[test]
fn objects_of_upload_buckets_are_written_only_to_show_a_folder_or_to_move_files() {
    for (name, document) in every_callers_document(&environment("")) {
        let uploads = resources(&document, "s3:PutObject").into_iter().filter(|resource| resource.contains("pl-pt"));
        let expected = match name.as_str() {
            "users" | "provisioning" => vec!["arn:aws:s3:::pl-pt99-*-uploads/*/".to_owned()],
            "restore" | "mount" | "homes" => vec!["arn:aws:s3:::pl-pt99-*-uploads/*".to_owned()],
            _ => vec![],
        };
        assert_eq!(uploads.collect::<Vec<_>>(), expected, "{name}");
    }
}

/// One document would not hold what CloudFormation calls for both, and who may deploy may not touch others' file
/// systems.
#[test]
fn file_systems_have_a_policy_of_their_own() {
    let with = environment(FILE_SYSTEM);
    let document = &every_document(&with)["s3-files"];
    for action in ["s3files:DeleteFileSystem", "s3files:UpdateMountTarget", "s3files:CreateAccessPoint"] {
        let [statement] = allowing(document, action)[..] else { panic!("{action}") };
        let tag = &statement["Condition"]["StringEquals"]["aws:ResourceTag/sftpctl:environment"];
        assert_eq!(tag, "99", "{action}");
    }
    let site = |environment| Site { environment, zone_id: None, state: None };
    let companions_of = |policy, environment| companions(policy, site(environment));
    assert_eq!(companions_of(Policy::Deployer, &with), [Policy::Reader, Policy::Stack, Policy::S3Files]);
    assert_eq!(companions_of(Policy::Stack, &with), [Policy::Reader, Policy::Deployer, Policy::S3Files]);
    let by_role =
        environment(&format!("{FILE_SYSTEM}\nstack_role: arn:aws:iam::111111111111:role/sftp-cloudformation"));
    assert_eq!(companions_of(Policy::Deployer, &by_role), [Policy::Reader]);
    assert_eq!(companions_of(Policy::Stack, &by_role), [Policy::S3Files]);
    assert_eq!(companions_of(Policy::S3Files, &by_role), [Policy::Stack]);
    for (policy, action) in [("reader", "s3files:GetMountTarget"), ("mount", "s3files:ClientWrite")] {
        assert_eq!(allowing(&every_document(&with)[policy], action).len(), 1, "{policy}");
        assert_eq!(allowing(&every_document(&environment(""))[policy], action).len(), 0, "{policy}");
    }
}

#[test]
fn only_the_topics_of_the_file_are_told() {
    let topic = "arn:aws:sns:eu-west-1:222222222222:ops";
    let with = environment(&format!("notify: {{ topics: [\"{topic}\"] }}"));
    let document = &every_document(&with)["notify"];
    assert_eq!(document["Statement"].as_array().unwrap().len(), 1);
    assert_eq!(resources(document, "sns:Publish"), [topic]);
    fn companions_of(policy: Policy, environment: &Environment) -> Vec<Policy> {
        companions(policy, Site { environment, zone_id: None, state: None })
    }
    assert_eq!(companions_of(Policy::Reader, &with), [Policy::Notify]);
    assert_eq!(companions_of(Policy::Canary, &with), [Policy::Users, Policy::Reader, Policy::Notify]);
    assert_eq!(companions_of(Policy::Deployer, &with), [Policy::Reader, Policy::Stack, Policy::Notify]);
    for without in [environment(""), environment("notify: { webhook: { url_env: HOOK } }")] {
        assert!(!every_document(&without).contains_key("notify"));
        assert_eq!(companions_of(Policy::Reader, &without), []);
    }
}

const TOPICS: &str = "alarms: { email: [ops@example.com] }";

#[test]
fn topics_have_a_policy_of_their_own() {
    let with = environment(TOPICS);
    let topics = ["arn:aws:sns:*:111111111111:99-upload-*"];
    assert_eq!(resources(&every_document(&with)["topics"], "sns:CreateTopic"), topics);
    let companions_of = |policy, environment| companions(policy, Site { environment, zone_id: None, state: None });
    assert_eq!(companions_of(Policy::Deployer, &with), [Policy::Reader, Policy::Stack, Policy::Topics]);
    assert_eq!(companions_of(Policy::Topics, &with), [Policy::Reader, Policy::Deployer, Policy::Stack]);
    let by_role = environment(&format!("{TOPICS}\nstack_role: arn:aws:iam::111111111111:role/sftp-cloudformation"));
    assert_eq!(companions_of(Policy::Stack, &by_role), [Policy::Topics]);
    assert_eq!(companions_of(Policy::Topics, &by_role), [Policy::Stack]);
    for (environment, count) in [(&with, 1), (&environment(""), 0)] {
        let reader = &every_document(environment)["reader"];
        assert_eq!(allowing(reader, "sns:ListSubscriptionsByTopic").len(), count);
    }
}

/// Whoever may deploy may not touch the scans of others, nor pass roles to other services.
#[test]
fn scans_for_malware_have_a_policy_of_their_own() {
    let with = environment("files: { malware_scan: {} }");
    let document = &every_document(&with)["malware-scan"];
    for action in ["guardduty:DeleteMalwareProtectionPlan", "guardduty:UpdateMalwareProtectionPlan"] {
        let [statement] = allowing(document, action)[..] else { panic!("{action}") };
        let tag = &statement["Condition"]["StringEquals"]["aws:ResourceTag/sftpctl:environment"];
        assert_eq!(tag, "99", "{action}");
    }
    let [pass] = allowing(document, "iam:PassRole")[..] else { panic!("{document}") };
    let service = &pass["Condition"]["StringEquals"]["iam:PassedToService"];
    assert_eq!(service, "malware-protection-plan.guardduty.amazonaws.com");
    let site = |environment| Site { environment, zone_id: None, state: None };
    let companions_of = |policy, environment| companions(policy, site(environment));
    assert_eq!(companions_of(Policy::Deployer, &with), [Policy::Reader, Policy::Stack, Policy::MalwareScan]);
    let by_role = "files: { malware_scan: {} }\nstack_role: arn:aws:iam::111111111111:role/sftp-cloudformation";
    let by_role = environment(by_role);
    assert_eq!(companions_of(Policy::Deployer, &by_role), [Policy::Reader]);
    assert_eq!(companions_of(Policy::Stack, &by_role), [Policy::MalwareScan]);
    assert_eq!(companions_of(Policy::MalwareScan, &by_role), [Policy::Stack]);
    assert_eq!(allowing(&every_document(&with)["reader"], "guardduty:GetMalwareProtectionPlan").len(), 1);
    assert_eq!(allowing(&every_document(&environment(""))["reader"], "guardduty:GetMalwareProtectionPlan").len(), 0);
}

/// An environment with one cluster, which may be decrypted.
fn one_cluster(more: &str) -> Environment {
    let file = "version: 1\nenvironment: \"9\"\naccount: \"111111111111\"\nhome_region: us-west-2\n\
                regions: { us-west-2: { server: true } }\nclusters: { 9-5: us-west-2 }\n";
    spec::load(&format!("{file}{more}\n"), "x.yaml").unwrap()
}

#[test]
fn workflows_have_a_policy_of_their_own() {
    let with = one_cluster("files: { decrypt: { 9-5: {} } }");
    let workflows = ["arn:aws:transfer:*:111111111111:workflow/*"];
    assert_eq!(resources(&every_document(&with)["decrypt"], "transfer:DeleteWorkflow"), workflows);
    let companions_of = |policy, environment| companions(policy, Site { environment, zone_id: None, state: None });
    assert_eq!(companions_of(Policy::Deployer, &with), [Policy::Reader, Policy::Stack, Policy::Decrypt]);
    assert_eq!(companions_of(Policy::Decrypt, &with), [Policy::Reader, Policy::Deployer, Policy::Stack]);
    for (environment, count) in [(&with, 1), (&one_cluster(""), 0)] {
        let documents = every_document(environment);
        assert_eq!(allowing(&documents["reader"], "secretsmanager:DescribeSecret").len(), count);
        let keys = "arn:aws:secretsmanager:*:111111111111:secret:aws/transfer/s-*/@pgp-default*";
        let described = resources(&documents["reader"], "secretsmanager:DescribeSecret");
        assert_eq!(described.iter().filter(|one| one.contains(":secretsmanager:")).count(), count);
        assert_eq!(described.contains(&keys.to_owned()), count == 1, "{described:?}");
        assert_eq!(allowing(&documents["reader"], "secretsmanager:GetSecretValue").len(), 0, "keys are not read");
        assert_eq!(allowing(&documents["boundary"], "secretsmanager:GetSecretValue").len(), count);
    }
}

#[test]
fn web_acls_have_a_policy_of_their_own() {
    let with = environment("waf: {}");
    let document = &every_document(&with)["waf"];
    let acls = ["webacl", "ipset"].map(|kind| format!("arn:aws:wafv2:*:111111111111:regional/{kind}/99-upload-*/*"));
    assert_eq!(resources(document, "wafv2:DeleteWebACL"), acls);
    let stages = allowing(document, "apigateway:SetWebACL")[0];
    assert_eq!(stages["Resource"], "arn:aws:apigateway:*::/restapis/*/stages/prod");
    assert_eq!(stages["Condition"]["StringEquals"]["aws:ResourceTag/sftpctl:environment"], "99");
    let companions_of = |policy, environment| companions(policy, Site { environment, zone_id: None, state: None });
    assert_eq!(companions_of(Policy::Deployer, &with), [Policy::Reader, Policy::Stack, Policy::Waf]);
    assert_eq!(companions_of(Policy::Waf, &with), [Policy::Reader, Policy::Deployer, Policy::Stack]);
    let by_role = environment("waf: {}\nstack_role: arn:aws:iam::111111111111:role/sftp-cloudformation");
    assert_eq!(companions_of(Policy::Deployer, &by_role), [Policy::Reader]);
    assert_eq!(companions_of(Policy::Stack, &by_role), [Policy::Waf]);
    assert_eq!(companions_of(Policy::Waf, &by_role), [Policy::Stack]);
    for (environment, count) in [(&with, 1), (&environment(""), 0)] {
        assert_eq!(allowing(&every_document(environment)["reader"], "wafv2:GetWebACL").len(), count);
    }
}

#[test]
fn agents_read_the_files_of_their_cluster_alone() {
    let mut environment = environment("");
    let reads = |environment: &Environment| resources(&every_document(environment)["agent"], "s3:GetObject");
    assert_eq!(reads(&environment), ["arn:aws:s3:::pl-pt99-*-uploads/*"]);
    environment.only_cluster("99-5");
    assert_eq!(reads(&environment), ["arn:aws:s3:::pl-pt99-5-uploads/*"]);
    let document = &every_document(&environment)["agent"];
    assert_eq!(resources(document, "s3:ListBucket"), ["arn:aws:s3:::pl-pt99-5-uploads"]);
    let mount = &every_document(&environment)["mount"];
    assert_eq!(resources(mount, "s3:PutObject"), ["arn:aws:s3:::pl-pt99-5-uploads/*"]);
    let statements = document["Statement"].as_array().unwrap();
    assert_eq!(
        statements.iter().map(|statement| statement["Action"].as_str().unwrap()).collect::<Vec<_>>(),
        ["sts:GetCallerIdentity", "s3:ListBucket", "s3:GetObject"]
    );
}

#[test]
fn roles_are_created_and_changed_only_with_the_boundary() {
    let writes = ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"];
    let boundary = "arn:aws:iam::111111111111:policy/sftp-boundary";
    for (name, document) in every_document(&environment(BOUNDED)) {
        for statement in writes.iter().flat_map(|action| allowing(&document, action)) {
            assert_eq!(statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"], boundary, "{name}");
        }
        assert!(allowing(&document, "iam:DeleteRolePermissionsBoundary").is_empty(), "{name}");
    }
}

#[test]
fn stack_role_is_required_where_the_file_names_one() {
    let documents = every_document(&environment(BOUNDED));
    for action in ["CreateStack", "UpdateStack", "CreateChangeSet", "DeleteStack", "ContinueUpdateRollback"] {
        let statements = allowing(&documents["deployer"], &format!("cloudformation:{action}"));
        assert_eq!(statements.len(), 1);
        let role = &statements[0]["Condition"]["StringEquals"]["cloudformation:RoleArn"];
        assert_eq!(*role, "arn:aws:iam::111111111111:role/sftp-cloudformation", "{action}");
    }
    let passed = allowing(&documents["deployer"], "iam:PassRole")[0].to_string();
    assert!(passed.contains("role/sftp-cloudformation") && passed.contains("cloudformation.amazonaws.com"));
    let plain = every_document(&environment(""));
    let passed = allowing(&plain["deployer"], "iam:PassRole")[0].to_string();
    assert!(passed.contains("role/sftp-transfer") && !passed.contains("cloudformation.amazonaws.com"));
}

#[test]
fn roles_that_deploy_need_several_policies() {
    let (plain, bounded) = (environment(""), environment(BOUNDED));
    let needed = |policy: Policy, environment: &Environment| {
        let site = Site { environment, zone_id: None, state: environment.state.place.as_ref() };
        companions(policy, site).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(needed(Policy::Deployer, &plain), "reader stack");
    assert_eq!(needed(Policy::Stack, &plain), "reader deployer");
    assert_eq!(needed(Policy::Teardown, &bounded), "reader deployer state");
    assert_eq!((needed(Policy::Stack, &bounded), needed(Policy::Reader, &bounded)), (String::new(), String::new()));
}

#[test]
fn records_are_limited_to_zone_names_and_type() {
    let environment = environment("");
    let documents = every_document(&environment);
    let statement = allowing(&documents["deployer"], "route53:ChangeResourceRecordSets")[0];
    assert_eq!(statement["Resource"], "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ");
    assert_eq!(
        statement["Condition"],
        json!({
            "ForAllValues:StringLike": {
                "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["99-uploads-*.xx.net", "99-uploads.xx.net"],
            },
            "ForAllValues:StringEquals": { "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"] },
        })
    );
    let unknown = Site { environment: &environment, zone_id: None, state: None };
    assert!(warnings(Policy::Deployer, unknown).iter().any(|warning| warning.contains("hosted zone xx.net")));
    assert!(warnings(Policy::Users, unknown).is_empty());
}

#[test]
fn aliases_are_limited_to_their_pattern_and_never_replaced() {
    let mut environment = environment("");
    environment.dns.as_mut().unwrap().customer_aliases = "*.files".into();
    let documents = every_document(&environment);
    let statement = allowing(&documents["aliases"], "route53:ChangeResourceRecordSets")[0];
    assert_eq!(statement["Resource"], "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ");
    assert_eq!(
        statement["Condition"],
        json!({
            "ForAllValues:StringLike": {
                "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["*.files.xx.net"],
            },
            "ForAllValues:StringEquals": {
                "route53:ChangeResourceRecordSetsRecordTypes": ["CNAME"],
                "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
            },
        })
    );
    environment.dns = None;
    assert_eq!(document(Policy::Aliases, Site { environment: &environment, zone_id: None, state: None }), None);
}

#[test]
fn clusters_share_patterns_up_to_their_last_hyphen() {
    let buckets = |names: &[&str]| {
        let mut environment = environment("");
        let cluster = |name: &&str| ((*name).to_owned(), Cluster { region: "us-west-2".into() });
        environment.clusters = names.iter().map(cluster).collect();
        Arns(&environment).upload_buckets().join(" ").replace("arn:aws:s3:::", "")
    };
    assert_eq!(buckets(&["99-0", "99-1", "98-1", "solo"]), "pl-pt98-*-uploads pl-pt99-*-uploads pl-ptsolo-uploads");
    let seven = ["a1-0", "a2-0", "a3-0", "a4-0", "a5-0", "a6-0", "a7-0"];
    assert_eq!(buckets(&seven), "pl-pta*-uploads");
}

#[test]
fn passwords_of_databases_are_secrets_with_a_name_for_them() {
    let document = &every_document(&environment(""))["users"];
    let secrets = "arn:aws:secretsmanager:us-west-2:111111111111:secret:sftpctl/99/*";
    assert_eq!(resources(document, "secretsmanager:GetSecretValue"), [secrets]);
}

#[test]
fn secrets_of_host_keys_are_those_of_the_file() {
    let keys = "server: { host_keys: [\"file:k\", \"secretsmanager:sftp/rsa\", \"ssm:/sftp/ed25519\"] }";
    let document = &every_document(&environment(keys))["reader"];
    let secret = "arn:aws:secretsmanager:us-west-2:111111111111:secret:sftp/rsa-??????";
    assert_eq!(resources(document, "secretsmanager:GetSecretValue"), [secret]);
    assert_eq!(resources(document, "ssm:GetParameter"), ["arn:aws:ssm:us-west-2:111111111111:parameter/sftp/ed25519"]);
    assert!(resources(&every_document(&environment(""))["reader"], "ssm:GetParameter").is_empty());
}

#[test]
fn state_is_that_of_one_environment() {
    let environment = environment(BOUNDED);
    let documents = every_document(&environment);
    assert_eq!(resources(&documents["state"], "s3:PutObject"), ["arn:aws:s3:::company-sftpctl/state/99.*"]);
    assert_eq!(
        resources(&documents["reader"], "s3:GetBucketVersioning").last().unwrap(),
        "arn:aws:s3:::company-sftpctl"
    );
    let key = allowing(&documents["state"], "kms:GenerateDataKey")[0];
    assert_eq!(key["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"], "alias/sftpctl");
    assert!(allowing(&documents["reader"], "kms:GenerateDataKey").is_empty());
    let folder: StatePlace = "state".parse().unwrap();
    let site = Site { environment: &environment, zone_id: None, state: Some(&folder) };
    assert_eq!(document(Policy::State, site), None);
}

/// The actions of a policy's statements; the patterns of the user role's policies written out.
fn actions(document: &Value) -> Vec<String> {
    let statements = document["Statement"].as_array().unwrap().iter();
    let all = statements.flat_map(|statement| match &statement["Action"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    });
    let one = |action: Value| match action.as_str().unwrap() {
        tagging if tagging.ends_with("Object*Tagging") => ["", "Version"].map(|of| tagging.replace('*', of)).to_vec(),
        action => vec![action.to_owned()],
    };
    all.flat_map(one).collect()
}

/// Otherwise a role would lack what its policy allows.
#[test]
fn boundary_is_as_wide_as_the_roles() {
    let scan = "files: { malware_scan: { clusters: [99-5] } }";
    for (more, count) in [("", 4), (FILE_SYSTEM, 5), ("guard: {}", 5), (scan, 5)] {
        boundary_of(&environment(more), count);
    }
}

const FILE_SYSTEM: &str =
    "s3_files: { 99-5: { subnets: [subnet-0123456789abcdef0], security_groups: [sg-0123456789abcdef0] } }";

/// Checks an environment whose roles have `count` documents: the function's two, Transfer Family's, the user role's,
/// and that of a file system or of a scan, or the function's third for the guard.
fn boundary_of(environment: &Environment, count: usize) {
    let boundary = &every_document(environment)["boundary"];
    let allowed = actions(boundary);
    let code = crate::template::Code { bucket: "b".into(), key: "k".into() };
    let region = crate::template::render(environment, "us-west-2", &code).unwrap().template;
    let roles = region["Resources"].as_object().unwrap().values().filter(|one| one["Type"] == "AWS::IAM::Role");
    let inline = roles.flat_map(|role| role["Properties"]["Policies"].as_array().unwrap().clone());
    let mut documents: Vec<Value> = inline.map(|policy| policy["PolicyDocument"].clone()).collect();
    let bucket = crate::spec::names::upload_bucket(environment, "99-5");
    documents.extend(crate::user_policies::documents(std::slice::from_ref(&bucket)));
    assert_eq!(documents.len(), count);
    for action in documents.iter().flat_map(actions) {
        assert!(allowed.contains(&action), "{action}");
    }
    let family = format!("arn:aws:s3:::{}", bucket.replace("99-5", "99-*"));
    assert_eq!(resources(boundary, "s3:ListBucket")[0], family);
    assert_eq!(resources(boundary, "s3:GetObject")[0], format!("{family}/*"));
}

#[test]
fn servers_in_vpcs_need_a_policy_of_their_own() {
    let (plain, with) = (environment(""), in_vpcs(environment("")));
    let companions_of =
        |environment: &Environment| companions(Policy::Deployer, Site { environment, zone_id: None, state: None });
    assert!(!companions_of(&plain).contains(&Policy::Addresses) && companions_of(&with).contains(&Policy::Addresses));
    assert_eq!(allowing(&every_document(&plain)["reader"], "ec2:DescribeAddresses").len(), 0);
    let document = &every_document(&with)["addresses"];
    // What is not tagged is limited to what the file names.
    let parts = resources(document, "ec2:CreateVpcEndpoint");
    assert!(parts.contains(&"arn:aws:ec2:*:*:vpc/vpc-0123456789abcd000".to_owned()), "{parts:?}");
    for (action, key) in [
        ("ec2:AllocateAddress", "aws:RequestTag/sftpctl:environment"),
        ("ec2:DeleteSecurityGroup", "aws:ResourceTag/sftpctl:environment"),
        ("transfer:StopServer", "aws:ResourceTag/sftpctl:environment"),
    ] {
        assert_eq!(allowing(document, action)[0]["Condition"]["StringEquals"][key], "99", "{action}");
    }
    // Only a teardown gives an address back.
    for (name, document) in every_callers_document(&with) {
        assert_eq!(allowing(&document, "ec2:ReleaseAddress").len(), usize::from(name == "teardown"), "{name}");
    }
}
