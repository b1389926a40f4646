//! The authorizer's event: whatever comes, there is no panic, and a `Role` for the right password alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sftpctl::authorizer::config::HomeType;
use sftpctl::authorizer::{Attribute, Config, Item, Question, Refusal, answer, judge, screen};

/// Argon2id of "secret" at its smallest, since here only the decision counts: 19 MiB would be twenty events a second.
const SECRET: &str = "$argon2id$v=19$m=8,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBw$4R1PEQPItpvkTH5juMUak3oEb8rtWEdaRzGIjigkYIU";

fuzz_target!(|data: &[u8]| {
    let Ok(event) = serde_json::from_slice::<serde_json::Value>(data) else { return };
    let config = Config {
        server_id: "s-1".into(),
        table: "t".into(),
        index: "i".into(),
        role_arn: "arn:aws:iam::111111111111:role/r".into(),
        block_list: ["root".to_owned()].into(),
        home_type: HomeType::Path,
    };
    let question = Question::parse(&event);
    let decision = match &question {
        Err(_) => Err(Refusal::MalformedEvent),
        Ok(question) => screen(&config, question).and_then(|()| judge(question, &[account(&question.username)])),
    };
    let question = question.ok();
    let line = answer::log_line(question.as_ref(), &decision).to_string();
    assert!(!line.contains('\n') && line.len() < 4_000, "{line}");
    let admitted = answer::body(&config, &decision).get("Role").is_some();
    let right = question.is_some_and(|asked| {
        asked.password == "secret"
            && asked.server_id == "s-1"
            && asked.protocol.eq_ignore_ascii_case("sftp")
            && !asked.username.is_empty()
            && !asked.username.eq_ignore_ascii_case("root")
    });
    assert_eq!(admitted, right, "{event}");
});

/// An account of that name: to be unknown would cost a whole Argon2id.
fn account(username: &str) -> Item {
    let text = |text: &str| Attribute::Text(text.to_owned());
    Item::from([
        ("orgid".to_owned(), Attribute::Number("1".to_owned())),
        ("username".to_owned(), text(username)),
        ("password".to_owned(), text(SECRET)),
        ("HomeDirectory".to_owned(), text("/pl-pt99-5-uploads/1")),
    ])
}
