//! The fault `rollBack`: a stack operation that fails after everything else in it was done, and is rolled back.
//!
//! The request's template gets one more resource, which needs all others and cannot be created. The rollback is
//! MiniStack's, which resets properties in place as AWS does ("rolls back to the last known stable state", AWS
//! CloudFormation user guide, "Stack failure options"), the environment of a Lambda function included.

use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::front::Front;
use crate::front::call::Call;
use crate::front::operation::Form;
use crate::front::pending::between;
use crate::front::upstream::percent;
use crate::place::Place;

/// Logical ID of the resource that fails.
const FAILING: &str = "FailsOnPurpose";

/// The form of a CreateStack or UpdateStack whose template fails last. `None` if its template is not JSON in the request
/// or, with `UsePreviousTemplate`, in the stack.
pub(super) async fn failing(front: &Front, call: &Call, body: &[u8]) -> Option<Bytes> {
    let form = Form::parse(body);
    let template = match form.get("TemplateBody") {
        Some(body) => body.to_owned(),
        None => {
            let place = Place { account: call.account.clone(), region: call.region.clone() };
            let answer = front.upstream.cloudformation(&place, "GetTemplate", form.get("StackName")).await?;
            unescape(between(&answer, "<TemplateBody>", "</TemplateBody>")?)
        }
    };
    let template = with_failure(&template, call)?;
    let mut fields: Vec<u8> = Vec::with_capacity(body.len() + 512);
    for field in body.split(|byte| *byte == b'&') {
        let name = field.split(|byte| *byte == b'=').next().unwrap_or_default();
        if name != b"TemplateBody" && name != b"UsePreviousTemplate" {
            fields.extend_from_slice(field);
            fields.push(b'&');
        }
    }
    fields.extend_from_slice(b"TemplateBody=");
    fields.extend(template.bytes().flat_map(|byte| percent(byte).into_bytes()));
    Some(Bytes::from(fields))
}

fn with_failure(template: &str, call: &Call) -> Option<String> {
    let mut template: Value = serde_json::from_str(template).ok()?;
    let resources = template["Resources"].as_object_mut()?;
    let others: Vec<&String> = resources.keys().collect();
    let token = format!("arn:aws:lambda:{}:{}:function:fails-on-purpose", call.region, call.account);
    let failing =
        json!({ "Type": "Custom::FailsOnPurpose", "DependsOn": others, "Properties": { "ServiceToken": token } });
    resources.insert(FAILING.to_owned(), failing);
    Some(template.to_string())
}

fn unescape(xml: &str) -> String {
    let mut text = xml.to_owned();
    for (entity, character) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&apos;", "'"), ("&#39;", "'")]
    {
        text = text.replace(entity, character);
    }
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::call::Protocol;

    #[test]
    fn failing_resource_needs_all_others() {
        let call = Call {
            service: "cloudformation".to_owned(),
            operation: "UpdateStack".to_owned(),
            region: "us-west-2".to_owned(),
            account: "111111111111".to_owned(),
            mutating: true,
            object: None,
            role: None,
            protocol: Protocol::Xml,
        };
        let changed = with_failure(r#"{"Resources": {"A": {"Type": "X"}, "B": {"Type": "Y"}}}"#, &call).unwrap();
        let changed: Value = serde_json::from_str(&changed).unwrap();
        assert_eq!(changed["Resources"][FAILING]["DependsOn"], json!(["A", "B"]));
        assert_eq!(changed["Resources"]["A"], json!({ "Type": "X" }));
        assert_eq!(with_failure("Resources: {}", &call), None);
    }
}
