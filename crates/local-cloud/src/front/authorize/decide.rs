//! Decides what a session of a role may do: its role's policies, its permissions boundary and its session policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use iam_model::{Caller, Decision, Policy, Request, evaluate};

use super::need::Need;
use crate::cloud::Cloud;
use crate::execute_api::Session;
use crate::roles::RolePolicies;

/// Condition keys, in lower case, that a request here has whenever it has them on AWS; families end in a slash. A policy
/// that asks for another one cannot be decided, because a missing value can make a condition hold.
const GIVEN: [&str; 50] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:requesttag/",
    "aws:resourceaccount",
    "aws:resourcetag/",
    "aws:securetransport",
    "aws:tagkeys",
    "aws:viaawsservice",
    "cloudformation:changesetname",
    "cloudformation:rolearn",
    "cloudformation:templateurl",
    "cloudwatch:namespace",
    "ec2:createaction",
    "iam:awsservicename",
    "iam:passedtoservice",
    "iam:permissionsboundary",
    "iam:policyarn",
    "iam:resourcetag/",
    "kms:resourcealiases",
    "kms:viaservice",
    "lambda:principal",
    "route53:changeresourcerecordsetsactions",
    "route53:changeresourcerecordsetsnormalizedrecordnames",
    "route53:changeresourcerecordsetsrecordtypes",
    "s3:delimiter",
    "s3:if-match",
    "s3:if-none-match",
    "s3:max-keys",
    "s3:prefix",
    "s3:resourceaccount",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "sts:externalid",
    "sts:rolesessionname",
    "transfer:requestsecuritypolicyname",
    "transfer:requestserverdomain",
    "transfer:requestserverendpointtype",
    "transfer:requestserverprotocols",
    // Known to be absent: the caller is a role session without session tags, and calls from outside a VPC.
    "aws:calledviafirst",
    "aws:calledvialast",
    "aws:principalservicename",
    "aws:sourcevpc",
    "aws:sourcevpce",
];

/// Why nothing can be decided for a session.
#[derive(Debug)]
pub(crate) enum NotJudged {
    /// Its role has been deleted, and its keys with it.
    NoRole,
    /// A policy cannot be read.
    Broken(String),
}

/// A session of a role, with everything that limits it.
pub(crate) struct Judge {
    caller: Caller,
    /// `arn:aws:sts::111111111111:assumed-role/ROLE/SESSION`.
    arn: String,
    account: String,
    region: String,
    policies: RolePolicies,
    session: Option<Policy>,
}

impl Judge {
    /// `region` is the one that the call is signed for.
    pub(crate) async fn of(
        cloud: &Cloud,
        (role_arn, session_name): (&str, &str),
        session_policy: Option<&str>,
        region: &str,
    ) -> Result<Self, NotJudged> {
        let account = role_arn.split(':').nth(4).unwrap_or_default();
        let role = role_arn.rsplit('/').next().unwrap_or_default();
        let aws = cloud.aws(account).await;
        let policies = cloud.roles.of(&aws, account, role).await.map_err(NotJudged::Broken)?;
        let session_policy = session_policy.map(Policy::parse).transpose();
        let session_policy = session_policy.map_err(|error| NotJudged::Broken(error.to_string()))?;
        Self::new((role_arn, session_name), policies.ok_or(NotJudged::NoRole)?, session_policy, region)
    }

    /// As [`Self::of`], of a session that may have policies of its own in place of its role's.
    pub(crate) async fn of_session(cloud: &Cloud, session: &Session, region: &str) -> Result<Self, NotJudged> {
        let who = (session.role_arn.as_str(), session.name.as_str());
        match &session.granted {
            Some(granted) => {
                let policies = RolePolicies { identity: Arc::clone(granted), boundary: None };
                Self::new(who, policies, None, region)
            }
            None => Self::of(cloud, who, session.policy.as_deref(), region).await,
        }
    }

