//! The API's invoke URL from outside: requests signed by botocore, and unsigned ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;

use crate::site::{Login, Site};

/// The local cloud refuses features of API Gateway that it does not model, and logs them, instead of ignoring them.
#[test]
fn unsupported_features_are_refused_and_logged() {
    let site = Site::deployed("");
    let login = site.add(7002, "outside", "correct horse");
    let cases = call(&site, &login, &["unmodelled"]);
    let expected = [
        ("API key", 500, "the method requires an API key, which is not modelled"),
        ("validator", 500, "the method requires a request validator, which is not modelled"),
        ("custom authorizer", 500, "authorization by CUSTOM is not modelled"),
        ("user pool", 500, "authorization by COGNITO_USER_POOLS is not modelled"),
        ("parameter", 500, "the request parameter method.request.multivaluequerystring.x is not modelled"),
        ("missing parameter", 400, ""),
        ("no integration", 500, "the method has no integration"),
        ("proxy", 500, "integrations of the kind AWS_PROXY are not modelled"),
        ("mock", 500, "integrations of the kind MOCK are not modelled"),
        ("another service", 500, "dynamodb:action/Query is not modelled"),
        ("credentials", 500, "the method requires a role of the integration, which is not modelled"),
        (
            "integration parameters",
            500,
            "the method requires request parameters of the integration, which is not modelled",
        ),
        ("content", 500, "the method requires a conversion of the content, which is not modelled"),
        ("no template", 415, "no template for JSON"),
        ("unknown template", 500, "the mapping template: line 1: `$stageVariables"),
        ("no JSON", 500, "the mapping template yields invalid JSON"),
        ("no answer", 500, "no integration response fits"),
        ("unknown answer", 500, "the template of the answer: line 1: `$util.nothing"),
        ("as deployed", 200, ""),
        ("endpoint off", 500, "the method requires another host name than the API's own, which is not modelled"),
    ];
    assert_eq!(cases.len(), expected.len(), "{cases:?}");
    let log = site.logs();
    for (case, (name, status, message)) in cases.iter().zip(expected) {
        assert_eq!((case["case"].as_str(), case["status"].as_u64()), (Some(name), Some(status)), "{case}");
        assert_eq!(case["answer"].get("Role").is_some(), status == 200, "{case}");
        assert!(log.contains(message), "{name}: {log}");
    }
}

fn call(site: &Site, login: &Login, command: &[&str]) -> Vec<Value> {
    let arguments = [&[login.username.as_str(), &login.password], command].concat();
    let lines = site.oracle("execute_api.py", &arguments);
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn only_signed_and_permitted_requests_are_accepted() {
    let site = Site::deployed("");
    let login = site.add(7001, "outside@caller", "correct horse");
    let cases = call(&site, &login, &["all"]);
    let expected = [
        ("signed by the invocation role", 200, ""),
        ("unsigned", 403, "Missing Authentication Token"),
        ("another password than signed", 403, "signature"),
        ("another token", 403, "token"),
        ("another date", 403, "Credential"),
        ("another path than signed", 403, "signature"),
        ("another query than signed", 403, "signature"),
        ("signed for another region", 403, "Credential"),
        ("unknown keys", 403, "token"),
        ("the keys of an account, of no role", 403, "signature"),
        ("another role", 403, "is not authorized to perform: execute-api:Invoke on resource"),
        ("an unknown stage", 403, "Forbidden"),
        ("an unknown method", 403, "Missing Authentication Token"),
        ("an unknown path", 403, "Missing Authentication Token"),
    ];
    assert_eq!(cases.len(), expected.len());
    for (case, (name, status, message)) in cases.iter().zip(expected) {
        assert_eq!((case["case"].as_str(), case["status"].as_u64()), (Some(name), Some(status)), "{case}");
        assert!(case["answer"].to_string().contains(message), "{case}");
        assert_eq!(case["answer"].get("Role").is_some(), status == 200, "{case}");
    }
    assert!(cases[0]["answer"]["Policy"].as_str().unwrap().contains("pl-pt99-5-uploads/7001/"), "{}", cases[0]);

    // A trigger for another API: API Gateway may not invoke the function, and does not say why.
    site.oracle("door.py", &["break", "trigger-source"]);
    let [refused] = &call(&site, &login, &["once"])[..] else { panic!("one case") };
    assert_eq!(
        (refused["status"].as_u64(), refused["answer"]["message"].as_str()),
        (Some(500), Some("Internal server error"))
    );
    site.deploy();
    assert_eq!(call(&site, &login, &["once"])[0]["status"], 200);

    // A feature that is not modeled is not ignored.
    call(&site, &login, &["guard", r#"{"Version":"2012-10-17","Statement":[]}"#]);
    assert_eq!(call(&site, &login, &["once"])[0]["status"], 500);
    assert!(
        site.logs().contains("the method requires a resource policy of the API, which is not modelled"),
        "{}",
        site.logs()
    );
    call(&site, &login, &["guard", ""]);
    assert_eq!(call(&site, &login, &["once"])[0]["status"], 200);
}
