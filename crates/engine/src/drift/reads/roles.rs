//! Roles: their policies and permissions boundary. CloudFormation compares trust policy and description.

use std::collections::BTreeMap;

use futures_util::future::{try_join_all, try_join3};
use serde_json::{Value, json};

use super::{Answer, Wanted};
use sftpctl_aws::{Aws, AwsError};

pub(super) async fn read(aws: &Aws, _region: &str, wanted: &[Wanted<'_>]) -> Answer {
    try_join_all(wanted.iter().map(|role| one(aws, role.id))).await
}

async fn one(aws: &Aws, role: &str) -> Result<Option<Value>, AwsError> {
    let iam = aws.iam();
    let (whole, inline, attached) = try_join3(iam.role(role), iam.inline_policies(role), iam.attached(role)).await?;
    let (Some(whole), Some(inline), Some(attached)) = (whole, inline, attached) else { return Ok(None) };
    Ok(Some(json!({
        "Policies": policies(&inline),
        "ManagedPolicyArns": attached,
        "PermissionsBoundary": whole.boundary,
    })))
}

fn policies(inline: &BTreeMap<String, String>) -> Vec<Value> {
    let document = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    inline.iter().map(|(name, text)| json!({ "PolicyName": name, "PolicyDocument": document(text) })).collect()
}
