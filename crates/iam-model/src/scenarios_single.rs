//! Tables of requests that one policy decides, and of requests that cannot be decided.

use super::caller::Caller;
use super::scenarios::{Case, ROLE, THERE, allow_all, policy, word};

#[test]
fn one_identity_statement_decides() {
    for (statement, expected) in [
        (r#""Action":"s3:GetObject","Resource":"*""#, "allow"),
        (r#""Action":"S3:getobject","Resource":"*""#, "allow"),
        (r#""Action":"s3:Get*","Resource":"arn:aws:s3:::bucket/*""#, "allow"),
        (r#""Action":"s3:Get?bject","Resource":"arn:aws:s3:::bucket/*/file""#, "allow"),
        (r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::Bucket/*""#, "implicit"),
        (r#""Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket""#, "implicit"),
        (r#""Action":"s3:GetObject","Resource":["arn:aws:s3:::x","arn:aws:s3:::buck*"]"#, "allow"),
        (r#""Action":"s3:PutObject","Resource":"*""#, "implicit"),
        (r#""NotAction":"s3:PutObject","Resource":"*""#, "allow"),
        (r#""NotAction":["s3:PutObject","S3:GET*"],"Resource":"*""#, "implicit"),
        (r#""Action":"*","NotResource":"arn:aws:s3:::bucket/data/*""#, "implicit"),
        (r#""Action":"*","NotResource":"arn:aws:s3:::bucket""#, "allow"),
        (r#""Action":"*","NotResource":"arn:aws:s3:::bucket/${aws:PrincipalTag/none}""#, "implicit"),
        (r#""Action":"*","NotResource":["arn:aws:s3:::b","arn:aws:s3:::b/${aws:PrincipalTag/none}"]"#, "open"),
        (r#""Action":"*","NotResource":["*","arn:aws:s3:::b/${aws:PrincipalTag/none}"]"#, "implicit"),
        (r#""Action":"*","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/dir}/*""#, "allow"),
        (r#""Action":"*","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/none}*""#, "implicit"),
        (r#""Action":"*","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/none, 'data'}/*""#, "allow"),
        (r#""Action":"*","Resource":"arn:aws:s3:::bucket/${aws:PrincipalTag/star}/file""#, "implicit"),
        (r#""Action":"*","Resource":"arn:aws:s3:::bucket/${*}""#, "implicit"),
        (r#""Action":"*","Resource":["*","arn:aws:s3:::bucket/${aws:PrincipalTag/none}"]"#, "open"),
        (r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:principaltag/DIR":"data"}}"#, "allow"),
        (r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/none":"x"}}"#, "implicit"),
        (
            r#""Action":"*","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/a*"}}"#,
            "allow",
        ),
        (r#""Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceAccount":"111111111111"}}"#, "allow"),
        (r#""Action":"*","Resource":"*","Principal":"*""#, "policy"),
        (r#""Action":"*""#, "policy"),
    ] {
        let context = &[("aws:PrincipalTag/dir", "data"), ("aws:PrincipalTag/star", "*")][..];
        let case = Case { context, ..Case::default() };
        assert_eq!(case.by_identity(&[&format!(r#""Effect":"Allow",{statement}"#)]), expected, "{statement}");
    }
}

#[test]
fn old_policies_have_no_variables() {
    for version in [r#""Version":"2008-10-17","#, ""] {
        let arn = "arn:aws:s3:::bucket/${aws:username}";
        let text = format!(r#"{{{version}"Statement":{{"Effect":"Allow","Action":"*","Resource":"{arn}"}}}}"#);
        let context = &[("aws:username", "ann")][..];
        let literal = Case { context, resource: arn, ..Case::default() };
        let value = Case { context, resource: "arn:aws:s3:::bucket/ann", ..Case::default() };
        assert_eq!(word(&literal.decide(&[policy(&text)], None, None)), "allow");
        assert_eq!(word(&value.decide(&[policy(&text)], None, None)), "implicit");
    }
}

#[test]
fn invalid_requests_are_refused() {
    let base = Case::default;
    for (name, case) in [
        ("action", Case { action: "GetObject", ..base() }),
        ("wildcard action", Case { action: "s3:Get*", ..base() }),
        ("resource", Case { resource: "bucket/file", ..base() }),
        ("account", Case { account: Some("1"), ..base() }),
        ("unknown owner", Case { account: None, ..base() }),
        ("two owners", Case { resource: "arn:aws:sns:r:222222222222:t", ..base() }),
        ("context key", Case { context: &[("aws:nonsense", "x")], ..base() }),
        ("contradiction", Case { context: &[("aws:PrincipalAccount", THERE)], ..base() }),
        ("caller", Case { caller: Caller::role_session(ROLE, "/"), ..base() }),
    ] {
        assert_eq!(word(&case.decide(&[allow_all()], None, None)), "request", "{name}");
    }
    let service = Case { caller: Caller::service("s3.amazonaws.com"), ..base() };
    assert_eq!(word(&service.decide(&[allow_all()], None, None)), "request");
    assert_eq!(word(&service.decide(&[], Some(&allow_all()), None)), "request");
    assert_eq!(word(&service.decide(&[], None, Some(&allow_all()))), "policy");
    assert_eq!(word(&service.decide(&[], None, None)), "implicit");
}

#[test]
fn actions_without_a_resource_match_a_star_only() {
    let case = Case { action: "s3:ListAllMyBuckets", resource: "*", account: None, ..Case::default() };
    for (resource, expected) in [("*", "allow"), ("arn:aws:s3:::*", "implicit")] {
        let statement = format!(r#""Effect":"Allow","Action":"s3:List*","Resource":"{resource}""#);
        assert_eq!(case.by_identity(&[&statement]), expected, "{resource}");
    }
}

#[test]
fn wildcards_do_not_silently_cross_colons() {
    let function = "arn:aws:lambda:eu-west-1:111111111111:function:f";
    let case = Case { action: "lambda:InvokeFunction", resource: function, account: None, ..Case::default() };
    for (resource, expected) in [
        ("arn:aws:lambda:*:*:function:f", "allow"),
        ("arn:aws:lambda:*:111111111111:*", "allow"),
        ("arn:aws:lambda:*:*:*:f", "open"),
        ("arn:aws:lambda:*:*:func*", "open"),
        ("arn:aws:lambda:*:*:func*:g", "implicit"),
        ("arn:aws:lambda:eu-*:function:f", "open"),
        ("arn:aws:lambda:eu-*:function:g", "implicit"),
    ] {
        let statement = format!(r#""Effect":"Allow","Action":"*","Resource":"{resource}""#);
        assert_eq!(case.by_identity(&[&statement]), expected, "{resource}");
    }
}

#[test]
fn invoke_matches_stage_method_and_path() {
    let base = "arn:aws:execute-api:eu-west-1:111111111111:abc/live/GET/";
    for (path, resource, expected) in [
        ("items/7", "arn:aws:execute-api:eu-west-1:111111111111:abc/live/GET/items/*", "allow"),
        ("items/7", "arn:aws:execute-api:*:*:*/live/*/items/7", "allow"),
        ("items/7", "arn:aws:execute-api:*:111111111111:a?c/*", "allow"),
        ("items/7", "arn:aws:execute-api:eu-west-1:111111111111:abc/live/POST/*", "implicit"),
        ("items/7", "arn:aws:execute-api:eu-west-1:111111111111:abc/test/*", "implicit"),
        ("", "arn:aws:execute-api:eu-west-1:111111111111:abc/live/GET/", "allow"),
        ("", "arn:aws:execute-api:eu-west-1:111111111111:abc/live/GET/?*", "implicit"),
    ] {
        let arn = format!("{base}{path}");
        let case = Case { action: "execute-api:Invoke", resource: &arn, account: None, ..Case::default() };
        let statement = format!(r#""Effect":"Allow","Action":"execute-api:Invoke","Resource":"{resource}""#);
        assert_eq!(case.by_identity(&[&statement]), expected, "{resource} {path}");
    }
}
