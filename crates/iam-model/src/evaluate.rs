//! Combines the policies into one decision, as AWS documents it.
//!
//! An explicit deny in any policy wins. Otherwise the caller's side grants when an
//! identity policy allows and the session policy, if there is one, allows too. The
//! resource's side grants by how precisely its policy names the caller:
//!
//! * the session itself, or everyone: within the account this grants directly;
//! * the role: within the account this grants, limited by the session policy;
//! * the account: this only delegates, so the caller's side has to grant as well.
//!
//! Across accounts both sides have to grant. A role can only be assumed if its trust
//! policy names the caller, even within one account.

use super::caller::CallerKind;
use super::error::EvalError;
use super::policy::{Attachment, Policy};
use super::principal::Reach;
use super::request::{Finding, Request, Subject, refuse};

/// The outcome; `by` names the policy and statement that decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    Allow { by: String },
    ImplicitDeny { by: String },
    ExplicitDeny { by: String },
}

/// Decides a request against everything that applies to it.
///
/// `resource` is the policy of the bucket, function or API; for `sts:AssumeRole` it is
/// the trust policy of the role to be assumed.
pub fn evaluate(
    request: &Request<'_>,
    identity: &[Policy],
    session: Option<&Policy>,
    resource: Option<&Policy>,
) -> Result<Decision, EvalError> {
    let subject = Subject::new(request)?;
    let is_session = matches!(request.caller.kind(), CallerKind::RoleSession { .. });
    if session.is_some() && !is_session {
        return refuse("only role sessions have session policies");
    }
    if !identity.is_empty() && request.caller.account().is_none() {
        return refuse("services have no identity policies");
    }
    let mut own = Finding::default();
    for (index, policy) in identity.iter().enumerate() {
        own.merge(subject.scan(policy, &format!("identity policy {index}"), Attachment::Identity)?);
    }
    let limit = session.map(|policy| subject.scan(policy, "session policy", Attachment::Identity)).transpose()?;
    let theirs = match resource {
        Some(policy) => subject.scan(policy, subject.resource_place(), subject.attachment())?,
        None => Finding::default(),
    };
    let denials = [&own.deny, &theirs.deny].into_iter().chain(limit.as_ref().map(|found| &found.deny));
    if let Some(by) = denials.flatten().next() {
        return Ok(Decision::ExplicitDeny { by: by.clone() });
    }
    Ok(subject.combine(&own, limit.as_ref(), &theirs))
}

impl Subject<'_> {
    /// Combines the permissions of a request that no policy denies.
    fn combine(&self, own: &Finding, limit: Option<&Finding>, theirs: &Finding) -> Decision {
        let within_limit = limit.is_none_or(|found| found.allow.is_some());
        let reach = theirs.allow.as_ref().map(|(reach, _)| *reach);
        let place = self.resource_place();
        let is_service = self.request.caller.account().is_none();
        let by_resource = match reach {
            Some(Reach::Caller) => is_service || self.same_account,
            Some(Reach::Role) => self.same_account && within_limit,
            Some(Reach::Account) | None => false,
        };
        // Whether the caller's own policies suffice depends on the resource's side.
        let resource_needed = self.trust || !self.same_account || is_service;
        let by_identity = own.allow.is_some() && within_limit && (reach.is_some() || !resource_needed);
        match (&own.allow, &theirs.allow) {
            (_, Some((_, by))) if by_resource => Decision::Allow { by: by.clone() },
            (Some((_, by)), Some((_, also))) if by_identity && resource_needed => {
                Decision::Allow { by: format!("{by} and {also}") }
            }
            (Some((_, by)), _) if by_identity => Decision::Allow { by: by.clone() },
            (_, None) if resource_needed => Decision::ImplicitDeny { by: format!("the {place} does not allow it") },
            _ if !within_limit => Decision::ImplicitDeny { by: "the session policy does not allow it".to_owned() },
            _ => Decision::ImplicitDeny { by: "no identity policy allows it".to_owned() },
        }
    }
}
