//! Changes during which nobody can log in, announced before they are made. Pure.

use crate::kind::Kind;
use crate::model::{Action, Change, Live};
use crate::plan::model::{Plan, Step};

/// Properties of a server that AWS changes only while it is stopped (Transfer Family API reference, `EndpointDetails`).
pub const ENDPOINT_TYPE: &str = "endpoint type";
pub const VPC: &str = "VPC";
pub const SUBNETS: &str = "subnets";
pub const ADDRESSES: &str = "addresses";
const WHILE_STOPPED: [&str; 4] = [ENDPOINT_TYPE, VPC, SUBNETS, ADDRESSES];

/// Minutes from StopServer to ONLINE. An estimate: AWS documents no times; its own example waits five minutes for the
/// stop (Transfer Family user guide, "Create a server in a virtual private cloud").
pub const MINUTES: (u32, u32) = (5, 15);

/// Whether AWS stops the server for this change.
pub fn stops_server(change: &Change) -> bool {
    WHILE_STOPPED.iter().any(|property| change.touches(property))
}

/// The sentence for the change of an existing server, if nobody can log in meanwhile.
pub fn sentence(change: &Change, live: Option<&Live>) -> Option<String> {
    live.filter(|_| stops_server(change))?;
    let (low, high) = MINUTES;
    Some(format!(
        "outage: nobody can log in to this server for {low} to {high} minutes (an estimate), and open sessions end: AWS \
         changes the endpoint only while the server is stopped. Its name and host keys stay"
    ))
}

/// Whether a step of the plan is an outage.
pub fn is_announced(step: &Step) -> bool {
    step.kind == Kind::Server && step.change.action == Action::Update && stops_server(&step.change)
}

/// The regions whose customers cannot log in while the plan is executed.
pub fn regions(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().filter(|step| is_announced(step)).map(|step| step.id.place()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::PropertyChange;

    #[test]
    fn only_changes_of_an_existing_endpoint_are_outages() {
        let change = |property: &str| Change {
            action: Action::Update,
            reason: None,
            properties: vec![PropertyChange::new(property, None, Some(json!("x")))],
        };
        let live = Live::new("s-1");
        for property in WHILE_STOPPED {
            assert!(sentence(&change(property), Some(&live)).is_some_and(|text| text.contains("5 to 15 minutes")));
            assert_eq!(sentence(&change(property), None), None, "{property}");
        }
        for property in ["security groups", "security policy", "state"] {
            assert_eq!(sentence(&change(property), Some(&live)), None, "{property}");
        }
    }
}
