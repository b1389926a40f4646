//! Answers `SimulatePrincipalPolicy` for roles. MiniStack leaves the context of the question out, so that it finds every
//! statement with a condition denied.
//!
//! As AWS's simulator, it knows the role's policies and its permissions boundary, and nothing else; a key that the
//! question does not have is missing (IAM API reference, `SimulatePrincipalPolicy`).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use iam_model::{Caller, Decision, Policy, Request, evaluate};

use super::Front;
use super::operation::Form;
use crate::roles::RolePolicies;

/// The answer. `None` where the principal is no role, or the role or its policies cannot be read.
pub(super) async fn answer(front: &Front, form: &Form) -> Option<String> {
    let principal = form.get("PolicySourceArn")?;
    let (account, name) = principal.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    let aws = front.cloud.aws(account).await;
    let role = name.rsplit('/').next()?;
    let policies = front.cloud.roles.of(&aws, account, role).await.ok()??;
    Some(simulated(principal, account, &policies, form))
}

fn simulated(principal: &str, account: &str, policies: &RolePolicies, form: &Form) -> String {
    let mut resources = members(form, "ResourceArns");
    if resources.is_empty() {
        resources.push("*".to_owned());
    }
    let context = context(form);
    let mut results = String::new();
    for action in members(form, "ActionNames") {
        let decisions: Vec<_> = resources
            .iter()
            .map(|resource| (resource, decided(principal, account, policies, (&action, resource), &context)))
            .collect();
        let overall =
            ["explicitDeny", "implicitDeny"].into_iter().find(|worst| decisions.iter().any(|(_, d)| d.0 == *worst));
        let of_boundary = |allows: Option<bool>| match allows {
            None => String::new(),
            Some(allows) => format!(
                "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>{allows}</AllowedByPermissionsBoundary>\
                 </PermissionsBoundaryDecisionDetail>"
            ),
        };
        let inside: String = decisions
            .iter()
            .map(|(resource, (decision, boundary))| {
                format!(
                    "<member><EvalResourceName>{}</EvalResourceName><EvalResourceDecision>{decision}\
                     </EvalResourceDecision><MatchedStatements/><MissingContextValues/>{}</member>",
                    escaped(resource),
                    of_boundary(*boundary)
                )
            })
            .collect();
        let _ = write!(
            results,
            "<member><EvalActionName>{}</EvalActionName><EvalResourceName>{}</EvalResourceName><EvalDecision>{}\
             </EvalDecision><MatchedStatements/><MissingContextValues/><ResourceSpecificResults>{inside}\
             </ResourceSpecificResults></member>",
            escaped(&action),
            escaped(&resources.join(",")),
            overall.unwrap_or("allowed")
        );
    }
    format!(
        "<SimulatePrincipalPolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
         <SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>{results}\
         </EvaluationResults></SimulatePrincipalPolicyResult><ResponseMetadata><RequestId>{}</RequestId>\
         </ResponseMetadata></SimulatePrincipalPolicyResponse>",
        super::answers::request_id()
    )
}

/// The decision in the simulator's words, and whether the permissions boundary allows it, if there is one.
fn decided(
    principal: &str,
    account: &str,
    policies: &RolePolicies,
    (action, resource): (&str, &str),
    context: &BTreeMap<String, Vec<String>>,
) -> (&'static str, Option<bool>) {
    let Ok(caller) = Caller::role_session(principal, "simulation") else { return ("implicitDeny", None) };
    let context = context.clone();
    let request = Request { caller: &caller, action, resource, resource_account: Some(account), context };
    let by = |policies: &[Policy]| match evaluate(&request, policies, None, None) {
        Ok(Decision::Allow { .. }) => "allowed",
        Ok(Decision::ExplicitDeny { .. }) => "explicitDeny",
        Ok(Decision::ImplicitDeny { .. }) | Err(_) => "implicitDeny",
    };
    let own = by(&policies.identity);
    match policies.boundary.as_deref().map(|boundary| by(std::slice::from_ref(boundary))) {
        None => (own, None),
        Some("allowed") => (own, Some(true)),
        Some("explicitDeny") => ("explicitDeny", Some(false)),
        Some(_) => (if own == "explicitDeny" { own } else { "implicitDeny" }, Some(false)),
    }
}

fn members(form: &Form, list: &str) -> Vec<String> {
    let member = |number: usize| form.get(&format!("{list}.member.{number}")).map(str::to_owned);
    (1..).map_while(member).collect()
}

fn context(form: &Form) -> BTreeMap<String, Vec<String>> {
    let entry = |number: usize| {
        let entry = format!("ContextEntries.member.{number}");
        let key = form.get(&format!("{entry}.ContextKeyName"))?.to_owned();
        Some((key, members(form, &format!("{entry}.ContextKeyValues"))))
    };
    (1..).map_while(entry).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn policy(document: &str) -> Policy {
        Policy::parse(document).unwrap()
    }

    #[test]
    fn conditions_and_the_boundary_are_known() {
        let own = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"s3:*","Resource":"*"},
            {"Effect":"Allow","Action":"iam:PassRole","Resource":"*",
             "Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}}]}"#;
        let boundary = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":["iam:*","s3:GetObject"],"Resource":"*"}]}"#;
        let policies = RolePolicies { identity: Arc::from([policy(own)]), boundary: Some(Arc::new(policy(boundary))) };
        let asked = |form: &str| {
            let form = Form::parse(form.as_bytes());
            let xml = simulated("arn:aws:iam::111111111111:role/r", "111111111111", &policies, &form);
            let decisions = xml.split("<EvalResourceDecision>").skip(1);
            decisions.map(|rest| rest.split('<').next().unwrap().trim().to_owned()).collect::<Vec<_>>()
        };
        let pass =
            "ActionNames.member.1=iam%3APassRole&ResourceArns.member.1=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fx";
        assert_eq!(asked(pass), ["implicitDeny"]);
        let context = "&ContextEntries.member.1.ContextKeyName=iam%3APassedToService\
                       &ContextEntries.member.1.ContextKeyValues.member.1=lambda.amazonaws.com";
        assert_eq!(asked(&format!("{pass}{context}")), ["allowed"]);
        let objects = "ActionNames.member.1=s3%3AGetObject&ActionNames.member.2=s3%3APutObject\
                       &ResourceArns.member.1=arn%3Aaws%3As3%3A%3A%3Ab%2F1&ResourceArns.member.2=arn%3Aaws%3As3%3A%3A%3Ab%2F2";
        assert_eq!(asked(objects), ["allowed", "allowed", "implicitDeny", "implicitDeny"]);
    }
}
