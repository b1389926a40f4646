//! Forms of AWS's answers that its documentation does not show. Each was first found in a recording of others
//! ([`crate::recorded`]) or in an issue, which the test names.

use std::collections::BTreeMap;

use rstest::rstest;
use serde_json::{Value, json};
use sftpctl_aws::BucketName;
use sftpctl_core::model::{Actual, Live};

use crate::drive::{self, deploy, resource};
use crate::stub::{Reply, Stub};
use crate::wire::{REGION, STACK, digest, node, stack};

/// A mapping template that was emptied: cloud-custodian, `test_rest_integration_update`; LocalStack,
/// `PutIntegrationResponse`.
#[tokio::test]
async fn emptied_mapping_template_is_an_absent_one() {
    let stub = Stub::new().await;
    let method = json!({
        "httpMethod": "GET",
        "authorizationType": "AWS_IAM",
        "requestParameters": { "method.request.querystring.protocol": null },
        "methodIntegration": {
            "type": "AWS",
            "requestTemplates": { "application/json": null, "text/plain": "null" },
            "cacheKeyParameters": [null],
            "integrationResponses": { "200": { "statusCode": "200", "responseTemplates": { "application/json": null } } },
        },
    });
    stub.on("apigateway:GET /restapis/a/resources/r/methods/GET", [Reply::ok(method.to_string())]);
    let found = stub.aws(REGION).await.apigateway(REGION).method("a", "r", "/", "GET").await.unwrap().unwrap();
    assert_eq!(found.parameters, BTreeMap::new());
    let integration = found.integration.unwrap();
    assert_eq!(integration.templates, BTreeMap::from([("text/plain".to_owned(), "null".to_owned())]));
    assert_eq!(integration.responses[0].templates, BTreeMap::new());
}

/// Before API Gateway is first used in a region: cloud-custodian, issue 2033.
#[tokio::test]
async fn region_without_an_api_gateway_account_has_no_log_role() {
    let stub = Stub::new().await;
    stub.on(
        "apigateway:GET /account",
        [Reply::json_error(404, "NotFoundException", "Invalid Customer identifier specified")],
    );
    assert_eq!(stub.aws(REGION).await.apigateway(REGION).log_role().await.unwrap(), None);
}

/// LocalStack, `delete-objects-wrong-version-id`; Amazon S3 API reference, `DeleteObjects`.
#[rstest]
#[case::gone_already("NoSuchVersion", None)]
#[case::key_gone_already("NoSuchKey", None)]
#[case::fault_of_s3("InternalError", Some(true))]
#[case::overload("ServiceUnavailable", Some(true))]
#[case::denied("AccessDenied", Some(false))]
#[tokio::test]
async fn key_that_was_not_deleted_is_an_error_unless_it_is_gone(#[case] code: &str, #[case] transient: Option<bool>) {
    let stub = Stub::new().await;
    let listed = "<ListVersionsResult><Version><Key>a</Key><VersionId>1</VersionId></Version></ListVersionsResult>";
    let errors = format!("<Error><Key>a</Key><VersionId>1</VersionId><Code>{code}</Code><Message>m</Message></Error>");
    stub.on("s3:GET /b?versions", [Reply::ok(listed)])
        .on("s3:POST /b?delete", [Reply::ok(format!("<DeleteResult>{errors}</DeleteResult>"))]);
    let s3 = stub.aws(REGION).await.s3(REGION);
    let versions = s3.versions("b", 1000).await.unwrap();
    assert_eq!(versions.len(), 1);
    let found = s3.delete_versions("b", &versions).await.err();
    assert_eq!(found.as_ref().map(sftpctl_aws::AwsError::is_transient), transient, "{found:?}");
}

