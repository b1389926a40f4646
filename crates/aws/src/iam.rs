//! Roles and managed policies.

use std::collections::BTreeMap;

use aws_config::retry::RetryConfig;
use aws_sdk_iam::types::Tag;

use super::error::{Call as _, OrMissing as _};
use super::{AwsError, Tags};

#[derive(Clone, Debug)]
pub struct Iam(pub(super) aws_sdk_iam::Client);

#[derive(Clone, Debug)]
pub struct RoleFacts {
    pub arn: String,
    /// Trust policy as JSON.
    pub trust: String,
    /// ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Seconds that a session may last, `MaxSessionDuration`.
    pub longest_session: u64,
    pub tags: Tags,
}

/// `MaxSessionDuration` of a role for which it was not set (IAM API reference, "CreateRole"), in seconds.
const LONGEST_SESSION: u64 = 3600;

/// A role to create.
#[derive(Clone, Copy, Debug)]
pub struct NewRole<'a> {
    pub name: &'a str,
    pub description: &'a str,
    /// Trust policy.
    pub trust: &'a str,
    /// ARN of the managed policy that is its permissions boundary.
    pub boundary: Option<&'a str>,
    pub tags: &'a Tags,
}

const MISSING: &[&str] = &["NoSuchEntity"];

impl Iam {
    pub async fn role(&self, name: &str) -> Result<Option<RoleFacts>, AwsError> {
        let call = self.0.get_role().role_name(name).send().await.call("iam:GetRole", name);
        Ok(call.or_missing(MISSING)?.and_then(|answer| answer.role).map(|role| RoleFacts {
            trust: decoded(role.assume_role_policy_document().unwrap_or_default()),
            boundary: role
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn().map(str::to_owned)),
            longest_session: role
                .max_session_duration()
                .and_then(|seconds| seconds.try_into().ok())
                .unwrap_or(LONGEST_SESSION),
            tags: untag(role.tags()),
            arn: role.arn,
        }))
    }

    /// Creates a role; one that exists already is fine.
    pub async fn create_role(&self, role: &NewRole<'_>) -> Result<(), AwsError> {
        let call = self.0.create_role().role_name(role.name).description(role.description);
        let call =
            call.assume_role_policy_document(role.trust).set_permissions_boundary(role.boundary.map(str::to_owned));
        let call = call.set_tags(Some(tagged(role.tags))).send().await.call("iam:CreateRole", role.name);
        call.or_missing(&["EntityAlreadyExists"]).map(drop)
    }

    /// Replaces the trust policy.
    pub async fn set_trust(&self, name: &str, trust: &str) -> Result<(), AwsError> {
        let call = self.0.update_assume_role_policy().role_name(name).policy_document(trust).send().await;
        call.call("iam:UpdateAssumeRolePolicy", name).map(drop)
    }

    /// Sets the permissions boundary.
    pub async fn set_boundary(&self, name: &str, boundary: &str) -> Result<(), AwsError> {
        let call = self.0.put_role_permissions_boundary().role_name(name).permissions_boundary(boundary);
        call.send().await.call("iam:PutRolePermissionsBoundary", name).map(drop)
    }

    /// Adds tags.
    pub async fn tag_role(&self, name: &str, tags: &Tags) -> Result<(), AwsError> {
        let call = self.0.tag_role().role_name(name).set_tags(Some(tagged(tags))).send().await;
        call.call("iam:TagRole", name).map(drop)
    }

    /// Deletes a role; missing is fine.
    pub async fn delete_role(&self, name: &str) -> Result<(), AwsError> {
        self.0.delete_role().role_name(name).send().await.call("iam:DeleteRole", name).or_missing(MISSING).map(drop)
    }

    /// ARNs of the managed policies attached to a role; `None` without the role.
    pub async fn attached(&self, role: &str) -> Result<Option<Vec<String>>, AwsError> {
        let mut arns = Vec::new();
        let mut pages = self.0.list_attached_role_policies().role_name(role).into_paginator().send();
        while let Some(page) = pages.next().await {
            match page.call("iam:ListAttachedRolePolicies", role).or_missing(MISSING)? {
                None => return Ok(None),
                Some(page) => {
                    arns.extend(page.attached_policies().iter().filter_map(|p| p.policy_arn().map(str::to_owned)));
                }
            }
        }
        Ok(Some(arns))
    }

    /// Documents of every policy of a role, inline and attached; `None` without the role.
    pub async fn role_policies(&self, role: &str) -> Result<Option<Vec<String>>, AwsError> {
        let Some(attached) = self.attached(role).await? else { return Ok(None) };
        let mut documents = Vec::new();
        for arn in attached {
            documents.extend(self.policy(&arn).await?.map(|(document, _)| document));
        }
        documents.extend(self.inline_policies(role).await?.unwrap_or_default().into_values());
        Ok(Some(documents))
    }

    /// Documents of the inline policies of a role by name; `None` without the role.
    pub async fn inline_policies(&self, role: &str) -> Result<Option<BTreeMap<String, String>>, AwsError> {
        let mut documents = BTreeMap::new();
        let mut pages = self.0.list_role_policies().role_name(role).into_paginator().send();
        while let Some(page) = pages.next().await {
            let Some(page) = page.call("iam:ListRolePolicies", role).or_missing(MISSING)? else { return Ok(None) };
            for name in page.policy_names() {
                let call = self.0.get_role_policy().role_name(role).policy_name(name).send().await;
                if let Some(answer) = call.call("iam:GetRolePolicy", role).or_missing(MISSING)? {
                    documents.insert(name.clone(), decoded(answer.policy_document()));
                }
            }
        }
        Ok(Some(documents))
    }

    /// Attaches a managed policy; attached already is fine. A role or policy that is not known yet is busy: IAM is read
    /// from replicas.
    pub async fn attach(&self, role: &str, arn: &str) -> Result<(), AwsError> {
        let call = self.0.attach_role_policy().role_name(role).policy_arn(arn).send().await;
        call.call("iam:AttachRolePolicy", role).map(drop)
    }

    /// Detaches a managed policy; missing is fine.
    pub async fn detach(&self, role: &str, arn: &str) -> Result<(), AwsError> {
        let call = self.0.detach_role_policy().role_name(role).policy_arn(arn).send().await;
        call.call("iam:DetachRolePolicy", role).or_missing(MISSING).map(drop)
    }

    /// The default version's document and the tags of a managed policy.
    pub async fn policy(&self, arn: &str) -> Result<Option<(String, Tags)>, AwsError> {
        let call = self.0.get_policy().policy_arn(arn).send().await.call("iam:GetPolicy", arn);
        let Some(policy) = call.or_missing(MISSING)?.and_then(|answer| answer.policy) else { return Ok(None) };
        let version = policy.default_version_id().unwrap_or("v1");
        let call = self.0.get_policy_version().policy_arn(arn).version_id(version).send().await;
        // A new policy may be known before its version is.
        let Some(version) = call.call("iam:GetPolicyVersion", arn).or_missing(MISSING)? else { return Ok(None) };
        let document = version.policy_version.and_then(|version| version.document);
        Ok(Some((decoded(&document.unwrap_or_default()), untag(policy.tags()))))
    }

    /// Creates a managed policy; one that exists already is fine.
    pub async fn create_policy(
        &self,
        name: &str,
        description: &str,
        document: &str,
        tags: &Tags,
    ) -> Result<(), AwsError> {
        let call = self.0.create_policy().policy_name(name).description(description).policy_document(document);
        let call = call.set_tags(Some(tagged(tags))).send().await.call("iam:CreatePolicy", name);
        call.or_missing(&["EntityAlreadyExists"]).map(drop)
    }

    /// Creates a new default version. AWS keeps five: the oldest others are deleted first. The SDK does not retry it:
    /// IAM takes no token for it, so if only the answer was lost, a retry would create a second version.
    pub async fn set_policy(&self, arn: &str, document: &str) -> Result<(), AwsError> {
        self.drop_versions(arn, 3).await?;
        let call = self.0.create_policy_version().policy_arn(arn).policy_document(document).set_as_default(true);
        let once = aws_sdk_iam::config::Builder::new().retry_config(RetryConfig::disabled());
        let call = call.customize().config_override(once).send().await;
        call.call("iam:CreatePolicyVersion", arn).map(drop)
    }

    /// Adds tags to a managed policy.
    pub async fn tag_policy(&self, arn: &str, tags: &Tags) -> Result<(), AwsError> {
        let call = self.0.tag_policy().policy_arn(arn).set_tags(Some(tagged(tags))).send().await;
        call.call("iam:TagPolicy", arn).map(drop)
    }

    /// Deletes a managed policy with all its versions; missing is fine.
    pub async fn delete_policy(&self, arn: &str) -> Result<(), AwsError> {
        self.drop_versions(arn, 0).await?;
        self.0.delete_policy().policy_arn(arn).send().await.call("iam:DeletePolicy", arn).or_missing(MISSING).map(drop)
    }

    async fn drop_versions(&self, arn: &str, keep: usize) -> Result<(), AwsError> {
        let call = self.0.list_policy_versions().policy_arn(arn).send().await.call("iam:ListPolicyVersions", arn);
        let Some(answer) = call.or_missing(MISSING)? else { return Ok(()) };
        let mut others: Vec<_> = answer.versions().iter().filter(|v| !v.is_default_version()).collect();
        others.sort_by_key(|v| std::cmp::Reverse(v.create_date().map(|d| d.secs())));
        for version in others.into_iter().skip(keep) {
            let id = version.version_id().unwrap_or_default();
            let call = self.0.delete_policy_version().policy_arn(arn).version_id(id).send().await;
            call.call("iam:DeletePolicyVersion", arn).or_missing(MISSING)?;
        }
        Ok(())
    }
}

fn tagged(tags: &Tags) -> Vec<Tag> {
    // Both members are set, so the builder cannot refuse.
    tags.iter().filter_map(|(key, value)| Tag::builder().key(key).value(value).build().ok()).collect()
}

fn untag(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// IAM returns documents percent-encoded (RFC 3986).
fn decoded(document: &str) -> String {
    percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned()
}
