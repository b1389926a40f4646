//! `--output json`: one object on a line, with the name and version of its schema. Within a version, fields are only
//! added. Pure.

use serde::Serialize;
use serde_json::{Value, json};
use sftpctl_core::shown::Text;

/// The line for a view. `schema` is its name without `sftpctl/`, such as `plan/1`.
pub fn line(schema: &str, view: &impl Serialize) -> Text {
    let mut line = json!({ "schema": format!("sftpctl/{schema}") });
    match (line.as_object_mut(), serde_json::to_value(view)) {
        (Some(line), Ok(Value::Object(fields))) => line.extend(fields),
        (_, other) => line["value"] = other.unwrap_or_default(),
    }
    Text::json(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_is_a_field_beside_those_of_the_view() {
        assert_eq!(line("x/1", &json!({ "a": 1 })).to_string(), r#"{"a":1,"schema":"sftpctl/x/1"}"#);
        assert_eq!(line("x/1", &[1, 2]).to_string(), r#"{"schema":"sftpctl/x/1","value":[1,2]}"#);
    }
}
