//! IAM's policy simulator.

use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType};

use super::error::Call as _;
use super::{AwsError, Iam};

/// The simulator's answer for one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    pub action: String,
    pub decision: Decision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allowed,
    /// The principal's policies do not allow it, or deny it.
    Denied,
    /// The permissions boundary does not allow it.
    DeniedByBoundary,
    /// The organisation's policies do not allow it.
    DeniedByOrganization,
}

impl Iam {
    /// Evaluates the policies of a user or role for actions on one resource. A session's ARN is not accepted.
    pub async fn simulate(
        &self,
        principal: &str,
        actions: &[String],
        resource: &str,
        context: &[(String, Vec<String>)],
    ) -> Result<Vec<Simulated>, AwsError> {
        let entries = context.iter().map(|(key, values)| {
            let kind = ContextKeyTypeEnum::String;
            let entry = ContextEntry::builder().context_key_name(key).context_key_type(kind);
            entry.set_context_key_values(Some(values.clone())).build()
        });
        let mut pages = self
            .0
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(actions.to_vec()))
            .resource_arns(resource)
            .set_context_entries(Some(entries.collect()))
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.call("iam:SimulatePrincipalPolicy", principal)?;
            found.extend(
                page.evaluation_results().iter().map(|result| Simulated {
                    action: result.eval_action_name().to_owned(),
                    decision: decision(result),
                }),
            );
        }
        Ok(found)
    }
}

/// The decision. Since 2026 the simulator answers once for each action, with the decisions for its resources inside.
fn decision(result: &EvaluationResult) -> Decision {
    let inside = result.resource_specific_results();
    let allowed = PolicyEvaluationDecisionType::Allowed;
    let is_allowed = match inside {
        [] => *result.eval_decision() == allowed,
        inside => inside.iter().all(|one| *one.eval_resource_decision() == allowed),
    };
    let of_boundary = inside.iter().filter_map(|one| one.permissions_boundary_decision_detail());
    let mut of_boundary = of_boundary.chain(result.permissions_boundary_decision_detail());
    if is_allowed {
        Decision::Allowed
    } else if result.organizations_decision_detail().is_some_and(|detail| !detail.allowed_by_organizations()) {
        Decision::DeniedByOrganization
    } else if of_boundary.any(|detail| !detail.allowed_by_permissions_boundary()) {
        Decision::DeniedByBoundary
    } else {
        Decision::Denied
    }
}