    fn new(
        (role_arn, session_name): (&str, &str),
        policies: RolePolicies,
        session: Option<Policy>,
        region: &str,
    ) -> Result<Self, NotJudged> {
        let account = role_arn.split(':').nth(4).unwrap_or_default();
        let role = role_arn.rsplit('/').next().unwrap_or_default();
        let caller = Caller::role_session(role_arn, session_name);
        Ok(Self {
            caller: caller.map_err(|error| NotJudged::Broken(error.to_string()))?,
            arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session_name}"),
            region: region.to_owned(),
            policies,
            session,
            account: account.to_owned(),
        })
    }

    /// The policies that limit what the identity policies allow, with their names in AWS's messages.
    fn limits(&self) -> impl Iterator<Item = (&Policy, &'static str)> {
        let boundary = self.policies.boundary.as_deref().map(|policy| (policy, "permissions boundary"));
        boundary.into_iter().chain(self.session.as_ref().map(|policy| (policy, "session policy")))
    }

    fn condition_keys(&self, action: &str) -> impl Iterator<Item = &str> {
        let all = self.policies.identity.iter().chain(self.limits().map(|(policy, _)| policy));
        all.flat_map(move |policy| policy.condition_keys(action).into_iter().collect::<Vec<_>>())
    }

    /// Whether the decision depends on the tags of the resource.
    pub(crate) fn asks_for_tags(&self, need: &Need) -> bool {
        self.condition_keys(&need.action).any(|key| key.contains(":resourcetag/"))
    }

    /// Why a call is refused, in AWS's words.
    pub(crate) fn decide(&self, need: &Need) -> Result<(), String> {
        let Need { action, resource, .. } = need;
        let denied = |why: &str| {
            format!("User: {} is not authorized to perform: {action} on resource: {resource} {why}", self.arn)
        };
        let given =
            |key: &str| GIVEN.iter().any(|known| key == *known || known.ends_with('/') && key.starts_with(known));
        if let Some(key) = self.condition_keys(action).find(|key| !given(key)) {
            return Err(denied(&format!(
                "because the local cloud does not model the condition key {key} of its policies"
            )));
        }
        let request = Request {
            caller: &self.caller,
            action,
            resource,
            resource_account: (!names_account(resource)).then_some(self.account.as_str()),
            context: self.context(need),
        };
        let check = |policies: &[Policy], kind: &str| match evaluate(&request, policies, None, None) {
            Ok(Decision::Allow { .. }) => Ok(()),
            Ok(Decision::ImplicitDeny { .. }) => Err(denied(&format!("because no {kind} allows the {action} action"))),
            Ok(Decision::ExplicitDeny { .. }) => {
                Err(denied(&format!("with an explicit deny in {} {kind}", article(kind))))
            }
            Err(error) => Err(denied(&format!("because the local cloud cannot evaluate its policies: {error}"))),
        };
        check(&self.policies.identity, "identity-based policy")?;
        self.limits().try_for_each(|(policy, kind)| check(std::slice::from_ref(policy), kind))
    }

    /// The condition keys of every request, and those of this one.
    fn context(&self, need: &Need) -> BTreeMap<String, Vec<String>> {
        let now = jiff::Timestamp::now();
        let common = [
            // The front stands for endpoints that speak TLS.
            ("aws:SecureTransport", "true".to_owned()),
            ("aws:RequestedRegion", requested_region(&need.action, &self.region).to_owned()),
            ("aws:ViaAWSService", "false".to_owned()),
            ("aws:CurrentTime", now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
            ("aws:EpochTime", now.as_second().to_string()),
        ];
        let common = common.into_iter().map(|(key, value)| (key.to_owned(), vec![value]));
        common.chain(need.context.clone()).collect()
    }
}

/// IAM and Route 53 are in one region.
fn requested_region<'a>(action: &str, region: &'a str) -> &'a str {
    if action.starts_with("iam:") || action.starts_with("route53:") { "us-east-1" } else { region }
}

fn names_account(arn: &str) -> bool {
    arn.split(':').nth(4).is_some_and(|account| !account.is_empty() && account != "aws")
}

