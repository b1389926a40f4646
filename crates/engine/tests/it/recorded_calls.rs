//! Which function of the client code reads the answers of which operation.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use sftpctl_aws::{Aws, AwsError, NewRole, NewTable, Policy, RecordFacts, S3, StackRequest, Tags, Upload};

use crate::playback::{Playback, Played, Wire};

pub(crate) const REGION: &str = "us-west-2";
const ACCOUNT: &str = "111111111111";
const TABLE: &str = "table";

/// What the client code makes of an answer, as text; `None` for an operation that it does not call.
pub(crate) type Read = Option<Result<String, AwsError>>;

fn shown<T: Debug>(result: Result<T, AwsError>) -> Read {
    Some(result.map(|read| format!("{read:?}")))
}

/// Operations that read a bucket's settings: the word in the request, and the root of the answer.
const SETTINGS: [(&str, &str, &str); 4] = [
    ("GetBucketVersioning", "?versioning", "VersioningConfiguration"),
    ("GetBucketEncryption", "?encryption", "ServerSideEncryptionConfiguration"),
    ("GetPublicAccessBlock", "?publicAccessBlock", "PublicAccessBlockConfiguration"),
    ("GetBucketOwnershipControls", "?ownershipControls", "OwnershipControls"),
];

const VERSION: &str = "<member><VersionId>v1</VersionId></member>";

/// Plays the answers of one operation, and other ones to the calls that its function makes besides.
fn play(playback: &Playback, service: &str, operation: &str, answers: Vec<Wire>) {
    let ok = |body: &str| vec![Wire::ok(body)];
    let query = |name: &str, inside: &str| {
        ok(&format!("<{name}Response><{name}Result>{inside}</{name}Result></{name}Response>"))
    };
    let played: Played = match (service, operation) {
        ("iam", "GetPolicy") => vec![
            (
                "GetPolicyVersion",
                query("GetPolicyVersion", "<PolicyVersion><Document>%7B%7D</Document></PolicyVersion>"),
            ),
            ("", answers),
        ],
        ("iam", "GetPolicyVersion") => vec![
            ("GetPolicyVersion", answers),
            ("", query("GetPolicy", "<Policy><DefaultVersionId>v1</DefaultVersionId></Policy>")),
        ],
        ("iam", "ListRolePolicies") => vec![
            ("ListRolePolicies", answers),
            ("", query("GetRolePolicy", "<RoleName>r</RoleName><PolicyName>p</PolicyName><PolicyDocument/>")),
        ],
        ("iam", "GetRolePolicy") => vec![
            ("GetRolePolicy", answers),
            ("", query("ListRolePolicies", "<PolicyNames><member>p</member></PolicyNames>")),
        ],
        ("iam", "ListPolicyVersions") => vec![
            ("ListPolicyVersions", answers),
            ("CreatePolicyVersion", query("CreatePolicyVersion", "")),
            ("", ok("<DeletePolicyVersionResponse/>")),
        ],
        ("iam", "DeletePolicyVersion") => vec![
            ("DeletePolicyVersion", answers),
            ("CreatePolicyVersion", query("CreatePolicyVersion", "")),
            ("", query("ListPolicyVersions", &format!("<Versions>{}</Versions>", VERSION.repeat(4)))),
        ],
        ("iam", "DeletePolicy") => vec![("ListPolicyVersions", query("ListPolicyVersions", "")), ("", answers)],
        (
            "s3",
            "GetBucketVersioning" | "GetBucketEncryption" | "GetPublicAccessBlock" | "GetBucketOwnershipControls",
        ) => {
            // All four are read at once.
            let mut all: Played = SETTINGS.iter().map(|(_, word, root)| (*word, ok(&format!("<{root}/>")))).collect();
            let own = SETTINGS.iter().position(|(name, ..)| *name == operation).unwrap();
            all[own].1 = answers;
            all
        }
        ("s3", "UploadPart" | "CompleteMultipartUpload" | "AbortMultipartUpload") => {
            let begun = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
            vec![("?uploads", ok(begun)), ("", answers)]
        }
        ("s3", "DeleteObjects") => {
            let listed =
                "<ListVersionsResult><Version><Key>k</Key><VersionId>v</VersionId></Version></ListVersionsResult>";
            vec![("?versions", ok(listed)), ("", answers)]
        }
        _ => vec![("", answers)],
    };
    playback.play(played);
}

