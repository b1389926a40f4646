//! What may be a secret, by its name or by its form, wherever values are shown. Pure.
//!
//! The one rule for plans, drift and their JSON ([`hidden`]), for the lines of files that a fault shows
//! (`yaml::secrets`), and for messages. It errs towards hiding: what is hidden is named, and whoever may read the value
//! finds it where it is.

use std::ops::Range;

use serde_json::{Map, Value};

/// Stands in the place of a value.
pub const HIDDEN: &str = "(not shown)";
/// Stands in the place of a value after it has changed.
pub const HIDDEN_OTHER: &str = "(not shown, another value)";

/// Parts of names, without case and punctuation, whose values are secret.
const PARTS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "kennwort",
    "secret",
    "token",
    "private",
    "credential",
    "apikey",
    "accesskey",
    "authkey",
    "encryptionkey",
    "signingkey",
    "masterkey",
];

/// Last words of environment variables, `DB_PASS`, whose values are secret.
const LAST_WORDS: [&str; 7] = ["KEY", "PASS", "PWD", "PW", "SALT", "PIN", "DSN"];

/// Whether a name says that its value is secret.
pub fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let is_variable = name.contains('_') && !name.contains(|c: char| c.is_ascii_lowercase());
    PARTS.iter().any(|part| plain.contains(part))
        || plain == "pwd"
        || (is_variable && name.rsplit('_').next().is_some_and(|word| LAST_WORDS.contains(&word)))
}

/// Whether any part of a path such as `Environment.Variables.DB_PASS` or `parameter DbPassword` is such a name.
fn is_secret_path(path: &str) -> bool {
    path.split(['.', ' ', '[', ']', '(', ')']).any(is_secret_name)
}

/// A value before and after a change as it may be shown: texts and numbers under a secret name are hidden at any depth,
/// and so is what has the form of a secret in any text. Two values that differ are still seen to differ.
pub fn hidden(name: &str, before: Option<&Value>, after: Option<&Value>) -> (Option<Value>, Option<Value>) {
    both(is_secret_path(name), before, after)
}

fn both(is_secret: bool, before: Option<&Value>, after: Option<&Value>) -> (Option<Value>, Option<Value>) {
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if !is_reference(old) && !is_reference(new) => {
            let (mut olds, mut news) = (Map::new(), Map::new());
            let own = is_secret || has_secret_label(old) || has_secret_label(new);
            for key in old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))) {
                let is_secret = is_secret || is_secret_name(key) || (own && !is_label(key));
                let (was, is) = both(is_secret, old.get(key), new.get(key));
                olds.extend(was.map(|was| (key.clone(), was)));
                news.extend(is.map(|is| (key.clone(), is)));
            }
            (Some(olds.into()), Some(news.into()))
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() == new.len() => {
            let pairs = old.iter().zip(new).map(|(old, new)| both(is_secret, Some(old), Some(new)));
            let (olds, news): (Vec<_>, Vec<_>) = pairs.unzip();
            (Some(olds.into_iter().flatten().collect()), Some(news.into_iter().flatten().collect()))
        }
        (before, after) => {
            let shown = |value: Option<&Value>| value.map(|value| alone(is_secret, value));
            let (was, mut is) = (shown(before), shown(after));
            if was == is && before != after && was.is_some() {
                is = Some(match is {
                    Some(Value::String(text)) if text != HIDDEN => format!("{text} (another value)").into(),
                    _ => HIDDEN_OTHER.into(),
                });
            }
            (was, is)
        }
    }
}

fn alone(is_secret: bool, value: &Value) -> Value {
    match value {
        Value::Object(members) if is_reference(members) => value.clone(),
        Value::Object(members) => {
            let own = is_secret || has_secret_label(members);
            let member = |(key, value): (&String, &Value)| {
                let is_secret = is_secret || is_secret_name(key) || (own && !is_label(key));
                (key.clone(), alone(is_secret, value))
            };
            members.iter().map(member).collect::<Map<_, _>>().into()
        }
        Value::Array(members) => members.iter().map(|member| alone(is_secret, member)).collect(),
        Value::String(text) if text.is_empty() || text == HIDDEN || text == HIDDEN_OTHER => value.clone(),
        Value::String(text) if is_secret => if is_arn(text) { text } else { HIDDEN }.into(),
        Value::String(text) => masked(text).into(),
        Value::Number(_) if is_secret => HIDDEN.into(),
        other => other.clone(),
    }
}

/// A tag, parameter or variable as an object with its name: `{"Key": "db-password", "Value": …}`.
pub fn is_named_secret(value: &Value) -> bool {
    value.as_object().is_some_and(has_secret_label)
}

fn has_secret_label(members: &Map<String, Value>) -> bool {
    members.iter().any(|(key, value)| is_label(key) && value.as_str().is_some_and(is_secret_name))
}

