//! The form in which a target gets an event (EventBridge user guide, "Amazon EventBridge input transformation"). Pure.

use std::collections::BTreeMap;

use serde_json::Value;

/// What a target asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// The event.
    Event,
    /// A text in quotes, with values of the event in the places of `<name>`.
    Template { paths: BTreeMap<String, String>, template: String },
    /// A form that is not modelled.
    Other,
}

impl Input {
    pub(super) fn read(target: &Value) -> Self {
        let transformer = &target["InputTransformer"];
        let template =
            transformer["InputTemplate"].as_str().filter(|text| text.starts_with('"') && text.ends_with('"'));
        let has_other = ["Input", "InputPath"].iter().any(|name| !target[name].is_null());
        match (transformer, template) {
            (Value::Null, _) if !has_other => Self::Event,
            (_, Some(template)) if !has_other => {
                let paths = transformer["InputPathsMap"].as_object().into_iter().flatten();
                let paths = paths.filter_map(|(name, path)| Some((name.clone(), path.as_str()?.to_owned())));
                Self::Template { paths: paths.collect(), template: template.to_owned() }
            }
            _ => Self::Other,
        }
    }

    /// The event in this form. The quotes of a text stay: its message is JSON.
    pub(super) fn of(&self, event: &Value) -> Result<String, String> {
        match self {
            Self::Event => Ok(event.to_string()),
            Self::Other => {
                Err("the local cloud transforms events by a template that is one text in quotes only".to_owned())
            }
            Self::Template { paths, template } => {
                let mut out = String::new();
                let mut rest = template.as_str();
                while let Some((before, after)) = rest.split_once('<') {
                    let (name, after) = after.split_once('>').ok_or("a `<` of the template is not closed")?;
                    let path = paths.get(name).ok_or_else(|| format!("the template's <{name}> has no path"))?;
                    out += before;
                    out += &text(event, path);
                    rest = after;
                }
                Ok(out + rest)
            }
        }
    }
}

/// The value at `$.detail.file-path`, as a part of a text in JSON; nothing if it is not there. AWS documents no form for a
/// value with a quote: it is escaped here.
fn text(event: &Value, path: &str) -> String {
    let mut value = event;
    for name in path.trim_start_matches("$.").split('.') {
        value = &value[name];
    }
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let quoted = Value::from(text.as_str()).to_string();
            quoted.get(1..quoted.len() - 1).unwrap_or_default().to_owned()
        }
        other => other.to_string(),
    }
}

/// Text of XML without references.
pub(super) fn unescaped(text: &str) -> String {
    let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (reference, character)| text.replace(reference, character))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_has_the_values_of_the_event() {
        let event = json!({ "time": "now", "detail": { "file-path": "/b/a \"x\"", "bytes": 12 } });
        assert_eq!(Input::read(&json!({ "Arn": "a" })).of(&event), Ok(event.to_string()));
        let target = |template: &str| {
            let paths = json!({ "path": "$.detail.file-path", "bytes": "$.detail.bytes", "none": "$.detail.none" });
            json!({ "InputTransformer": { "InputPathsMap": paths, "InputTemplate": template } })
        };
        let input = Input::read(&target("\"<path>: <bytes> bytes<none>\""));
        assert_eq!(input.of(&event).unwrap(), "\"/b/a \\\"x\\\": 12 bytes\"");
        assert!(Input::read(&target("\"<other>\"")).of(&event).is_err());
        for target in [target("{\"path\": <path>}"), json!({ "Input": "{}" }), json!({ "InputPath": "$.detail" })] {
            assert_eq!(Input::read(&target), Input::Other);
        }
        assert_eq!(unescaped("{&quot;a&quot;: &quot;&amp;lt;&quot;}"), "{\"a\": \"&lt;\"}");
    }
}
