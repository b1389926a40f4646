//! Whether Transfer can use what the identity provider grants: the role, and the bucket of the home folder.

use std::collections::BTreeMap;

use serde_json::Value;

use super::diagnose::{Context, revert_hint};
use super::grants;
use sftp_authorizer::home::Home;
use sftpctl_aws::{AwsError, IdentityAnswer, Policy};
use sftpctl_core::spec::names;

/// The finding if the role or the bucket fails after the identity provider has admitted the user: Transfer assumes the
/// role and uses the bucket, which `TestIdentityProvider` does not try.
pub(super) async fn role_and_bucket(
    context: &Context<'_>,
    answer: &IdentityAnswer,
) -> Result<Option<(String, String)>, AwsError> {
    let body: Value = serde_json::from_str(&answer.response).unwrap_or_default();
    let role = body["Role"].as_str().unwrap_or_default();
    let deploy = format!("run: sftpctl deploy --env {}", context.environment.name);
    let name = role.rsplit('/').next().unwrap_or(role);
    let Some(facts) = context.aws.iam().role(name).await? else {
        // The stack sets which role the authorizer returns; the role itself is not part of the stack.
        let ours = role
            == format!("arn:aws:iam::{}:role/{}", context.environment.account, context.environment.names.user_role);
        let hint = if ours { deploy } else { revert_hint(context).unwrap_or(deploy) };
        return Ok(Some((format!("the authorizer hands out the role {role}, which does not exist"), hint)));
    };
    if facts.arn != role || !facts.trust.contains("transfer.amazonaws.com") {
        return Ok(Some((format!("the role {role} does not let Transfer Family assume it"), deploy)));
    }
    let Some(home) = home(&body) else {
        return Ok(Some(("the answer has no home folder".to_owned(), deploy)));
    };
    let region = names::cluster_of(context.environment, &home.bucket).map(|(_, cluster)| cluster.region.clone());
    let Some(region) = region else {
        let finding =
            format!("the home is in the bucket {}, which belongs to no cluster of this environment", home.bucket);
        return Ok(Some((
            finding,
            "correct the account's home, or add the cluster to the environment file".to_owned(),
        )));
    };
    let bucket = context.aws.s3(&region).policy(&home.bucket, &context.environment.account).await?;
    match bucket {
        Policy::NoBucket => return Ok(Some((format!("the bucket {} does not exist", home.bucket), deploy))),
        Policy::NotOurs => {
            let finding =
                format!("the bucket {} belongs to another account, or you may not read its policy", home.bucket);
            let hint = format!("find out which: aws s3api get-bucket-policy --bucket {}", home.bucket);
            return Ok(Some((finding, hint)));
        }
        Policy::None | Policy::Document(_) => {}
    }
    let documents = context.aws.iam().role_policies(&context.environment.names.user_role).await?.unwrap_or_default();
    let has = |document: &String| document.contains(&format!("arn:aws:s3:::{}\"", home.bucket));
    if !documents.iter().any(has) && !grants::names(&bucket, role) {
        let finding = format!("the user role's policy does not have the bucket {}", home.bucket);
        return Ok(Some((finding, deploy)));
    }
    Ok(None)
}

fn home(body: &Value) -> Option<Home> {
    if let Some(path) = body["HomeDirectory"].as_str() {
        return Home::parse(path);
    }
    let details: Vec<BTreeMap<String, String>> = serde_json::from_str(body["HomeDirectoryDetails"].as_str()?).ok()?;
    Home::parse(details.first()?.get("Target")?)
}