/// Lets the client code read the answers of an operation.
pub(crate) async fn read(playback: &Playback, aws: &Aws, of: (&str, &str), answers: Vec<Wire>) -> Read {
    play(playback, of.0, of.1, answers);
    match of.0 {
        "apigateway" => apigateway(aws, of.1).await,
        "cloudformation" => cloudformation(aws, of.1).await,
        "cloudwatch" => shown(aws.cloudwatch(REGION).alarms(&["a"]).await),
        "dynamodb" => dynamodb(aws, of.1).await,
        "iam" => iam(aws, of.1).await,
        "lambda" => lambda(aws, of.1).await,
        "logs" => logs(aws, of.1).await,
        "route53" => route53(aws, of.1).await,
        "s3" => match s3_settings(&aws.s3(REGION), of.1).await {
            None => s3_objects(&aws.s3(REGION), of.1).await,
            read => read,
        },
        "secretsmanager" if of.1 == "GetSecretValue" => {
            Some(aws.secret(REGION, "n").await.map(|secret| secret.is_some().to_string()))
        }
        "ssm" if of.1 == "GetParameter" => {
            Some(aws.parameter(REGION, "n").await.map(|secret| secret.is_some().to_string()))
        }
        "sts" if of.1 == "GetCallerIdentity" => shown(aws.caller().await),
        "sts" if of.1 == "AssumeRole" => Some(aws.assume_role("arn", "s").await.map(|session| session.access_key)),
        "transfer" => transfer(aws, of.1).await,
        _ => None,
    }
}

/// An operation of the service whose function passes every error on.
pub(crate) fn strict(service: &str) -> &'static str {
    match service {
        "apigateway" => "GetRestApis",
        "cloudformation" => "ExecuteChangeSet",
        "cloudwatch" => "DescribeAlarms",
        "dynamodb" => "DescribeContinuousBackups",
        "iam" => "CreateRole",
        "lambda" => "AddPermission",
        "logs" => "DescribeLogGroups",
        "route53" => "ListHostedZonesByName",
        "s3" => "PutBucketPolicy",
        "secretsmanager" => "GetSecretValue",
        "ssm" => "GetParameter",
        "sts" => "AssumeRole",
        "transfer" => "StartServer",
        other => panic!("no function is known for {other}"),
    }
}

async fn apigateway(aws: &Aws, operation: &str) -> Read {
    let api = aws.apigateway(REGION);
    match operation {
        "GetAccount" => shown(api.log_role().await),
        "UpdateAccount" => shown(api.set_log_role("").await),
        "GetRestApis" => shown(api.api_names().await),
        "GetRestApi" => shown(api.api("a").await),
        "GetStage" => shown(api.stage("a", "s").await),
        "GetStages" => shown(api.stage_facts("a").await),
        "GetResources" => shown(api.resources("a").await),
        "GetMethod" => shown(api.method("a", "r", "/", "GET").await),
        "GetModels" => shown(api.models("a").await),
        "GetDeployments" => shown(api.deployments("a").await),
        _ => None,
    }
}

async fn cloudformation(aws: &Aws, operation: &str) -> Read {
    let cloudformation = aws.cloudformation(REGION);
    let (parameters, tags) = (BTreeMap::new(), Tags::new());
    let request = StackRequest { name: "s", token: "t", body: "{}", url: None, parameters: &parameters, tags: &tags };
    match operation {
        "DescribeStacks" => shown(cloudformation.stack("s").await),
        "GetTemplate" => shown(cloudformation.template("s").await),
        "ListStackResources" => shown(cloudformation.physical_ids("s").await),
        "CreateStack" => shown(cloudformation.create(&request).await),
        "UpdateStack" => shown(cloudformation.update(&request).await),
        "CreateChangeSet" => shown(cloudformation.plan_import(&request, "c", &BTreeMap::new()).await),
        "DescribeStackResources" => shown(cloudformation.stack_with("p").await),
        "DescribeChangeSet" => shown(cloudformation.change_set("s", "c").await),
        "ExecuteChangeSet" => shown(cloudformation.execute("s", "c", "t").await),
        "DeleteStack" => shown(cloudformation.delete("s", "t").await),
        "DescribeStackEvents" => shown(cloudformation.events("s", |_| false).await),
        "ListChangeSets" => shown(cloudformation.change_sets("s").await),
        _ => None,
    }
}

