//! AssumeRole: the role's trust policy must admit the caller, and so must the caller's own policies.
//!
//! The account's own keys, whose access key is the account ID, may assume every role whose trust policy names services
//! only: tests try out the roles of services with them. A trust policy that names an AWS principal applies to them as to
//! the account's root user.

use std::collections::BTreeMap;

use iam_model::{Caller, Decision, Policy, Request, evaluate};
use serde_json::Value;

use super::super::Front;
use super::super::operation::Form;
use crate::execute_api::Session;

/// Why a role is not assumed: the status, the code and the message.
pub(super) type Refusal = (u16, &'static str, String);

/// The longest session of a role that is assumed by a session (IAM user guide, "Role chaining").
const CHAINED: u64 = 3600;

/// `caller` is `None` for the account's own keys.
pub(super) async fn check(front: &Front, account: &str, caller: Option<&Session>, form: &Form) -> Result<(), Refusal> {
    let role_arn = form.get("RoleArn").unwrap_or_default();
    let who = match caller {
        Some(session) => session.arn(),
        None => format!("arn:aws:iam::{account}:root"),
    };
    let denied = || {
        (
            403,
            "AccessDenied",
            format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"),
        )
    };
    if form.get("PolicyArns.member.1.arn").is_some() {
        return Err((400, "ValidationError", "the local cloud does not model PolicyArns of AssumeRole".to_owned()));
    }
    let seconds = form.get("DurationSeconds").and_then(|text| text.parse().ok()).unwrap_or(CHAINED);
    if caller.is_some() && seconds > CHAINED {
        let text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err((400, "ValidationError", text.to_owned()));
    }
    let owner = role_arn.split(':').nth(4).unwrap_or_default().to_owned();
    let name = role_arn.rsplit('/').next().unwrap_or_default();
    let role = front.cloud.aws(&owner).await.iam().role(name).await.map_err(|error| broken(&error))?;
    let role = role.filter(|role| role.arn == role_arn).ok_or_else(denied)?;
    if seconds > role.longest_session {
        let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err((400, "ValidationError", text.to_owned()));
    }
    if caller.is_none() && !admits_identities(&role.trust) {
        return Ok(());
    }
    let trust = Policy::parse(&role.trust).map_err(|error| broken(&error))?;
    let mut limits = Vec::new();
    let (caller, own) = match caller {
        Some(session) => {
            let name = session.role_arn.rsplit('/').next().unwrap_or_default();
            let aws = front.cloud.aws(account).await;
            let policies = front.cloud.roles.of(&aws, account, name).await.map_err(|error| broken(&error))?;
            let policies = policies.ok_or_else(denied)?;
            limits.extend(policies.boundary.as_deref().cloned());
            let limit = session.policy.as_deref().map(Policy::parse).transpose();
            limits.extend(limit.map_err(|error| broken(&error))?);
            (Caller::role_session(&session.role_arn, &session.name), policies.identity.to_vec())
        }
        None => {
            // The root user of the model: a role of the account that may do everything.
            let everything = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
            let root = Caller::role_session(&format!("arn:aws:iam::{account}:role/root"), "root");
            (root, vec![Policy::parse(everything).map_err(|error| broken(&error))?])
        }
    };
    let caller = caller.map_err(|error| broken(&error))?;
    let field = |field: &str, key: &str| form.get(field).map(|value| (key.to_owned(), vec![value.to_owned()]));
    let context = [
        field("ExternalId", "sts:ExternalId"),
        field("RoleSessionName", "sts:RoleSessionName"),
        Some(("aws:SecureTransport".to_owned(), vec!["true".to_owned()])),
    ];
    let request = Request {
        caller: &caller,
        action: "sts:AssumeRole",
        resource: role_arn,
        resource_account: None,
        context: context.into_iter().flatten().collect::<BTreeMap<_, _>>(),
    };
    // A boundary limits as a session policy does.
    let limits = limits.iter().map(Some).chain(std::iter::once(None));
    for limit in limits {
        match evaluate(&request, &own, limit, Some(&trust)).map_err(|error| broken(&error))? {
            Decision::Allow { .. } => {}
            Decision::ImplicitDeny { .. } | Decision::ExplicitDeny { .. } => return Err(denied()),
        }
    }
    Ok(())
}

fn broken(error: &dyn std::fmt::Display) -> Refusal {
    (403, "AccessDenied", format!("the local cloud cannot evaluate the trust policy: {error}"))
}

/// Whether a trust policy names principals other than services.
fn admits_identities(trust: &str) -> bool {
    let trust: Value = serde_json::from_str(trust).unwrap_or_default();
    let statements = match &trust["Statement"] {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    statements.iter().any(|statement| match &statement["Principal"] {
        Value::Object(kinds) => kinds.keys().any(|kind| kind != "Service"),
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_of_services_are_told_apart() {
        for (principal, expected) in [
            (r#"{"Service":"transfer.amazonaws.com"}"#, false),
            (r#"{"AWS":"arn:aws:iam::111111111111:root"}"#, true),
            (r#"{"Service":"a.amazonaws.com","AWS":"111111111111"}"#, true),
            (r#""*""#, true),
        ] {
            let statement = format!(r#"{{"Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole"}}"#);
            assert_eq!(admits_identities(&format!(r#"{{"Statement":[{statement}]}}"#)), expected, "{principal}");
            assert_eq!(admits_identities(&format!(r#"{{"Statement":{statement}}}"#)), expected, "{principal}");
        }
    }
}
