//! Policy documents as a whole.

use std::collections::BTreeSet;

use serde_json::Value;

use super::condition::Condition;
use super::error::PolicyError;
use super::json::{self, type_name};
use super::principal::Principals;
use super::statement::{self, Statement, only, text_element};

/// The place a policy is attached to, which decides the elements it may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Attachment {
    /// To a role or user, or passed with a session.
    Identity,
    /// To a bucket, function or API.
    Resource,
    /// To a role; it names the principals that may assume the role.
    Trust,
}

/// A fully parsed policy document.
#[derive(Debug, Clone)]
pub struct Policy {
    name: Option<String>,
    pub(crate) statements: Vec<Statement>,
}

impl Policy {
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let fail = |path: &str, reason: String| Err(PolicyError::new(path, reason));
        let document = json::parse(text).map_err(|reason| PolicyError::new("policy", reason))?;
        let Value::Object(elements) = &document else {
            return fail("policy", format!("is {}, expected an object", type_name(&document)));
        };
        only(elements, &["Version", "Id", "Statement"], "policy")?;
        text_element(elements, "Id", "Id")?;
        let variables = match text_element(elements, "Version", "Version")? {
            Some("2012-10-17") => true,
            // AWS reads a policy without a version as the older one.
            Some("2008-10-17") | None => false,
            Some(other) => return fail("Version", format!("is {other:?}, which is not a policy version")),
        };
        let list = match elements.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
            Some(Value::Array(_)) => return fail("Statement", "is empty".to_owned()),
            Some(single @ Value::Object(_)) => vec![single],
            Some(other) => return fail("Statement", format!("is {}", type_name(other))),
            None => return fail("Statement", "is missing".to_owned()),
        };
        let mut statements: Vec<Statement> = Vec::with_capacity(list.len());
        for (index, value) in list.into_iter().enumerate() {
            let next = statement::parse(value, index, variables)?;
            let repeated = |earlier: &Statement| earlier.sid == next.sid;
            if next.sid.as_deref().is_some_and(|sid| !sid.is_empty()) && statements.iter().any(repeated) {
                return fail(&format!("Statement[{index}].Sid"), "is not unique".to_owned());
            }
            statements.push(next);
        }
        Ok(Self { name: None, statements })
    }

    /// The condition keys, in lower case, of the statements that apply to an action: what a caller must know of a
    /// request. A key that a request lacks can make a condition hold.
    pub fn condition_keys(&self, action: &str) -> BTreeSet<&str> {
        let action = action.to_ascii_lowercase();
        let statements = self.statements.iter().filter(|statement| statement.selects(&action));
        statements.flat_map(|statement| &statement.conditions).map(Condition::key).collect()
    }

    /// Sets the name that decisions and errors use for the policy.
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// The policy's own name, or the given description of its place.
    pub fn label(&self, place: &str) -> String {
        match &self.name {
            Some(name) => format!("{place} {name:?}"),
            None => place.to_owned(),
        }
    }

    /// Checks the elements that the place of attachment requires or forbids.
    pub fn check(&self, attachment: Attachment) -> Result<(), PolicyError> {
        for statement in &self.statements {
            let principals = statement.principals.as_ref();
            let problem = match attachment {
                Attachment::Identity if principals.is_some() => {
                    Some("names a principal, which an identity policy cannot")
                }
                Attachment::Resource | Attachment::Trust if principals.is_none() => {
                    Some("names no principal, which a resource policy must")
                }
                Attachment::Trust if principals.is_some_and(Principals::is_excluded) => {
                    Some("has NotPrincipal, which a trust policy cannot")
                }
                Attachment::Trust if statement.resources.is_some() => {
                    Some("names a resource, which a trust policy cannot")
                }
                Attachment::Identity | Attachment::Resource if statement.resources.is_none() => {
                    Some("names no resource")
                }
                _ => None,
            };
            if let Some(reason) = problem {
                let path = format!("Statement[{}]", statement.index);
                return Err(PolicyError::new(&path, reason.to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A policy with one statement of these elements.
    fn with(elements: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{elements}}}]}}"#)
    }

    fn error(text: &str) -> String {
        match Policy::parse(text) {
            Ok(_) => panic!("accepted {text}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn valid_documents_are_accepted() {
        let minimal = r#"{"Effect":"Deny","NotAction":["s3:get*","*"],"NotResource":"*"}"#;
        for text in [
            format!(r#"{{"Statement":{minimal}}}"#),
            format!(r#"{{"Version":"2008-10-17","Id":"x","Statement":[{minimal},{minimal}]}}"#),
            with(r#""Sid":"","Action":"*:*","Resource":"arn:aws:s3:::b/${aws:username}""#),
            with(r#""Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:a/*/GET/x""#),
            with(r#""Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}"#),
        ] {
            assert!(Policy::parse(&text).is_ok(), "{text}: {:?}", Policy::parse(&text).err());
        }
    }

    #[test]
    fn condition_keys_are_those_of_the_action() {
        let text = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":"s3:Get*","Resource":"*","Condition":{"StringEquals":{"aws:SourceVpc":"a"}}},
            {"Effect":"Deny","NotAction":"s3:GetObject","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}
        ]}"#;
        let policy = Policy::parse(text).unwrap();
        for (action, expected) in [
            ("s3:getobject", &["aws:sourcevpc"][..]),
            ("S3:GetBucketPolicy", &["aws:securetransport", "aws:sourcevpc"]),
            ("s3:PutObject", &["aws:securetransport"]),
        ] {
            assert_eq!(policy.condition_keys(action).into_iter().collect::<Vec<_>>(), expected, "{action}");
        }
    }

    #[test]
    fn errors_name_the_place() {
        let good = r#""Action":"s3:GetObject","Resource":"*""#;
        for (text, path) in [
            ("".to_owned(), "policy: is not JSON"),
            ("[]".to_owned(), "policy: is an array"),
            ("{}".to_owned(), "Statement: is missing"),
            (r#"{"Statement":[]}"#.to_owned(), "Statement: is empty"),
            (r#"{"Statement":"x"}"#.to_owned(), "Statement: is a string"),
            (r#"{"Statement":[1]}"#.to_owned(), "Statement[0]: is a number"),
            (r#"{"version":"2012-10-17","Statement":[]}"#.to_owned(), "policy: has the unknown element"),
            (r#"{"Version":"2012-10-18","Statement":[]}"#.to_owned(), "Version: is \"2012-10-18\""),
            (r#"{"Version":20121017,"Statement":[]}"#.to_owned(), "Version: is a number"),
            (r#"{"Statement":[{"Action":"s3:x","Resource":"*"}]}"#.to_owned(), "Statement[0].Effect: is missing"),
            (r#"{"Statement":[{"Effect":"allow"}]}"#.to_owned(), "Statement[0].Effect: is \"allow\""),
            (with(&format!(r#"{good},"Conditions":{{}}"#)), "Statement[0]: has the unknown element \"Conditions\""),
            (with(&format!(r#"{good},"condition":{{}}"#)), "Statement[0]: has the unknown element"),
            (with(&format!(r#"{good},"Condition":{{}}"#)), "Statement[0].Condition: is empty"),
            (
                with(&format!(r#"{good},"Condition":{{"Bool":{{"aws:x":"true"}}}}"#)),
                "Statement[0].Condition.Bool.aws:x: ",
            ),
            (with(&format!(r#"{good},"Action":"s3:*""#)), "policy: has the key \"Action\" more than once"),
            (with(&format!(r#"{good},"NotAction":"s3:*""#)), "Statement[0]: has both Action and NotAction"),
            (with(&format!(r#"{good},"NotResource":"*""#)), "Statement[0]: has both Resource and NotResource"),
            (with(&format!(r#"{good},"Sid":1"#)), "Statement[0].Sid: is a number"),
            (with(&format!(r#"{good},"Principal":"x""#)), "Statement[0].Principal: is \"x\""),
            (
                with(&format!(r#"{good},"NotPrincipal":{{"AWS":"111111111111"}}"#)),
                "Statement[0].NotPrincipal: is combined",
            ),
            (with(r#""Resource":"*""#), "Statement[0]: has neither Action nor NotAction"),
            (with(r#""Action":[],"Resource":"*""#), "Statement[0].Action: is an empty array"),
            (with(r#""Action":"s3:x","Resource":["*",1]"#), "Statement[0].Resource: contains a number"),
        ] {
            assert!(error(&text).starts_with(path), "{text}: {}", error(&text));
        }
    }

    #[test]
    fn malformed_actions_and_resources_are_refused() {
        for action in ["", "s3", "s3:", ":x", "s*:x", "s3:a:b", "s3:Get Object", "s3:${aws:username}", "*:x"] {
            assert!(error(&with(&format!(r#""Action":"{action}","Resource":"*""#))).contains(".Action"));
        }
        for resource in [
            "",
            "**",
            "bucket/*",
            "arn:aws:s3",
            "arn:aws:s3:::",
            "arn:aws:*:::b",
            "ARN:aws:s3:::b",
            "execute-api:/*",
            "arn:aws:s3::${aws:PrincipalAccount}:b",
            "arn:aws:s3:::${aws:nonsense}",
            "arn:aws:s3:::${aws:username",
        ] {
            assert!(error(&with(&format!(r#""Action":"*","Resource":"{resource}""#))).contains(".Resource"));
        }
    }

    #[test]
    fn duplicate_sids_are_refused() {
        let statement = r#"{"Sid":"a","Effect":"Allow","Action":"*","Resource":"*"}"#;
        let text = format!(r#"{{"Statement":[{statement},{statement}]}}"#);
        assert_eq!(error(&text), "Statement[1].Sid: is not unique");
    }

    #[test]
    fn attachment_limits_the_elements() {
        use Attachment::{Identity, Resource, Trust};
        for (elements, allowed) in [
            (r#""Action":"s3:*","Resource":"*""#, &[Identity][..]),
            (r#""Action":"s3:*","Resource":"*","Principal":"*""#, &[Resource]),
            (r#""Action":"sts:AssumeRole","Principal":"*""#, &[Trust]),
            (r#""Action":"sts:AssumeRole""#, &[]),
        ] {
            let policy = Policy::parse(&with(elements));
            for attachment in [Identity, Resource, Trust] {
                let checked = policy.as_ref().map(|policy| policy.check(attachment).is_ok());
                assert_eq!(checked, Ok(allowed.contains(&attachment)), "{elements} {attachment:?}");
            }
        }
    }
}
