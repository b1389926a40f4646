//! Environments of one account share buckets for code and a hosted zone. Who may deploy one of them can neither plant
//! the log-in of another nor change anything else of it.

use std::collections::BTreeMap;

use iam_model::{Caller, Decision, Policy, Request, evaluate};
use serde_json::Value;
use sftpctl_core::permissions::{Site, document};
use sftpctl_core::spec::model::Environment;
use sftpctl_core::spec::{self, names};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "us-west-2";

/// Environment 99 under another name, in the same account.
fn named(name: &str, production: bool) -> Environment {
    let source = include_str!("../../../environments/99.yaml");
    let source = source.replace("environment: \"99\"", &format!("environment: \"{name}\"\nproduction: {production}"));
    spec::load(&source.replace("99-", &format!("{name}-")), "e.yaml").unwrap()
}

type Context = BTreeMap<String, Vec<String>>;

/// What belongs to one environment, with an action that changes it.
fn reach(environment: &Environment) -> Vec<(&'static str, String, Context)> {
    let code = format!("arn:aws:s3:::{}", names::code_bucket(environment, REGION));
    let cluster = environment.clusters.keys().next().unwrap();
    let context = |key: &str, value: &str| Context::from([(key.to_owned(), vec![value.to_owned()])]);
    let stack = format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{}/1", names::stack(environment, REGION));
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", names::function(environment, REGION));
    let table = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", environment.table.name);
    let host = names::host(environment, REGION, "xx.net");
    let records = Context::from([
        ("route53:ChangeResourceRecordSetsNormalizedRecordNames".to_owned(), vec![host]),
        ("route53:ChangeResourceRecordSetsRecordTypes".to_owned(), vec!["CNAME".to_owned()]),
    ]);
    vec![
        ("s3:PutObject", format!("{code}/{}", names::code_key(environment, "0123456789ab")), Context::new()),
        ("s3:DeleteObjectVersion", format!("{code}/{}", names::code_key(environment, "0123456789ab")), Context::new()),
        ("s3:PutObject", format!("{code}/templates/{}/0.json", environment.name), Context::new()),
        ("s3:PutBucketPolicy", format!("arn:aws:s3:::{}", names::upload_bucket(environment, cluster)), Context::new()),
        ("lambda:UpdateFunctionCode", function.clone(), Context::new()),
        ("lambda:UpdateFunctionConfiguration", function, Context::new()),
        ("cloudformation:UpdateStack", stack.clone(), Context::new()),
        ("cloudformation:DeleteStack", stack, Context::new()),
        ("dynamodb:PutItem", table.clone(), Context::new()),
        ("dynamodb:UpdateTable", table, Context::new()),
        (
            "iam:CreatePolicyVersion",
            format!("arn:aws:iam::{ACCOUNT}:policy/{}", names::user_policy(environment)),
            Context::new(),
        ),
        (
            "transfer:UpdateServer",
            format!("arn:aws:transfer:{REGION}:{ACCOUNT}:server/s-0123456789abcdef0"),
            context("aws:ResourceTag/sftpctl:environment", &environment.name),
        ),
        (
            "ec2:ReleaseAddress",
            format!("arn:aws:ec2:{REGION}:{ACCOUNT}:elastic-ip/eipalloc-0123456789abcdef0"),
            context("aws:ResourceTag/sftpctl:environment", &environment.name),
        ),
        (
            "s3files:DeleteFileSystem",
            format!("arn:aws:s3files:{REGION}:{ACCOUNT}:file-system/fs-0123456789abcdef01"),
            context("aws:ResourceTag/sftpctl:environment", &environment.name),
        ),
        (
            "guardduty:DeleteMalwareProtectionPlan",
            format!("arn:aws:guardduty:{REGION}:{ACCOUNT}:malware-protection-plan/0123456789abcdef0123"),
            context("aws:ResourceTag/sftpctl:environment", &environment.name),
        ),
        (
            "transfer:DeleteWorkflow",
            format!("arn:aws:transfer:{REGION}:{ACCOUNT}:workflow/w-0123456789abcdef0"),
            context("aws:ResourceTag/sftpctl:environment", &environment.name),
        ),
        ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ".to_owned(), records),
    ]
}

/// The policies of all kinds that are printed for an environment.
fn printed(environment: &Environment) -> Vec<Policy> {
    let site = Site { environment, zone_id: Some("Z0123456789ABCDEFGHIJ"), state: None };
    let printed = sftpctl_core::permissions::Policy::ALL.into_iter().filter_map(|policy| document(policy, site));
    printed.map(|document| Policy::parse(&document.to_string()).unwrap()).collect()
}

