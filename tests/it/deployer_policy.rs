//! The deployer's policy allows every call that `src/aws` can make, so that the file cannot lag behind the code.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// The IAM action of a call, where it has another name.
fn action(call: &str) -> String {
    match call {
        "s3:ListBuckets" => "s3:ListAllMyBuckets",
        "s3:HeadObject" => "s3:GetObject",
        "s3:DeleteObjects" => "s3:DeleteObject",
        "s3:CopyObject" => "s3:PutObject",
        read if read.starts_with("apigateway:Get") => "apigateway:GET",
        "apigateway:UpdateAccount" => "apigateway:PATCH",
        other => other,
    }
    .to_owned()
}

#[test]
fn every_call_is_allowed_and_nothing_is_allowed_wholesale() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policy: Value =
        serde_json::from_str(&std::fs::read_to_string(root.join("docs/deployer-policy.json")).unwrap()).unwrap();
    let mut allowed = BTreeSet::new();
    for statement in policy["Statement"].as_array().unwrap() {
        let one = vec![statement["Action"].clone()];
        for action in statement["Action"].as_array().unwrap_or(&one) {
            assert!(!action.as_str().unwrap().contains('*'), "{action}");
            allowed.insert(action.as_str().unwrap().to_owned());
        }
    }
    let mut calls = BTreeSet::new();
    for file in std::fs::read_dir(root.join("src/aws")).unwrap() {
        let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for part in source.split(".call(").skip(1) {
            calls.extend(part.split('"').nth(1).filter(|name| name.contains(':')).map(str::to_owned));
        }
    }
    assert!(calls.len() > 60, "{calls:?}");
    // Only the local cloud is ever given a zone, and only its front plays API Gateway and Transfer Family.
    for call in ["route53:CreateHostedZone", "lambda:InvokeFunction", "s3:AbortMultipartUpload", "sts:AssumeRole"] {
        assert!(calls.remove(call), "{call} is not called any more");
    }
    let missing: Vec<_> = calls.iter().map(|call| action(call)).filter(|action| !allowed.contains(action)).collect();
    assert_eq!(missing, Vec::<String>::new());
}
