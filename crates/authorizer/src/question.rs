//! The request from the API's mapping template.

use serde::Deserialize;

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

/// Maximum length of a logged user name in characters: Transfer Family's own limit.
const MAX_LOGGED: usize = 100;

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
        escaped(&self.username, MAX_LOGGED)
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
    fn a_logged_name_is_short_and_on_one_line() {
        let question = Question { username: "a\n\u{1b}ñ".repeat(200), ..Question::default() };
        let logged = question.logged_name();
        assert_eq!(logged, "a\\n\\u{1b}ñ".repeat(25));
        assert!(!logged.contains(char::is_control));
    }
}