async fn dynamodb(aws: &Aws, operation: &str) -> Read {
    let (dynamodb, tags) = (aws.dynamodb(REGION), Tags::from([("a".to_owned(), "b".to_owned())]));
    let new = NewTable {
        name: TABLE,
        key: "k",
        index: "i",
        index_key: "u",
        sorted: false,
        deletion_protection: false,
        tags: &tags,
    };
    match operation {
        "DescribeTable" => shown(dynamodb.table(TABLE).await),
        "CreateTable" => shown(dynamodb.create(new).await),
        "UpdateTable" => shown(dynamodb.set_on_demand(TABLE).await),
        "DeleteTable" => shown(dynamodb.delete(TABLE).await),
        "ListTagsOfResource" => shown(dynamodb.tags("arn").await),
        "TagResource" => shown(dynamodb.tag("arn", &tags).await),
        "DescribeContinuousBackups" => shown(dynamodb.recovery(TABLE).await),
        "UpdateContinuousBackups" => shown(dynamodb.set_recovery(TABLE, true).await),
        "GetItem" => {
            let key = [("k".to_owned(), sftp_authorizer::Attribute::Text("1".to_owned()))].into();
            Some(dynamodb.item(TABLE, &key).await.map(|item| item.is_some().to_string()))
        }
        "Scan" => Some(dynamodb.page_of_items(TABLE, None).await.map(|(items, _)| items.len().to_string())),
        _ => None,
    }
}

async fn iam(aws: &Aws, operation: &str) -> Read {
    let (iam, tags) = (aws.iam(), Tags::from([("a".to_owned(), "b".to_owned())]));
    match operation {
        "GetRole" => shown(iam.role("r").await),
        "CreateRole" => {
            let role = NewRole { name: "r", description: "d", trust: "{}", boundary: None, tags: &tags };
            shown(iam.create_role(&role).await)
        }
        "UpdateAssumeRolePolicy" => shown(iam.set_trust("r", "{}").await),
        "TagRole" => shown(iam.tag_role("r", &tags).await),
        "DeleteRole" => shown(iam.delete_role("r").await),
        "ListAttachedRolePolicies" => shown(iam.attached("r").await),
        "ListRolePolicies" | "GetRolePolicy" => shown(iam.inline_policies("r").await),
        "AttachRolePolicy" => shown(iam.attach("r", "p").await),
        "DetachRolePolicy" => shown(iam.detach("r", "p").await),
        "GetPolicy" | "GetPolicyVersion" => shown(iam.policy("p").await),
        "CreatePolicy" => shown(iam.create_policy("p", "d", "{}", &tags).await),
        "DeletePolicy" => shown(iam.delete_policy("p").await),
        "ListPolicyVersions" | "DeletePolicyVersion" => shown(iam.set_policy("p", "{}").await),
        _ => None,
    }
}

async fn lambda(aws: &Aws, operation: &str) -> Read {
    let lambda = aws.lambda(REGION);
    match operation {
        "Invoke" => shown(lambda.invoke("f", Vec::new()).await),
        "GetFunction" => shown(lambda.function("f").await),
        "UpdateFunctionConfiguration" => shown(lambda.configure("f", BTreeMap::new(), None, "r").await),
        "GetPolicy" => shown(lambda.policy("f").await),
        "AddPermission" => shown(lambda.allow_api("f", "s", "arn", ACCOUNT).await),
        "RemovePermission" => shown(lambda.remove_statement("f", "s").await),
        _ => None,
    }
}

async fn logs(aws: &Aws, operation: &str) -> Read {
    let logs = aws.logs(REGION);
    match operation {
        "DescribeLogGroups" => shown(logs.group("g").await),
        "ListTagsForResource" => shown(logs.tags("arn").await),
        "DeleteLogGroup" => shown(logs.delete("g").await),
        "DescribeQueryDefinitions" => shown(logs.saved_queries(None).await),
        "DescribeMetricFilters" => shown(logs.metric_filters("g").await),
        _ => None,
    }
}

