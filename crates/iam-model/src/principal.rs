//! The principals of a resource policy, and how precisely they name the caller.

use serde_json::Value;

use super::caller::{Caller, CallerKind, iam_arn, is_account, is_name, is_partition, is_service};
use super::error::EvalError;
use super::json::{strings, type_name};

/// How precisely a policy names the caller. The order is from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// The account is named, which delegates the decision to its identity policies.
    Account,
    /// The role is named, so the session's own limits still apply.
    Role,
    /// The caller itself is named, alone or among everyone.
    Caller,
}

#[derive(Debug, Clone, PartialEq)]
enum Name {
    /// `*` or `{"AWS": "*"}`: also services, which the SNS developer guide admits so ("Allow any CloudWatch alarm to
    /// publish to a topic in a different account").
    Everyone,
    Account(String),
    Entity(String),
    Service(String),
    Federated(String),
}

/// A `Principal` or `NotPrincipal` element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Principals {
    names: Vec<Name>,
    excluded: bool,
}

impl Principals {
    pub(crate) fn parse(value: &Value, excluded: bool) -> Result<Self, String> {
        let mut names = Vec::new();
        match value {
            Value::String(text) if text == "*" => names.push(Name::Everyone),
            Value::Object(kinds) if !kinds.is_empty() => {
                for (kind, values) in kinds {
                    for text in strings(values).map_err(|reason| format!(".{kind} {reason}"))? {
                        names.push(name(kind, text)?);
                    }
                }
            }
            Value::Object(_) => return Err("is empty".to_owned()),
            Value::String(text) => return Err(format!("is {text:?}, expected \"*\" or an object")),
            other => {
                return Err(format!("is {}, expected \"*\" or an object", type_name(other)));
            }
        }
        if excluded && names.contains(&Name::Everyone) {
            return Err("excludes everyone, so the statement could never apply".to_owned());
        }
        Ok(Self { names, excluded })
    }

    /// Whether this is `NotPrincipal`.
    pub(crate) fn is_excluded(&self) -> bool {
        self.excluded
    }

    /// How this element reaches the caller, if it does.
    pub(crate) fn reach(&self, caller: &Caller, trust: bool) -> Result<Option<Reach>, EvalError> {
        if self.excluded {
            return self.reach_by_exclusion(caller);
        }
        // A resource policy may name a session by the web or SAML identity it began with. Sessions here do not record
        // that.
        let sessions = matches!(caller.kind(), CallerKind::RoleSession { .. });
        if !trust && sessions && self.names.iter().any(|n| matches!(n, Name::Federated(_))) {
            return Err(EvalError::Open("a federated principal may name the role session".to_owned()));
        }
        Ok(self.names.iter().filter_map(|name| name.reach(caller)).max())
    }

    /// AWS documents that an exception has to list the account and the role besides the
    /// session, and that the effect of a partial list differs between services.
    fn reach_by_exclusion(&self, caller: &Caller) -> Result<Option<Reach>, EvalError> {
        let mut needed = Vec::new();
        needed.extend(caller.account().map(str::to_owned).map(Name::Account));
        match caller.kind() {
            CallerKind::RoleSession { role_arn, session_arn } => {
                needed.push(Name::Entity(role_arn.clone()));
                needed.push(Name::Entity(session_arn.clone()));
            }
            CallerKind::Service(service) => needed.push(Name::Service(service.clone())),
        }
        let listed = needed.iter().filter(|name| self.names.contains(name)).count();
        match listed {
            0 => Ok(Some(Reach::Caller)),
            all if all == needed.len() => Ok(None),
            _ => Err(EvalError::Open(format!(
                "NotPrincipal lists {listed} of the {} names of the caller (account, role, session)",
                needed.len()
            ))),
        }
    }
}

impl Name {
    fn reach(&self, caller: &Caller) -> Option<Reach> {
        let reached = match (self, caller.kind()) {
            (Self::Everyone, _) => Reach::Caller,
            (Self::Account(account), _) if caller.account() == Some(account) => Reach::Account,
            (Self::Entity(arn), CallerKind::RoleSession { role_arn, .. }) if arn == role_arn => Reach::Role,
            (Self::Entity(arn), CallerKind::RoleSession { session_arn, .. }) if arn == session_arn => Reach::Caller,
            (Self::Service(name), CallerKind::Service(own)) if name == own => Reach::Caller,
            _ => return None,
        };
        Some(reached)
    }
}

/// Recognises one principal; wildcards are allowed only as the whole name.
fn name(kind: &str, text: &str) -> Result<Name, String> {
    match kind {
        "AWS" if text == "*" => Ok(Name::Everyone),
        "AWS" if is_account(text) => Ok(Name::Account(text.to_owned())),
        "AWS" => aws_arn(text).ok_or_else(|| {
            format!("names {text:?}, which is not an account, or the ARN of an account, role, user or role session")
        }),
        "Service" if is_service(text) => Ok(Name::Service(text.to_owned())),
        "Service" => Err(format!("names {text:?}, which is not a service principal")),
        "Federated" if !text.is_empty() && !text.contains(['*', '?']) => Ok(Name::Federated(text.to_owned())),
        "Federated" => Err(format!("names {text:?}, which is not an identity provider")),
        _ => Err(format!("has the unknown kind {kind:?}")),
    }
}