#[test]
fn deployer_of_one_environment_reaches_nothing_of_another() {
    let caller = Caller::role_session("arn:aws:iam::111111111111:role/deployer", "ci").unwrap();
    let environments =
        [named("99", false), named("98", false), named("9", false), named("staging", false), named("live", true)];
    for own in &environments {
        let identity = printed(own);
        for environment in &environments {
            for (action, resource, mut context) in reach(environment) {
                context.insert("aws:RequestedRegion".to_owned(), vec![REGION.to_owned()]);
                let asked =
                    Request { caller: &caller, action, resource: &resource, resource_account: Some(ACCOUNT), context };
                let decision = evaluate(&asked, &identity, None, None).unwrap();
                let allowed = matches!(decision, Decision::Allow { .. });
                assert_eq!(allowed, own.name == environment.name, "{} does {action} on {resource}", own.name);
            }
        }
    }
}

/// Whoever could put the own tag over another's could then delete what has it.
#[test]
fn deployer_tags_nothing_that_has_the_tag_of_another_environment() {
    let caller = Caller::role_session("arn:aws:iam::111111111111:role/deployer", "ci").unwrap();
    let identity = printed(&named("99", false));
    let allows = |action: &'static str, resource: &str, has: Option<&str>, create: Option<&str>| {
        let mut context = Context::from([
            ("aws:RequestedRegion".to_owned(), vec![REGION.to_owned()]),
            ("aws:RequestTag/sftpctl:environment".to_owned(), vec!["99".to_owned()]),
            ("aws:TagKeys".to_owned(), vec!["sftpctl:environment".to_owned()]),
        ]);
        context.extend(has.map(|tag| ("aws:ResourceTag/sftpctl:environment".to_owned(), vec![tag.to_owned()])));
        let service = action.split(':').next().unwrap();
        context.extend(create.map(|operation| (format!("{service}:CreateAction"), vec![operation.to_owned()])));
        let asked = Request { caller: &caller, action, resource, resource_account: Some(ACCOUNT), context };
        matches!(evaluate(&asked, &identity, None, None).unwrap(), Decision::Allow { .. })
    };
    for (action, resource, create) in [
        ("transfer:TagResource", "transfer:{}:server/s-0123456789abcdef0", None),
        ("transfer:TagResource", "transfer:{}:workflow/w-0123456789abcdef0", None),
        ("guardduty:TagResource", "guardduty:{}:malware-protection-plan/0123456789abcdef0123", None),
        ("s3files:TagResource", "s3files:{}:file-system/fs-0123456789abcdef01", Some("CreateFileSystem")),
        ("ec2:CreateTags", "ec2:{}:elastic-ip/eipalloc-0123456789abcdef0", Some("AllocateAddress")),
        ("ec2:CreateTags", "ec2:{}:security-group/sg-0123456789abcdef0", Some("CreateSecurityGroup")),
    ] {
        let arn = format!("arn:aws:{}", resource.replace("{}", &format!("{REGION}:{ACCOUNT}")));
        assert!(allows(action, &arn, None, create), "{arn}: a new one gets the tag");
        assert!(allows(action, &arn, Some("99"), None), "{arn}: the own one keeps it");
        assert!(!allows(action, &arn, Some("98"), None), "{arn}: it is another environment's");
    }
}

/// A value of a template in the region, with `Ref` and `Fn::Sub` resolved.
fn resolved(value: &Value) -> Value {
    if let Some(text) = value["Fn::Sub"].as_str() {
        return text.replace("${AWS::Region}", REGION).replace("${AWS::AccountId}", ACCOUNT).into();
    }
    if value["Ref"] == "AWS::AccountId" {
        return ACCOUNT.into();
    }
    match value {
        Value::Array(all) => all.iter().map(resolved).collect(),
        Value::Object(all) => all.iter().map(|(key, one)| (key.clone(), resolved(one))).collect(),
        other => other.clone(),
    }
}