fn article(kind: &str) -> &'static str {
    if kind.starts_with('i') { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(effect: &str, action: &str, condition: &str) -> Policy {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[
                {{"Effect":"{effect}","Action":"{action}","Resource":"*","Condition":{{{condition}}}}}]}}"#
        );
        Policy::parse(&text.replace(r#","Condition":{}"#, "")).unwrap()
    }

    fn judge(identity: Vec<Policy>, boundary: Option<Policy>, session: Option<Policy>) -> Judge {
        Judge {
            caller: Caller::role_session("arn:aws:iam::111111111111:role/r", "s-1").unwrap(),
            arn: "arn:aws:sts::111111111111:assumed-role/r/s-1".to_owned(),
            account: "111111111111".to_owned(),
            region: "us-west-2".to_owned(),
            policies: RolePolicies { identity: identity.into(), boundary: boundary.map(Into::into) },
            session,
        }
    }

    const SERVER: &str = "arn:aws:transfer:us-west-2:111111111111:server/s-1";

    fn need() -> Need {
        Need::new("transfer:DeleteServer", "server", SERVER)
    }

    #[test]
    fn each_kind_of_policy_can_refuse() {
        let allow = || policy("Allow", "transfer:*", "");
        let other = || policy("Allow", "s3:*", "");
        let deny = || policy("Deny", "transfer:DeleteServer", "");
        for (identity, boundary, session, expected) in [
            (vec![allow()], None, None, None),
            (vec![allow()], Some(allow()), Some(allow()), None),
            (vec![], None, None, Some("because no identity-based policy allows the transfer:DeleteServer action")),
            (vec![allow(), deny()], None, None, Some("with an explicit deny in an identity-based policy")),
            (vec![allow()], Some(other()), None, Some("because no permissions boundary allows")),
            (vec![allow()], Some(deny()), None, Some("with an explicit deny in a permissions boundary")),
            (vec![allow()], None, Some(other()), Some("because no session policy allows")),
        ] {
            let decision = judge(identity, boundary, session).decide(&need());
            match expected {
                None => assert_eq!(decision, Ok(())),
                Some(words) => {
                    let text = decision.unwrap_err();
                    let who = "User: arn:aws:sts::111111111111:assumed-role/r/s-1 is not authorized to perform:";
                    assert!(text.starts_with(&format!("{who} transfer:DeleteServer on resource: {SERVER} ")), "{text}");
                    assert!(text.contains(words), "{text}");
                }
            }
        }
    }

    #[test]
    fn conditions_see_the_request() {
        let on = |condition: &str| judge(vec![policy("Allow", "*", condition)], None, None);
        let tagged = need().with("aws:ResourceTag/env", "99");
        for (condition, allowed) in [
            (r#""StringEquals":{"aws:ResourceTag/env":"99"}"#, true),
            (r#""StringEquals":{"aws:ResourceTag/env":"98"}"#, false),
            (r#""StringEquals":{"aws:RequestedRegion":"us-west-2"}"#, true),
            (r#""StringEquals":{"aws:RequestedRegion":"us-east-1"}"#, false),
            (r#""Bool":{"aws:SecureTransport":"true"}"#, true),
            (r#""DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}"#, true),
            (r#""StringNotEquals":{"aws:RequestTag/env":"99"}"#, true),
        ] {
            assert_eq!(on(condition).decide(&tagged).is_ok(), allowed, "{condition}");
        }
        let unmodelled = on(r#""StringNotEquals":{"aws:PrincipalOrgID":"o-1"}"#).decide(&tagged);
        assert!(unmodelled.unwrap_err().contains("does not model the condition key aws:principalorgid"));
    }

    #[test]
    fn tags_are_asked_for_only_by_conditions_on_the_action() {
        let on = |action: &str| {
            judge(vec![policy("Allow", action, r#""StringEquals":{"aws:ResourceTag/env":"99"}"#)], None, None)
        };
        assert!(on("transfer:*").asks_for_tags(&need()));
        assert!(!on("s3:*").asks_for_tags(&need()));
    }

    #[test]
    fn aws_managed_policies_can_be_read() {
        let judge = judge(vec![policy("Allow", "iam:GetPolicy", "")], None, None);
        let need = Need::new("iam:GetPolicy", "policy", "arn:aws:iam::aws:policy/service-role/P");
        assert_eq!(judge.decide(&need), Ok(()));
    }
}