/// `EU` for the oldest buckets of eu-west-1: LocalStack, `test_create_bucket_with_eu_location_constraint_raises`. The
/// region in the list of buckets: every recorded `ListBuckets` with a parameter.
#[tokio::test]
async fn regions_of_buckets_are_read_from_the_list() {
    let stub = Stub::new().await;
    let bucket = |name: &str, region: &str| format!("<Bucket><Name>{name}</Name>{region}</Bucket>");
    let buckets = [
        bucket("pl-pt1-uploads", "<BucketRegion>eu-west-1</BucketRegion>"),
        bucket("pl-pt2-uploads", ""),
        bucket("other", "<BucketRegion>eu-west-1</BucketRegion>"),
    ];
    let list = format!("<ListAllMyBucketsResult><Buckets>{}</Buckets></ListAllMyBucketsResult>", buckets.concat());
    stub.on("s3:GET /", [Reply::ok(list.clone())])
        .on("s3:GET ", [Reply::ok(list)])
        .on("s3:GET /pl-pt2-uploads?location", [Reply::ok("<LocationConstraint>EU</LocationConstraint>")]);
    let s3 = stub.aws(REGION).await.s3(REGION);
    let found = s3.buckets("pl-pt").await.unwrap();
    let named = |name: &str, region: Option<&str>| BucketName { name: name.into(), region: region.map(str::to_owned) };
    assert_eq!(found, [named("pl-pt1-uploads", Some("eu-west-1")), named("pl-pt2-uploads", None)]);
    assert_eq!(s3.location("pl-pt2-uploads").await.unwrap().as_deref(), Some("eu-west-1"));
}

/// Amazon DynamoDB API reference, `UpdateTable`: "You receive a ValidationException if you try to enable a stream on a
/// table that already has a stream".
#[test]
fn stream_of_another_view_is_refused_with_advice() {
    let table = resource("us-west-2/table");
    let with = |stream: Value| table.refusal(&Live::new("arn").with("stream", stream));
    assert_eq!(with(Value::Null), None);
    assert_eq!(with(json!("NEW_AND_OLD_IMAGES")), None);
    let why = with(json!("KEYS_ONLY")).unwrap();
    for part in ["stream of KEYS_ONLY", "list-streams --region us-west-2", "StreamEnabled=false", "who reads it"] {
        assert!(why.contains(part), "{why}");
    }
}

/// CloudFormation gives texts back with `?` for each non-ASCII character: aws-cloudformation/
/// cloudformation-coverage-roadmap, issues 814 and 1220. No run may take that for a change.
#[tokio::test]
async fn mangled_tags_and_templates_are_no_difference() {
    let mut environment = drive::environment();
    environment.tags.insert("owner".into(), "Jürgen Müller".into());
    let all = drive::resources(&environment);
    let found = all.into_iter().find(|resource| resource.id().as_str() == STACK).unwrap();
    let (sftpctl_core::model::Want::Is(Value::String(wanted)), plain) =
        (found.wanted(&Actual::new())["template"].clone(), digest())
    else {
        panic!("the digest is known")
    };
    assert_ne!(wanted, plain, "the tags are in the template");

    let stub = Stub::new().await;
    let live = stack("UPDATE_COMPLETE", &wanted).replacing("<Value>devops</Value>", "<Value>J?rgen M?ller</Value>");
    stub.on("cloudformation:DescribeStacks", [live]);
    let ended = deploy(&stub.aws(REGION).await, std::slice::from_ref(&found), Actual::new()).await;
    assert!(ended.plan.is_empty(), "{:?}", ended.plan);

    // What is sent is ASCII, and what AWS made of an earlier version's text is not shown as drift.
    stub.on("cloudformation:DescribeStacks", [crate::wire::no_stack()])
        .on("cloudformation:CreateStack", [Reply::query_error(400, "ValidationError", "enough")]);
    deploy(&stub.aws(REGION).await, std::slice::from_ref(&found), Actual::from([(node("us-west-2/server"), None)]))
        .await;
    let sent = stub.asked("cloudformation:CreateStack")[0].body.clone();
    let body = sent.split('&').find_map(|pair| pair.strip_prefix("TemplateBody=")).unwrap();
    let body = percent_encoding::percent_decode_str(body).decode_utf8().unwrap().into_owned();
    assert!(body.is_ascii());
    let template: Value = serde_json::from_str(&body).unwrap();
    assert!(template.to_string().contains("Jürgen Müller"));

    let mangled: String = template.to_string().chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    let escaped = mangled.replace('&', "&amp;").replace('<', "&lt;");
    stub.on(
        "cloudformation:GetTemplate",
        [Reply::ok(format!(
            "<GetTemplateResponse><GetTemplateResult><TemplateBody>{escaped}</TemplateBody></GetTemplateResult>\
         </GetTemplateResponse>"
        ))],
    );
    let live = Live::new("arn").with("template", wanted);
    let drift = found.unmanaged(&*stub.aws(REGION).await, &live).await.unwrap();
    assert!(drift.is_empty(), "{drift:?}");
}
