//! `state`: the state in a bucket, which a deployment replaces and never deletes.

use serde_json::{Value, json};

use super::arns::Arns;
use super::statement::{allow, allow_if};
use crate::spec::state_place::StatePlace;

/// The statements for a bucket; `None` for a folder. `objects` are the actions on the documents.
pub(super) fn statements(arns: &Arns<'_>, place: &StatePlace, objects: &[&str]) -> Option<Vec<Value>> {
    let StatePlace::Bucket { bucket, prefix, .. } = place else { return None };
    let bucket = format!("arn:aws:s3:::{bucket}");
    let documents = format!("{bucket}/{prefix}{}.*", arns.0.name);
    let mut all = vec![
        allow("State", objects, [documents]),
        // Without ListBucket, S3 responds with "access denied" instead of "not found" while there is no state yet.
        allow("StateBucket", &["s3:GetBucketVersioning", "s3:ListBucket"], [bucket]),
    ];
    all.extend(arns.0.state.kms_key.as_deref().map(|key| kms(&arns.0.account, key, objects.contains(&"s3:PutObject"))));
    Some(all)
}

/// The key by its ARN, ID or alias, for S3 alone.
fn kms(account: &str, key: &str, writes: bool) -> Value {
    let mut condition = json!({ "StringLike": { "kms:ViaService": "s3.*.amazonaws.com" } });
    let (resource, alias) = match key.rsplit_once(":alias/").or(key.strip_prefix("alias/").map(|alias| ("", alias))) {
        // An alias in another account has its key there.
        Some((before, alias)) => {
            let owner = before.rsplit_once(':').map_or(account, |(_, owner)| owner);
            (format!("arn:aws:kms:*:{owner}:key/*"), Some(alias))
        }
        None if key.starts_with("arn:") => (key.to_owned(), None),
        None => (format!("arn:aws:kms:*:{account}:key/{key}"), None),
    };
    if let Some(alias) = alias {
        condition["ForAnyValue:StringEquals"] = json!({ "kms:ResourceAliases": format!("alias/{alias}") });
    }
    let actions: &[&str] = if writes { &["kms:Decrypt", "kms:GenerateDataKey"] } else { &["kms:Decrypt"] };
    allow_if("StateKey", actions, [resource], condition)
}
