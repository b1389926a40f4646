//! Checks of the authorizer's input, the event of a log-in and an item of the account table: no input may cause a
//! panic, except in the assertions here.

use serde_json::Value;

use sftp_authorizer::config::HomeType;
use sftp_authorizer::password::Scheme;
use sftp_authorizer::{Account, Attribute, Config, Item, Question, Refusal, Usernames, answer, judge, screen};

/// Argon2id of "secret" with the smallest parameters: with 19 MiB, only twenty events per second would be tested.
const SECRET: &str = "$argon2id$v=19$m=8,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$4R1PEQPItpvkTH5juMUak3oEb8rtWEdaRzGIjigkYIU";

/// The authorizer's event: the response has a `Role` only for the right password.
pub fn event(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
    let config = Config {
        server_id: "s-1".into(),
        table: "t".into(),
        index: "i".into(),
        role_arn: "arn:aws:iam::111111111111:role/r".into(),
        block_list: ["root".to_owned()].into(),
        home_type: HomeType::Path,
        usernames: Usernames::Exact,
        region: "us-west-2".into(),
        takes_keys: true,
    };
    let question = Question::parse(&event);
    let decision = match &question {
        Err(_) => Err(Refusal::MalformedEvent),
        Ok(question) => {
            screen(&config, question).and_then(|()| judge(question, &config.at(0), &[account(&question.username)]))
        }
    };
    let question = question.ok();
    let line = answer::log_line(question.as_ref(), &decision).to_string();
    assert!(!line.contains('\n') && line.len() < 4_000, "{line}");
    let admitted = answer::body(&config, &decision).is_ok_and(|answer| answer.get("Role").is_some());
    let right = question.is_some_and(|question| {
        question.password == "secret"
            && question.server_id == "s-1"
            && question.protocol.eq_ignore_ascii_case("sftp")
            && !question.username.is_empty()
            && !question.username.eq_ignore_ascii_case("root")
    });
    assert_eq!(admitted, right, "{event}");
}

/// An account with that name: an unknown name would cost an Argon2id with the full parameters.
fn account(username: &str) -> Item {
    let text = |text: &str| Attribute::Text(text.to_owned());
    Item::from([
        ("orgid".to_owned(), Attribute::Number("1".to_owned())),
        ("username".to_owned(), text(username)),
        ("password".to_owned(), text(SECRET)),
        ("HomeDirectory".to_owned(), text("/pl-pt99-5-uploads/1")),
    ])
}

/// An item of the account table: a parsed account is unchanged after writing and parsing, and AWS accepts its policy.
pub fn item(data: &[u8]) {
    let Ok(Value::Object(map)) = serde_json::from_slice(data) else { return };
    let item: Item = map.into_iter().map(|(name, value)| (name, attribute(value))).collect();
    let Ok(account) = Account::from_item(&item) else { return };
    let again = Account::from_item(&account.to_item());
    assert_eq!(again.as_ref(), Ok(&account));
    account.admits("192.0.2.1");
    account.password.as_deref().map(Scheme::of);
    let policy = account.home.policy();
    assert!(policy.chars().count() <= 2048, "{policy}");
    let policy: Value = serde_json::from_str(&policy).unwrap_or_default();
    let folder = policy["Statement"][1]["Resource"].as_str().unwrap_or_default();
    assert!(folder.ends_with("/*") && folder.matches('*').count() == 1 + folder.matches("${*}").count(), "{folder}");
}

fn attribute(value: Value) -> Attribute {
    let text = |value: Value| value.as_str().map(str::to_owned);
    match value {
        Value::String(text) => Attribute::Text(text),
        Value::Number(number) => Attribute::Number(number.to_string()),
        Value::Array(values) => {
            values.into_iter().map(text).collect::<Option<_>>().map_or(Attribute::Other, Attribute::Texts)
        }
        _ => Attribute::Other,
    }
}
