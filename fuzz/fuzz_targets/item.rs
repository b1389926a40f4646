//! An item of the account table: whatever is stored, there is no panic; what is read as an account is written as it was,
//! and its policy is one that AWS takes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sftpctl::authorizer::password::Scheme;
use sftpctl::authorizer::{Account, Attribute, Item};

fuzz_target!(|data: &[u8]| {
    let Ok(Value::Object(map)) = serde_json::from_slice(data) else { return };
    let item: Item = map.into_iter().map(|(name, value)| (name, attribute(value))).collect();
    let Ok(account) = Account::from_item(&item) else { return };
    let again = Account::from_item(&account.to_item());
    assert_eq!(again.as_ref(), Ok(&account));
    account.admits("192.0.2.1");
    account.password.as_deref().map(Scheme::of);
    let policy = account.home.policy();
    assert!(policy.chars().count() <= 2048, "{policy}");
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let folder = policy["Statement"][1]["Resource"].as_str().unwrap();
    assert!(folder.ends_with("/*") && folder.matches('*').count() == 1 + folder.matches("${*}").count(), "{folder}");
});

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