fn is_label(key: &str) -> bool {
    matches!(key, "Key" | "Name" | "ParameterKey" | "key" | "name")
}

/// CloudFormation's reference to a value, which is none: `Ref`, `Fn::GetAtt`.
fn is_reference(members: &Map<String, Value>) -> bool {
    members.len() == 1 && members.keys().all(|key| matches!(key.as_str(), "Ref" | "Fn::GetAtt" | "Fn::ImportValue"))
}

/// An ARN names something, and is no secret, also of a secret.
fn is_arn(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_/:.+=,@*".contains(c);
    text.starts_with("arn:aws") && text.matches(':').count() >= 5 && text.chars().all(is_part)
}

/// The text with [`HIDDEN`] in place of what has the form of a secret.
pub fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut from = 0;
    for place in places(text) {
        if place.end > from {
            out.push_str(text.get(from..place.start.max(from)).unwrap_or_default());
            out.push_str(HIDDEN);
            from = place.end;
        }
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// The places in a text of what has the form of a secret, by their beginning: private keys, hashes of crypt(3), LDAP and
/// MySQL, the password in a URL, and the value after a secret name and `=`, or after one in quotes and a colon.
pub fn places(text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = private_keys(text).collect();
    for (at, _) in text.match_indices('$') {
        found.extend(crypt(text, at));
    }
    for (at, _) in text.match_indices('{') {
        found.extend(ldap(text, at));
    }
    for (at, _) in text.match_indices('*') {
        let digits = run(text, at + 1, |c| c.is_ascii_hexdigit());
        found.extend((digits.len() == 40).then_some(at..digits.end));
    }
    for (at, _) in text.match_indices("://") {
        let authority = run(text, at + 3, |c| !c.is_whitespace() && !"/?#\"'<>".contains(c));
        let inside = text.get(authority.clone()).unwrap_or_default();
        if let (Some(colon), Some(end)) = (inside.find(':'), inside.rfind('@'))
            && colon < end
        {
            found.push(authority.start + colon + 1..authority.start + end);
        }
    }
    found.extend(assigned(text));
    found.sort_by_key(|place| (place.start, place.end));
    found.retain(|place| !place.is_empty());
    found
}

/// Whether a word has the form of a digest in hexadecimal, which some servers store for a password.
pub fn is_digest(word: &str) -> bool {
    const LENGTHS: [usize; 6] = [32, 40, 56, 64, 96, 128];
    LENGTHS.contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The characters from `start` on that are of a kind.
fn run(text: &str, start: usize, is_it: impl Fn(char) -> bool) -> Range<usize> {
    let rest = text.get(start..).unwrap_or_default();
    start..start + rest.find(|c| !is_it(c)).unwrap_or(rest.len())
}

/// PEM, from its first line to its last.
fn private_keys(text: &str) -> impl Iterator<Item = Range<usize>> {
    const END: &str = "-----END";
    text.match_indices("-----BEGIN").map(|(start, _)| {
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(END).map_or(text.len(), |at| start + at + END.len());
        start..end
    })
}

/// crypt(5): `$6$salt$hash`, `$2b$10$…`, `$argon2id$v=19$…`.
fn crypt(text: &str, at: usize) -> Option<Range<usize>> {
    let id = run(text, at + 1, |c| c.is_ascii_alphanumeric() || c == '-');
    let hash = run(text, id.end + 1, |c| c.is_ascii_alphanumeric() || "./+=$,-_".contains(c));
    let is_hash = (1..=20).contains(&id.len()) && text.get(id.end..=id.end) == Some("$") && hash.len() >= 8;
    is_hash.then_some(at..hash.end)
}

/// LDAP: `{SSHA}base64`.
fn ldap(text: &str, at: usize) -> Option<Range<usize>> {
    let scheme = run(text, at + 1, |c| c.is_ascii_uppercase() || c.is_ascii_digit() || "-.".contains(c));
    let hash = run(text, scheme.end + 1, |c| c.is_ascii_alphanumeric() || "+/=$.".contains(c));
    let is_hash =
        (3..=20).contains(&scheme.len()) && text.get(scheme.end..=scheme.end) == Some("}") && hash.len() >= 12;
    is_hash.then_some(at..hash.end)
}

/// The values after secret names: `password=…`, `"password": "…"`.
fn assigned(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, sign) in text.match_indices(['=', ':']) {
        let before = text.get(..at).unwrap_or_default().trim_end();
        let quoted = before.strip_suffix(['"', '\'']);
        let word = quoted.unwrap_or(before);
        let start = word.rfind(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c)).map_or(0, |at| at + 1);
        let name = word.get(start..).unwrap_or_default();
        if !is_secret_name(name) || (sign == ":" && quoted.is_none()) {
            continue;
        }
        let value = run(text, at + 1, |c| c == ' ').end;
        let rest = text.get(value..).unwrap_or_default();
        if rest.starts_with(HIDDEN) {
            continue;
        }
        found.push(match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => run(text, value + 1, |c| c != quote),
            _ => run(text, value, |c| !c.is_whitespace() && !"&;,\"'}".contains(c)),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_that_say_so_are_secret() {
        for name in [
            "password",
            "DB_PASSWORD",
            "dbPassword",
            "aws_secret_access_key",
            "Token",
            "private-key",
            "API_KEY",
            "apiKey",
            "SIGNING_KEY",
            "MYSQL_PWD",
            "PG_PASS",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "TABLE_NAME",
            "TAKES_KEYS",
            "kms_key",
            "KmsKeyId",
            "host_keys",
            "keys",
            "Key",
            "PublicKey",
            "MemorySize",
            "pin",
            "SpinCount",
            "external_id",
            "passes",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn secrets_are_hidden_at_any_depth_and_still_differ() {
        let before = json!({
            "Variables": { "DB_PASSWORD": "hunter2", "A": "1", "SIGNING_KEY": "k1" },
            "Tags": [{ "Key": "token", "Value": "t1" }, { "Key": "owner", "Value": "me" }],
            "secret": { "deep": ["d1", 7], "on": true },
            "Credentials": { "Fn::GetAtt": ["Role", "Arn"] },
            "Text": "mysql://me:m1@db/x password=p1&y=2 {\"apiKey\": \"j1\"} $6$salt$0123456789abcdef",
        });
        let mut after = before.clone();
        after["Variables"]["DB_PASSWORD"] = "hunter3".into();
        after["Tags"][0]["Value"] = "t2".into();
        after["secret"]["deep"][0] = "d2".into();
        after["Text"] = before["Text"].as_str().map(|text| text.replace("p1", "p2")).into();
        let (was, is) = hidden("Authorizer.Environment", Some(&before), Some(&after));
        let (was, is) = (was.unwrap(), is.unwrap());
        for shown in [was.to_string(), is.to_string()] {
            for secret in ["hunter", "k1", "t1", "t2", "d1", "d2", "7", "m1", "p1", "p2", "j1", "salt"] {
                assert!(!shown.contains(secret), "{secret}: {shown}");
            }
            for plain in ["\"A\":\"1\"", "\"me\"", "\"on\":true", "Fn::GetAtt", "&y=2", "@db/x"] {
                assert!(shown.contains(plain), "{plain}: {shown}");
            }
        }
        assert_eq!(was["Variables"]["SIGNING_KEY"], is["Variables"]["SIGNING_KEY"]);
        for path in ["/Variables/DB_PASSWORD", "/Tags/0/Value", "/secret/deep/0", "/Text"] {
            assert_ne!(was.pointer(path), is.pointer(path), "{path}");
        }
        // What was hidden once is the same when it is hidden again.
        assert_eq!(hidden("Authorizer.Environment", Some(&was), Some(&is)), (Some(was), Some(is)));
    }

    #[test]
    fn a_path_with_a_secret_name_is_secret() {
        let (one, other) = (json!("a1"), json!("a2"));
        for name in ["Environment.Variables.DB_PASSWORD", "parameter DbPassword", "secrets[0].x"] {
            assert_eq!(
                hidden(name, Some(&one), Some(&other)),
                (Some(HIDDEN.into()), Some(HIDDEN_OTHER.into())),
                "{name}"
            );
            assert_eq!(hidden(name, None, Some(&one)), (None, Some(HIDDEN.into())), "{name}");
        }
        let arn = json!("arn:aws:secretsmanager:us-west-2:111111111111:secret:host-key-AbCdEf");
        assert_eq!(hidden("SecretArn", None, Some(&arn)), (None, Some(arn)));
        assert_eq!(hidden("Timeout", Some(&json!(1)), Some(&json!(2))), (Some(json!(1)), Some(json!(2))));
    }

    #[test]
    fn only_what_has_the_form_of_a_secret_is_masked() {
        for (text, expected) in [
            ("a {SSHA}aaaaaaaaaaaaaaaa b", "a (not shown) b"),
            ("*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19", "(not shown)"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA", "(not shown)"),
            ("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA", "(not shown)"),
            ("arn:aws:secretsmanager:us-west-2:1:secret:host", "arn:aws:secretsmanager:us-west-2:1:secret:host"),
            ("^/home/(\\d+)$ ${aws:username} s3:*", "^/home/(\\d+)$ ${aws:username} s3:*"),
            ("https://x.y/z?a=b", "https://x.y/z?a=b"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }
}
