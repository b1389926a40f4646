//! Warnings about valid settings. Pure.

use super::checks::POLICIES;
use super::decrypt;
use super::malware;
use super::model::Environment;
use super::waf::Countries;
use crate::spec::names;
use crate::text::counted;
use crate::text::nearest;
use crate::user_policies::{ATTACHED, parts};

/// The security policy that AWS recommends for new servers.
const RECOMMENDED: &str = "TransferSecurityPolicy-2025-03";
/// Other policies that are as strict.
const AS_STRICT: [&str; 2] =
    ["TransferSecurityPolicy-FIPS-2025-03", "TransferSecurityPolicy-SshAuditCompliant-2025-02"];

/// Every warning, each one sentence.
pub(super) fn all(environment: &Environment) -> Vec<String> {
    let mut warnings = Vec::new();
    let policy = environment.server.security_policy.as_str();
    if !POLICIES.contains(&policy) {
        let like = nearest(policy, POLICIES.into_iter()).unwrap_or(RECOMMENDED);
        warnings.push(format!(
            "{policy} is not a security policy that this sftpctl knows (`server.security_policy`). If AWS does not know it \
             either, it refuses to create the server; the nearest known one is {like}"
        ));
    } else if policy != RECOMMENDED && !AS_STRICT.contains(&policy) {
        warnings.push(format!(
            "{policy} allows algorithms that are considered weak today; AWS recommends {RECOMMENDED} \
             (`server.security_policy`), unless a client is too old for that"
        ));
    }
    if !environment.server.ports.is_empty() && !environment.server.ports.contains(&22) {
        warnings.push(
            "`server.ports` leaves out port 22: customers whose clients use the default port can no longer connect"
                .into(),
        );
    }
    let in_vpcs: Vec<&str> = environment
        .regions
        .iter()
        .filter(|(_, settings)| settings.vpc_endpoint().is_some())
        .map(|(region, _)| region.as_str())
        .collect();
    if !environment.server.ports.is_empty() && !in_vpcs.is_empty() {
        warnings.push(format!(
            "`server.ports` is for public servers: those in VPCs ({}) listen on port 22 all the same",
            in_vpcs.join(", ")
        ));
    }
    if let Some(days) = environment.files.keep_old_versions_days {
        warnings.push(format!(
            "S3 deletes a version of a customer's file {} after it was replaced or deleted \
             (`files.keep_old_versions_days`): it cannot be restored after that, and `sftpctl history` no longer knows it",
            counted(days.into(), "day")
        ));
    }
    if let Some(ttl) = environment.ttl.as_ref().filter(|ttl| ttl.delete_data) {
        warnings.push(format!(
            "`sftpctl teardown --expired` deletes customers' files, with all versions, and the accounts {} after the \
             last deployment (`ttl.delete_data`)",
            ttl.written
        ));
    }
    if environment.waf.as_ref().is_some_and(|waf| !waf.blocks) {
        warnings.push(
            "AWS WAF refuses nobody, since `waf.mode` is `count`: read the metrics `CountedRequests` of its rules for a week, and \
             set `block` if they count no customers"
                .into(),
        );
    }
    for cluster in environment.decrypt.keys() {
        let elsewhere = decrypt::servers_elsewhere(environment, cluster);
        if !elsewhere.is_empty() {
            warnings.push(format!(
                "files of cluster {cluster} that customers upload through the servers of {} are not decrypted (`files.decrypt`): \
                 a workflow works in the region of its bucket",
                elsewhere.join(", ")
            ));
        }
    }
    let is_limited = environment.waf.as_ref().is_some_and(|waf| matches!(waf.countries, Some(Countries::Allow(_))));
    if is_limited && !in_vpcs.is_empty() {
        warnings.push(
            "`waf.countries.allow` also refuses addresses without a country, such as those of your own network (10.0.0.0/8) \
             that reach a server in its VPC: name them in `waf.allow`"
                .into(),
        );
    }
    warnings.extend(malware::warnings(environment));
    let buckets: Vec<_> =
        environment.clusters.keys().map(|cluster| names::upload_bucket(environment, cluster)).collect();
    let parts = parts(&buckets);
    if let Some(part) = parts.get(ATTACHED) {
        warnings.push(format!(
            "{} clusters need {} policies on the role {}; AWS attaches {ATTACHED}, enough for {} clusters, until IAM's \
             quota \"Managed policies attached to an IAM role\" is raised",
            buckets.len(),
            parts.len(),
            environment.names.user_role,
            part.start
        ));
    }
    warnings
}
