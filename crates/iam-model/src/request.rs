//! A request, checked and completed, and the findings of single policies about it.

use std::collections::BTreeMap;

use super::caller::{Caller, is_account};
use super::condition::Condition;
use super::error::EvalError;
use super::keys::Context;
use super::operand;
use super::operator::Resolved;
use super::policy::{Attachment, Policy};
use super::principal::Reach;
use super::statement::{Effect, Selector, Statement};

/// One call to AWS.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub caller: &'a Caller,
    /// For example `s3:GetObject`.
    pub action: &'a str,
    /// The ARN of the resource, or `*` for actions without one.
    pub resource: &'a str,
    /// The account of the resource, if its ARN does not contain it, as with S3.
    pub resource_account: Option<&'a str>,
    /// Condition keys in any case, with their values.
    pub context: BTreeMap<String, Vec<String>>,
}

/// The findings of one policy, or of several of one kind, about a request.
#[derive(Debug, Default)]
pub(super) struct Finding {
    pub(super) allow: Option<(Reach, String)>,
    pub(super) deny: Option<String>,
}

impl Finding {
    /// Keeps the first denial and the strongest permission.
    pub(super) fn merge(&mut self, other: Self) {
        self.deny = self.deny.take().or(other.deny);
        if let Some((reach, by)) = other.allow
            && self.allow.as_ref().is_none_or(|(known, _)| *known < reach)
        {
            self.allow = Some((reach, by));
        }
    }
}

/// A request after its parts have been checked and its context completed.
pub(super) struct Subject<'a> {
    pub(super) request: &'a Request<'a>,
    action: String,
    context: Context,
    pub(super) same_account: bool,
    pub(super) trust: bool,
}

impl<'a> Subject<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Result<Self, EvalError> {
        let action = request.action.to_ascii_lowercase();
        let parts = action.split_once(':');
        let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !parts.is_some_and(|(service, name)| plain(service) && plain(name)) {
            return refuse(&format!("{:?} is not an action", request.action));
        }
        let account = resource_account(request)?;
        let mut context = Context::new(&request.context).map_err(EvalError::Request)?;
        request.caller.describe(&mut context).map_err(EvalError::Request)?;
        if let Some(account) = account {
            context.derive("aws:ResourceAccount", account).map_err(EvalError::Request)?;
        }
        // The trust policy also decides on tagging a session and on setting its source identity.
        let trust = action.starts_with("sts:assumerole")
            || matches!(action.as_str(), "sts:tagsession" | "sts:setsourceidentity");
        let same_account = account.is_none() || request.caller.account() == account;
        Ok(Self { request, action, context, same_account, trust })
    }

    pub(super) fn attachment(&self) -> Attachment {
        if self.trust { Attachment::Trust } else { Attachment::Resource }
    }

    pub(super) fn resource_place(&self) -> &'static str {
        if self.trust { "trust policy" } else { "resource policy" }
    }

    /// Collects the findings of a policy's statements.
    pub(super) fn scan(&self, policy: &Policy, place: &str, attachment: Attachment) -> Result<Finding, EvalError> {
        let label = policy.label(place);
        policy.check(attachment).map_err(|error| EvalError::Policy { policy: label.clone(), error })?;
        let mut finding = Finding::default();
        for statement in &policy.statements {
            let by = format!("{label}, {}", statement.label());
            let Some(reach) = self.applies(statement).map_err(|error| error.at(&by))? else {
                continue;
            };
            finding.merge(match statement.effect {
                Effect::Allow => Finding { allow: Some((reach, by)), deny: None },
                Effect::Deny => Finding { allow: None, deny: Some(by) },
            });
        }
        Ok(finding)
    }

    /// Whether a statement applies to the request, and how it reaches the caller.
    fn applies(&self, statement: &Statement) -> Result<Option<Reach>, EvalError> {
        let reach = match &statement.principals {
            None => Some(Reach::Caller),
            Some(principals) => principals.reach(self.request.caller, self.trust)?,
        };
        let Some(reach) = reach else {
            return Ok(None);
        };
        if !statement.selects(&self.action) {
            return Ok(None);
        }
        if let Some(resources) = &statement.resources
            && !self.selects_resource(resources)?
        {
            return Ok(None);
        }
        self.conditions_hold(&statement.conditions).map(|holds| holds.then_some(reach))
    }

    fn selects_resource(&self, selector: &Selector) -> Result<bool, EvalError> {
        let resource = self.request.resource;
        let (mut found, mut unresolved) = (false, 0);
        for template in &selector.templates {
            let Some(pattern) = template.resolve(&self.context) else {
                unresolved += 1;
                continue;
            };
            let whole = pattern.matches(resource);
            // AWS says that a "*" may reach over the colons of an ARN but advises against
            // relying on it; a request for which it matters is refused.
            if whole && !template.is_any() && !pattern.matches_arn(resource) {
                return Err(EvalError::Open(format!("a wildcard would have to cross the colons of {resource}")));
            }
            if whole && has_types(resource) && pattern.has_wildcard_type() {
                return Err(EvalError::Open(format!(
                    "a wildcard would have to match the type of the resource {resource}"
                )));
            }
            found |= whole;
        }
        Resolved::of(selector.templates.len(), unresolved).settle(found != selector.excluded)
    }

    fn conditions_hold(&self, conditions: &[Condition]) -> Result<bool, EvalError> {
        for condition in conditions {
            if !condition.holds(&self.context)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether the last part of an ARN begins with a type, as in `function:name`.
///
/// AWS documents that the type cannot contain wildcards, but not what they would do there.
fn has_types(arn: &str) -> bool {
    let service = arn.split(':').nth(2).unwrap_or_default();
    !matches!(service, "" | "s3" | "execute-api" | "sns" | "sqs")
}

/// Finds the account that owns the resource, from its ARN or from the request.
fn resource_account<'a>(request: &Request<'a>) -> Result<Option<&'a str>, EvalError> {
    if let Some(account) = request.resource_account
        && !is_account(account)
    {
        return refuse(&format!("{account:?} is not an account"));
    }
    if request.resource == "*" {
        return Ok(request.resource_account.or(request.caller.account()));
    }
    let arn = operand::arn(request.resource).map_err(EvalError::Request)?;
    // `aws` owns the managed policies of AWS, which every account may use as its own.
    let named = arn.split(':').nth(4).filter(|account| !account.is_empty() && *account != "aws");
    match (named, request.resource_account) {
        (Some(named), Some(given)) if named != given => {
            refuse(&format!("the resource belongs to account {named}, but its account is given as {given}"))
        }
        (Some(account), _) | (None, Some(account)) => Ok(Some(account)),
        (None, None) => refuse(&format!("the account that owns {arn} is not given")),
    }
}

pub(super) fn refuse<T>(reason: &str) -> Result<T, EvalError> {
    Err(EvalError::Request(reason.to_owned()))
}