async fn route53(aws: &Aws, operation: &str) -> Read {
    let route53 = aws.route53();
    let record = RecordFacts {
        name: "a.xx.net".into(),
        kind: "CNAME".into(),
        targets: vec!["b.xx.net".into()],
        alias: None,
        ttl: Some(60),
        latency: None,
    };
    match operation {
        "ListHostedZonesByName" => shown(route53.zones("xx.net").await),
        "CreateHostedZone" => shown(route53.create_zone("xx.net").await),
        "ListResourceRecordSets" => shown(route53.records("Z1", "a.xx.net").await),
        "ChangeResourceRecordSets" => shown(route53.upsert("Z1", &record).await),
        _ => None,
    }
}

async fn s3_settings(s3: &S3, operation: &str) -> Read {
    let tags = Tags::from([("a".to_owned(), "b".to_owned())]);
    match operation {
        "GetBucketPolicy" => match s3.policy("b", ACCOUNT).await {
            // A policy that could not be read is a document that JSON could not parse.
            Ok(Policy::Document(document)) => {
                serde_json::from_str::<serde_json::Value>(&document).unwrap();
                Some(Ok(document))
            }
            other => shown(other),
        },
        "ListBuckets" => shown(s3.buckets("").await),
        "GetBucketLocation" => shown(s3.location("b").await),
        "PutBucketPolicy" => shown(s3.set_policy("b", ACCOUNT, "{}").await),
        "DeleteBucketPolicy" => shown(s3.delete_policy("b", ACCOUNT).await),
        "GetBucketTagging" => shown(s3.tags("b", ACCOUNT).await),
        "PutBucketTagging" => shown(s3.set_tags("b", &tags).await),
        "CreateBucket" => shown(s3.create_bucket("b").await),
        "GetBucketVersioning" | "GetBucketEncryption" | "GetPublicAccessBlock" | "GetBucketOwnershipControls" => {
            shown(s3.settings("b", ACCOUNT).await)
        }
        "PutBucketVersioning" => shown(s3.enable_versioning("b", ACCOUNT).await),
        "PutBucketEncryption" => shown(s3.encrypt("b", ACCOUNT).await),
        "PutBucketOwnershipControls" => shown(s3.own_objects("b", ACCOUNT).await),
        "PutPublicAccessBlock" => shown(s3.block_public_access("b").await),
        "DeleteBucket" => shown(s3.delete_bucket("b").await),
        _ => None,
    }
}

async fn s3_objects(s3: &S3, operation: &str) -> Read {
    let begin = async || -> Upload { s3.begin("b", "k").await.unwrap() };
    match operation {
        "HeadObject" => shown(s3.head("b", "k").await),
        "ListObjectsV2" => shown(s3.page("b", "", false, 10, None).await),
        "ListObjectVersions" => shown(s3.versions("b", 1000).await),
        "GetObject" => shown(s3.range("b", "k", (0, 10), None).await),
        "PutObject" => shown(s3.put_object("b", "k", b"x".to_vec(), ACCOUNT).await),
        "CreateMultipartUpload" => shown(s3.begin("b", "k").await),
        "UploadPart" => {
            let mut upload = begin().await;
            shown(s3.add("b", "k", &mut upload, vec![1_u8].into()).await)
        }
        "CompleteMultipartUpload" => {
            let upload = begin().await;
            shown(s3.complete("b", "k", upload, false).await)
        }
        "AbortMultipartUpload" => {
            let upload = begin().await;
            shown(s3.abort("b", "k", &upload).await)
        }
        "CopyObject" => shown(s3.copy(("b", "k"), ("b", "l")).await),
        "DeleteObjects" => {
            // Without a version there would be no call.
            let versions = s3.versions("b", 1000).await.unwrap();
            assert_eq!(versions.len(), 1, "{versions:?}");
            shown(s3.delete_versions("b", &versions).await)
        }
        "DeleteObject" => shown(s3.delete_object("b", "k").await),
        _ => None,
    }
}

async fn transfer(aws: &Aws, operation: &str) -> Read {
    let (transfer, tags) = (aws.transfer(REGION), Tags::from([("a".to_owned(), "b".to_owned())]));
    match operation {
        "DescribeServer" => shown(transfer.server("s-1").await),
        "ListServers" => shown(transfer.servers().await),
        "StartServer" => shown(transfer.start("s-1").await),
        "TagResource" => shown(transfer.tag("arn", &tags).await),
        "DeleteServer" => shown(transfer.delete("s-1").await),
        _ => None,
    }
}
