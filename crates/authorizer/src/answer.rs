//! The answer to API Gateway, and the line that is logged.

use serde_json::{Value, json};

use super::config::{Config, HomeType};
use super::decision::{Grant, Refusal};
use super::question::Question;

/// Nothing could be decided: the function fails, so that the API answers 500 and Transfer logs an error of its identity
/// provider instead of a failed authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account table did not answer")]
pub struct Undecided;

/// The answer to the API, which passes it on with the HTTP status 200. Only a grant has a `Role`, which is what Transfer
/// looks for.
///
/// The form is that of the user guide's "Using Amazon API Gateway to integrate your identity provider": the method
/// "should always return HTTP status code 200"; any other is an error of the identity provider.
///
/// A refusal's `status` tells `sftpctl test-login` whether the account was looked up. It is the same for an unknown user,
/// a wrong password and a disabled account; the reason is in the log only.
///
/// # Errors
/// The table did not answer.
pub fn body(config: &Config, decision: &Result<Grant, Refusal>) -> Result<Value, Undecided> {
    let grant = match decision {
        Err(Refusal::TableUnreachable) => return Err(Undecided),
        Err(refusal) if refusal.status() == 401 => return Ok(json!({ "status": 401, "message": "Unauthorized" })),
        Err(_) => return Ok(json!({ "status": 403, "message": "Forbidden" })),
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
    Ok(answer)
}

/// The log line: user name, source address and decision. It never contains a password, hash or policy.
pub fn log_line(question: Option<&Question>, decision: &Result<Grant, Refusal>) -> Value {
    let question = question.cloned().unwrap_or_default();
    let (level, outcome, reason, status) = match decision {
        Ok(grant) if grant.public_keys.is_empty() => ("INFO", "admitted", "password", 200),
        Ok(_) => ("INFO", "admitted", "keys-offered", 200),
        Err(refusal) => {
            let level = if refusal.needs_operator() { "ERROR" } else { "INFO" };
            (level, "refused", refusal.reason(), refusal.status())
        }
    };
    let short = |text: &str| super::question::escaped(text, 64);
    json!({
        "level": level,
        "outcome": outcome,
        "reason": reason,
        "status": status,
        "username": question.logged_name(),
        "server": short(&question.server_id),
        "source": short(&question.source_ip),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Home;
    use crate::{Attribute, Item, judge, password, screen};
    use proptest::prelude::*;

    fn config(home_type: HomeType) -> Config {
        Config {
            server_id: "s-1".into(),
            table: "t".into(),
            index: "i".into(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            block_list: Default::default(),
            home_type,
            usernames: crate::Usernames::Exact,
            region: "us-west-2".into(),
            takes_keys: true,
        }
    }

    #[test]
    fn a_logical_home_hides_the_bucket() {
        let home = Home::parse("/bucket/a \"b\"").unwrap();
        let grant = Ok(Grant { home, public_keys: vec![] });
        let answer = body(&config(HomeType::Logical), &grant).unwrap();
        assert_eq!(answer.get("HomeDirectory"), None);
        let details: Value = serde_json::from_str(answer["HomeDirectoryDetails"].as_str().unwrap()).unwrap();
        assert_eq!(details, json!([{ "Entry": "/", "Target": "/bucket/a \"b\"" }]));
        assert_eq!(body(&config(HomeType::Path), &grant).unwrap()["HomeDirectory"], "/bucket/a \"b\"");
    }

    #[test]
    fn a_refusal_has_no_role_and_does_not_tell_its_reason() {
        let refused = |refusal| body(&config(HomeType::Path), &Err(refusal));
        let forbidden = json!({ "status": 403, "message": "Forbidden" });
        for refusal in Refusal::ALL {
            let expected = match refusal.status() {
                500 => Err(Undecided),
                401 => Ok(json!({ "status": 401, "message": "Unauthorized" })),
                _ => Ok(forbidden.clone()),
            };
            assert_eq!(refused(refusal), expected, "{refusal:?}");
        }
        assert_eq!(refused(Refusal::UnknownUser), refused(Refusal::WrongPassword));
        for refusal in [Refusal::Disabled, Refusal::Expired, Refusal::Region] {
            assert_eq!(refused(Refusal::UnknownUser), refused(refusal));
        }
    }

    #[test]
    fn only_a_broken_table_is_an_error() {
        let undecided =
            Refusal::ALL.into_iter().filter(|refusal| body(&config(HomeType::Path), &Err(*refusal)).is_err());
        assert_eq!(undecided.collect::<Vec<_>>(), [Refusal::TableUnreachable]);
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

    /// The password `secret` in each stored form.
    fn stored() -> &'static [String; 3] {
        static STORED: std::sync::OnceLock<[String; 3]> = std::sync::OnceLock::new();
        STORED.get_or_init(|| {
            let salt = [7; password::SALT_BYTES];
            let legacy = password::legacy("secret");
            [
                legacy.clone(),
                password::hash("secret", &salt).unwrap(),
                format!("{{sha224}}{}", password::hash(&legacy, &salt).unwrap()),
            ]
        })
    }

    /// The template's metric filters match the fields of the log line: every refusal is counted by its reason, and
    /// refusals that need an operator raise the alarm.
    #[test]
    fn the_metric_filters_match_every_refusal() {
        let template = include_str!("../../../templates/region/alarms.yaml");
        let filters: Vec<&str> = template
            .lines()
            .filter_map(|line| line.trim().strip_prefix("FilterPattern: '")?.strip_suffix('\''))
            .collect();
        let fits = |filter: &str, line: &Value| {
            let inner = filter.trim_start_matches("{ ").trim_end_matches(" }");
            inner.split(" && ").all(|term| {
                let (name, value) = term.split_once(" = ").unwrap();
                line[name.strip_prefix("$.").unwrap()] == json!(value.trim_matches('"'))
            })
        };
        let [all, needs_operator, log_ins] = filters[..] else { panic!("{filters:?}") };
        assert!(template.contains("Value: \"$.reason\""), "refusals are counted by reason");
        for refusal in Refusal::ALL {
            let line = log_line(None, &Err(refusal));
            assert!(fits(all, &line) && line["reason"] == refusal.reason(), "{line}");
            assert_eq!(line["status"], refusal.status(), "{line}");
            assert_eq!(fits(needs_operator, &line), refusal.needs_operator(), "{line}");
            assert!(!fits(log_ins, &line), "{line}");
        }
        let grant = Grant { home: Home::parse("/bucket/folder").unwrap(), public_keys: vec![] };
        let line = log_line(None, &Ok(grant));
        assert!(!fits(all, &line) && !fits(needs_operator, &line) && fits(log_ins, &line), "{line}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// No event alone causes a panic or is answered with a role.
        #[test]
        fn no_event_alone_gets_a_role(event in any_json()) {
            let config = config(HomeType::Path);
            let decision = match Question::parse(&event) {
                Err(_) => Err(Refusal::MalformedEvent),
                Ok(question) => screen(&config, &question).and_then(|()| judge(&question, &config.at(0), &[Item::new()])),
            };
            prop_assert!(body(&config, &decision).unwrap().get("Role").is_none());
        }

        /// Only the right password opens an account, in every stored form, and only in an event with the right keys.
        #[test]
        fn only_the_right_password_opens(
            password in prop_oneof![
                3 => ".{1,40}",
                2 => Just("secret".to_owned()),
                1 => "(?i)secret",
                1 => "[ \\x00]?secret[ \\x00]?",
                1 => Just(password::legacy("secret")),
            ],
            scheme in 0..3_usize,
            server in prop_oneof![4 => Just("s-1".to_owned()), 1 => "s-[0-9]?", 1 => any::<String>()],
            key in prop_oneof![
                6 => Just("password"),
                1 => Just("Password"),
                1 => Just("PASSWORD"),
                1 => Just("passwort"),
            ],
            extra in prop::option::of(("[a-zA-Z]{1,12}", any_json())),
        ) {
            let config = config(HomeType::Path);
            let mut item = crate::account::tests::old();
            item.insert("password".to_owned(), Attribute::Text(stored()[scheme].clone()));
            let mut event = json!({
                "username": "my1sftp",
                "protocol": "SFTP",
                "serverId": server,
                "sourceIp": "192.0.2.1",
            });
            if let Some((name, value)) = extra.filter(|(name, _)| event.get(name).is_none()) {
                event[name] = value;
            }
            event[key] = json!(password);
            let decision = match Question::parse(&event) {
                Err(_) => Err(Refusal::MalformedEvent),
                Ok(question) => screen(&config, &question).and_then(|()| judge(&question, &config.at(0), &[item])),
            };
            let right = event["password"] == "secret" && server == "s-1" && Question::parse(&event).is_ok();
            let answer = body(&config, &decision).unwrap();
            prop_assert_eq!(answer.get("Role").is_some(), right, "{} by {}", event, scheme);
        }
    }
}