/// The bucket's policy admits the role without naming it, and refuses it plain HTTP.
#[test]
fn role_of_a_file_system_reaches_its_own_bucket_by_tls_alone() {
    let source = format!("{}\n{}", include_str!("../../../environments/99.yaml"), super::FILE_SYSTEM);
    let environment = spec::load(&source, "99.yaml").unwrap();
    let code = sftpctl_core::template::Code { bucket: "b".into(), key: "k".into() };
    let template = sftpctl_core::template::render(&environment, REGION, &code).unwrap().template;
    let role = &template["Resources"]["FilesRole99x2d5"]["Properties"];
    let document = resolved(&role["Policies"][0]["PolicyDocument"]);
    let identity = [Policy::parse(&document.to_string()).unwrap()];
    let user_role = format!("arn:aws:iam::{ACCOUNT}:role/{}", environment.names.user_role);
    let caller = Caller::role_session("arn:aws:iam::111111111111:role/sftp-99-files", "s3files").unwrap();
    let decides = |action, resource: &str, context: &[(&str, &str)]| {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect();
        let bucket = resource.trim_start_matches("arn:aws:s3:::").split('/').next().unwrap();
        let theirs = sftpctl_core::template::bucket_policy(bucket, &user_role);
        let theirs = resource.starts_with("arn:aws:s3:").then(|| Policy::parse(&theirs.to_string()).unwrap());
        let asked = Request { caller: &caller, action, resource, resource_account: Some(ACCOUNT), context };
        evaluate(&asked, &identity, None, theirs.as_ref()).unwrap()
    };
    let allows = |action, resource: &str, context: &[(&str, &str)]| {
        matches!(decides(action, resource, context), Decision::Allow { .. })
    };
    let (own, other) = ("arn:aws:s3:::pl-pt99-5-uploads", "arn:aws:s3:::pl-pt99-4-uploads");
    let tls = [("aws:SecureTransport", "true"), ("aws:ResourceAccount", ACCOUNT)];
    for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"] {
        assert!(allows(action, &format!("{own}/17578/a.csv"), &tls), "{action}");
        assert!(!allows(action, &format!("{other}/17578/a.csv"), &tls), "{action}");
        let plain = decides(action, &format!("{own}/17578/a.csv"), &[("aws:SecureTransport", "false"), tls[1]]);
        assert!(matches!(plain, Decision::ExplicitDeny { .. }), "{action}: {plain:?}");
    }
    assert!(allows("s3:ListBucketVersions", own, &tls) && !allows("s3:ListBucketVersions", other, &tls));
    assert!(!allows("s3:PutBucketPolicy", own, &tls) && !allows("s3:PutBucketVersioning", own, &tls));
    // Its own rules, and no others.
    let rule = |name: &str| format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}");
    let managed = [("events:ManagedBy", "elasticfilesystem.amazonaws.com")];
    assert!(allows("events:PutRule", &rule("DO-NOT-DELETE-S3-Files-1"), &managed));
    assert!(!allows("events:PutRule", &rule("99-upload-99-5-events-objects"), &managed));
    assert!(!allows("events:DeleteRule", &rule("DO-NOT-DELETE-S3-Files-1"), &[("events:ManagedBy", "others")]));
}

#[test]
fn role_of_a_scan_reads_and_tags_its_own_bucket_alone() {
    let source = format!(
        "{}\nfiles: {{ malware_scan: {{ clusters: [99-5] }} }}\n",
        include_str!("../../../environments/99.yaml")
    );
    let environment = spec::load(&source, "99.yaml").unwrap();
    let code = sftpctl_core::template::Code { bucket: "b".into(), key: "k".into() };
    let template = sftpctl_core::template::render(&environment, REGION, &code).unwrap().template;
    let role = &template["Resources"]["MalwareRole99x2d5"]["Properties"];
    let identity = [Policy::parse(&resolved(&role["Policies"][0]["PolicyDocument"]).to_string()).unwrap()];
    let caller = Caller::role_session("arn:aws:iam::111111111111:role/sftp-99-malware", "guardduty").unwrap();
    let allows = |action, resource: &str, context: &[(&str, &str)]| {
        let context = context.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect();
        let asked = Request { caller: &caller, action, resource, resource_account: Some(ACCOUNT), context };
        matches!(evaluate(&asked, &identity, None, None).unwrap(), Decision::Allow { .. })
    };
    let (own, other) = ("arn:aws:s3:::pl-pt99-5-uploads", "arn:aws:s3:::pl-pt99-4-uploads");
    for action in ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"] {
        assert!(allows(action, &format!("{own}/17578/a.csv"), &[]), "{action}");
        assert!(!allows(action, &format!("{other}/17578/a.csv"), &[]), "{action}");
    }
    // Of customers' files it writes and deletes none.
    let trial = format!("{own}/{}", sftpctl_core::spec::malware::VALIDATION_OBJECT);
    assert!(allows("s3:PutObject", &trial, &[]) && !allows("s3:PutObject", &format!("{own}/17578/a.csv"), &[]));
    assert!(!allows("s3:DeleteObject", &trial, &[]) && !allows("s3:PutBucketPolicy", own, &[]));
    assert!(allows("s3:PutBucketNotification", own, &[]) && !allows("s3:PutBucketNotification", other, &[]));
    // Its own rules, and no others.
    let rule = |name: &str| format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}");
    let own_rule = rule("DO-NOT-DELETE-AmazonGuardDutyMalwareProtectionS3-1");
    let managed = [("events:ManagedBy", "malware-protection-plan.guardduty.amazonaws.com")];
    assert!(allows("events:PutRule", &own_rule, &managed));
    assert!(!allows("events:PutRule", &own_rule, &[("events:ManagedBy", "others")]));
    assert!(!allows("events:DeleteRule", &rule("99-upload-99-5-events-objects"), &managed));
}
