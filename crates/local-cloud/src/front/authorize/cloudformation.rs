//! CloudFormation. What it calls on the caller's behalf while it works on a stack is not checked: MiniStack creates
//! resources without calls.

use super::need::{Asked, Need, tag_form};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("CancelUpdateStack", "cloudformation:CancelUpdateStack", "stack"),
    ("ContinueUpdateRollback", "cloudformation:ContinueUpdateRollback", "stack"),
    ("CreateChangeSet", "cloudformation:CreateChangeSet", "stack"),
    ("CreateStack", "cloudformation:CreateStack", "stack"),
    ("DeleteChangeSet", "cloudformation:DeleteChangeSet", "stack"),
    ("DeleteStack", "cloudformation:DeleteStack", "stack"),
    ("DescribeAccountLimits", "cloudformation:DescribeAccountLimits", ""),
    ("DescribeChangeSet", "cloudformation:DescribeChangeSet", "stack"),
    ("DescribeEvents", "cloudformation:DescribeEvents", "stack"),
    ("DescribeStackDriftDetectionStatus", "cloudformation:DescribeStackDriftDetectionStatus", ""),
    ("DescribeStackEvents", "cloudformation:DescribeStackEvents", "stack"),
    ("DescribeStackResource", "cloudformation:DescribeStackResource", "stack"),
    ("DescribeStackResourceDrifts", "cloudformation:DescribeStackResourceDrifts", "stack"),
    ("DescribeStackResources", "cloudformation:DescribeStackResources", "stack"),
    ("DescribeStacks", "cloudformation:DescribeStacks", "stack"),
    ("DetectStackDrift", "cloudformation:DetectStackDrift", "stack"),
    ("DetectStackResourceDrift", "cloudformation:DetectStackResourceDrift", "stack"),
    ("ExecuteChangeSet", "cloudformation:ExecuteChangeSet", "stack"),
    ("GetTemplate", "cloudformation:GetTemplate", "stack"),
    ("GetTemplateSummary", "cloudformation:GetTemplateSummary", "stack"),
    ("ListChangeSets", "cloudformation:ListChangeSets", "stack"),
    ("ListStackResources", "cloudformation:ListStackResources", "stack"),
    ("ListStacks", "cloudformation:ListStacks", ""),
    ("UpdateStack", "cloudformation:UpdateStack", "stack"),
    ("UpdateTerminationProtection", "cloudformation:UpdateTerminationProtection", "stack"),
    ("ValidateTemplate", "cloudformation:ValidateTemplate", ""),
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let resource = if kind.is_empty() { "*".to_owned() } else { stack(asked)? };
    let mut own = Need::new(action, kind, resource).with_tags(&tag_form(asked.form));
    for (field, key) in [
        ("RoleARN", "cloudformation:RoleArn"),
        ("TemplateURL", "cloudformation:TemplateUrl"),
        ("ChangeSetName", "cloudformation:ChangeSetName"),
    ] {
        if let Some(value) = asked.form.get(field) {
            // The condition compares the name, also of a change set that is named by its ARN.
            let name = value.split_once(":changeSet/").and_then(|(_, rest)| rest.split('/').next());
            own = own.with(key, name.unwrap_or(value));
        }
    }
    let mut all = vec![own];
    if let Some(role) = asked.form.get("RoleARN") {
        all.push(Need::pass_role(role, "cloudformation.amazonaws.com"));
    }
    // CloudFormation reads the template as the caller.
    if let Some(url) = asked.form.get("TemplateURL") {
        let (address, query) = url.split_once('?').unwrap_or((url, ""));
        let object =
            object(address).ok_or_else(|| format!("the template's URL {url} does not name an object in S3"))?;
        let is_version = query.split('&').any(|pair| pair.starts_with("versionId="));
        all.push(Need::new(if is_version { "s3:GetObjectVersion" } else { "s3:GetObject" }, "object", object));
    }
    Ok(all)
}

/// The ARN of the stack. One that is named by its name has an ID unknown to the caller.
fn stack(asked: &Asked<'_>) -> Result<String, String> {
    let physical = asked.operation == "DescribeStackResources" && asked.form.get("PhysicalResourceId").is_some();
    let every = physical || asked.operation == "DescribeStacks";
    match asked.form.get("StackName") {
        Some(arn) if arn.starts_with("arn:") => Ok(arn.to_owned()),
        Some(name) => Ok(asked.arn("cloudformation", &format!("stack/{name}/*"))),
        None if every => Ok(asked.arn("cloudformation", "stack/*/*")),
        None => Err("the request names no stack".to_owned()),
    }
}

/// The ARN of the object at a URL, in path style or virtual-host style.
fn object(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/')?;
    let (bucket, key) = match host.split_once(".s3") {
        Some((bucket, _)) => (bucket, path),
        None => path.split_once('/')?,
    };
    Some(format!("arn:aws:s3:::{bucket}/{key}"))
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};
    use super::*;

    fn call(operation: &str, form: &str) -> Vec<Need> {
        asked("cloudformation", operation, hyper::Request::post("/").body(form.to_owned()).unwrap())
    }

    #[test]
    fn new_stack_needs_its_role_and_its_template() {
        let form = "StackName=sftp-a&RoleARN=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Fr&Tags.member.1.Key=owner\
                    &Tags.member.1.Value=me&TemplateURL=https%3A%2F%2Fcode.s3.us-west-2.amazonaws.com%2Fa%2Fb.json";
        let needs = call("CreateStack", form);
        let stack = "arn:aws:cloudformation:us-west-2:111111111111:stack/sftp-a/*";
        assert_eq!(
            shown(&needs),
            [
                ("cloudformation:CreateStack", stack),
                ("iam:PassRole", "arn:aws:iam::111111111111:role/r"),
                ("s3:GetObject", "arn:aws:s3:::code/a/b.json"),
            ]
        );
        assert_eq!(needs[0].context["aws:RequestTag/owner"], ["me"]);
        assert_eq!(needs[0].context["aws:TagKeys"], ["owner"]);
        assert_eq!(needs[1].context["iam:PassedToService"], ["cloudformation.amazonaws.com"]);
        let needs = call("CreateStack", &format!("{form}%3FversionId%3Dv1"));
        assert_eq!(shown(&needs)[2], ("s3:GetObjectVersion", "arn:aws:s3:::code/a/b.json"));
    }

    #[test]
    fn stacks_are_named_by_name_or_arn() {
        let arn = "arn:aws:cloudformation:us-west-2:111111111111:stack/s/u";
        assert_eq!(shown(&call("DeleteStack", &format!("StackName={arn}"))), [("cloudformation:DeleteStack", arn)]);
        let all = "arn:aws:cloudformation:us-west-2:111111111111:stack/*/*";
        assert_eq!(shown(&call("DescribeStacks", "")), [("cloudformation:DescribeStacks", all)]);
        assert_eq!(object("http://127.0.0.1:4570/code/a.json").as_deref(), Some("arn:aws:s3:::code/a.json"));
    }
}
