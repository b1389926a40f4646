//! JSON with every text in the form in which the command line shows it, so that the page shows nothing unseen. Pure.

use serde_json::{Map, Value};
use sftpctl_core::shown::visible;

/// The value with all its texts, names of members too, made visible.
pub(crate) fn harmless(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(visible(&text).into_owned()),
        Value::Array(items) => items.into_iter().map(harmless).collect(),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| (visible(&name).into_owned(), harmless(value)))
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_unseen_is_left() {
        let value = json!({ "a\u{202e}": ["\u{1b}[2J", { "b": "x\u{200b}y" }, 1, null, "H\u{e4}fen & <b>"] });
        let shown = json!({ "a\\u{202e}": ["\\u{1b}[2J", { "b": "x\\u{200b}y" }, 1, null, "H\u{e4}fen & <b>"] });
        assert_eq!(harmless(value), shown);
    }
}
