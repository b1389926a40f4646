//! Buckets that an earlier teardown kept, and their import into a region's stack by an IMPORT change set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use serde_json::Value;
use sftpctl_aws::{Aws, AwsError, CloudFormation, StackFacts, StackRequest};
use sftpctl_core::model::{Actual, Live, Owner, PropertyChange};
use sftpctl_core::template;

use super::stack::{ONLY_DELETABLE, Stack, status};
use super::{bucket, stack_diff};
use crate::resources::resource::ResourceError;
use crate::wait;

/// Prefix of the names of our operations (`state::writer`), which are client tokens and names of change sets.
const OPERATIONS: &str = "sftpctl-";

impl Stack {
    /// Kept buckets of ours that are not in the live template. If the template is unknown (it is not JSON, or the stack
    /// is in progress), no bucket counts as missing: AWS refuses to import a bucket that is in the stack already.
    pub(super) fn kept(&self, live: Option<&Live>, actual: &Actual) -> BTreeMap<String, String> {
        // With this digest the live template is the wanted one, and contains every bucket.
        if live.is_some_and(|live| live.properties.get("template") == Some(&Value::String(self.digest.clone()))) {
            return BTreeMap::new();
        }
        let in_stack = match live.map(|live| (live.properties.get("body"), status(live))) {
            Some((Some(body), _)) if body.is_object() => stack_diff::bucket_names(body),
            Some((None, status)) if ONLY_DELETABLE.contains(&status) => BTreeSet::new(),
            Some(_) => return BTreeMap::new(),
            None => BTreeSet::new(),
        };
        self.buckets
            .iter()
            .filter(|(name, (_, node))| {
                let exists =
                    actual.get(node).and_then(Option::as_ref).is_some_and(|bucket| bucket.owner == Owner::Ours);
                exists && !in_stack.contains(*name)
            })
            .map(|(name, (logical, _))| (logical.clone(), name.clone()))
            .collect()
    }

    /// Changes to kept buckets before their import.
    pub(super) fn kept_settings(&self, kept: &BTreeMap<String, String>, actual: &Actual) -> Vec<PropertyChange> {
        let mut changes = Vec::new();
        for name in kept.values() {
            let node = self.buckets.get(name).map(|(_, node)| node);
            let Some(live) = node.and_then(|node| actual.get(node)).and_then(Option::as_ref) else { continue };
            if let Some(policy) = live.properties.get("policy").filter(|policy| !policy.is_null()) {
                let own = Some("the stack's own".into());
                changes.push(PropertyChange::new(format!("{name} policy"), Some(policy.clone()), own));
            }
            for (setting, wanted) in bucket::SETTINGS {
                let Some(before) = live.properties.get(setting).filter(|before| *before != wanted) else { continue };
                let before = Some(before.clone()).filter(|before| !before.is_null());
                changes.push(PropertyChange::new(format!("{name} {setting}"), before, Some(wanted.into())));
            }
        }
        changes
    }

    /// Whether a stack without tags was created by an import of ours: an import cannot set tags, so they are missing
    /// until the update that follows. Our change sets have the names of our operations, and their events have them as
    /// tokens.
    pub(super) async fn is_our_import(
        &self,
        cloudformation: &CloudFormation,
        stack: &StackFacts,
    ) -> Result<bool, AwsError> {
        // The update after an import brings the tags; if it is rolled back, they are gone again.
        let untagged = ["IMPORT_", "REVIEW_", "UPDATE_ROLLBACK_"];
        if !stack.tags.is_empty() || !untagged.iter().any(|status| stack.status.starts_with(status)) {
            return Ok(false);
        }
        let ours = |name: &str| name.starts_with(OPERATIONS);
        if stack.change_set.as_deref().is_some_and(ours) {
            return Ok(true);
        }
        // By name: AWS takes either, and an emulator may not know the ARN of a stack in REVIEW_IN_PROGRESS.
        if cloudformation.change_sets(&self.name).await?.iter().any(|name| ours(name)) {
            return Ok(true);
        }
        let events = cloudformation.events(&stack.arn, |_| true).await?;
        Ok(events.iter().filter_map(|event| event.token.as_deref()).any(ours))
    }

    /// Imports kept buckets, with a change set that contains only the existing resources and the buckets.
    pub(super) async fn import(
        &self,
        aws: &Aws,
        live: Option<&Live>,
        kept: &BTreeMap<String, String>,
        token: &str,
    ) -> Result<(), ResourceError> {
        let cloudformation = aws.cloudformation(&self.region);
        let existing = live.and_then(|l| l.properties.get("body")).filter(|body| body.is_object());
        let body = template::body(&stack_diff::import_template(existing, &self.template, kept.keys()));
        // AWS refuses an import that also changes parameters. The update that follows sets the new values.
        let current = live.and_then(|live| live.properties.get("current parameters")).and_then(Value::as_object);
        let parameters = current
            .into_iter()
            .flatten()
            .filter(|(key, _)| existing.is_some_and(|body| body["Parameters"].get(key).is_some()))
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
            .collect();
        // Before the import, after which CloudFormation assumes that the buckets match the template.
        for bucket in kept.values() {
            bucket::prepare_for_import(&aws.s3(&self.region), bucket, &self.account).await?;
        }
        let url = self.upload_large(aws, &body).await?;
        let request = StackRequest {
            name: &self.name,
            token,
            body: &body,
            url: url.as_deref(),
            parameters: &parameters,
            tags: &self.tags,
        };
        cloudformation.plan_import(&request, token, kept).await?;
        let last = std::sync::Mutex::new("not there".to_owned());
        let planned = wait::short(wait::CHANGE_SET, || async {
            match cloudformation.change_set(&self.name, token).await? {
                Some((status, _)) if status.ends_with("COMPLETE") => Ok(Some(Ok(()))),
                Some((status, reason)) if status == "FAILED" => Ok(Some(Err(reason))),
                Some((status, _)) => {
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = status;
                    Ok(None)
                }
                None => Ok(None),
            }
        });
        match planned.await? {
            Some(Ok(())) => Ok(cloudformation.execute(&self.name, token, token).await?),
            Some(Err(reason)) => {
                cloudformation.delete_change_set(&self.name, token).await?;
                Err(ResourceError::Refused(format!(
                    "CloudFormation refused to import the kept buckets of {} ({}): {reason}",
                    self.name,
                    kept.values().cloned().collect::<Vec<_>>().join(", ")
                )))
            }
            None => Err(ResourceError::TimedOut {
                what: format!("the change set {token} of {}", self.name),
                status: last.into_inner().unwrap_or_else(PoisonError::into_inner),
                waited: wait::CHANGE_SET,
            }),
        }
    }
}
