//! The authorizer: its settings, and whether its code is the package that the stack deployed. CloudFormation compares
//! neither the code nor the properties that a template leaves out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::super::unknown::UNKNOWN;
use super::{Answer, Wanted, to_template_names};
use sftpctl_aws::{Aws, AwsError};

pub(super) async fn read(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    try_join_all(wanted.iter().map(|function| one(aws, region, function))).await
}

async fn one(aws: &Aws, region: &str, wanted: &Wanted<'_>) -> Result<Option<Value>, AwsError> {
    let Some(function) = aws.lambda(region).function(wanted.id).await? else { return Ok(None) };
    let mut facts = to_template_names(&function.settings);
    facts["ReservedConcurrentExecutions"] = json!(function.reserved);
    if let Some(code) = function.code_sha256 {
        facts["Code"] = match package(aws, region, &wanted.properties["Code"]).await? {
            Some(packed) if packed != code => format!("another package (SHA-256 {code})").into(),
            _ => UNKNOWN.into(),
        };
    }
    Ok(Some(facts))
}

/// The SHA-256 of the package that the stack deployed, in base64; `None` if the package no longer exists.
async fn package(aws: &Aws, region: &str, code: &Value) -> Result<Option<String>, AwsError> {
    let (Some(bucket), Some(key)) = (code["S3Bucket"].as_str(), code["S3Key"].as_str()) else { return Ok(None) };
    let Some(mut object) = aws.s3(region).open(bucket, key, 0, None).await? else { return Ok(None) };
    let mut digest = Sha256::new();
    while let Some(part) = object.next().await? {
        digest.update(&part);
    }
    Ok(Some(STANDARD.encode(digest.finalize())))
}
