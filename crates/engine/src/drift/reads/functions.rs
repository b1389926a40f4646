//! The authorizer: its settings, and whether its code is the package that the stack deployed. CloudFormation compares
//! neither the code nor the properties that a template leaves out.

use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::super::unknown::UNKNOWN;
use super::{Answer, Wanted, to_template_names};
use crate::resources::package::sha256_of;
use sftpctl_aws::{Aws, AwsError};

pub(super) async fn read(aws: &Aws, region: &str, wanted: &[Wanted<'_>]) -> Answer {
    try_join_all(wanted.iter().map(|function| one(aws, region, function))).await
}

async fn one(aws: &Aws, region: &str, wanted: &Wanted<'_>) -> Result<Option<Value>, AwsError> {
    let Some(function) = aws.lambda(region).function(wanted.id).await? else { return Ok(None) };
    let mut facts = to_template_names(&function.settings);
    facts["ReservedConcurrentExecutions"] = json!(function.reserved);
    if let Some(code) = function.code_sha256 {
        facts["Code"] = match deployed(aws, region, &wanted.properties["Code"]).await? {
            Some(packed) if packed != code => format!("another package (SHA-256 {code})").into(),
            _ => UNKNOWN.into(),
        };
    }
    Ok(Some(facts))
}

/// The SHA-256 of the package that the stack deployed, in base64; `None` if the package no longer exists.
async fn deployed(aws: &Aws, region: &str, code: &Value) -> Result<Option<String>, AwsError> {
    let (Some(bucket), Some(key)) = (code["S3Bucket"].as_str(), code["S3Key"].as_str()) else { return Ok(None) };
    let version = code["S3ObjectVersion"].as_str();
    match aws.s3(region).open_version(bucket, key, version).await? {
        Some(object) => Ok(Some(sha256_of(object).await?)),
        None => Ok(None),
    }
}
