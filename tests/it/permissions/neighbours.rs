//! Environments of one account share buckets for code and a hosted zone. Who may deploy one of them can neither plant the
//! log-in of another nor change anything else of it.

use std::collections::BTreeMap;

use iam_model::{Caller, Decision, Policy, Request, evaluate};
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
        ("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ".to_owned(), records),
    ]
}

#[test]
fn deployer_of_one_environment_reaches_nothing_of_another() {
    let caller = Caller::role_session("arn:aws:iam::111111111111:role/deployer", "ci").unwrap();
    let environments =
        [named("99", false), named("98", false), named("9", false), named("staging", false), named("live", true)];
    for own in &environments {
        let site = Site { environment: own, zone_id: Some("Z0123456789ABCDEFGHIJ"), state: None };
        let printed = sftpctl_core::permissions::Policy::ALL.into_iter().filter_map(|policy| document(policy, site));
        let identity: Vec<_> = printed.map(|document| Policy::parse(&document.to_string()).unwrap()).collect();
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