fn aws_arn(text: &str) -> Option<Name> {
    if let Some((_, account, resource)) = iam_arn(text) {
        return match resource.split('/').next()? {
            "root" if resource == "root" => Some(Name::Account(account.to_owned())),
            "role" | "user" => Some(Name::Entity(text.to_owned())),
            _ => None,
        };
    }
    let (head, tail) = text.split_once(":sts::")?;
    let (account, resource) = tail.split_once(':')?;
    let mut names = resource.strip_prefix("assumed-role/")?.split('/');
    let complete = names.next().is_some_and(is_name) && names.next().is_some_and(is_name);
    (complete && names.next().is_none() && is_partition(head) && is_account(account))
        .then(|| Name::Entity(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111111111111:role/team/app";
    const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/app/run";

    fn parse(text: &str, excluded: bool) -> Result<Principals, String> {
        super::super::json::parse(text).and_then(|value| Principals::parse(&value, excluded))
    }

    /// The reach of an element. An element that does not parse fails the test; an undocumented outcome is an `Err`.
    fn reach(text: &str, excluded: bool, caller: Result<Caller, EvalError>) -> Result<Option<Reach>, EvalError> {
        match parse(text, excluded) {
            Ok(principals) => principals.reach(&caller?, false),
            Err(error) => panic!("{text}: {error}"),
        }
    }

    fn session() -> Result<Caller, EvalError> {
        Caller::role_session(ROLE, "run")
    }

    #[test]
    fn principals_reach_a_session() {
        for (text, expected) in [
            (r#""*""#.to_owned(), Some(Reach::Caller)),
            (r#"{"AWS":"*"}"#.to_owned(), Some(Reach::Caller)),
            (r#"{"AWS":"111111111111"}"#.to_owned(), Some(Reach::Account)),
            (r#"{"AWS":"arn:aws:iam::111111111111:root"}"#.to_owned(), Some(Reach::Account)),
            (r#"{"AWS":"222222222222"}"#.to_owned(), None),
            (format!(r#"{{"AWS":"{ROLE}"}}"#), Some(Reach::Role)),
            (format!(r#"{{"AWS":["{ROLE}","{SESSION}"]}}"#), Some(Reach::Caller)),
            (format!(r#"{{"AWS":["111111111111","{ROLE}"]}}"#), Some(Reach::Role)),
            (format!(r#"{{"AWS":"{SESSION}2"}}"#), None),
            (r#"{"AWS":"arn:aws:iam::111111111111:role/app"}"#.to_owned(), None),
            (r#"{"AWS":"arn:aws:iam::111111111111:role/team/ops"}"#.to_owned(), None),
            (r#"{"AWS":"arn:aws:iam::222222222222:role/team/app"}"#.to_owned(), None),
            (r#"{"Service":"lambda.amazonaws.com"}"#.to_owned(), None),
            (format!(r#"{{"Service":"lambda.amazonaws.com","AWS":"{ROLE}"}}"#), Some(Reach::Role)),
        ] {
            assert_eq!(reach(&text, false, session()), Ok(expected), "{text}");
        }
        let federated = r#"{"Federated":"cognito-identity.amazonaws.com"}"#;
        assert!(matches!(reach(federated, false, session()), Err(EvalError::Open(_))));
    }

    #[test]
    fn principals_reach_services() {
        let service = || Caller::service("apigateway.amazonaws.com");
        for (text, caller, expected) in [
            (r#"{"Service":"apigateway.amazonaws.com"}"#, service(), Some(Reach::Caller)),
            (r#"{"Service":["s3.amazonaws.com"]}"#, service(), None),
            (r#"{"AWS":"111111111111","Service":"apigateway.amazonaws.com"}"#, service(), Some(Reach::Caller)),
            (r#""*""#, service(), Some(Reach::Caller)),
            (r#"{"AWS":"111111111111"}"#, service(), None),
        ] {
            assert_eq!(reach(text, false, caller), Ok(expected), "{text}");
        }
    }

    #[test]
    fn partial_exceptions_are_undecided() {
        let list = |names: &[&str]| format!(r#"{{"AWS":["{}"]}}"#, names.join(r#"",""#));
        let account = "111111111111";
        assert_eq!(reach(&list(&[account, ROLE, SESSION]), true, session()), Ok(None));
        assert_eq!(reach(&list(&["222222222222"]), true, session()), Ok(Some(Reach::Caller)));
        for partial in [&[account][..], &[ROLE], &[SESSION], &[ROLE, SESSION], &[account, ROLE]] {
            let text = list(partial);
            assert!(matches!(reach(&text, true, session()), Err(EvalError::Open(_))), "{text}");
        }
        let service = Caller::service("s3.amazonaws.com");
        assert_eq!(reach(r#"{"Service":"s3.amazonaws.com"}"#, true, service), Ok(None));
    }

    #[test]
    fn malformed_principals_are_refused() {
        for text in [
            r#""arn:aws:iam::111111111111:role/app""#,
            r#""111111111111""#,
            "{}",
            "[]",
            r#"["*"]"#,
            "null",
            r#"{"AWS":[]}"#,
            r#"{"AWS":1}"#,
            r#"{"aws":"*"}"#,
            r#"{"AWS":"12345"}"#,
            r#"{"AWS":"arn:aws:iam::111111111111:role/*"}"#,
            r#"{"AWS":"arn:aws:iam::*:role/app"}"#,
            r#"{"AWS":"arn:aws:iam::111111111111:group/g"}"#,
            r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/app/*"}"#,
            r#"{"AWS":"arn:aws:sts::111111111111:assumed-role/app"}"#,
            r#"{"AWS":"AROAEXAMPLEEXAMPLE"}"#,
            r#"{"Service":"*"}"#,
            r#"{"Service":"apigateway"}"#,
            r#"{"CanonicalUser":"abc"}"#,
            r#"{"AWS":"*","Nobody":"x"}"#,
        ] {
            assert!(parse(text, false).is_err(), "{text}");
        }
        assert!(parse(r#""*""#, true).is_err());
        assert!(parse(r#"{"AWS":["111111111111","*"]}"#, true).is_err());
    }
}
