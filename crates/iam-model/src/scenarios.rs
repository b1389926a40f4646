//! Tables of whole requests: several policies, one decision.

use std::collections::BTreeMap;

use super::caller::Caller;
use super::error::EvalError;
use super::evaluate::{Decision, evaluate};
use super::policy::Policy;
use super::request::Request;

pub(super) const HERE: &str = "111111111111";
pub(super) const THERE: &str = "222222222222";
pub(super) const ROLE: &str = "arn:aws:iam::111111111111:role/app";
const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/app/run";
const OBJECT: &str = "arn:aws:s3:::bucket/data/file";

pub(super) fn policy(text: &str) -> Policy {
    match Policy::parse(text) {
        Ok(policy) => policy,
        Err(error) => panic!("{error} in {text}"),
    }
}

/// A policy of version 2012-10-17 with these statements, given without their braces.
pub(super) fn policy_of(statements: &[&str]) -> Policy {
    let list = statements.join("},{");
    policy(&format!(r#"{{"Version":"2012-10-17","Statement":[{{{list}}}]}}"#))
}

pub(super) fn allow_all() -> Policy {
    policy_of(&[r#""Effect":"Allow","Action":"*","Resource":"*""#])
}

pub(super) fn word(decision: &Result<Decision, EvalError>) -> &'static str {
    match decision {
        Ok(Decision::Allow { .. }) => "allow",
        Ok(Decision::ImplicitDeny { .. }) => "implicit",
        Ok(Decision::ExplicitDeny { .. }) => "explicit",
        Err(EvalError::Open(_)) => "open",
        Err(EvalError::Request(_)) => "request",
        Err(EvalError::Policy { .. }) => "policy",
    }
}

pub(super) struct Case<'a> {
    pub(super) caller: Result<Caller, EvalError>,
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) context: &'a [(&'a str, &'a str)],
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            caller: Caller::role_session(ROLE, "run"),
            action: "s3:GetObject",
            resource: OBJECT,
            account: Some(HERE),
            context: &[],
        }
    }
}

impl Case<'_> {
    fn with<T>(&self, decide: impl FnOnce(&Request<'_>) -> Result<T, EvalError>) -> Result<T, EvalError> {
        let context: BTreeMap<String, Vec<String>> =
            self.context.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect();
        decide(&Request {
            caller: self.caller.as_ref().map_err(Clone::clone)?,
            action: self.action,
            resource: self.resource,
            resource_account: self.account,
            context,
        })
    }

    pub(super) fn decide(
        &self,
        identity: &[Policy],
        session: Option<&Policy>,
        resource: Option<&Policy>,
    ) -> Result<Decision, EvalError> {
        self.with(|request| evaluate(request, identity, session, resource))
    }

    pub(super) fn by_identity(&self, statements: &[&str]) -> &'static str {
        word(&self.decide(&[policy_of(statements)], None, None))
    }
}

