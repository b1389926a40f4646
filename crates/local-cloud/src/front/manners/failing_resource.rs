//! A resource that CloudFormation cannot create or update, with AWS's reason.
//!
//! The template gets another resource, which cannot be created and which the failing one needs, so that nothing happens
//! to the failing one itself. The stack's events show the one in place of the other.

use hyper::body::Bytes;
use serde_json::{Value, json};

use super::super::pending::between;
use super::super::stack_request::with_template;

/// The end of the other resource's logical ID, and the beginning of its type.
const SUFFIX: &str = "ImitatedFailure";

/// The form of a CreateStack or UpdateStack whose template has these resources; those of `ids` fail.
pub(super) fn failing(body: &[u8], mut template: Value, ids: &[String]) -> Option<Bytes> {
    let resources = template["Resources"].as_object_mut().filter(|_| !ids.is_empty())?;
    for id in ids {
        let resource = resources.get_mut(id)?;
        let kind = resource["Type"].as_str().unwrap_or_default().replace("::", "-");
        let needed = format!("{id}{SUFFIX}");
        let mut needs = match resource["DependsOn"].take() {
            Value::Array(all) => all,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        needs.push(json!(needed));
        resource["DependsOn"] = needs.into();
        // MiniStack knows no function of this name.
        let other = json!({ "Type": format!("Custom::{SUFFIX}-{kind}"), "Properties": { "ServiceToken": SUFFIX } });
        resources.insert(needed, other);
    }
    Some(with_template(body, &template))
}

/// Whether a request has the events in its answer.
pub(super) fn is_shown(request: &super::Inquiry<'_>) -> bool {
    request.is("cloudformation", &["DescribeStackEvents"])
}

/// An answer of DescribeStackEvents in which resources of this type fail themselves, for the reason that `service`
/// gives (its status is 4xx). `code` is CloudFormation's own.
pub(super) fn shown(text: &str, kind: &str, (service, status, message): (&str, u16, &str), code: &str) -> String {
    let type_of_other = format!("<ResourceType>Custom::{SUFFIX}-{}</ResourceType>", kind.replace("::", "-"));
    let mut out = String::with_capacity(text.len());
    for member in text.split_inclusive("</member>") {
        let Some((id, reason)) = between(member, "<EventId>", "</EventId>")
            .zip(between(member, "<ResourceStatusReason>", "</ResourceStatusReason>"))
            .filter(|_| member.contains(&type_of_other))
        else {
            // An event of another type is another manner's.
            let is_of_another = member.contains(&format!("Custom::{SUFFIX}"));
            out.push_str(&if is_of_another { member.to_owned() } else { member.replace(SUFFIX, "") });
            continue;
        };
        let member = member.replace(&type_of_other, &format!("<ResourceType>{kind}</ResourceType>"));
        let real = format!(
            "Resource handler returned message: \"{message} (Service: {service}, Status Code: {status}, Request ID: {id})\" \
             (RequestToken: {id}, HandlerErrorCode: {code})"
        );
        let reason_is_shown = !reason.is_empty() && member.contains("_FAILED</ResourceStatus>");
        let member = if reason_is_shown { member.replacen(reason, &real, 1) } else { member };
        out.push_str(&member.replace(SUFFIX, ""));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::operation::Form;
    use super::*;

    #[test]
    fn resource_that_fails_needs_one_that_cannot_be_created() {
        let template = json!({ "Resources": { "A": { "Type": "AWS::S3::Bucket", "DependsOn": "B" }, "B": {} } });
        let body = failing(b"Action=CreateStack&TemplateBody=x", template.clone(), &["A".to_owned()]).unwrap();
        let form = Form::parse(&body);
        let sent: Value = serde_json::from_str(form.get("TemplateBody").unwrap()).unwrap();
        assert_eq!(form.get("Action"), Some("CreateStack"));
        assert_eq!(sent["Resources"]["A"]["DependsOn"], json!(["B", "AImitatedFailure"]));
        assert_eq!(sent["Resources"]["AImitatedFailure"]["Type"], "Custom::ImitatedFailure-AWS-S3-Bucket");
        assert_eq!(failing(b"", template, &[]), None);
    }

    #[test]
    fn events_show_the_resource_itself() {
        let event = |id: &str, kind: &str, status: &str, reason: &str| {
            format!(
                "<member><EventId>e</EventId><LogicalResourceId>{id}</LogicalResourceId><ResourceType>{kind}</ResourceType>\
                 <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
            )
        };
        let stack = "AWS::CloudFormation::Stack";
        let have = event("s", stack, "ROLLBACK_IN_PROGRESS", "failed to create: [AImitatedFailure]")
            + &event("AImitatedFailure", "Custom::ImitatedFailure-AWS-S3-Bucket", "CREATE_FAILED", "not found");
        let reason = "Resource handler returned message: \"No. (Service: S3, Status Code: 409, Request ID: e)\" \
                      (RequestToken: e, HandlerErrorCode: X)";
        let wanted = event("s", stack, "ROLLBACK_IN_PROGRESS", "failed to create: [A]")
            + &event("A", "AWS::S3::Bucket", "CREATE_FAILED", reason);
        let by_another = shown(&have, "AWS::Lambda::Function", ("Lambda", 400, "No."), "X");
        assert_eq!(shown(&by_another, "AWS::S3::Bucket", ("S3", 409, "No."), "X"), wanted);
    }
}
