//! IAM's policy simulator.

use std::collections::BTreeMap;

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PermissionsBoundaryDecisionDetail, PolicyEvaluationDecisionType,
};

use super::error::Call as _;
use super::{AwsError, Iam};

/// The simulator's answer for one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    pub action: String,
    /// The resource; `None` where the answer is one for several resources.
    pub resource: Option<String>,
    pub decision: Decision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// The principal's policies do not allow it, or deny it.
    Denied,
    /// The permissions boundary does not allow it.
    DeniedByBoundary,
    /// The organisation's policies do not allow it, and the principal's do.
    DeniedByOrganization,
    /// The organisation's policies do not allow it. The simulation ended there, so it does not say what the principal's
    /// allow: also for an administrator `MatchedStatements` is empty then (aws-containers/amazon-ecs-exec-checker,
    /// issue 70; aws/sagemaker-python-sdk, issue 6019).
    EndedByOrganization,
}

impl Iam {
    /// Evaluates the policies of a user or role for each action on each resource. A session's ARN is not accepted.
    pub async fn simulate(
        &self,
        principal: &str,
        actions: &[String],
        resources: &[String],
        context: &BTreeMap<String, String>,
    ) -> Result<Vec<Simulated>, AwsError> {
        let entries = context.iter().map(|(key, value)| {
            let kind = ContextKeyTypeEnum::String;
            let entry = ContextEntry::builder().context_key_name(key).context_key_type(kind);
            entry.context_key_values(value).build()
        });
        let mut pages = self
            .0
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(actions.to_vec()))
            .set_resource_arns(Some(resources.to_vec()))
            .set_context_entries(Some(entries.collect()))
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("iam:SimulatePrincipalPolicy", principal)?;
            found.extend(page.evaluation_results().iter().flat_map(|result| simulated(result, resources)));
        }
        Ok(found)
    }
}

/// The decisions for the resources of one result. Since 2026 the simulator answers once for each action, with the
/// decisions for its resources inside and the most restrictive of them outside (IAM API reference, `EvaluationResult`).
fn simulated(result: &EvaluationResult, resources: &[String]) -> Vec<Simulated> {
    let organization_denies =
        result.organizations_decision_detail().is_some_and(|detail| !detail.allowed_by_organizations());
    let denies = |detail: Option<&PermissionsBoundaryDecisionDetail>| {
        detail.is_some_and(|detail| !detail.allowed_by_permissions_boundary())
    };
    let of = |resource: Option<String>, decision: &PolicyEvaluationDecisionType, matched: bool, boundary: bool| {
        let decision = match (organization_denies, boundary) {
            _ if *decision == PolicyEvaluationDecisionType::Allowed => Decision::Allowed,
            (true, _) if matched => Decision::DeniedByOrganization,
            (true, _) => Decision::EndedByOrganization,
            (_, true) => Decision::DeniedByBoundary,
            _ => Decision::Denied,
        };
        Simulated { action: result.eval_action_name().to_owned(), resource, decision }
    };
    let matched = !result.matched_statements().is_empty();
    let boundary = denies(result.permissions_boundary_decision_detail());
    if result.resource_specific_results().is_empty() {
        let only = match resources {
            [only] => Some(only.clone()),
            _ => None,
        };
        return vec![of(only, result.eval_decision(), matched, boundary)];
    }
    let inside = result.resource_specific_results().iter().map(|one| {
        let matched = !one.matched_statements().is_empty() || (matched && resources.len() == 1);
        let boundary = boundary || denies(one.permissions_boundary_decision_detail());
        of(Some(one.eval_resource_name().to_owned()), one.eval_resource_decision(), matched, boundary)
    });
    inside.collect()
}