#[test]
fn any_explicit_denial_wins() {
    let deny = policy_of(&[r#""Sid":"No","Effect":"Deny","Action":"s3:*","Resource":"*""#]);
    let deny_there = policy_of(&[r#""Effect":"Deny","Principal":{"AWS":"111111111111"},"Action":"*","Resource":"*""#]);
    let case = Case::default();
    let all = allow_all();
    let decisions = [
        case.decide(&[all.clone(), deny.clone().named("guard")], None, None),
        case.decide(std::slice::from_ref(&all), Some(&deny), None),
        case.decide(std::slice::from_ref(&all), None, Some(&deny_there)),
    ];
    let by = [
        "identity policy 1 \"guard\", Statement[0] \"No\"",
        "session policy, Statement[0] \"No\"",
        "resource policy, Statement[0]",
    ];
    for (decision, by) in decisions.into_iter().zip(by) {
        assert_eq!(decision, Ok(Decision::ExplicitDeny { by: by.to_owned() }));
    }
}

#[test]
fn identity_session_and_resource_policies_combine() {
    let role = format!(r#"{{"AWS":"{ROLE}"}}"#);
    let session = format!(r#"{{"AWS":"{SESSION}"}}"#);
    let account = format!(r#"{{"AWS":"{HERE}"}}"#);
    let root = format!(r#"{{"AWS":"arn:aws:iam::{HERE}:root"}}"#);
    let other = format!(r#"{{"AWS":"{THERE}"}}"#);
    let pair = format!(r#"{{"AWS":"{ROLE}","Service":"lambda.amazonaws.com"}}"#);
    let (role, session, account, root) = (&*role, &*session, &*account, &*root);
    // Principal of the resource policy ("" for none), identity allows, session policy allows
    // (none if absent), owner of the bucket.
    for (principal, identity, limit, owner, expected) in [
        ("", true, None, HERE, "allow"),
        ("", false, None, HERE, "implicit"),
        ("", true, Some(true), HERE, "allow"),
        ("", true, Some(false), HERE, "implicit"),
        ("", false, Some(true), HERE, "implicit"),
        ("", true, None, THERE, "implicit"),
        (role, false, None, HERE, "allow"),
        (role, false, Some(true), HERE, "allow"),
        (role, false, Some(false), HERE, "implicit"),
        (role, true, Some(false), HERE, "implicit"),
        (session, false, None, HERE, "allow"),
        (session, false, Some(false), HERE, "allow"),
        (r#""*""#, false, None, HERE, "allow"),
        (r#""*""#, false, Some(false), HERE, "allow"),
        (account, false, None, HERE, "implicit"),
        (account, true, None, HERE, "allow"),
        (root, false, Some(true), HERE, "implicit"),
        (root, true, Some(false), HERE, "implicit"),
        (&other, false, None, HERE, "implicit"),
        (&other, true, None, HERE, "allow"),
        (&pair, false, None, HERE, "allow"),
        (role, false, None, THERE, "implicit"),
        (role, true, None, THERE, "allow"),
        (role, true, Some(false), THERE, "implicit"),
        (session, false, None, THERE, "implicit"),
        (session, true, None, THERE, "allow"),
        (session, true, Some(false), THERE, "implicit"),
        (r#""*""#, false, None, THERE, "implicit"),
        (r#""*""#, true, Some(true), THERE, "allow"),
        (account, true, None, THERE, "allow"),
        (&other, true, None, THERE, "implicit"),
    ] {
        let resource = (!principal.is_empty()).then(|| {
            policy_of(&[&format!(
                r#""Effect":"Allow","Principal":{principal},"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*""#
            )])
        });
        let identity: &[Policy] = if identity { &[allow_all()] } else { &[] };
        let limit = limit.map(|allows| {
            let action = if allows { "s3:Get*" } else { "s3:Put*" };
            policy_of(&[&format!(r#""Effect":"Allow","Action":"{action}","Resource":"*""#)])
        });
        let case = Case { account: Some(owner), ..Case::default() };
        let decision = case.decide(identity, limit.as_ref(), resource.as_ref());
        assert_eq!(word(&decision), expected, "{principal} {identity:?} {limit:?} {owner}");
    }
}

#[test]
fn strongest_principal_decides() {
    let statement =
        |name: &str| format!(r#""Effect":"Allow","Principal":{{"AWS":"{name}"}},"Action":"*","Resource":"*""#);
    let limit = policy_of(&[r#""Effect":"Allow","Action":"s3:Put*","Resource":"*""#]);
    let both = policy_of(&[&statement(HERE), &statement(ROLE), &statement(SESSION)]);
    let decision = Case::default().decide(&[], Some(&limit), Some(&both));
    assert_eq!(decision, Ok(Decision::Allow { by: "resource policy, Statement[2]".to_owned() }));
}

#[test]
fn not_principal_excepts_from_a_denial() {
    let excepting = |names: &[&str]| {
        let list = names.join(r#"",""#);
        policy_of(&[&format!(r#""Effect":"Deny","NotPrincipal":{{"AWS":["{list}"]}},"Action":"*","Resource":"*""#)])
    };
    for (names, expected) in [(&[HERE, ROLE, SESSION][..], "allow"), (&[THERE], "explicit"), (&[ROLE, HERE], "open")] {
        let decision = Case::default().decide(&[allow_all()], None, Some(&excepting(names)));
        assert_eq!(word(&decision), expected, "{names:?}");
    }
}

#[test]
fn trust_policy_decides_who_assumes_a_role() {
    let target = "arn:aws:iam::111111111111:role/target";
    let elsewhere = "arn:aws:iam::222222222222:role/target";
    for (principal, identity, resource, expected) in [
        (r#"{"AWS":"arn:aws:iam::111111111111:role/app"}"#, false, target, "allow"),
        (r#"{"AWS":"111111111111"}"#, false, target, "implicit"),
        (r#"{"AWS":"111111111111"}"#, true, target, "allow"),
        (r#"{"AWS":"222222222222"}"#, true, target, "implicit"),
        (r#"{"Service":"lambda.amazonaws.com"}"#, true, target, "implicit"),
        (r#"{"AWS":"111111111111"}"#, true, elsewhere, "allow"),
        (r#"{"AWS":"111111111111"}"#, false, elsewhere, "implicit"),
    ] {
        let condition = r#"{"StringEqualsIfExists":{"sts:ExternalId":"x"}}"#;
        let trust = policy_of(&[&format!(
            r#""Effect":"Allow","Principal":{principal},"Action":"sts:AssumeRole","Condition":{condition}"#
        )]);
        let identity: &[Policy] = if identity { &[allow_all()] } else { &[] };
        let case = Case { action: "sts:AssumeRole", resource, account: None, ..Case::default() };
        let decision = case.decide(identity, None, Some(&trust));
        assert_eq!(word(&decision), expected, "{principal} {identity:?} {resource}");
    }
    let case = Case { action: "sts:AssumeRole", resource: target, account: None, ..Case::default() };
    assert_eq!(word(&case.decide(&[allow_all()], None, None)), "implicit");
}

#[test]
fn function_policy_admits_services() {
    let function = "arn:aws:lambda:eu-west-1:111111111111:function:f";
    let resource = policy_of(&[r#""Sid":"api","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},
           "Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:eu-west-1:111111111111:function:f",
           "Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:execute-api:eu-west-1:111111111111:abc/*/GET/items"}}"#]);
    for (service, source, expected) in [
        ("apigateway.amazonaws.com", "arn:aws:execute-api:eu-west-1:111111111111:abc/live/GET/items", "allow"),
        ("apigateway.amazonaws.com", "arn:aws:execute-api:eu-west-1:111111111111:xyz/live/GET/items", "implicit"),
        ("events.amazonaws.com", "arn:aws:execute-api:eu-west-1:111111111111:abc/live/GET/items", "implicit"),
        ("apigateway.amazonaws.com", "api", "request"),
    ] {
        let context = &[("aws:SourceArn", source)][..];
        let caller = Caller::service(service);
        let case = Case { caller, action: "lambda:InvokeFunction", resource: function, account: None, context };
        assert_eq!(word(&case.decide(&[], None, Some(&resource))), expected, "{service} {source}");
    }
}
