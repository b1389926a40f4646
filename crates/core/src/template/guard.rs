//! The guard's table, and what the function's role may do there.

use serde_json::{Map, Value};

use super::TemplateError;
use crate::spec::model::Environment;

const TABLE: &str = "GuardTable";
const ROLE: &str = "AuthorizerRole";
/// The name of the role's policy.
const POLICY: &str = "use-guard";

/// Takes both away, if the environment has no guard.
pub(super) fn fit(environment: &Environment, resources: &mut Map<String, Value>) -> Result<(), TemplateError> {
    let role = resources.get_mut(ROLE).ok_or(TemplateError::Lacks(ROLE))?;
    let policies = role["Properties"]["Policies"].as_array_mut().ok_or(TemplateError::Lacks(ROLE))?;
    if !policies.iter().any(|policy| policy["PolicyName"] == POLICY) {
        return Err(TemplateError::Lacks(POLICY));
    }
    if !resources.contains_key(TABLE) {
        return Err(TemplateError::Lacks(TABLE));
    }
    if environment.guard.is_none() {
        if let Some(policies) = resources[ROLE]["Properties"]["Policies"].as_array_mut() {
            policies.retain(|policy| policy["PolicyName"] != POLICY);
        }
        resources.remove(TABLE);
    }
    Ok(())
}
