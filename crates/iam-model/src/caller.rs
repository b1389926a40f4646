//! The caller of a request: a role session or an AWS service.

use super::error::EvalError;
use super::keys::Context;

/// The caller of a request. Its constructors check the ARNs.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    account: Option<String>,
    kind: CallerKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CallerKind {
    RoleSession { role_arn: String, session_arn: String },
    Service(String),
}

impl Caller {
    /// A session of a role, as `sts:AssumeRole` returns it.
    pub fn role_session(role_arn: &str, session_name: &str) -> Result<Self, EvalError> {
        let (prefix, account, resource) = iam_arn(role_arn)
            .filter(|(_, _, resource)| resource.starts_with("role/"))
            .ok_or_else(|| EvalError::Request(format!("{role_arn:?} is not a role's ARN")))?;
        if !(2..=64).contains(&session_name.len()) || !is_name(session_name) {
            return Err(EvalError::Request(format!("{session_name:?} is not a session name")));
        }
        // The session's ARN drops the role's path.
        let name = resource.rsplit('/').next().unwrap_or_default();
        let session_arn = format!("{prefix}:sts::{account}:assumed-role/{name}/{session_name}");
        let kind = CallerKind::RoleSession { role_arn: role_arn.to_owned(), session_arn };
        Ok(Self { account: Some(account.to_owned()), kind })
    }

    /// A service that calls under its own name, e.g. `apigateway.amazonaws.com`.
    pub fn service(name: &str) -> Result<Self, EvalError> {
        if is_service(name) {
            Ok(Self { account: None, kind: CallerKind::Service(name.to_owned()) })
        } else {
            Err(EvalError::Request(format!("{name:?} is not a service principal")))
        }
    }

    /// The caller's account; `None` for services.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    pub fn kind(&self) -> &CallerKind {
        &self.kind
    }

    /// Adds the context keys that follow from the caller's identity.
    pub fn describe(&self, context: &mut Context) -> Result<(), String> {
        if let Some(account) = &self.account {
            context.derive("aws:PrincipalAccount", account)?;
        }
        let service = match &self.kind {
            CallerKind::RoleSession { role_arn, .. } => {
                context.derive("aws:PrincipalArn", role_arn)?;
                context.derive("aws:PrincipalType", "AssumedRole")?;
                false
            }
            CallerKind::Service(name) => {
                context.derive("aws:PrincipalServiceName", name)?;
                true
            }
        };
        context.derive("aws:PrincipalIsAWSService", if service { "true" } else { "false" })
    }
}

/// Splits an ARN of the service iam into "arn:partition", account and resource.
pub(super) fn iam_arn(text: &str) -> Option<(&str, &str, &str)> {
    let (head, tail) = text.split_once(":iam::")?;
    let (account, resource) = tail.split_once(':')?;
    let names = resource.split('/').skip(1);
    let well_formed = is_partition(head) && is_account(account) && names.clone().all(is_name);
    (well_formed && (names.count() > 0 || resource == "root")).then_some((head, account, resource))
}

pub(super) fn is_partition(text: &str) -> bool {
    matches!(text, "arn:aws" | "arn:aws-cn" | "arn:aws-us-gov")
}

pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
}

pub(super) fn is_service(text: &str) -> bool {
    let suffixes = [".amazonaws.com", ".amazonaws.com.cn", ".amazon.com"];
    let plain = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c));
    plain && suffixes.iter().any(|s| text.strip_suffix(s).is_some_and(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_arn_omits_the_roles_path() {
        let caller = Caller::role_session("arn:aws:iam::111111111111:role/team/app", "s-1");
        let Ok(Caller { kind: CallerKind::RoleSession { session_arn, .. }, account }) = caller else {
            panic!("{caller:?}");
        };
        assert_eq!(session_arn, "arn:aws:sts::111111111111:assumed-role/app/s-1");
        assert_eq!(account.as_deref(), Some("111111111111"));
    }

    #[test]
    fn malformed_callers_are_refused() {
        for (role, session) in [
            ("arn:aws:iam::111111111111:user/app", "ss"),
            ("arn:aws:iam::1111:role/app", "ss"),
            ("arn:aws:iam::111111111111:role/", "ss"),
            ("arn:aws:iam::111111111111:role", "ss"),
            ("arn:aws:iam::111111111111:role/*", "ss"),
            ("arn:aws:iam:eu-west-1:111111111111:role/app", "ss"),
            ("arn:other:iam::111111111111:role/app", "ss"),
            ("app", "ss"),
            ("arn:aws:iam::111111111111:role/app", "s"),
            ("arn:aws:iam::111111111111:role/app", "a/b"),
            ("arn:aws:iam::111111111111:role/app", "*session"),
        ] {
            assert!(Caller::role_session(role, session).is_err(), "{role} {session}");
        }
        for service in ["apigateway", ".amazonaws.com", "*.amazonaws.com", "Lambda.amazonaws.com", ""] {
            assert!(Caller::service(service).is_err(), "{service}");
        }
    }

    #[test]
    fn describe_adds_the_callers_keys() {
        let mut context = Context::default();
        let session = Caller::role_session("arn:aws:iam::111111111111:role/team/app", "run");
        assert_eq!(session.map(|session| session.describe(&mut context)), Ok(Ok(())));
        for (key, value) in [
            ("aws:PrincipalAccount", "111111111111"),
            ("aws:PrincipalType", "AssumedRole"),
            ("aws:PrincipalArn", "arn:aws:iam::111111111111:role/team/app"),
            ("aws:PrincipalIsAWSService", "false"),
        ] {
            assert_eq!(context.derive(key, value), Ok(()), "{key}");
        }
    }
}
