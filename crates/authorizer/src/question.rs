//! The request from the API's mapping template.

use std::borrow::Cow;

use serde::Deserialize;

use super::usernames::Usernames;

/// One log-in, as `templates/region/api.yaml` maps Transfer Family's request. A missing member becomes an empty string:
/// Transfer Family sends no password if the customer offers a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Question {
    /// As the customer typed it.
    pub username: String,
    /// As the customer typed it; empty for a log-in by key.
    pub password: String,
    /// `SFTP`.
    pub protocol: String,
    /// The server of the log-in.
    pub server_id: String,
    pub source_ip: String,
}

/// Maximum length of a user name in characters, also of one in the log.
const MAX_NAME: usize = 100;

/// A name that no account has, of the length of others.
const NOBODY: &str = "-no-account-";

/// Whether a name has the form of Transfer Family's `UserName` (API reference, CreateUser): 3 to 100 letters, digits,
/// `_`, `@`, `.` and `-`, the first a letter, a digit or `_`.
pub fn is_user_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (3..=MAX_NAME).contains(&name.len()) && name.starts_with(word) && name.chars().all(|c| word(c) || "@.-".contains(c))
}

impl Question {
    /// Reads the event.
    ///
    /// # Errors
    /// The event is not an object, or one of the known members is not a string.
    pub fn parse(event: &serde_json::Value) -> Result<Self, serde_json::Error> {
        Self::deserialize(event)
    }

    /// The user name for a log line: truncated, with control characters escaped.
    pub fn logged_name(&self) -> String {
        escaped(&self.username, MAX_NAME)
    }

    /// The name to look up. For one that cannot be a user name this is a name without an account, so that it reaches no
    /// table and its refusal takes as long as any other.
    pub fn name_to_look_up(&self, usernames: Usernames) -> Cow<'_, str> {
        if is_user_name(&self.username) { usernames.stored(&self.username) } else { NOBODY.into() }
    }
}

/// The first `most` characters of a text, with control characters written as `\n` or `\u{1b}`, so that they have no
/// effect on a terminal.
pub(super) fn escaped(text: &str, most: usize) -> String {
    let shown = text.chars().take(most);
    shown.fold(String::new(), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default())
        } else {
            out.push(c)
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_may_be_missing_but_not_of_another_type() {
        assert_eq!(Question::parse(&json!({})).unwrap(), Question::default());
        assert!(Question::parse(&json!({"username": 1})).is_err());
        assert!(Question::parse(&json!([1])).is_err());
        assert!(Question::parse(&json!(null)).is_err());
    }

    #[test]
    fn odd_names_are_not_looked_up() {
        for name in ["my1sftp", "a@b.c", "_x-", "123", &"a".repeat(100)] {
            let question = Question { username: name.to_owned(), ..Question::default() };
            assert_eq!(question.name_to_look_up(Usernames::Exact), name);
        }
        let long = "a".repeat(5 << 20);
        for name in ["", "ab", "root ", "\u{ff52}oot", "-abc", ".abc", "a b", "ñandu", "a/b", "a\n", &long] {
            let question = Question { username: name.to_owned(), ..Question::default() };
            for usernames in [Usernames::Exact, Usernames::CaseInsensitive] {
                assert_eq!(question.name_to_look_up(usernames), NOBODY, "{name:.20}");
            }
        }
        let question = Question { username: "JAN".to_owned(), ..Question::default() };
        assert_eq!(question.name_to_look_up(Usernames::Exact), "JAN");
        assert_eq!(question.name_to_look_up(Usernames::CaseInsensitive), "jan");
        assert!(!is_user_name(NOBODY));
    }

    #[test]
    fn a_logged_name_is_short_and_on_one_line() {
        let question = Question { username: "a\n\u{1b}ñ".repeat(200), ..Question::default() };
        let logged = question.logged_name();
        assert_eq!(logged, "a\\n\\u{1b}ñ".repeat(25));
        assert!(!logged.contains(char::is_control));
    }
}
