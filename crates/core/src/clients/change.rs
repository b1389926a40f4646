//! What a plan changes of security policies. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::policies;
use super::programs::shut_out;
use crate::kind::Kind;
use crate::plan::model::Plan;

/// The property of a server that is its policy.
pub const SECURITY_POLICY: &str = "security policy";

/// A policy that servers get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyChange {
    pub policy: String,
    /// The policy that they have; `None` for new servers.
    pub before: Option<String>,
    pub regions: Vec<String>,
    /// Whether the algorithms of the new policy are known.
    pub is_known: bool,
    /// Well-known clients that the policy shuts out, and the one before does not: `libssh2 before 1.11`.
    pub shuts_out: Vec<String>,
}

/// The policies that a plan's servers get, each once.
pub fn policy_changes(plan: &Plan) -> Vec<PolicyChange> {
    let mut regions: BTreeMap<(String, Option<String>), Vec<String>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| step.kind == Kind::Server) {
        let property = step.change.properties.iter().find(|property| property.name == SECURITY_POLICY);
        let Some(property) = property else { continue };
        let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
        let (Some(after), before) = (text(&property.after), text(&property.before)) else { continue };
        regions.entry((after, before)).or_default().push(step.id.place().to_owned());
    }
    let change = |((policy, before), regions): ((String, Option<String>), Vec<String>)| {
        let earlier = before.as_deref().and_then(policies::policy);
        let ranges = policies::policy(&policy).map(|policy| shut_out(policy, earlier));
        let shuts_out = ranges.iter().flatten().map(ToString::to_string).collect();
        PolicyChange { is_known: ranges.is_some(), shuts_out, policy, before, regions }
    };
    regions.into_iter().map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::NodeId;
    use crate::model::{Action, Change, PropertyChange};
    use crate::plan::model::{Step, VERSION};

    fn step(region: &str, before: Option<&str>, after: &str) -> Step {
        let whole = |name: &str| Value::String(format!("TransferSecurityPolicy-{name}"));
        let action = if before.is_some() { Action::Update } else { Action::Create };
        let properties = vec![PropertyChange::new(SECURITY_POLICY, before.map(whole), Some(whole(after)))];
        let change = Change { action, reason: None, properties };
        let id = NodeId::named(region, Kind::Server, "s");
        Step { id, kind: Kind::Server, title: "server".to_owned(), change, needs: Vec::new() }
    }

    fn changes(steps: Vec<Step>) -> Vec<PolicyChange> {
        policy_changes(&Plan { version: VERSION, environment: "99".to_owned(), account: "1".to_owned(), steps })
    }

    #[test]
    fn plans_say_whom_a_policy_shuts_out() {
        let found = changes(vec![step("a", None, "2025-03"), step("b", None, "2025-03")]);
        let [first] = &found[..] else { panic!("{found:?}") };
        assert_eq!((first.regions.join(" "), first.before.as_deref()), ("a b".to_owned(), None));
        assert!(first.is_known && first.shuts_out.contains(&"libssh2 before 1.11".to_owned()), "{first:?}");
        // Only what the policy before admits.
        let stricter = &changes(vec![step("a", Some("2022-03"), "2025-03")])[0];
        assert!(stricter.shuts_out.contains(&"JSch before 0.1.58".to_owned()), "{stricter:?}");
        assert!(stricter.shuts_out.contains(&"OpenSSH from 5.9 before 6.2".to_owned()), "{stricter:?}");
        for (before, after) in [("2024-01", "2025-03"), ("2025-03", "2022-03")] {
            assert_eq!(changes(vec![step("a", Some(before), after)])[0].shuts_out, Vec::<String>::new());
        }
        let unknown = &changes(vec![step("a", None, "2031-01")])[0];
        assert!(!unknown.is_known && unknown.shuts_out.is_empty());
        assert_eq!(changes(Vec::new()), []);
    }
}
