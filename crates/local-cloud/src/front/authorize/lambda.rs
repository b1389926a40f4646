//! Lambda.

use super::need::{Asked, Need, tag_map};
use super::table::Row;

pub(super) const ROWS: &[Row] = &[
    ("AddPermission", "lambda:AddPermission", "function"),
    ("CreateFunction", "lambda:CreateFunction", "function"),
    ("DeleteFunction", "lambda:DeleteFunction", "function"),
    ("DeleteFunctionConcurrency", "lambda:DeleteFunctionConcurrency", "function"),
    ("GetAccountSettings", "lambda:GetAccountSettings", ""),
    ("GetFunction", "lambda:GetFunction", "function"),
    ("GetFunctionCodeSigningConfig", "lambda:GetFunctionCodeSigningConfig", "function"),
    ("GetFunctionConcurrency", "lambda:GetFunctionConcurrency", "function"),
    ("GetFunctionConfiguration", "lambda:GetFunctionConfiguration", "function"),
    ("GetFunctionRecursionConfig", "lambda:GetFunctionRecursionConfig", "function"),
    ("GetPolicy", "lambda:GetPolicy", "function"),
    ("GetRuntimeManagementConfig", "lambda:GetRuntimeManagementConfig", "function"),
    ("Invoke", "lambda:InvokeFunction", "function"),
    ("ListFunctions", "lambda:ListFunctions", ""),
    ("ListTags", "lambda:ListTags", "function"),
    ("ListVersionsByFunction", "lambda:ListVersionsByFunction", "function"),
    ("PublishVersion", "lambda:PublishVersion", "function"),
    ("PutFunctionConcurrency", "lambda:PutFunctionConcurrency", "function"),
    ("RemovePermission", "lambda:RemovePermission", "function"),
    ("TagResource", "lambda:TagResource", "function"),
    ("UntagResource", "lambda:UntagResource", "function"),
    ("UpdateFunctionCode", "lambda:UpdateFunctionCode", "function"),
    ("UpdateFunctionConfiguration", "lambda:UpdateFunctionConfiguration", "function"),
];

pub(super) fn needs(action: &str, kind: &'static str, asked: &Asked<'_>) -> Result<Vec<Need>, String> {
    let resource = if kind.is_empty() { "*".to_owned() } else { function(asked)? };
    let tags = tag_map(&asked.json["Tags"]);
    let mut own = Need::new(action, kind, &resource).with_tags(&tags);
    if let Some(principal) = asked.json["Principal"].as_str() {
        own = own.with("lambda:Principal", principal);
    }
    let mut all = vec![own];
    if asked.operation == "CreateFunction" && !tags.is_empty() {
        all.push(Need::new("lambda:TagResource", kind, &resource).with_tags(&tags));
    }
    if let Some(role) = asked.json["Role"].as_str() {
        all.push(Need::pass_role(role, "lambda.amazonaws.com"));
    }
    // Lambda reads the package as the caller.
    let code = if asked.operation == "CreateFunction" { &asked.json["Code"] } else { asked.json };
    if let (Some(bucket), Some(key)) = (code["S3Bucket"].as_str(), code["S3Key"].as_str()) {
        let version = code["S3ObjectVersion"].is_string();
        let action = if version { "s3:GetObjectVersion" } else { "s3:GetObject" };
        all.push(Need::new(action, "object", format!("arn:aws:s3:::{bucket}/{key}")));
    }
    Ok(all)
}

/// The function's ARN. Paths contain its name, its ARN, or both with a qualifier.
fn function(asked: &Asked<'_>) -> Result<String, String> {
    let name = match asked.operation {
        "CreateFunction" => asked.member("FunctionName")?.to_owned(),
        _ => asked.segment(2)?,
    };
    let arn = if name.starts_with("arn:") { name } else { asked.arn("lambda", &format!("function:{name}")) };
    Ok(match asked.query("Qualifier") {
        Some(qualifier) => format!("{arn}:{qualifier}"),
        None => arn,
    })
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::{asked, shown};

    const FUNCTION: &str = "arn:aws:lambda:us-west-2:111111111111:function:f";
    const ROLE: &str = "arn:aws:iam::111111111111:role/r";

    #[test]
    fn new_function_needs_its_role_tags_and_package() {
        let body = serde_json::json!({
            "FunctionName": "f", "Role": ROLE, "Tags": { "k": "v" }, "Code": { "S3Bucket": "b", "S3Key": "a/k" },
        });
        let request = hyper::Request::post("/2015-03-31/functions").body(body.to_string()).unwrap();
        let needs = asked("lambda", "CreateFunction", request);
        assert_eq!(
            shown(&needs),
            [
                ("lambda:CreateFunction", FUNCTION),
                ("lambda:TagResource", FUNCTION),
                ("iam:PassRole", ROLE),
                ("s3:GetObject", "arn:aws:s3:::b/a/k"),
            ]
        );
        assert_eq!(needs[2].context["iam:PassedToService"], ["lambda.amazonaws.com"]);
    }

    #[test]
    fn functions_are_named_in_the_path() {
        let at = |path: &str, body: &str| hyper::Request::post(path).body(body.to_owned()).unwrap();
        let needs = asked("lambda", "AddPermission", at("/2015-03-31/functions/f/policy", r#"{"Principal":"p"}"#));
        assert_eq!(shown(&needs), [("lambda:AddPermission", FUNCTION)]);
        assert_eq!(needs[0].context["lambda:Principal"], ["p"]);
        let encoded = FUNCTION.replace(':', "%3A");
        let needs = asked("lambda", "ListTags", at(&format!("/2017-03-31/tags/{encoded}"), ""));
        assert_eq!(shown(&needs), [("lambda:ListTags", FUNCTION)]);
        let needs = asked("lambda", "Invoke", at("/2015-03-31/functions/f/invocations?Qualifier=1", ""));
        assert_eq!(shown(&needs), [("lambda:InvokeFunction", format!("{FUNCTION}:1").as_str())]);
    }
}
