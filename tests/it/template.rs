//! The stack's template: what it must and must not hold, for the shipped environments.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Map, Value};
use sftpctl::spec::{self, model::Environment};
use sftpctl::template::{Code, Rendered, bucket_policy, render};

fn environment(name: &str) -> Environment {
    let path = format!("{}/environments/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    spec::load(&std::fs::read_to_string(&path).unwrap(), &path).unwrap()
}

fn rendered(environment: &Environment, key: &str) -> Rendered {
    render(environment, "us-west-2", &Code { bucket: "code".into(), key: key.into() }).unwrap()
}

fn resources(rendered: &Rendered) -> &Map<String, Value> {
    rendered.template["Resources"].as_object().unwrap()
}

fn of_type<'a>(rendered: &'a Rendered, kind: &str) -> Vec<&'a Value> {
    resources(rendered).values().filter(|r| r["Type"] == kind).collect()
}

fn deployment(rendered: &Rendered) -> String {
    resources(rendered).iter().find(|(_, r)| r["Type"] == "AWS::ApiGateway::Deployment").unwrap().0.clone()
}

#[test]
fn buckets_are_private_encrypted_versioned_and_outlive_the_stack() {
    let rendered = rendered(&environment("99"), "k");
    let buckets = of_type(&rendered, "AWS::S3::Bucket");
    assert_eq!(buckets.len(), 6);
    for bucket in buckets {
        assert_eq!((&bucket["DeletionPolicy"], &bucket["UpdateReplacePolicy"]), (&"Retain".into(), &"Retain".into()));
        let properties = &bucket["Properties"];
        assert!(properties["BucketName"].is_string(), "an import needs a literal name");
        assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
        let block = properties["PublicAccessBlockConfiguration"].as_object().unwrap();
        assert!(block.len() == 4 && block.values().all(|on| *on == Value::Bool(true)));
        let rules = &properties["BucketEncryption"]["ServerSideEncryptionConfiguration"];
        assert_eq!(rules[0]["ServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256");
    }
    let policy = bucket_policy("b", "arn:aws:iam::111111111111:role/sftp-transfer");
    assert_eq!(policy["Statement"][0]["Effect"], "Deny");
    assert_eq!(policy["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"], "false");
}

#[test]
fn no_role_may_do_everything_or_touch_everything() {
    let rendered = rendered(&environment("99"), "k");
    for role in of_type(&rendered, "AWS::IAM::Role") {
        for policy in role["Properties"]["Policies"].as_array().unwrap() {
            for statement in policy["PolicyDocument"]["Statement"].as_array().unwrap() {
                let text = statement.to_string();
                assert!(!text.contains("\"Resource\":\"*\"") && !text.contains(":*\"],\"Effect"), "{text}");
                assert!(!statement["Action"].to_string().contains('*'), "{text}");
            }
        }
    }
    let trust = &resources(&rendered)["InvocationRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0];
    assert!(trust["Condition"]["StringEquals"]["aws:SourceAccount"].is_object());
    assert!(trust["Condition"]["ArnLike"]["aws:SourceArn"].is_object());
}

#[test]
fn logs_have_a_retention_and_never_a_password() {
    let rendered = rendered(&environment("99"), "k");
    let groups = of_type(&rendered, "AWS::Logs::LogGroup");
    assert_eq!(groups.len(), 4);
    assert!(groups.iter().all(|group| group["Properties"]["RetentionInDays"]["Ref"] == "RetentionDays"));
    let stage = &resources(&rendered)["ApiStage"]["Properties"];
    assert_eq!(stage["MethodSettings"][0]["DataTraceEnabled"], false);
    let format = stage["AccessLogSetting"]["Format"].as_str().unwrap();
    assert!(!format.to_lowercase().contains("password") && !format.contains("$context.path\""), "{format}");
    serde_json::from_str::<Value>(format).unwrap();
}

#[test]
fn a_changed_api_is_deployed_and_another_change_is_not() {
    let mut environment = environment("99");
    let first = rendered(&environment, "k");
    environment.logs.retention_days = 7;
    environment.clusters.pop_first();
    let other = rendered(&environment, "other-key");
    assert_eq!(deployment(&first), deployment(&other));
    assert_eq!(resources(&first)["ApiStage"]["Properties"]["DeploymentId"]["Ref"], deployment(&first));
}

#[test]
fn the_mapping_template_unescapes_what_json_does_not_know() {
    let rendered = rendered(&environment("99"), "k");
    let method = &resources(&rendered)["ApiMethod"]["Properties"];
    assert_eq!(method["AuthorizationType"], "AWS_IAM");
    assert_eq!(method["Integration"]["Type"], "AWS");
    let template = method["Integration"]["RequestTemplates"]["application/json"].as_str().unwrap();
    let password = r#""password": "$util.escapeJavaScript($util.base64Decode($input.params('PasswordBase64'))).replaceAll("\\'","'")""#;
    assert!(template.contains(password), "{template}");
    let parameters = method["RequestParameters"].as_object().unwrap();
    let names: Vec<&str> = parameters.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "method.request.header.PasswordBase64",
            "method.request.querystring.protocol",
            "method.request.querystring.sourceIp",
        ]
    );
    assert!(
        parameters.values().all(|required| *required == Value::Bool(false)),
        "Transfer leaves some out: {parameters:?}"
    );
    for response in method["MethodResponses"].as_array().unwrap() {
        let model = response["ResponseModels"]["application/json"]["Ref"].as_str().unwrap();
        let expected = if response["StatusCode"] == "200" { "ApiSuccessModel" } else { "ApiRefusalModel" };
        assert_eq!(model, expected, "{response}");
        assert_eq!(resources(&rendered)[model]["Type"], "AWS::ApiGateway::Model");
    }
    let success = &resources(&rendered)["ApiSuccessModel"]["Properties"]["Schema"]["properties"];
    for member in ["Role", "Policy", "HomeDirectory", "HomeDirectoryType", "HomeDirectoryDetails", "PublicKeys"] {
        assert!(success[member].is_object(), "{member}: {success}");
    }
    let refusal = &resources(&rendered)["ApiRefusalModel"]["Properties"]["Schema"]["properties"];
    assert!(refusal.get("Role").is_none(), "a refusal carries no Role");
    let codes: Vec<_> = method["MethodResponses"].as_array().unwrap().iter().map(|r| r["StatusCode"].clone()).collect();
    assert_eq!(codes, ["200", "401", "403", "404", "500"]);
}

#[test]
fn fifty_clusters_fit_into_one_stack() {
    let mut environment = environment("99");
    let cluster = environment.clusters["99-0"].clone();
    environment.clusters.extend((10..60).map(|n| (format!("99-{n}"), cluster.clone())));
    let rendered = rendered(&environment, "k");
    assert!(resources(&rendered).len() <= 500);
    assert!(rendered.template.to_string().len() < 1_000_000);
}
