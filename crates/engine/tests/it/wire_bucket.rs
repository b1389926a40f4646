//! Upload buckets: their policies, settings and owner, against scripted answers of S3.

use std::sync::Arc;

use rstest::rstest;
use serde_json::Value;
use sftpctl_core::model::Actual;
use sftpctl_core::plan::planner;
use sftpctl_engine::observe::observe;

use crate::drive::resource;
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, deploy_one, existing_stack};

#[tokio::test]
async fn bucket_policy_naming_a_deleted_role_is_put_again() {
    let stub = Stub::new().await;
    let bucket = resource("us-west-2/bucket/pl-pt99-5-uploads");
    let sftpctl_core::model::Want::Is(policy) = bucket.wanted(&Actual::new())["policy"].clone() else { panic!() };
    let dead = policy.to_string().replace("arn:aws:iam::111111111111:role/sftp-transfer", "AROAEXAMPLEEXAMPLE123");
    assert_ne!(dead, policy.to_string());
    bucket_settings(&stub, "pl-pt99-5-uploads", "Enabled");
    let dead = || Reply::ok(dead.clone());
    stub.on("s3:GET /pl-pt99-5-uploads?policy", [dead(), dead(), Reply::ok(policy.to_string())])
        .on(
            "s3:GET /pl-pt99-5-uploads?tagging",
            [Reply::ok(
                "<Tagging><TagSet><Tag><Key>sftpctl:environment</Key><Value>99</Value></Tag></TagSet></Tagging>",
            )],
        )
        .on("s3:PUT /pl-pt99-5-uploads?policy", [Reply::new(204, "")]);
    let ended = deploy_one(&stub, bucket.id().as_str(), existing_stack()).await;
    let names: Vec<&str> = ended.plan.steps[0].change.properties.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["policy"]);
    assert_eq!(ended.outcome(bucket.id())["outcome"], "changed", "{:?}", ended.outcomes);
    let put: Value = serde_json::from_str(&stub.asked("s3:PUT /pl-pt99-5-uploads?policy")[0].body).unwrap();
    assert_eq!(put, policy);
}

/// A bucket with the settings of the template, except for its versioning.
pub(crate) fn bucket_settings(stub: &Stub, bucket: &str, versioning: &str) {
    let on = |name: &str| format!("<{name}>true</{name}>");
    let block: String = ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"]
        .into_iter()
        .map(on)
        .collect();
    let at = |what: &str| format!("s3:GET /{bucket}?{what}");
    stub.on(
        &at("versioning"),
        [Reply::ok(format!("<VersioningConfiguration><Status>{versioning}</Status></VersioningConfiguration>"))],
    )
    .on(
        &at("encryption"),
        [Reply::ok(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
             <SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
             </ServerSideEncryptionConfiguration>",
        )],
    )
    .on(
        &at("publicAccessBlock"),
        [Reply::ok(format!("<PublicAccessBlockConfiguration>{block}</PublicAccessBlockConfiguration>"))],
    )
    .on(
        &at("ownershipControls"),
        [Reply::ok(
            "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>\
             </OwnershipControls>",
        )],
    );
}

#[tokio::test]
async fn bucket_policy_is_retried_until_the_new_role_is_visible() {
    let stub = Stub::new().await;
    let bucket = resource("us-west-2/bucket/pl-pt99-5-uploads");
    let wanted = bucket.wanted(&Actual::new());
    let sftpctl_core::model::Want::Is(policy) = &wanted["policy"] else { panic!() };
    let none = || Reply::s3_error(404, "NoSuchBucketPolicy", "The bucket policy does not exist");
    bucket_settings(&stub, "pl-pt99-5-uploads", "Enabled");
    stub.on(
        "s3:GET /pl-pt99-5-uploads?policy",
        [none(), none(), none(), none(), none(), none(), Reply::ok(policy.to_string())],
    )
    .on(
        "s3:GET /pl-pt99-5-uploads?tagging",
        [Reply::ok("<Tagging><TagSet><Tag><Key>sftpctl:environment</Key><Value>99</Value></Tag></TagSet></Tagging>")],
    )
    .on(
        "s3:PUT /pl-pt99-5-uploads?policy",
        [
            Reply::s3_error(400, "MalformedPolicy", "Invalid principal in policy"),
            Reply::s3_error(400, "MalformedPolicy", "Invalid principal in policy"),
            Reply::new(204, ""),
        ],
    );
    let ended = deploy_one(&stub, bucket.id().as_str(), existing_stack()).await;
    assert_eq!(ended.outcome(bucket.id())["outcome"], "changed", "{:?}", ended.outcomes);
    assert_eq!(stub.count("s3:PUT /pl-pt99-5-uploads?policy"), 3);
    let put: Value = serde_json::from_str(&stub.asked("s3:PUT /pl-pt99-5-uploads?policy")[0].body).unwrap();
    assert_eq!(&put, policy);
}

#[rstest]
#[case::in_this_region(Reply::s3_error(403, "AccessDenied", "Access Denied"))]
#[case::in_another_region(Reply::s3_error(301, "PermanentRedirect", "The bucket must be addressed elsewhere"))]
#[tokio::test]
async fn bucket_name_of_another_account_is_reported_first(#[case] reply: Reply) {
    let stub = Stub::new().await;
    stub.on("s3:GET /pl-pt99-5-uploads?policy", [reply]);
    let observed =
        observe(&stub.aws(REGION).await, &[resource("us-west-2/bucket/pl-pt99-5-uploads")], &Default::default()).await;
    let findings = planner::foreign(&observed.actual);
    assert!(findings[0].contains("bucket names are global: set `names: { bucket_prefix: … }`"), "{findings:?}");
}

#[tokio::test]
async fn bucket_calls_send_the_expected_owner() {
    let stub = Stub::new().await;
    let missing = || Reply::s3_error(404, "NoSuchBucket", "The specified bucket does not exist");
    stub.on("s3:GET /pl-pt99-5-uploads?policy", [missing()]);
    let bucket = resource("us-west-2/bucket/pl-pt99-5-uploads");
    let observed = observe(&stub.aws(REGION).await, &[Arc::clone(&bucket)], &Default::default()).await;
    assert_eq!(observed.actual[bucket.id()], None, "404 means that the name is free");
    assert_eq!(stub.asked("s3:GET /pl-pt99-5-uploads?policy")[0].owner, "111111111111");
}
