//! What goes back to API Gateway, and the one line that is logged.

use serde_json::{Value, json};

use super::config::{Config, HomeType};
use super::decision::{Grant, Refusal};
use super::question::Question;

/// The answer to the API. Only a grant has a `Role`, which is what Transfer looks at; a refusal's `status` is made the
/// HTTP status by the response template.
///
/// The form is that of the user guide's "Using Amazon API Gateway to integrate your identity provider".
pub fn body(config: &Config, decision: &Result<Grant, Refusal>) -> Value {
    let grant = match decision {
        Err(refusal) => {
            let message = match refusal.status() {
                401 => "Unauthorized",
                404 => "Not Found",
                500 => "Internal Server Error",
                _ => "Forbidden",
            };
            return json!({ "status": refusal.status(), "message": message });
        }
        Ok(grant) => grant,
    };
    let path = grant.home.path();
    let mut answer = json!({ "Role": config.role_arn, "Policy": grant.home.policy() });
    match config.home_type {
        HomeType::Path => answer["HomeDirectory"] = json!(path),
        HomeType::Logical => {
            answer["HomeDirectoryType"] = json!("LOGICAL");
            answer["HomeDirectoryDetails"] = json!(json!([{ "Entry": "/", "Target": path }]).to_string());
        }
    }
    if !grant.public_keys.is_empty() {
        answer["PublicKeys"] = json!(grant.public_keys);
    }
    answer
}

/// The log line: who, from where, and what was decided. Never a password, hash or policy.
pub fn log_line(question: Option<&Question>, decision: &Result<Grant, Refusal>) -> Value {
    let question = question.cloned().unwrap_or_default();
    let (level, outcome, reason) = match decision {
        Ok(grant) if grant.public_keys.is_empty() => ("INFO", "admitted", "password"),
        Ok(_) => ("INFO", "admitted", "keys-offered"),
        Err(refusal) => (if refusal.is_ours() { "ERROR" } else { "INFO" }, "refused", refusal.reason()),
    };
    let short = |text: &str| text.chars().take(64).filter(|c| !c.is_control()).collect::<String>();
    json!({
        "level": level,
        "outcome": outcome,
        "reason": reason,
        "username": question.logged_name(),
        "server": short(&question.server_id),
        "source": short(&question.source_ip),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authorizer::home::Home;
    use crate::authorizer::{Item, judge, screen};
    use proptest::prelude::*;

    fn config(home_type: HomeType) -> Config {
        Config {
            server_id: "s-1".into(),
            table: "t".into(),
            index: "i".into(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            block_list: Default::default(),
            home_type,
        }
    }

    #[test]
    fn a_logical_home_hides_the_bucket() {
        let home = Home::parse("/bucket/a \"b\"").unwrap();
        let grant = Ok(Grant { home, public_keys: vec![] });
        let answer = body(&config(HomeType::Logical), &grant);
        assert_eq!(answer.get("HomeDirectory"), None);
        let details: Value = serde_json::from_str(answer["HomeDirectoryDetails"].as_str().unwrap()).unwrap();
        assert_eq!(details, json!([{ "Entry": "/", "Target": "/bucket/a \"b\"" }]));
        assert_eq!(body(&config(HomeType::Path), &grant)["HomeDirectory"], "/bucket/a \"b\"");
    }

    #[test]
    fn no_refusal_has_a_role() {
        for refusal in Refusal::ALL {
            let answer = body(&config(HomeType::Path), &Err(refusal));
            assert_eq!(answer.get("Role"), None);
            assert_eq!(answer["status"], refusal.status());
        }
    }

    #[test]
    fn a_log_line_has_no_secret() {
        let question = Question { username: "u".into(), password: "hunter2".into(), ..Question::default() };
        for decision in [
            Ok(Grant { home: Home::parse("/bucket/folder").unwrap(), public_keys: vec!["KEY".into()] }),
            Err(Refusal::WrongPassword),
        ] {
            let line = log_line(Some(&question), &decision).to_string();
            assert!(!line.contains("hunter2") && !line.contains("KEY") && !line.contains("folder"), "{line}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(
                    prop_oneof![
                        Just("username".to_owned()),
                        Just("password".to_owned()),
                        Just("serverId".to_owned()),
                        ".*"
                    ],
                    inner,
                    0..6
                )
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// No event, whatever it is, makes a panic or a role by itself.
        #[test]
        fn no_event_opens_anything(event in any_json()) {
            let config = config(HomeType::Path);
            let decision = match Question::parse(&event) {
                Err(_) => Err(Refusal::MalformedEvent),
                Ok(question) => screen(&config, &question).and_then(|()| judge(&question, &[Item::new()])),
            };
            prop_assert!(body(&config, &decision).get("Role").is_none());
        }

        /// No password but the right one opens an account.
        #[test]
        fn only_the_right_password_opens(password in ".{1,40}") {
            let item = crate::authorizer::account::tests::old();
            let question = Question { username: "my1sftp".into(), password: password.clone(), ..Question::default() };
            prop_assert_eq!(judge(&question, &[item]).is_ok(), password == "secret");
        }
    }
}
