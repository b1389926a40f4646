//! An integration response that passes its body through has `null` for a template.

use super::{Answer, Description, Inquiry, Manner};

pub(super) struct NullTemplates;

impl Manner for NullTemplates {
    fn description(&self) -> &'static Description {
        &Description {
            name: "null-templates",
            aws: "GetMethod returns `null`, not an empty text, for a mapping template that was emptied",
            source: "recorded: cloud-custodian test_rest_integration_update, LocalStack test_apigateway_api \
                     (PutIntegrationResponse)",
        }
    }

    fn concerns(&self, request: &Inquiry<'_>) -> bool {
        request.is("apigateway", &["GetMethod", "GetIntegration", "GetIntegrationResponse", "PutIntegrationResponse"])
    }

    fn rewrite(&self, _request: &Inquiry<'_>, answer: &mut Answer) {
        answer.change_json(|value| empty_to_null(value, false));
    }
}

fn empty_to_null(value: &mut serde_json::Value, in_templates: bool) {
    match value {
        serde_json::Value::String(text) if in_templates && text.is_empty() => *value = serde_json::Value::Null,
        serde_json::Value::Object(members) => {
            members
                .iter_mut()
                .for_each(|(name, member)| empty_to_null(member, in_templates || name == "responseTemplates"));
        }
        _ => {}
    }
}
